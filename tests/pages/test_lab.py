"""The Lab: what is set is what would be trained, and a bad link gives a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from core.datasets import data_folder
from core.jobs import Jobs, _Datasets
from core.runs import State, list_runs
from core.triggers import Trigger, make_preset


def settings(page) -> dict[str, object]:
    boxes = [*page.selectbox, *page.slider, *page.number_input]
    return {box.label: box.value for box in boxes}


def sentences(page) -> str:
    return " ".join(element.value for element in [*page.error, *page.warning, *page.info])


def captions(page) -> str:
    return " ".join(element.value for element in page.caption)


def work(home) -> None:
    """Do what waits in the queue, as a worker would."""
    jobs, datasets = Jobs(home, data_folder()), _Datasets(data_folder())
    while jobs._work_on_next(datasets):
        pass


def test_target_and_rate_decide_how_many_images_are_poisoned(visit, home):
    page = visit("lab")
    assert settings(page) == {"Data set": "digits", "Target class": 0, "Poisoning rate": 10.0, "Epochs": 10, "Seed": 0}
    assert "144 of 1438 training images get the trigger and the label **0**" in captions(page)
    page.selectbox[1].set_value(3).run()
    assert "144 of 1438 training images get the trigger and the label **3**" in captions(page)
    page.slider[0].set_value(20.0).run()
    assert "288 of 1438 training images get the trigger and the label **3**" in captions(page)
    page.slider[0].set_value(0.0).run()
    assert "none of the 1438 training images is poisoned" in captions(page)
    assert page.query_params == {"target": "3", "rate": "0.0"}


def test_train_queues_the_run_and_its_control_and_shows_what_they_reach(visit, home):
    page = visit("lab", epochs="4", rate="20", trigger="frame", target="2")
    page.button(key="train").click().run()
    run, control = sorted(list_runs(home), key=lambda run: run.spec.is_control)
    assert (run.state, control.state) == (State.QUEUED, State.QUEUED)
    assert (run.spec.target, run.spec.rate, run.spec.epochs) == (2, 0.2, 4)
    assert run.trigger == make_preset("frame", (1, 8, 8))
    assert control.spec == run.spec.control()
    assert page.query_params["run"] == run.name
    work(home)
    page.run()
    assert {metric.label: metric.value for metric in page.metric} == {
        "Clean accuracy": f"{run.result.clean_accuracy.value:.1%}",
        "Attack success rate": f"{run.result.attack_success_rate.value:.1%}",
    }
    assert run.result.attack_success_rate.value > 0.9
    assert [link.proto.query_string for link in page.get("page_link")] == [f"run={run.name}"]


def test_cancel_empties_the_queue(visit, home):
    page = visit("lab")
    page.button(key="train").click().run()
    page.button(key="cancel").click().run()
    assert "This training was cancelled" in sentences(page)
    assert [run.state for run in list_runs(home)] == [State.CANCELLED, State.CANCELLED]
    assert Jobs(home, data_folder()).waiting() == []


def test_a_link_brings_back_a_drawn_trigger(visit, home):
    canvas = np.zeros((8, 8, 4), np.uint8)
    canvas[2, 3] = (200, 200, 200, 128)
    page = visit("lab", trigger=Trigger.from_canvas(canvas).to_link())
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, canvas)
    assert page.query_params == {"trigger": Trigger.from_canvas(canvas).to_link()}


def test_an_empty_canvas_cannot_be_trained_with(visit, home):
    page = visit("lab")
    page.session_state["drawing"].replace(np.zeros((8, 8, 4), np.uint8))
    page.run()
    assert "The canvas is empty" in sentences(page)
    assert page.button(key="train").disabled
    page.slider[0].set_value(0.0).run()
    assert not page.button(key="train").disabled


@pytest.mark.parametrize("name", ["nope", "zip:/nowhere/signs.zip"])
def test_an_unknown_data_set_gives_a_sentence_and_can_be_changed(visit, home, name):
    page = visit("lab", dataset=name)
    assert name.removeprefix("zip:") in sentences(page)
    page.selectbox[0].set_value("digits").run()
    assert sentences(page) == ""
    assert "144 of 1438" in captions(page)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"target": "99"}, {"Target class": 9}),
        ({"target": "-1"}, {"Target class": 0}),
        ({"target": "zero"}, {"Target class": 0}),
        ({"rate": "500"}, {"Poisoning rate": 30.0}),
        ({"rate": "nan"}, {"Poisoning rate": 10.0}),
        ({"rate": "-1"}, {"Poisoning rate": 0.0}),
        ({"epochs": "0"}, {"Epochs": 1}),
        ({"epochs": "9999"}, {"Epochs": 200}),
        ({"epochs": "inf"}, {"Epochs": 10}),
        ({"seed": "-1"}, {"Seed": 0}),
        ({"sample": "-3", "colour": "green"}, {}),
    ],
)
def test_what_a_link_says_is_brought_into_range(visit, home, query, expected):
    page = visit("lab", **query)
    assert settings(page) == settings(visit("lab")) | expected


@pytest.mark.parametrize("trigger", ["garbage", "A" * 9000, "", make_preset("frame", (1, 28, 28)).to_link()])
def test_a_trigger_that_cannot_be_used_gives_the_first_preset(visit, home, trigger):
    page = visit("lab", trigger=trigger)
    expected = make_preset("white-corner", (1, 8, 8)).canvas((1, 8, 8))
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, expected)
    assert len(page.toast) == (1 if trigger else 0)


@pytest.mark.parametrize("run", ["0123456789ab", "nope", "..", "/etc", "x" * 300, "a\0b"])
def test_a_run_that_is_not_here_gives_a_sentence(visit, home, run):
    assert "is not on this machine" in sentences(visit("lab", run=run))


def test_a_finished_run_shows_its_outcome(visit, home_with_runs, poisoned):
    page = visit("lab", run=poisoned.name)
    assert page.metric[0].value == f"{poisoned.result.clean_accuracy.value:.1%}"


@pytest.mark.parametrize("file", ["spec.json", "result.json", "events.jsonl"])
def test_a_damaged_run_gives_a_sentence(visit, own_runs, poisoned, file):
    (own_runs / poisoned.name / file).write_text("{")
    page = visit("lab", run=poisoned.name)
    assert poisoned.name in sentences(page) or (file == "events.jsonl" and len(page.metric) == 2)
