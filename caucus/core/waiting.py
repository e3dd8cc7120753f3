"""Requests that wait for something to happen: watched until there is an answer, or the time is up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.core.feeds import Kind
from caucus.errors import CaucusError
from caucus.model.views import require_wait

T = TypeVar("T")


def wait_for(
    core: Core,
    kinds: tuple[Kind, ...],
    places: tuple[str, ...],
    seconds: object,
    look: Callable[[bool], T | None],
) -> Deferred[T]:
    """What ``look`` finds, now or as soon as something of these kinds has changed at one of the places.

    ``look`` gives ``None`` while there is nothing to answer by durable events, unless it is told that it is
    the last time. That is after so many seconds, and when the wait is cancelled. Fails with `InvalidRequest`
    for a number of seconds that nobody may wait.
    """
    try:
        patience = require_wait(seconds)
    except CaucusError:
        return fail()
    is_last = not patience or core.is_stopping
    looking: Deferred[T | None] = core.read(_looked_at, look, is_last)
    if looking.called and looking.result is None:  # as a local journal has it: one Deferred less for each
        return Waiting(core, kinds, places, patience, look).fires
    return looking.addCallback(_wait, core, kinds, places, patience, look)


def stop(core: Core) -> None:
    """Whoever waits is answered now, and nobody waits any more."""
    core.is_stopping = True
    for waiting in list(core.waits):
        if waiting in core.waits:  # one that ends may end another
            waiting.fires.cancel()


def _looked_at(_core: Core, look: Callable[[bool], T | None], is_last: bool) -> T | None:
    return look(is_last)


def _wait(
    found: T | None,
    core: Core,
    kinds: tuple[Kind, ...],
    places: tuple[str, ...],
    seconds: float,
    look: Callable[[bool], T | None],
) -> T | Deferred[T]:
    """Wait from now on, if there is nothing yet: whoever has given up meanwhile does not come here."""
    if found is None:
        found = look(core.is_stopping)
    return Waiting(core, kinds, places, seconds, look).fires if found is None else found


class Waiting(Generic[T]):
    """Somebody who waits."""

    __slots__ = ("_at", "_core", "_end", "_look", "fires")

    def __init__(
        self,
        core: Core,
        kinds: tuple[Kind, ...],
        places: tuple[str, ...],
        seconds: float,
        look: Callable[[bool], T | None],
    ) -> None:
        self.fires: Deferred[T] = Deferred(self._cancel)
        self._core = core
        self._look = look
        self._end = core.feeds.watch(kinds, places, self._wake)
        core.waits.add(self)
        self._at = core.patience.add(self, seconds)

    def _wake(self) -> None:
        """Something has changed: that may be it."""
        try:
            found = self._look(False)
        except Exception:
            self._finish().errback()
            return
        if found is not None:
            self._finish().callback(found)

    def stop(self) -> None:
        """The time is up: it is answered with what there is, unless somebody has ended it meanwhile."""
        if self not in self._core.waits:
            return
        fires = self._finish()
        looking: Deferred[T | None] = self._core.read(_looked_at, self._look, True)
        looking.addBoth(self._tell, fires)

    def _tell(self, found: T | Failure | None, fires: Deferred[T]) -> None:
        if not fires.called:  # nobody has cancelled it meanwhile
            fires.callback(found)  # type: ignore[arg-type]  # the last look finds something

    def _cancel(self, waiting: Deferred[T]) -> None:
        if self in self._core.waits:
            self._finish()
        try:
            waiting.callback(self._look(True))  # type: ignore[arg-type]
        except Exception:
            waiting.errback()

    def _finish(self) -> Deferred[T]:
        """It waits no more; gives what fires. Neither that nor what it watched is held: both hold it."""
        self._core.waits.discard(self)
        self._core.patience.remove(self, self._at)
        self._end()
        fires = self.fires
        del self.fires, self._end
        return fires
