"""A live stream as an asynchronous iterator that survives lost connections."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol as TypingProtocol, Self, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from caucus.client.exchange import Opened
from caucus.errors import CaucusError, HttpError, Overloaded, StreamCapacity, Unreachable
from caucus.wire.frames import EventParser, NotEvents

STALL_SECONDS: Final = 45
"""Three missed keep-alive comments: the connection is dead, though nobody has said so."""
FIRST_DELAY_SECONDS: Final = 0.5
MOST_DELAY_SECONDS: Final = 30.0
QUEUE_MESSAGES: Final = 1000
QUEUE_BYTES: Final = 8 * 1_048_576
"""With so many messages, or bytes, waiting for the caller, nothing more is read from the connection."""

ALIVE_SECONDS: Final = 5.0
"""A stream that was open for so long was really one: after its end it is opened anew at once."""

T = TypeVar("T")
P = TypeVar("P")
Connect = Callable[[P, bool], Deferred[Opened]]
"""Opens the stream somewhere, the second time and later to resume there."""


class LiveStream(Generic[T, P]):
    """What a server tells, each item once and in order, as it comes.

    Iterate it with ``async for``. Leave it with `aclose`, by ``async with``, or by cancelling the Deferred
    that waits for it.

    A lost connection is made again, with back-off, after the last item that came: nothing is lost and
    nothing comes twice. The refusals of the first connection are raised, and later those that retrying
    cannot help, such as `UnknownChannel` or `Unauthorized`; so is an `HttpError` for what is no stream of
    events.
    """

    def __init__(self, connect: Connect[P], at: P, clock: IReactorTime) -> None:
        self._received = self._handed_out = at
        self._connect = connect
        self._clock = clock
        self._queue: deque[tuple[T | None, P, int]] = deque()
        self._queue_bytes = 0
        self._body: _Body | None = None
        self._waiting: Deferred[None] | None = None
        self._opening: Deferred[Any] | None = None
        self._closed = False
        self._is_broken = False
        self._opened: float | None = None
        self._at = at
        self._delay = FIRST_DELAY_SECONDS
        self._pause = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> T:
        item = None
        while item is None:
            while not self._queue:
                await self._have_more()
            item, self._handed_out, size = self._queue.popleft()
            self._queue_bytes -= size
            if self._body is not None and not self._queue:
                self._body.resume()
        return item

    async def _have_more(self) -> None:
        """Wait until something has happened. Raises what ends the stream."""
        if self._is_broken:
            await self.aclose()
            self._is_broken = False
            raise HttpError(200)
        if self._closed:
            raise StopAsyncIteration
        try:
            if self._body is None:
                await self._open()
            else:
                self._waiting = Deferred()
                await self._waiting
        except CancelledError:
            if self._closed:
                raise StopAsyncIteration from None
            await self.aclose()
            raise

    def _read(self, name: bytes | None, data: bytes) -> tuple[T | None, P]:
        """The item of an event, if it is wanted, and where that is. Raises `NotEvents` for what says none."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End it: whoever waits for a message gets none, nor does whoever asks later."""
        self._closed = True
        self._queue.clear()
        if self._body is not None:
            self._body.end()
        if self._opening is not None:
            self._opening.cancel()
        self._wake()

    async def _open(self) -> None:
        """Connect once. A failure that retrying can help is waited out, unless it is the first."""
        pause, self._pause = self._pause, 0.0
        try:
            if pause:
                self._opening = deferLater(self._clock, pause)
                await self._opening
            self._opening = connecting = self._connect(self._received, self._opened is not None)
            opened = await connecting
        except CaucusError as error:
            if self._opened is None or not _passing(error):
                raise
            self._back_off()
            return
        finally:
            self._opening = None
        self._opened = self._clock.seconds()
        self._at = self._received
        self._body = _Body(self._clock, self._take, self._lost, opened.abort)
        opened.response.deliverBody(self._body)

    def _take(self, events: list[tuple[bytes | None, bytes]]) -> bool:
        """Whether the caller has enough to do. Raises `NotEvents` for what says nothing."""
        for name, data in events:
            item, self._received = self._read(name, data)
            self._queue.append((item, self._received, len(data)))
            self._queue_bytes += len(data)
        if events:
            self._wake()
        return len(self._queue) >= QUEUE_MESSAGES or self._queue_bytes >= QUEUE_BYTES

    def _lost(self, *, is_broken: bool) -> None:
        self._body = None
        self._is_broken = is_broken
        opened = self._clock.seconds() if self._opened is None else self._opened
        if self._clock.seconds() - opened >= ALIVE_SECONDS:
            self._delay = FIRST_DELAY_SECONDS
        else:  # it was hardly open: whoever answers so is not asked again at once, nor ever more often
            if self._received != self._at:
                self._delay = FIRST_DELAY_SECONDS
            self._back_off()
        self._wake()

    def _back_off(self) -> None:
        self._pause = self._delay * random.uniform(0.5, 1)  # noqa: S311
        self._delay = min(2 * self._delay, MOST_DELAY_SECONDS)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)


class _Lost(TypingProtocol):
    def __call__(self, *, is_broken: bool) -> None: ...


class _Body(Protocol):
    """The body of one response: hands events on, and ends when nothing comes for long."""

    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        take: Callable[[list[tuple[bytes | None, bytes]]], bool],
        lost: _Lost,
        abort: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._take = take
        self._lost = lost
        self._abort = abort
        self._parser = EventParser()
        self._paused = self._has_ended = False
        self._stall: IDelayedCall | None = None

    def connectionMade(self) -> None:  # noqa: N802
        self._stall = self._clock.callLater(STALL_SECONDS, self.end)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._has_ended:
            return
        self._arm()
        try:
            is_enough = self._take(self._parser.feed(data))
        except NotEvents:
            self.end(is_broken=True)
            return
        if is_enough and not self._paused:
            self._paused = True
            self._disarm()
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802
        self.end()

    def resume(self) -> None:
        """The caller has taken everything: read on."""
        if self._paused:
            self._paused = False
            self._arm()
            self.transport.resumeProducing()

    def end(self, *, is_broken: bool = False) -> None:
        """Let the connection go, without waiting until it is gone."""
        if self._has_ended:
            return
        self._has_ended = True
        self._disarm()
        self.transport.loseConnection()
        self._abort()
        self._lost(is_broken=is_broken)

    def _arm(self) -> None:
        self._disarm()
        self._stall = self._clock.callLater(STALL_SECONDS, self.end)

    def _disarm(self) -> None:
        if self._stall is not None and self._stall.active():
            self._stall.cancel()


def _passing(error: CaucusError) -> bool:
    """Whether connecting again can help by itself: what is no stream now may be a proxy's page."""
    if isinstance(error, HttpError):
        return error.status >= 500 or error.status == 200
    return isinstance(error, Unreachable | StreamCapacity | Overloaded)
