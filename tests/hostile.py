"""Makes the hostile files: what nobody should get past a door, each with the door it is brought to.

    python -m tests.hostile FOLDER

writes them all, to look at or to try on the pages.
"""

from __future__ import annotations

import codecs
import io
import json
import pickle
import stat
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

CANARY = "/tmp/triggerscope-hostile-file-was-run"


@dataclass(frozen=True)
class Hostile:
    """One file: its name, the door it is brought to ("data set", "picture", "model" or "run"), and its content."""

    name: str
    door: str
    content: bytes


class Runs:
    """Leaves a trace when somebody unpickles it."""

    def __reduce__(self):
        return Path.touch, (Path(CANARY),)


def png(size: tuple[int, int] = (8, 8), mode: str = "L", kind: str = "PNG", **options) -> bytes:
    packed = io.BytesIO()
    Image.new(mode, size, 128 if mode in ("L", "I;16") else None).save(packed, kind, **options)
    return packed.getvalue()


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that promises pixels it does not have."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in (head, b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def with_link(members: dict[str, bytes], name: str, target: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        link = zipfile.ZipInfo(name)
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, target)
    return packed.getvalue()


def with_long_directory(content: bytes, length: int) -> bytes:
    """The same ZIP, whose list of members claims to be this long: what 10^6 members come to."""
    changed = bytearray(content)
    struct.pack_into("<I", changed, changed.rindex(b"PK\5\6") + 12, length)
    return bytes(changed)


def images() -> dict[str, bytes]:
    return {f"{name}/{number}.png": png() for name in ("a", "b") for number in range(3)}


def datasets() -> Iterator[tuple[str, bytes]]:
    """ZIP files of images."""
    yield "empty.zip", b""
    yield "words.zip", b"these are words"
    yield "cut.zip", zipped(images())[:-40]
    yield "only-an-end.zip", b"PK\5\6" + b"\xff" * 18
    yield "upwards.zip", zipped(images() | {"../../a/9.png": png()})
    yield "absolute.zip", zipped(images() | {"/etc/a/9.png": png()})
    yield "drive.zip", zipped(images() | {"C:\\a\\9.png": png()})
    yield "link.zip", with_link(images(), "a/link.png", "/etc/passwd")
    yield "million.zip", with_long_directory(zipped(images()), 2**30)
    yield "bomb.zip", zipped(images() | {"a/9.png": bytes(300 * 2**20)})
    yield "picture-bomb.zip", zipped(images() | {"a/9.png": header_only_png(60_000, 60_000)})
    yield "escape-sequence.zip", zipped(images() | {"a/\x1b[2J.png": png()})
    yield "odd-packing.zip", zipped(images(), zipfile.ZIP_BZIP2)
    yield "no-images.zip", zipped({"readme.txt": b"nothing here"})
    yield "one-class.zip", zipped({"a/0.png": png(), "a/1.png": png()})
    yield "damaged-image.zip", zipped(images() | {"a/9.png": png((60, 60))[:-30]})
    yield "postscript.zip", zipped(images() | {"a/9.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"})
    yield "pickle.zip", pickle.dumps(Runs())


def pictures() -> Iterator[tuple[str, bytes]]:
    """Triggers to upload."""
    yield "empty.png", b""
    yield "words.png", b"not a picture"
    yield "cut.png", png((200, 200), "RGB")[:-50]
    yield "bomb.png", header_only_png(100_000, 100_000)
    yield "large.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "negative.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, -5, -5, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "cut.jpg", png((64, 64), "RGB", "JPEG")[:200]
    yield "cut.webp", png((64, 64), "RGB", "WEBP")[:60]
    yield "postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "vector.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "text-bomb.png", _text_bomb()
    yield "archive.png", zipped(images())
    yield "too-large.png", png((9, 9), "RGBA")


