"""What a model file does not say of how it takes images: tried on a few training images, or given by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from core.device import choose_device
from core.errors import InputError
from core.instruments.statistics import Estimate
from core.models.foreign.onnx_model import ChannelOrder
from core.runs.loaded_spec import NormalisationName

if TYPE_CHECKING:
    from torch import Tensor

    from core.datasets import Dataset
    from core.models.foreign.inspect import InspectedFile

Numbers = tuple[float, ...]
ClassOrder = tuple[int, ...]

# Training images that each convention is tried on: 256 tell 0.9 from 0.8, and a ResNet-18 sees them in a second.
TRIED_ON = 256
_LEAST_RIGHT = 0.5

NORMALISATIONS: dict[NormalisationName, str] = {
    "none": "none: pixels in [0, 1]",
    "dataset": "mean and deviation of the data set",
    "imagenet": "mean and deviation of ImageNet",
    "half": "pixels in [-1, 1]",
    "bytes": "pixels from 0 to 255",
    "inverted": "inverted: 1 minus the pixel",
}
"""What people can choose a model's first layer from; "file" is what a file says itself, "given" what a person says."""

# torchvision's, in its documentation of every model's transforms.
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalisation:
    """What a model's first layer subtracts and divides by, for red, green and blue, and where these come from."""

    name: NormalisationName
    mean: Numbers
    std: Numbers


@dataclass(frozen=True)
class Convention:
    """How a model takes images and orders its answer.

    Attributes
    ----------
    normalisation
        What it does to pixels first.
    channels
        The order in which it takes colours.
    classes
        For each class of the data set the place of its number in the answer; None where the orders are one.
    accuracy
        What share of a few training images it got right in this way; None where it was not tried.
    """

    normalisation: Normalisation
    channels: ChannelOrder = "RGB"
    classes: ClassOrder | None = None
    accuracy: Estimate | None = None

    @property
    def is_plain(self) -> bool:
        """Whether colours and classes come in the order that the data set has them in."""
        return self.channels == "RGB" and self.classes is None

    @property
    def title(self) -> str:
        """What people call it."""
        text = NORMALISATIONS.get(self.normalisation.name, "as the file says")
        text += ", blue first" if self.channels == "BGR" else ""
        return text + (", classes in another order" if self.classes is not None else "")


@dataclass(frozen=True)
class Known:
    """What a person says of a model; None for what is to be found out.

    Attributes
    ----------
    normalisation
        A name of `NORMALISATIONS`, or "file".
    mean, std
        Numbers of a person's own in place of a name, for red, green and blue, or one for all.
    channels
        The order of colours.
    """

    normalisation: str | None = None
    mean: Numbers | None = None
    std: Numbers | None = None
    channels: ChannelOrder | None = None


NOTHING_KNOWN = Known()


def read_known(normalisation: str | None, mean: str | None, std: str | None, colours: str | None) -> Known:
    """Return what a person wrote of a model; nothing, or an empty text, for what is to be found out.

    Parameters
    ----------
    normalisation, colours
        See `Known`.
    mean, std
        One number, or one for red, green and blue, separated by commas.

    Raises
    ------
    InputError
        These are no numbers, or this is no order of colours.
    """
    order = (colours or "").upper()
    if order not in ("", "RGB", "BGR"):
        raise InputError(f"The order of colours is RGB or BGR; got {colours!r:.40}.")
    channels: ChannelOrder | None = "RGB" if order == "RGB" else "BGR" if order == "BGR" else None
    return Known(normalisation or None, _read_numbers(mean), _read_numbers(std), channels)


def _read_numbers(text: str | None) -> Numbers | None:
    if not text:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"Numbers separated by commas are expected, as in 0.49,0.48,0.45; got {text!r:.60}.") from None


def find_convention(
    found: InspectedFile, dataset: Dataset, known: Known, tell: Callable[[float, str], None]
) -> tuple[Convention, tuple[Convention, ...]]:
    """Return how a model is to be asked, and all ways that were tried, the best first.

    An unusual order is taken only where it gets more right than the usual one by more than its 95% interval, and more
    than half: of many ways to ask a model that guesses, some do better by chance.

    Parameters
    ----------
    found
        What the file turned out to be.
    dataset
        Whose training images it is tried on: its test images stay unseen by any choice.
    known
        What a person says.
    tell
        Called with a share from 0 to 1 and a text.

    Raises
    ------
    InputError
        What a person says does not suit the file or the images.
    """
    normalisations = list(_normalisations(found, dataset, known))
    orders = list(_class_orders(found, dataset))
    channels: tuple[ChannelOrder, ...] = ("RGB", "BGR") if dataset.shape[0] == 3 else ("RGB",)
    channels = channels if known.channels is None else (known.channels,)
    if len(normalisations) * len(channels) * len(orders) == 1:
        return Convention(normalisations[0], channels[0], orders[0]), ()
    images, labels = _few(dataset)
    # One process apart serves all tries of an ONNX file: what it subtracts and divides by is done before.
    plain = found.model(*_numbers("none", dataset)) if found.network is None else None
    ways = list(product(normalisations, channels))
    tried = []
    for number, (normalisation, order) in enumerate(ways):
        tell(0.1 + 0.4 * number / len(ways), f"Trying {NORMALISATIONS.get(normalisation.name, 'what the file says')}")
        predicted = _predicted(found, plain, normalisation, order, images)
        tried += [
            Convention(normalisation, order, classes, _accuracy(predicted, labels, classes)) for classes in orders
        ]
    tried.sort(key=lambda convention: (-_right(convention).value, not convention.is_plain))
    usual = next((convention for convention in tried if convention.is_plain), tried[0])
    clearly = _right(tried[0]).low > max(_right(usual).value, _LEAST_RIGHT)
    best = tried[0] if clearly else usual
    return best, (best, *(convention for convention in tried if convention is not best))


