"""The speed table measures what it says: its references give our answers, and every row gives a finite figure."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.benchmarks import describe_machine, row_names, run_bench
from core.benchmarks.epoch import our_epoch, their_epoch
from core.benchmarks.machine_rate import count_flops
from core.benchmarks.reference import BATCH, plain, reference_plane, reference_votes
from core.benchmarks.row import judge
from core.benchmarks.rows import ROWS
from core.benchmarks.setting import Setting, untrained
from core.benchmarks.timing import Times, detail_of, speed_up, take_turns
from core.errors import InputError
from core.instruments.noise import Noise
from core.instruments.predictor import Predictor
from core.instruments.slices.refine import slice_plane
from core.models import model_for
from core.training.spec import make_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the table's setting with hardly any work in it, and no Fashion-MNIST at hand."""
    return Setting(
        repetitions=1,
        data_root=tmp_path_factory.mktemp("nothing"),
        images=2,
        draws=40,
        resnet_images=1,
        resnet_draws=2,
        resnet_shape=(3, 8, 8),
        estimate_draws=16,
        resolution=17,
        learned_images=1500,
        epoch_images=128,
        memory_images=8,
        memory_draws=(2, 4),
        scaling_images=1,
        scaling_draws=64,
    )


class HalfSpace(nn.Module):
    """Class 0 where the pixels' sum lies above 6, so that the votes' distribution is known."""

    def forward(self, images: Tensor) -> Tensor:
        above = images.sum((1, 2, 3)) - 6
        return torch.stack([above, -above, above - 100], dim=1)


def test_the_plain_loop_and_the_predictor_both_count_the_known_distribution():
    images = torch.stack([torch.full((1, 4, 4), level) for level in (0.35, 0.375, 0.42)])
    sigma, draws = 0.3, 4000
    expected = [NormalDist().cdf((16 * level - 6) / (4 * sigma)) for level in (0.35, 0.375, 0.42)]
    theirs = reference_votes(HalfSpace(), images, sigma, draws, seed=1)
    ours = Predictor(HalfSpace(), CPU).votes(images, Noise(sigma, draws, 1))
    for votes in (theirs, ours):
        assert votes.dtype == torch.int64
        assert votes.sum(1).tolist() == [draws] * 3
        assert votes[:, 2].tolist() == [0] * 3
        assert np.abs(votes[:, 0].numpy() / draws - expected).max() < 4 * 0.5 / math.sqrt(draws)
    assert torch.equal(theirs, reference_votes(HalfSpace(), images, sigma, draws, seed=1))


def test_the_plain_loop_and_the_predictor_agree_on_a_trained_network(poisoned):
    images = poisoned.dataset().test.images[:6].float() / 255
    model = poisoned.model()
    theirs = reference_votes(plain(model, CPU), images, 0.4, 2000, seed=1)
    ours = Predictor(model, CPU).votes(images, Noise(0.4, 2000, 1))
    assert (ours > 0).sum() > 12  # more than the plain prediction alone
    # Two independent counts of 2000: their shares' difference has a deviation of 0.016 at most.
    assert (ours - theirs).abs().max() / 2000 < 4 * 0.016


def test_the_dense_plane_has_the_labels_of_ours(poisoned):
    images = poisoned.dataset().test.images.float() / 255
    model = poisoned.model()
    plane = slice_plane(Predictor(model, CPU, torch.float32), *images[[0, 1, 2]], resolution=65)
    dense = reference_plane(plain(model, CPU), plane, CPU)
    assert dense.shape == (65, 65)
    assert len(np.unique(dense)) >= 3
    assert (dense == plane.labels).mean() >= 0.999


def test_training_takes_the_same_steps(tiny):
    data = tiny.dataset.train
    images, labels = data.images[: 3 * BATCH], data.labels[: 3 * BATCH]
    spec = make_spec(dataset="digits", batch_size=BATCH, learning_rate=1e-3, precision="float32", threads=1)
    torch.manual_seed(0)
    new = model_for("small-cnn", tiny.dataset)
    (ours, our_loss), (theirs, their_loss) = (train(spec, new, images, labels) for train in (our_epoch, their_epoch))
    assert our_loss == pytest.approx(their_loss, rel=1e-3)
    assert new.classify.weight.data_ptr() not in {each.classify.weight.data_ptr() for each in (ours, theirs)}
    moved = (theirs.classify.weight - new.classify.weight).abs().mean()
    assert (ours.classify.weight - theirs.classify.weight).abs().mean() < 0.05 * moved
    assert moved > 1e-4


