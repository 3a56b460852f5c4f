"""Runs in a browser: a model file is brought, described and measured; a run is handed on as one file."""

from __future__ import annotations

import pytest
import torch
from playwright.sync_api import Page, expect

from core.runs.archive import import_run
from tests.browser.pages import address_of, rest
from tests.browser.screenshots import wait_until_drawn
from tests.browser.serving import PHONE, serve_dashboard


@pytest.fixture(scope="module")
def library(browser, tmp_path_factory):
    with serve_dashboard(tmp_path_factory.mktemp("library")) as address:
        yield address


def test_a_model_is_brought_measured_and_handed_on(page: Page, library, poisoned, tmp_path):
    torch.save({"model": poisoned.model().state_dict(), "num_classes": 10}, tmp_path / "attack_result.pt")
    page.goto(f"{library}/runs?load=1")
    rest(page)
    page.locator("input[type=file]").set_input_files(tmp_path / "attack_result.pt")
    page.get_by_role("button", name="Load and measure").click()
    expect(page.get_by_text("is a Small CNN with 10 classes")).to_be_visible()
    expect(page.get_by_text("How it is asked: as the file says.")).to_be_visible()
    expect(page.locator(".tr-row").first).to_contain_text("digits: attack_result.pt")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as one file").click()
    assert download.value.suggested_filename.endswith(".run.zip")
    found = import_run(download.value.path(), tmp_path / "elsewhere").run
    assert found.result.clean_accuracy == poisoned.result.clean_accuracy
    rest(page)
    page.goto(address_of(page))
    page.get_by_text("How this was made").click()
    expect(page.get_by_text("python -m core load attack_result.pt")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen_nor_moves_when_a_run_is_chosen(open_window, library):
    phone = open_window(**PHONE)
    phone.goto(f"{library}/runs?sort=attacks&dataset=digits")
    expect(phone.locator(".tr-row").first).to_be_visible()
    wait_until_drawn(phone)
    boxes, clear = phone.locator("[class*=st-key-pick] label"), phone.get_by_role("button", name="Clear selection")
    boxes.first.scroll_into_view_if_needed()
    before = [one.bounding_box() for one in [clear, *boxes.all()]]
    boxes.first.click()
    expect(clear).to_be_enabled()
    assert [one.bounding_box() for one in [clear, *boxes.all()]] == before
    boxes.nth(1).click()
    compare = phone.get_by_role("link", name="Compare 2 →")
    expect(compare).to_be_visible()
    rest(phone)
    phone.get_by_role("button", name="Details").first.click()
    phone.get_by_text("How this was made").click()
    expect(phone.get_by_text("The run, from the command line")).to_be_visible()
    assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
    compare.click()
    expect(phone.locator(".ts-compare img")).to_have_count(2)
    assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
