"""Images to learn from, each data set as one uint8 tensor per split, behind one interface."""

from core.datasets.dataset import Dataset, Split
from core.datasets.registry import (
    data_folder,
    dataset_names,
    describe,
    fingerprint,
    is_own,
    load_dataset,
    load_test,
    name_in_identity,
)
from core.datasets.source import Description, Progress

__all__ = [
    "Dataset",
    "Description",
    "Progress",
    "Split",
    "data_folder",
    "dataset_names",
    "describe",
    "fingerprint",
    "is_own",
    "load_dataset",
    "load_test",
    "name_in_identity",
]
