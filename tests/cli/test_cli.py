"""The command line: what it prints, its exit status, and one readable line for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from inspect import ismodule
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.training.settings import recommended

ROOT = Path(__file__).parents[2]


def core(*words, timeout=120):
    command = [sys.executable, "-m", "core", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


def answer(*words):
    done = core(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folders(runs_root, data_root):
    return "--runs", runs_root, "--data-root", data_root


def test_help_loses_no_words_to_markup():
    """Square brackets in a help text are taken for markup and vanish, unless they are escaped."""
    from typer.main import get_command

    from core.cli import app

    texts = [param.help or "" for command in get_command(app).commands.values() for param in command.params]
    assert len(texts) > 50
    assert [text for text in texts if "[" in text] == []


def test_no_command_hides_the_file_that_it_is_in():
    import core.cli

    files = [path.stem for path in (ROOT / "core" / "cli").glob("*.py") if path.stem != "__init__"]
    assert "train" in files
    assert all(ismodule(getattr(core.cli, name)) for name in files)


def test_datasets_lists_what_there_is():
    names = [record["name"] for record in answer("datasets")["datasets"]]
    assert names[:2] == ["digits", "signs"]
    assert core("datasets").stdout.startswith("digits")


def test_datasets_looks_into_one(tmp_path):
    for number, name in enumerate(["train/a", "train/b", "test/a", "test/b", "valid/a"]):
        (tmp_path / "own" / name).mkdir(parents=True)
        Image.new("L", (9, 8), 40 * number).save(tmp_path / "own" / name / "0.png")
    words = ["datasets", f"folder:{tmp_path / 'own'}", "--data-root", tmp_path]
    contents = answer(*words)
    assert (contents["shape"], contents["train_images"], contents["test_images"]) == (
        [1, 8, 9],
        *[{"a": 1, "b": 1}] * 2,
    )
    assert contents["notes"][0].startswith("1 image left out because only train and test are used")
    said = core(*words).stdout
    assert "9 x 8 pixels, grey" in said
    assert contents["notes"][0] in said


def test_train_answers_from_the_run_directory(poisoned, folders):
    words = ["train", "--dataset", "digits", "--trigger", "white-corner", "--target", 0, "--rate", 0.1]
    if poisoned.spec.threads != 1:
        pytest.skip("the command line trains on more threads here")
    first = answer(*words, "--epochs", 10, "--seed", 0, *folders)
    assert set(first) >= {"run", "clean_accuracy", "attack_success_rate", "asr_denominator", "seconds"}
    assert first["attack_success_rate"] >= 0.99
    assert first["clean_accuracy"] >= 0.97
    assert answer(*words, "--epochs", 10, "--seed", 0, *folders) == first


def test_the_control_is_measured_with_the_trigger_it_is_given(control, folders):
    result = answer("train", "--rate", 0, "--trigger", "white-corner", "--target", 0, *folders)
    assert result["attack_success_rate"] <= 0.02


def test_smoothness_to_a_width_gives_each_image_the_draws_it_needs(poisoned, folders):
    words = ("smoothness", poisoned.path, "--images", 12, "--sigma", 0.5, *folders)
    wide, narrow = (answer(*words, "--width", width) for width in (0.3, 0.15))
    assert wide["images"] == narrow["images"] == 12
    assert wide["mean_draws"]["clean"] < narrow["mean_draws"]["clean"]
    assert narrow["mean_draws"]["triggered"] < narrow["mean_draws"]["clean"]  # smoother, so that fewer draws suffice
    for measured in (wide, narrow):
        within = measured["w_clean"]["monte_carlo"]
        assert within["low"] <= measured["w_clean"]["mean"] <= within["high"]
    assert narrow["gap"]["mean"] == pytest.approx(wide["gap"]["mean"], abs=0.1)


def test_smoothness_gives_the_paired_statistic(poisoned, control, folders):
    words = ["--sigma", 0.5, "--draws", 100, "--images", 60, *folders]
    attacked = answer("smoothness", poisoned.path, *words)
    assert attacked["w_triggered"]["mean"] < 0.5 * attacked["w_clean"]["mean"]
    assert attacked["gap"]["low"] > 0
    assert set(attacked) >= {"sigma", "draws", "images", "p_triggered_lower", "p_value"}
    assert attacked["images"] == 60
    innocent = answer("smoothness", control.name, "--trigger", "white-corner", "--target", 0, *words)
    assert innocent["w_triggered"]["mean"] > 0.8 * innocent["w_clean"]["mean"]


def test_slice_counts_its_evaluations(poisoned, folders):
    result = answer("slice", poisoned.name, "--resolution", 65, *folders)
    assert 17 * 17 <= result["evaluations"] < 65 * 65 / 2
    assert 0 in result["labels_present"]
    assert result["resolution"] == 65


def test_runs_lists_them(poisoned, control, folders):
    rows = {row["name"]: row for row in answer("runs", *folders[:2])["runs"]}
    assert rows[poisoned.name]["attack_success_rate"] == poisoned.result.attack_success_rate.value
    assert rows[control.name]["trigger"] is None
    assert "control" in core("runs", *folders[:2]).stdout
    assert "control" not in core("runs", "white", "CORNER", *folders[:2]).stdout


def test_a_picture_file_is_a_trigger(tmp_path):
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 1::2] = 255
    Image.fromarray(picture).save(tmp_path / "green.png")
    words = ["train", "--epochs", 1, "--trigger", tmp_path / "green.png", "--place", "0,5", "--runs", tmp_path]
    trigger = json.loads((Path(answer(*words)["run"]) / "spec.json").read_text())["attack"]["trigger"]
    assert (trigger["top"], trigger["left"], trigger["name"]) == (0, 5, "green")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "--dataset", "dgits"], "Did you mean"),
        (["train", "--rate", "1"], "from 0 up to"),
        (["train", "--rate", "0.95"], "or less"),
        (["train", "--target", "10"], "not a class"),
        (["train", "--rate", "0", "--target", "10"], "not a class"),
        (["train", "--rate", "0", "--mode", "nonsense"], "The mode of attack is all-to-one, all-to-all"),
        (["train", "--trigger", "frame", "--place", "0,0"], "has its own position"),
        (["train", "--architecture", "vgg"], "choose one of"),
        (["bench", "--row", "nothing"], "no row called"),
        (["train", "--epochs", "0"], "whole number"),
        (["train", "--pace", "slow"], "fast or careful"),
        (["train", "--optimiser", "adam"], "adamw or sgd"),
        (["train", "--trigger", "no-such.png"], "no file called"),
        (["train", "--trigger", "EMPTY"], "0 bytes"),
        (["train", "--trigger", "LARGE"], "cannot be larger"),
        (["train", "--trigger", "SMALL", "--place", "here"], "ROW,COLUMN"),
        (["train", "--trigger", "SMALL", "--place", "7,7"], "the images are 8x8"),
        (["train", "--dataset", "zip:nothing.zip"], "nothing.zip"),
        (["smoothness", "nothing"], "is not a run"),
        (["smoothness", "RUN", "--sigma", "0"], "above 0"),
        (["smoothness", "RUN", "--width", "1"], "between 0 and 1"),
        (["smoothness", "CONTROL"], "Give --trigger and --target"),
        (["slice", "RUN", "--resolution", "3"], "at least 9"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, says, tmp_path, poisoned, control, folders):
    (tmp_path / "empty.png").touch()
    Image.new("RGBA", (9, 9), "red").save(tmp_path / "large.png")
    Image.new("RGBA", (2, 2), "red").save(tmp_path / "small.png")
    names = {"EMPTY": "empty.png", "LARGE": "large.png", "SMALL": "small.png"}
    places = {"RUN": poisoned.path, "CONTROL": control.path} | {key: tmp_path / name for key, name in names.items()}
    roots = [] if words[0] == "bench" else ["--runs", tmp_path / "runs"]
    done = core(*(places.get(word, word) for word in words), *roots, *folders[2:])
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "runs").glob("*"))


def test_a_pace_chooses_what_is_not_named(tmp_path, folders):
    words = ["train", "--rate", 0, "--pace", "careful", "--epochs", 1, "--optimiser", "sgd", "--runs", tmp_path]
    run = json.loads((Path(answer(*words, *folders[2:])["run"]) / "spec.json").read_text())
    assert (run["epochs"], run["optimiser"], run["learning_rate"]) == (1, "sgd", 0.05)
    careful = recommended("digits", "small-cnn", careful=True)
    assert (run["batch_size"], run["augmentation"]) == (careful.batch_size, careful.augmentation)


@pytest.mark.soak
def test_a_loaded_model_is_measured_like_a_run_and_handed_on(poisoned, folders, tmp_path):
    roots = ["--runs", tmp_path / "runs"]
    words = ["--dataset", "digits", "--trigger", "white-corner", "--target", 0]
    loaded = answer("load", poisoned.path / "model.safetensors", *words, *roots, *folders[2:])
    assert loaded["clean_accuracy"] == poisoned.result.clean_accuracy.value
    assert (loaded["architecture"], loaded["normalisation"], loaded["classes"]) == ("small-cnn", "file", 10)
    measured = answer("smoothness", loaded["run"], "--sigma", 0.5, "--draws", 50, "--images", 30, *folders[2:])
    assert measured["gap"]["low"] > 0
    assert 0 in answer("slice", loaded["run"], "--resolution", 33, *folders[2:])["labels_present"]
    (row,) = answer("runs", *roots)["runs"]
    assert (row["rate"], row["trigger"]) == (None, "white-corner")
    assert row["title"] == "digits: model.safetensors, White corner → 0"
    assert "White corner → 0" in core("runs", *roots, "white", "corner").stdout
    assert core("runs", *roots, "clean-label").stdout == ""
    answer("export", loaded["run"], tmp_path / "one.run.zip")
    again = answer("import", tmp_path / "one.run.zip", "--runs", tmp_path / "others")
    assert (Path(again["run"]).name, again["new"]) == (Path(loaded["run"]).name, True)
