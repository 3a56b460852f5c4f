"""The one fast path from images to logits, labels and votes. Every hot loop goes through it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.device import choose_device, native_bfloat16
from core.errors import InputError
from core.noise import KEYS, NoiseStream

# Measured on 2 CPU cores: 64 and 128 images at a time run twice as fast as 1000; an accelerator wants more.
_CPU_BATCH = 64
_ACCELERATOR_BATCH = 1024


class Predictor:
    """A frozen, fast copy of a model that answers alike for an image in whatever company it comes.

    Batch norm is folded into the convolution before it, tensors lie channels last, numbers are bfloat16 where the
    hardware multiplies them itself, and the network always sees batches of one fixed shape, so that no result depends
    on the other images, their order or their number. The model given is copied, never changed.

    Parameters
    ----------
    model
        A module from images float [N, C, H, W] with pixels in [0, 1] to logits [N, K]; or any other callable that
        does so, which is then called with float32 tensors as it is.
    device
        Where to compute; by default `core.device.choose_device()`, and the CPU for a callable that is no module.
    dtype
        Of the network's arithmetic; by default bfloat16 where the hardware has it, else float32.

    Attributes
    ----------
    device, dtype, batch
        What the rule chose. With the model and the library's version they decide every bit of a result.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        is_module = isinstance(model, nn.Module)
        self.device = torch.device(device or (choose_device() if is_module else "cpu"))
        fast = torch.bfloat16 if is_module and native_bfloat16(self.device.type) else torch.float32
        self.dtype = dtype or fast
        self.batch = _CPU_BATCH if self.device.type == "cpu" else _ACCELERATOR_BATCH
        self._network = model
        if is_module:
            network = streamline(model, self.device.type).to(self.device, self.dtype)
            self._network = network.to(memory_format=torch.channels_last)

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits, float32 [N, K] on the CPU, of images float [N, C, H, W]."""
        return self._each_batch(images, lambda logits: logits)

    def labels(self, images: Tensor) -> Tensor:
        """Return the predicted classes, int64 [N] on the CPU, of images float [N, C, H, W]."""
        return self._each_batch(images, lambda logits: logits.argmax(1))

    def votes(
        self,
        images: Tensor,
        keys: Sequence[int],
        sigma: float,
        draws: int,
        seed: int,
        *,
        first: int = 0,
        clamp: bool = False,
    ) -> Tensor:
        """Count how often each class is predicted under Gaussian noise.

        Parameters
        ----------
        images
            Float [N, C, H, W], pixels in [0, 1].
        keys
            N whole numbers that name the images' noise; equal keys share it.
        sigma
            Standard deviation of the noise in units of the pixels, added before the model's own normalisation.
        draws
            Number of noisy copies of each image.
        seed
            Names the noise together with the keys.
        first
            Number of the first draw: votes of draws [0, a) and [a, b) add up to those of [0, b).
        clamp
            Cut the noisy pixels to [0, 1].

        Returns
        -------
        Tensor
            int64 [N, K] on the CPU; each row sums to `draws`.
        """
        images = self._checked(images)
        keys = check_keys(keys, len(images))
        streams = (NoiseStream(seed, key, tuple(images.shape[1:]), self.device, first) for key in keys)
        tally = None
        with torch.inference_mode():
            for batch, owners in self._noisy_batches(images, streams, sigma, draws):
                logits = self._forward(batch.clamp(0, 1) if clamp else batch)[: len(owners)]
                if tally is None:
                    tally = torch.zeros(len(images), logits.shape[1], dtype=torch.int64, device=self.device)
                tally.index_add_(0, owners, nn.functional.one_hot(logits.argmax(1), logits.shape[1]))
        return tally.cpu()

    def _noisy_batches(
        self, images: Tensor, streams: Iterable[NoiseStream], sigma: float, draws: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield noisy images in batches of the fixed shape, and which image each of the rows in use belongs to."""
        batch = torch.zeros(self.batch, *images.shape[1:], device=self.device)
        owners = torch.zeros(self.batch, dtype=torch.int64, device=self.device)
        filled = 0
        for number, stream in enumerate(streams):
            left = draws
            while left:
                rows = slice(filled, min(self.batch, filled + left))
                count = rows.stop - rows.start
                torch.add(images[number], stream.take(count), alpha=sigma, out=batch[rows])
                owners[rows] = number
                filled, left = rows.stop, left - count
                if filled == self.batch:
                    yield batch, owners
                    filled = 0
        if filled:
            yield batch, owners[:filled]

    def _each_batch(self, images: Tensor, answer: Callable[[Tensor], Tensor]) -> Tensor:
        images = self._checked(images)
        answers = []
        with torch.inference_mode():
            for part in images.split(self.batch):
                batch = part
                if len(part) < self.batch:
                    batch = part.new_zeros(self.batch, *part.shape[1:])
                    batch[: len(part)] = part
                answers.append(answer(self._forward(batch)[: len(part)]).cpu())
        return torch.cat(answers)

    def _forward(self, batch: Tensor) -> Tensor:
        batch = batch.to(self.dtype, memory_format=torch.channels_last)
        return self._network(batch).float()

    def _checked(self, images: Tensor) -> Tensor:
        check_images(images)
        return images.detach().to(self.device, torch.float32)


