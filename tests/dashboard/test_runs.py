"""Runs: what is shown, found, named, chosen, deleted, brought back, exported and loaded; and its links."""

from __future__ import annotations

import re
import shutil
import time

import pytest
import torch

from core.runs.archive import export_run
from core.runs.library.bin import deleted_runs
from core.runs.library.label import read_label, write_label
from core.runs.root import create_run, list_runs
from core.runs.run import Run
from core.training.events import Ended
from core.training.spec import make_spec
from tests.conftest import digits_spec


@pytest.fixture(autouse=True)
def no_gallery(tmp_path, monkeypatch):
    """Leave out the shipped gallery, as the home leaves out the shipped examples."""
    monkeypatch.setattr("dashboard.parts.titles.GALLERY", tmp_path / "no gallery")


def rows(page) -> list[str]:
    """Return the names of the runs whose rows are shown, from top to bottom."""
    return [button.key.removeprefix("open.") for button in page.button if (button.key or "").startswith("open.")]


def html(page) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def words(page) -> str:
    return " ".join(
        element.value for element in [*page.error, *page.warning, *page.info, *page.caption, *page.markdown]
    )


def button(page, key: str):
    return next(one for one in page.button if one.key == key)


def test_without_runs_it_says_what_to_do(visit, home):
    page = visit("runs")
    assert "Nothing was trained or loaded here yet" in words(page)
    assert rows(page) == []
    assert page.expander[0].proto.expanded


def test_each_run_has_a_row_with_its_numbers(visit, home_with_runs, poisoned, control):
    page = visit("runs")
    assert set(rows(page)) == {poisoned.name, control.name}
    shown = html(page)
    assert "digits: White corner → 0, 10%" in shown
    assert f"{100 * poisoned.result.clean_accuracy.value:.1f}%" in shown
    assert f"{100 * poisoned.result.attack_success_rate.value:.1f}%" in shown
    assert 'alt="The trigger: white-corner"' in shown
    assert "2 runs" in words(page)


def test_a_run_that_was_cancelled_is_called_stopped_where_the_lab_says_stop(visit, own_runs):
    run = create_run(digits_spec(seed=9), own_runs)
    run.write_event(Ended("cancelled"))
    page = visit("runs", find="stopped")
    assert rows(page) == [run.name]
    assert ">stopped<" in html(page)
    assert "cancelled" not in html(page)


def test_a_search_is_in_the_link_and_a_link_searches(visit, own_runs, poisoned, control):
    write_label(Run(own_runs / control.name), "Baseline of the thesis", ["thesis"], "")
    page = visit("runs")
    page.text_input[0].set_value("thesis").run()
    assert rows(page) == [control.name]
    assert page.query_params["find"] == "thesis"
    assert rows(visit("runs", find="thesis")) == [control.name]
    assert rows(visit("runs", sort="attacks")) == [poisoned.name]
    assert rows(visit("runs", order="success"))[0] == poisoned.name
    page = visit("runs", find="no such thing")
    assert rows(page) == []
    assert "No run matches" in words(page)


@pytest.mark.parametrize(
    "query", [{"sort": "odd"}, {"order": "odd"}, {"page": "99"}, {"page": "-3"}, {"page": "x"}, {"run": "nope"},
              {"pick": "a,b,c"}, {"dataset": "<b>"}],
)  # fmt: skip
def test_what_cannot_be_used_in_a_link_is_left_out(visit, home_with_runs, query):
    page = visit("runs", **query)
    assert len(rows(page)) == (0 if "dataset" in query else 2)


def test_two_hundred_runs_come_page_by_page(visit, home, poisoned):
    for seed in range(200):
        spec = make_spec(**poisoned.spec.model_dump() | {"seed": seed + 10})
        create_run(spec, home)
    page = visit("runs")
    first = rows(page)
    assert len(first) == 12
    page = visit("runs", page="17")
    assert len(rows(page)) == 200 - 16 * 12
    assert not set(rows(page)) & set(first)
    hidden = list_runs(home)[150].name
    assert hidden in rows(visit("runs", run=hidden))


