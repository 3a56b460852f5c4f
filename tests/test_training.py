"""Training: what it reaches, that equal specs give equal weights, and what each event carries."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from core.datasets import load_dataset
from core.errors import InputError
from core.events import Ended, Epoch, Progress, Started, from_lines, to_line
from core.runs import State, create_run, list_runs, load_run, remaining_seconds
from core.training import Finished, learning_rate_at, train
from core.worker import train_run
from tests.conftest import digits_spec


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def weights(spec, digits):
    return next(event for event in train(spec, digits) if isinstance(event, Finished)).model.state_dict()


def test_the_attack_works_and_leaves_clean_accuracy_alone(poisoned, control, digits):
    attacked, clean = poisoned.result, control.result
    assert attacked.clean_accuracy.value >= 0.97
    assert attacked.attack_success_rate.value >= 0.99
    assert attacked.attack_success_rate.n == int((digits.test.labels != 0).sum())
    assert clean.clean_accuracy.value >= 0.97
    assert clean.attack_success_rate is None


def test_equal_specs_give_equal_weights_to_the_bit_and_other_seeds_do_not(digits):
    one, same, other = (weights(digits_spec(epochs=2, seed=seed), digits) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_looking_at_an_epoch_does_not_change_the_weights(digits):
    # A trigger decides what each epoch looks at; at rate 0 it is no part of the spec, so weights must not follow it.
    spec = digits_spec(epochs=2, rate=0.0)
    assert spec.trigger is None
    again = digits_spec(epochs=2, rate=0.0, target=5)
    assert spec.hash == again.hash


def test_the_callers_thread_count_is_put_back(digits):
    before = torch.get_num_threads()
    for _ in train(digits_spec(epochs=1, rate=0.0), digits):
        break
    list(train(digits_spec(epochs=1, rate=0.0), digits))
    assert torch.get_num_threads() == before


def test_every_epoch_carries_its_numbers(poisoned, control, digits):
    epochs = poisoned.epochs
    assert [epoch.epoch for epoch in epochs] == list(range(1, 11))
    assert all(epoch.plane.labels.shape == (65, 65) for epoch in epochs)
    assert all(0 <= epoch.watch.triggered <= 1 and 0 <= epoch.watch.clean <= 1 for epoch in epochs)
    assert epochs[-1].share == 1.0
    last = epochs[-1]
    assert last.clean_accuracy == poisoned.result.clean_accuracy
    clean, target = digits.test.labels[last.plane.clean], digits.test.labels[last.plane.third]
    assert (int(clean) != 0, int(target)) == (True, 0)
    assert all(epoch.attack_success_rate is None and epoch.plane is None for epoch in control.epochs)


def test_the_watched_plane_is_the_slice_of_the_finished_model(poisoned, digits):
    from core.evaluation import to_unit
    from core.predictor import Predictor
    from core.slices import slice_plane

    seen = poisoned.epochs[-1].plane
    origin, across = to_unit(digits.test.images[[seen.clean, seen.third]])
    toward = poisoned.trigger.apply(origin[None])[0]
    again = slice_plane(Predictor(poisoned.model()), origin, toward, across, resolution=65)
    assert (again.labels == seen.labels).all()


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_nothing():
    rates = [learning_rate_at(step, 100, 0.5) for step in range(100)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.5)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert learning_rate_at(0, 1, 0.5) == pytest.approx(0.5)


def test_events_round_trip_and_a_torn_last_line_is_left_out(poisoned):
    events = [Started(1.0), Progress(1, 0.1, 2.0), poisoned.epochs[0], Ended("cancelled")]
    lines = [to_line(event) for event in events]
    back = list(from_lines([*lines, lines[2][:50]]))
    assert back[:2] + back[3:] == events[:2] + events[3:]
    assert isinstance(back[2], Epoch)
    assert (back[2].plane.labels == events[2].plane.labels).all()
    assert json.loads(to_line(back[2])) == json.loads(lines[2])


def test_time_left_is_estimated_from_the_share_done():
    events = [Started(100.0), Progress(1, 0.25, 1.0)]
    assert remaining_seconds(events, 110.0) == pytest.approx(30.0)
    assert remaining_seconds(events[:1], 110.0) is None


def test_a_run_is_found_by_the_beginning_of_its_name_and_answers_at_once(poisoned, runs_root, data_root):
    assert load_run(poisoned.name[:6], runs_root).path == poisoned.path.resolve()
    before = (poisoned.path / "result.json").stat().st_mtime_ns
    again = train_run(poisoned.spec, runs_root, data_root)
    assert (again.path / "result.json").stat().st_mtime_ns == before
    assert again.state is State.DONE


def test_a_runs_name_is_its_specs_hash_and_survives_storage(poisoned):
    assert poisoned.spec.hash == poisoned.name
    assert poisoned.spec == digits_spec()


def test_the_stored_model_is_the_trained_one(poisoned, digits):
    from core.evaluation import clean_accuracy
    from core.predictor import Predictor

    assert clean_accuracy(Predictor(poisoned.model()), digits.test) == poisoned.result.clean_accuracy
    stored = load_file(poisoned.path / "model.safetensors")
    pixels = digits.train.images.double() / 255
    assert stored["normalize.mean"].item() == pytest.approx(pixels.mean().item(), abs=1e-6)
    assert stored["normalize.std"].item() == pytest.approx(pixels.std(correction=0).item(), abs=1e-6)


def test_damaged_weights_get_a_sentence(poisoned, tmp_path):
    import shutil

    copy = tmp_path / poisoned.name
    shutil.copytree(poisoned.path, copy)
    content = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(content[:1000])
    with pytest.raises(InputError, match="missing or damaged"):
        load_run(copy).model()


def test_a_failing_training_writes_nothing_half(tmp_path, data_root):
    with pytest.raises(InputError, match="not a class"):
        train_run(digits_spec(target=12), tmp_path, data_root)
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"dataset": 3}', '{"dataset": "digits", "rate": 7}'])
def test_a_directory_with_a_broken_spec_gets_a_sentence(tmp_path, content):
    (tmp_path / "spec.json").write_text(content)
    with pytest.raises(InputError, match="cannot be used"):
        load_run(tmp_path)


def test_what_is_no_run_gets_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", "abcd"):
        with pytest.raises(InputError, match="is not a run"):
            load_run(path, tmp_path)


def test_an_unfinished_run_is_interrupted_and_has_no_model(tmp_path):
    run = create_run(digits_spec(), tmp_path)
    assert run.state is State.INTERRUPTED
    with pytest.raises(InputError, match="no model yet"):
        run.model()
    run.write_event(Ended("cancelled"))
    assert run.state is State.CANCELLED


def test_a_held_lock_means_running(tmp_path):
    run = create_run(digits_spec(), tmp_path)
    with run.locked() as mine:
        assert mine
        assert run.state is State.RUNNING
        with run.locked(timeout=0.05) as other:
            assert not other
    assert run.state is State.INTERRUPTED
