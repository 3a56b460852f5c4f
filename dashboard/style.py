"""The few rules of looks that the theme cannot say."""

import streamlit as st

_CSS = """
<style>
.stMainBlockContainer { padding-top: 3.6rem; padding-bottom: 1.5rem; max-width: 1320px; }
h1 { font-size: 1.7rem !important; letter-spacing: -0.015em; padding-bottom: 0 !important; }
h2 { font-size: 1.2rem !important; } h3 { font-size: 1.02rem !important; padding-top: 0 !important; }
[data-testid="stImage"] img { image-rendering: pixelated; border-radius: 6px; }
.ts-lead { font-size: 1.02rem; opacity: 0.82; margin: 0 0 0.4rem 0; max-width: 62rem; }
.ts-number { font-size: 2.9rem; font-weight: 680; line-height: 1.05; font-variant-numeric: tabular-nums; }
.ts-small { font-size: 0.84rem; opacity: 0.78; font-variant-numeric: tabular-nums; }
.ts-chip { display: inline-flex; align-items: center; gap: 0.45em; font-weight: 620; font-size: 1.05rem; }
.ts-chip i { width: 0.85em; height: 0.85em; border-radius: 3px; display: inline-block; flex: none; }
.ts-key { display: inline-flex; align-items: center; gap: 0.35em; margin-right: 0.9em; white-space: nowrap; }
.ts-key i { width: 1.4em; height: 0; display: inline-block; }
.ts-dot { width: 0.8em !important; height: 0.8em !important; border-radius: 3px; }
.st-key-doors a { border: 1px solid rgba(128,128,140,.45); border-radius: 0.6rem; padding: 0.45rem 0.9rem; }
.ts-bar { height: 8px; border-radius: 4px; background: rgba(128,128,140,0.25); position: relative; margin: 0.35rem 0; }
.ts-bar b { position: absolute; top: 0; bottom: 0; border-radius: 4px; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.35rem !important; }
}
@media print { [data-testid="stHeader"], [data-testid="stToolbar"] { display: none; } }
</style>
"""


def inject_style() -> None:
    """Add the rules to this page."""
    st.html(_CSS)
