"""Runs in a process apart: looks through an ONNX file, finds how it is asked, and computes with it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.random import default_rng  # numpy imports it when it is asked for, which then is too late

from core.device import default_threads
from core.errors import InputError, printable
from core.models.foreign.onnx_graph import join_parts, read_graph
from core.models.foreign.onnx_model import Interface, Shape
from core.models.foreign.sandbox import limit_files

# Noise, and a dark image: some models divide by an image's own deviation.
_PROBES = 3
# How far an answer may be from the same one in another batch, as a share of the largest: rounding is far smaller.
_TOLERANCE = 1e-3


class Service:
    """What `core.models.foreign.sandbox` serves: one file at a time."""

    def inspect(self, path: str, shape: list[int], classes: int, name: str) -> dict[str, Any]:
        """Return how a file is asked about images of a shape, as the values of an `Interface`."""
        content = Path(path).read_bytes()
        channels, height, width = shape
        partial = read_graph(content, (channels, height, width), name)
        session = _session(content, name)
        return _probed(session, partial, (channels, height, width), classes, name).values

    def join(self, path: str, name: str) -> dict[str, Any]:
        """Put a file's other parts into it; return its length then, 0 if it has none."""
        self._whole = join_parts(Path(path), name)
        return {"length": len(self._whole)}

    def joined(self) -> tuple[dict[str, Any], bytes]:
        """Return the file that `join` made."""
        return {}, self._whole

    def open(self, path: str, interface: dict[str, Any], name: str) -> dict[str, Any]:
        """Make ready to classify."""
        self._session, self._interface, self._name = (
            _session(Path(path).read_bytes(), name),
            Interface.read(interface),
            name,
        )
        return {}

    def classify(self, shape: list[int], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Return the answers, float32 [N, K], to normalised images, float32 [N, C, H, W]."""
        images = np.frombuffer(data, np.float32).reshape(shape)
        try:
            batches = _batches(_arranged(images, self._interface), self._interface.batch)
            asked = [self._session.run([self._interface.output], {self._interface.input: batch}) for batch in batches]
            answers = np.concatenate([np.asarray(outputs[0]) for outputs in asked])[: len(images)]
            answers = answers.reshape(len(images), self._interface.classes).astype(np.float32)
        except Exception as error:  # the runtime's errors have no common type
            raise InputError(
                f"{self._name} fails on {len(images)} images ({_reason(error)}): export it anew."
            ) from None
        if not np.isfinite(answers).all():
            raise InputError(f"{self._name} answers NaN or infinite numbers to an image: export the model anew.")
        return {}, answers.tobytes()


def _session(content: bytes, name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.log_severity_level = 4
    # Leaves the cores to others while it waits.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    limit_files()
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common type
        raise InputError(f"{name} cannot be used by onnxruntime ({_reason(error)}): export the model anew.") from None


def _reason(error: Exception) -> str:
    """Return what the runtime says, without its own name, numbers and source files."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", lines[-1])
    return printable(re.sub(r"\s*((Status Message: )?/\S+|Name:'').*", "", text), 160).rstrip(" .:")


def _arranged(images: np.ndarray, interface: Interface) -> np.ndarray:
    """Return images [N, C, H, W] as the classifier wants them."""
    if interface.order == "channels last":
        images = images.transpose(0, 2, 3, 1)
    elif interface.order == "grey":
        images = images[:, 0]
    elif interface.order == "flat":
        images = images.reshape(len(images), -1)
    return np.ascontiguousarray(images, interface.kind)


def _batches(inputs: np.ndarray, batch: int) -> list[np.ndarray]:
    """Cut images into batches of the fixed size, the last filled up with zeros; one batch if any size will do."""
    if not batch:
        return [inputs]
    missing = -len(inputs) % batch
    filled = np.concatenate([inputs, np.zeros((missing, *inputs.shape[1:]), inputs.dtype)]) if missing else inputs
    return np.split(filled, len(filled) // batch)


def _probed(
    session: onnxruntime.InferenceSession, partial: Interface, shape: Shape, classes: int, name: str
) -> Interface:
    """Return the whole interface, once a few images have shown what comes out, and that it is a function of each."""
    images = default_rng(0).random((_PROBES, *shape), np.float32)
    images[-1] = 0
    batch, outputs = _computed(session, partial, images, name)
    fitting = [place for place, answers in enumerate(outputs) if _is_answer(answers)]
    if not fitting:
        shapes = [list(getattr(answers, "shape", ())) for answers in outputs]
        raise InputError(
            f"{name} answers {printable(str(shapes), 120)} to {_PROBES} images, which are no numbers for each of at "
            "least 2 classes: give a classifier."
        )
    place = next((place for place in fitting if outputs[place][0].size == classes), fitting[0])
    answers = outputs[place][:_PROBES].reshape(_PROBES, -1).astype(np.float64)
    if not np.isfinite(answers).all():
        raise InputError(f"{name} answers NaN or infinite numbers to an image: export the model anew.")
    others = default_rng(1).random(images.shape, np.float32)
    for chosen in (np.arange(_PROBES) == 0, np.arange(_PROBES) > 0):  # as many images, and the rest are others
        company = np.where(chosen[:, None, None, None], images, others)
        _, again = _computed(session, replace(partial, batch=batch), company, name)
        _check_is_function(answers[chosen], again[place][:_PROBES].reshape(_PROBES, -1)[chosen], name)
    labels = [output.name for output in session.get_outputs()]
    return replace(
        partial,
        output=labels[place],
        batch=batch,
        classes=answers.shape[1],
        probabilities=bool((answers >= 0).all() and np.allclose(answers.sum(1), 1, atol=1e-3)),
        other_outputs=tuple(printable(label, 40) for label in labels if label != labels[place]),
    )


def _check_is_function(alone: np.ndarray, in_company: np.ndarray, name: str) -> None:
    """Raise InputError unless images got the same answers again, and among others.

    Batch norm or dropout that was exported in training mode makes an answer depend on its company or on chance.
    """
    scale = max(1.0, float(np.abs(alone).max()))
    if not np.allclose(alone, in_company, rtol=0, atol=_TOLERANCE * scale):
        raise InputError(
            f"{name} answers an image differently when it is asked again or among other images, as a network in "
            "training mode does: call model.eval() and export it anew."
        )


def _computed(
    session: onnxruntime.InferenceSession, partial: Interface, images: np.ndarray, name: str
) -> tuple[int, list[Any]]:
    """Return the number of images that it takes at a time (0: any), and all its outputs."""
    computed, failure = None, ""
    for batch in [partial.batch] if partial.batch else [0, 1]:  # some were exported for one image and do not say so
        try:
            batches = _batches(_arranged(images, partial), batch)
            asked = [session.run(None, {partial.input: inputs}) for inputs in batches]
        except Exception as error:  # the runtime's errors have no common type
            failure = _reason(error)
            continue
        computed = batch, [_joined(parts) for parts in zip(*asked, strict=True)]
        if any(_is_answer(answers) for answers in computed[1]):
            break
    if computed is None:
        raise InputError(f"{name} fails on images of {list(images.shape[1:])} ({failure}): export it for such images.")
    return computed


def _joined(parts: tuple[Any, ...]) -> Any:
    arrays = all(isinstance(part, np.ndarray) and part.ndim for part in parts)
    return np.concatenate(parts) if arrays else None


def _is_answer(answers: Any) -> bool:
    """Say whether this is a row of at least two fractions for each image."""
    if answers is None or answers.dtype.kind != "f" or answers.ndim < 2:
        return False
    return len(answers) >= _PROBES and answers[0].size >= 2 and answers[0].size == max(answers.shape[1:])
