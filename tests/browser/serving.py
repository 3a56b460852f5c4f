"""A Chromium, and Streamlit apps to point it at: for the browser tests, the screenshots and the timings."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "dashboard" / "app.py"
DESKTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]


def find_chromium() -> str | None:
    """Return the system's Chromium or Chrome, or the one that TRIGGERSCOPE_CHROMIUM names; None if there is none."""
    named = os.environ.get("TRIGGERSCOPE_CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    return next((path for path in map(shutil.which, names) if path), None)


@contextlib.contextmanager
def launch(chromium: str) -> Iterator[Browser]:
    """Run a browser without a window until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def serve(app: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a Streamlit app on a free port of 127.0.0.1 until the block ends; the block gets its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            if not _answers(f"http://127.0.0.1:{port}/_stcore/health", server):
                log.seek(0)
                raise RuntimeError(f"{app} did not start:\n{log.read().decode(errors='replace')}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


def _answers(url: str, server: subprocess.Popen, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url):
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def serve_dashboard(home: Path) -> Iterator[str]:
    """Run the dashboard with its runs and data under `home` until the block ends; none of its workers outlives it."""
    runs = home / "runs"
    try:
        with serve(DASHBOARD, {"TRIGGERSCOPE_RUNS": str(runs), "TRIGGERSCOPE_DATA": str(home / "data")}) as address:
            yield address
    finally:
        end_workers(runs)


def end_workers(runs: Path, seconds: float = 20) -> None:
    """Ask for the end of what is queued or trained under `runs`, and wait until its workers have left."""
    for entry in (runs / ".queue").glob("*"):
        entry.unlink(missing_ok=True)
    for spec in runs.glob("*/spec.json"):
        (spec.parent / "cancel").touch()
    until = time.monotonic() + seconds
    while workers_of(runs) and time.monotonic() < until:
        time.sleep(0.1)
    for worker in workers_of(runs):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)


def workers_of(runs: Path) -> list[int]:
    """Return the ids of the workers that serve this runs folder; empty where the system has no /proc."""
    wanted = [os.fsencode(part) for part in ("work", "--runs", str(runs.resolve()))]
    workers = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            if all(part in command for part in wanted):
                workers.append(int(process.name))
    return workers