def _text_bomb() -> bytes:
    """A PNG whose compressed comment unpacks to far more than anybody wants, and whose pixels are missing."""
    whole = png((4, 4))
    text = b"zTXtComment\0\0" + zlib.compress(bytes(80 * 2**20), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return whole[:33] + chunk + whole[33:40]


def saved(content: object, **options) -> bytes:
    packed = io.BytesIO()
    torch.save(content, packed, **options)
    return packed.getvalue()


def mlp_state(classes: int = 10) -> dict[str, torch.Tensor]:
    from core.models import build_model

    state = build_model("mlp", (1, 8, 8), classes).state_dict()
    return {name: tensor for name, tensor in state.items() if not name.startswith("normalize.")}


def changed_member(content: bytes, end: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same uncompressed ZIP with one of its members changed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith(end) else old.read(name))
    return packed.getvalue()


def models() -> Iterator[tuple[str, bytes]]:
    """Model files."""
    state = mlp_state()
    whole = saved(state)
    first = next(iter(state.values()))
    yield "empty.pt", b""
    yield "words.pt", b"not a model"
    yield "cut.pt", whole[:-3000]
    yield "runs-code.pt", saved({"model": state, "extra": Runs()})
    yield "runs-code-old.pth", saved({"model": state, "extra": Runs()}, _use_new_zipfile_serialization=False)
    yield "bare-pickle.pt", pickle.dumps(Runs())
    yield "shell.pt", b"\x80\x02cos\nsystem\nU\x04true\x85R."
    yield "whole-module.pt", saved(torch.nn.Linear(3, 3))
    yield "compressed.pt", zipped({"archive/data.pkl": bytes(200 * 2**20)})
    yield "torchscript.pt", zipped({"m/constants.pkl": b"x", "m/data.pkl": b"x"}, zipfile.ZIP_STORED)
    yield "upwards.pt", zipped({"m/data.pkl": b"x", "../../x": b"x"}, zipfile.ZIP_STORED)
    yield "link.pt", with_link({"m/data.pkl": b"x"}, "m/data/0", "/etc/passwd")
    yield (
        "more-than-there-is.pt",
        changed_member(whole, "data.pkl", lambda data: data.replace(b"M\x00\x02", b"J\xff\xff\xff\x0f")),
    )
    yield "endless-stride.pt", saved({"a.weight": torch.zeros(1, 1).expand(2**20, 2**20)})
    yield "sparse.pt", saved({"a.weight": torch.eye(3).to_sparse()})
    yield "objects.pt", saved({"model": state, "names": np.array([{}, []], dtype=object)})
    yield "no-weights.pt", saved({"epoch": 3, "loss": 0.5})
    yield "list.pt", saved([1, 2, 3])
    yield "nan.pt", saved(state | {next(iter(state)): torch.full_like(first, float("nan"))})
    yield "whole-numbers.pt", saved({name: tensor.to(torch.int8) for name, tensor in state.items()})
    yield "other-shape.pt", saved(state | {"hidden.3.weight": torch.zeros(7, 7)})
    yield "too-many-classes.pt", saved(mlp_state(43))
    yield from gadgets(state)
    yield from safetensors_files(state)
    yield from onnx_files()


class Calls:
    """Is pickled as the call of a function, and then as a state given to what it returns."""

    def __init__(self, function: Callable, *values, state: object = None) -> None:
        self.function, self.values, self.state = function, values, state

    def __reduce__(self):
        return (self.function, self.values) if self.state is None else (self.function, self.values, self.state)


def gadgets(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, bytes]]:
    """Good weights, and beside them calls of what torch or numpy would believe."""
    from numpy._core.multiarray import scalar

    def beside(extra: object) -> bytes:
        return saved({"model": state, "extra": extra})

    # Objects whose addresses are the file's own bytes; counting references to one writes where it points.
    objects = Calls(np.ndarray, (1,), "O", bytearray(b"A" * 8))
    yield "object-array.pt", beside(objects)
    yield "pointer-set.pt", beside(Calls(set, objects))
    yield "pointer-dictionary.pt", beside(Calls(OrderedDict, objects))
    yield "pointer-size.pt", beside(Calls(torch.Size, objects))
    yield "plain-array.pt", beside(Calls(np.ndarray, (1,), "f8", bytearray(b"A" * 8)))
    width = (3, "<", None, None, None, 2**31 - 1, 8, 0)
    yield "width.pt", beside(Calls(scalar, Calls(np.dtype, "f8", False, True, state=width), b"A" * 8))
    flags = (3, "|", None, None, None, -1, -1, 63)
    yield "object-kind.pt", beside(Calls(scalar, Calls(np.dtype, "O8", False, True, state=flags), b"A" * 8))
    yield "void.pt", beside(Calls(scalar, Calls(np.dtype, "V2000000000", False, True), b""))
    yield "bytearray.pt", beside(Calls(bytearray, 3_000_000_000))
    nested: object = "A" * 2**20
    for _ in range(11):
        nested = Calls(codecs.encode, nested, "hex")
    yield "nested-encode.pt", beside(nested)
    hashed = b"".join(pickle.dumps(number * (2**61 - 1), 2)[2:-1] + b"N" for number in range(60_000))
    yield "one-hash.pt", pickled(b"\x80\2}(" + hashed + b"u.")
    yield "memo.pt", pickled(b"\x80\2}r\xff\xff\xff\x7f.")
    yield "deep.pt", pickled(b"\x80\2" + b"]" * 2**20 + b"a" * (2**20 - 1) + b".")
    yield "odd-storage.pt", pickled(b"\x80\2}X\1\0\0\0aQ.")
    # A pickle that gives what stands for a name a state of its own, and what stands for an array members.
    yield "changed-name.pt", pickled(b"\x80\2ctorch\nSize\n}X\4\0\0\0text]sb.")
    yield "members.pt", pickled(b"\x80\2cnumpy.core.multiarray\nscalar\n)RK\1K\2s.")


