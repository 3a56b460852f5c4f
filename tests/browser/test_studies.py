"""Studies in a browser: verdicts are read, and a click on a point leads to its run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from core.studies.conduct import run_study
from core.studies.folder import SHIPPED, open_study
from tests.browser.serving import PHONE, serve_dashboard
from tests.here import Here


@pytest.fixture(scope="module")
def studied(browser, tmp_path_factory):
    """A dashboard beside the finished tiny study; yields the page's address and the study."""
    home = tmp_path_factory.mktemp("studied")
    study = open_study(SHIPPED / "tiny.toml", home / "runs")
    for _ in run_study(study, home / "runs", home / "data", Here(home / "runs", home / "data")):
        pass
    with serve_dashboard(home) as address:
        yield f"{address}/studies?study={study.path.name}", study


@pytest.mark.soak
def test_a_click_on_a_point_opens_its_run(studied, page):
    address, study = studied
    page.goto(address)
    expect(page.get_by_role("heading", name="Which claims hold")).to_be_visible(timeout=60_000)
    chart = page.get_by_test_id("stPlotlyChart").first
    points = chart.locator(".scatterlayer .points path")
    expect(points.first).to_be_attached()
    chart.scroll_into_view_if_needed()
    box = points.last.bounding_box()  # the strongest attack is drawn last
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 6, y - 6)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(re.compile(r"/explore\?.*run=[0-9a-f]{12}"), timeout=60_000)
    opened = re.search(r"run=([0-9a-f]{12})", page.url)[1]
    assert opened in {row.run for row in study.rows if row.kind == "patch" and row.rate > 0}


@pytest.mark.soak
def test_on_a_phone_nothing_but_the_tables_is_wider_than_the_screen(studied, open_window):
    window = open_window(**PHONE)
    window.goto(studied[0])
    expect(window.get_by_role("heading", name="Which claims hold")).to_be_visible(timeout=60_000)
    expect(window.get_by_test_id("stPlotlyChart").last.locator(".main-svg").first).to_be_attached()
    assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    main = window.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
