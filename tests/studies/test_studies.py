"""Studies: the grid that a file means, the table that comes out, and that neither a bad cell nor kill -9 spoils it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from core.attacks.triggers import make_preset
from core.datasets import load_dataset
from core.errors import InputError
from core.runs.jobs.queue import Queue
from core.runs.measured.spec import make_measure_spec
from core.runs.measured.w import measure_run
from core.runs.root import find_run
from core.studies.cell import CellResult
from core.studies.cells import read_cell
from core.studies.claims import Outcome, as_markdown, judge
from core.studies.columns import EpochRow, Row, with_controls
from core.studies.conduct import run_study
from core.studies.folder import SHIPPED, Study, StudyState, find_study, list_studies, open_study
from core.studies.grid import read_study
from core.studies.local_pool import ATTEMPTS, LocalPool
from core.studies.measuring import entropy_and_mistakes
from core.studies.plan import count_runs, plan_cells
from core.studies.tables import read_table
from tests.here import Here

TINY = SHIPPED / "tiny.toml"
PROCESSES = Path("/proc")
ROOT = Path(__file__).parents[2]
SMALL = """
datasets = ["digits"]
rates = [0, 0.1]
epochs = [1]
seeds = 1
[[triggers]]
kind = "patch"
[measure]
images = 4
draws = 4
sigmas = [0.3]
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, data_root) -> tuple[Study, Path]:
    """The tiny study, undisturbed, and the runs' root."""
    root = tmp_path_factory.mktemp("undisturbed")
    study = open_study(TINY, root)
    *_, last = run_study(study, root, data_root, Here(root, data_root))
    assert (last.done, last.failed, last.total) == (6, 0, 6)
    return study, root


def write(folder: Path, text: str, name: str = "made.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


# What may differ between two computations of the same study; every other column is equal.
CIRCUMSTANCES = ("seconds", "host")


def without_circumstances(rows):
    return [{name: value for name, value in asdict(row).items() if name not in CIRCUMSTANCES} for row in rows]


def test_a_study_is_a_grid_of_runs_and_their_controls(tmp_path):
    grid = SMALL.replace("seeds = 1", "seeds = 3").replace("[0, 0.1]", "[0.01, 0.1]")
    grid = grid.replace('kind = "patch"', 'kind = "patch"\nsizes = [1, 2]\nopacities = [0.5, 1]')
    cells = plan_cells(read_study(write(tmp_path, grid)))
    controls = [cell for cell in cells if cell.spec.is_control]
    assert len(controls) == 3
    assert len(cells) == 3 * (1 + 2 * 2 * 2)
    assert len({cell.spec.hash for cell in cells}) == len(cells)
    assert all(cell.spec.threads == 1 for cell in cells)
    assert {cell.spec.control().hash for cell in cells} == {cell.spec.hash for cell in controls}
    assert all(len(cell.conditions) == 4 for cell in controls)
    whole = next(cell for cell in cells if cell.conditions[0].size == 2 and cell.conditions[0].opacity == 1)
    assert cells[-1].spec.attack.trigger == make_preset("white-corner", (1, 8, 8)), "the preset under another name"
    assert whole.conditions[0].measures[0].images == 4


def test_noise_off_the_trigger_is_left_out_where_no_pixel_is_left(tmp_path):
    text = SMALL.replace("sigmas = [0.3]", 'sigmas = [0.3]\nnoise = ["everywhere", "off-trigger"]')
    text = text.replace('kind = "patch"', 'kind = "patch"\n[[triggers]]\nkind = "sinusoid"')
    control = plan_cells(read_study(write(tmp_path, text)))[0]
    noises = {condition.kind: [measure.noise for measure in condition.measures] for condition in control.conditions}
    assert noises == {"patch": ["everywhere", "off-trigger"], "sinusoid": ["everywhere"]}


def test_what_people_call_a_study_is_no_part_of_its_identity(tmp_path):
    plain, named = write(tmp_path, SMALL), write(tmp_path, 'title = "My study"\n' + SMALL, "other.toml")
    assert read_study(plain).hash == read_study(named).hash
    assert read_study(plain).name == "made"
    more = write(tmp_path, SMALL.replace("seeds = 1", "seeds = 2"), "more.toml")
    assert read_study(plain).hash != read_study(more).hash


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rates = [0, 0.1]", "rates = [2]", "rates.0"),
        ("seeds = 1", "seeds = 1\ncolour = 3", "colour"),
        ('kind = "patch"', 'kind = "moustache"', "kind"),
        ("[measure]", "[measure", "not valid TOML"),
        ('"digits"', '"letters"', "no data set 'letters'"),
        ("seeds = 1", 'seeds = 1\narchitectures = ["abacus"]', "abacus"),
        ('kind = "patch"', 'kind = "patch"\nsizes = [9]', "make it smaller"),
        ('kind = "patch"', 'kind = "blend"\nsizes = [2]', "has no sizes"),
        ('kind = "patch"', 'kind = "sinusoid"\nopacities = [5]', "at most 1"),
        *(
            (f"{name} = {value}", f"{name} = []", f"at {name}: an empty list leaves nothing to study")
            for name, value in {"datasets": '["digits"]', "rates": "[0, 0.1]", "epochs": "[1]", "seeds": "1"}.items()
        ),
        *(
            ("seeds = 1", f"seeds = 1\n{name} = []", f"at {name}: an empty list leaves nothing to study")
            for name in ("architectures", "modes", "targets")
        ),
        ("sigmas = [0.3]", "sigmas = []", r"at measure\.sigmas: an empty list leaves nothing to study"),
        ("draws = 4", "draws = 4\nnoise = []", r"at measure\.noise: an empty list leaves nothing to study"),
    ],
)
def test_a_study_that_cannot_be_used_gets_a_sentence(tmp_path, old, new, words):
    with pytest.raises(InputError, match=words):
        plan_cells(read_study(write(tmp_path, SMALL.replace(old, new))))