def pickled(content: bytes) -> bytes:
    """What torch.save would write of a pickle, without any numbers."""
    members = {"archive/data.pkl": content, "archive/byteorder": b"little", "archive/version": b"3\n"}
    return zipped(members, zipfile.ZIP_STORED)


def safetensors_files(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, bytes]]:
    from safetensors.torch import save

    whole = save(state)
    length = struct.unpack("<Q", whole[:8])[0]
    yield "cut.safetensors", whole[:-100]
    yield "cut-header.safetensors", whole[: length // 2]
    yield "long-header.safetensors", struct.pack("<Q", 90_000_000) + b"{" + bytes(100)
    yield "endless-header.safetensors", struct.pack("<Q", 2**63) + b"{}"
    yield "no-json.safetensors", struct.pack("<Q", 40) + b"{" + b"x" * 60
    outside = {"a.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 2**40]}}
    yield "outside.safetensors", _safetensors(outside, bytes(16))
    overlap = {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in ("a.weight", "b.weight")}
    yield "overlap.safetensors", _safetensors(overlap, bytes(16))
    huge = {"a.weight": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 16]}}
    yield "huge.safetensors", _safetensors(huge, bytes(16))
    yield "nothing.safetensors", _safetensors({}, b"")
    small = {"a.weight": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}
    yield "half-a-byte.safetensors", _safetensors(small, bytes(2))
    deep = {"a.weight": {"dtype": "F32", "shape": [1] * 65, "data_offsets": [0, 4]}}
    yield "dimensions.safetensors", _safetensors(deep, bytes(4))
    empty = {"a.weight": {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}}
    yield "huge-and-empty.safetensors", _safetensors(empty, b"")
    many = {f"layer{number}.weight": {"dtype": "F32", "shape": [], "data_offsets": [0, 0]} for number in range(10**5)}
    yield "many.safetensors", _safetensors(many, b"")
    few = {f"a.{'.' * number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(2000)}
    yield "dots.safetensors", _safetensors(few, b"")
    yield (
        "twice.safetensors",
        struct.pack("<Q", 116)
        + (
            b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
        ).ljust(116),
    )
    yield "nested.safetensors", struct.pack("<Q", 200_006) + b'{"a": ' + b"[" * 200_000
    terminal = {"\x1b[2J\n.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 0]}}
    yield "terminal.safetensors", _safetensors(terminal, b"")


def _safetensors(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def onnx_files() -> Iterator[tuple[str, bytes]]:
    """ONNX models for images of 1x8x8, none of them a classifier."""
    from onnx import SparseTensorProto, TensorProto, helper

    def model(nodes, inputs, outputs, constants=()) -> bytes:
        graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
        built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        built.ir_version = 8
        return built.SerializeToString()

    def value(name, sizes, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, sizes)

    def constant(name, numbers, sizes, kind=TensorProto.FLOAT):
        return helper.make_tensor(name, kind, sizes, numbers)

    images, scores = value("x", ["n", 1, 8, 8]), value("y", ["n", 64])
    flatten = helper.make_node("Flatten", ["x"], ["y"])
    whole = model([flatten], [images], [scores])
    yield "empty.onnx", b""
    yield "words.onnx", b"\x08these are words"
    yield "cut.onnx", whole[:-9]
    two = helper.make_node("Add", ["x", "z"], ["s"])
    yield (
        "two-inputs.onnx",
        model([two, helper.make_node("Flatten", ["s"], ["y"])], [images, value("z", ["n", 1, 8, 8])], [scores]),
    )
    yield "other-images.onnx", model([flatten], [value("x", ["n", 3, 224, 224])], [scores])
    yield "any-rank.onnx", model([flatten], [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], [scores])
    yield "whole-numbers.onnx", model([flatten], [value("x", ["n", 1, 8, 8], TensorProto.INT64)], [scores])
    yield "no-operations.onnx", model([], [images], [images])
    yield "no-classes.onnx", model([helper.make_node("Identity", ["x"], ["y"])], [images], [value("y", ["n", 1, 8, 8])])
    yield "one-class.onnx", model(
        [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0),
         helper.make_node("Unsqueeze", ["m", "one"], ["y"])],
        [images], [value("y", ["n", 1])], [constant("one", [1], [1], TensorProto.INT64)],
    )  # fmt: skip
    yield "unknown-operation.onnx", model([helper.make_node("Summon", ["x"], ["y"])], [images], [scores])
    outside = constant("w", [0.0] * 64, [64])
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../../../../etc/passwd")
    yield (
        "weights-elsewhere.onnx",
        model([flatten, helper.make_node("Add", ["y", "w"], ["z"])], [images], [value("z", ["n", 64])], [outside]),
    )
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"])], "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL)], [value("again", [], TensorProto.BOOL)],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["most", "true"], [], body=body)
    yield "endless-loop.onnx", model(
        [loop, flatten], [images], [scores],
        [constant("most", [2**62], [], TensorProto.INT64), constant("true", [True], [], TensorProto.BOOL)],
    )  # fmt: skip
    fill = helper.make_node("ConstantOfShape", ["large"], ["f"])
    yield "memory.onnx", model(
        [fill, helper.make_node("ReduceSum", ["f"], ["t"], keepdims=0), flatten,
         helper.make_node("Add", ["y", "t"], ["z"])],
        [images], [value("z", ["n", 64])], [constant("large", [2**22, 2**22], [2], TensorProto.INT64)],
    )  # fmt: skip
    yield "nan.onnx", model(
        [flatten, helper.make_node("Log", ["minus"], ["l"]), helper.make_node("Add", ["y", "l"], ["z"])],
        [images], [value("z", ["n", 64])], [constant("minus", [-1.0], [1])],
    )  # fmt: skip
    yield "wrong-class-count.onnx", whole
    sparse = SparseTensorProto()
    sparse.values.CopyFrom(outside)
    sparse.indices.CopyFrom(constant("i", [0], [1], TensorProto.INT64))
    sparse.dims.append(64)
    elsewhere = helper.make_node("Constant", [], ["w"], sparse_value=sparse)
    sum_up = helper.make_node("Add", ["y", "w"], ["z"])
    yield "sparse-elsewhere.onnx", model([elsewhere, flatten, sum_up], [images], [value("z", ["n", 64])])
    yield "sparse-initialiser.onnx", with_sparse(model([flatten, sum_up], [images], [value("z", ["n", 64])]), sparse)
    yield "nested-functions.onnx", nested_functions(30)
    yield "own-function.onnx", nested_functions(0)
    dark = [helper.make_node("Sign", ["y"], ["s"]), helper.make_node("Log", ["s"], ["l"])]
    yield (
        "dark.onnx",
        model([flatten, *dark, helper.make_node("Add", ["y", "l"], ["z"])], [images], [value("z", ["n", 64])]),
    )


