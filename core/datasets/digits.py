"""The handwritten digits that come with scikit-learn: real, tiny, and always at hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from core.datasets.dataset import Dataset, Split
from core.datasets.source import Description, Progress, Source
from core.errors import InputError

_CLASSES = tuple("0123456789")
_FINGERPRINT = "digits-1"


def _load(data_root: Path, progress: Progress) -> Dataset:
    import numpy as np
    import torch

    from core.datasets.splitting import stratified_split

    table = np.loadtxt(_packaged_table(), dtype=np.int64, delimiter=",")
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = table[:, 64].copy()
    train, test = (
        Split(torch.from_numpy(images[chosen]), torch.from_numpy(labels[chosen])) for chosen in stratified_split(labels)
    )
    return Dataset("digits", _CLASSES, train, test, _FINGERPRINT)


def _packaged_table() -> Path:
    """The file that `sklearn.datasets.load_digits` reads, found without importing it, which takes a second."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise InputError("The digits come with scikit-learn, which is not installed: run pip install scikit-learn.")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


SOURCE = Source(
    Description(
        name="digits",
        title="Handwritten digits, 8x8",
        sentence="Scanned handwritten digits, reduced to 8x8 grey pixels; a small network learns them in a second.",
        classes=_CLASSES,
        shape=(1, 8, 8),
        train_size=1438,
        test_size=359,
        origin="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI; shipped with scikit-learn",
        licence="CC BY 4.0",
    ),
    _FINGERPRINT,
    _load,
)
