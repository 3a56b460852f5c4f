"""What an ONNX file says of itself: its one input, and that nothing in it leads elsewhere or need not end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path, PurePosixPath

import onnx

from core.errors import InputError, printable
from core.models.foreign.onnx_model import LARGEST_FILE, Interface, Order, Shape

_MOST_NODES = 100_000
_MOST_IMAGES = 4096
_KINDS: dict[int, str] = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.DOUBLE: "float64",
}


def read_graph(content: bytes, shape: Shape, name: str) -> Interface:
    """Return what an ONNX file says of how it is asked; its output and classes are not known yet.

    Parameters
    ----------
    content
        The file.
    shape, name
        (channels, height, width) of the images that it will be shown; what to call the file in a sentence.

    Raises
    ------
    InputError
        It is damaged, takes anything but images of this shape, keeps weights in other files, loops, or is too large.
    """
    model = _parsed(content, name)
    graph = model.graph
    if not graph.node or not graph.output:
        raise InputError(f"{name} holds no network (an ONNX file without operations): export the model anew.")
    _check_graph(graph, name)
    for function in model.functions:
        _check_nodes(function.node, name)
    _check_size(model, name)
    kind, sizes, label = _image_input(graph, name)
    order = _order(sizes, shape, name)
    weights = sum(prod(tensor.dims) for tensor in graph.initializer)
    return Interface(label, "", order, kind, sizes[0] or 0, 0, False, weights)


def _parsed(content: bytes, name: str) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(content)
    except Exception:  # the parser's errors have no common type, and no words for people
        raise InputError(f"{name} is cut off or no ONNX file: copy the whole file again, or export it anew.") from None


def join_parts(path: Path, name: str) -> bytes:
    """Return an ONNX file with the weights that it keeps in files next to it put inside; nothing if it keeps none.

    Parameters
    ----------
    path
        The file; only plain names of files in its own folder are followed.
    name
        What to call it in a sentence.

    Raises
    ------
    InputError
        A part is missing, too short, or is named by more than a plain name; or the whole is too large for ONNX.
    """
    model = _parsed(path.read_bytes(), name)
    apart = [tensor for tensor in _tensors(model.graph) if tensor.external_data or tensor.data_location]
    room = LARGEST_FILE - path.stat().st_size
    for tensor in apart:
        tensor.raw_data = _part(tensor, path.parent, name)
        room -= len(tensor.raw_data)
        if room < 0:
            raise InputError(
                f"{name} and its weights are larger than an ONNX file can be (2 GB): give a smaller model."
            )
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
    return model.SerializeToString() if apart else b""


def _part(tensor: onnx.TensorProto, folder: Path, name: str) -> bytes:
    """Return the numbers of a tensor that lie in another file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = folder / location
    is_plain = location == PurePosixPath(location).name and "\\" not in location and location not in ("", ".", "..")
    if not is_plain or file.is_symlink():
        raise InputError(
            f"{name} names the file '{printable(location, 60)}' for its weights, which does not lie next to it: export "
            "the model anew into one folder."
        )
    if not file.is_file():
        raise InputError(
            f"{name} keeps its weights in another file, '{printable(location, 60)}': give both, side by side or in one "
            "ZIP, or export it with torch.onnx.export(…, external_data=False)."
        )
    try:
        start, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
    except ValueError:
        start, length = -1, -1
    size = file.stat().st_size
    length = size - start if length < 0 else length
    if start < 0 or start + length > size or length > LARGEST_FILE:
        raise InputError(f"'{printable(location, 60)}' does not hold all weights of {name}: copy both files again.")
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(length)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield all tensors of a graph, those of its operations' attributes too, at any depth."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _tensors(inner)


def _check_graph(graph: onnx.GraphProto, name: str) -> None:
    for tensor in graph.initializer:
        _check_tensor(tensor, name)
    for tensor in graph.sparse_initializer:
        _check_sparse(tensor, name)
    _check_nodes(graph.node, name)