def with_sparse(content: bytes, sparse) -> bytes:
    """The same ONNX model with one more weight, most of which is zero."""
    import onnx

    model = onnx.load_model_from_string(content)
    model.graph.sparse_initializer.add().CopyFrom(sparse)
    return model.SerializeToString()


def nested_functions(depth: int) -> bytes:
    """An ONNX model of few bytes and 2^depth operations; or, at depth 0, of a function that calls itself."""
    from onnx import TensorProto, helper

    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def function(number: int, called: str):
        domain = "" if called == "Neg" else "own"
        nodes = [
            helper.make_node(called, ["a"], ["b"], domain=domain),
            helper.make_node(called, ["b"], ["c"], domain=domain),
        ]
        return helper.make_function("own", f"f{number}", ["a"], ["c"], nodes, opset)

    functions = [function(number, f"f{number - 1}" if number else "Neg") for number in range(depth)]
    functions = functions or [function(0, "f0")]
    images, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *sizes]) for name, sizes in (
        ("x", [1, 8, 8]), ("y", [64]),
    ))  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["x"], ["s"]),
        helper.make_node(functions[-1].name, ["s"], ["y"], domain="own"),
    ]
    graph = helper.make_graph(nodes, "g", [images], [scores])
    built = helper.make_model(graph, functions=functions, opset_imports=opset)
    built.ir_version = 8
    return built.SerializeToString()


