"""`Backbone`: the interface over channels, a journal and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.access.tokens import Tokens
from caucus.core.durable import once_durable, reads, writes
from caucus.errors import (
    ArtifactLimit,
    ArtifactTooLarge,
    CaucusError,
    ChannelExists,
    ChannelLimit,
    IdempotencyMismatch,
    InvalidRequest,
    UnknownChannel,
)
from caucus.interfaces import IBackbone, IJournal, IReadiness, IRepeatable, ITokenKeeper, IWatchable
from caucus.limits import Limits
from caucus.model.drafts import Draft, drafted, stamp
from caucus.model.messages import (
    MessageFields,
    fields_of,
    identity_problems,
    refusal,
    target_key,
)
from caucus.model.records import (
    Answer,
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
    Instant,
    MessageAppended,
    NotHeld,
    Page,
    RequestKey,
    StoredArtifact,
    TimePassed,
    TokensChanged,
)
from caucus.model.stamps import Stamps
from caucus.rules.channel import Channel, field_problem, require_channel_name, require_integrity
from caucus.rules.seatbelts import RateBudget, post_digest
from caucus.rules.state import State, stamp_of, stored_artifact
from caucus.rules.timeline import Timeline

_log = Logger("caucus")
LONGEST_LEASE: Final = 2**62
"""In seconds: a longer lease, which the contract allows, is kept in a ledger as this one."""


@implementer(IBackbone, IWatchable, IRepeatable, ITokenKeeper, IReadiness)
class Backbone:
    """The rules put together: each operation decides, records and applies in one turn of the reactor.

    :param journal: where the events go. Call `replay` before anything else if it holds some.
    :param clock: measures durations: leases and windows.
    :param wall: seconds since the epoch, for stamps and events; ``clock.seconds`` if not given.
    :param boot_id: names the boot whose seconds ``clock`` counts, if it does that: downtime is
        then measured by it, and else by ``wall``.
    :param tokens: gains and loses the tokens that are minted and revoked.
    """

    def __init__(
        self,
        journal: IJournal,
        clock: IReactorTime,
        limits: Limits | None = None,
        wall: Callable[[], float] | None = None,
        boot_id: bytes = b"",
        tokens: Tokens | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits = Limits() if limits is None else limits
        self._now: Callable[[], float] = clock.seconds
        self._boot: Callable[[], float] = clock.seconds
        self._offset = 0.0
        self._wall = clock.seconds if wall is None else wall
        self._boot_id = boot_id
        self._stamps = Stamps()
        self._state = State(limits, Tokens() if tokens is None else tokens)
        self._channels = self._state.channels
        self.changed: list[Channel] = []
        self._request: RequestKey | None = None
        window, tracked = limits.window_seconds, limits.max_tracked_agents
        self._posts = RateBudget(limits.global_max_posts_per_minute, window, tracked, "all_channels")
        self._creates = RateBudget(limits.max_channel_creates_per_minute, window, tracked, "channel_creates")

    def replay(self) -> Deferred[None]:
        """Apply what the journal holds of earlier runs.

        A lease goes on while nothing runs, but not to its end: whoever could not renew one that was
        live when the last run ended has ``restart_grace`` seconds.
        """
        timeline = Timeline()
        stamped: ChannelCreated | MessageAppended | None = None

        def apply(event: Event) -> None:
            nonlocal stamped
            if isinstance(event, MessageAppended | ChannelCreated):
                stamped = event
            self._state.apply(event, 0, 0, timeline.advance(event.when))

        def go_on(_result: None) -> None:
            if stamped is not None:
                self._stamps.resume(stamp_of(stamped))
            down, boot = timeline.now, self._boot()
            offset = timeline.advance(self._instant(boot)) - boot
            if stamped is not None:
                self._offset = offset
                self._now = lambda: self._boot() + offset
            for channel in self._channels.values():
                channel.ledger.extend(down, self._now() + self.limits.restart_grace)

        return self.journal.replay(apply, self._undo).addCallback(go_on)

    @writes
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
        problem = field_problem(purpose, owner, verbosity, budget)
        if problem is not None:
            raise refusal([problem])
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
        self._record(ChannelCreated(self._instant(now), descriptor, self._take_request()), now)
        self._creates.charge(owner, now)
        self._on_undo(self._creates.take_back, owner)
        return descriptor

    @reads
    def describe_channel(self, channel: str) -> Descriptor:
        return self._durable_channel(channel).describe(self.journal.durable)

    @reads
    def list_channels(self) -> list[Descriptor]:
        durable = self.journal.durable
        return [one.describe(durable) for one in self._channels.values() if one.created <= durable]

    @writes
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
        self._on_undo(room.duplicates.restore, agent_id, room.duplicates.last(agent_id))
        room.duplicates.remember(agent_id, post, now)
        return Appended(message_json, cursor)

    @reads
    def read_since(self, channel: str, cursor: int, limit: int | None = None) -> Page:
        return self._durable_channel(channel).page(cursor, limit, self.journal.durable)

    @writes
    def claim(self, channel: str, message: MessageFields) -> ClaimResult:
        room, draft, key, now = self._claim_step(channel, message)
        author = _author(draft)
        lost = room.ledger.may_claim(key, author.owner, now, heartbeat=draft.heartbeat is True)
        return lost or self._grant(room, draft, key, now, author)

    @writes
    def reassign_claim(self, channel: str, message: MessageFields, assignee: Identity) -> ClaimResult:
        parts = (getattr(assignee, "agent_id", None), getattr(assignee, "owner", None))
        if not all(isinstance(part, str) and part for part in parts):
            raise InvalidRequest("The assignee must have an agent_id and an owner, both non-empty strings.")
        room, draft, key, now = self._claim_step(channel, message, assignee)
        lost = room.ledger.may_reassign(key, _author(draft).owner, now)
        return lost or self._grant(room, draft, key, now, assignee)

    @writes
    def mark_claim_done(self, channel: str, message: MessageFields) -> ClaimResult:
        if isinstance(message, Draft):
            message.status = "resolved"
        else:
            message = {**fields_of(message), "status": "resolved"}
        room, draft, key, now = self._claim_step(channel, message)
        was_there = room.ledger.entry(key) is not None
        lost = room.ledger.may_finish(key, _author(draft).owner, now)
        if was_there and isinstance(lost, NotHeld):
            self._record(TimePassed(self._instant(now)), now)  # it has lapsed, and a later run must know
        return lost or self._grant(room, draft, key, now, None)

    @reads
    def subscribe(self, channel: str) -> int:
        return self._durable_channel(channel).head(self.journal.durable)

    @writes
    def put_artifact(self, channel: str, sha256: str, data: bytes) -> StoredArtifact:
        limits = self.limits
        if len(data) > limits.max_artifact_bytes:
            raise ArtifactTooLarge(limits.max_artifact_bytes)
        room = self._channel(channel)
        require_integrity(sha256, data)
        deduplicated = room.has_artifact(sha256)
        if not deduplicated:
            room.require_room(len(data))
            if self._state.artifact_bytes + len(data) > limits.max_total_artifact_bytes:
                raise ArtifactTooLarge(limits.max_total_artifact_bytes, "backbone")
            if self._state.artifacts >= limits.max_artifacts:
                raise ArtifactLimit(limits.max_artifacts)
            now = self._now()
            self._record(
                ArtifactAdded(self._instant(now), room.name, sha256, bytes(data), self._take_request()), now
            )
        return stored_artifact(room.name, sha256, len(data), deduplicated=deduplicated)

    @reads
    def get_artifact(self, channel: str, sha256: str) -> bytes | None:
        return self._durable_channel(channel).artifact(sha256, self.journal.durable)

    def watch(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        room = self._durable_channel(channel)
        room.watchers.append(wake)
        for position in room.pending(self.journal.durable):
            self._wake_when_durable(room, position)  # it was recorded when nobody watched
        return lambda: room.watchers.remove(wake)

    def wake(self) -> None:
        self._request = None  # what a watcher writes is not that request's
        while self.changed:
            self._wake(self.changed.pop())

    def once(self, request: RequestKey, operation: Callable[[], Deferred[Answer]]) -> Deferred[Answer]:
        try:
            known = self._state.answered.find(request, self._now())
        except IdempotencyMismatch:
            return once_durable(self.journal, Failure(), self.journal.position)
        if known is not None:
            return once_durable(self.journal, self._state.answer_at(known.place), known.position)
        self._request = request
        try:
            return operation()
        finally:
            self._request = None

    @writes
    def change_tokens(self, minted: tuple[bytes, Identity] | None, revoked: Sequence[bytes]) -> None:
        now = self._now()
        if minted is None and not revoked:
            return  # it was asked for what is durable
        self._record(TokensChanged(self._instant(now), minted, tuple(revoked)), now)

    def end_run(self) -> None:
        """Record that it was this late: a later run counts the downtime from here."""
        if self.journal.position and self.journal.refusal is None:
            now = self._now()
            self._record(TimePassed(self._instant(now)), now)

    def why_not_ready(self) -> CaucusError | None:
        return self.journal.refusal

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
        problems = () if assignee is None else identity_problems(assignee.agent_id, assignee.owner)
        if problems:
            raise refusal(problems, "assignee.")
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
        when = self._instant(now)
        ts = self._stamps.next(when.wall)
        message_json = stamp(draft, ts)
        transition: tuple[str, Grant | None] | None = None
        if given is not None:
            key, to = given
            grant = None
            if to is not None:
                lease_ttl = None if draft.lease_ttl is UNSET else min(draft.lease_ttl, LONGEST_LEASE)
                grant = Grant(Holder(to.agent_id, to.owner, ts, draft.msg_id), lease_ttl)
            transition = (key, grant)
        self._record(MessageAppended(when, room.name, message_json, transition, self._take_request()), now)
        agent_id = cast("str", draft.agent_id)
        room.posts.charge(agent_id, now)
        self._posts.charge(agent_id, now)
        self._on_undo(self._take_charges_back, room, agent_id)
        return message_json

    def _take_request(self) -> RequestKey | None:
        """What the event that is being recorded is known by; no other in this turn is."""
        request, self._request = self._request, None
        return request

    def _instant(self, now: float) -> Instant:
        return Instant(self._wall(), now - self._offset, self._boot_id)

    def _check_pace(self, room: Channel, agent_id: str, now: float) -> None:
        room.posts.check(agent_id, now)
        self._posts.check(agent_id, now)

    def _take_charges_back(self, room: Channel, agent_id: str) -> None:
        self._posts.take_back(agent_id)
        room.posts.take_back(agent_id)

    def _on_undo(self, step: Callable[..., object], *arguments: object) -> None:
        """Have ``step`` called if the event that was just recorded is lost."""
        self._state.on_undo(self.journal.position, self.journal.durable, step, *arguments)

    def _record(self, event: Event, now: float) -> None:
        position = self.journal.record(event)
        durable = self.journal.durable
        self._state.apply(event, position, durable, now)
        if isinstance(event, MessageAppended) and (room := self._channels[event.channel]).watchers:
            if durable >= position:
                self.changed.append(room)
            else:
                self._wake_when_durable(room, position)

    def _wake_when_durable(self, room: Channel, position: int) -> None:
        # If it is lost, nothing became readable; the writer is told by its own wait.
        shown = self.journal.when_durable(position)
        shown.addCallbacks(lambda _: self._wake(room), lambda _: None)

    def _wake(self, room: Channel) -> None:
        for wake in list(room.watchers):
            try:
                wake()
            except Exception:
                _log.failure("A watcher failed")  # what it was told of is recorded all the same

    def _undo(self, kept: int) -> None:
        self._state.undo(kept)
        for room in self._channels.values():
            self._wake(room)  # whoever waits for an event may have been told that nobody knows


def _author(draft: Draft) -> Identity:
    return Identity(cast("str", draft.agent_id), cast("str", draft.owner))