def test_a_study_of_noise_where_no_pixel_is_left_gets_a_sentence(tmp_path):
    text = SMALL.replace("draws = 4", 'draws = 4\nnoise = ["off-trigger"]')
    assert len(plan_cells(read_study(write(tmp_path, text)))) == 2
    with pytest.raises(InputError, match=r'blend covers the whole image.*add "everywhere"'):
        plan_cells(read_study(write(tmp_path, text.replace('"patch"', '"blend"'))))


@pytest.mark.parametrize(
    ("more", "runs"),
    [
        ("", 2),
        ("targets = [0, 1, 2]", 4),
        ('modes = ["all-to-all"]\ntargets = [0, 1, 2]', 2),
        ('modes = ["all-to-all", "all-to-one"]\ntargets = [0, 1, 2]', 5),
    ],
)
def test_runs_are_counted_as_they_are_planned(tmp_path, more, runs):
    spec = read_study(write(tmp_path, f"{more}\n{SMALL}"))
    cells = plan_cells(spec)
    assert count_runs(spec) == len(cells) == runs
    measures = [measure.hash for condition in cells[0].conditions for measure in condition.measures]
    assert len(set(measures)) == len(measures) == runs - 1, "the control is measured once under every attack"


def test_runs_are_counted_without_looking_at_images(tmp_path):
    text = SMALL.replace('"digits"', '"zip:/nowhere/images.zip", "fashion-mnist"')
    kinds = 'kind = "sinusoid"\nsizes = [32, 64]\n[[triggers]]\nkind = "blend"\n[[triggers]]\nkind = "warp"'
    spec = read_study(write(tmp_path, text.replace('kind = "patch"', kinds).replace("seeds = 1", "seeds = 3")))
    assert count_runs(spec) == 2 * 3 * (1 + 4)
    with pytest.raises(InputError, match="make it smaller"):
        count_runs(read_study(write(tmp_path, SMALL.replace('kind = "patch"', 'kind = "patch"\nsizes = [9]'))))


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_studies_can_be_read(path):
    spec = read_study(path)
    assert spec.name == path.stem
    assert spec.title