def runs(exported: bytes) -> Iterator[tuple[str, bytes]]:
    """Exported runs that were tampered with."""
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def rebuilt(changes: dict[str, bytes | None], **manifest) -> bytes:
        import hashlib

        kept = {name: content for name, content in (members | changes).items() if content is not None}
        told = json.loads(members["triggerscope.json"])
        told["files"] = {
            name: hashlib.sha256(content).hexdigest() for name, content in kept.items() if name != "triggerscope.json"
        }
        return zipped(kept | {"triggerscope.json": json.dumps(told | manifest).encode()}, zipfile.ZIP_STORED)

    spec, result = (json.loads(members[name]) for name in ("spec.json", "result.json"))
    yield "cut.run.zip", exported[:-60]
    yield "cut-half.run.zip", exported[: len(exported) // 2]
    yield "changed-byte.run.zip", exported[:3000] + bytes([exported[3000] ^ 1]) + exported[3001:]
    yield "no-manifest.run.zip", zipped({"spec.json": members["spec.json"]}, zipfile.ZIP_STORED)
    yield "manifest-of-words.run.zip", zipped({"triggerscope.json": b"[[[["}, zipfile.ZIP_STORED)
    yield "deep-manifest.run.zip", zipped({"triggerscope.json": b"[" * 200_000}, zipfile.ZIP_STORED)
    yield "upwards.run.zip", rebuilt({"../../evil.txt": b"x"})
    yield "absolute.run.zip", rebuilt({"/tmp/evil.txt": b"x"})
    yield "foreign.run.zip", rebuilt({"evil.py": b"x"})
    yield "lock.run.zip", rebuilt({"lock": b""})
    yield "link.run.zip", with_link(members, "label.json", "/etc/passwd")
    yield "compressed.run.zip", zipped(members)
    yield "compressed-bomb.run.zip", zipped(members | {"events.jsonl": bytes(250 * 2**20)})
    yield "million.run.zip", with_long_directory(exported, 2**30)
    yield "many.run.zip", rebuilt({f"file-{number}": b"" for number in range(40)})
    yield "another-spec.run.zip", rebuilt({"spec.json": json.dumps(spec | {"seed": 77}).encode()})
    yield "another-name.run.zip", rebuilt({}, run="0123456789ab")
    yield "bad-spec.run.zip", rebuilt({"spec.json": b'{"dataset": "digits", "surprise": 1}'})
    yield "no-result.run.zip", rebuilt({"result.json": None})
    yield "bad-result.run.zip", rebuilt({"result.json": b"{}"})
    yield "huge-images.run.zip", rebuilt({"result.json": json.dumps(result | {"shape": [3, 10**6, 10**6]}).encode()})
    yield "other-classes.run.zip", rebuilt({"result.json": json.dumps(result | {"classes": ["a", "b"]}).encode()})
    yield "no-weights.run.zip", rebuilt({"model.safetensors": None})
    yield "cut-weights.run.zip", rebuilt({"model.safetensors": members["model.safetensors"][:-50]})
    yield "nan-weights.run.zip", rebuilt({"model.safetensors": with_nan(members["model.safetensors"])})
    yield "pickled-weights.run.zip", rebuilt({"model.safetensors": pickle.dumps(Runs())})
    yield "two-models.run.zip", rebuilt({"model.onnx": b"x"})


def with_nan(content: bytes) -> bytes:
    """The same safetensors file, one of its weights not a number."""
    from safetensors.torch import load, save

    state = load(content)
    next(tensor for tensor in state.values() if tensor.ndim == 4).view(-1)[0] = float("nan")
    return save(state)


def corpus(exported: bytes) -> list[Hostile]:
    """Return every hostile file; `exported` is a whole run to tamper with."""
    doors = (("data set", datasets()), ("picture", pictures()), ("model", models()), ("run", runs(exported)))
    return [Hostile(name, door, content) for door, files in doors for name, content in files]


def main() -> None:
    """Write the corpus into a folder, made from the shipped example."""
    from core.runs.archive import export_run
    from core.runs.shipped.examples import load_example

    folder = Path(sys.argv[1])
    for file in corpus(export_run(load_example().run)):
        (folder / file.door.replace(" ", "-")).mkdir(parents=True, exist_ok=True)
        (folder / file.door.replace(" ", "-") / file.name).write_bytes(file.content)


if __name__ == "__main__":
    main()
