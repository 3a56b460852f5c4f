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
        st.Page("start/page.py", title="Start", default=True),
        st.Page("lab/page.py", title="Lab", url_path="lab"),
        st.Page("explore/page.py", title="Explore", url_path="explore"),
        st.Page("compare/page.py", title="Compare", url_path="compare"),
        st.Page("studies/page.py", title="Studies", url_path="studies"),
        st.Page("gallery/page.py", title="Gallery", url_path="gallery"),
        st.Page("runs/page.py", title="Runs", url_path="runs"),
    ],
    position="top",
)
page.run()
if page.title != "Start":  # which sees to that itself, later
    cached.warm_torch()