def test_the_table_says_what_a_measurement_says(tiny, data_root):
    study, root = tiny
    rows = study.rows
    assert len(rows) == 2 * (2 + 2) * 2, "2 seeds: the control under 2 triggers, 2 poisoned runs; 2 sigmas each"
    row = next(row for row in rows if row.kind == "patch" and row.rate > 0 and row.sigma == 0.5)
    run = next(found for found in root.glob(row.run))
    spec = make_measure_spec(trigger=make_preset("white-corner", (1, 8, 8)), target=0, images=20, draws=20, sigma=0.5)
    cell = next(cell for cell in plan_cells(study.spec) if cell.spec.hash == run.name)
    result = measure_run(find_run(cell.spec, root), spec, data_root)
    expected = {
        "gap": result.gap.value,
        "gap_low": result.gap.low,
        "gap_high": result.gap.high,
        "w_clean": result.clean.w.mean(),
        "w_triggered": result.triggered.w.mean(),
        "effect_size": result.p_lower.value,
        "w_predicted_as_target": result.target_class.w.mean(),
        "modal_share_triggered": result.triggered.pooled_share(),
        "margin_clean": result.clean.margin.mean(),
    }
    for name, value in expected.items():
        assert getattr(row, name) == pytest.approx(value, abs=1e-6), name
    assert row.flipped == result.flipped.sum()
    success = find_run(cell.spec, root).result.attack_success_rate
    assert row.attack_success_rate == pytest.approx(success.value, abs=1e-6)
    assert (row.attack_success_rate_low, row.attack_success_rate_high) == pytest.approx(
        (success.low, success.high), abs=1e-6
    )
    assert row.attacked_images == success.n
    parts = [
        (row.w_clean_flipped, row.w_triggered_flipped, row.flipped),
        (row.w_clean_not_flipped, row.w_triggered_not_flipped, row.images - row.flipped),
    ]
    apart = sum((clean - triggered) * count for clean, triggered, count in parts if count)
    assert row.gap == pytest.approx(apart / row.images, abs=2e-6)
    pairs = result.triggered.w[:, None] - result.clean.w[None]
    assert row.detection_auc == pytest.approx((pairs < 0).mean() + (pairs == 0).mean() / 2, abs=1e-6)
    assert row.target_share_triggered == pytest.approx(
        (result.triggered.votes[:, spec.attack.target] / spec.draws).mean(), abs=1e-6
    )


def test_every_poisoned_row_stands_beside_its_control(tiny):
    rows = tiny[0].rows
    for row in rows:
        (control,) = (
            each
            for each in rows
            if each.rate == 0 and (each.seed, each.kind, each.sigma) == (row.seed, row.kind, row.sigma)
        )
        assert row.control == control.run
        assert row.control_gap == control.gap
        assert row.gap_beyond_control == pytest.approx(row.gap - control.gap, abs=1e-6)
    assert {row.gap_beyond_control for row in rows if row.rate == 0} == {0.0}


def test_epochs_have_a_table_of_their_own(tiny):
    epochs = tiny[0].epochs
    assert sorted({(row.run, row.epoch) for row in epochs}) == sorted((row.run, row.epoch) for row in epochs)
    assert len(epochs) == 4 * 2
    assert all(row.gap == pytest.approx(row.w_clean - row.w_triggered, abs=2e-6) for row in epochs)


def test_parquet_holds_what_csv_holds(tiny):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, kind in (("table", Row), ("epochs", EpochRow)):
        rows = read_table(tiny[0].path / f"{name}.csv", kind)
        assert [kind(**line) for line in parquet.read_table(tiny[0].path / f"{name}.parquet").to_pylist()] == rows


def test_a_damaged_table_gets_a_sentence(tmp_path):
    (tmp_path / "table.csv").write_text("run,control\na,b\n")
    with pytest.raises(InputError, match=r"table\.csv"):
        read_table(tmp_path / "table.csv", Row)


def test_finished_cells_are_never_computed_again_and_a_stopped_study_goes_on(tmp_path, data_root):
    study = open_study(write(tmp_path / "files", SMALL.replace("seeds = 1", "seeds = 2")), tmp_path)
    assert study.state is StudyState.NEW
    *_, stopped = run_study(study, tmp_path, data_root, Here(tmp_path, data_root, most=1))
    assert (stopped.done, stopped.total, study.state) == (1, 4, StudyState.STOPPED)
    again = Here(tmp_path, data_root)
    *_, whole = run_study(study, tmp_path, data_root, again)
    assert (whole.done, again.computed, study.state) == (4, 3, StudyState.DONE)
    *_, _ = run_study(study, tmp_path, data_root, third := Here(tmp_path, data_root))
    assert third.computed == 0
    # One more sigma measures the same runs again, and trains none of them.
    wider = write(tmp_path / "files", SMALL.replace("[0.3]", "[0.3, 0.6]"), "wider.toml")
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.safetensors")}
    *_, _ = run_study(open_study(wider, tmp_path), tmp_path, data_root, Here(tmp_path, data_root))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.safetensors")} == trained


def test_a_cell_that_fails_is_recorded_and_the_rest_goes_on(tmp_path, data_root):
    # Nine tenths of the digits lie outside the target class: 95 % of them cannot be poisoned.
    study = open_study(write(tmp_path / "files", SMALL.replace("[0, 0.1]", "[0.95, 0.1]")), tmp_path)
    *_, last = run_study(study, tmp_path, data_root, Here(tmp_path, data_root))
    assert (last.done, last.failed, study.state) == (3, 1, StudyState.DONE)
    (failure,) = (row for row in study.rows if row.failure)
    assert failure.rate == 0.95
    assert "outside the target class" in failure.failure
    assert failure.gap is None
    assert sum(row.gap is not None for row in study.rows) == 2


