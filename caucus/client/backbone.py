"""`HTTPBackbone`: a backbone over HTTP, with treq."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Final, TypeVar, cast

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from caucus.client.asking import (
    fields_of_claim,
    json_of,
    nothing_there,
    patience as patience_of,
    query_of,
    segment,
    verified,
)
from caucus.client.call import call
from caucus.client.exchange import MOST_BYTES, TIMEOUT_SECONDS, Exchange, Opened
from caucus.client.feed import Feed
from caucus.client.follow import Follow
from caucus.errors import CaucusError
from caucus.interfaces import IBackbone, IClaims, IFeed, IInbox, IPresence
from caucus.model.channels import require_channel_name
from caucus.model.claims import Claim, TakeResult
from caucus.model.feed import FeedPage
from caucus.model.messages import MessageFields
from caucus.model.presence import Acknowledged, InboxPage, Presence, ToldMessage, Whoami
from caucus.model.records import (
    Appended,
    ClaimResult,
    Descriptor,
    Identity,
    Page,
    Released,
    StoredArtifact,
)
from caucus.model.views import read_view
from caucus.model.wanted import Wanted
from caucus.wire import following, operations
from caucus.wire.frames import EVENT_STREAM
from caucus.wire.operation import Operation

RETRY_SECONDS: Final = 10.0
"""As long as a daemon that is started again with a long log may be away."""

T = TypeVar("T")


@implementer(IBackbone, IClaims, IFeed, IPresence, IInbox)
class HTTPBackbone:
    """Speaks to a backbone over HTTP, as the agent that its token stands for.

    Beyond the interface's errors an operation fails with `Unreachable` if no answer comes,
    `Unauthorized` if the server does not take the token, `HttpError` if something else than a
    backbone answers, and `AnswerTooLarge`. A URL or a token that cannot be used is a `ValueError` at
    once. Redirects are not followed. Cancelling an operation's Deferred gives it up. Nobody is asked who
    speaks: the token says.

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

    def create_channel(
        self,
        channel: str,
        *,
        purpose: str | None = None,
        created_by: str | None = None,
        verbosity: str | None = "quiet",
        render_budget_chars: int | None = 200,
    ) -> Deferred[Descriptor]:
        """As the interface says; where no ``purpose`` is given, an empty one is sent, since some
        clients of other servers cannot list a channel without one."""
        fields = {
            "channel": channel,
            "purpose": "" if purpose is None else purpose,
            "created_by": created_by,
            "verbosity": verbosity,
            "renderBudgetChars": render_budget_chars,
        }
        return self._call(operations.CREATE_CHANNEL, fields=fields)

    def describe_channel(self, channel: str) -> Deferred[Descriptor]:
        return self._call(operations.DESCRIBE_CHANNEL, channel)

    def list_channels(self) -> Deferred[list[Descriptor]]:
        return self._call(operations.LIST_CHANNELS)

    def append(self, channel: str, message: MessageFields) -> Deferred[Appended]:
        return self._call(operations.APPEND, channel, fields=message)

    def read_since(
        self, channel: str, cursor: int, limit: int | None = None, wait: float = 0
    ) -> Deferred[Page]:
        fields = {"cursor": cursor, "limit": limit, "wait": None if wait == 0 else wait}
        return self._call(operations.READ_SINCE, channel, fields=fields, patience=patience_of(wait))

    def claim(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._call(operations.CLAIM, channel, fields=message)

    def reassign_claim(
        self, channel: str, message: MessageFields, assignee: Identity
    ) -> Deferred[ClaimResult]:
        return self._call(operations.REASSIGN_CLAIM, channel, fields=message, assignee=assignee)

    def mark_claim_done(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._call(operations.MARK_CLAIM_DONE, channel, fields=message)

    def list_claims(
        self,
        channel: str,
        *,
        owner: str | None = None,
        agent_id: str | None = None,
        state: str | None = None,
        targets: Sequence[str] = (),
    ) -> Deferred[list[Claim]]:
        asked = [("owner", owner), ("agent_id", agent_id), ("state", state)]
        query = [(name, text) for name, text in asked if text is not None]
        query += [("target", one) for one in targets]
        return self._call(operations.LIST_CLAIMS, channel, query=query)

    def get_claim(
        self, channel: str, claim: int, fence: int | None = None, wait: float = 0
    ) -> Deferred[Claim]:
        query = [] if fence is None else [("fence", str(fence))]
        query += [("wait", str(wait))] if wait else []
        return self._call(operations.GET_CLAIM, channel, str(claim), query=query, patience=patience_of(wait))

    def take_claim(
        self,
        channel: str,
        wanted: Wanted | Mapping[str, object],
        by: Identity | None = None,  # noqa: ARG002  # the token says
    ) -> Deferred[TakeResult]:
        fields = wanted if isinstance(wanted, Mapping) else fields_of_claim(wanted)
        return self._call(operations.TAKE_CLAIM, channel, fields=fields)

    def renew_claim(
        self,
        channel: str,
        claim: int,
        by: Identity | None = None,  # noqa: ARG002
        *,
        lease_ttl: int | None = None,
    ) -> Deferred[Claim]:
        return self._call(operations.RENEW_CLAIM, channel, str(claim), fields={"lease_ttl": lease_ttl})

    def release_claim(
        self,
        channel: str,
        claim: int,
        by: Identity | None = None,  # noqa: ARG002
        *,
        note: str | None = None,
        done: bool | None = True,
    ) -> Deferred[Released]:
        return self._call(operations.RELEASE_CLAIM, channel, str(claim), fields={"note": note, "done": done})

    def offer_claim(
        self,
        channel: str,
        claim: int,
        by: Identity | None = None,  # noqa: ARG002
        *,
        owner: str,
        agent_id: str | None = None,
        note: str | None = None,
        expires_in: int | None = None,
    ) -> Deferred[Claim]:
        to = {"owner": owner} if agent_id is None else {"owner": owner, "agent_id": agent_id}
        fields = {"to": to, "note": note, "expires_in": expires_in}
        return self._call(operations.OFFER_CLAIM, channel, str(claim), fields=fields)

    def accept_claim(
        self,
        channel: str,
        claim: int,
        by: Identity | None = None,  # noqa: ARG002
        *,
        note: str | None = None,
    ) -> Deferred[Claim]:
        return self._call(operations.ACCEPT_CLAIM, channel, str(claim), fields={"note": note})

    def decline_claim(
        self,
        channel: str,
        claim: int,
        by: Identity | None = None,  # noqa: ARG002
        *,
        note: str | None = None,
    ) -> Deferred[Claim]:
        return self._call(operations.DECLINE_CLAIM, channel, str(claim), fields={"note": note})

    def fenced(self, claim: int, fence: int, by: Identity | None = None) -> HTTPBackbone:  # noqa: ARG002
        """The same client, over the same connections."""
        same = copy(self)
        same._exchange = self._exchange.with_headers({"If-Claim": f"{claim};fence={fence}"})
        return same

    def revoke_claim(
        self,
        channel: str,
        claim: int,
        reason: str,
        by: Identity | None = None,  # noqa: ARG002  # the token says
    ) -> Deferred[Released]:
        return self._call(operations.REVOKE_CLAIM, channel, str(claim), fields={"reason": reason})

    def subscribe(self, channel: str) -> Deferred[int]:
        return self._call(operations.SUBSCRIBE, channel)

    def put_artifact(self, channel: str, sha256: str, data: bytes) -> Deferred[StoredArtifact]:
        return self._call(operations.PUT_ARTIFACT, channel, segment(sha256), data=data)

    def get_artifact(self, channel: str, sha256: str) -> Deferred[bytes | None]:
        getting = self._call(operations.GET_ARTIFACT, channel, segment(sha256))
        return getting.addCallbacks(verified, nothing_there, callbackArgs=(sha256,))

    def follow(self, channel: str, cursor: int) -> Follow:
        """The channel's messages from ``cursor`` on, each as it is appended; see `Follow`."""

        def connect(at: int, resumed: bool) -> Deferred[Opened]:
            # Last-Event-ID wins over since where it is known, and starts anew if the log was lost.
            headers = {"Last-Event-ID": str(at)} if resumed else {}
            require_channel_name(channel)
            route = f"{operations.STREAM.target(channel)}?since={at}"
            return Deferred.fromCoroutine(self._exchange.open(route, headers, EVENT_STREAM))

        return Follow(connect, cursor, self._exchange.clock)

    def read_feed(
        self,
        rooms: Sequence[str] = (),
        since: str | None = None,
        *,
        wait: float = 0,
        limit: int | None = None,
    ) -> Deferred[FeedPage]:
        try:
            read_view(rooms)  # "" would be none
        except CaucusError:
            return fail()
        asked = [("since", since), ("wait", wait or None), ("limit", limit)]
        query = [("room", room) for room in rooms]
        query += [(name, str(value)) for name, value in asked if value is not None]
        return self._call(following.READ_FEED, query=query, patience=patience_of(wait))

    def feed(self, rooms: Sequence[str] = (), since: str | None = None) -> Feed:
        """As the interface says, over connections that are made again where they are lost; see `Feed`."""

        def connect(route: str, headers: Mapping[str, str]) -> Deferred[Opened]:
            return Deferred.fromCoroutine(self._exchange.open(route, headers, EVENT_STREAM))

        return Feed(connect, read_view(rooms), since, self._exchange.clock)

    def who(self, channel: str | None = None) -> Deferred[list[Presence]]:
        query = [] if channel is None else [("channel", channel)]
        return self._call(following.WHO, query=query)

    def whoami(self, by: Identity | None = None) -> Deferred[Whoami]:  # noqa: ARG002
        return self._call(following.WHOAMI, fields={})

    def read_inbox(
        self,
        by: Identity | None = None,  # noqa: ARG002
        *,
        since: str | None = None,
        wait: float = 0,
        everything: bool = False,
    ) -> Deferred[InboxPage]:
        asked = [("since", since), ("wait", wait or None), ("all", "true" if everything else None)]
        query = [(name, str(value)) for name, value in asked if value is not None]
        return self._call(following.READ_INBOX, fields={}, query=query, patience=patience_of(wait))

    def ack(
        self,
        channel: str,
        cursor: int,
        by: Identity | None = None,  # noqa: ARG002
    ) -> Deferred[Acknowledged]:
        return self._call(following.ACK, fields={"channel": channel, "cursor": cursor})

    def get_message(self, channel: str, cursor: int) -> Deferred[ToldMessage]:
        return self._call(following.GET_MESSAGE, channel, segment(str(cursor)))

    def _call(
        self,
        operation: Operation[T],
        *variables: str,
        fields: MessageFields | None = None,
        data: bytes = b"",
        query: Sequence[tuple[str, str]] = (),
        patience: float = 0,
        **identities: object,
    ) -> Deferred[T]:
        """Carry out the operation of a row.

        Its body is ``data``, or ``fields`` with ``identities``, each under its name.
        """
        return Deferred.fromCoroutine(
            self._ask(operation, variables, fields, data, query, patience, identities)
        )

    async def _ask(
        self,
        operation: Operation[T],
        variables: tuple[str, ...],
        fields: MessageFields | None,
        data: bytes,
        query: Sequence[tuple[str, str]],
        patience: float,
        identities: Mapping[str, object],
    ) -> T:
        if variables:
            require_channel_name(variables[0])  # "" and ".." would be another route
        body = None
        if operation.body == "bytes":
            body = bytes(memoryview(data))
        elif operation.body not in ("json", "unread"):
            body = json_of(cast("MessageFields", fields), identities)
        text = query_of(query)
        return await call(self._exchange, operation, *variables, body=body, query=text, patience=patience)
