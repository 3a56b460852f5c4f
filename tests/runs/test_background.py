"""Work in the background of the queue: after the runs that people wait for, once, and only while somebody wants it."""

from __future__ import annotations

import pytest
from filelock import FileLock

from core.runs.jobs.background import ATTEMPTS, Answer, Background
from core.runs.jobs.last_dataset import LastDataset
from core.runs.jobs.queue import Queue
from core.runs.run import State
from tests.conftest import digits_spec


@pytest.fixture
def load(data_root):
    return LastDataset(data_root)


def shout(content, load, is_wanted):
    assert is_wanted()
    return content.upper()


def test_work_is_done_in_order_and_answered_once(tmp_path, load):
    background = Background(tmp_path)
    with background.customer() as customer:
        names = [customer.put("shout", word) for word in ("first", "second")]
        assert customer.answers() == []
        assert background.waiting() == 2
        assert background.work_on_next({"shout": shout}, load)
        assert customer.answers() == [Answer(names[0], "FIRST")]
        assert background.work_on_next({"shout": shout}, load)
        assert not background.work_on_next({"shout": shout}, load)
        assert customer.answers() == [Answer(names[1], "SECOND")]
    assert list(background.folder.iterdir()) == []


def test_no_two_workers_do_the_same_and_nobody_does_what_he_cannot(tmp_path, load):
    background = Background(tmp_path)
    with background.customer() as customer:
        name = customer.put("shout", "word")
        with FileLock(background.folder / f"{name}.lock"):  # another worker is busy with it
            assert background.waiting() == 0
            assert not background.work_on_next({"shout": shout}, load)
        assert not background.work_on_next({"whisper": shout}, load)
        assert background.waiting() == 1
        assert background.work_on_next({"shout": shout}, load)


def test_what_nobody_wants_any_more_is_dropped(tmp_path, load):
    background = Background(tmp_path)
    with background.customer() as customer:
        customer.put("shout", "word")
    assert list(background.folder.iterdir()) == [], "the rest was withdrawn"
    # A customer that was killed: its lock is gone, its work is still there.
    background.folder.joinpath("1-a.json").write_text('{"kind": "shout", "customer": "dead.customer", "content": ""}\n')
    background.folder.joinpath("2-b.json").write_text("{")
    assert not background.work_on_next({"shout": shout}, load)
    assert list(background.folder.iterdir()) == []


def test_work_is_told_that_it_was_withdrawn_and_leaves_no_answer(tmp_path, load):
    background = Background(tmp_path)
    wanted = []

    def withdraw_meanwhile(content, load, is_wanted):
        wanted.append(is_wanted())
        customer.withdraw()
        wanted.append(is_wanted())
        return "answer"

    with background.customer() as customer:
        customer.put("shout", "word")
        assert background.work_on_next({"shout": withdraw_meanwhile}, load)
        assert wanted == [True, False]
        assert customer.answers() == []
    assert list(background.folder.iterdir()) == []


def test_work_over_which_workers_die_is_given_up(tmp_path, load):
    class DeathError(Exception):
        pass

    def die(content, load, is_wanted):
        raise DeathError

    background = Background(tmp_path)
    with background.customer() as customer:
        name = customer.put("shout", "word")
        for _ in range(ATTEMPTS):
            with pytest.raises(DeathError):
                background.work_on_next({"shout": die}, load)
            assert customer.answers() == []
        assert background.work_on_next({"shout": die}, load)
        assert customer.answers() == [Answer(name, None)]


def test_a_run_that_somebody_waits_for_comes_first(tmp_path, data_root, load, monkeypatch):
    monkeypatch.setattr(Queue, "_start_worker", lambda jobs: None)
    jobs, done = Queue(tmp_path, data_root), []

    def note_state(content, load, is_wanted):
        done.append(run.state)
        return ""

    jobs.prepare()
    with jobs.background.customer() as customer:
        customer.put("note", "")
        run = jobs.submit(digits_spec(epochs=1, rate=0.0))
        for _ in range(2):
            assert jobs._work_on_a_run(load) or jobs._work_in_background(0, {"note": note_state}, load)
    assert done == [State.DONE]


def test_background_work_leaves_the_cores_to_trainings(tmp_path, data_root, load, monkeypatch):
    monkeypatch.setattr("core.runs.jobs.queue.cpu_count", lambda: 8)
    monkeypatch.setattr("core.runs.jobs.queue.default_threads", lambda: 7)
    jobs = Queue(tmp_path, data_root)
    jobs.prepare()
    with jobs.background.customer() as customer:
        for _ in range(3):
            customer.put("shout", "word")
        assert jobs._work_in_background(5, {"shout": shout}, load)
        with FileLock(jobs.workers / "run-0"):  # a training with 7 threads
            assert not jobs._work_in_background(5, {"shout": shout}, load)
            assert jobs._work_in_background(1, {"shout": shout}, load)
