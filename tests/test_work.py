"""Long work in parts: it goes on where it was, stops when asked, and keeps what it has reached."""

from __future__ import annotations

import itertools

from dashboard.explore.work import Work


def test_work_goes_on_until_it_is_done_or_stopped():
    work = Work("count", iter(range(3)))
    work.go_on(60)
    assert (work.latest, work.state) == (2, "done")
    endless = Work("count", itertools.count())
    endless.go_on(0.01)
    reached = endless.latest
    assert endless.state == "running"
    endless.stop()
    endless.go_on(0.01)
    assert (endless.latest, endless.state) == (reached, "stopped")
    endless.resume()
    endless.go_on(0.01)
    assert endless.latest > reached