def as_predictor(model: Callable[[Tensor], Tensor] | Predictor) -> Predictor:
    """Return a predictor as it is, and a predictor with the default rule for anything else."""
    return model if isinstance(model, Predictor) else Predictor(model)


def check_images(images: Tensor) -> None:
    """Raise `InputError` unless images are finite, float, [N, C, H, W] and at least one."""
    if not isinstance(images, Tensor) or images.ndim != 4 or 0 in images.shape:
        found = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise InputError(
            f"Images must be a tensor [N, C, H, W] with at least one image, not {found}; add what is missing."
        )
    if not images.is_floating_point():
        raise InputError(f"Images must be floats in [0, 1], not {images.dtype}; divide by 255 first.")
    if not images.isfinite().all():
        raise InputError("Images hold NaN or infinite pixels; give finite pixels in [0, 1].")


def check_keys(keys: Sequence[int], count: int) -> list[int]:
    """Return keys as whole numbers; raise `InputError` unless there is one in [0, 2^32) for each image."""
    keys = [int(key) for key in keys]
    if len(keys) != count:
        raise InputError(f"There are {len(keys)} keys for {count} images; give one key for each image.")
    if not all(0 <= key < KEYS for key in keys):
        raise InputError("A key is outside [0, 4294967296); name images by their place in the data set.")
    return keys


def streamline(model: nn.Module, device: str) -> nn.Module:
    """Return an eval-mode copy of a model that computes the same in less time on a kind of device.

    Batch norms are folded into the convolutions before them, and poolings are moved before the ReLU they follow: a
    maximum of rectified numbers is the rectified maximum, and there are fewer of them. A model that cannot be traced is
    returned as a plain copy: slower, but right.

    Raises
    ------
    InputError
        The model's answer for one image depends on the others in its batch, by a batch norm without running statistics.
    """
    if any(isinstance(part, _BatchNorm) and part.running_mean is None for part in model.modules()):
        raise InputError(
            "The model has a batch norm without running statistics, so an image's label depends on others."
        )
    model = copy.deepcopy(model).eval().requires_grad_(False)
    try:
        traced = fx.symbolic_trace(model)
    except Exception:  # a model may do anything in its forward; whatever tracing dislikes stays as it is
        return model
    for node in list(traced.graph.nodes):
        _fold_batch_norm(traced, node)
        _pool_before_relu(traced, node)
        if device == "cpu":
            _halve_by_maximum(traced, node)
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced


def _fold_batch_norm(traced: fx.GraphModule, norm: fx.Node) -> None:
    source = _only_source(traced, norm, nn.BatchNorm2d)
    # A convolution called twice must not take the batch norm of one of its places to the other.
    calls = [node for node in traced.graph.nodes if source and node.target == source.target]
    if len(calls) != 1 or not isinstance(_module(traced, source), nn.Conv2d):
        return
    folded = fuse_conv_bn_eval(_module(traced, source), _module(traced, norm))
    traced.set_submodule(source.target, folded)
    norm.replace_all_uses_with(source)
    traced.graph.erase_node(norm)


def _pool_before_relu(traced: fx.GraphModule, pool: fx.Node) -> None:
    relu = _only_source(traced, pool, nn.MaxPool2d)
    if relu is None or not isinstance(_module(traced, relu), nn.ReLU) or len(relu.all_input_nodes[0].users) != 1:
        return
    pool.replace_all_uses_with(relu)
    pool.replace_input_with(relu, relu.all_input_nodes[0])
    relu.replace_input_with(relu.all_input_nodes[0], pool)
    relu.prepend(pool)


def _halve_by_maximum(traced: fx.GraphModule, node: fx.Node) -> None:
    pool = _module(traced, node)
    if isinstance(pool, nn.MaxPool2d) and _is_halving(pool):
        traced.set_submodule(node.target, _HalvingMaximum())


def _only_source(traced: fx.GraphModule, node: fx.Node, kind: type[nn.Module]) -> fx.Node | None:
    """Return what feeds a node, if the node calls a module of that kind and nobody else reads its source."""
    if not isinstance(_module(traced, node), kind):
        return None
    source = node.all_input_nodes[0]
    return source if len(source.users) == 1 else None


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(node.target) if node.op == "call_module" else None


def _is_halving(pool: nn.MaxPool2d) -> bool:
    window = pool.kernel_size, pool.stride, pool.padding, pool.dilation
    return window in {(2, 2, 0, 1), ((2, 2), (2, 2), (0, 0), (1, 1))} and not (pool.ceil_mode or pool.return_indices)


class _HalvingMaximum(nn.Module):
    """Maximum over squares of 2x2 pixels: `MaxPool2d(2)` in half its time on a CPU, as no indices are kept."""

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
        rows = torch.maximum(images[:, :, 0:height:2], images[:, :, 1:height:2])
        return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])
