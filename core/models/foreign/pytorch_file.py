"""What `torch.save` wrote, read without torch and without calling anything that the file names.

A pickle is a program that calls what it names. Here every name stands for a function of this module that describes
what would have been made: where a tensor lies, or that there was an array. So torch's and numpy's own constructors,
with which a made-up file could corrupt memory, are never called, and names that no weights need are refused.
"""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from core.errors import InputError, printable
from core.models.foreign.stored_tensor import BYTES_EACH, StoredTensor

# The first of the five pickles of a file as it was before torch 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_LOCAL_HEADER = 30


class _RefusedError(Exception):
    """The file asks for something that no weights need."""


# What a pickle can get hold of cannot be changed by it: tuples, and classes that forget the state they are given.
class _Named(NamedTuple):
    """A name in a pickle, and what stands here for the function of that name."""

    text: str
    function: Callable[..., Any] | None

    def __call__(self, *values: Any) -> Any:
        if self.function is None:
            raise _RefusedError(self.text)
        return self.function(*values)


class _Described:
    """Something that is no weight: an array, a set, a device. Nothing of it is kept."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""


class _Dictionary(dict):
    """Stands for torch's dictionaries of weights, which carry versions of their layers as an attribute."""

    def __setstate__(self, state: Any) -> None:
        """Forget the attributes."""


class _NumpyKind(_Described):
    """Stands for numpy's dtype."""

    __slots__ = ("code",)

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[biufc]\d{1,2}|[SU]\d{1,4}", code):
            raise _RefusedError("numpy.dtype of objects")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Refuse a width that the name does not have: numpy would believe it."""
        width = state[5] if isinstance(state, tuple) and len(state) > 5 else -1
        if width != -1 and self.code[0] not in "SU":
            raise _RefusedError("numpy.dtype of another width")


class _Storage(NamedTuple):
    kind: Any
    key: Any
    count: Any


class _Tensor(NamedTuple):
    storage: Any
    offset: Any
    shape: Any
    strides: Any
    kind: Any = None


class _Odd(_Described):
    """A tensor that is not dense, or not of plain numbers."""

    __slots__ = ()


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _tensor_of_kind(storage: Any, offset: Any, shape: Any, strides: Any, _: Any, __: Any, kind: Any, *___: Any) -> Any:
    return _Tensor(storage, offset, shape, strides, kind)


def _from_type(function: Any, kind: Any, values: Any, state: Any) -> Any:
    """Stand for a tensor of another class: its numbers lie as those of a plain one."""
    return function(*values) if isinstance(function, _Named) else _Odd()


def _first(value: Any, *_: Any) -> Any:
    return value


def _dictionary(values: Any = (), *_: Any) -> _Dictionary:
    return _Dictionary(values if isinstance(values, list | dict) else ())


def _size(values: Any = ()) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else tuple(values) if isinstance(values, list) else ()


def _described(*_: Any) -> _Described:
    return _Described()


def _odd(*_: Any) -> _Odd:
    return _Odd()


def _bytes(text: Any = "", encoding: Any = "latin1") -> _Described:
    # As Python 2's pickles spell bytes; every other code could make much of little.
    if not isinstance(text, str) or encoding != "latin1":
        raise _RefusedError("_codecs.encode")
    return _Described()


def _byte_array(content: Any = b"", *_: Any) -> _Described:
    if not isinstance(content, bytes | str | _Described):
        raise _RefusedError("bytearray of a length")
    return _Described()


def _numpy_kind(code: Any = None, *_: Any) -> _NumpyKind:
    return _NumpyKind(code)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_kind,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.Size": _size,
    "torch.device": _described,
    "torch.serialization._get_layout": _described,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda *_: _Dictionary(),
    "collections.Counter": _dictionary,
    "numpy.dtype": _numpy_kind,
    "_codecs.encode": _bytes,
    **{f"torch._utils._rebuild_{kind}": _odd for kind in (
        "sparse_tensor", "sparse_csr_tensor", "nested_tensor", "qtensor", "meta_tensor_no_storage",
        "device_tensor_from_numpy", "device_tensor_from_cpu_tensor", "wrapper_subclass",
    )},
    **{f"numpy.{core}.multiarray.{function}": _described for core in ("core", "_core") for function in (
        "_reconstruct", "scalar",
    )},
    **{f"{builtins}.{kind}": _described for builtins in ("builtins", "__builtin__") for kind in (
        "set", "frozenset", "complex",
    )},
    **{f"{builtins}.bytearray": _byte_array for builtins in ("builtins", "__builtin__")},
}  # fmt: skip
# Names that are only mentioned, and never called.
_MENTIONED = re.compile(
    r"torch\.(\w+Storage|storage\.\w+Storage|Tensor|nn\.parameter\.(Parameter|Buffer)|strided|sparse_\w+"
    r"|b?float\d+(_\w+)?|q?u?int\d+(x\d)?|bool|complex\d+|per_\w+_affine)|numpy\.ndarray"
    r"|(builtins|__builtin__)\.(int|float|list|dict)"
)
_STORED_KINDS = {
    **{"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16"},
    **{"LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8"},
    **{"ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8"},
    **{"ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128"},
}


class _Unpickler(pickle.Unpickler):
    """Python's own machine, for which every name is one of ours."""

    def find_class(self, module: str, name: str) -> Any:
        text = f"{module}.{name}"
        if text not in _FUNCTIONS and not _MENTIONED.fullmatch(text):
            raise _RefusedError(text)
        return _Named(text, _FUNCTIONS.get(text))

    def persistent_load(self, pid: Any) -> _Storage:
        """Return what stands for a storage: ("storage", its class, its key, where it was, how many numbers it has)."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or (len(pid) > 5 and pid[5] is not None):
            raise _RefusedError("another kind of storage")
        return _Storage(pid[1], pid[2], pid[4])


@dataclass(frozen=True)
class _Place:
    """Where the numbers of one storage lie, in bytes."""

    start: int
    length: int


@dataclass(frozen=True)
class PytorchFile:
    """What a file holds.

    Attributes
    ----------
    content
        Whatever was saved; a tensor in it is known by `tensor`.
    """

    content: Any
    _places: Mapping[Any, _Place]
    _big_endian: bool

    def tensor(self, value: Any) -> StoredTensor | None:
        """Return where a value of the content lies if it is a tensor, else None; not checked yet."""
        if isinstance(value, _Odd):
            return StoredTensor("quantised or sparse", (), (), 0, 0)
        if not isinstance(value, _Tensor):
            return None
        storage, key = value.storage, getattr(value.storage, "key", None)
        place = self._places.get(key) if isinstance(key, str) else None
        kind = _kind(value.kind or getattr(storage, "kind", None))
        lists = isinstance(value.shape, tuple | list) and isinstance(value.strides, tuple | list)
        if place is None or not lists or type(value.offset) is not int:
            return StoredTensor(kind, (-1,), (-1,), 0, 0)
        first = value.offset * BYTES_EACH.get(kind, 1)
        return StoredTensor(
            kind, tuple(value.shape), tuple(value.strides), place.start + first, place.length - first, self._big_endian
        )


def _kind(named: Any) -> str:
    text = named.text.rpartition(".")[2] if isinstance(named, _Named) else "unknown"
    return _STORED_KINDS.get(text, text)


def read_pytorch(file: BinaryIO, name: str) -> PytorchFile:
    """Return what a file that `torch.save` wrote holds, of today's format or of that before torch 1.6.

    Raises
    ------
    InputError
        It is damaged, or asks for something that is neither a tensor nor a plain value.
    """
    try:
        is_archive = file.read(2) == b"PK"
        file.seek(0)
        return _read_archive(file) if is_archive else _read_sequence(file)
    except _RefusedError as refused:
        raise InputError(
            f"{name} asks for {printable(str(refused))}, neither a tensor nor a plain value, and such a file could run "
            "code: it was not opened; give its state dict (torch.save of model.state_dict()), or ONNX."
        ) from None
    except MemoryError:
        raise
    except Exception:  # damaged files raise whatever their first wrong byte leads to
        raise InputError(
            f"{name} is cut off or no PyTorch file of tensors: copy the whole file again, or save the state dict anew."
        ) from None


def _read_archive(file: BinaryIO) -> PytorchFile:
    """Read a ZIP file: `data.pkl` is the pickle, `data/KEY` are the storages' numbers, uncompressed."""
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickled = next(member for member in members if member.endswith("/data.pkl"))
        folder = pickled.removesuffix("data.pkl")
        content = _unpickled(archive, pickled)
        order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in members else b"little"
    places = {}
    for member in members.values():
        if member.filename.startswith(f"{folder}data/"):
            places[member.filename.removeprefix(f"{folder}data/")] = _place(file, member)
    return PytorchFile(content, places, order == b"big")


