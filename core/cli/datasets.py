"""`datasets`: what there is to train on."""

from __future__ import annotations

from core.cli.options import AsJson
from core.cli.output import say, say_json


def datasets_command(as_json: AsJson = False) -> None:
    """List the data sets."""
    from core.datasets import dataset_names, describe

    records = [describe(name) for name in dataset_names()]
    if as_json:
        say_json({"datasets": [vars(record) for record in records]})
        return
    for record in records:
        say(f"{record.name:14} {record.sentence}")
    say(f"{'zip:PATH':14} your own images in a ZIP file: train/CLASS/* and test/CLASS/*, or CLASS/*")
    say(f"{'folder:PATH':14} the same, in a folder")
