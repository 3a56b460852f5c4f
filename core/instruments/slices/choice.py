"""Which plane to look at: through three images of a data set, or along directions from one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float32
    from torch import Tensor

    from core.attacks.attack import Attack
    from core.attacks.triggers import AnyTrigger
    from core.datasets import Dataset

PlaneKind = Literal["class", "random", "randoms", "images"]


@dataclass(frozen=True)
class PlaneChoice:
    """A plane through a test image.

    Attributes
    ----------
    kind
        "class": towards the image with the trigger, and towards the nearest test image of a class.
        "random": towards the image with the trigger, and along a random Gaussian direction.
        "randoms": along two random Gaussian directions.
        "images": towards two other test images.
    label
        The class of kind "class".
    seed
        Names the random directions.
    others
        Numbers of the two test images of kind "images".
    """

    kind: PlaneKind = "class"
    label: int = 0
    seed: int = 0
    others: tuple[int, int] = (0, 1)

    def to_link(self) -> str:
        """Return the choice as short text that `from_link` reads."""
        numbers = {"class": (self.label,), "images": self.others}.get(self.kind, (self.seed,))
        return ".".join([self.kind, *map(str, numbers)])

    @classmethod
    def from_link(cls, text: str) -> PlaneChoice:
        """Return the choice that `to_link` wrote.

        Raises
        ------
        InputError
            The text says no plane.
        """
        kind, *parts = text.split(".")
        wanted = 2 if kind == "images" else 1
        if kind not in get_args(PlaneKind) or len(parts) != wanted or not all(_is_number(part) for part in parts):
            raise InputError(f"{text!r} names no plane; write class.3, random.0, randoms.0 or images.12.45.")
        numbers = tuple(map(int, parts))
        if kind == "images":
            return cls("images", others=(numbers[0], numbers[1]))
        return cls("class", label=numbers[0]) if kind == "class" else cls(cast(PlaneKind, kind), seed=numbers[0])

    @property
    def along_trigger(self) -> bool:
        """Whether the image with the trigger lies on the plane."""
        return self.kind in {"class", "random"}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


@dataclass(frozen=True, eq=False)
class SpanningImages:
    """Three images that span a plane, as `core.slice_plane` takes them, with names for people.

    Attributes
    ----------
    origin, toward, across
        float32 [C, H, W].
    point_names
        What the points "origin", "toward" and "across" are; a point that is no image anybody gave is left out.
    axis_names
        What the plane's two axes are.
    """

    origin: Float32[Tensor, "C H W"]
    toward: Float32[Tensor, "C H W"]
    across: Float32[Tensor, "C H W"]
    point_names: dict[str, str]
    axis_names: tuple[str, str]


def spanning_images(choice: PlaneChoice, dataset: Dataset, image: int, trigger: AnyTrigger) -> SpanningImages:
    """Return the images that span a plane through a test image.

    Random directions are as long as the trigger's step, so that the plane shows both at one scale.

    Parameters
    ----------
    choice
        Which plane.
    dataset
        Whose test images these are.
    image
        Number of the test image at the origin.
    trigger
        The trigger whose direction or length counts.

    Raises
    ------
    InputError
        There is no such image or class, or the trigger changes nothing in this image.
    """
    from core.datasets.dataset import to_unit

    test = dataset.test
    for number in (image, *(choice.others if choice.kind == "images" else ())):
        if not 0 <= number < len(test):
            raise InputError(f"There is no test image {number}; choose one from 0 to {len(test) - 1}.")
    origin = to_unit(test.images[image])
    if choice.kind == "images":
        first, second = to_unit(test.images[list(choice.others)])
        names = [f"{dataset.classes[int(test.labels[number])]} (no. {number})" for number in choice.others]
        points = {"origin": "clean", "toward": names[0], "across": names[1]}
        return SpanningImages(origin, first, second, points, (f"towards {names[0]}", f"towards {names[1]}"))
    triggered = trigger.apply(origin[None])[0]
    length = float((triggered - origin).norm())
    if length == 0:
        raise InputError(f"The trigger changes nothing in test image {image}; choose another image.")
    if choice.kind == "class":
        nearest = nearest_of_class(dataset, image, choice.label)
        name = dataset.classes[choice.label]
        points = {"origin": "clean", "toward": "with trigger", "across": f"a {name}"}
        return SpanningImages(
            origin, triggered, to_unit(test.images[nearest]), points, ("along the trigger", f"towards a {name}")
        )
    one, other = random_directions(tuple(origin.shape), 2, length, choice.seed)
    if choice.kind == "random":
        points = {"origin": "clean", "toward": "with trigger"}
        return SpanningImages(
            origin, triggered, origin + one, points, ("along the trigger", f"random direction {choice.seed}")
        )
    axes = (f"random direction {choice.seed}a", f"random direction {choice.seed}b")
    return SpanningImages(origin, origin + one, origin + other, {"origin": "clean"}, axes)


def nearest_of_class(dataset: Dataset, image: int, label: int) -> int:
    """Return the number of the test image of a class that lies nearest to another one by L2; never that one itself.

    Raises
    ------
    InputError
        The class does not exist, or has no other test image.
    """
    test = dataset.test
    if not 0 <= label < len(dataset.classes):
        raise InputError(f"There is no class {label}; choose one from 0 to {len(dataset.classes) - 1}.")
    candidates = (test.labels == label).nonzero()[:, 0]
    candidates = candidates[candidates != image]
    if not len(candidates):
        raise InputError(f"No other test image belongs to {dataset.classes[label]!r}; choose another class.")
    distances = (test.images[candidates].float() - test.images[image].float()).flatten(1).norm(dim=1)
    return int(candidates[int(distances.argmin())])


def random_directions(shape: tuple[int, ...], count: int, length: float, seed: int) -> Float32[Tensor, "M ..."]:
    """Return Gaussian directions of one L2 length, float32 [count, *shape]; the same for the same seed."""
    import torch

    directions = torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
    norms = directions.flatten(1).norm(dim=1).view(-1, *[1] * len(shape))
    return length * directions / norms


def attacked_plane(dataset: Dataset, attack: Attack) -> tuple[int, int]:
    """Return the test images that span an attack's plane: one that it attacks, and one of the class that it wants.

    Each is the first of its kind. Where the test split has none, another image stands in.
    """
    import numpy as np

    from core.instruments.evaluation import choose_attacked

    labels = dataset.test.labels.numpy()
    clean = next(iter(choose_attacked(dataset.test, attack, 1, seed=0)), 0)
    wanted = attack.goal(labels[[clean]], len(dataset.classes))
    third = np.nonzero(labels == wanted)[0]
    return int(clean), int(third[0]) if len(third) else int(clean == 0)


def plane_images(dataset: Dataset, attack: Attack, clean: int, third: int, seed: int) -> Float32[Tensor, "3 C H W"]:
    """Return a test image, itself with the trigger, and a third one, which span a plane: float [3, C, H, W].

    The seed decides where the trigger lies on the image, if its place is random.
    """
    import numpy as np
    import torch

    from core.datasets.dataset import to_unit

    origin, across = to_unit(dataset.test.images[[clean, third]])
    return torch.stack([origin, attack.apply(origin[None], np.array([clean]), seed=seed)[0], across])
