"""What is new, written to all who read it, in a turn of its own: whoever has said it is answered before."""

from __future__ import annotations

from abc import abstractmethod

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.web.reader import Common

_log = Logger("caucus.web")


class Fan:
    """Readers of one kind. What was said in one turn is told together, so each frame may leave at once."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self._advancing = False
        self._woken = False
        self._next: IDelayedCall | None = None

    @abstractmethod
    def end(self) -> None:
        """End every reader's stream."""

    @abstractmethod
    def push(self) -> bool:
        """Write some of what is new, if there is a reader: whether there is more."""

    def fail(self, failure: Failure) -> None:
        """The backbone failed to answer: log it, and end the streams so that readers come back."""
        _log.failure("A stream failed", failure=failure)
        self.end()

    def wake(self) -> None:
        """There is more."""
        self._woken = True
        if self._next is None and not self._advancing:
            self._next = self.common.clock.callLater(0, self._begin)

    def rest(self) -> None:
        """There is no reader any more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _begin(self) -> None:
        self._next = None
        Deferred.fromCoroutine(self._advance()).addErrback(self.fail)

    async def _advance(self) -> None:
        self._advancing = True
        try:
            while self._woken:
                self._woken = False
                while self.push():
                    await self.common.next_turn()
        finally:
            self._advancing = False
