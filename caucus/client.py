"""`HTTPBackbone`: a backbone over HTTP, with treq (contract, section 7)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import msgspec
from attrs import frozen
from treq.client import HTTPClient
from treq.content import content
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed  # noqa: A004
from twisted.internet.endpoints import TCP6ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IConsumer, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from caucus.channel import require_channel_name
from caucus.errors import CaucusError, HttpError, InvalidMessage, NotFound, Unreachable
from caucus.follow import Follow
from caucus.interfaces import IBackbone
from caucus.messages import MessageFields, fields_of
from caucus.records import Appended, ClaimResult, Descriptor, Identity, Page, StoredArtifact
from caucus.wire import answers
from caucus.wire.jsontext import CONTENT_TYPE, encode_json
from caucus.wire.paths import path
from caucus.wire.refusals import decode_error

KEEP_SECONDS: Final = 4
"""How long an idle connection is reused: less than the 5 s for which a server keeps it."""
TIMEOUT_SECONDS: Final = 35.0
"""How long one operation may take by default: more than the server gives a request."""
CONNECTIONS: Final = 8

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


def _asynchronous(
    body: Callable[Concatenate[HTTPBackbone, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[HTTPBackbone, P], Deferred[T]]:
    @wraps(body)
    def operation(self: HTTPBackbone, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return Deferred.fromCoroutine(body(self, *args, **kwargs))

    return operation


@frozen
class _Answer:
    status: int
    body: bytes
    allow: str


@implementer(IBackbone)
class HTTPBackbone:
    """Speaks to a backbone over HTTP, as the agent that its token stands for.

    Beyond the interface's errors an operation fails with `Unreachable` if no answer comes,
    `Unauthorized` if the server does not take the token, and `HttpError` if something else than
    a backbone answers. Redirects are not followed. Cancelling an operation's Deferred gives it up.

    :param reactor: what connections are made on.
    :param url: ``http://``, ``https://`` or ``http+unix://`` and a percent-encoded socket path,
        as a server announces it.
    :param token: the bearer token; without one only the operations that read can succeed.
    :param treq: the client to make requests with, instead of one that keeps connections alive.
    :param clock: measures the timeout and the idle connections' age; ``reactor`` if not given.
    :param timeout: seconds that one operation may take.
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
    ) -> None:
        self._clock = cast("IReactorTime", reactor) if clock is None else clock
        self._timeout = timeout
        self._pool = HTTPConnectionPool(self._clock)
        self._pool.cachedConnectionTimeout = KEEP_SECONDS
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._shown = url
        self._url, self._headers, agent = _base_and_agent(reactor, url, self._pool)
        if token:
            self._headers["Authorization"] = [f"Bearer {token}"]
        self._treq = HTTPClient(agent) if treq is None else treq

    def __repr__(self) -> str:
        return f"<HTTPBackbone {self._shown}>"

    def close(self) -> Deferred[None]:
        """Close the connections that are kept alive; fires when they are gone."""
        return cast("Deferred[None]", self._pool.closeCachedConnections())

    @_asynchronous
    async def create_channel(
        self,
        channel: str,
        *,
        purpose: str | None = None,
        created_by: str | None = None,
        verbosity: str | None = "quiet",
        render_budget_chars: int | None = 200,
    ) -> Descriptor:
        """As the interface says; where no ``purpose`` is given, an empty one is sent, since some
        clients of other servers cannot list a channel without one."""
        fields = {
            "channel": channel,
            "purpose": "" if purpose is None else purpose,
            "created_by": created_by,
            "verbosity": verbosity,
            "renderBudgetChars": render_budget_chars,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        answer = await self._post(path("channels"), given)
        return self._read(answer, 201, answers.decode_descriptor)

    @_asynchronous
    async def describe_channel(self, channel: str) -> Descriptor:
        answer = await self._get(_channel_path(channel))
        return self._read(answer, 200, answers.decode_descriptor)

    @_asynchronous
    async def list_channels(self) -> list[Descriptor]:
        return self._read(await self._get(path("channels")), 200, answers.decode_channels)

    @_asynchronous
    async def append(self, channel: str, message: MessageFields) -> Appended:
        answer = await self._post(_channel_path(channel, "append"), fields_of(message))
        return self._read(answer, 201, answers.decode_appended)

    @_asynchronous
    async def read_since(self, channel: str, cursor: int, limit: int | None = None) -> Page:
        fields = {"cursor": cursor} if limit is None else {"cursor": cursor, "limit": limit}
        answer = await self._post(_channel_path(channel, "read"), fields, writes=False)
        return self._read(answer, 200, answers.decode_page)

    @_asynchronous
    async def claim(self, channel: str, message: MessageFields) -> ClaimResult:
        answer = await self._post(_channel_path(channel, "claim"), fields_of(message))
        return self._read(answer, 200, answers.decode_claim)

    @_asynchronous
    async def reassign_claim(self, channel: str, message: MessageFields, assignee: Identity) -> ClaimResult:
        given = {"agent_id": assignee.agent_id, "owner": assignee.owner}
        fields = {**fields_of(message), "assignee": given}
        answer = await self._post(_channel_path(channel, "reassign"), fields)
        return self._read(answer, 200, answers.decode_claim)

    @_asynchronous
    async def mark_claim_done(self, channel: str, message: MessageFields) -> ClaimResult:
        answer = await self._post(_channel_path(channel, "done"), fields_of(message))
        return self._read(answer, 200, answers.decode_claim)

    @_asynchronous
    async def subscribe(self, channel: str) -> int:
        answer = await self._exchange("POST", _channel_path(channel, "subscribe"), None, writes=False)
        return self._read(answer, 200, answers.decode_cursor)

    @_asynchronous
    async def put_artifact(self, channel: str, sha256: str, data: bytes) -> StoredArtifact:
        answer = await self._exchange("PUT", _artifact_path(channel, sha256), data, writes=True)
        deduplicated = answer.status == 200
        return self._read(
            answer,
            200 if deduplicated else 201,
            lambda body: answers.decode_artifact(body, deduplicated=deduplicated),
        )

    @_asynchronous
    async def get_artifact(self, channel: str, sha256: str) -> bytes | None:
        answer = await self._get(_artifact_path(channel, sha256))
        if answer.status == 200:
            return answer.body
        error = decode_error(answer.status, answer.body)
        if isinstance(error, NotFound):
            return None
        raise error

    def follow(self, channel: str, cursor: int) -> Follow:
        """The channel's messages from ``cursor`` on, each as it is appended; see `Follow`."""

        def connect(at: int, resumed: bool) -> Deferred[IResponse]:
            opening = self._open_stream(channel, at, resumed=resumed)
            return Deferred.fromCoroutine(self._answered(opening, writes=False))

        return Follow(connect, cursor, self._clock)

    async def _open_stream(self, channel: str, cursor: int, *, resumed: bool) -> IResponse:
        headers = Headers(self._headers)
        if resumed:
            # Wins over since where the server knows it, and starts anew if the log was lost.
            headers.setRawHeaders("Last-Event-ID", [str(cursor)])
        url = f"{self._url}{_channel_path(channel, 'stream')}?since={cursor}"
        response = await self._treq.request(
            "GET", url, headers=headers, allow_redirects=False, unbuffered=True
        )
        if response.code != 200:
            raise decode_error(response.code, await content(response))
        return cast("IResponse", response)

    async def _get(self, route: str) -> _Answer:
        return await self._exchange("GET", route, None, writes=False)

    async def _post(self, route: str, fields: dict[str, Any], *, writes: bool = True) -> _Answer:
        try:
            body = encode_json(fields)
        except (TypeError, ValueError, RecursionError):
            raise InvalidMessage(("it holds something that JSON in UTF-8 cannot say",)) from None
        return await self._exchange("POST", route, body, writes=writes)

    async def _exchange(self, method: str, route: str, body: bytes | None, *, writes: bool) -> _Answer:
        """One request and its whole answer. Raises `Unreachable` if there is none."""
        return await self._answered(self._send(method, route, body), writes=writes)

    async def _answered(self, exchange: Coroutine[Any, Any, T], *, writes: bool) -> T:
        """The outcome of an exchange within the timeout. Raises `Unreachable` if there is none."""
        given_up = False

        def give_up(_waiting: Deferred[T]) -> None:
            nonlocal given_up
            given_up = True
            under_way.cancel()

        under_way = Deferred.fromCoroutine(exchange)
        under_way.addTimeout(self._timeout, self._clock, onTimeoutCancel=_timed_out)
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

    async def _send(self, method: str, route: str, body: bytes | None) -> _Answer:
        headers = Headers(self._headers)
        if body is not None:
            binary = method == "PUT"
            headers.setRawHeaders("Content-Type", ["application/octet-stream" if binary else CONTENT_TYPE])
        response = await self._treq.request(
            method,
            self._url + route,
            data=None if body is None else _Body(body),
            headers=headers,
            allow_redirects=False,
        )
        data = await content(response)
        allow = b", ".join(response.headers.getRawHeaders(b"Allow") or ())
        return _Answer(response.code, data, allow.decode("latin-1"))

    def _read(self, answer: _Answer, success: int, decode: Callable[[bytes], R]) -> R:
        if answer.status != success:
            raise decode_error(answer.status, answer.body, answer.allow)
        try:
            return decode(answer.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise HttpError(answer.status) from None


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


def _channel_path(channel: str, *rest: str) -> str:
    require_channel_name(channel)  # "" and ".." would be another route
    return path("channels", channel, *rest)


def _artifact_path(channel: str, sha256: str) -> str:
    return _channel_path(channel, "artifacts", sha256 if sha256.strip(".") else "-")


def _timed_out(_result: object, _seconds: float) -> Failure:
    return Failure(TimeoutError())


def _unreachable(error: Exception, *, writes: bool) -> Unreachable:
    """What a failed exchange means for the caller."""
    if isinstance(error, ConnectError | DNSLookupError):
        return Unreachable("no connection could be made", retryable=True)
    if isinstance(error, TimeoutError):
        return Unreachable("it took too long", retryable=not writes)
    causes = [cause.value for cause in getattr(error, "reasons", ())]
    if any(type(cause).__module__.startswith("OpenSSL") for cause in causes):
        return Unreachable("the TLS connection failed", retryable=False)
    return Unreachable("the connection was lost", retryable=not writes)
