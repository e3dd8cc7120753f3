"""Twisted's epoll reactor, with less around each event, and with two places for what is to come after.

Twisted asks whoever owns a descriptor for a prefix, and sets it for what ``log.msg`` logs meanwhile.
That takes as long as ``recv``, and the daemon's log reads none. What is raised is logged as it is there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.python import log

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # Linux alone has it
    EPollReactor = None  # type: ignore[assignment,misc]

HAS_EPOLL: Final = EPollReactor is not None
Step = Callable[[], object]
PATIENCE: Final = 64
"""So many events are seen to, while there are any, before what waits until there are none."""
_NAMES: Final = ("_poller", "_selectables", "_doReadOrWrite")
"""What Twisted keeps to itself, and is used here: one that has it otherwise does all this itself."""


def at_end_of_turn(reactor: Any, step: Step) -> None:
    """Have a reactor call ``step``, once, when all that is ready now has been seen to."""
    call = getattr(reactor, "call_at_end_of_turn", None)
    if call is None:
        reactor.callLater(0, step)
    else:
        call(step)


def when_idle(reactor: Any, step: Step) -> None:
    """Have a reactor call ``step``, once, when nothing else is ready, or `PATIENCE` events were seen to.

    What costs the same for one as for many is done for all that are on their way.
    """
    call = getattr(reactor, "call_when_idle", None)
    if call is None:
        reactor.callLater(0, step)
    else:
        call(step)


def install() -> None:
    """Install it. Raises ``ImportError`` where there is no epoll."""
    if not HAS_EPOLL:
        raise ImportError("there is no epoll here")
    from twisted.internet.main import installReactor  # noqa: PLC0415  # an import of it would make one

    installReactor(TurnReactor())


if EPollReactor is not None:

    class TurnReactor(EPollReactor):
        """Calls what is ready and nothing around it, and then what wants to come after."""

        def __init__(self) -> None:
            self._steps: list[Step] = []
            self._idle_steps: list[Step] = []
            self._patience = 0
            super().__init__()
            is_known = all(hasattr(self, name) for name in _NAMES)
            self._see_to_events = self._call_directly if is_known else self._call_as_twisted

        def call_at_end_of_turn(self, step: Step) -> None:
            """As `at_end_of_turn`."""
            self._steps.append(step)

        def call_when_idle(self, step: Step) -> None:
            """As `when_idle`."""
            if not self._idle_steps:
                self._patience = PATIENCE
            self._idle_steps.append(step)

        def doPoll(self, timeout: float | None) -> None:
            """Wait so many seconds for events, or for ever with ``None``, and see to those there are."""
            if self._steps:  # which timers and other threads have left
                self._end_turn()
                left = self.timeout()
                if left is not None:
                    timeout = left if timeout is None else min(left, timeout)
            is_patient = bool(self._idle_steps)
            count = self._see_to_events(0 if is_patient else timeout)
            if self._steps:
                self._end_turn()
            if is_patient:
                self._patience -= count
                if not count or self._patience <= 0:
                    steps, self._idle_steps = self._idle_steps, []
                    _call(steps)

        doIteration = doPoll

        def _call_as_twisted(self, timeout: float | None) -> int:
            super().doPoll(timeout)
            return 0  # as far as is known

        def _call_directly(self, timeout: float | None) -> int:
            selectables: dict[int, Any] = self._selectables
            try:
                events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
            except OSError as error:
                if error.errno == errno.EINTR:
                    return 0
                raise
            for number, event in events:
                selectable = selectables.get(number)
                if selectable is not None:
                    try:
                        self._doReadOrWrite(selectable, number, event)
                    except Exception:
                        log.err()
            return len(events)

        def _end_turn(self) -> None:
            steps, self._steps = self._steps, []
            _call(steps)


def _call(steps: Iterable[Step]) -> None:
    for step in steps:
        try:
            step()
        except Exception:
            log.err()