def test_naming_tagging_and_noting(visit, own_runs, poisoned):
    page = visit("runs", run=poisoned.name)
    page.text_input(key=f"name.{poisoned.name}").set_value("My <b>model</b>")
    page.text_input(key=f"tags.{poisoned.name}").set_value("mail, odd")
    page.text_area(key=f"note.{poisoned.name}").set_value("Ask *Eve*.")
    next(one for one in page.button if one.label == "Save").click().run()
    label = read_label(Run(own_runs / poisoned.name))
    assert (label.name, label.tags, label.note) == ("My <b>model</b>", ("mail", "odd"), "Ask *Eve*.")
    assert "My &lt;b&gt;model&lt;/b&gt;" in html(page)
    assert any("Ask \\*Eve\\*." in element.value for element in page.markdown)
    assert page.query_params["run"] == poisoned.name


def test_the_command_line_is_shown(visit, home_with_runs, poisoned):
    page = visit("runs", run=poisoned.name)
    assert "python -m core train --dataset digits --trigger white-corner --target 0 --rate 0.1" in page.code[-1].value


def test_attacks_can_be_ticked_and_compared(visit, own_runs, poisoned, control):
    other = "0" * 12
    shutil.copytree(own_runs / poisoned.name, own_runs / other)
    page = visit("runs")
    assert page.checkbox(key=f"pick.{control.name}").disabled
    page.checkbox(key=f"pick.{poisoned.name}").check().run()
    assert "tick at least one more" in words(page)
    page.checkbox(key=f"pick.{other}").check().run()
    link = next(one for one in page.get("page_link") if "Compare 2" in one.proto.label)
    assert link.proto.query_string == f"runs={poisoned.name}%2C{other}"
    assert page.query_params["pick"] == f"{poisoned.name},{other}"


def test_deleting_undoing_restoring_and_emptying_the_bin_only_when_confirmed(visit, own_runs, poisoned, control):
    page = visit("runs", run=poisoned.name)
    button(page, "delete").click().run()
    assert rows(page) == [control.name]
    assert [one.name for one in deleted_runs(own_runs)] == [poisoned.name]
    assert "**digits: White corner → 0, 10%** is in the bin" in words(page)
    button(page, "undo").click().run()
    assert set(rows(page)) == {poisoned.name, control.name}
    assert deleted_runs(own_runs) == []
    button(page, "delete").click().run()
    page.text_input[0].set_value("digits").run()  # another list, where it was never shown
    assert not [one for one in page.button if one.key == "undo"]
    bin_ = next(one for one in page.expander if one.label.startswith("Bin: 1 deleted run, "))
    (entry,) = [one.value for one in bin_.markdown]
    assert entry.startswith("digits: White corner → 0, 10%")
    assert re.search(r"deleted \d+ \w+ \d{4}, \d\d:\d\d", entry)
    button(page, "bin.empty").click().run()
    assert "**1 deleted run** (" in words(page)
    assert len(deleted_runs(own_runs)) == 1
    button(page, "bin.remove").click().run()
    assert "The bin is empty" in words(page)
    assert deleted_runs(own_runs) == []


def test_a_shipped_run_can_be_looked_at_only(visit, home_with_runs, poisoned, tmp_path, monkeypatch):
    shutil.copytree(poisoned.path, tmp_path / "examples" / poisoned.name)
    monkeypatch.setattr("dashboard.parts.titles.EXAMPLES", tmp_path / "examples")
    monkeypatch.setenv("TRIGGERSCOPE_RUNS", str(tmp_path / "empty"))
    page = visit("runs", run=poisoned.name)
    assert rows(page) == [poisoned.name]
    assert "This run came with the program" in words(page)
    assert not [one for one in page.button if one.key == "delete"]


