"""One HTTP exchange after another with one server: connections, time-outs, and what failure means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Coroutine, Mapping
from email.utils import parsedate_to_datetime
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
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from caucus.destination import Destination
from caucus.errors import AnswerTooLarge, CaucusError, HttpError, OutcomeUnknown, Overloaded, Unreachable
from caucus.wire.jsontext import CONTENT_TYPE
from caucus.wire.refusals import decode_error

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
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: Headers

    @property
    def is_passing(self) -> bool:
        """Whether asking again can help: it is no answer of the server's, or one that says so."""
        is_page = self.media_type == "text/html"
        if self.status < 400:
            return is_page
        error = self.error()
        if isinstance(error, HttpError):
            return is_page or self.status in (502, 503, 504)
        return isinstance(error, OutcomeUnknown | Overloaded)

    @property
    def media_type(self) -> str:
        """What its content is said to be, such as ``application/json``."""
        return _media_type(self.headers)

    @property
    def retry_after(self) -> float:
        """How many seconds to wait before asking again, as it says; 0 if it says nothing."""
        return _seconds_of(self.headers)

    def error(self) -> CaucusError:
        """The refusal that it is, or else an `HttpError`."""
        allow = b", ".join(self.headers.getRawHeaders(b"Allow") or ())
        return decode_error(self.status, self.body, allow.decode("latin-1"))


class Exchange:
    """Speaks HTTP with one server, as the agent that a token stands for.

    The parameters are those of `caucus.client.HTTPBackbone`. Every method raises `Unreachable`
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
        self._pool = HTTPConnectionPool(self.clock)
        self._pool.cachedConnectionTimeout = KEEP_SECONDS
        self._pool.maxPersistentPerHost = CONNECTIONS
        there = Destination.parse(url)
        self._base, self._headers = there.base, dict(there.headers)
        if token:
            self._headers["Authorization"] = [f"Bearer {token}"]
        self._treq = HTTPClient(there.agent(reactor, self._pool)) if treq is None else treq

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
    ) -> Answer:
        """One request and its whole answer, tried again as long as ``retry_seconds`` allow.

        It is tried again if no connection could be made or one was lost, if something else than the
        server answered, such as a proxy in front of it, and if the server is overloaded or does not
        know the outcome. What ``writes`` carries an idempotency key, so that it is not done twice.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        if writes:
            headers["Idempotency-Key"] = token_urlsafe(16)
        until = self.clock.seconds() + self._retry_seconds
        pause, in_doubt = FIRST_PAUSE_SECONDS, False
        while True:
            wait = pause * random.uniform(0.5, 1)  # noqa: S311
            try:
                answer = await self._heard(
                    partial(self._request, method, route, body, headers), writes=writes
                )
            except Unreachable as error:
                in_doubt = in_doubt or not error.retryable
                if self.clock.seconds() + wait > until or error.reason not in (NO_CONNECTION, LOST):
                    raise Unreachable(error.reason, error.retryable and not in_doubt) from error
            else:
                if not answer.is_passing:
                    return answer
                wait = max(wait, answer.retry_after)
                if self.clock.seconds() + wait > until:
                    return answer
                in_doubt = in_doubt or writes
            await deferLater(self.clock, wait)
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    async def open(self, route: str, headers: Mapping[str, str], content_type: str) -> IResponse:
        """The response to a GET, its body still to be read.

        Raises the refusal if it is not 200, and `HttpError` if its content is of another type.
        """
        return await self._heard(partial(self._open, route, headers, content_type), writes=False)

    async def _request(
        self,
        method: str,
        route: str,
        body: bytes | None,
        given: Mapping[str, str],
        heard: Callable[[], None],
    ) -> Answer:
        response = await self._treq.request(
            method,
            self._base + route,
            data=None if body is None else _Body(body),
            headers=self._with(given),
            allow_redirects=False,
            unbuffered=True,
        )
        heard()
        return await self._whole(response, heard)

    async def _open(
        self, route: str, given: Mapping[str, str], content_type: str, heard: Callable[[], None]
    ) -> IResponse:
        response = await self._treq.request(
            "GET", self._base + route, headers=self._with(given), allow_redirects=False, unbuffered=True
        )
        if response.code == 200 and _media_type(response.headers) == content_type:
            return cast("IResponse", response)
        heard()
        answer = await self._whole(response, heard, ERROR_BYTES)
        raise HttpError(200) if answer.status == 200 else answer.error()

    def _with(self, given: Mapping[str, str]) -> Headers:
        return Headers({**self._headers, **{name: [value] for name, value in given.items()}})

    async def _whole(self, response: IResponse, heard: Callable[[], None], most: int | None = None) -> Answer:
        """A response with its body. Raises `AnswerTooLarge` if that has more bytes than it may."""
        limit = self._most if most is None else most
        parts: list[bytes] = []
        size = 0

        def take(data: bytes) -> None:
            nonlocal size
            heard()
            size += len(data)
            if size > limit:
                raise AnswerTooLarge(limit)
            parts.append(data)

        try:
            await collect(response, take)
        except AnswerTooLarge:
            if response.code < 400 and most is None:
                raise
            parts.clear()  # it is no envelope
        return Answer(response.code, b"".join(parts), response.headers)

    async def _heard(
        self, exchange: Callable[[Callable[[], None]], Coroutine[Any, Any, T]], *, writes: bool
    ) -> T:
        """The outcome of an exchange, unless nothing is heard for the timeout: it is told what is heard."""
        given_up = timed_out = False

        def give_up(_waiting: Deferred[T]) -> None:
            nonlocal given_up
            given_up = True
            under_way.cancel()

        def time_out() -> None:
            nonlocal timed_out
            timed_out = True
            under_way.cancel()

        def hear() -> None:
            if silence.active():
                silence.reset(self._timeout)

        silence = self.clock.callLater(self._timeout, time_out)
        under_way = Deferred.fromCoroutine(exchange(hear))
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


def _media_type(headers: Headers) -> str:
    given = headers.getRawHeaders("content-type") or [""]
    return str(given[0]).partition(";")[0].strip().lower()


def _seconds_of(headers: Headers) -> float:
    """What ``Retry-After`` says, in seconds or as a date (RFC 9110, section 10.2.3); 0 if nothing."""
    given = (headers.getRawHeaders("retry-after") or [""])[0]
    if re.fullmatch("[0-9]{1,9}", given):
        return float(given)
    try:
        sent = parsedate_to_datetime((headers.getRawHeaders("date") or [""])[0])
        return max(0.0, (parsedate_to_datetime(given) - sent).total_seconds())
    except (TypeError, ValueError):
        return 0.0


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
