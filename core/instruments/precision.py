"""Whether a model may run in bfloat16: its votes there are held against those in float32, on the same noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.datasets.dataset import to_unit
from core.device import Precision, native_bfloat16
from core.instruments.evaluation import choose_images
from core.instruments.noise_stream import NoiseStream
from core.instruments.predictor import Predictor
from core.models import architecture_names, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.datasets import Split

LEAST_AGREEMENT = 0.99
SIGMAS = (0.1, 0.3, 1.0)
IMAGES, DRAWS = 16, 16


def trusted_precision(architecture: str, model: nn.Module, test: Split, device: str) -> Precision:
    """Return the fastest precision whose votes can be trusted on this device.

    What is known of the architecture comes first, then this model's own votes on 16 test images. Float32 itself agrees
    with float64 on at least 99.99 % of the votes of every architecture here (`tests/models/test_models.py`), so it
    stands for the truth.

    Parameters
    ----------
    architecture
        The model's: one of `core.models.architecture_names()`, or the name of one that is known for loading only.
    model
        From images in [0, 1] to logits.
    test
        The test images of its data set.
    device
        Where the model will run.
    """
    unsuited = architecture in architecture_names() and not describe(architecture).bfloat16
    if unsuited or not native_bfloat16(device):
        return "float32"
    places = choose_images(test, -1, IMAGES, seed=0)
    agreement = vote_agreement(model, to_unit(test.images[places]), places.tolist(), device)
    return "bfloat16" if agreement >= LEAST_AGREEMENT else "float32"


def vote_agreement(model: nn.Module, images: Tensor, keys: Sequence[int], device: str) -> float:
    """Return the share of noisy copies, 16 an image at each of three sigmas, that bfloat16 labels as float32 does."""
    shape = tuple(images.shape[1:])
    noise = torch.stack([NoiseStream(0, key, shape, torch.device("cpu")).take(DRAWS) for key in keys])
    noisy = torch.cat([(images.float()[:, None] + sigma * noise).flatten(0, 1) for sigma in SIGMAS])
    fast, exact = (Predictor(model, device, dtype).labels(noisy) for dtype in (torch.bfloat16, torch.float32))
    return float((fast == exact).double().mean())
