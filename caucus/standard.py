"""Standard output and error of a daemon, whose readers it does not know: written without ever waiting.

A pipe that nobody reads takes 64 KiB and no more, and a terminal can be stopped by a key: the reactor's
thread would stop with them. Descriptors stay as blocking as they are, since whoever shares them sees that.
"""

from __future__ import annotations

import atexit
import errno
import os
import select
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import TextIOBase
from threading import Condition, Thread
from typing import Any, Final

MOST_BYTES: Final = 1_048_576
"""What waits to be written, at most, unless it is one text; what comes then is dropped."""
DRAIN_SECONDS: Final = 0.5
"""How long the end of the process waits for what has not been written."""


class LineWriter(TextIOBase):
    """Text that a thread writes to a descriptor. What cannot be written is dropped, and counted in lines.

    :param notice: makes the line that tells how many were dropped, once writing works again; without it
        nobody is told.
    :param failed: called on the thread when writing fails, with the reason.

    ``lines_dropped`` counts them all.

    The thread is a daemon and holds no lock while it writes: one that is stuck does not keep the process.
    """

    def __init__(
        self,
        descriptor: int,
        notice: Callable[[int], str] | None = None,
        failed: Callable[[OSError], object] | None = None,
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._notice = notice
        self._failed = failed
        self._changed = Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._told = 0
        self.lines_dropped = 0
        self._thread: Thread | None = None

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Have text written, soon; or drop it if too much waits."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._size and self._size + len(data) > MOST_BYTES:
                self.lines_dropped += text.count("\n")
            elif data and self._has_thread():
                self._size += len(data)
                self._waiting.append(data)
                self._changed.notify_all()
            else:
                self.lines_dropped += text.count("\n")
        return len(text)

    def _has_thread(self) -> bool:
        """Start the thread, if it can be: not earlier, since a daemon's fork would have left it behind."""
        if self._thread is None:
            thread = Thread(target=self._work, name="caucus-lines", daemon=True)
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread
                atexit.register(self.drain)
        return self._thread is not None

    def flush(self) -> None:
        """Nothing: who writes does not wait."""

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until everything is written, but not longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._size, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
            is_written = self._send(data)
            with self._changed:
                if not is_written:
                    self.lines_dropped += data.count(b"\n")
                untold = self.lines_dropped - self._told
                dropped = untold if is_written and self._notice is not None else 0
            if dropped and self._notice is not None and self._send(f"{self._notice(dropped)}\n".encode()):
                with self._changed:
                    self._told += dropped
            with self._changed:
                self._size -= len(data)
                self._changed.notify_all()

    def _send(self, data: bytes) -> bool:
        try:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # whoever shares it made it so
                    writable = select.poll()
                    writable.register(self._descriptor, select.POLLOUT)
                    writable.poll()
        except OSError as error:
            if self._failed is not None:
                self._failed(error)
            return False
        return True


def writer_to(
    stream: Any,
    notice: Callable[[int], str] | None = None,
    failed: Callable[[OSError], object] | None = None,
) -> LineWriter | None:
    """A writer to the descriptor of ``sys.stdout`` or ``sys.stderr``; ``None`` if there is none."""
    try:
        return LineWriter(stream.fileno(), notice, failed)
    except (AttributeError, OSError, ValueError):
        return None


def put(stream: Any, text: str) -> None:
    """Write a whole text to ``sys.stdout`` or ``sys.stderr``, for a command that may wait. Raises `OSError`.

    It goes past the stream's buffer, which would be tried again as the process ends, and change its status.
    """
    if stream is None:
        raise OSError(errno.EBADF, "it is closed")
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(stream.fileno(), data) :]


def is_nowhere(descriptor: int) -> bool:
    """Whether what is written to a descriptor goes nowhere: it is closed, or the null device."""
    try:
        return os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev
    except OSError:
        return True


def occupy_closed() -> None:
    """Put the null device where standard input, output or error is closed.

    The next file or socket to be opened would be there instead, and be written to by mistake.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w")  # noqa: SIM115  # as long as the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
