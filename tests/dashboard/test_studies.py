"""Studies: what the page says of a study is what its table says, and it can be started, watched and stopped."""

from __future__ import annotations

import re

import pytest

from core.studies.claims import judge
from core.studies.conduct import run_study
from core.studies.folder import SHIPPED, StudyState, find_study, open_study
from core.studies.grid import read_study
from core.studies.tables import write_tables
from dashboard.markdown import plain
from tests.here import Here
from tests.studies.test_claims import course, table


@pytest.fixture
def home_with_study(home, tiny_study, monkeypatch):
    monkeypatch.setenv("TRIGGERSCOPE_RUNS", str(tiny_study[1]))
    return tiny_study[0]


def words(page) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def test_a_finished_study_shows_every_verdict_of_its_table(visit, home_with_study):
    page = visit("studies", study=home_with_study.path.name)
    assert "Done: 6 of 6 runs." in [caption.value for caption in page.caption]
    cells = re.findall(r'<td class="ts-\w+" title="([^"]*)"', words(page))
    judged = judge(home_with_study.rows, home_with_study.epochs)
    assert len(cells) == len(judged["C1"]) + len(judged["C3"])
    assert all("2 seeds, and a verdict needs 5" in cell or "0 seeds" in cell for cell in cells)
    assert len(page.get("plotly_chart")) == 3
    assert page.query_params["study"] == home_with_study.path.name
    said = [markdown.value for markdown in page.markdown]
    notes = " ".join(caption.value for caption in page.caption)
    assert {text[2:4] for text in said if text.startswith("**C")} == {"C1", "C2", "C3"}
    assert "the mean gap beyond the control's" in notes
    assert "the rank correlation of attack success" in notes
    assert "random patterns" not in notes, "the page shows no C4"
    assert "With fewer than 5 seeds everything stays undecided" in notes
    assert any("the rule by which an estimate" in text for text in said), "docs/claims.md can be read here"


def test_the_run_of_a_point_that_is_not_here_can_be_trained_alone(visit, home):
    page = visit("studies")
    assert "Start takes about" in " ".join(caption.value for caption in page.caption)
    row = next(row for row in find_study(read_study(SHIPPED / "digits.toml"), home).rows if row.rate == 0.01)
    page.session_state["studies.missing"] = row.run
    page.session_state["StudiesState.kind"] = row.kind
    page.run()
    assert page.button(key="studies.train").label == "Train this one run"
    assert "1% poisoned" in page.info[0].value


def test_verdicts_are_told_apart_by_sign_and_word(visit, home):
    study = open_study(SHIPPED / "tiny.toml", home)
    rows = table(lambda asr, sigma: 0.3 * asr) + table(lambda asr, sigma: -0.3 * asr, kind="blend")
    write_tables(study.path, "table", rows)
    write_tables(study.path, "epochs", course(0.3))
    page = visit("studies", study=study.path.name)
    text = words(page)
    assert re.search(r'ts-yes" title="supported[^>]*>▲ \+0\.\d\d', text)
    assert re.search(r'ts-no" title="reversed[^>]*>▼ −0\.\d\d', text)


def test_choosing_another_kind_and_sigma_is_kept_in_the_address(visit, home_with_study):
    page = visit("studies", study=home_with_study.path.name)
    page.select_slider[0].set_value(0.2).run()
    page.segmented_control[0].set_value("blend").run()
    assert page.query_params["kind"] == "blend"
    assert page.query_params["sigma"] == "0.2"


def test_a_shipped_study_that_was_never_run_can_be_started(visit, home, monkeypatch):
    started = []
    monkeypatch.setattr(
        "core.runs.jobs.process.subprocess.Popen", lambda command, **_: started.append(command) or Ended()
    )
    page = visit("studies")
    assert "Digits" in page.selectbox[0].options[page.selectbox[0].index]
    page.button(key="studies.start").click().run()
    (command,) = started
    assert command[2:4] == ["core", "study"]


class Ended:
    def poll(self):
        return 0


BROKEN = """
datasets = ["DATASET"]
rates = [0.1]
modes = ["all-to-all"]
targets = [0, 1, 2]
epochs = [1]
seeds = 1
[[triggers]]
kind = "patch"
[measure]
sigmas = [0.3]
"""


def made_study(home, text):
    (home / "made.toml").write_text(text)
    return open_study(home / "made.toml", home)


def test_a_study_that_cannot_be_carried_out_says_why_when_it_is_started(visit, home):
    home.mkdir()
    study = made_study(home, BROKEN.replace("DATASET", "zip:/nowhere/images.zip"))
    page = visit("studies", study=study.path.name)
    assert "2 runs" in words(page), "all-to-all has one goal, whatever targets are named"
    assert not page.error
    page.button(key="studies.start").click().run()
    assert [error.value for error in page.error] == [
        "The ZIP file /nowhere/images.zip can't be opened (No such file or directory): check its path."
    ]
    assert page.run().button(key="studies.start").label == "Start"
    assert not page.error, "it is said once"


def test_a_study_whose_folder_cannot_be_written_says_so_when_it_is_started(visit, home):
    home.mkdir()
    study = made_study(home, BROKEN.replace("DATASET", "digits"))
    (study.path / "log.txt").mkdir()
    page = visit("studies", study=study.path.name)
    page.button(key="studies.start").click().run()
    assert plain(f"{study.path} cannot be written") in page.error[0].value


def test_a_study_that_no_images_could_suit_says_so_and_is_not_started(visit, home):
    home.mkdir()
    broken = BROKEN.replace("DATASET", "digits").replace('kind = "patch"', 'kind = "patch"\nsizes = [9]')
    page = visit("studies", study=made_study(home, broken).path.name)
    assert "make it smaller" in page.error[0].value
    assert not [button for button in page.button if button.key == "studies.start"]


def test_a_study_under_way_shows_how_far_it_is_and_stops_when_asked(visit, home, data_root):
    root = home
    study = open_study(SHIPPED / "tiny.toml", root)
    way = run_study(study, root, data_root, Here(root, data_root))
    next(way)
    assert study.state is StudyState.RUNNING
    page = visit("studies", study=study.path.name)
    page.button(key="studies.stop").click().run()
    next(way)
    assert list(way) == []
    assert study.state is StudyState.STOPPED
    assert visit("studies", study=study.path.name).button(key="studies.start").label == "Resume"


def test_a_link_to_a_study_that_is_not_here_says_so(visit, home):
    page = visit("studies", study="nothing-123456789abc")
    assert "not on this machine" in page.warning[0].value
