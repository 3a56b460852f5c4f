"""Page configuration and navigation, nothing else. Start it as `python -m streamlit run dashboard/app.py`."""

from pathlib import Path

import streamlit as st

from dashboard import cached
from dashboard.style import inject_style

ASSETS = Path(__file__).parent.parent / "assets"

st.set_page_config(page_title="Triggerscope", page_icon=str(ASSETS / "icon.png"), layout="wide")
inject_style()

page = st.navigation(
    [
        st.Page("views/start.py", title="Start", default=True),
        st.Page("views/lab.py", title="Lab"),
        st.Page("views/explore.py", title="Explore"),
        st.Page("views/studies.py", title="Studies"),
        st.Page("views/gallery.py", title="Gallery"),
        st.Page("views/runs.py", title="Runs"),
    ],
    position="top",
)
page.run()
if page.title != "Start":  # which sees to that itself, later
    cached.warm_torch()
