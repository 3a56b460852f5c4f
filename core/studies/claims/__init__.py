"""The paper's claims, judged on a study's tables: supported, reversed, not supported or undecided.

docs/claims.md explains the rules. In short: the unit is the run, never the image; runs of one seed share their control
and count as one observation; data sets, architectures, kinds of triggers and everything else are never pooled; p values
are corrected over the sigmas by Holm's rule; fewer than five seeds decide nothing.

    judging     judges a whole study
    gaps        C1 and C4: is the gap larger than that of the control, or of random patterns?
    meaning     C2: what W measures
    order       C3: is the gap larger where the attack is more successful?
    verdict     a verdict, and the rule by which an estimate becomes one
    estimates   means and rank correlations over seeds, with intervals and tests
"""

from core.studies.claims.judging import Judged, all_verdicts, as_markdown, judge, to_json
from core.studies.claims.meaning import Meaning
from core.studies.claims.verdict import MARKS, SENTENCES, UNADJUSTED, Outcome, Verdict

__all__ = [
    "MARKS",
    "SENTENCES",
    "UNADJUSTED",
    "Judged",
    "Meaning",
    "Outcome",
    "Verdict",
    "all_verdicts",
    "as_markdown",
    "judge",
    "to_json",
]