def _right(convention: Convention) -> Estimate:
    assert convention.accuracy is not None
    return convention.accuracy


def _normalisations(found: InspectedFile, dataset: Dataset, known: Known) -> Iterator[Normalisation]:
    if known.mean is not None or known.std is not None:
        yield _given(known, dataset.shape[0])
    elif found.normalised is not None and known.normalisation in (None, "file"):
        yield Normalisation("file", *found.normalised)
    elif known.normalisation == "file":
        raise InputError(f"{found.file} does not say how its pixels are normalised: choose one of the others.")
    elif known.normalisation is None:
        yield from (Normalisation(name, *_numbers(name, dataset)) for name in NORMALISATIONS)
    else:
        names: list[NormalisationName] = [name for name in NORMALISATIONS if name == known.normalisation]
        if not names:
            raise InputError(
                f"There is no normalisation {known.normalisation!r:.40}; choose one of {', '.join(NORMALISATIONS)}, or "
                "file."
            )
        yield from (Normalisation(name, *_numbers(name, dataset)) for name in names)


def _given(known: Known, channels: int) -> Normalisation:
    mean, std = known.mean or (0.0,), known.std or (1.0,)
    mean, std = (numbers * channels if len(numbers) == 1 else numbers for numbers in (mean, std))
    if not len(mean) == len(std) == channels or not all(std):
        raise InputError(
            f"Mean and deviation are given as one number, or as {channels} separated by commas, and no deviation is 0."
        )
    return Normalisation("given", mean, std)


def _numbers(name: NormalisationName, dataset: Dataset) -> tuple[Numbers, Numbers]:
    """Return mean and deviation of each channel."""
    channels = dataset.shape[0]
    if name == "dataset":
        from core.models.normalize import Normalize

        layer = Normalize(channels)
        layer.fit(dataset.train.images)
        return tuple(layer.mean.flatten().tolist()), tuple(layer.std.flatten().tolist())
    if name == "imagenet":
        # A grey image's one channel stands for three alike.
        mean, std = _IMAGENET
        return (mean, std) if channels == 3 else ((sum(mean) / 3,), (sum(std) / 3,))
    mean, std = {"half": (0.5, 0.5), "bytes": (0.0, 1 / 255), "inverted": (1.0, -1.0)}.get(name, (0.0, 1.0))
    return (mean,) * channels, (std,) * channels


def _class_orders(found: InspectedFile, dataset: Dataset) -> Iterator[ClassOrder | None]:
    """Yield the orders that a model's answer may have: the file's own if it says it, else the usual two.

    torchvision's ImageFolder sorts the names of folders as texts: "10" before "2". Here numbers count.
    """
    names = list(dataset.classes)
    if sorted(found.class_names) == sorted(names):
        order = tuple(found.class_names.index(name) for name in names)
        yield None if order == tuple(range(len(names))) else order
        return
    yield None
    as_texts = sorted(names)
    if as_texts != names:
        yield tuple(as_texts.index(name) for name in names)


def _few(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return a few training images in [0, 1], and their classes."""
    from core.datasets.dataset import to_unit
    from core.instruments.evaluation import choose_images

    places = choose_images(dataset.train, -1, TRIED_ON, seed=0)
    return to_unit(dataset.train.images[places]), dataset.train.labels[places]


def _predicted(
    found: InspectedFile,
    plain: Callable[[Tensor], Tensor] | None,
    normalisation: Normalisation,
    order: ChannelOrder,
    images: Tensor,
) -> Tensor:
    """Return the places of the largest numbers in a model's answers, int64 [N]; `plain` normalises nothing itself."""
    import torch

    from core.instruments.predictor import Predictor

    mean, std = normalisation.mean, normalisation.std
    if order == "BGR":
        images, mean, std = images.flip(1), mean[::-1], std[::-1]
    if plain is None:
        return Predictor(found.model(mean, std), choose_device()).labels(images).cpu()
    less, divisor = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (mean, std))
    return plain((images - less) / divisor).argmax(1)


def _accuracy(predicted: Tensor, labels: Tensor, classes: ClassOrder | None) -> Estimate:
    import torch

    from core.instruments.statistics import binomial_interval

    wanted = labels if classes is None else torch.tensor(classes)[labels]
    return binomial_interval(int((predicted == wanted).sum()), len(labels))
