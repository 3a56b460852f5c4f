"""Gallery: small runs included with the project; in some W falls with the trigger, in others it does not."""

from __future__ import annotations

import base64
import io
from html import escape

import streamlit as st
from PIL import Image

from core.figures.palette import CLEAN, TRIGGERED
from core.figures.pictures import picture_row
from core.figures.sparkline import Curves, smoothness_sparkline, sparkline_words
from core.glossary import explain
from core.runs.shipped.gallery import Exhibit, exhibits
from dashboard.parts.head import page_head
from dashboard.parts.sea import mark_key, sea_html
from dashboard.state import ExploreState, to_query


def main() -> None:
    """Show the page."""
    page_head(
        "Gallery",
        "Ten small backdoored models, each next to a clean control. In some, W falls with the trigger, "
        "as the abstract of “Backdoor Smoothing” (Grosse et al., arXiv 2006.06721) says; in others it does not.",
    )
    st.html(
        f'{mark_key("the clean test image", "the same with the trigger")}<div class="ts-small">Colour maps: W over a '
        "plane through both images, along the trigger and one random direction. Where it is dark blue, noise does not "
        "change the prediction.</div>"
        f'<div class="ts-small"><span class="ts-key"><i style="border-top:3px solid {CLEAN}"></i>W clean</span>'
        f'<span class="ts-key"><i style="border-top:3px dashed {TRIGGERED}"></i>W with the trigger</span>'
        '<span class="ts-key">thin: the control</span>Charts: mean of 100 test images, 100 draws each, over σ. Each '
        "model was trained once (seed 0), so one card proves nothing.</div>"
    )
    shown = exhibits()
    for first in range(0, len(shown), 3):
        for place, exhibit in zip(st.columns(3, gap="small"), shown[first : first + 3], strict=False):
            with place.container(border=True, height="stretch"):
                show_exhibit(exhibit)


def show_exhibit(exhibit: Exhibit) -> None:
    """Show one run as a card: its pictures, its W over sigma, what that says, and a link to it."""
    spec, result = exhibit.run.spec, exhibit.run.result
    attack, success = spec.attack, result.attack_success_rate
    assert attack is not None, "the gallery shows runs under an attack"
    assert success is not None, "the gallery shows runs whose attack was measured"
    target = "the next class" if attack.target is None else result.classes[attack.target]
    st.subheader(f"{exhibit.title}, {100 * (spec.rate or 0):g}%", anchor=False, help=explain("poisoning rate"))
    words = f"A test image of {spec.dataset}, without and with the trigger"
    sigma = exhibit.clearest.sigma
    st.html(
        f'<p class="ts-shows">{escape(exhibit.verdict)}</p>{sea_html(exhibit.run.name, sigma)}'
        '<div class="ts-beside">'
        f'<img src="{_pictures(exhibit)}" alt="{words}" class="ts-crisp">{_sparkline(exhibit)}</div>'
        f'<div class="ts-small">{escape(exhibit.why)} {escape(exhibit.summary)}</div>'
        f'<div class="ts-small" style="margin-top:.3rem">{escape(spec.dataset)} → {escape(target)}; clean '
        f"accuracy {result.clean_accuracy.value:.1%}, attack success {success.value:.1%}</div>"
    )
    query = to_query(ExploreState(run=exhibit.run.name, with_=exhibit.control.name, sigma=sigma))
    with st.container(key=f"link-{exhibit.run.name}"):
        st.page_link("explore/page.py", label="Explore it →", query_params=query)


def _sparkline(exhibit: Exhibit) -> str:
    points = exhibit.points
    curves = (
        [point.sigma for point in points],
        Curves([point.clean for point in points], [point.triggered for point in points]),
        Curves([point.control_clean for point in points], [point.control_triggered for point in points]),
    )
    url = _as_url("image/svg+xml", smoothness_sparkline(*curves).encode())
    return f'<img src="{url}" alt="{sparkline_words(*curves)}" style="width:100%">'


def _pictures(exhibit: Exhibit) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture_row(exhibit.pictures, 96)).save(buffer, "PNG", optimize=True)
    return _as_url("image/png", buffer.getvalue())


def _as_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


main()
