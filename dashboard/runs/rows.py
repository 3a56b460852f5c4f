"""One run of the library as a row: its trigger's picture, what it is, and its numbers."""

from __future__ import annotations

import time
from html import escape

from core.glossary import explain
from core.instruments.statistics import Estimate
from core.runs.library.card import Card
from core.runs.library.titles import what_it_is
from core.runs.loaded_spec import LoadedSpec
from core.runs.measured.findings import signed
from core.runs.run import State
from dashboard.parts.html import trigger_source

STYLE = """
<style>
.tr-row { display: grid; grid-template-columns: 52px minmax(9rem, 1fr) repeat(3, 5.6rem); gap: 0.15rem 0.9rem;
  align-items: center; font-variant-numeric: tabular-nums; }
.tr-picture { width: 52px; height: 52px; border-radius: 6px; object-fit: contain; image-rendering: pixelated;
  display: block; box-shadow: 0 0 0 1px rgba(128,128,140,.45); }
.tr-none { width: 52px; height: 52px; border-radius: 6px; border: 1.5px dashed rgba(128,128,140,.55); display: grid;
  place-items: center; font-size: .68rem; opacity: .8; }
.tr-title { font-weight: 620; overflow-wrap: anywhere; line-height: 1.25; }
.tr-about { font-size: .82rem; opacity: .76; overflow-wrap: anywhere; }
.tr-tag { display: inline-block; font-size: .76rem; padding: 0 .5em; margin-right: .3em; border-radius: 999px;
  border: 1px solid rgba(128,128,140,.5); }
.tr-number { text-align: right; line-height: 1.2; }
.tr-number b { font-size: 1.02rem; font-weight: 640; }
.tr-number span { display: block; font-size: .74rem; opacity: .74; }
.tr-state { display: inline-block; font-size: .76rem; font-weight: 600; padding: 0 .5em; border-radius: 999px;
  background: rgba(128,128,140,.2); margin-right: .4em; }
[class*="st-key-row-"] { padding: .55rem .8rem !important; }
/* The bar stays at the foot of the window, whatever is chosen. */
[data-testid="stLayoutWrapper"]:has(> .st-key-picked) { position: sticky; bottom: 0; z-index: 90; }
.st-key-picked { background: light-dark(#f1f1f6, #1d1f2a); border: 1px solid rgba(128,128,140,.45);
  border-radius: .6rem .6rem 0 0; padding: .4rem .9rem; height: 3.6rem; flex-wrap: nowrap; overflow: hidden; }
.st-key-picked [data-testid="stMarkdownContainer"] p { display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; line-height: 1.3; }
.st-key-link-compare a { background: light-dark(#5b3fd1, #a491ff); justify-content: center; }
.st-key-link-compare a * { color: light-dark(#fff, #16122b) !important; font-weight: 600; }
[data-testid="stMain"] { scroll-padding-bottom: 5rem; }
@media (max-width: 640px) {
  .st-key-picked { height: 5.4rem; row-gap: 0; flex-wrap: wrap; } .st-key-picked > :first-child { flex: 1 1 100%; }
  .st-key-picked [data-testid="stMarkdownContainer"] p { -webkit-line-clamp: 1; }
  .tr-row { grid-template-columns: 52px repeat(3, 1fr); } .tr-row .tr-words { grid-column: 2 / -1; }
  .tr-row .tr-words + .tr-number { grid-column: 2; } .tr-number { text-align: left; }
  [class*="st-key-line-"] { flex-wrap: wrap !important; justify-content: space-between; row-gap: .2rem; }
  [class*="st-key-line-"] > div:has(.tr-row) { order: -1; flex: 1 1 100% !important; width: 100% !important; }
}
</style>
"""


def row_html(card: Card, title: str, now: float) -> str:
    """Return a run's row as HTML; its title tells it from the others of the list."""
    return (
        f'<div class="tr-row">{picture_html(card)}'
        f'<div class="tr-words"><div class="tr-title">{escape(title)}</div>'
        f'<div class="tr-about">{about_html(card, now)}</div></div>{numbers_html(card)}</div>'
    )


def picture_html(card: Card) -> str:
    """Return the trigger's picture, or a word in its place."""
    if card.spec is None:
        return '<div class="tr-none">damaged</div>'
    if card.spec.attack is None:
        return f'<div class="tr-none">{"loaded" if isinstance(card.spec, LoadedSpec) else "control"}</div>'
    if card.result is None:
        return '<div class="tr-none">…</div>'
    trigger = card.spec.attack.trigger
    source = trigger_source(trigger.to_link(), card.result.shape, trigger)
    return f'<img class="tr-picture" src="{source}" alt="The trigger: {escape(trigger.name, quote=True)}">'


def about_html(card: Card, now: float) -> str:
    """Return a run's second line: where it stands, its tags, what it is, and how old."""
    parts = []
    if card.problem:
        return escape(card.problem)
    state = "" if card.state is State.DONE else f'<span class="tr-state">{escape(card.state.shown)}</span>'
    if card.label.name:
        parts.append(what_it_is(card.spec, card.result, card.run.name))
    if isinstance(card.spec, LoadedSpec):
        parts.append(f"loaded from {card.spec.file_format}")
    elif card.spec is not None:
        parts.append(
            f"{card.spec.architecture}, {card.spec.epochs} epoch{'s'[: card.spec.epochs > 1]}, seed {card.spec.seed}"
        )
    parts.append(age(now - card.made))
    tags = "".join(f'<span class="tr-tag">{escape(tag)}</span>' for tag in card.label.tags)
    return state + tags + escape(" · ".join(parts))


def age(seconds: float) -> str:
    """Return how long ago something was, in one word or two."""
    for length, name in ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {name} ago"
    return "just now"


def numbers_html(card: Card) -> str:
    """Return clean accuracy, attack success and the W gap."""
    result = card.result
    accuracy = result.clean_accuracy if result is not None else None
    success = result.attack_success_rate if result is not None else None
    gap, low = "–", "not measured"
    if card.gap is not None:
        gap, low = signed(card.gap.value), f"σ = {card.gap_sigma:g}"
    if card.spec is None or card.spec.attack is None or result is None:
        low = ""
    return (
        _number("CA", _share(accuracy), f"of {accuracy.n}" if accuracy else "", explain("clean accuracy"))
        + _number("ASR", _share(success), f"of {success.n}" if success else "", explain("attack success rate"))
        + _number("W gap", gap, low, explain("gap"))
    )


def _share(rate: Estimate | None) -> str:
    return "–" if rate is None else f"{100 * rate.value:.1f}%"


def _number(name: str, value: str, below: str, meaning: str) -> str:
    return (
        f'<div class="tr-number" title="{escape(meaning, quote=True)}"><span>{name}</span><b>{value}</b>'
        f"<span>{escape(below)}</span></div>"
    )


def in_bytes(count: int) -> str:
    """Return a number of bytes for people."""
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 100 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def now() -> float:
    """Return the time in seconds since 1970."""
    return time.time()