def test_a_study_is_run_by_one_process_at_a_time_and_stops_when_asked(tmp_path, data_root):
    study = open_study(write(tmp_path / "files", SMALL.replace("seeds = 1", "seeds = 2")), tmp_path)
    way = run_study(study, tmp_path, data_root, Here(tmp_path, data_root))
    assert next(way).done == 0
    assert study.state is StudyState.RUNNING
    with pytest.raises(InputError, match="another process"):
        next(run_study(study, tmp_path, data_root, Here(tmp_path, data_root)))
    study.stop()
    assert [progress.done for progress in way] == [1]
    assert study.state is StudyState.STOPPED
    assert len(study.rows) == 1


def test_studies_shipped_and_made_are_listed(tmp_path):
    made = open_study(write(tmp_path / "files", SMALL), tmp_path)
    names = list_studies(tmp_path)
    assert made.path.name in names
    assert {read_study(path).name for path in names.values()} >= {"tiny", "digits", "signs"}
    assert find_study(made.spec, tmp_path).path == made.path
    assert find_study(made.spec, tmp_path / "elsewhere") is None


DYING_WORKER = """
import os, signal, sys
from pathlib import Path
import core.runs.jobs.queue as queue

root = Path(sys.argv[1])

def die_while_lives_are_left(content, load, is_wanted):
    left = int((root / "lives").read_text())
    (root / "lives").write_text(str(left - 1))
    if left > 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return '{"rows": [], "epochs": [], "failure": ""}'

queue.warm_up = lambda: None
queue.Queue(root, root).serve({"cell": die_while_lives_are_left})
"""


@pytest.mark.parametrize(("deaths", "given_up"), [(ATTEMPTS - 1, False), (ATTEMPTS, True)])
def test_a_cell_whose_worker_dies_is_tried_again_but_not_for_ever(tmp_path, monkeypatch, deaths, given_up):
    (tmp_path / "lives").write_text(str(deaths))
    cells = plan_cells(read_study(write(tmp_path, SMALL)))[:1]
    command = [sys.executable, "-c", DYING_WORKER, str(tmp_path)]
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: jobs._started.append(subprocess.Popen(command, cwd=ROOT)))
    pool = LocalPool(tmp_path, tmp_path)
    answers = [answer for answer in pool.compute(cells) if answer is not None]
    assert [cell for cell, _ in answers] == cells
    assert (f"ended {ATTEMPTS} times" in answers[0][1].failure) is given_up
    for worker in pool.jobs._started:
        assert worker.wait(60) == 0, "it leaves when nothing is left"
    assert [path.suffix for path in (tmp_path / ".background").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("why", ["Is a directory", "No such file or directory"])
def test_a_worker_that_cannot_be_started_fails_its_cells_and_says_why(tmp_path, monkeypatch, why):
    if why == "Is a directory":  # no log can be opened
        (tmp_path / ".workers" / "log.txt").mkdir(parents=True)
    else:
        monkeypatch.setattr("core.runs.jobs.process.sys.executable", str(tmp_path / "no python"))
    cells = plan_cells(read_study(write(tmp_path, SMALL)))
    answers = []
    for answer in LocalPool(tmp_path, tmp_path).compute(cells):
        assert answer is not None, "nobody computes, and nobody says so"
        answers.append(answer)
    assert {cell.spec.hash for cell, _ in answers} == {cell.spec.hash for cell in cells}
    for _, result in answers:
        assert result.failure.startswith(f"No worker process could be started ({why}): see to it")
        assert {row.failure for row in result.rows} == {result.failure}


def test_patterns_are_searched_on_the_controls_beside_a_random_one(tmp_path, data_root):
    patterns = '[[patterns]]\nkind = "patch"'
    text = SMALL.replace('[[triggers]]\nkind = "patch"', patterns).replace("[0, 0.1]", "[0]")
    study = open_study(write(tmp_path / "files", text), tmp_path)
    *_, last = run_study(study, tmp_path, data_root, Here(tmp_path, data_root))
    assert (last.done, last.failed, last.total) == (1, 0, 1)
    (row,) = study.rows
    assert (row.kind, row.mode, row.rate) == ("patch", "pattern", 0.0)
    assert row.gap_beyond_control == pytest.approx(row.gap - row.control_gap, abs=1e-6)
    assert row.control_gap != row.gap
    with pytest.raises(InputError, match="made_for"):
        read_study(write(tmp_path, text.replace('kind = "patch"', 'kind = "crafted-smooth"')))
    with pytest.raises(InputError, match="at least one"):
        read_study(write(tmp_path, text.replace(patterns, "")))


def test_results_survive_their_way_from_a_worker(tiny):
    study, root = tiny
    result = read_cell(plan_cells(study.spec)[1], root)
    assert CellResult.from_json(result.to_json()) == result


def test_the_table_does_not_depend_on_the_order_in_which_cells_were_done(tiny):
    study, root = tiny
    rows = [row for cell in plan_cells(study.spec) for row in read_cell(cell, root).rows]
    shuffled = [replace(row, control_gap=None) for row in rows][::-1]
    assert with_controls(shuffled)[::-1] == study.rows


def test_what_w_measures_on_made_up_images():
    w, entropy = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 2.0, 3.0, 4.0])
    rising = entropy_and_mistakes(w, entropy, np.array([False, False, True, True]))
    assert rising == (pytest.approx(1), pytest.approx(1))
    falling = entropy_and_mistakes(w, -entropy, np.array([True, False, False, False]))
    assert falling == (pytest.approx(-1), pytest.approx(0))
    assert entropy_and_mistakes(w, np.ones(4), np.zeros(4, bool)) == (None, None)


