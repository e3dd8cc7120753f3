"""One HTTP exchange after another with one server: connections, time-outs, and what failure means."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from copy import copy
from functools import partial
from secrets import token_urlsafe
from typing import Any, Final, TypeVar, cast

from attrs import frozen
from treq.client import HTTPClient
from treq.content import collect
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
    TimeoutError as ConnectTimeoutError,
)
from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from caucus.client.answer import Answer, media_type
from caucus.client.destination import Destination
from caucus.errors import AnswerTooLarge, CaucusError, HttpError, OutcomeUnknown, Unreachable
from caucus.wire.jsontext import CONTENT_TYPE

KEEP_SECONDS: Final = 4
"""How long an idle connection is reused: less than the 5 s for which a server keeps it."""
TIMEOUT_SECONDS: Final = 35.0
"""How long nothing may be heard by default: more than the server gives a request."""
MOST_BYTES: Final = 67_108_864
"""The most bytes of an answer's body by default: twice a page of 500 of the longest messages."""
ERROR_BYTES: Final = 65_536
"""The most bytes of a body that is only looked at for the error envelope."""
FIRST_PAUSE_SECONDS: Final = 0.1
MOST_PAUSE_SECONDS: Final = 2.0
"""Before another attempt; the pauses double up to that."""
CONNECTIONS: Final = 8
NO_CONNECTION: Final = "no connection could be made"
LOST: Final = "the connection was lost"
SILENT: Final = "it took too long"

T = TypeVar("T")


@frozen
class Opened:
    """A response whose body is still to be read; ``abort`` ends its connection at once."""

    response: IResponse
    abort: Callable[[], None]


class _Line:
    """One attempt: when something was heard, and the connection that it goes over.

    A TLS connection that is merely closed waits for its peer to agree, who may have gone silent.
    """

    def __init__(self, silence: IDelayedCall, timeout: float) -> None:
        self._silence = silence
        self._timeout = timeout
        self._connection: Any = None

    def taken(self, connection: T) -> T:
        """It goes over this connection."""
        self._connection = connection
        return connection

    def hear(self) -> None:
        """Something has come."""
        if self._silence.active():
            self._silence.reset(self._timeout)

    def abort(self) -> None:
        """End the connection at once, if there is one."""
        transport = getattr(self._connection, "transport", None)
        if transport is not None:
            transport.abortConnection()


class _Pool(HTTPConnectionPool):
    """Tells the attempt that is being made which connection it gets."""

    line: _Line | None = None

    def getConnection(self, key: Any, endpoint: Any) -> Deferred[Any]:  # noqa: N802
        connecting: Deferred[Any] = super().getConnection(key, endpoint)
        return connecting if self.line is None else connecting.addCallback(self.line.taken)


