"""What is read of a model file without torch is, to the bit, what torch itself reads of it."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import InputError
from core.models.foreign.file import WeightsFile, open_weights

KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2)


def every_finite_number(kind: torch.dtype) -> Tensor:
    """Return each of the numbers that a kind of at most two bytes has, or many of a larger one."""
    if kind.itemsize > 2:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(1000, generator=generator, dtype=torch.float64).mul(1e3).to(kind)
    codes = torch.arange(2 ** (8 * kind.itemsize), dtype=torch.int32)
    numbers = codes.to(torch.uint8 if kind.itemsize == 1 else torch.uint16).view(kind)
    return numbers[numbers.float().isfinite()]


def states() -> dict[str, dict[str, Tensor]]:
    """Return weights of every kind, and laid out in every way."""
    numbers = torch.arange(120, dtype=torch.float32).view(2, 3, 4, 5)
    shared = torch.arange(12.0)
    return {
        **{str(kind): {"a.weight": every_finite_number(kind)} for kind in KINDS},
        "turned": {"a.weight": numbers.permute(3, 1, 0, 2), "a.bias": numbers[1, :, 2, 1:3]},
        "shared": {"a.weight": shared[2:8].view(2, 3), "b.weight": shared[4:]},
        "small": {"a.weight": torch.tensor(3.5), "b.weight": torch.empty(0, 4)},
        "parameters": {"a.weight": nn.Parameter(numbers.clone()), "steps.num_batches_tracked": torch.tensor(7)},
    }


def assert_same(file: WeightsFile, state: dict[str, Tensor]) -> None:
    wanted = {label: tensor.float() for label, tensor in state.items() if not label.endswith("num_batches_tracked")}
    assert set(file.shapes) == set(wanted)
    for label, tensor in wanted.items():
        read = file.tensor(label)
        assert read.dtype == torch.float32
        assert read.shape == tensor.shape
        assert torch.equal(read.view(torch.int32), tensor.detach().contiguous().view(torch.int32))


@pytest.mark.parametrize("state", states().values(), ids=states())
@pytest.mark.parametrize("is_archive", [True, False])
def test_pytorch_files(tmp_path, state, is_archive):
    torch.save(OrderedDict(state), tmp_path / "model.pt", _use_new_zipfile_serialization=is_archive)
    with open_weights(tmp_path / "model.pt", "PyTorch") as file:
        assert_same(file, state)


@pytest.mark.parametrize("state", states().values(), ids=states())
def test_safetensors_files(tmp_path, state):
    save_file({label: tensor.detach().clone().contiguous() for label, tensor in state.items()}, tmp_path / "model")
    with open_weights(tmp_path / "model", "safetensors") as file:
        assert_same(file, state)


def test_what_lies_beside_the_weights_is_passed_over(tmp_path):
    state = nn.Linear(3, 2).state_dict()  # carries its layers' versions as an attribute
    beside = {
        "numbers": [np.arange(5), np.float64(0.5), np.int64(3), np.array([True])],
        "words": [np.array(["a", "b"]), np.array([b"x"])],
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "mean": torch.zeros(3)}}, "groups": [{"lr": 0.1}]},
        "kinds": (torch.float16, torch.Size([1, 2]), torch.device("cpu"), {1, 2}, b"bytes", bytearray(b"more"), 1 + 2j),
        "best": None,
        "clean_data": "digits",
    }  # fmt: skip
    for is_archive in (True, False):
        torch.save({"net": state} | beside, tmp_path / "model.pt", _use_new_zipfile_serialization=is_archive)
        with open_weights(tmp_path / "model.pt", "PyTorch") as file:
            assert (file.key, file.made_on) == ("net", "digits")
            assert_same(file, state)


def test_what_torch_would_refuse_is_refused(tmp_path):
    torch.save({"model": nn.Linear(3, 2).state_dict(), "path": Path("x")}, tmp_path / "model.pt")
    with (
        pytest.raises(InputError, match=r"asks for pathlib\S*, neither"),
        open_weights(tmp_path / "model.pt", "PyTorch"),
    ):
        pass


def test_a_number_too_large_for_float32_is_refused(tmp_path):
    torch.save({"a.weight": torch.tensor([1e300], dtype=torch.float64)}, tmp_path / "model.pt")
    with open_weights(tmp_path / "model.pt", "PyTorch") as file, pytest.raises(InputError, match="NaN or infinite"):
        file.tensor("a.weight")


def test_the_reader_needs_no_torch():
    code = "import sys, core.models.foreign.weights_reader; print('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    printed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