def _check_nodes(nodes: Iterable[onnx.NodeProto], name: str) -> None:
    """Refuse loops, which need not end, and weights in other files, at any depth."""
    for node in nodes:
        if node.op_type in ("Loop", "Scan"):
            raise InputError(f"{name} holds a loop ({node.op_type}), which need not end: export it without loops.")
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                _check_tensor(tensor, name)
            for tensor in (attribute.sparse_tensor, *attribute.sparse_tensors):
                _check_sparse(tensor, name)
            for graph in (attribute.g, *attribute.graphs):
                _check_graph(graph, name)


def _check_sparse(tensor: onnx.SparseTensorProto, name: str) -> None:
    _check_tensor(tensor.values, name)
    _check_tensor(tensor.indices, name)


def _check_tensor(tensor: onnx.TensorProto, name: str) -> None:
    if tensor.external_data or tensor.data_location:
        raise InputError(
            f"{name} keeps weights in another file ({printable(tensor.name, 40) or 'unnamed'}): export it with "
            "torch.onnx.export(…, external_data=False)."
        )


def _check_size(model: onnx.ModelProto, name: str) -> None:
    """Refuse functions that call themselves, or each other until there are more operations than any network has."""
    functions = {(function.domain, function.name): function for function in model.functions}
    lengths: dict[tuple[str, str], int] = {}

    def length(nodes: Iterable[onnx.NodeProto], within: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            called = node.domain, node.op_type
            inner = [graph.node for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
            total += 1 + sum(length(nodes, within) for nodes in inner)
            if called in functions and called not in lengths:
                if called in within:
                    raise InputError(f"{name} holds a function that calls itself: export it without functions.")
                lengths[called] = length(functions[called].node, (*within, called))
            total += lengths.get(called, 0)
        return total

    if length(model.graph.node, ()) > _MOST_NODES:
        raise InputError(f"{name} holds more than {_MOST_NODES} operations: give a smaller model.")


def _image_input(graph: onnx.GraphProto, name: str) -> tuple[str, list[int | None], str]:
    """Return the kind of numbers, the sizes (None for one that may vary) and the name of the one input."""
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1:
        listed = ", ".join(printable(value.name, 30) for value in inputs[:4]) or "none"
        raise InputError(
            f"{name} takes {len(inputs)} inputs ({listed}); a classifier that takes images alone is expected: export "
            "it with its images as the only input."
        )
    label, tensor = printable(inputs[0].name, 40), inputs[0].type.tensor_type
    kind = _KINDS.get(tensor.elem_type)
    if kind is None:
        raise InputError(f"{name} takes no fractions in its input {label}: export it with a float32 input.")
    if not tensor.HasField("shape"):
        raise InputError(f"{name} does not say what shape its input {label} has: export it with a shape.")
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    if not sizes or any(size is not None and size < 1 for size in sizes):
        raise InputError(f"{name} says that its input has {sizes} numbers: export it with a real shape.")
    if sizes[0] is not None and sizes[0] > _MOST_IMAGES:
        raise InputError(f"{name} wants {sizes[0]} images at a time: export it for one image, or for any number.")
    return kind, sizes, inputs[0].name


def _order(sizes: list[int | None], shape: Shape, name: str) -> Order:
    """Return how images of this shape lie in an input of these sizes."""
    channels, height, width = shape
    orders: list[tuple[Order, tuple[int, ...]]] = [
        ("channels first", (channels, height, width)),
        ("channels last", (height, width, channels)),
        ("flat", (channels * height * width,)),
    ]
    if channels == 1:
        orders.append(("grey", (height, width)))
    for order, wanted in orders:
        if _fits(sizes[1:], wanted):
            return order
    told = "×".join("any" if size is None else str(size) for size in sizes[1:8]) or "nothing"
    raise InputError(
        f"{name} takes inputs of {told}, but the data set's images are {channels}×{height}×{width} (channels, height, "
        "width): choose the data set that it was trained on, or export it for such images."
    )


def _fits(sizes: list[int | None], wanted: tuple[int, ...]) -> bool:
    return len(sizes) == len(wanted) and all(
        size in (None, expected) for size, expected in zip(sizes, wanted, strict=True)
    )