class Exchange:
    """Speaks HTTP with one server, as the agent that a token stands for.

    The parameters are those of `caucus.client.backbone.HTTPBackbone`. Every method raises `Unreachable`
    if no answer comes.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        token: str = "",
        *,
        treq: HTTPClient | None = None,
        clock: IReactorTime | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retry_seconds: float = 0.0,
        max_answer_bytes: int = MOST_BYTES,
    ) -> None:
        if not token.isprintable() or not token.isascii():
            raise ValueError("a token is printable ASCII")
        self.url = url
        self.clock = cast("IReactorTime", reactor) if clock is None else clock
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._most = max_answer_bytes
        self._pool = _Pool(self.clock)
        self._pool.retryAutomatically = False  # what it gives then is the connection itself
        self._pool.cachedConnectionTimeout = KEEP_SECONDS
        self._pool.maxPersistentPerHost = CONNECTIONS
        there = Destination.parse(url)
        # Somebody's own client is given the URL as it is, whatever names it can look up.
        self._base = there.base if treq is None or there.socket else url.rstrip("/")
        self._headers = dict(there.headers) if treq is None else {}
        if token:
            self._headers["Authorization"] = [f"Bearer {token}"]
        self._treq = HTTPClient(there.agent(reactor, self._pool)) if treq is None else treq

    def with_headers(self, headers: Mapping[str, str]) -> Exchange:
        """The same, over the same connections, whose requests have these headers too."""
        same = copy(self)
        same._headers = {**self._headers, **{name: [value] for name, value in headers.items()}}
        return same

    def close(self) -> Deferred[None]:
        """Close the connections that are kept alive; fires when they are gone."""
        return cast("Deferred[None]", self._pool.closeCachedConnections())

    async def request(
        self,
        method: str,
        route: str,
        body: bytes | None = None,
        *,
        writes: bool,
        content_type: str = CONTENT_TYPE,
        patience: float = 0,
    ) -> Answer:
        """One request and its whole answer, tried again as long as ``retry_seconds`` allow.

        It is tried again if no connection could be made or one was lost, if something else than the
        server answered, such as a proxy in front of it, and if the server is overloaded or does not
        know the outcome. What ``writes`` carries an idempotency key, so that it is not done twice; where
        an attempt may have been carried out, it is tried again over a storage that is away as well, and
        `OutcomeUnknown` is raised if no answer settles it in time.
        The server may be silent for so many seconds of ``patience`` longer than the timeout, and it is
        tried again for as much longer.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        if writes:
            headers["Idempotency-Key"] = token_urlsafe(16)
        until = self.clock.seconds() + self._retry_seconds + patience
        pause, in_doubt = FIRST_PAUSE_SECONDS, False
        while True:
            wait = pause * random.uniform(0.5, 1)  # noqa: S311
            try:
                answer = await self._heard(
                    partial(self._request, method, route, body, headers), writes=writes, patience=patience
                )
            except Unreachable as error:
                in_doubt = in_doubt or not error.retryable
                if self.clock.seconds() + wait > until or error.reason not in (NO_CONNECTION, LOST):
                    raise Unreachable(error.reason, error.retryable and not in_doubt) from error
            else:
                undone = answer.says_nothing_was_done
                wait = max(wait, answer.retry_after)
                is_last = self.clock.seconds() + wait > until
                if is_last or not (answer.is_passing or (in_doubt and undone)):
                    if in_doubt and answer.leaves_open:
                        raise OutcomeUnknown
                    return answer
                in_doubt = in_doubt or (writes and not undone)
            await deferLater(self.clock, wait)
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    async def open(self, route: str, headers: Mapping[str, str], content_type: str) -> Opened:
        """The response to a GET, its body still to be read.

        Raises the refusal if it is not 200, and `HttpError` if its content is of another type.
        """
        return await self._heard(partial(self._open, route, headers, content_type), writes=False)

    async def _request(
        self, method: str, route: str, body: bytes | None, given: Mapping[str, str], line: _Line
    ) -> Answer:
        response = await self._asked(line, method, route, given, None if body is None else _Body(body))
        return await self._whole(response, line)

    async def _open(self, route: str, given: Mapping[str, str], content_type: str, line: _Line) -> Opened:
        response = await self._asked(line, "GET", route, {"Accept": content_type, **given})
        if response.code == 200 and media_type(response.headers) == content_type:
            return Opened(response, line.abort)
        answer = await self._whole(response, line, ERROR_BYTES)
        raise HttpError(200) if answer.status == 200 else answer.error()

    def _asked(
        self, line: _Line, method: str, route: str, given: Mapping[str, str], data: _Body | None = None
    ) -> Deferred[IResponse]:
        self._pool.line = line
        try:
            asking = self._treq.request(
                method,
                self._base + route,
                data=data,
                headers=Headers({**self._headers, **{name: [value] for name, value in given.items()}}),
                allow_redirects=False,
                unbuffered=True,
            )
        finally:
            self._pool.line = None
        return cast("Deferred[IResponse]", asking)

    async def _whole(self, response: IResponse, line: _Line, most: int | None = None) -> Answer:
        """A response with its body. Raises `AnswerTooLarge` if that has more bytes than it may."""
        limit = self._most if most is None else most
        parts: list[bytes] = []
        size = 0

        def take(data: bytes) -> None:
            nonlocal size
            line.hear()
            size += len(data)
            if size > limit:
                raise AnswerTooLarge(limit)
            parts.append(data)

        line.hear()
        try:
            await collect(response, take)
        except AnswerTooLarge:
            line.abort()
            if response.code < 400 and most is None:
                raise
            parts.clear()  # it is no envelope
        return Answer(response.code, b"".join(parts), response.headers)

    async def _heard(
        self, exchange: Callable[[_Line], Coroutine[Any, Any, T]], *, writes: bool, patience: float = 0
    ) -> T:
        """The outcome of an exchange, unless nothing is heard for the timeout; then its connection ends."""
        given_up = timed_out = False

        def end() -> None:
            under_way.cancel()
            line.abort()

        def give_up(_waiting: Deferred[T]) -> None:
            nonlocal given_up
            given_up = True
            end()

        def time_out() -> None:
            nonlocal timed_out
            timed_out = True
            end()

        silence = self.clock.callLater(self._timeout + patience, time_out)
        line = _Line(silence, self._timeout)
        under_way = Deferred.fromCoroutine(exchange(line))
        waiting: Deferred[T] = Deferred(give_up)
        under_way.chainDeferred(waiting)
        try:
            return await waiting
        except CaucusError:
            raise
        except Exception as error:
            if given_up:  # a cancelled connection attempt fails in a dozen ways
                raise CancelledError from None
            if timed_out:
                raise Unreachable(SILENT, retryable=not writes) from error
            raise _unreachable(error, writes=writes) from error
        finally:
            if silence.active():
                silence.cancel()


@implementer(IBodyProducer)
@frozen
class _Body:
    """A body written at once: treq's own producer runs on the global reactor, whatever ours is."""

    data: bytes

    @property
    def length(self) -> int:
        return len(self.data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:  # noqa: N802
        consumer.write(self.data)
        return succeed(None)

    def pauseProducing(self) -> None:  # noqa: N802
        """Nothing is left to pause."""

    def resumeProducing(self) -> None:  # noqa: N802
        """Nothing is left to resume."""

    def stopProducing(self) -> None:  # noqa: N802
        """Nothing is left to stop."""


def _unreachable(error: Exception, *, writes: bool) -> Unreachable:
    """What a failed exchange means for the caller."""
    if isinstance(error, ConnectError | DNSLookupError | ConnectTimeoutError):
        return Unreachable(NO_CONNECTION, retryable=True)
    causes: list[BaseException] = [cause.value for cause in getattr(error, "reasons", ())] or [error]
    if any(type(cause).__module__.startswith("OpenSSL") for cause in causes):
        return Unreachable("the TLS connection failed", retryable=False)
    # Twisted has no public name for what it calls a response that is none.
    if any(base.__name__ == "ParseError" for cause in causes for base in type(cause).__mro__):
        return Unreachable("what answers there does not speak HTTP", retryable=False)
    if any(isinstance(cause, ConnectionLost | ConnectionDone | ConnectionAborted) for cause in causes):
        return Unreachable(LOST, retryable=not writes)
    # Nobody has said what this is: so it is called by its name, and no retry is promised to help.
    return Unreachable(f"it failed with {type(causes[0]).__name__}", retryable=False)