def processes_of(root: Path) -> list[int]:
    found = []
    for process in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if os.fsencode(root) in words and (b"work" in words or b"study" in words):
                found.append(int(process.name))
    return found


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="needs a process table")
@pytest.mark.soak
def test_killed_half_way_and_started_again_it_ends_with_the_table_of_an_undisturbed_run(tiny, tmp_path, data_root):
    root = tmp_path / "runs"
    command = [sys.executable, "-m", "core", "study", str(TINY), "--json"]
    command += ["--runs", str(root), "--data-root", str(data_root)]
    study = open_study(TINY, root)
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 400
    while (study.progress is None or study.progress.done < 2) and time.monotonic() < until:
        time.sleep(0.02)
    for process in processes_of(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    first.wait(10)
    assert study.state is StudyState.STOPPED
    assert 2 <= study.progress.done < 6
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert '"C1"' in done.stdout
    undisturbed, _ = tiny
    assert study.state is StudyState.DONE
    assert without_circumstances(study.rows) == without_circumstances(undisturbed.rows)
    assert study.epochs == undisturbed.epochs
    until = time.monotonic() + 60
    while processes_of(root) and time.monotonic() < until:  # workers wait some seconds for more
        time.sleep(0.1)
    assert processes_of(root) == []
    assert [path for path in (root / ".background").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.soak
@pytest.mark.parametrize("name", ["digits", "digits-patterns", "digits-why"])
def test_a_shipped_study_runs_from_nothing_to_verdicts(name, tmp_path, data_root):
    study = open_study(SHIPPED / f"{name}.toml", tmp_path)
    *_, last = run_study(study, tmp_path, data_root)
    assert (last.done, last.failed) == (last.total, 0)
    judged = judge(study.rows, study.epochs)
    found = judged["C4"] if name == "digits-patterns" else judged["C1"] + judged["C3"]
    assert {one.verdict for one in found} > {Outcome.UNDECIDED}


@pytest.mark.soak
@pytest.mark.parametrize("name", ["signs", "fashion-mnist"])
def test_the_first_cells_of_a_long_study_can_be_computed(name, tmp_path, data_root):
    spec = read_study(SHIPPED / f"{name}.toml")
    cells = plan_cells(spec)
    assert len(cells) == len(spec.seeds) * (1 + 3 * 5)
    try:
        load_dataset(name, data_root)
    except InputError as error:
        pytest.skip(str(error))
    for cell, result in Here(tmp_path, data_root).compute(cells[:2]):
        assert result.failure == ""
        assert len(result.rows) == len(cell.conditions) * len(spec.measure.sigmas)


@pytest.mark.parametrize("name", [path.name.rsplit("-", 1)[0] for path in (SHIPPED / "results").iterdir()])
def test_the_page_of_results_says_what_the_shipped_tables_say(name, tmp_path):
    study = find_study(read_study(SHIPPED / f"{name}.toml"), tmp_path)
    judged, page = judge(study.rows, study.epochs), (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert {row.failure for row in study.rows} == {""}
    if name == "digits-why":  # a table for each target and noise, of the attacks that work
        groups = {(one.target, one.noise) for one in judged["C1"]}
        told = [one for one in judged["C1"] if one.part == "ASR > 0.5"]
        tables = [[one for one in told if (one.target, one.noise) == group] for group in groups]
        assert len(tables) == 6
    else:
        tables = [judged[claim] for claim in ("C1", "C3", "C4") if judged.get(claim)]
    for table in tables:
        assert as_markdown(table) in page
