"""Twisted's epoll reactor, with less around each event, and with an end to each of its turns.

Twisted asks whoever owns a descriptor for a prefix, and sets it for what ``log.msg`` logs meanwhile.
That takes as long as ``recv``, and the daemon's log reads none. What is raised is logged as it is there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.python import log

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # Linux alone has it
    EPollReactor = None  # type: ignore[assignment,misc]

HAS_EPOLL: Final = EPollReactor is not None
Step = Callable[[], object]
_NAMES: Final = ("_poller", "_selectables", "_doReadOrWrite")
"""What Twisted keeps to itself, and is used here: one that has it otherwise does all this itself."""


def at_end_of_turn(reactor: Any, step: Step) -> IDelayedCall | None:
    """Have a reactor call ``step``, once, in its own thread, before it waits for anything again.

    By then it has seen to all that was ready with what this is called in, if that is an event. Where it is
    a timer, that is returned.
    """
    call = getattr(reactor, "call_at_end_of_turn", None)
    if call is None:
        timer: IDelayedCall = reactor.callLater(0, step)
        return timer
    call(step)
    return None


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
            super().__init__()
            is_known = all(hasattr(self, name) for name in _NAMES)
            self._see_to_events = self._call_directly if is_known else super().doPoll

        def call_at_end_of_turn(self, step: Step) -> None:
            """As `at_end_of_turn`."""
            self._steps.append(step)

        def doPoll(self, timeout: float | None) -> None:
            """Wait so many seconds for events, or for ever with ``None``, and see to those there are."""
            if self._steps:  # which timers and other threads have left
                self._end_turn()
                left = 0 if self._steps or not self.running else self.timeout()
                if left is not None:
                    timeout = left if timeout is None else min(left, timeout)
            self._see_to_events(timeout)
            if self._steps:
                self._end_turn()

        doIteration = doPoll

        def _call_directly(self, timeout: float | None) -> None:
            selectables: dict[int, Any] = self._selectables
            try:
                events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
            except OSError as error:
                if error.errno == errno.EINTR:
                    return
                raise
            for number, event in events:
                selectable = selectables.get(number)
                if selectable is not None:
                    try:
                        self._doReadOrWrite(selectable, number, event)
                    except KeyboardInterrupt:
                        raise
                    except BaseException:  # as in ``callWithLogger``
                        log.err()

        def _end_turn(self) -> None:
            steps, self._steps = self._steps, []
            for step in steps:
                try:
                    step()
                except BaseException:  # as for a timer
                    log.err()
