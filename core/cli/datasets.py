"""`datasets`: what there is to train on, and what is in one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot
from core.cli.output import say, say_json, share_bar

if TYPE_CHECKING:
    from core.datasets import Dataset

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A data set to look into: its classes, sizes and what was left out."),
]


def datasets_command(name: Name = None, data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """List the data sets, or look into one before it is used."""
    from core.datasets import dataset_names, describe, load_dataset

    if name is not None:
        with share_bar("reading") as report:
            data = load_dataset(name, data_root, report)
        _say_contents(data, as_json)
        return
    records = [describe(name) for name in dataset_names()]
    if as_json:
        say_json({"datasets": [vars(record) for record in records]})
        return
    for record in records:
        say(f"{record.name:14} {record.sentence}")
    say(f"{'zip:PATH':14} your own images in a ZIP file: train/CLASS/* and test/CLASS/*, or CLASS/*")
    say(f"{'folder:PATH':14} the same, in a folder")


def _say_contents(data: Dataset, as_json: bool) -> None:
    contents = _contents(data)
    if as_json:
        say_json(contents)
        return
    channels, height, width = data.shape
    say(f"images       {len(data.train)} to train with, {len(data.test)} to test with")
    say(f"shape        {width} x {height} pixels, {'grey' if channels == 1 else 'colour'}")
    for label, (name, count) in enumerate(contents["train_images"].items()):
        say(f"class {label:<6} {name}: {count} to train with, {contents['test_images'][name]} to test with")
    for note in data.notes:
        say(f"note         {note}")


def _contents(data: Dataset) -> dict[str, Any]:
    counts = {
        f"{part}_images": dict(
            zip(data.classes, split.labels.bincount(minlength=len(data.classes)).tolist(), strict=True)
        )
        for part, split in (("train", data.train), ("test", data.test))
    }
    return {"dataset": data.name, "fingerprint": data.fingerprint, "shape": data.shape, **counts, "notes": data.notes}
