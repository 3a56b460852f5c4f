"""What a comparison of detectors, or of triggers on one model, comes to: one sentence by fixed rules."""

from __future__ import annotations

from collections.abc import Mapping

from core.instruments.detectors.roc import Scored
from core.instruments.statistics import Estimate, binomial_interval
from core.runs.measured.success import TAKES, share_in_words

# A detector finds the trigger if the whole interval of its AUC lies above this, and in part if above chance.
FINDS, CHANCE = 0.8, 0.5


def detectors_in_words(by_image: Mapping[str, Scored]) -> str:
    """Return which detectors find the trigger, in one sentence of Markdown.

    Each is judged by the harder of its comparisons: against clean images of other classes, or of the target class.

    Parameters
    ----------
    by_image
        What people call a detector -> how well it tells triggered from clean images; not empty.
    """
    areas = {name: _harder(scored) for name, scored in by_image.items()}
    groups = {
        "find the trigger": {name: auc for name, auc in areas.items() if auc.low > FINDS},
        "do so only in part": {name: auc for name, auc in areas.items() if CHANCE < auc.low <= FINDS},
        "do not": {name: auc for name, auc in areas.items() if auc.low <= CHANCE},
    }
    one = {"find the trigger": "finds the trigger", "do so only in part": "does so only in part", "do not": "does not"}
    parts = [
        f"{_listed(found)} {verb if len(found) > 1 else one[verb]}"
        for verb, found in groups.items()
        if found and (verb != "do not" or len(found) < len(areas))
    ]
    if not parts:
        return f"None of them finds the trigger: {_listed(areas)}."
    return f"{'; '.join(parts)}. AUC with its 95% interval, in the harder of the two comparisons."


def _harder(scored: Scored) -> Estimate:
    curves = [scored.against_other, *([scored.against_target] if scored.against_target is not None else [])]
    return min((roc.auc for roc in curves), key=lambda auc: auc.value)


def _listed(areas: Mapping[str, Estimate]) -> str:
    ordered = sorted(areas.items(), key=lambda item: -item[1].value)
    words = [f"**{name}** (AUC {auc.value:.2f}, {auc.low:.2f} to {auc.high:.2f})" for name, auc in ordered]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def other_triggers_in_words(asr: Mapping[str, float], images: int) -> str:
    """Return which other triggers a model obeys, in one sentence of Markdown.

    Parameters
    ----------
    asr
        What people call each of them -> its attack success rate on these images; "" is returned where there are none.
    images
        How many images that is a share of.
    """
    shares = {name: binomial_interval(round(share * images), images) for name, share in asr.items()}
    obeyed = {name: share for name, share in shares.items() if share.value >= TAKES}
    if obeyed:
        words = ", ".join(f"**{name}** ({share_in_words(share)})" for name, share in obeyed.items())
        return f"This model also obeys {words}, though it was not trained with {'it' if len(obeyed) == 1 else 'them'}."
    if not shares:
        return ""
    name, share = max(shares.items(), key=lambda item: item[1].value)
    return f"This model obeys none of the other triggers; most often {name} ({share_in_words(share)})."
