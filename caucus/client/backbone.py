"""`HTTPBackbone`: a backbone over HTTP, with treq."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from hashlib import sha256 as hash_sha256
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from caucus.client.exchange import MOST_BYTES, TIMEOUT_SECONDS, Answer, Exchange, Opened
from caucus.client.follow import Follow
from caucus.errors import HttpError, InvalidMessage, NotFound
from caucus.interfaces import IBackbone
from caucus.model.channels import require_channel_name
from caucus.model.messages import MessageFields, fields_of
from caucus.model.records import Appended, ClaimResult, Descriptor, Identity, Page, StoredArtifact
from caucus.wire import answers
from caucus.wire.frames import EVENT_STREAM
from caucus.wire.jsontext import encode_json
from caucus.wire.paths import path

RETRY_SECONDS: Final = 10.0
"""As long as a daemon that is started again with a long log may be away."""

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


@implementer(IBackbone)
class HTTPBackbone:
    """Speaks to a backbone over HTTP, as the agent that its token stands for.

    Beyond the interface's errors an operation fails with `Unreachable` if no answer comes,
    `Unauthorized` if the server does not take the token, `HttpError` if something else than a
    backbone answers, and `AnswerTooLarge`. A URL or a token that cannot be used is a `ValueError` at
    once. Redirects are not followed. Cancelling an operation's Deferred gives it up.

    :param reactor: what connections are made on.
    :param url: ``http://``, ``https://`` or ``http+unix://`` and a percent-encoded socket path,
        as a server announces it.
    :param token: the bearer token; without one only the operations that read can succeed.
    :param treq: the client to make requests with, instead of one that keeps connections alive.
    :param clock: measures the timeout and the idle connections' age; ``reactor`` if not given.
    :param timeout: seconds after which an attempt is given up if nothing was heard meanwhile.
    :param retry_seconds: how long an operation is tried again, with growing pauses, when no
        connection can be made, one is lost, a proxy answers instead of the server, or that is
        overloaded or does not know the outcome; 0 tries once. What ``Retry-After`` says is waited
        for, if that is in time. A write carries an idempotency key, which the server must know: the
        original service does not.
    :param max_answer_bytes: the most bytes of one answer; more is `AnswerTooLarge`.
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
        retry_seconds: float = RETRY_SECONDS,
        max_answer_bytes: int = MOST_BYTES,
    ) -> None:
        self._exchange = Exchange(
            reactor,
            url,
            token,
            treq=treq,
            clock=clock,
            timeout=timeout,
            retry_seconds=retry_seconds,
            max_answer_bytes=max_answer_bytes,
        )

    def __repr__(self) -> str:
        return f"<HTTPBackbone {self._exchange.url}>"

    def close(self) -> Deferred[None]:
        """Close the connections that are kept alive; fires when they are gone."""
        return self._exchange.close()

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
        given = {name: getattr(assignee, name, None) for name in ("agent_id", "owner")}
        fields = {**fields_of(message), "assignee": given}
        answer = await self._post(_channel_path(channel, "reassign"), fields)
        return self._read(answer, 200, answers.decode_claim)

    @_asynchronous
    async def mark_claim_done(self, channel: str, message: MessageFields) -> ClaimResult:
        answer = await self._post(_channel_path(channel, "done"), fields_of(message))
        return self._read(answer, 200, answers.decode_claim)

    @_asynchronous
    async def subscribe(self, channel: str) -> int:
        answer = await self._exchange.request("POST", _channel_path(channel, "subscribe"), writes=False)
        return self._read(answer, 200, answers.decode_cursor)

    @_asynchronous
    async def put_artifact(self, channel: str, sha256: str, data: bytes) -> StoredArtifact:
        answer = await self._exchange.request(
            "PUT", _artifact_path(channel, sha256), data, writes=True, content_type="application/octet-stream"
        )
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
            if hash_sha256(answer.body).hexdigest() != sha256:
                raise HttpError(200)  # it is something else's page
            return answer.body
        error = answer.error()
        if isinstance(error, NotFound):
            return None
        raise error

    def follow(self, channel: str, cursor: int) -> Follow:
        """The channel's messages from ``cursor`` on, each as it is appended; see `Follow`."""

        def connect(at: int, resumed: bool) -> Deferred[Opened]:
            # Last-Event-ID wins over since where it is known, and starts anew if the log was lost.
            headers = {"Last-Event-ID": str(at)} if resumed else {}
            route = f"{_channel_path(channel, 'stream')}?since={at}"
            return Deferred.fromCoroutine(self._exchange.open(route, headers, EVENT_STREAM))

        return Follow(connect, cursor, self._exchange.clock)

    async def _get(self, route: str) -> Answer:
        return await self._exchange.request("GET", route, writes=False)

    async def _post(self, route: str, fields: dict[str, Any], *, writes: bool = True) -> Answer:
        try:
            body = encode_json(fields)
        except (TypeError, ValueError, RecursionError):
            raise InvalidMessage(("it holds something that JSON in UTF-8 cannot say",)) from None
        return await self._exchange.request("POST", route, body, writes=writes)

    def _read(self, answer: Answer, success: int, decode: Callable[[bytes], R]) -> R:
        if answer.status != success:
            raise answer.error()
        try:
            return decode(answer.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise HttpError(answer.status) from None


def _channel_path(channel: str, *rest: str) -> str:
    require_channel_name(channel)  # "" and ".." would be another route
    return path("channels", channel, *rest)


def _artifact_path(channel: str, sha256: str) -> str:
    return _channel_path(channel, "artifacts", sha256 if sha256.strip(".") else "-")