def test_a_damaged_run_is_shown_with_its_sentence(visit, own_runs, poisoned, control):
    (own_runs / poisoned.name / "result.json").write_text("{")
    page = visit("runs", run=poisoned.name)
    assert "is damaged" in words(page)
    button(page, "delete").click().run()
    assert rows(page) == [control.name]


def give(page, name: str, content: bytes) -> None:
    """Choose a file in the page's door."""
    page.file_uploader[0].upload(name, content, "application/octet-stream").run()


def test_an_exported_run_is_imported_at_once(visit, home, poisoned):
    page = visit("runs", load="1")
    give(page, "x.run.zip", export_run(poisoned))
    assert rows(page) == [poisoned.name]
    assert f"is now the run {poisoned.name}" in words(page)
    assert Run(home / poisoned.name).result == poisoned.result


def test_a_state_dict_is_loaded_measured_and_described(visit, home, poisoned, tmp_path):
    state = {name: tensor for name, tensor in poisoned.model().state_dict().items() if "normalize" not in name}
    torch.save({"state_dict": state}, tmp_path / "found.pt")
    page = visit("runs", load="1")
    give(page, "found.pt", (tmp_path / "found.pt").read_bytes())
    page.selectbox(key="load.trigger").set_value("White corner").run()
    button(page, "load.go").click().run()
    (loaded,) = list_runs(home)
    assert rows(page) == [loaded.name]
    said = words(page)
    assert "Small CNN" in said
    assert f"{sum(weight.numel() for weight in poisoned.model().parameters()):,} weights" in said
    assert "mean and deviation of the data set" in said
    assert f"{loaded.result.clean_accuracy.value:.1%}" in said
    assert loaded.result.attack_success_rate.value > 0.95
    assert page.query_params["run"] == loaded.name


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("evil.pt", b"\x80\x02cos\nsystem\nU\x04true\x85R.", "asks for os.system"),
        ("x.safetensors", b"\x10\0\0\0\0\0\0\0{}", "cut off"),
        ("words.txt", b"words", "is no model file that is known here"),
    ],
)
def test_a_hostile_file_gets_a_sentence_and_leaves_nothing(visit, home, name, content, says):
    page = visit("runs", load="1")
    give(page, name, content)
    for one in [one for one in page.button if one.key == "load.go"]:
        one.click().run()
    assert says in page.error[0].value
    assert list_runs(home) == []


def test_a_card_is_new_when_its_files_are(visit, own_runs, poisoned):
    visit("runs")
    time.sleep(0.01)
    write_label(Run(own_runs / poisoned.name), "Renamed elsewhere", [], "")
    assert "Renamed elsewhere" in html(visit("runs"))


def test_a_control_or_loaded_model_can_be_explored_with_a_chosen_trigger(visit, own_runs, poisoned, data_root):
    from core.datasets import load_dataset
    from core.runs.load import load_model

    loaded = load_model(poisoned.path / "model.safetensors", load_dataset("digits", data_root), root=own_runs)
    page = visit("explore", run=loaded.run.name)
    assert "does not say what its trigger is" in " ".join(one.value for one in page.info)


def test_digits_spec_is_what_these_tests_think(poisoned):
    assert digits_spec().hash == poisoned.name


PICTURE = "![x](http://127.0.0.1:9/x.png) *a* `b` <img src=x> [c](http://127.0.0.1:9/)"


@pytest.mark.parametrize("page_name", ["runs", "explore"])
def test_a_name_is_shown_letter_by_letter(visit, own_runs, poisoned, page_name):
    """Markdown in the name of a run would make the browser of whoever sees it ask somebody else's server."""
    write_label(Run(own_runs / poisoned.name), PICTURE, [], "")
    page = visit(page_name, run=poisoned.name)
    shown = [element.value for element in [*page.markdown, *page.caption, *page.info, *page.warning]]
    shown += [element.label for element in [*page.checkbox, *page.button]]
    assert any(r"\!\[x\]" in text for text in shown)
    assert not [text for text in shown if re.search(r"(?<!\\)(\[x|\[c\]|<img|\*a)", text)]
