"""A run's result.json: what a finished training reached."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt, TypeAdapter, ValidationError

from core.device import Precision
from core.errors import InputError
from core.files import write_json
from core.instruments.statistics import Estimate

NAME = "result.json"


def _check_share(share: Estimate) -> Estimate:
    """Refuse a share that no count can have."""
    if not (share.n and 0 <= share.low <= share.value <= share.high <= 1):
        raise ValueError("a share lies in its interval, and is one of some images")
    return share


StoredShare = Annotated[Estimate, AfterValidator(_check_share)]
"""A share with its interval, checked when it is read from a file."""


@dataclass(frozen=True)
class Result:
    """What a finished training reached, on the whole test split, and on what it was computed.

    Attributes
    ----------
    clean_accuracy
        Correctly classified test images.
    attack_success_rate
        See `core.instruments.evaluation`; None for a control, which has no trigger of its own, and
        where no test image is attacked.
    shape, classes
        (channels, height, width) of its images; the names of the classes.
    seconds, peak_memory
        The training's wall time with looking at each epoch; the process's largest resident size in bytes, 0 if unknown.
    torch, processor
        What computed it.
    votes_in
        The fastest precision whose votes can be trusted, see `core.instruments.precision`.
    attack_success_rate_others
        `core.instruments.evaluation.Success.others`: None but for source-specific attacks.
    """

    clean_accuracy: StoredShare
    attack_success_rate: StoredShare | None
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=2)]
    seconds: float
    peak_memory: int
    torch: str
    processor: str
    votes_in: Precision | None = None
    attack_success_rate_others: StoredShare | None = None

    @property
    def warning(self) -> str | None:
        """A sentence where the model does no better than guessing, so that nothing it says of images means anything."""
        chance, accuracy = 1 / len(self.classes), self.clean_accuracy
        if accuracy.low > chance:
            return None
        return (
            f"Clean accuracy {accuracy.value:.1%} ({accuracy.count} of {accuracy.n}) is what guessing among "
            f"{len(self.classes)} classes gives, so W and all else here mean nothing: check the data set, the "
            "normalisation and the order of colours and classes."
        )


_RESULT = TypeAdapter(Result)


def write_result(folder: Path, result: Result) -> None:
    """Store a result in a run's folder: from then on the run is done. OSError if the disk refuses."""
    write_json(folder / NAME, asdict(result))


def read_result(folder: Path) -> Result | None:
    """Return the result in a run's folder, or None where there is none yet.

    Raises
    ------
    InputError
        It is damaged.
    """
    try:
        return _RESULT.validate_json((folder / NAME).read_bytes(), strict=True)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise InputError(f"The result of run {folder.name} is damaged: delete its folder and train it again.") from None
