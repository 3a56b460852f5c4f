"""Specs are identities: what counts, what does not, and what a refused value reads like."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.attacks.attack import make_attack
from core.attacks.triggers import Additive, Sinusoid, Warp, make_preset
from core.errors import InputError
from core.runs.measured.spec import make_measure_spec
from core.training.spec import RunSpec, make_spec
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


def attacked(**values):
    return make_spec(**{"dataset": "digits", "trigger": CORNER, "target": 0, "rate": 0.1, "threads": 1} | values)


def test_an_attack_may_be_given_whole_or_in_parts_and_is_stored_in_one_shape():
    parts = {"trigger": CORNER, "target": 3, "mode": "source-specific", "sources": (2, 1), "random_place": True}
    common = {"dataset": "digits", "rate": 0.1, "cover_rate": 0.2}
    in_parts, whole = make_spec(**common, **parts), make_spec(**common, attack=make_attack(**parts))
    assert in_parts == whole
    assert in_parts.hash == whole.hash
    assert set(json.loads(whole.model_dump_json())["attack"]) == set(parts)
    assert not set(json.loads(whole.model_dump_json())) & set(parts)
    assert make_measure_spec(sigma=0.5, **parts).attack == make_measure_spec(sigma=0.5, attack=whole.attack).attack
    with pytest.raises(InputError, match="An attack was given, and target besides"):
        make_spec(**common, attack=whole.attack, target=1)


def test_an_attack_is_a_value_whatever_its_trigger_is_called():
    named = CORNER.model_copy(update={"name": "mine"})
    assert make_attack(trigger=CORNER, target=0) == make_attack(trigger=named, target=0)
    assert len({make_attack(trigger=CORNER, target=0), make_attack(trigger=named, target=0)}) == 1
    assert make_attack(trigger=named, target=0).hash == make_attack(trigger=CORNER, target=0).hash
    assert make_attack(trigger=CORNER, target=1).hash != make_attack(trigger=CORNER, target=0).hash


ATTACKS = [
    {},
    {"mode": "all-to-all", "target": None},
    {"mode": "source-specific", "sources": (1, 3)},
    {"mode": "source-specific", "sources": (1,)},
    {"mode": "source-specific", "sources": (1, 3), "cover_rate": 0.1},
    {"mode": "clean-label"},
    {"mode": "clean-label", "perturbed": True},
    {"random_place": True},
    {"trigger": Sinusoid()},
    {"trigger": Sinusoid(delta=0.1)},
    {"trigger": Warp()},
    {"trigger": Additive.from_pattern(np.full((1, 8, 8), 0.1))},
]


def test_every_attack_has_its_own_name_survives_json_and_shares_the_control():
    specs = [attacked(**values) for values in ATTACKS]
    assert len({spec.hash for spec in specs}) == len(specs)
    assert {spec.control().hash for spec in specs} == {make_spec(dataset="digits", rate=0, threads=1).hash}
    for spec in specs:
        again = RunSpec.model_validate_json(spec.model_dump_json())
        assert again == spec
        assert again.hash == spec.hash
        assert make_spec(**spec.model_dump()).hash == spec.hash


def test_what_does_not_matter_is_no_part_of_the_name():
    assert attacked(mode="all-to-all", target=3).hash == attacked(mode="all-to-all", target=None).hash
    one, other = (attacked(mode="source-specific", sources=sources) for sources in ((3, 1, 3), (1, 3)))
    assert one.hash == other.hash
    assert make_spec(dataset="digits", rate=0, mode="clean-label", perturbed=True, sources=(1,)) == make_spec(
        dataset="digits", rate=0
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mode": "source-specific"}, "at least one source class"),
        ({"mode": "source-specific", "sources": (0, 1)}, "Class 0 is both target and source"),
        ({"sources": (1,)}, "belong to a source-specific attack"),
        ({"cover_rate": 0.1}, "Cover samples belong to a source-specific attack"),
        ({"perturbed": True}, "Only a clean-label attack"),
        ({"random_place": True, "trigger": Warp()}, "covers the whole image"),
        ({"mode": "surprise"}, "all-to-one, all-to-all, source-specific or clean-label"),
        ({"cover_rate": 1, "mode": "source-specific", "sources": (1,)}, "cover rate is a share"),
        ({"mode": "source-specific", "sources": ("x",)}, "numbers of classes"),
        ({"mode": "clean-label", "target": None}, "target class"),
        ({"trigger": {"kind": "surprise"}}, "trigger's kind is one of: picture"),
    ],
)
def test_an_attack_that_does_not_add_up_is_one_sentence(values, words):
    with pytest.raises(InputError, match=words) as caught:
        attacked(**values)
    assert "\n" not in str(caught.value)


def test_a_measurement_of_every_attack_has_its_own_name():
    values = [
        {},
        {"mode": "all-to-all", "target": None},
        {"mode": "source-specific", "sources": (1, 3)},
        {"mode": "clean-label"},
        {"random_place": True},
        {"trigger": Warp()},
    ]
    specs = [make_measure_spec(**{"trigger": CORNER, "target": 0, "sigma": 0.5} | one) for one in values]
    assert len({spec.hash for spec in specs}) == len(specs)
    with pytest.raises(InputError, match="needs a target class"):
        make_measure_spec(trigger=CORNER, sigma=0.5)
