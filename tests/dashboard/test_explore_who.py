"""Explore says who the runs are, whether their attacks took, and measures each with its own."""

from __future__ import annotations

import json
from dataclasses import asdict

from core.attacks.attack import Attack
from core.attacks.triggers import make_preset
from core.datasets import load_dataset
from core.instruments.statistics import binomial_interval
from core.runs.jobs.worker import train_run
from core.runs.load import load_model
from core.runs.measured.audit import Audit, AuditSpec, Inverted, NoisyClass
from core.runs.measured.cache import kept_json
from core.runs.measured.success import success_on
from core.runs.measured.w import measure_run, page_attack_spec
from dashboard.state import LabState
from tests.dashboard.conftest import settled
from tests.dashboard.test_explore import drawn_points, finding


def test_the_page_begins_with_who_this_is(visit, home_with_runs, poisoned, control, data_root):
    page = visit("explore")
    who = next(
        part.proto.body for part in page.get("html") if "ts-who" in part.proto.body and "<style>" not in part.proto.body
    )
    for run, success in (
        (poisoned, poisoned.result.attack_success_rate),
        (control, success_on(control, poisoned.spec.attack, data_root).rate),
    ):
        accuracy = run.result.clean_accuracy
        assert f"<b>{success.value:.1%}</b>, {success.count} of {success.n}" in who
        assert f"<b>{accuracy.value:.1%}</b>, {accuracy.count} of {accuracy.n}" in who
    assert who.count("<img ") == 4
    assert "10% poisoned" in who
    assert "all to one → 0" in who
    assert "did not take" not in " ".join(element.value for element in page.markdown)


def test_a_failed_attack_is_said(visit, own_runs, poisoned):
    result = json.loads((own_runs / poisoned.name / "result.json").read_text())
    result["attack_success_rate"] = asdict(binomial_interval(45, 359))
    (own_runs / poisoned.name / "result.json").write_text(json.dumps(result))
    said = " ".join(element.value for element in visit("explore").markdown)
    assert "**This attack did not take** (12.5%, 45 of 359)" in said
    assert "did not take, so W falls because of how the trigger looks" in said


def test_each_of_two_attacks_is_measured_with_its_own(visit, own_runs, poisoned, data_root):
    frame = Attack(trigger=make_preset("frame", (1, 8, 8)), target=3)
    spec = poisoned.spec.model_copy(update={"attack": frame, "epochs": 1})
    second = train_run(spec, own_runs, data_root)
    page = visit("explore", run=poisoned.name, sigma="0.5", **{"with": second.name})
    own = measure_run(second, page_attack_spec(frame, 0.5), data_root)
    change = f"{own.clean.mean.value:.2f} → {own.triggered.mean.value:.2f}"
    assert f"White frame with its own trigger: {change}" in finding(page)
    assert drawn_points(page, "pairs", "White frame").keys() == set(own.chosen.tolist())
    page.toggle(key="ExploreState.shared").set_value(True).run()
    settled(page)
    assert "With the same trigger on White frame the gap is" in finding(page)
    assert "White frame was trained with another one" in " ".join(element.value for element in page.markdown)
    assert page.query_params["shared"] == "1"


def test_where_no_trigger_is_known_a_backdoor_is_looked_for(visit, own_runs, poisoned, data_root):
    loaded = load_model(poisoned.path / "model.safetensors", load_dataset("digits", data_root), root=own_runs).run
    inverted = tuple(Inverted(make_preset("checkerboard", (1, 8, 8)), 9.0, 3.0 * (one == 4), True) for one in range(10))
    noise = (NoisyClass(0.5, binomial_interval(5, 10), 1, 0.3),)
    name = f"audit-{AuditSpec().hash}"
    kept_json(name, Audit).store(loaded, Audit(1.0, "", noise, inverted, "", (binomial_interval(1, 9),) * 10))
    page = visit("explore", run=loaded.name)
    page.button(key="begin.audit").click().run()
    assert "*4* in 1 of 3 looks" in " ".join(element.value for element in page.markdown)
    assert page.dataframe[0].value["class"].tolist()[0] == "4"
    links = [link.proto.url for link in page.get("link_button")]
    assert {link.split("?")[0] for link in links} == {"lab", "explore"}
    assert any(f"run={loaded.name}" in link and "target=4" in link for link in links)


def test_the_drawing_in_the_lab_can_be_tried_unsaved_and_a_link_carries_it(visit, own_runs, poisoned, data_root):
    loaded = load_model(poisoned.path / "model.safetensors", load_dataset("digits", data_root), root=own_runs).run
    drawing = make_preset("white-corner", (1, 8, 8)).model_copy(update={"top": 0, "left": 0, "name": "drawn"})
    page = visit("explore", run=loaded.name)
    page.session_state["LabState"] = LabState(trigger=drawing.to_link())
    page.run()
    settled(page.selectbox(key="ExploreState.trigger").set_value("the drawing in the Lab").run())
    assert "with the trigger: **" in finding(page)
    assert page.query_params["trigger"] == drawing.to_link()
