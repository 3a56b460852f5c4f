"""Planes lie where they say, show what the model predicts there, and ask it far less than everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.errors import InputError
from core.models import build_model
from core.predictor import Predictor
from core.slices import SlicePlane, confidence_over_plane, slice_plane, slice_plane_steps, smoothness_over_plane
from core.smoothness import measure_smoothness

SHAPE = (1, 8, 8)


def random_images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


class NearestPrototype(nn.Module):
    """The class of the nearest of K random images: straight borders, many corners."""

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        self.prototypes = random_images(classes, seed).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return -torch.cdist(
            images.flatten(1), self.prototypes.to(images.dtype), compute_mode="donot_use_mm_for_euclid_dist"
        )


class Curved(nn.Module):
    """A random network of sines: curved borders, islands."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = 0.25 * torch.randn(64, 64, generator=generator)
        self.second = torch.randn(64, 6, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        return torch.sin(2 * images.flatten(1) @ self.first) @ self.second


class Disc(nn.Module):
    """Class 1 within a radius of a centre, else class 0."""

    def __init__(self, centre: Tensor, radius: float) -> None:
        super().__init__()
        self.centre, self.radius = centre, radius

    def forward(self, images: Tensor) -> Tensor:
        distance = (images - self.centre).flatten(1).norm(dim=1)
        return torch.stack([distance, torch.full_like(distance, self.radius)], 1)


def exact(model: nn.Module) -> Predictor:
    return Predictor(model, "cpu", torch.float32)


def dense(predictor: Predictor, plane: SlicePlane) -> np.ndarray:
    across, up = np.meshgrid(plane.x, plane.y)
    return predictor.labels(plane.images(across.ravel(), up.ravel())).numpy().reshape(across.shape)


@pytest.fixture(scope="module")
def trained() -> tuple[Predictor, Tensor]:
    """The fast path of a small CNN after five quick epochs on digits, and the digits it has not seen."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = torch.tensor(data.images / 16, dtype=torch.float32)[:, None], torch.tensor(data.target)
    torch.manual_seed(0)
    model = build_model("small-cnn", SHAPE, 10)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(5):
        for rows in torch.randperm(1500).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimiser.step()
    return Predictor(model, "cpu"), images[1500:]


@pytest.mark.parametrize("seed", range(4))
def test_the_plane_lies_where_it_says(seed):
    origin, toward, across = random_images(3, seed)
    plane = slice_plane(exact(NearestPrototype(4, 9)), origin, toward, across, 65)
    for image, (x, y) in zip((origin, toward, across), plane.points.values(), strict=True):
        assert torch.allclose(plane.image(x, y), image, atol=1e-5)
        assert plane.x[0] < x < plane.x[-1]
        assert plane.y[0] < y < plane.y[-1]
    assert plane.points["origin"] == (0, 0)
    assert plane.points["toward"] == pytest.approx(((toward - origin).norm().item(), 0))
    assert plane.points["across"][1] > 0
    axes = np.stack([plane.x_axis.ravel(), plane.y_axis.ravel()])
    assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-12)
    assert plane.x[-1] - plane.x[0] == pytest.approx(plane.y[-1] - plane.y[0])
    box = np.ptp(np.array(list(plane.points.values())), axis=0).max()
    assert plane.x[-1] - plane.x[0] == pytest.approx(1.5 * box)


def test_rows_are_y_and_columns_are_x():
    origin, toward, across = torch.zeros(SHAPE), torch.zeros(SHAPE), torch.zeros(SHAPE)
    toward[0, 0, 0], across[0, 0, 1] = 1, 1

    def quadrant(images: Tensor) -> Tensor:
        right, up = images[:, 0, 0, 0] > 0.3, images[:, 0, 0, 1] > 0.7
        return nn.functional.one_hot(right + 2 * up.long(), 4).float()

    plane = slice_plane(quadrant, origin, toward, across, 65)
    expected = (plane.x[None] > 0.3) + 2 * (plane.y[:, None] > 0.7)
    assert (plane.labels == expected).all()
    assert plane.labels_present == (0, 1, 2, 3)


@pytest.mark.parametrize("model", [NearestPrototype(10, 1), NearestPrototype(40, 2), Curved(3), Curved(4)])
@pytest.mark.parametrize("seed", range(3))
def test_refined_agrees_with_dense(model, seed):
    predictor = exact(model)
    plane = slice_plane(predictor, *random_images(3, 100 + seed), 65)
    assert len(plane.labels_present) >= 3
    assert (plane.labels == dense(predictor, plane)).mean() >= 0.999
    assert plane.evaluations < 0.5 * 65**2


@pytest.mark.parametrize("rows", [(0, 1, 2), (10, 20, 30), (40, 51, 62), (7, 77, 177)])
def test_refined_agrees_with_dense_on_a_trained_network(trained, rows):
    predictor, images = trained
    plane = slice_plane(predictor, *images[list(rows)], 65)
    assert len(plane.labels_present) >= 3
    assert (plane.labels == dense(predictor, plane)).mean() >= 0.999
    assert plane.evaluations < 0.5 * 65**2


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_refined_agrees_with_dense_at_full_resolution(trained, seed):
    predictor, images = trained
    generator = torch.Generator().manual_seed(seed)
    origin, toward, across = images[torch.randperm(len(images), generator=generator)[:3]]
    if seed % 2:
        across = origin + torch.randn(SHAPE, generator=generator)
    plane = slice_plane(predictor, origin, toward, across, 257)
    assert (plane.labels == dense(predictor, plane)).mean() >= 0.999
    assert plane.evaluations < 0.2 * 257**2


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from([33, 64, 65, 80]), st.floats(0, 1), st.floats(0, 1))
def test_a_disc_of_nine_points_is_found_wherever_it_lies(resolution, right, up):
    images = random_images(3)
    empty = slice_plane(lambda images: nn.functional.one_hot(torch.zeros(len(images)).long(), 2), *images, resolution)
    step, radius = empty.x[1] - empty.x[0], 4.5 * (empty.x[1] - empty.x[0])
    centre = [along[0] + radius + share * (along[-1] - along[0] - 2 * radius)
              for along, share in ((empty.x, right), (empty.y, up))]  # fmt: skip
    predictor = exact(Disc(empty.image(*centre), radius))
    plane = slice_plane(predictor, *images, resolution)
    inside = (plane.x[None] - centre[0]) ** 2 + (plane.y[:, None] - centre[1]) ** 2
    assert (plane.labels[inside < (radius - 0.01 * step) ** 2] == 1).all()
    assert (plane.labels[inside > (radius + 0.01 * step) ** 2] == 0).all()


def test_steps_end_in_the_whole_and_never_ask_twice():
    model, images = Curved(3), random_images(3, 100)
    asked = []

    def counting(batch: Tensor) -> Tensor:
        asked.append(len(batch))
        return model(batch)

    planes = list(slice_plane_steps(counting, *images, 65))
    whole = slice_plane(exact(model), *images, 65)
    assert (planes[-1].labels == whole.labels).all()
    assert (planes[-1].evaluated == whole.evaluated).all()
    assert [plane.evaluations for plane in planes] == sorted({plane.evaluations for plane in planes})
    assert planes[0].evaluations == 5 * 5
    assert planes[1].evaluations == 17 * 17
    assert sum(asked) <= whole.evaluations + 64 * len(planes)  # all but the filling of last batches
    for plane in planes:
        assert (plane.labels[plane.evaluated] == whole.labels[plane.evaluated]).all()


def test_images_are_not_touched():
    images = random_images(3)
    slice_plane(exact(NearestPrototype(4, 9)), *images, 33)
    assert torch.equal(images, random_images(3))


def test_confidence_is_the_models_own():
    predictor = exact(NearestPrototype(10, 1))
    plane = slice_plane(predictor, *random_images(3, 100), 33)
    layer = confidence_over_plane(predictor, plane, 9)
    for row, column in ((0, 0), (3, 7), (8, 8)):
        logits = predictor.logits(plane.image(layer.x[column], layer.y[row])[None])[0].double()
        best = logits.sort().values
        assert layer.margin[row, column] == pytest.approx((best[-1] - best[-2]).item())
        assert layer.probability[row, column] == pytest.approx(logits.softmax(0).max().item())
    assert (layer.x[[0, -1]] == plane.x[[0, -1]]).all()


def test_w_over_a_plane_is_high_on_borders():
    predictor = exact(NearestPrototype(2, 1))
    plane = slice_plane(predictor, *random_images(3, 100), 33)
    layer = smoothness_over_plane(predictor, plane, 0.05, draws=50, resolution=33)
    across, up = np.meshgrid(layer.x, layer.y)
    direct = measure_smoothness(predictor, plane.images(across.ravel(), up.ravel()), 0.05, 50)
    assert (layer.w == direct.w.reshape(33, 33)).all()
    margin = confidence_over_plane(predictor, plane, 33).margin
    near, far = margin < np.quantile(margin, 0.1), margin > np.quantile(margin, 0.5)
    assert layer.w[near].mean() > 0.5
    assert layer.w[far].mean() < 0.1


ONE, TWO, THREE = random_images(3)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        ((ONE, TWO, ONE + 0.3 * (TWO - ONE)), "one line"),
        ((ONE, TWO, ONE - 2 * (TWO - ONE)), "one line"),
        ((ONE, ONE, THREE), "one line"),
        ((ONE, TWO, TWO), "one line"),
        ((ONE, TWO, ONE), "one line"),
        ((ONE, ONE, ONE), "one line"),
        ((ONE, TWO, torch.rand(1, 9, 9)), "one shape"),
        ((ONE[0], TWO[0], THREE[0]), "one shape"),
        ((ONE, TWO, THREE * torch.nan), "NaN or infinite"),
    ],
)
@pytest.mark.parametrize("make", [slice_plane, slice_plane_steps])
def test_bad_images_get_one_sentence_before_any_work(make, images, match):
    with pytest.raises(InputError, match=match):
        make(lambda images: pytest.fail("the model was asked"), *images)


def test_a_slice_too_coarse_is_refused():
    with pytest.raises(InputError, match="at least 9"):
        slice_plane(exact(NearestPrototype(4, 9)), ONE, TWO, THREE, 8)
