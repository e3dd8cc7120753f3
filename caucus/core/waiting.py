"""A claim that waits, watched until it does not any more."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.core.listing import get_claim, is_waiting
from caucus.errors import InvalidRequest
from caucus.model.claims import Claim

MOST_SECONDS: Final = 50


def wait_for_claim(core: Core, channel: str, claim: int, seconds: float) -> Deferred[Claim]:
    """The claim, once it is held, or after so many seconds; and when that is cancelled, as it is then."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_SECONDS:
        return fail(InvalidRequest(f"wait must be a number of seconds from 0 to {MOST_SECONDS}."))
    if not seconds:
        return core.read(get_claim, channel, claim)
    return core.read(_looked_at, channel, claim).addCallback(_wait, core, channel, claim, seconds)


def stop(core: Core) -> None:
    """Whoever waits is answered now, and nobody waits any more."""
    core.is_stopping = True
    for waiting in list(core.waits):
        waiting.fires.cancel()


def _looked_at(core: Core, channel: str, claim: int) -> Claim | None:
    """The claim, unless it waits: how many are in front of it is of no use to whoever waits for it."""
    if not core.is_stopping and is_waiting(core, channel, claim):
        return None
    return get_claim(core, channel, claim)


def _wait(
    shown: Claim | None, core: Core, channel: str, claim: int, seconds: float
) -> Claim | Deferred[Claim]:
    """Wait from now on, if it waits still: whoever has given up meanwhile does not come here."""
    if shown is None:
        shown = _looked_at(core, channel, claim)
    return Waiting(core, channel, claim, seconds).fires if shown is None else shown


class Waiting:
    """Somebody who waits for a claim."""

    def __init__(self, core: Core, channel: str, claim: int, seconds: float) -> None:
        self.fires: Deferred[Claim] = Deferred(self._cancel)
        self._core = core
        self._asked = (channel, claim)
        self._end = core.feeds.watch(("claim",), str(claim), self._look)
        core.waits.add(self)
        self._timer: IDelayedCall = core.reactor.callLater(seconds, self._stop)

    def _look(self) -> None:
        """It is not what it was: held, gone, or waiting still."""
        if is_waiting(self._core, *self._asked):
            return
        self._finish()
        try:
            shown = get_claim(self._core, *self._asked)
        except Exception:
            self.fires.errback()
        else:
            self.fires.callback(shown)

    def _stop(self) -> None:
        """The time is up: it is answered as it is."""
        self._finish()
        self._core.read(get_claim, *self._asked).addBoth(self._tell)

    def _tell(self, shown: Claim | Failure) -> None:
        if not self.fires.called:  # nobody has cancelled it meanwhile
            self.fires.callback(shown)

    def _cancel(self, waiting: Deferred[Claim]) -> None:
        self._finish()
        try:
            waiting.callback(get_claim(self._core, *self._asked))
        except Exception:
            waiting.errback()

    def _finish(self) -> None:
        self._core.waits.discard(self)
        self._end()
        if self._timer.active():
            self._timer.cancel()
