"""Classifiers in ONNX, whatever their architecture, computed by onnxruntime, an extra, in a process apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import InputError
from core.models.foreign.sandbox import Sandbox

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]
Order = Literal["channels first", "channels last", "grey", "flat"]
ChannelOrder = Literal["RGB", "BGR"]

LARGEST_FILE = 2**31 - 1  # protocol buffers' own limit
_SECONDS_TO_OPEN, _SECONDS_A_BATCH = 30, 30
# Of each: its own bytes in several forms, and what a layer computes of a batch.
_MEMORY, _MEMORY_A_BYTE = 4 * 2**30, 6


@dataclass(frozen=True)
class Interface:
    """How a classifier is asked and answers.

    Attributes
    ----------
    input, output
        Names of the tensors.
    order
        How images lie in the input: [N, C, H, W], [N, H, W, C], [N, H, W] or [N, C H W].
    kind
        Of the input's numbers: "float32", "float16" or "float64".
    batch
        Images it has to be given at a time; 0 if any number will do.
    classes
        Number of classes K.
    probabilities
        Whether it answers probabilities; else logits.
    weights
        How many numbers it holds.
    other_outputs
        Names of outputs that are not read.
    """

    input: str
    output: str
    order: Order
    kind: str
    batch: int
    classes: int
    probabilities: bool
    weights: int
    other_outputs: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """Its fields as JSON has them, for a spec; `read` takes them."""
        return asdict(self) | {"other_outputs": list(self.other_outputs)}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Interface:
        """Return the interface of which these are the `values`."""
        values = dict(values, other_outputs=tuple(values["other_outputs"]))
        return cls(**values)


def read_interface(path: Path, shape: Shape, classes: int, name: str) -> Interface:
    """Look through an ONNX file, compute some images with it, and return how it is asked about images of this shape.

    Parameters
    ----------
    path
        The file.
    shape
        (channels, height, width) of the images.
    classes
        Number of classes of the images: of several outputs, the first with so many numbers is the one that is read.
    name
        What to call the file in a sentence.

    Raises
    ------
    InputError
        onnx or onnxruntime is not installed; the file is damaged, is no classifier of one image tensor, takes other
        images, keeps weights in other files, answers differently in other company, or takes too much time or memory.
    """
    require_packages()
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{name} is larger than an ONNX file can be (2 GB): give a smaller model.")
    with open_sandbox(path, name) as sandbox:
        values = {"path": str(path.resolve()), "shape": shape, "classes": classes, "name": name}
        answer, _ = sandbox.ask("inspect", values, seconds=_SECONDS_TO_OPEN)
    return Interface.read(answer)


class OnnxClassifier:
    """A classifier from images float [N, C, H, W] in [0, 1] to logits [N, K], on the CPU.

    It is a plain callable without gradients. Where the file answers probabilities, their logarithms are the logits.
    What exceeds a limit or crashes ends the process apart, and the next call starts another.

    Parameters
    ----------
    path
        The file.
    interface
        What `read_interface` found.
    mean, std
        What is subtracted from each channel, and what it is divided by, before the file's own first layer.
    channels, classes
        The order in which the file takes colours; for each of our classes the place of its number in the file's
        answer, None where the orders are one.

    Raises
    ------
    InputError
        onnxruntime is not installed, or cannot use the file.
    """

    def __init__(
        self,
        path: Path,
        interface: Interface,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        channels: ChannelOrder = "RGB",
        classes: tuple[int, ...] | None = None,
    ) -> None:
        import torch

        require_packages()
        self.interface = interface
        self._flipped, self._classes = channels == "BGR", None if classes is None else list(classes)
        self._path, self._mean, self._std = path, *(torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
        self._sandbox = self._opened()

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits, float32 [N, K]; InputError if the file fails on these images."""
        import torch

        if self._sandbox.is_closed:
            self._sandbox = self._opened()
        normalised = ((images - self._mean) / self._std).float()
        content = (normalised.flip(1) if self._flipped else normalised).contiguous().numpy().tobytes()
        expected = len(images) * self.interface.classes * 4
        values = {"shape": list(images.shape)}
        _, answer = self._sandbox.ask("classify", values, content, seconds=_SECONDS_A_BATCH, expected=expected)
        logits = torch.frombuffer(bytearray(answer), dtype=torch.float32).view(len(images), -1)
        logits = logits.clamp(min=1e-12).log() if self.interface.probabilities else logits
        return logits if self._classes is None else logits[:, self._classes]

    def _opened(self) -> Sandbox:
        sandbox = open_sandbox(self._path, self._path.name)
        values = {"path": str(self._path.resolve()), "interface": self.interface.values, "name": self._path.name}
        sandbox.ask("open", values, seconds=_SECONDS_TO_OPEN)
        return sandbox


def open_sandbox(path: Path, name: str, size: int | None = None) -> Sandbox:
    """Return a process apart that reads an ONNX file, or `size` bytes of it and its other parts."""
    memory = _MEMORY + _MEMORY_A_BYTE * (path.stat().st_size if size is None else size)
    return Sandbox("core.models.foreign.onnx_reader", name, "export a smaller model, or export it anew", memory)


def require_packages() -> None:
    """Raise InputError where the packages that read ONNX are not installed."""
    from importlib.util import find_spec

    missing = [package for package in ("onnxruntime", "onnx") if find_spec(package) is None]
    if missing:
        raise InputError(
            f"Models in ONNX need {' and '.join(missing)}, not installed here: run python -m pip install -r "
            "requirements-onnx.txt."
        )
