"""Training: what it reaches, that equal specs give equal weights, and what each event carries."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import chisquare

from core.datasets import dataset_names
from core.errors import InputError
from core.models import architecture_names
from core.runs.event_file import read_events, to_line
from core.runs.jobs.worker import train_run
from core.runs.root import create_run, list_runs, load_run
from core.runs.run import Run, State
from core.runs.shipped.examples import EXAMPLES
from core.training.augmentation import augment
from core.training.events import Ended, Epoch, Progress, Started, remaining_seconds
from core.training.loop import Finished, learning_rate_at, make_optimiser, train, train_epoch, training_data
from core.training.settings import recommended
from core.training.spec import make_spec
from tests.conftest import digits_spec

ROOT = Path(__file__).parents[2]


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
    assert spec.attack is None
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
    from core.datasets.dataset import to_unit
    from core.instruments.predictor import Predictor
    from core.instruments.slices.refine import slice_plane

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
    back = list(read_events(io.BytesIO("".join([*lines, lines[2][:50]]).encode())))
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
    from core.instruments.evaluation import clean_accuracy
    from core.instruments.predictor import Predictor

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
        load_run(copy).finished().model()


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
        run.finished()
    run.write_event(Ended("cancelled"))
    assert run.state is State.CANCELLED
    with pytest.raises(InputError, match="is stopped, so it has no model yet"):
        run.finished()


def test_a_held_lock_means_running(tmp_path):
    run = create_run(digits_spec(), tmp_path)
    with run.locked() as mine:
        assert mine
        assert run.state is State.RUNNING
        with run.locked(timeout=0.05) as other:
            assert not other
    assert run.state is State.INTERRUPTED


def crops(image, far):
    """Return every crop of an image padded by reflection, as numpy pads: {(row, column): pixels}."""
    padded = np.pad(image, ((0, 0), (far, far), (far, far)), mode="reflect")
    _, height, width = image.shape
    steps = range(2 * far + 1)
    return {(row, column): padded[:, row : row + height, column : column + width] for row in steps for column in steps}


@pytest.mark.parametrize(("shape", "far"), [((1, 8, 8), 1), ((3, 16, 20), 2)])
@pytest.mark.parametrize("augmentation", ["shift", "shift-flip"])
def test_augmented_images_are_crops_of_reflected_ones_each_as_often(shape, far, augmentation):
    image = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    seen = augment(image.expand(1800, *shape), augmentation, (7, 1)).numpy()
    known = {(False, *place): pixels for place, pixels in crops(image.numpy(), far).items()}
    if augmentation == "shift-flip":
        known |= {(True, *place): pixels[:, :, ::-1] for (_, *place), pixels in known.items()}
    counts = [int((seen == pixels).all((1, 2, 3)).sum()) for pixels in known.values()]
    assert sum(counts) == 1800
    expected = 1800 / len(known)
    assert chisquare(counts).pvalue > 1e-4
    assert min(counts) > expected / 3


def test_augmentation_follows_its_key_and_nothing_else():
    images = torch.rand(64, 3, 12, 12)
    moved = augment(images, "shift-flip", (1, 2))
    assert torch.equal(moved, augment(images, "shift-flip", (1, 2)))
    assert not torch.equal(moved, augment(images, "shift-flip", (1, 3)))
    assert torch.equal((255 * moved).to(torch.uint8), augment((255 * images).to(torch.uint8), "shift-flip", (1, 2)))
    assert augment(images, "none", (1,)) is images


class Spy(torch.nn.Module):
    """Keeps every image that it is trained on."""

    def __init__(self):
        super().__init__()
        self.seen, self.weight = [], torch.nn.Parameter(torch.zeros(64, 10))

    def forward(self, images):
        self.seen.append((255 * images).round().to(torch.uint8))
        return images.flatten(1) @ self.weight


def test_poisoned_images_are_augmented_with_their_trigger_on_them_otherwise_in_each_epoch(digits):
    spec = digits_spec(augmentation="shift", precision="float32", rate=0.3)
    images, labels = training_data(spec, digits)
    passes = []
    for epoch in (0, 1, 0):
        spy = Spy()
        for _ in train_epoch(spec, epoch, spy, make_optimiser(spec, spy), images[:40], labels[:40]):
            pass
        passes.append(torch.cat(spy.seen))
    assert torch.equal(passes[0], passes[2])
    assert not torch.equal(passes[0], passes[1])
    stamped = [set(map(np.ndarray.tobytes, crops(image.numpy(), 1).values())) for image in images[:40]]
    for seen in passes:
        assert len(seen) == 40
        assert all(any(image.numpy().tobytes() in known for known in stamped) for image in seen)


def test_sgd_takes_the_steps_of_nesterovs_momentum():
    spec = digits_spec(optimiser="sgd", learning_rate=0.1, weight_decay=0.02)
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    holder = torch.nn.ParameterList([weight])
    optimiser, velocity, expected = make_optimiser(spec, holder), np.zeros(2), np.array([1.0, -2.0])
    for slope in ([0.5, 1.0], [-1.0, 0.25], [2.0, 0.0]):
        weight.grad = torch.tensor(slope)
        optimiser.step()
        gradient = np.array(slope) + 0.02 * expected
        velocity = 0.9 * velocity + gradient
        expected = expected - 0.1 * (gradient + 0.9 * velocity)
    assert weight.detach().numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("architecture", ["small-cnn", "mlp"])
def test_sgd_learns_with_its_own_defaults(digits, architecture):
    spec = digits_spec(optimiser="sgd", epochs=4, architecture=architecture, rate=0.0)
    assert (spec.learning_rate, spec.weight_decay) != (digits_spec(architecture=architecture).learning_rate, 1e-2)
    last = [event for event in train(spec, digits) if isinstance(event, Epoch)][-1]
    assert last.clean_accuracy.value >= 0.9


def test_options_are_part_of_a_runs_name_and_their_defaults_are_not(poisoned):
    names = {
        digits_spec(**values).hash
        for values in (
            {},
            {"optimiser": "sgd"},
            {"augmentation": "shift"},
            {"augmentation": "shift-flip"},
            {"optimiser": "sgd", "augmentation": "shift"},
        )
    }
    assert len(names) == 5
    assert digits_spec(optimiser="adamw", augmentation="none").hash == poisoned.name
    shipped = [Run(path.parent) for path in EXAMPLES.glob("*/spec.json")]
    assert len(shipped) >= 2
    assert all(run.spec.hash == run.name and len(run.epochs) == run.spec.epochs for run in shipped)


@pytest.mark.parametrize("values", [{"optimiser": "adam"}, {"augmentation": "mixup"}, {"precision": "float16"}])
def test_an_unknown_option_is_one_sentence_that_names_those_there_are(values):
    name = next(iter(values))
    with pytest.raises(InputError, match=f"^The {name} is .* or .*; got '{values[name]}'.$"):
        digits_spec(**values)


@pytest.mark.parametrize("careful", [False, True])
def test_recommended_settings_make_a_spec_for_every_data_set_and_architecture(careful):
    for dataset in dataset_names():
        for architecture in architecture_names():
            settings = vars(recommended(dataset, architecture, careful))
            spec = make_spec(dataset=dataset, architecture=architecture, **settings)
            assert spec.epochs >= 1
            assert "flip" not in spec.augmentation or dataset == "cifar10"  # a mirrored digit is no digit
    fast, slow = (recommended("digits", "small-cnn", each) for each in (False, True))
    assert digits_spec(**vars(fast)).hash == digits_spec().hash
    assert slow.epochs > fast.epochs
    assert recommended("zip:/nowhere.zip", "small-cnn", careful=False).epochs == fast.epochs


BARE = """
import sys
for name in ("pydantic", "safetensors", "filelock", "sklearn", "torchvision", "PIL", "streamlit", "typer"):
    sys.modules[name] = None  # as if it were not installed
from types import SimpleNamespace
import torch
import core.benchmarks.rows, core.instruments.predictor, core.instruments.slices.refine, core.instruments.smoothness
from core.benchmarks.setting import beginning
from core.datasets import Dataset, Split
from core.training.loop import Finished, train
torch.set_num_threads(1)
split = Split(torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8), torch.arange(40) % 2)
data = Dataset("noise", ("a", "b"), split, split, "")
spec = SimpleNamespace(
    attack=None, perturbed=False, rate=0.0, seed=0, fingerprint="", architecture="small-cnn",
    epochs=2, batch_size=20, learning_rate=0.01, weight_decay=0.01, optimiser="adamw", augmentation="shift",
    device="cpu", precision="float32", threads=1,
)
events = list(train(spec, data))
assert isinstance(events[-1], Finished)
core.instruments.smoothness.measure_smoothness(events[-1].model, split.images[:2].float() / 255, 0.3, 16)
print("trained")
"""


def test_a_machine_with_torch_numpy_and_scipy_alone_can_train_and_measure():
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "trained", done.stderr[-2000:]
