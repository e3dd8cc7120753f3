"""`Backbone`: the interface over channels, a journal and a clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from hashlib import sha256 as hash_sha256
from typing import Concatenate, ParamSpec, TypeVar, cast

from msgspec import UNSET
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from caucus.channel import Channel, require_channel_name
from caucus.drafts import Draft, drafted, stamp
from caucus.errors import (
    ArtifactIntegrity,
    ArtifactTooLarge,
    ChannelExists,
    ChannelLimit,
    InvalidMessage,
    InvalidRequest,
    OutcomeUnknown,
    StorageUnavailable,
    UnknownChannel,
)
from caucus.interfaces import IBackbone, IJournal, IWatchable
from caucus.limits import Limits
from caucus.messages import (
    SHORT_TEXT,
    MessageFields,
    as_integer,
    fields_of,
    identity_issues,
    target_key,
)
from caucus.records import (
    VERBOSITIES,
    Appended,
    ArtifactAdded,
    ChannelCreated,
    ClaimResult,
    Descriptor,
    Event,
    Grant,
    Granted,
    Holder,
    Identity,
    MessageAppended,
    Page,
    StoredArtifact,
)
from caucus.seatbelts import RateBudget, post_digest
from caucus.stamps import Stamps
from caucus.text import CONTROL, CONTROL_EXCEPT_TAB_NEWLINE, SURROGATE

_SHA256 = re.compile("[0-9a-f]{64}")

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[Concatenate["Backbone", P], T]
AsynchronousOperation = Callable[Concatenate["Backbone", P], Deferred[T]]


def _writes(decide: Operation[P, T]) -> AsynchronousOperation[P, T]:
    """An operation that decides in one turn of the reactor, and answers once that is durable."""

    @wraps(decide)
    def operation(self: Backbone, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        if self._lost:
            return defer.fail(StorageUnavailable())
        answer = defer.execute(decide, self, *args, **kwargs)
        position = self.journal.position
        if self.journal.durable >= position:
            return answer
        # A refusal waits too: it may rest on something that is not durable yet.
        return Deferred.fromCoroutine(self._once_durable(answer, position))

    return operation


def _reads(look: Operation[P, T]) -> AsynchronousOperation[P, T]:
    """An operation that shows durable state, at once."""

    @wraps(look)
    def operation(self: Backbone, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return defer.execute(look, self, *args, **kwargs)

    return operation


@implementer(IBackbone, IWatchable)
class Backbone:
    """The rules put together: each operation decides, records and applies in one turn of the reactor.

    :param journal: where the events go. Call `replay` before anything else if it holds some.
    :param clock: measures durations: leases and windows.
    :param wall: seconds since the epoch, for stamps only; ``clock.seconds`` if not given.
    """

    def __init__(
        self,
        journal: IJournal,
        clock: IReactorTime,
        limits: Limits | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits = Limits() if limits is None else limits
        self._now: Callable[[], float] = clock.seconds
        self._wall = clock.seconds if wall is None else wall
        self._stamps = Stamps()
        self._channels: dict[str, Channel] = {}
        self._artifact_bytes = 0
        self._lost = False
        window, tracked = limits.window_seconds, limits.max_tracked_agents
        self._posts = RateBudget(limits.global_max_posts_per_minute, window, tracked, "all_channels")
        self._creates = RateBudget(limits.max_channel_creates_per_minute, window, tracked, "channel_creates")

    def replay(self) -> Deferred[None]:
        """Apply what the journal holds of earlier runs. A lease went on while nothing ran."""
        now, wall = self._now(), self._wall()

        def apply(event: Event) -> None:
            if isinstance(event, ChannelCreated):
                self._stamps.resume(event.descriptor.created_ts)
            elif isinstance(event, MessageAppended):
                self._stamps.resume(event.ts)
            age = max(0.0, wall - event.at) if isinstance(event, MessageAppended) else 0.0
            self._apply(event, 0, now - age)

        return self.journal.replay(apply)

    @_writes
    def create_channel(
        self,
        channel: str,
        *,
        purpose: str | None = None,
        created_by: str | None = None,
        verbosity: str | None = "quiet",
        render_budget_chars: int | None = 200,
    ) -> Descriptor:
        require_channel_name(channel)
        if channel in self._channels:
            raise ChannelExists(channel)
        owner = "" if created_by is None else created_by
        verbosity = "quiet" if verbosity is None else verbosity
        budget = 200 if render_budget_chars is None else render_budget_chars
        issue = _field_issue(purpose, owner, verbosity, budget)
        if issue:
            raise InvalidMessage((issue,))
        if len(self._channels) >= self.limits.max_channels:
            raise ChannelLimit(self.limits.max_channels)
        now = self._now()
        self._creates.check(owner, now)
        descriptor = Descriptor(
            channel=channel,
            purpose=purpose,
            verbosity=verbosity,
            render_budget_chars=int(budget),
            created_by=owner,
            created_ts=self._stamps.next(self._wall()),
        )
        self._record(ChannelCreated(descriptor), now)
        self._creates.charge(owner, now)
        return descriptor

    @_reads
    def describe_channel(self, channel: str) -> Descriptor:
        return self._durable_channel(channel).describe(self.journal.durable)

    @_reads
    def list_channels(self) -> list[Descriptor]:
        durable = self.journal.durable
        return [one.describe(durable) for one in self._channels.values() if one.created <= durable]

    @_writes
    def append(self, channel: str, message: MessageFields) -> Appended:
        room = self._channel(channel)
        draft = drafted(message, claim=False)
        now = self._now()
        cursor = room.next_cursor()
        agent_id = cast("str", draft.agent_id)
        self._check_pace(room, agent_id, now)
        post = post_digest(draft.type, draft.body)
        room.duplicates.check(agent_id, post, now)
        message_json = self._add(room, draft, now)
        room.duplicates.remember(agent_id, post, now)
        return Appended(message_json, cursor)

    @_reads
    def read_since(self, channel: str, cursor: int, limit: int | None = None) -> Page:
        return self._durable_channel(channel).page(cursor, limit, self.journal.durable)

    @_writes
    def claim(self, channel: str, message: MessageFields) -> ClaimResult:
        room, draft, key, now = self._claim_step(channel, message)
        author = _author(draft)
        lost = room.ledger.may_claim(key, author.owner, now, heartbeat=draft.heartbeat is True)
        return lost or self._grant(room, draft, key, now, author)

    @_writes
    def reassign_claim(self, channel: str, message: MessageFields, assignee: Identity) -> ClaimResult:
        parts = (getattr(assignee, "agent_id", None), getattr(assignee, "owner", None))
        if not all(isinstance(part, str) and part for part in parts):
            raise InvalidRequest("The assignee must have an agent_id and an owner, both non-empty strings.")
        room, draft, key, now = self._claim_step(channel, message, assignee)
        lost = room.ledger.may_reassign(key, _author(draft).owner, now)
        return lost or self._grant(room, draft, key, now, assignee)

    @_writes
    def mark_claim_done(self, channel: str, message: MessageFields) -> ClaimResult:
        if isinstance(message, Draft):
            message.status = "resolved"
        else:
            message = {**fields_of(message), "status": "resolved"}
        room, draft, key, now = self._claim_step(channel, message)
        lost = room.ledger.may_finish(key, _author(draft).owner, now)
        return lost or self._grant(room, draft, key, now, None)

    @_reads
    def subscribe(self, channel: str) -> int:
        return self._durable_channel(channel).head(self.journal.durable)

    @_writes
    def put_artifact(self, channel: str, sha256: str, data: bytes) -> StoredArtifact:
        limits = self.limits
        if len(data) > limits.max_artifact_bytes:
            raise ArtifactTooLarge(limits.max_artifact_bytes)
        room = self._channel(channel)
        if (
            not (isinstance(sha256, str) and _SHA256.fullmatch(sha256))
            or hash_sha256(data).hexdigest() != sha256
        ):
            raise ArtifactIntegrity
        deduplicated = room.has_artifact(sha256)
        if not deduplicated:
            room.require_room(len(data))
            if self._artifact_bytes + len(data) > limits.max_total_artifact_bytes:
                raise ArtifactTooLarge(limits.max_total_artifact_bytes, "backbone")
            self._record(ArtifactAdded(room.name, sha256, bytes(data)), self._now())
        uri = f"caucus://artifact/{room.name}/{sha256}"
        return StoredArtifact(uri, sha256, len(data), deduplicated)

    @_reads
    def get_artifact(self, channel: str, sha256: str) -> bytes | None:
        return self._durable_channel(channel).artifact(sha256, self.journal.durable)

    def watch(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        watchers = self._durable_channel(channel).watchers
        watchers.append(wake)
        return lambda: watchers.remove(wake)

    async def _once_durable(self, answer: Deferred[T], position: int) -> T:
        try:
            await self.journal.when_durable(position)
            if self.journal.durable < position:
                raise OutcomeUnknown
        except BaseException as error:
            answer.addErrback(lambda _: None)  # nobody will get it: a refusal is not an unhandled error
            # What was decided meanwhile may rest on what is lost: no more is decided in this run.
            self._lost = self._lost or not isinstance(error, defer.CancelledError)
            raise
        return await answer

    def _channel(self, name: str) -> Channel:
        channel = self._channels.get(name) if isinstance(name, str) else None
        if channel is None:
            require_channel_name(name)
            raise UnknownChannel(name)
        return channel

    def _durable_channel(self, name: str) -> Channel:
        channel = self._channel(name)
        if channel.created > self.journal.durable:
            raise UnknownChannel(name)
        return channel

    def _claim_step(
        self, channel: str, message: MessageFields, assignee: Identity | None = None
    ) -> tuple[Channel, Draft, str, float]:
        """What every claim operation checks before the ledger."""
        room = self._channel(channel)
        draft = drafted(message, claim=True)
        issues = () if assignee is None else identity_issues(assignee.agent_id, assignee.owner)
        if issues:
            raise InvalidMessage(tuple(f"assignee.{issue}" for issue in issues))
        now = self._now()
        self._check_pace(room, cast("str", draft.agent_id), now)
        return room, draft, target_key(cast("str", draft.target)), now

    def _grant(self, room: Channel, draft: Draft, key: str, now: float, to: Identity | None) -> Granted:
        """Append a granted transition: ``to`` holds the target, or with ``None`` nobody does."""
        cursor = room.next_cursor()
        return Granted(self._add(room, draft, now, (key, to)), cursor)

    def _add(
        self, room: Channel, draft: Draft, now: float, given: tuple[str, Identity | None] | None = None
    ) -> bytes:
        """Stamp and record a message, and charge its author; ``given`` is a target key and its new holder."""
        wall = self._wall()
        ts = self._stamps.next(wall)
        message_json = stamp(draft, ts)
        transition: tuple[str, Grant | None] | None = None
        if given is not None:
            key, to = given
            grant = None
            if to is not None:
                lease_ttl = None if draft.lease_ttl is UNSET else draft.lease_ttl
                grant = Grant(Holder(to.agent_id, to.owner, ts, draft.msg_id), lease_ttl)
            transition = (key, grant)
        self._record(MessageAppended(room.name, ts, wall, message_json, transition), now)
        self._charge_pace(room, cast("str", draft.agent_id), now)
        return message_json

    def _check_pace(self, room: Channel, agent_id: str, now: float) -> None:
        room.posts.check(agent_id, now)
        self._posts.check(agent_id, now)

    def _charge_pace(self, room: Channel, agent_id: str, now: float) -> None:
        room.posts.charge(agent_id, now)
        self._posts.charge(agent_id, now)

    def _record(self, event: Event, now: float) -> None:
        position = self.journal.record(event)
        self._apply(event, position, now)
        if isinstance(event, MessageAppended):
            watchers = self._channels[event.channel].watchers
            if self.journal.durable >= position:
                _wake(watchers)
            elif watchers:
                # If it is lost, nothing became readable; the writer is told by its own wait.
                shown = self.journal.when_durable(position)
                shown.addCallbacks(lambda _: _wake(watchers), lambda _: None)

    def _apply(self, event: Event, position: int, now: float) -> None:
        match event:
            case MessageAppended(channel=name):
                self._channels[name].append(event, position, self.journal.durable, now)
            case ChannelCreated(descriptor=descriptor):
                self._channels[descriptor.channel] = Channel(descriptor, self.limits, position)
            case ArtifactAdded(channel=name, sha256=sha256, data=data):
                self._channels[name].add_artifact(sha256, data, position)
                self._artifact_bytes += len(data)


def _author(draft: Draft) -> Identity:
    return Identity(cast("str", draft.agent_id), cast("str", draft.owner))


def _wake(watchers: list[Callable[[], None]]) -> None:
    for wake in list(watchers):
        wake()


def _field_issue(purpose: object, created_by: object, verbosity: object, budget: object) -> str | None:
    """The first problem among a new channel's fields, in the order of `create_channel`'s signature."""
    if purpose is not None:
        if not _is_printable(purpose, CONTROL_EXCEPT_TAB_NEWLINE):
            return "purpose: must be text without control characters other than tab and newline"
        if len(str(purpose)) > SHORT_TEXT:
            return f"purpose: must have at most {SHORT_TEXT} characters"
    if not _is_printable(created_by, CONTROL):
        return "created_by: must be text without control characters"
    if not (isinstance(verbosity, str) and verbosity in VERBOSITIES):
        return f"verbosity: must be one of {', '.join(sorted(VERBOSITIES))}"
    characters = as_integer(budget)
    if characters is None or not 1 <= characters <= 8000:
        return "renderBudgetChars: must be an integer from 1 to 8000"
    return None


def _is_printable(value: object, refused: re.Pattern[str]) -> bool:
    return isinstance(value, str) and not refused.search(value) and not SURROGATE.search(value)
