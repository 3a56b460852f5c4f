"""Classifiers in ONNX, whatever their architecture, through onnxruntime, an extra.

A file is looked through before anything in it is computed, and computed for the first time in a process of its own:
one that never ends, eats the memory or crashes the runtime costs a sentence.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.device import default_threads
from core.errors import InputError
from core.files import PROJECT

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Shape = tuple[int, int, int]
Order = Literal["channels first", "channels last", "grey", "flat"]

LARGEST_FILE = 2**31 - 1  # protocol buffers' own limit
_PROBE_SECONDS, _PROBE_MEMORY = 60, 12 * 2**30
_PROBE_IMAGES = 2


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
    """

    input: str
    output: str
    order: Order
    kind: str
    batch: int
    classes: int
    probabilities: bool
    weights: int


class OnnxClassifier:
    """A classifier from images float [N, C, H, W] in [0, 1] to logits [N, K], computed by onnxruntime on the CPU.

    It is a plain callable without gradients. Where the file answers probabilities, their logarithms are the logits.

    Parameters
    ----------
    path
        The file.
    interface
        What `read_interface` found.
    mean, std
        What is subtracted from each channel, and what it is divided by, before the file's own first layer.

    Raises
    ------
    InputError
        onnxruntime is not installed, or cannot use the file.
    """

    def __init__(self, path: Path, interface: Interface, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        import torch

        self.interface = interface
        self.mean, self.std = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
        self._session = _session(path, path.name)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits, float32 [N, K]."""
        import numpy as np
        import torch

        inputs = arranged(((images - self.mean) / self.std).numpy(), self.interface)
        answers = np.concatenate([self._answer(part) for part in _parts(inputs, self.interface.batch)])[: len(images)]
        logits = torch.from_numpy(answers.reshape(len(images), -1).astype(np.float32))
        return logits.clamp(min=1e-12).log() if self.interface.probabilities else logits

    def _answer(self, part: np.ndarray) -> np.ndarray:
        return self._session.run([self.interface.output], {self.interface.input: part})[0]


def arranged(images: np.ndarray, interface: Interface) -> np.ndarray:
    """Return images [N, C, H, W] as the classifier wants them."""
    import numpy as np

    if interface.order == "channels last":
        images = images.transpose(0, 2, 3, 1)
    elif interface.order == "grey":
        images = images[:, 0]
    elif interface.order == "flat":
        images = images.reshape(len(images), -1)
    return np.ascontiguousarray(images, interface.kind)


def _parts(inputs: np.ndarray, batch: int) -> list[np.ndarray]:
    """Cut images into batches of the fixed size, the last filled up with zeros; one batch if any size will do."""
    import numpy as np

    if not batch:
        return [inputs]
    missing = -len(inputs) % batch
    filled = np.concatenate([inputs, np.zeros((missing, *inputs.shape[1:]), inputs.dtype)]) if missing else inputs
    return np.split(filled, len(filled) // batch)


def read_interface(path: Path, shape: Shape, name: str) -> Interface:
    """Look through an ONNX file and return how to ask it about images of this shape.

    Parameters
    ----------
    path
        The file.
    shape
        (channels, height, width) of the images.
    name
        What to call the file in a sentence.

    Raises
    ------
    InputError
        onnx or onnxruntime is not installed; the file is damaged, is no classifier of one image tensor, takes other
        images, keeps weights in other files, or does not come to an end.
    """
    _require()
    graph, weights = _checked_graph(path, name)
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1:
        listed = ", ".join(value.name[:30] for value in inputs[:4]) or "none"
        raise InputError(
            f"{name} takes {len(inputs)} inputs ({listed}); a classifier that takes images alone is expected: export "
            "it with its images as the only input."
        )
    kind, sizes = _input_type(inputs[0], name)
    order = _order(sizes, shape, name)
    partial = Interface(inputs[0].name, "", order, kind, sizes[0] or 0, 0, False, weights)
    return _probe(path, partial, shape, name)


def _require() -> None:
    from importlib.util import find_spec

    missing = [package for package in ("onnxruntime", "onnx") if find_spec(package) is None]
    if missing:
        raise InputError(
            f"Models in ONNX need {' and '.join(missing)}, not installed here: run python -m pip install -r "
            "requirements-onnx.txt."
        )


def _checked_graph(path: Path, name: str) -> tuple[Any, int]:
    """Return the file's graph and the number of its weights, once nothing in it leads elsewhere."""
    import onnx

    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{name} is larger than an ONNX file can be (2 GB): give a smaller model.")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception:  # the parser's errors have no common type, and no words for people
        raise InputError(f"{name} is cut off or no ONNX file: copy the whole file again, or export it anew.") from None
    graph = model.graph
    if not graph.node or not graph.output:
        raise InputError(f"{name} holds no network (an ONNX file without operations): export the model anew.")
    for nodes in (graph.node, *(function.node for function in model.functions)):
        _check_nodes(nodes, name)
    for tensor in graph.initializer:
        _check_tensor(tensor, name)
    return graph, sum(_count(tensor.dims) for tensor in graph.initializer)


def _check_nodes(nodes: Any, name: str) -> None:
    """Refuse loops, which need not end, and weights in other files, at any depth."""
    for node in nodes:
        if node.op_type in ("Loop", "Scan"):
            raise InputError(f"{name} holds a loop ({node.op_type}), which need not end: export it without loops.")
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                _check_tensor(tensor, name)
            for graph in (attribute.g, *attribute.graphs):
                _check_nodes(graph.node, name)
                for tensor in graph.initializer:
                    _check_tensor(tensor, name)


def _check_tensor(tensor: Any, name: str) -> None:
    if tensor.external_data or tensor.data_location:
        raise InputError(
            f"{name} keeps its weights in another file ({tensor.name[:40] or 'unnamed'}): export it with all weights "
            "inside."
        )


def _count(sizes: Any) -> int:
    from math import prod

    return prod(sizes) if sizes else 1


def _input_type(value: Any, name: str) -> tuple[str, list[int | None]]:
    """Return the kind of numbers and the sizes of the input; None for a size that may vary."""
    tensor = value.type.tensor_type
    kind = {1: "float32", 10: "float16", 11: "float64"}.get(tensor.elem_type)
    if kind is None:
        raise InputError(f"{name} takes no fractions in its input {value.name[:40]}: export it with a float32 input.")
    if not tensor.HasField("shape"):
        raise InputError(f"{name} does not say what shape its input {value.name[:40]} has: export it with a shape.")
    sizes = [one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim]
    if any(size is not None and size < 1 for size in sizes):
        raise InputError(f"{name} says that its input has {sizes} numbers: export it with a real shape.")
    if sizes and sizes[0] is not None and sizes[0] > 4096:
        raise InputError(f"{name} wants {sizes[0]} images at a time: export it for one image, or for any number.")
    return kind, sizes


def _order(sizes: list[int | None], shape: Shape, name: str) -> Order:
    """Return how images of this shape lie in an input of these sizes."""
    channels, height, width = shape
    ways: list[tuple[Order, tuple[int, ...]]] = [
        ("channels first", (channels, height, width)),
        ("channels last", (height, width, channels)),
        ("flat", (channels * height * width,)),
    ]
    if channels == 1:
        ways.append(("grey", (height, width)))
    for order, wanted in ways:
        if len(sizes) == len(wanted) + 1 and all(
            size in (None, one) for size, one in zip(sizes[1:], wanted, strict=True)
        ):
            return order
    told = "×".join("any" if size is None else str(size) for size in sizes[1:]) or "nothing"
    raise InputError(
        f"{name} takes inputs of {told}, but the data set's images are {channels}×{height}×{width} (channels, height, "
        "width): choose the data set that it was trained on, or export it for such images."
    )


def _probe(path: Path, partial: Interface, shape: Shape, name: str) -> Interface:
    """Compute two random images in a process of their own and see what comes out."""
    command = [
        sys.executable,
        "-m",
        "core.models.foreign.onnx",
        str(path.resolve()),
        json.dumps([asdict(partial), shape]),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{name} did not classify two images within {_PROBE_SECONDS} s: give a smaller model."
        ) from None
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise InputError(f"{name} makes onnxruntime crash or use up the memory: export the model anew.") from None
    if "sentence" in answer:
        raise InputError(f"{name} {answer['sentence']}")
    return Interface(**asdict(partial) | answer)


def _session(path: Path, name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.log_severity_level = 4
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # leaves the cores to others while it waits
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common type
        raise InputError(f"{name} cannot be used by onnxruntime ({_reason(error)}): export the model anew.") from None


def _reason(error: Exception) -> str:
    """Return what the runtime says, without its own name, numbers and source files."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", lines[-1])
    return re.sub(r"\s*(Status Message: )?/\S+.*", "", text)[:160].rstrip(" .:")


def _answer_probe(path: Path, partial: Interface, shape: Shape) -> dict[str, Any]:
    """Return what the file's interface lacks, or the end of a sentence that says why it has none."""
    import numpy as np

    session = _session(path, "it")
    images = np.random.default_rng(0).random((_PROBE_IMAGES, *shape), np.float32)
    answers, batch, failure = None, partial.batch, ""
    for batch in [partial.batch] if partial.batch else [0, 1]:  # some were exported for one image and do not say so
        parts = _parts(arranged(images, partial), batch)
        try:
            found = [session.run(None, {partial.input: part}) for part in parts]
        except Exception as error:  # the runtime's errors have no common type
            failure = _reason(error)
            continue
        answers = [_joined(outputs) for outputs in zip(*found, strict=True)]
        if any(_is_answer(answer) for answer in answers):
            break
    if answers is None:
        return {"sentence": f"fails on images of {list(shape)} ({failure}): export it for such images."}
    fitting = [number for number, answer in enumerate(answers) if _is_answer(answer)]
    if not fitting:
        found_shapes = [list(getattr(answer, "shape", ())) for answer in answers]
        return {
            "sentence": f"answers {found_shapes} to two images, which are no numbers for each of at least 2 classes: "
            "give a classifier."
        }
    logits = answers[fitting[0]][:_PROBE_IMAGES].reshape(_PROBE_IMAGES, -1).astype(np.float64)
    if not np.isfinite(logits).all():
        return {"sentence": "answers NaN or infinite numbers to random images: export the model anew."}
    return {
        "output": session.get_outputs()[fitting[0]].name,
        "batch": batch,
        "classes": logits.shape[1],
        "probabilities": bool((logits >= 0).all() and np.allclose(logits.sum(1), 1, atol=1e-3)),
    }


def _joined(outputs: tuple[Any, ...]) -> Any:
    import numpy as np

    arrays = all(isinstance(output, np.ndarray) and output.ndim for output in outputs)
    return np.concatenate(outputs) if arrays else None


def _is_answer(answer: Any) -> bool:
    """Say whether this is a row of at least two fractions for each image."""
    if answer is None or answer.dtype.kind != "f" or answer.ndim < 2:
        return False
    return len(answer) >= _PROBE_IMAGES and answer[0].size >= 2 and answer[0].size == max(answer.shape[1:])


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (_PROBE_MEMORY, _PROBE_MEMORY))


def main() -> None:
    """Answer `_probe`: read a path and an interface from the command line, write one JSON object."""
    values, shape = json.loads(sys.argv[2])
    _limit_memory()
    try:
        answer = _answer_probe(Path(sys.argv[1]), Interface(**values), tuple(shape))
    except InputError as error:
        answer = {"sentence": str(error).removeprefix("it ")}
    except MemoryError:
        answer = {"sentence": "needs more memory than a classifier of such images may: give a smaller model."}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
