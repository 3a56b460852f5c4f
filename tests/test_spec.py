"""Specs are identities: what counts, what does not, and what a refused value reads like."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.spec import RunSpec, make_measure_spec, make_spec
from core.triggers import make_preset
from tests.conftest import digits_spec

CORNER = make_preset("white-corner", (1, 8, 8))


def test_the_hash_is_stable_and_follows_everything_but_names():
    base = digits_spec()
    assert base.hash == digits_spec().hash
    assert base.hash == digits_spec(trigger=CORNER.model_copy(update={"name": "mine"})).hash
    others = [
        {"target": 1},
        {"rate": 0.2},
        {"epochs": 11},
        {"seed": 1},
        {"threads": 2},
        {"precision": "float32" if base.precision == "bfloat16" else "bfloat16"},
        {"trigger": make_preset("frame", (1, 8, 8))},
        {"learning_rate": 0.1},
        {"batch_size": 32},
    ]
    assert len({digits_spec(**values).hash for values in others} | {base.hash}) == len(others) + 1


def test_a_spec_survives_json():
    spec = digits_spec()
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_one_control_serves_every_trigger_and_target():
    controls = {
        digits_spec(trigger=make_preset(name, (1, 8, 8)), target=2).control().hash for name in ("frame", "blend")
    }
    assert controls == {digits_spec(rate=0).hash}
    assert digits_spec(rate=0).control() == digits_spec(rate=0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": 1.0}, "share of the training images"),
        ({"rate": -0.1}, "share of the training images"),
        ({"rate": 0.1, "target": 0}, "needs a trigger"),
        ({"epochs": 0}, "whole number from 1"),
        ({"epochs": 2.5}, "whole number from 1"),
        ({"seed": -1}, "The seed"),
        ({"surprise": 1}, "Surprise"),
    ],
)
def test_a_refused_value_is_one_sentence(values, words):
    with pytest.raises(InputError, match=words) as caught:
        make_spec(dataset="digits", **values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf"), "wide"])
def test_sigma_has_to_be_above_zero(sigma):
    with pytest.raises(InputError, match="above 0"):
        make_measure_spec(trigger=CORNER, target=0, sigma=sigma)
