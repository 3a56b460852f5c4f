"""The Lab: what is set is what would be trained, and a bad link gives a sentence."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.attacks.triggers import Sinusoid, Trigger, Warp, make_preset
from core.attacks.triggers.canvases import blend_noise
from core.attacks.triggers.library import TriggerLibrary
from core.attacks.triggers.visibility import visible_change
from core.datasets import data_folder, load_dataset
from core.models.registry import ARCHITECTURES
from core.runs.jobs.last_dataset import LastDataset
from core.runs.jobs.queue import Queue
from core.runs.root import list_runs
from core.runs.run import State
from dashboard.lab.samples import sample_places
from dashboard.lab.wanted import are_settings_of
from dashboard.markdown import plain
from dashboard.parts.lab_link import lab_state
from dashboard.parts.titles import run_title
from dashboard.state import LabState
from tests.conftest import digits_spec


def settings(page) -> dict[str, object]:
    boxes = [*page.selectbox, *page.slider, *page.number_input]
    return {box.label: box.value for box in boxes}


def sentences(page) -> str:
    return " ".join(element.value for element in [*page.error, *page.warning, *page.info])


def captions(page) -> str:
    return " ".join(element.value for element in page.caption)


def verdict(page) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.get("html")])


def work(home) -> None:
    """Do what waits in the queue, as a worker would."""
    jobs, load = Queue(home, data_folder()), LastDataset(data_folder())
    while jobs._work_on_next(load):
        pass


def test_target_and_rate_decide_how_many_images_are_poisoned(visit, home):
    page = visit("lab")
    attack = {"Data set": "digits", "Attack": "all-to-one", "Target class": 0, "Poisoning rate": 10.0}
    assert settings(page).items() >= {**attack, "Epochs (up to 200)": 10, "Seed": 0}.items()
    assert "144 of 1438 training images get the trigger and the label **0**" in captions(page)
    page.selectbox(key="LabState.target").set_value(3).run()
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
    assert (run.spec.attack.target, run.spec.rate, run.spec.epochs) == (2, 0.2, 4)
    assert run.trigger == make_preset("frame", (1, 8, 8))
    assert control.spec == run.spec.control()
    assert page.query_params["run"] == run.name
    work(home)
    page.run()
    success, accuracy = run.result.attack_success_rate, run.result.clean_accuracy
    assert success.value > 0.9
    assert f"**{success.count} of {success.n}** test images of other classes are taken for **2**" in verdict(page)
    assert f"Clean accuracy is **{accuracy.value:.1%}** ({accuracy.count} of {accuracy.n}), " in verdict(page)
    assert [link.proto.query_string for link in page.get("page_link")] == [f"run={run.name}"]
    # W follows by itself, in the run and in its control, and is no verdict.
    for _ in range(5):
        page.run()
    assert "One run, one seed, one noise level (σ = 0.5, 100 images)." in captions(page)


def test_a_result_is_never_shown_as_that_of_other_settings(visit, home_with_runs, poisoned):
    page = visit("lab", run=poisoned.name)
    assert "It works." in verdict(page)
    assert "Press Train for the settings above" not in captions(page)
    page.selectbox(key="LabState.mode").set_value("source-specific").run()
    assert f"This is **{plain(run_title(poisoned))}**. Press Train for the settings above." in captions(page)
    page.selectbox(key="LabState.mode").set_value("all-to-one").run()
    assert "Press Train for the settings above" not in captions(page)
    page.number_input(key="LabState.seed").set_value(5).run()
    page.session_state["drawing"].replace(make_preset("frame", (1, 8, 8)).canvas((1, 8, 8)))
    page.run()
    assert "Press Train for the settings above" in captions(page)
    page.button(key="back").click().run()
    assert "Press Train for the settings above" not in captions(page)
    assert (page.number_input(key="LabState.seed").value, page.query_params) == (0, {"run": poisoned.name})


def test_a_remedy_changes_the_settings_so_that_train_is_next(visit, home):
    page = visit("lab", epochs="1", rate="0.5", trigger=Sinusoid(delta=0.01, frequency=2.0).to_link())
    page.button(key="train").click().run()
    work(home)
    page.run()
    assert "It did not take." in verdict(page)
    words = [button.label for button in page.button if str(button.key).startswith("remedy.")]
    assert words == ["Make the trigger twice as strong", "Raise the rate to 1%", "Train for 3 epochs"]
    page.button(key="remedy.0").click().run()
    assert page.query_params["trigger"] == Sinusoid(delta=0.02, frequency=2.0).to_link()
    assert "Press Train for the settings above" in captions(page)
    assert not [button for button in page.button if str(button.key).startswith("remedy.")]
    page.button(key="train").click().run()
    assert Sinusoid(delta=0.02, frequency=2.0) in [run.trigger for run in list_runs(home)]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rate": 0.0, "seed": 3},
        {"mode": "source-specific", "sources": (1, 7), "cover_rate": 0.03, "rate": 0.04, "random_place": True},
        {"mode": "clean-label", "perturbed": True, "trigger": Warp(k=3), "rate": 0.05, "target": 4},
        {"architecture": "mlp", "epochs": 2, "batch_size": 128, "optimiser": "sgd", "learning_rate": 0.02,
         "weight_decay": 0.001, "augmentation": "shift", "seed": 9},
    ],
)  # fmt: skip
def test_the_lab_can_take_up_the_settings_of_any_run(values):
    spec = digits_spec(**values)
    state = lab_state(spec, spec.hash)
    trigger = None if spec.attack is None else spec.attack.trigger
    assert are_settings_of(spec, state, trigger)
    assert not are_settings_of(digits_spec(**values | {"epochs": 7}), state, trigger)


def test_where_the_queue_is_one_short_neither_the_run_nor_its_control_is_queued(visit, home, monkeypatch):
    monkeypatch.setattr("core.runs.jobs.queue.QUEUE_LIMIT", 1)
    page = visit("lab")
    page.button(key="train").click().run()
    assert "0 trainings are waiting already" in sentences(page)
    assert list_runs(home) == []
    assert Queue(home, data_folder()).waiting() == []


def test_stop_leaves_a_control_that_another_run_shares(visit, home):
    page = visit("lab", epochs="2")
    page.button(key="train").click().run()
    page.selectbox(key="LabState.target").set_value(3).run()
    page.button(key="train").click().run()
    page.button(key="stop").click().run()
    states = {run.spec.attack and run.spec.attack.target: run.state for run in list_runs(home)}
    assert states == {0: State.QUEUED, 3: State.CANCELLED, None: State.QUEUED}
    assert "Control: queued, 0 of 2 epochs." in captions(page)


def test_stop_empties_the_queue(visit, home):
    page = visit("lab")
    page.button(key="train").click().run()
    page.button(key="stop").click().run()
    assert "This training was stopped after 0 of 10 epochs" in sentences(page)
    assert [run.state for run in list_runs(home)] == [State.CANCELLED, State.CANCELLED]
    assert Queue(home, data_folder()).waiting() == []


def test_a_stopped_training_can_be_resumed(visit, home):
    page = visit("lab", epochs="2")
    page.button(key="train").click().run()
    page.button(key="stop").click().run()
    page.button(key="resume").click().run()
    assert [run.state for run in list_runs(home)] == [State.QUEUED, State.QUEUED]
    assert sentences(page) == ""
    work(home)
    page.run()
    assert "Clean accuracy is" in verdict(page)


def test_every_setting_reaches_the_spec_and_the_link_brings_it_back(visit, home):
    query = {
        "mode": "source-specific", "target": "2", "sources": "1-7", "cover": "3.0", "rate": "4.0", "anywhere": "1",
        "architecture": "mlp", "epochs": "2", "batch": "128", "optimiser": "sgd", "learning_rate": "0.02",
        "weight_decay": "0.001", "augmentation": "shift", "seed": "9", "precision": "float32", "sample": "3",
    }  # fmt: skip
    page = visit("lab", **query)
    page.button(key="train").click().run()
    spec = max(list_runs(home), key=lambda run: run.spec.rate).spec
    attack = spec.attack
    assert (attack.mode, attack.target, attack.sources, attack.random_place) == ("source-specific", 2, (1, 7), True)
    assert (spec.rate, spec.cover_rate, spec.perturbed) == (0.04, 0.03, False)
    network = (spec.architecture, spec.epochs, spec.batch_size, spec.augmentation, spec.seed, spec.precision)
    assert network == ("mlp", 2, 128, "shift", 9, "float32")
    assert (spec.optimiser, spec.learning_rate, spec.weight_decay) == ("sgd", 0.02, 0.001)
    assert dict(page.query_params) == query | {"run": spec.hash}
    poisoned = "58 of the 289 training images of **1**, **7** get the trigger and the label **2**; 43 of other classes"
    assert poisoned in captions(page)


def test_a_mode_starts_where_it_works_and_its_rate_ends_where_its_images_do(visit, home):
    page = visit("lab")
    page.selectbox(key="LabState.mode").set_value("clean-label").run()
    rate = page.slider(key="LabState.rate")
    assert (rate.value, rate.max, page.query_params["trigger"], page.toggle(key="LabState.perturbed").value) == (
        5.0, 9.5, "frame", True,
    )  # fmt: skip
    rate.set_value(9.5).run()
    page.button(key="train").click().run()
    assert sentences(page) == ""
    page.selectbox(key="LabState.mode").set_value("source-specific").run()
    rate = page.slider(key="LabState.rate")
    assert (rate.value, rate.max) == (5.0, 5.0)  # half of the class
    page.multiselect(key="LabState.sources").set_value([1, 2]).run()
    assert page.slider(key="LabState.rate").max == 10.0
    page.selectbox(key="LabState.mode").set_value("all-to-one").run()
    assert page.slider(key="LabState.rate").max == 30.0
    # A link cannot ask for more either.
    assert visit("lab", mode="clean-label").slider(key="LabState.rate").value == 9.5


def test_a_random_place_starts_with_a_trigger_that_is_told_from_the_images(visit, home):
    page = visit("lab")
    page.toggle(key="LabState.anywhere").set_value(True).run()
    assert page.query_params["trigger"] == "checkerboard"
    own = visit("lab", trigger="yellow-sticker")
    own.toggle(key="LabState.anywhere").set_value(True).run()
    assert own.query_params["trigger"] == "yellow-sticker"


@pytest.mark.parametrize(
    ("mode", "said", "shown"),
    [
        ("all-to-all", "get the trigger and the label of the next class", {*range(10)}),
        ("clean-label", "of the 145 training images of **4** get the trigger and keep their label", {4}),
        ("source-specific", "training images of **5** get the trigger and the label **4**; 72 of other classes", {5}),
    ],
)
def test_each_mode_shows_images_that_it_poisons_and_what_it_makes_of_them(visit, home, mode, said, shown):
    page = visit("lab", mode=mode, target="4")
    assert said in captions(page)
    data = load_dataset("digits")
    places = sample_places(data, LabState(mode=mode, target=4, sources="5"), make_preset("frame", (1, 8, 8)))
    assert len(places) == 8
    assert set(data.train.labels[places].tolist()) <= shown
    page.button(key="train").click().run()
    spec = max(list_runs(home), key=lambda run: run.spec.rate).spec
    assert (spec.attack.mode, spec.attack.target) == (mode, None if mode == "all-to-all" else 4)


def test_careful_trains_longer_and_forgets_what_was_set_by_hand(visit, home):
    page = visit("lab", epochs="4", learning_rate="0.5")
    assert (settings(page)["Epochs (up to 200)"], settings(page)["Learning rate"]) == (4, 0.5)
    page.button_group(key="LabState.preset").set_value("careful").run()
    assert (settings(page)["Epochs (up to 200)"], settings(page)["Learning rate"]) == (30, 0.01)
    assert page.query_params == {"preset": "careful"}
    page.selectbox(key="LabState.optimiser").set_value("sgd").run()
    assert settings(page)["Learning rate"] == 0.05
    assert page.query_params == {"preset": "careful", "optimiser": "sgd"}


@pytest.mark.parametrize("formula", [Sinusoid(delta=0.25, frequency=2.0), Warp(k=3, strength=1.5, seed=7)])
def test_a_link_brings_back_a_formula_and_trains_with_it(visit, home, formula):
    page = visit("lab", trigger=formula.to_link(), epochs="1")
    page.button(key="train").click().run()
    assert list_runs(home)[-1].trigger == formula or list_runs(home)[0].trigger == formula
    assert page.query_params["trigger"] == formula.to_link()
    page.button_group(key="LabState.trigger_source").set_value("draw").run()
    assert "trigger" not in page.query_params  # what was drawn before is back


def test_the_sliders_of_a_formula_change_the_trigger(visit, home):
    page = visit("lab")
    page.button_group(key="LabState.trigger_source").set_value("formula").run()
    assert page.query_params["trigger"] == Sinusoid(frequency=2).to_link()
    page.slider(key="formula.sinusoid.delta").set_value(51).run()
    assert page.query_params["trigger"] == Sinusoid(delta=0.2, frequency=2).to_link()
    page.button_group(key="formula.kind").set_value("noise").run()
    assert page.query_params["trigger"] == "blend"
    page.slider(key="formula.noise.opacity").set_value(50).run()
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, blend_noise((1, 8, 8), 0.5, 2017))
    page.button_group(key="LabState.trigger_source").set_value("draw").run()
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, blend_noise((1, 8, 8), 0.5, 2017))


def test_the_data_set_limits_the_settings_of_formulas_and_blends(visit, home):
    page = visit("lab")
    page.button_group(key="LabState.trigger_source").set_value("formula").run()
    page.button_group(key="formula.kind").set_value("warp").run()
    assert page.slider(key="formula.warp.k").max == 8  # the digits' pixels a side
    page.button_group(key="formula.kind").set_value("image").run()
    number = page.number_input(key="formula.image.number")
    assert (number.max, number.value) == (len(load_dataset("digits").train) - 1, 7)


def test_an_architecture_says_what_it_is_and_whether_it_suits_the_images(visit, home, monkeypatch):
    page = visit("lab", architecture="mlp")
    assert ARCHITECTURES["mlp"].sentence in [caption.value for caption in page.caption]
    monkeypatch.setitem(ARCHITECTURES, "mlp", replace(ARCHITECTURES["mlp"], smallest_side=16))
    page.run()
    assert "at least 16x16" in page.warning[0].value
    page.button(key="train").click().run()
    assert "at least 16x16" in page.error[0].value
    assert not list_runs(home)


def test_a_word_is_written_on_the_canvas_and_strokes_on_it_stay(visit, home):
    page = visit("lab", trigger_source="text")
    page.text_input(key="text.words").set_value("hi").run()
    first = page.session_state["drawing"].rgba
    assert 4 < (first[..., 3] > 0).sum() < 40
    drawn = first.copy()
    drawn[0, 0] = 255
    page.session_state["drawing"].replace(drawn)
    page.run()
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, drawn)
    page.slider(key="text.opacity").set_value(50).run()
    assert page.session_state["drawing"].rgba[..., 3].max() == 128


def picture_file(side: int = 40, shade: int = 200) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (shade,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_is_cropped_scaled_and_placed(visit, home):
    page = visit("lab", trigger_source="picture")
    page.file_uploader(key="picture.file").upload("grey.png", picture_file(), "image/png").run()
    expected = np.zeros((8, 8, 4), np.uint8)
    expected[4:, 4:] = (200, 200, 200, 255)
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, expected)
    page.slider(key="picture.side").set_value(2).run()
    page.slider(key="picture.x").set_value(0).run()
    expected[...] = 0
    expected[6:, :2] = (200, 200, 200, 255)
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, expected)
    page.slider(key="picture.across").set_value((50, 50)).run()
    assert "Nothing is left of the picture" in sentences(page)
    np.testing.assert_array_equal(page.session_state["drawing"].rgba, expected)


def test_a_file_that_is_no_picture_gives_a_sentence(visit, home):
    page = visit("lab", trigger_source="picture")
    page.file_uploader(key="picture.file").upload("evil.png", b"not a picture", "image/png").run()
    assert "evil.png is not a picture that can be read" in sentences(page)
    page.file_uploader(key="picture.file").upload("grey.png", picture_file(), "image/png").run()
    assert sentences(page) == ""


def test_how_visible_a_trigger_is_stands_beside_it(visit, home):
    data = load_dataset("digits")
    images = data.train.images[sample_places(data, LabState(), None)].numpy()
    after = images.copy()
    after[:, :, 6:, 6:] = 255  # the white corner
    change = np.abs(after / 255 - images / 255)
    page = visit("lab")
    words = verdict(page)
    assert f"**Visibility {visible_change(images, after).jnd:.0f}×** · clearly visible" in words
    assert f"**L2** {np.sqrt((change**2).sum((1, 2, 3))).mean():.2f}" in words
    assert f"**L∞** {change.max((1, 2, 3)).mean():.2f}" in words
    page.toggle(key="blinks").set_value(True).run()
    assert verdict(page).count("Without the trigger") == 2  # at true size and enlarged


def test_a_trigger_is_saved_used_deleted_and_brought_back(visit, home):
    page = visit("lab", trigger_source="saved", trigger="frame")
    page.text_input(key="saved.name").set_value("my frame").run()
    page.button(key="saved.save").click().run()
    page.button_group(key="LabState.trigger_source").set_value("draw").run()
    page.button_group(key="preset").set_value("checkerboard").run()
    assert page.query_params["trigger"] == "checkerboard"
    other = visit("lab", trigger_source="saved")  # somebody else
    other.button(key="saved.use.my frame").click().run()
    assert other.query_params["trigger"] == "frame"
    other.text_input(key="saved.name").set_value("My Frame").run()
    other.button(key="saved.save").click().run()
    assert "There is already a saved trigger called 'My Frame'" in sentences(other)
    other.button(key="saved.delete.my frame").click().run()
    assert "Nothing is saved yet" in captions(other)
    other.button(key="saved.undo").click().run()
    assert not other.button(key="saved.use.my frame").disabled
    # It does not fit images of another size, and says so.
    small = TriggerLibrary(home / ".triggers")
    small.save(make_preset("frame", (1, 28, 28)), "large frame")
    other.run()
    assert other.button(key="saved.use.large frame").disabled
    assert "Does not fit these images" in captions(other)


def change_three_times(page) -> list[dict[str, str]]:
    """Return the addresses before each of three changes; they end at a rate of 30."""
    addresses = []
    for rate in (20.0, 25.0, 30.0):
        addresses.append(dict(page.query_params))
        page.slider(key="LabState.rate").set_value(rate).run()
    return addresses


def test_addresses_that_quick_clicks_still_bring_are_not_gone_back_to(visit, home):
    page = visit("lab", target="3")
    for address in change_three_times(page):
        page.query_params = address
        page.run()
        assert page.slider(key="LabState.rate").value == 30.0
        assert page.query_params == {"target": "3", "rate": "30.0"}


def test_the_back_button_brings_back_what_was_shown(visit, home, monkeypatch):
    page = visit("lab", target="3")
    addresses = change_three_times(page)
    monkeypatch.setattr("dashboard.state.SETTLING_SECONDS", 0.0)  # as some seconds later
    page.query_params = addresses[1]
    page.run()
    assert page.slider(key="LabState.rate").value == 20.0
    assert page.query_params == addresses[1] == {"target": "3", "rate": "20.0"}


def test_a_link_from_another_page_counts_at_once(visit, home):
    page = visit("lab", target="3")
    addresses = change_three_times(page)
    page.switch_page("start/page.py")
    page.query_params = {}
    page.run()
    page.switch_page("lab/page.py")
    page.query_params = addresses[1]
    page.run()
    assert page.slider(key="LabState.rate").value == 20.0


def test_a_zip_is_looked_at_before_it_is_used(visit, home, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIGGERSCOPE_DATA", str(tmp_path / "data"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(12):
            archive.writestr(f"{('cat', 'dog')[number % 2]}/{number}.png", picture_file(12, 200 - number))
        archive.writestr("cat/phone.heic", b"another kind of picture")
    page = visit("lab")
    page.selectbox(key="LabState.dataset").set_value("zip:").run()
    page.file_uploader(key="dataset.upload").upload("bad.zip", buffer.getvalue()[:300]).run()
    assert "bad.zip is no ZIP file, or only part of one" in sentences(page)
    page.file_uploader(key="dataset.upload").upload("pets.zip", buffer.getvalue()).run()
    words = " ".join(element.value for element in page.markdown)
    assert "**2 classes**, 10 images to train and 2 to test with, 12×12 pixels, colour." in words
    assert "1 file left out because it is not an image" in captions(page)
    page.button(key="dataset.use").click().run()
    assert "1 file left out because it is not an image" in captions(page)
    assert page.query_params["dataset"].startswith("zip:")
    assert "1 of 10 training images get the trigger and the label **cat**" in captions(page)
    # It is in the list from now on, for others too.
    assert "pets.zip" in visit("lab").selectbox(key="LabState.dataset").options


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
        ({"epochs": "-3"}, {"Epochs (up to 200)": 1}),
        ({"epochs": "0"}, {"Epochs (up to 200)": 10}),
        ({"epochs": "9999"}, {"Epochs (up to 200)": 200}),
        ({"epochs": "inf"}, {"Epochs (up to 200)": 10}),
        ({"seed": "-1"}, {"Seed": 0}),
        ({"sample": "-3", "colour": "green"}, {}),
        ({"mode": "all-for-one"}, {"Attack": "all-to-one"}),
        ({"architecture": "gpt", "preset": "sloth"}, {"Architecture": "small-cnn"}),
        ({"optimiser": "lion", "precision": "int1", "augmentation": "mixup"}, {"Optimiser": "adamw"}),
        ({"batch": "7"}, {"Batch size": 64}),
        ({"learning_rate": "1e9"}, {"Learning rate": 10.0}),
        ({"weight_decay": "7"}, {"Weight decay": 1.0}),
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
    assert f"Clean accuracy is **{poisoned.result.clean_accuracy.value:.1%}**" in verdict(page)


@pytest.mark.parametrize("file", ["spec.json", "result.json", "events.jsonl"])
def test_a_damaged_run_gives_a_sentence(visit, own_runs, poisoned, file):
    (own_runs / poisoned.name / file).write_text("{")
    page = visit("lab", run=poisoned.name)
    assert poisoned.name in sentences(page) or (file == "events.jsonl" and "Clean accuracy" in verdict(page))