def _unpickled(archive: zipfile.ZipFile, member: str) -> Any:
    with archive.open(member) as pickled:
        return _Unpickler(pickled, encoding="utf-8").load()


def _place(file: BinaryIO, member: zipfile.ZipInfo) -> _Place:
    # A member's numbers follow a header of its own, whose name and extra field may be longer than in the list.
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    return _Place(member.header_offset + _LOCAL_HEADER + sum(struct.unpack_from("<HH", header, 26)), member.file_size)


def _read_sequence(file: BinaryIO) -> PytorchFile:
    """Read five pickles (a number, a version, the system, the content, the storages' keys) and then the storages."""
    storages: dict[Any, _Storage] = {}
    pickles = [partial(_Sequence, storages)(file, encoding="utf-8").load() for _ in range(5)]
    if pickles[0] != _MAGIC:
        raise ValueError("another file")
    big_endian = isinstance(pickles[2], dict) and pickles[2].get("little_endian") is False
    places = {}
    for key in pickles[4]:
        (count,) = struct.unpack(">Q" if big_endian else "<Q", file.read(8))
        length = count * BYTES_EACH[_kind(storages[key].kind)]
        places[key] = _Place(file.tell(), length)
        file.seek(length, 1)
    end = file.tell()
    if end > file.seek(0, 2):
        raise EOFError
    return PytorchFile(pickles[3], places, big_endian)


class _Sequence(_Unpickler):
    """Also notes the storages, whose kinds tell how long they are."""

    def __init__(self, storages: dict[Any, _Storage], *values: Any, **options: Any) -> None:
        super().__init__(*values, **options)
        self._storages = storages

    def persistent_load(self, pid: Any) -> _Storage:
        storage = super().persistent_load(pid)
        self._storages[storage.key] = storage
        return storage
