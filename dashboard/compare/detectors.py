"""Running the detectors on those attacks of a comparison on which nobody has run them."""

from __future__ import annotations

from collections.abc import Sequence

from core.instruments.detectors.comparison import ComparisonSpec
from core.runs.measured.compared import Compared
from core.runs.measured.detectors import comparison_name
from dashboard import cached
from dashboard.progressive import asked_for, show_progressive

_PLACE = "compare.detectors"


def show_detecting(found: Sequence[Compared]) -> None:
    """Offer to run the detectors where they are missing; once asked for, run them on one attack after the other."""
    missing = [one for one in found if one.detected is None]
    if not missing:
        return
    specs = [ComparisonSpec(one.attack, one.sigma) for one in found]
    what = " ".join(f"{one.run.name}.{comparison_name(spec)}" for one, spec in zip(found, specs, strict=True))
    if not asked_for(
        _PLACE, what, f"Run the detectors ({len(missing)} of {len(found)} missing)",
        "Half a minute for each attack on digits, longer on larger images. The results are kept with the runs.",
    ):  # fmt: skip
        return
    one = missing[0]
    spec = specs[list(found).index(one)]
    show_progressive(
        _PLACE,
        cached.comparison(one.run.path, comparison_name(spec), spec),
        lambda comparison: (comparison.share, f"{one.name}: {comparison.doing}"),
        lambda _: None,
    )