def test_operations_are_counted_as_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, groups=4)
    )
    model.extend([nn.Flatten(), nn.Linear(8 * 2 * 3, 10)])
    # 6x8 pixels with 27 products each for 8 channels; then 2x3 pixels with 18 each for 8; then 48 for 10.
    assert count_flops(model, (3, 6, 8)) == 2 * (6 * 8 * 8 * 27 + 2 * 3 * 8 * 18 + 48 * 10)
    assert model.training
    assert not any(part._forward_hooks for part in model.modules())


def test_operations_of_the_small_network_are_those_of_its_four_layers():
    convolutions = 28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 7 * 7 * 128 * 64 * 9
    assert count_flops(untrained("small-cnn", (1, 28, 28)), (1, 28, 28)) == 2 * (convolutions + 128 * 10)


def test_a_layer_that_is_called_twice_counts_twice():
    layer = nn.Conv2d(1, 1, 1, bias=False)
    assert count_flops(nn.Sequential(layer, layer), (1, 5, 5)) == 2 * 2 * 25


def test_turns_alternate_after_one_that_does_not_count():
    calls = []
    times = take_turns({name: lambda turn, name=name: calls.append((name, turn)) for name in ("a", "b")}, 3)
    assert calls == [(name, turn) for turn in (-1, 0, 1, 2) for name in ("a", "b")]
    assert all(len(times[name].wall) == len(times[name].cpu) == 3 for name in ("a", "b"))


def test_a_ratio_is_that_of_medians():
    slow, fast = Times((9.0, 1.0, 6.0), (4.0, 4.0, 4.0)), Times((2.0, 3.0, 1.0), (1.0, 8.0, 1.0))
    assert speed_up(slow, fast) == 3
    detail = detail_of({"slow": slow, "fast": fast}, "slow", "fast")
    assert detail["ratio_of_processor_time"] == 4
    assert detail["ratio_by_turns"] == {"median": 4.5, "lowest": 1 / 3, "highest": 6.0}
    assert detail["seconds"] == {"slow": 6.0, "fast": 2.0}


@pytest.mark.parametrize(
    ("value", "comparison", "applies", "holds"),
    [(4.0, ">=", True, True), (3.9, ">=", True, False), (4.1, "<=", True, False), (5.0, ">=", False, None)],
)
def test_a_row_is_judged_by_its_target(value, comparison, applies, holds):
    assert judge("row", "what", value, "x", comparison, 4, {}, applies=applies).holds is holds


@pytest.mark.parametrize("name", [name for name in row_names() if not name.startswith("memory")])
def test_every_row_gives_a_finite_figure(tiny, name):
    row = ROWS[name](tiny)
    assert row.name == name
    assert math.isfinite(row.value)
    assert row.value > 0
    assert row.detail["turns"] == tiny.repetitions
    assert json.loads(json.dumps(vars(row))) == vars(row)


def test_memory_is_measured_in_processes_of_their_own(tiny):
    rows = [ROWS[name](tiny) for name in ("memory", "memory-draws")]
    growths = rows[0].detail["growth"]
    assert set(growths) == {"2", "4"}
    # One batch of 64 leaves 3.2 MB in the first layer alone, and 8 images stay far from 100 MB. A process that counted
    # the peak of this one, its parent, as its own would not grow at all.
    assert all(3.2 < growth < 100 for growth in growths.values())
    assert rows[0].value == max(growths.values())
    assert rows[1].value == pytest.approx(abs(growths["2"] - growths["4"]))


def test_the_setting_takes_digits_where_fashion_is_not_at_hand(tiny):
    data = tiny.dataset
    assert data.name == "digits"
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert sorted(data.train.labels.unique().tolist()) == list(range(10))


def test_chosen_rows_are_measured_in_order_and_reported(monkeypatch):
    for name in row_names():
        monkeypatch.setitem(
            ROWS, name, lambda setting, name=name: judge(name, "", setting.repetitions, "x", ">=", 1, {})
        )
    told = []
    rows = run_bench(["scaling", "w"], repetitions=3, progress=lambda share, text: told.append((share, text)))
    assert [(row.name, row.value) for row in rows] == [("scaling", 3), ("w", 3)]
    assert told == [(0.0, "scaling"), (0.5, "w")]
    assert [row.name for row in run_bench()] == list(row_names())


def test_a_row_that_does_not_exist_is_named():
    with pytest.raises(InputError, match=r"no row called 'speed'.*share-resnet-18"):
        run_bench(["w", "speed"])
    with pytest.raises(InputError, match="0 repetitions"):
        run_bench(["w"], repetitions=0)


def test_the_machine_is_described():
    machine = describe_machine()
    assert {"cpu", "cores", "threads", "torch", "device", "device_name", "dtype", "date", "load"} <= set(machine)
    assert machine["cpu"]
    assert machine["cores"] >= 1
    assert machine["torch"] == torch.__version__
    json.dumps(machine)


def test_importing_the_table_costs_no_torch():
    import subprocess
    import sys

    command = "import sys, core.benchmarks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
