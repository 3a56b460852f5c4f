"""A page with the panels on patterns and detectors and nothing else, for the run in ?run=."""

import streamlit as st

from core.datasets import load_dataset
from core.runs.root import load_run
from dashboard.explore.detectors import show_detectors
from dashboard.explore.patterns import show_patterns
from dashboard.style import inject_style

st.set_page_config(layout="wide")
inject_style()
run = load_run(st.query_params["run"])
data = load_dataset(run.spec.dataset)
with st.expander("Detectors", expanded=True):
    show_detectors(run, data)
with st.expander("Other patterns", expanded=True):
    show_patterns(run, data)
