"""The access log: one line a request, without tokens, bodies or query strings.

Lines gather in a buffer that a timer hands on, since an event for each request through
``twisted.logger`` costs more than the request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from caucus.model.stamps import instant
from caucus.model.text import CONTROL

FLUSH_SECONDS = 0.5
FLUSH_LINES = 1000
PATH_LENGTH = 200

_log = Logger("caucus.access")


class AccessLog:
    """Formats each request's line once.

    A line is: the instant, the peer's address, method and path as they were sent, the status,
    the bytes of the body sent, the milliseconds from the first byte to the answer, and the
    agent, JSON-quoted, or ``-``.

    :param clock: runs the flush timer, which is only set while lines wait.
    :param wall: seconds since the epoch, for the instants.
    :param is_on: whether there are any lines.
    """

    def __init__(self, clock: IReactorTime, wall: Callable[[], float], *, is_on: bool = True) -> None:
        self._is_on = is_on
        self._clock = clock
        self._wall = wall
        self._lines: list[str] = []
        self._timer: IDelayedCall | None = None

    def add(
        self,
        peer: str,
        method: bytes,
        target: bytes,
        status: int,
        sent: int,
        seconds: float,
        agent_id: str | None,
    ) -> None:
        """Note one answered request. ``target`` is cut at its query."""
        if not self._is_on:
            return
        agent = "-" if agent_id is None else _quoted(agent_id)
        if len(target) > PATH_LENGTH:
            target = target.partition(b"?")[0][:PATH_LENGTH]
        asked = _asked(method, target)
        self._lines.append(
            f"{instant(self._wall())} {peer} {asked} {status} {sent}B {seconds * 1000:.1f}ms {agent}"
        )
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hand the waiting lines on, as one event, and stop the timer."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            _log.info("{lines}", lines=_Lines(lines))


class _Lines(list[str]):
    """A list to a log that keeps values, text to one that writes lines."""

    def __str__(self) -> str:
        return "\n".join(self)


@lru_cache
def _quoted(agent_id: str) -> str:
    return json.dumps(agent_id, ensure_ascii=False)


@lru_cache(maxsize=1024)
def _asked(method: bytes, target: bytes) -> str:
    return f"{_printable(method)} {_printable(target.partition(b'?')[0])}"


def _printable(raw: bytes) -> str:
    text = raw.decode("ascii", "backslashreplace")
    return CONTROL.sub("?", text) or "-"
