"""Planes lie where they say, show what the model predicts there, and ask it far less than everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.datasets.dataset import to_unit
from core.errors import InputError
from core.instruments.predictor import Predictor
from core.instruments.slices.choice import random_directions
from core.instruments.slices.plane import SlicePlane
from core.instruments.slices.refine import (
    confidence_over_plane,
    look_at_point,
    slice_plane,
    slice_plane_steps,
    smoothness_over_plane_steps,
)
from core.instruments.smoothness import measure_smoothness
from core.models import model_for

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


ARCHITECTURES = {"small-cnn": 4000, "mlp": 6000, "vit": 900}  # and how many images each is trained on


@pytest.fixture(scope="module")
def trained(digits) -> dict[str, Predictor]:
    """The fast paths of three architectures after a little training on digits."""
    images, labels = to_unit(digits.train.images), digits.train.labels
    predictors = {}
    for architecture, count in ARCHITECTURES.items():
        torch.manual_seed(0)
        model = model_for(architecture, digits)
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        for rows in torch.randint(len(labels), (count,)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimiser.step()
        predictors[architecture] = Predictor(model, "cpu", threads=1)
    return predictors


def corners(digits, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Three test images of three classes, or two and a random direction from the first."""
    generator = torch.Generator().manual_seed(seed)
    chosen: dict[int, int] = {}
    for place in torch.randperm(len(digits.test), generator=generator).tolist():
        chosen.setdefault(int(digits.test.labels[place]), place)
    origin, toward, across = to_unit(digits.test.images[list(chosen.values())[:3]])
    if seed % 4 == 3:
        across = origin + random_directions(SHAPE, 1, float((toward - origin).norm()), seed)[0]
    return origin, toward, across


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


@pytest.mark.soak
def test_refined_agrees_with_dense_on_trained_networks(trained, digits):
    several = planes = 0
    for architecture, count in (("small-cnn", 9), ("mlp", 9), ("vit", 4)):
        for seed in range(count):
            plane = slice_plane(trained[architecture], *corners(digits, seed), 65)
            whole = dense(trained[architecture], plane)
            assert (plane.labels == whole).mean() >= 0.999, (architecture, seed)
            assert plane.evaluations < 0.5 * 65**2
            planes += 1
            several += len(np.unique(whole)) >= 3
    assert planes >= 20
    assert several >= 15


@pytest.mark.soak
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_refined_agrees_with_dense_at_full_resolution(trained, digits, architecture):
    several = 0
    for seed in range(20):
        plane = slice_plane(trained[architecture], *corners(digits, seed), 257)
        whole = dense(trained[architecture], plane)
        assert (plane.labels == whole).mean() >= 0.999, seed
        assert plane.evaluations < 0.2 * 257**2
        several += len(np.unique(whole)) >= 3
    assert several >= 15


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


def test_a_disc_of_nine_points_is_found_at_each_quarter_of_a_point():
    side = 17  # the coarse grid repeats every fourth point, so these places stand for those on any larger plane
    corners = torch.zeros(3, *SHAPE)
    corners[1, 0, 0, 0] = corners[2, 0, 0, 1] = 1  # then two pixels are the place on the plane
    empty = slice_plane(lambda images: torch.zeros(len(images), 2), *corners, side)
    step, places = empty.x[1] - empty.x[0], np.arange(4.5, side - 5.5 + 0.01, 0.25)
    for column in places:
        for row in places:
            x, y = empty.x[0] + column * step, empty.y[0] + row * step

            def disc(images: Tensor, x=x, y=y) -> Tensor:
                inside = (images[:, 0, 0, 0] - x) ** 2 + (images[:, 0, 0, 1] - y) ** 2 < (4.5 * step) ** 2
                return torch.stack([~inside, inside], 1).float()

            found = slice_plane(disc, *corners, side).labels == 1
            far = (np.arange(side)[None] - column) ** 2 + (np.arange(side)[:, None] - row) ** 2
            assert found[far < 4.49**2].all()
            assert not found[far > 4.51**2].any()


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
    batch = Predictor(counting).batch_of(images.shape[1:])
    assert sum(asked) <= whole.evaluations + batch * len(planes)  # all but the filling of last batches
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
    *_, layer = smoothness_over_plane_steps(predictor, plane, 0.05, draws=50, resolution=33)
    across, up = np.meshgrid(layer.x, layer.y)
    direct = measure_smoothness(predictor, plane.images(across.ravel(), up.ravel()), 0.05, 50)
    assert (layer.w == direct.w.reshape(33, 33)).all()
    margin = confidence_over_plane(predictor, plane, 33).margin
    near, far = margin < np.quantile(margin, 0.1), margin > np.quantile(margin, 0.5)
    assert layer.w[near].mean() > 0.5
    assert layer.w[far].mean() < 0.1


def test_w_over_a_plane_grows_and_never_changes_what_was_measured():
    predictor = exact(NearestPrototype(3, 1))
    plane = slice_plane(predictor, *random_images(3, 100), 33)
    steps = list(smoothness_over_plane_steps(predictor, plane, 0.1, draws=16, seed=3, resolution=17))
    assert steps[0].evaluated.sum() == 5 * 5
    assert [step.share_measured for step in steps] == sorted({step.share_measured for step in steps})
    assert steps[-1].evaluated.all()
    for step in steps:
        assert (step.w[step.evaluated] == steps[-1].w[step.evaluated]).all()
        assert np.isin(step.w, step.w[step.evaluated]).all()
        assert (step.measured.w == step.w[step.evaluated]).all()
    across, up = np.meshgrid(steps[-1].x, steps[-1].y)
    direct = measure_smoothness(predictor, plane.images(across.ravel(), up.ravel()), 0.1, 16, 3)
    assert (steps[-1].measured.votes == direct.votes).all()
    assert steps[-1].measured.noise.keys == direct.noise.keys


def test_a_point_is_its_image_its_probabilities_and_its_w():
    predictor = exact(NearestPrototype(5, 1))
    plane = slice_plane(predictor, *random_images(3, 100), 33)
    x, y = plane.x[7], plane.y[20]
    look = look_at_point(predictor, plane, x, y, 0.2, draws=40, seed=2, key=9)
    image = torch.as_tensor(plane.origin + x * plane.x_axis + y * plane.y_axis, dtype=torch.float32)
    assert torch.allclose(look.image, image, atol=1e-6)
    assert look.label == plane.labels[20, 7] == look.probability.argmax()
    logits = -(image.double().flatten() - NearestPrototype(5, 1).prototypes.double()).norm(dim=1)
    assert look.probability == pytest.approx(logits.softmax(0).numpy(), abs=1e-5)
    assert (look.smoothness.votes == measure_smoothness(predictor, look.image[None], 0.2, 40, 2, keys=[9]).votes).all()


def test_places_snap_to_grid_points_and_to_the_spanning_images():
    plane = slice_plane(exact(NearestPrototype(4, 9)), *random_images(3), 65)
    step = plane.x[1] - plane.x[0]
    for point in plane.points.values():
        column, row = np.abs(plane.x - point[0]).argmin(), np.abs(plane.y - point[1]).argmin()
        assert plane.snap(plane.x[column] + 0.4 * step, plane.y[row] - 0.4 * step) == point
    assert plane.snap(plane.x[3] + 0.3 * step, plane.y[60] - 0.3 * step) == (plane.x[3], plane.y[60])
    assert plane.snap(plane.x[-1] + 2 * step, plane.y[5]) is None
    assert plane.snap(plane.x[5], plane.y[0] - 2 * step) is None


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
