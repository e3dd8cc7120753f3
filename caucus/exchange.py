"""One HTTP exchange after another with one server: connections, time-outs, and what failure means."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Mapping
from secrets import token_urlsafe
from typing import Any, Final, TypeVar, cast
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from attrs import frozen
from treq.client import HTTPClient
from treq.content import content
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed  # noqa: A004
from twisted.internet.endpoints import TCP6ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IConsumer, IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from caucus.errors import CaucusError, OutcomeUnknown, Unreachable
from caucus.wire.jsontext import CONTENT_TYPE
from caucus.wire.refusals import decode_error

KEEP_SECONDS: Final = 4
"""How long an idle connection is reused: less than the 5 s for which a server keeps it."""
TIMEOUT_SECONDS: Final = 35.0
"""How long one exchange may take by default: more than the server gives a request."""
FIRST_PAUSE_SECONDS: Final = 0.1
MOST_PAUSE_SECONDS: Final = 2.0
"""Before another attempt; the pauses double up to that."""
CONNECTIONS: Final = 8
NO_CONNECTION: Final = "no connection could be made"
LOST: Final = "the connection was lost"

T = TypeVar("T")


@frozen
class Answer:
    """A whole answer; ``allow`` is its ``Allow`` header."""

    status: int
    body: bytes
    allow: str


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
    ) -> None:
        if not token.isprintable() or not token.isascii():
            raise ValueError("a token is printable ASCII")
        self.url = url
        self.clock = cast("IReactorTime", reactor) if clock is None else clock
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._pool = HTTPConnectionPool(self.clock)
        self._pool.cachedConnectionTimeout = KEEP_SECONDS
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._base, self._headers, agent = _base_and_agent(reactor, url, self._pool)
        if token:
            self._headers["Authorization"] = [f"Bearer {token}"]
        self._treq = HTTPClient(agent) if treq is None else treq

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

        It is tried again if no connection could be made or one was lost, and if the server does not
        know the outcome. What ``writes`` carries an idempotency key, so that it is not done twice.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        if writes:
            headers["Idempotency-Key"] = token_urlsafe(16)
        until = self.clock.seconds() + self._retry_seconds
        pause, in_doubt = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                answer = await self._within_time(self._request(method, route, body, headers), writes=writes)
            except Unreachable as error:
                in_doubt = in_doubt or not error.retryable
                if self.clock.seconds() + pause > until or error.reason not in (NO_CONNECTION, LOST):
                    raise Unreachable(error.reason, error.retryable and not in_doubt) from error
            else:
                if self.clock.seconds() + pause > until or not _is_unknown(answer):
                    return answer
                in_doubt = True
            await deferLater(self.clock, pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    async def open(self, route: str, headers: Mapping[str, str]) -> IResponse:
        """The response to a GET, its body still to be read. Raises the refusal if it is not 200."""
        return await self._within_time(self._open(route, headers), writes=False)

    async def _request(self, method: str, route: str, body: bytes | None, given: Mapping[str, str]) -> Answer:
        headers = Headers({**self._headers, **{name: [value] for name, value in given.items()}})
        response = await self._treq.request(
            method,
            self._base + route,
            data=None if body is None else _Body(body),
            headers=headers,
            allow_redirects=False,
        )
        data = await content(response)
        allow = b", ".join(response.headers.getRawHeaders(b"Allow") or ())
        return Answer(response.code, data, allow.decode("latin-1"))

    async def _open(self, route: str, headers: Mapping[str, str]) -> IResponse:
        sent = Headers({**self._headers, **{name: [value] for name, value in headers.items()}})
        response = await self._treq.request(
            "GET", self._base + route, headers=sent, allow_redirects=False, unbuffered=True
        )
        if response.code != 200:
            raise decode_error(response.code, await content(response))
        return cast("IResponse", response)

    async def _within_time(self, exchange: Coroutine[Any, Any, T], *, writes: bool) -> T:
        """The outcome of an exchange, if it has one before the timeout."""
        given_up = False

        def give_up(_waiting: Deferred[T]) -> None:
            nonlocal given_up
            given_up = True
            under_way.cancel()

        under_way = Deferred.fromCoroutine(exchange)
        under_way.addTimeout(self._timeout, self.clock, onTimeoutCancel=_timed_out)
        waiting: Deferred[T] = Deferred(give_up)
        under_way.chainDeferred(waiting)
        try:
            return await waiting
        except CaucusError:
            raise
        except Exception as error:
            if given_up:  # a cancelled connection attempt fails in a dozen ways
                raise CancelledError from None
            raise _unreachable(error, writes=writes) from error


def _is_unknown(answer: Answer) -> bool:
    """Whether the server does not know whether the write was kept."""
    return answer.status == 503 and isinstance(decode_error(answer.status, answer.body), OutcomeUnknown)


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


@implementer(IAgentEndpointFactory)
@frozen
class _OneEndpoint:
    """Leads every request to one endpoint, whatever its URL says."""

    endpoint: IStreamClientEndpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: ARG002, N802
        return self.endpoint


def _base_and_agent(
    reactor: Any, url: str, pool: HTTPConnectionPool
) -> tuple[str, dict[str, list[str]], IAgent]:
    """The URL to put paths behind, the headers that go with it, and what makes the requests."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("the URL of a backbone has a scheme, a host, a port and a path only")
    if parts.scheme == "http+unix":
        socket = unquote_to_bytes(parts.netloc + parts.path).decode("utf-8", "surrogateescape")
        endpoints = _OneEndpoint(UNIXClientEndpoint(reactor, socket))
        return "http://localhost", {}, Agent.usingEndpointFactory(reactor, endpoints, pool)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL of a backbone begins with http://, https:// or http+unix://")
    if ":" in parts.hostname:
        # treq puts every host through IDNA, which refuses the colons of an IPv6 literal.
        base = parts._replace(netloc="localhost").geturl().rstrip("/")
        endpoints = _OneEndpoint(_ipv6_endpoint(reactor, parts))
        return base, {"Host": [parts.netloc]}, Agent.usingEndpointFactory(reactor, endpoints, pool)
    return url.rstrip("/"), {}, Agent(reactor, pool=pool)


def _ipv6_endpoint(reactor: Any, parts: SplitResult) -> IStreamClientEndpoint:
    tls = parts.scheme == "https"
    host, port = str(parts.hostname), parts.port or (443 if tls else 80)
    endpoint: IStreamClientEndpoint = TCP6ClientEndpoint(reactor, host, port)
    if tls:
        endpoint = wrapClientTLS(BrowserLikePolicyForHTTPS().creatorForNetloc(host.encode(), port), endpoint)
    return endpoint


def _timed_out(_result: object, _seconds: float) -> Failure:
    return Failure(TimeoutError())


def _unreachable(error: Exception, *, writes: bool) -> Unreachable:
    """What a failed exchange means for the caller."""
    if isinstance(error, ConnectError | DNSLookupError):
        return Unreachable(NO_CONNECTION, retryable=True)
    if isinstance(error, TimeoutError):
        return Unreachable("it took too long", retryable=not writes)
    causes = [cause.value for cause in getattr(error, "reasons", ())]
    if any(type(cause).__module__.startswith("OpenSSL") for cause in causes):
        return Unreachable("the TLS connection failed", retryable=False)
    return Unreachable(LOST, retryable=not writes)
