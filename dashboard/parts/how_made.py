"""How a run and what is shown of it were made: command lines to copy. And its trigger as a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from core.attacks.triggers import AnyTrigger
from core.figures.trigger_picture import trigger_png
from core.runs.command_line import command_line, slice_line, smoothness_line
from core.runs.measured.spec import MeasureSpec
from core.runs.run import DoneRun, Run


def show_how_made(run: Run, key: str, measured: Mapping[str, str] | None = None) -> None:
    """Show, in a fold, the lines that make a run again, and those of `measured` by what they make."""
    with st.expander("How this was made", icon=":material/terminal:", key=f"made.{key}"):
        shape = run.result.shape if run.result is not None else None
        lines = {"The run": command_line(run.spec, shape), **(measured or {})}
        for what, line in lines.items():
            st.caption(f"{what}, from the command line")
            st.code(line, language="bash", wrap_lines=True)
        st.caption("Run these in the program's folder. The same spec gives the same run.")


def measured_lines(run: DoneRun, spec: MeasureSpec, image: int) -> dict[str, str]:
    """Return the lines that measure W and the slice of one test image again, by what they make."""
    shape = run.result.shape
    return {
        "W of these images": smoothness_line(run, spec, shape),
        "A slice through this image, the same with the trigger, and the nearest image of the target class": slice_line(
            run, spec.attack, image, shape
        ),
    }


def save_trigger(trigger: AnyTrigger, name: str, shape: tuple[int, int, int]) -> None:
    """Offer a trigger on images of (C, H, W) as a picture; `name`, of its run or page, becomes part of the file's."""
    st.download_button(
        "Save the trigger (PNG)",
        partial(trigger_png, trigger, shape),
        file_name=f"triggerscope-{name}-trigger.png",
        mime="image/png",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
        key=f"trigger.{name}.save",
        help="The file has the size of the images, so the trigger keeps its place when the Lab loads it as a picture.",
    )
