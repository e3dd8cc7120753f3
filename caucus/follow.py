"""Following a live stream: an asynchronous iterator that survives lost connections."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from caucus.errors import CaucusError, HttpError, StreamCapacity, Unreachable
from caucus.records import Appended

STALL_SECONDS: Final = 45
"""Three missed keep-alive comments: the connection is dead, though nobody has said so."""
FIRST_DELAY_SECONDS: Final = 0.5
MOST_DELAY_SECONDS: Final = 30.0
QUEUE_MESSAGES: Final = 1000
"""With so many messages waiting for the caller, nothing more is read from the connection."""

Connect = Callable[[int, bool], Deferred[IResponse]]
"""Opens the stream at a cursor, the second time and later to resume there, and fires with the
response, whose body has not been read."""


class EventParser:
    """Server-sent events, from bytes cut anywhere: only an event that is whole counts.

    ``feed`` returns (id, data) pairs; ``id`` is ``None`` for an event that has none.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._id: bytes | None = None

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, bytes]]:
        """The events that end in ``chunk``."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events = []
        for line in lines:
            field, _, value = line.removesuffix(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
            elif field == b"id":
                self._id = value
            elif not field and not value and self._data:  # a blank line; a comment has a value
                events.append((self._id, b"\n".join(self._data)))
                self._data, self._id = [], None
        return events


class Follow:
    """The messages of a channel from a cursor on, each once and in order, as they are appended.

    Iterate it with ``async for``; each item is an `Appended`. Leave it with `aclose`, by
    ``async with``, or by cancelling the Deferred that waits for it.

    A lost connection is made again, with back-off, at the cursor after the last message: nothing
    is lost and nothing comes twice. If the server lost its log in between, its new log is
    followed from the beginning. The refusals of the first connection are raised, and later
    those that retrying cannot help, such as `UnknownChannel` or `Unauthorized`.
    """

    def __init__(self, connect: Connect, cursor: int, clock: IReactorTime) -> None:
        self.cursor = cursor
        """The cursor after the last message handed out or waiting to be."""
        self._connect = connect
        self._clock = clock
        self._queue: deque[Appended] = deque()
        self._body: _Body | None = None
        self._waiting: Deferred[None] | None = None
        self._opened = False
        self._closed = False
        self._delay = FIRST_DELAY_SECONDS

    def __aiter__(self) -> Follow:
        return self

    async def __aenter__(self) -> Follow:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> Appended:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            try:
                if self._body is None:
                    await self._open()
                else:
                    self._waiting = Deferred()
                    await self._waiting
            except CancelledError:
                await self.aclose()
                raise
        message = self._queue.popleft()
        if self._body is not None and not self._queue:
            self._body.resume()
        return message

    async def aclose(self) -> None:
        """End it: whoever waits for a message gets none."""
        self._closed = True
        if self._body is not None:
            self._body.end()
        self._wake()

    async def _open(self) -> None:
        """Connect once. A failure that retrying can help is waited out, unless it is the first."""
        try:
            response = await self._connect(self.cursor, self._opened)
        except CaucusError as error:
            if not self._opened or not _passing(error):
                raise
            await deferLater(self._clock, self._delay * random.uniform(0.5, 1))  # noqa: S311
            self._delay = min(2 * self._delay, MOST_DELAY_SECONDS)
            return
        self._opened = True
        self._body = _Body(self._clock, self._take, self._lost)
        response.deliverBody(self._body)
        if self._closed and self._body is not None:
            self._body.end()

    def _take(self, events: list[tuple[bytes | None, bytes]]) -> int:
        self._delay = FIRST_DELAY_SECONDS
        for name, data in events:
            self.cursor = int(name) if name is not None and name.isdigit() else self.cursor + 1
            self._queue.append(Appended(data, self.cursor))
        if events:
            self._wake()
        return len(self._queue)

    def _lost(self) -> None:
        self._body = None
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)


class _Body(Protocol):
    """The body of one response: hands events on, and ends when nothing comes for long."""

    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        take: Callable[[list[tuple[bytes | None, bytes]]], int],
        lost: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._take = take
        self._lost = lost
        self._parser = EventParser()
        self._paused = False
        self._stall: IDelayedCall | None = None

    def connectionMade(self) -> None:  # noqa: N802
        self._stall = self._clock.callLater(STALL_SECONDS, self.end)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._arm()
        if self._take(self._parser.feed(data)) >= QUEUE_MESSAGES and not self._paused:
            self._paused = True
            self._disarm()
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802
        self._disarm()
        self._lost()

    def resume(self) -> None:
        """The caller has taken everything: read on."""
        if self._paused:
            self._paused = False
            self._arm()
            self.transport.resumeProducing()

    def end(self) -> None:
        """Let the connection go."""
        self._disarm()
        self.transport.loseConnection()

    def _arm(self) -> None:
        self._disarm()
        self._stall = self._clock.callLater(STALL_SECONDS, self.end)

    def _disarm(self) -> None:
        if self._stall is not None and self._stall.active():
            self._stall.cancel()


def _passing(error: CaucusError) -> bool:
    """Whether connecting again can help by itself."""
    if isinstance(error, HttpError):
        return error.status >= 500
    return isinstance(error, Unreachable | StreamCapacity)
