"""What people who write notebooks import is what it says, whatever else was imported before."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys

import pytest

import core
from core.attacks.attack import Attack
from core.files import PROJECT
from core.training.choices import Choices

KINDS = {
    "InputError": "type",
    "MeasureSpec": "type",
    "RunSpec": "type",
    "Trigger": "type",
    "load_dataset": "function",
    "load_run": "function",
    "make_preset": "function",
    "measure_run": "function",
    "measure_smoothness": "function",
    "slice_plane": "function",
    "sweep_sigma": "function",
    "train_run": "function",
}

NAMES = """
import inspect
def kinds():
    import core
    found = {}
    for name in core.__all__:
        space = {}
        exec(f"from core import {name}", space)
        thing = space[name]
        assert thing.__doc__, name
        found[name] = "type" if inspect.isclass(thing) else "function" if inspect.isfunction(thing) else repr(thing)
    return found
"""
BEFORE = NAMES + "print(kinds())"
# Importing a submodule makes it an attribute of its package: it must not stand where a name of the public face does.
EVERYTHING = """
import importlib, pkgutil, core
for module in pkgutil.walk_packages(core.__path__, "core."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
AFTER = EVERYTHING + BEFORE


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("code", [BEFORE, AFTER], ids=["before", "after every submodule is imported"])
def test_every_public_name_is_what_its_docstring_says(code):
    assert ast.literal_eval(run_python(code)) == KINDS


def test_the_list_of_names_is_sorted_and_whole():
    assert list(core.__all__) == sorted(KINDS)


def test_importing_core_is_cheap():
    code = "import core, sys; print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_the_notebook_of_the_readme_runs_as_it_stands(tmp_path, data_root):
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    places = {"TRIGGERSCOPE_RUNS": str(tmp_path / "runs"), "TRIGGERSCOPE_DATA": str(data_root)}
    printed = run_python(code, **places).splitlines()
    # The arrays of W, then the means and the gap.
    assert len(re.findall(r"\[[\d. \n]+\]", "\n".join(printed[:-1]))) == 3
    clean, triggered, gap, *_ = (float(number) for number in re.findall(r"-?\d+\.\d+(?:e-\d+)?", printed[-1]))
    assert clean - triggered == pytest.approx(gap)


@pytest.fixture(scope="module")
def runs_of_examples(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("thing", [*(getattr(core, name) for name in core.__all__), Attack, Choices])
def test_examples_in_docstrings_give_what_they_say(thing, runs_of_examples, data_root, monkeypatch, capsys):
    monkeypatch.setenv("TRIGGERSCOPE_RUNS", str(runs_of_examples))
    monkeypatch.setenv("TRIGGERSCOPE_DATA", str(data_root))
    (examples,) = doctest.DocTestFinder(recurse=False).find(thing)
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert (outcome.failed, outcome.attempted > 0) == (0, True), capsys.readouterr().out
