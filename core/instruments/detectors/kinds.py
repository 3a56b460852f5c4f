"""The detectors by name: what each looks at, how it works, when it fails, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LooksAt = Literal["image", "training set", "model"]


@dataclass(frozen=True)
class Detector:
    """A detector in words.

    Attributes
    ----------
    title
        What people call it.
    looks_at
        "image": one score an image, at run time; "training set": one score a training image; "model": one a class.
    sentence
        What it takes for suspicious.
    fails
        When it fails.
    source
        Who published it; of `fails` too where another source says so.
    """

    title: str
    looks_at: LooksAt
    sentence: str
    fails: str
    source: str


DETECTORS: dict[str, Detector] = {
    "smoothness": Detector(
        "W",
        "image",
        "Answers that hardly waver under Gaussian noise.",
        "Where the noise hides the trigger, where the target class is smooth by itself, and where a pattern smooths "
        "without any backdoor.",
        "Grosse et al. 2022, arXiv 2006.06721; its third version says that W may not serve directly as a defence.",
    ),
    "strip": Detector(
        "STRIP",
        "image",
        "Answers that stay sure when other images are laid over the input.",
        "Triggers that do not survive being laid over (large, faint or made for one source class).",
        "Gao et al. 2019, arXiv 1902.06531; they name source-class-specific triggers as out of reach.",
    ),
    "scale-up": Detector(
        "SCALE-UP",
        "image",
        "Answers that stay the same when all pixels are amplified.",
        "Images that are amplified into themselves (black and white ones, such as digits), and triggers that "
        "amplifying wipes out; five copies give only six different scores.",
        "Guo et al. 2023, arXiv 2302.03251.",
    ),
    "dropout-shift": Detector(
        "PSBD",
        "image",
        "Answers that shift little when hidden units are dropped.",
        "Networks so small that dropout shifts everything alike; models whose layers cannot be seen.",
        "Li et al. 2025, arXiv 2406.05826; for its use on small networks: measured here.",
    ),
    "confidence": Detector(
        "Largest softmax",
        "image",
        "Answers that are sure without any noise.",
        "Overconfident networks, whose clean images are as sure.",
        "A plain baseline (Hendrycks and Gimpel 2017, arXiv 1610.02136, for the largest softmax).",
    ),
    "margin": Detector(
        "Margin",
        "image",
        "Answers that lead the second by far, in logits.",
        "As the largest softmax, though it is never rounded to a tie.",
        "A plain baseline.",
    ),
    "activation-clustering": Detector(
        "Activation clustering",
        "training set",
        "Training images in the smaller of two clusters of their label's features.",
        "Few poisoned images, which do not make a cluster; as many as clean ones of their label, which make the larger "
        "one; and clean classes that fall into two kinds by themselves.",
        "Chen et al. 2018, arXiv 1811.03728; for low rates: Hayase et al. 2021 (SPECTRE), arXiv 2104.11315; for many: "
        "measured here.",
    ),
    "spectral-signatures": Detector(
        "Spectral signatures",
        "training set",
        "Training images far out along the direction in which their label's features spread most.",
        "Few poisoned images, or so many that they are the spread; clean labels' scores lie on scales of their own.",
        "Tran, Li and Madry 2018, arXiv 1811.00636; for low rates: Hayase et al. 2021 (SPECTRE), arXiv 2104.11315.",
    ),
    "neural-cleanse": Detector(
        "Neural Cleanse",
        "model",
        "A class that a much smaller trigger reaches than any other.",
        "Large or blended triggers, several target classes, and fewer than about five classes to compare.",
        "Wang et al. 2019, IEEE S&P; they name large triggers and many infected labels as limits.",
    ),
}
