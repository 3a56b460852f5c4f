"""Rows about W itself, from noise to votes: against the plain loop, against the machine, and as the work grows."""

from __future__ import annotations

import torch
from torch import Tensor

from core.benchmarks.machine_rate import convolution, count_flops, matrix_product
from core.benchmarks.reference import plain, reference_votes
from core.benchmarks.row import Row, judge
from core.benchmarks.setting import Setting, untrained
from core.benchmarks.timing import Contender, detail_of, middle, seconds_of, speed_up, take_turns
from core.device import torch_threads
from core.instruments.noise import Noise
from core.instruments.predictor import Predictor

GREY = (1, 28, 28)
SIGMA = 0.2
GPU_TARGET = 35
GROWTH = 16


def votes_row(setting: Setting) -> Row:
    """Compare W with the plain loop, on one model, device and thread. The predictor is made beforehand."""
    model, images = untrained("small-cnn", GREY), _pictures(setting.images, GREY)
    reference, placed = plain(model, setting.device), images.to(setting.device)
    with torch_threads(1):
        times = take_turns(
            {
                "reference": lambda turn: reference_votes(reference, placed, SIGMA, setting.draws, turn + 1),
                "ours": _voting(Predictor(model, setting.device, threads=1), images, setting.draws),
            },
            setting.repetitions,
        )
    return judge(
        "w",
        f"W of {setting.images} images, {setting.draws} draws each, small CNN on 28x28, noise to votes, against the "
        "plain loop",
        speed_up(times["reference"], times["ours"]),
        "x",
        ">=",
        4,
        detail_of(times, "reference", "ours") | {"draws_a_second": _rate(setting, times["ours"].wall)},
        applies=setting.is_fast_cpu,
    )


def _rate(setting: Setting, seconds: tuple[float, ...]) -> float:
    return setting.images * setting.draws / middle(seconds)


def share_row(setting: Setting, architecture: str, target: float) -> Row:
    """Compare the arithmetic that W gets done with what the machine can do in the same number format, by turns."""
    small = architecture == "small-cnn"
    shape = GREY if small else setting.resnet_shape
    count, draws = (setting.images, setting.draws) if small else (setting.resnet_images, setting.resnet_draws)
    model = untrained(architecture, shape)
    predictor = Predictor(model, setting.device, threads=1)
    product, product_flops = matrix_product(setting.device, predictor.dtype)
    convolve, convolution_flops = convolution(setting.device, predictor.dtype, predictor.batch_of(shape))
    voting = _voting(predictor, _pictures(count, shape), draws)
    with torch_threads(1):
        times = take_turns({"w": voting, "product": product, "convolution": convolve}, setting.repetitions)
    flops = {
        "w": count_flops(model, shape) * count * draws,
        "product": product_flops,
        "convolution": convolution_flops,
    }
    rates = {name: flops[name] / middle(each.wall) for name, each in times.items()}
    own = {name: flops[name] / middle(each.cpu) for name, each in times.items()}
    return judge(
        f"share-{architecture}",
        f"Share of this machine's {_name(predictor.dtype)} rate that W reaches with {architecture} on "
        f"{shape[1]}x{shape[2]}, noise and votes included",
        _share(rates),
        "%",
        ">=",
        GPU_TARGET if setting.device.type == "cuda" else target,
        seconds_of(times)
        | {
            "gflop_a_second": {name: rate / 1e9 for name, rate in rates.items()},
            "share_by_processor_time": _share(own),
            "mflop_a_draw": count_flops(model, shape) / 1e6,
            "draws": count * draws,
        },
        applies=setting.is_fast_cpu or setting.device.type == "cuda",
    )


def _share(rates: dict[str, float]) -> float:
    return 100 * rates["w"] / max(rates["product"], rates["convolution"])


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def scaling_row(setting: Setting) -> Row:
    """Let the images, then the draws grow sixteenfold."""
    predictor = Predictor(untrained("small-cnn", GREY), setting.device, threads=1)
    few, many = (_pictures(setting.scaling_images * times, GREY) for times in (1, GROWTH))
    draws = setting.scaling_draws
    with torch_threads(1):
        times = take_turns(
            {
                "few": _voting(predictor, few, draws),
                "images": _voting(predictor, many, draws),
                "draws": _voting(predictor, few, GROWTH * draws),
            },
            setting.repetitions,
        )
    costs = {name: speed_up(times[name], times["few"]) for name in ("images", "draws")}
    by_processor = {name: middle(times[name].cpu) / middle(times["few"].cpu) for name in costs}
    return judge(
        "scaling",
        f"Cost of W when {len(few)} images become {len(many)}, or {draws} draws {GROWTH * draws}; the larger one",
        max(costs.values()),
        "x",
        "<=",
        17,
        seconds_of(times) | {"costs": costs, "costs_by_processor_time": by_processor},
    )


def _pictures(count: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))


def _voting(predictor: Predictor, images: Tensor, draws: int) -> Contender:
    return lambda turn: predictor.votes(images, Noise(SIGMA, draws, turn + 1))
