"""`audit`: look for a backdoor in a run of which no trigger is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli.options import AsJson, DataRoot, RunName, Runs
from core.cli.output import say, say_json, share_bar

if TYPE_CHECKING:
    from core.runs.measured.audit import Audit


def audit_command(run: RunName, runs: Runs = None, data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Look for a backdoor without knowing a trigger: noise class, Neural Cleanse and a patch for each class."""
    from core.runs.measured.audit import audit_run
    from core.runs.root import load_run

    found, reached = load_run(run, runs).finished(), None
    with share_bar("looking for a backdoor:") as show:
        for reached in audit_run(found, data_root=data_root):
            show(reached.share, reached.doing)
    assert reached is not None  # an audit ends with a result or an error
    if as_json:
        say_json(audit_summary(str(found.path), reached, found.result.classes))
        return
    for line in audit_lines(reached, found.result.classes):
        say(line)


def audit_summary(run: str, found: Audit, classes: Sequence[str]) -> dict[str, Any]:
    """Return a finished audit as JSON content, the most conspicuous class first."""
    from core.runs.measured.audit import class_signs

    return {
        "run": run,
        "noise": [asdict(one) for one in found.noise],
        "classes": [
            {
                "class": classes[one.label],
                "stands_out_in": one.count,
                "anomaly_index": one.inverted and one.inverted.index,
                "smallest_trigger_pixels": one.inverted and one.inverted.pixels,
                "smallest_trigger": one.inverted and one.inverted.trigger.to_link(),
                "patch_success": one.patch and asdict(one.patch),
                "largest_noise_share": one.noise,
            }
            for one in class_signs(found, len(classes))
        ],
        "why_not": found.why_not,
    }


def audit_lines(found: Audit, classes: Sequence[str]) -> Iterator[str]:
    """Yield what a person reads."""
    from core.runs.measured.audit import audit_in_words, class_signs
    from core.runs.measured.success import share_in_words

    yield audit_in_words(found, None, classes).replace("*", "")
    yield f"{'class':16} {'stands out':>10} {'index':>7} {'pixels':>7} {'noise':>6}  patch takes"
    for one in class_signs(found, len(classes)):
        index, pixels = (
            ("-", "-") if one.inverted is None else (f"{one.inverted.index:.1f}", f"{one.inverted.pixels:.1f}")
        )
        patch = "-" if one.patch is None else share_in_words(one.patch)
        yield f"{classes[one.label]:16} {one.count:>4} of 3 {index:>9} {pixels:>7} {one.noise:>6.0%}  {patch}"
    for one in found.noise:
        yield (
            f"σ = {one.sigma:g}: W of clean images {one.w.value:.2f} [{one.w.low:.2f}, {one.w.high:.2f}]; most noisy "
            f"copies are taken for {classes[one.label]} ({one.share:.0%})"
        )
    if found.why_not:
        yield found.why_not
