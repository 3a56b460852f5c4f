"""A process apart that opens what nobody vouches for, with limits of time and memory.

What crashes the reader, never ends or eats the memory there costs one sentence here. The two talk through pipes:
each message is a JSON object and, after it, plain bytes; nothing that comes back is unpickled. Memory is limited where
the system can limit it (Linux); on macOS and Windows only time is.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from core.device import cpu_count
from core.errors import InputError, printable
from core.files import PROJECT

_LENGTHS = struct.Struct("<IQ")
_LARGEST_OBJECT = 64 * 2**20
_SECONDS_TO_START = 90  # Python and its libraries, on a machine that is busy with other things
_LONGEST_SENTENCE = 600


class Sandbox:
    """One process apart; it ends with this object, with this process, or when it exceeds a limit.

    Parameters
    ----------
    module
        Its `Service` is made there once, and asked by `ask`.
    name
        What to call the file in a sentence.
    advice
        How a sentence ends that tells of a crash or a limit, such as "export the model anew".
    memory
        Bytes that it may take beyond what its libraries take.
    """

    def __init__(self, module: str, name: str, advice: str, memory: int) -> None:
        self._name, self._advice, self._memory = name, advice, memory
        self._lock, self._started, self._timed_out = threading.Lock(), False, False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.models.foreign.sandbox", module, str(memory)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _end, self._process)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, of itself or because it exceeded a limit."""
        return not self._end.alive

    def close(self) -> None:
        """End the process."""
        self._end()

    def ask(
        self, method: str, values: dict[str, Any], data: bytes = b"", *, seconds: float, expected: int = 0
    ) -> tuple[dict[str, Any], bytes]:
        """Call a method of the service and return what it answers.

        Parameters
        ----------
        method, values, data
            The method's name, its named arguments as plain JSON, and its argument `data` if there is any.
        seconds
            How long it may take.
        expected
            How many bytes the answer has to have.

        Raises
        ------
        InputError
            The service refused, crashed, or exceeded a limit of time or memory; it is closed then, unless it refused.
        """
        request = {"method": method, "values": values, "seconds": seconds}
        with self._lock:
            try:
                if not self._started:
                    self._exchange(None, b"", _SECONDS_TO_START, 0)
                    self._started = True
                answer, content = self._exchange(request, data, seconds, expected)
            except (OSError, ValueError, EOFError, RecursionError):
                self.close()
                raise InputError(self._what_happened(seconds)) from None
        if "sentence" in answer:
            raise InputError(printable(str(answer["sentence"]), _LONGEST_SENTENCE))
        return answer, content

    def _exchange(
        self, request: dict[str, Any] | None, data: bytes, seconds: float, expected: int
    ) -> tuple[dict[str, Any], bytes]:
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None
        assert sink is not None
        timer = threading.Timer(seconds, self._give_up)
        timer.start()
        try:
            if request is not None:
                _send(sink, request, data)
            answer, content = _receive(source, expected)
        finally:
            timer.cancel()
        if len(content) != (0 if "sentence" in answer else expected):
            raise ValueError("another answer than was asked for")
        return answer, content

    def _give_up(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _what_happened(self, seconds: float) -> str:
        if self._timed_out:
            return f"{self._name} took longer than {seconds:.0f} s to be read, so it was left: {self._advice}."
        return (
            f"{self._name} makes its reader crash, or takes more than {self._memory / 2**30:.1f} GB of memory: "
            f"{self._advice}."
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was left to send cannot be sent any more
                pipe.close()
    process.wait()


def _send(sink: IO[bytes], content: dict[str, Any], data: bytes) -> None:
    text = json.dumps(content).encode()
    sink.write(_LENGTHS.pack(len(text), len(data)) + text)
    sink.write(data)
    sink.flush()


def _receive(source: IO[bytes], most: int) -> tuple[dict[str, Any], bytes]:
    """Return the next message; EOFError if it is cut off, ValueError if it is longer than expected."""
    text_length, length = _LENGTHS.unpack(_exactly(source, _LENGTHS.size))
    if text_length > _LARGEST_OBJECT or length > most:
        raise ValueError("a longer message than was asked for")
    content = json.loads(_exactly(source, text_length))
    if not isinstance(content, dict):
        raise ValueError("a message is an object")
    return content, _exactly(source, length)


def _exactly(source: IO[bytes], length: int) -> bytes:
    content = source.read(length)
    if len(content) < length:
        raise EOFError
    return content


# --- in the process apart


def limit_memory(memory: int) -> None:
    """Let this process take that many bytes more than it has now, write no file, and leave no image of its memory."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    if sys.platform == "linux":  # macOS knows the limit and does not keep it
        import psutil

        _lower(resource.RLIMIT_AS, psutil.Process().memory_info().vms + memory)


def limit_files() -> None:
    """Let this process open no further file: whatever a model names, it has what it may read."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _lower(resource.RLIMIT_NOFILE, 0)


def _limit_time(seconds: float) -> None:
    """End this process if it computes longer: the one that would end it may be gone."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + (seconds + 1) * cpu_count()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _lower(limit: int, most: int) -> None:
    import resource

    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _answer(service: Any, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    _limit_time(request["seconds"])
    values = request["values"] | ({"data": data} if data else {})
    try:
        answer = getattr(service, request["method"])(**values)
    except InputError as error:
        return {"sentence": str(error)}, b""
    return answer if isinstance(answer, tuple) else (answer, b"")


def main() -> None:
    """Serve the process that started this one until it closes the pipe; whatever goes wrong ends this process."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    service = import_module(sys.argv[1]).Service()
    limit_memory(int(sys.argv[2]))
    _send(sink, {}, b"")
    while True:
        try:
            request, data = _receive(source, 2**62)
        except EOFError:
            return
        _send(sink, *_answer(service, request, data))


if __name__ == "__main__":
    main()
