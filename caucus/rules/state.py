"""What a backbone's events have made so far, and how those that a journal loses are undone. Pure.

An event is applied the same way when it is decided and when a later run replays it: applying
never validates, refuses or reads a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, cast

import msgspec

from caucus.access.tokens import Tokens
from caucus.errors import UnknownChannel
from caucus.limits import Limits
from caucus.model.channels import require_channel_name
from caucus.model.events import (
    ChannelCreated,
    Event,
    EvidenceAdded,
    Instant,
    Moved,
    Record,
    RunBegan,
    RunEnded,
    Said,
    Stepped,
    TokensChanged,
)
from caucus.model.records import Answer, Appended, Granted, Identity, Released, StoredArtifact
from caucus.rules.answered import AnsweredRequests, AnswerPlace
from caucus.rules.channel import Channel, ChannelDump
from caucus.rules.claims.leases import Leases
from caucus.rules.claims.ledger import Held
from caucus.rules.claims.numbers import Numbers
from caucus.rules.seatbelts import RateBudget

LAPSES: Final = 1000
"""So many lapses at most are one event."""

Undoing = list[tuple[Callable[..., None], tuple[object, ...]]]


class _Stamped(msgspec.Struct):
    ts: str


_decode_stamped = msgspec.json.Decoder(_Stamped).decode


class StateDump(Record, frozen=True):
    """All that events have made: what the parts of a `State` dump."""

    channels: list[ChannelDump]
    posts: list[tuple[str, list[float]]]
    creates: list[tuple[str, list[float]]]
    answered: list[tuple[bytes, list[tuple[bytes, bytes]]]]
    tokens: list[tuple[bytes, str, str]]
    last_number: int


class State:
    """Channels with what is in them, budgets over all of them, tokens, and what requests were answered with.

    :param tokens: gains the tokens that were minted, and loses those that were revoked.
    """

    def __init__(self, limits: Limits, tokens: Tokens) -> None:
        self.channels: dict[str, Channel] = {}
        self.artifact_bytes = self.artifacts = 0
        self.tokens = tokens
        self.answered = AnsweredRequests(limits.max_idempotency_keys)
        window, tracked = limits.window_seconds, limits.max_tracked_agents
        self.posts = RateBudget(limits.global_max_posts_per_minute, window, tracked, "all_channels")
        self.creates = RateBudget(limits.max_channel_creates_per_minute, window, tracked, "channel_creates")
        self.leases = Leases(self._ends)
        self.numbers = Numbers()
        self._limits = limits
        self._steps: deque[tuple[int, Callable[..., object], tuple[object, ...]]] = deque()

    def _ends(self, channel: str, target: str) -> float | None:
        room = self.channels.get(channel)
        held = None if room is None else room.ledger.entry(target)
        return None if held is None else held.ends

    def channel(self, name: str) -> Channel:
        """The channel, durable or not. Raises `InvalidChannelName` or `UnknownChannel`."""
        channel = self.channels.get(name) if isinstance(name, str) else None
        if channel is None:
            require_channel_name(name)
            raise UnknownChannel(name)
        return channel

    def durable_channel(self, name: str, durable: int) -> Channel:
        """The channel, if it was created up to ``durable``. Raises as `channel`."""
        channel = self.channels.get(name) if isinstance(name, str) else None
        if channel is None or channel.created > durable:
            require_channel_name(name)
            raise UnknownChannel(name)
        return channel

    def apply(
        self,
        event: Event,
        position: int,
        durable: int,
        at: float,
        evidence: bytes = b"",
        *,
        charges: bool = True,
    ) -> None:
        """Carry an event out. Past ``durable``, what undoes it is kept.

        ``position`` is the event's in the journal, ``at`` is when it was decided, and ``evidence`` are
        the bytes that came with it. ``charges`` says whether budgets are charged now.
        """
        match event:
            case Stepped():
                self._step(event, position, durable, at, charges=charges)
            case ChannelCreated(descriptor=descriptor):
                self.channels[descriptor.channel] = Channel(descriptor, self._limits, position)
                self.on_undo(position, durable, self.channels.pop, descriptor.channel)
                if charges:
                    self.creates.charge(descriptor.created_by, at)
                    self.on_undo(position, durable, self.creates.take_back, descriptor.created_by)
            case EvidenceAdded():
                self._add_evidence(event, evidence, position, durable)
            case TokensChanged():
                self._change_tokens(event, position, durable)
                return
            case RunBegan(extended=extended):
                self._move(extended, at, event.when.wall, self._undoing(position, durable))
                return
            case RunEnded():
                return
        if event.request is not None:
            self.answered.keep(event.request, self._place_of(event), position, at)
            self.on_undo(position, durable, self.answered.forget_last, event.request)

    def dump(self, now: float) -> StateDump:
        """All that it is ``now``, if all of it is durable; for `load`."""
        return StateDump(
            [channel.dump(now) for channel in self.channels.values()],
            self.posts.dump(now),
            self.creates.dump(now),
            self.answered.dump(),
            self.tokens.dump(),
            self.numbers.last,
        )

    def load(self, dumped: StateDump) -> None:
        """Be as the state was that gave this; so far it is empty."""
        for one in dumped.channels:
            channel = self.channels[one.fields.channel] = Channel(one.fields, self._limits, one.created)
            channel.load(one)
            self.artifacts += len(one.evidence)
            self.artifact_bytes += sum(len(data) for _sha256, data in one.evidence)
            for target, held in one.ledger:
                if held.ends is not None:
                    self.leases.moved(channel.name, target, None, held.ends)
        self.posts.load(dumped.posts)
        self.creates.load(dumped.creates)
        self.answered.load(dumped.answered)
        self.tokens.load(dumped.tokens)
        self.numbers.last = dumped.last_number

    def on_undo(self, position: int, durable: int, step: Callable[..., object], *arguments: object) -> None:
        """Call ``step`` if the event at ``position``, unless that is durable, is lost; later steps first."""
        if position <= durable:
            return
        while self._steps and self._steps[0][0] <= durable:
            self._steps.popleft()
        self._steps.append((position, step, arguments))

    def undo(self, kept: int) -> None:
        """Undo every event after the position ``kept``, the last one first."""
        while self._steps and self._steps[-1][0] > kept:
            _position, step, arguments = self._steps.pop()
            step(*arguments)
        self._steps.clear()

    def charge(self, event: Event, at: float) -> None:
        """Charge what an event of an earlier run charged: it is within one window of the last."""
        if isinstance(event, ChannelCreated):
            self.creates.charge(event.descriptor.created_by, at)
        elif isinstance(event, Stepped):
            for said in event.said:
                self._charge(self.channels[said.channel], said, at)

    def _charge(self, room: Channel, said: Said, at: float) -> None:
        """Charge the budgets of a message's author, and remember what a repetition is known by."""
        if said.author:
            room.posts.charge(said.author, at)
            self.posts.charge(said.author, at)
            if said.post:
                room.duplicates.remember(said.author, said.post, at)

    def _step(self, event: Stepped, position: int, durable: int, at: float, *, charges: bool) -> None:
        undoing = None if position <= durable else self._undoing(position, durable)
        for said in event.said:
            room = self.channels[said.channel]
            if undoing is not None:
                last = room.duplicates.last(said.author) if said.post else None
                undoing.append((self._take_back, (room, said, last)))
            room.append(said.message_json, position, durable)
            if charges:
                self._charge(room, said, at)
        if event.moved:
            self._move(event.moved, at, event.when.wall, undoing)

    def _undoing(self, position: int, durable: int) -> Undoing | None:
        """What takes the steps that undo the event at ``position``, unless that is durable."""
        if position <= durable:
            return None
        undoing: Undoing = []
        self.on_undo(position, durable, _call_backwards, undoing)
        return undoing

    def _move(self, moves: Iterable[Moved], at: float, wall: float, undoing: Undoing | None) -> None:
        for moved in moves:
            channel, target, grant = moved.channel, moved.target, moved.grant
            room = self.channels[channel]
            ledger = room.ledger
            entry = ledger.entry(target)
            if undoing is not None:
                undoing.append((self._restore, (channel, target, entry, self.numbers.last)))
            before, after = None if entry is None else entry.ends, None
            if grant is None:
                ledger.remove(target)
            elif moved.manner == "extended":
                after = ledger.extend(target, grant, at + moved.seconds)
            else:
                after = ledger.put(target, grant, at, self.numbers.draw(wall), room.length)
            self.leases.moved(channel, target, before, after)

    def _restore(self, channel: str, target: str, entry: Held | None, number: int) -> None:
        """Put back what was there for a target."""
        ledger = self.channels[channel].ledger
        was = ledger.entry(target)
        ledger.restore(target, entry)
        before, after = None if was is None else was.ends, None if entry is None else entry.ends
        self.leases.moved(channel, target, before, after)
        self.numbers.last = number

    def durable_claim(self, channel: Channel, claim: int, durable: int) -> Held | None:
        """What a claim with this number is there by the events up to ``durable``."""
        if not self._steps or self._steps[-1][0] <= durable:
            found = channel.ledger.find(claim)
            return None if found is None else found[1]
        held = self.durable_claims(channel, durable).values()
        return next((one for one in held if one.claim == claim), None)

    def durable_claims(self, channel: Channel, durable: int) -> dict[str, Held]:
        """What is held there by the events up to ``durable``, by target key."""
        held = dict(channel.ledger.dump())
        for position, _step, arguments in reversed(self._steps):
            if position <= durable:
                break
            for undo, what in reversed(cast("Undoing", arguments[0])) if _step is _call_backwards else ():
                if undo == self._restore and what[0] == channel.name:
                    _channel, target, entry, _number = cast("tuple[str, str, Held | None, int]", what)
                    held.pop(target, None)
                    if entry is not None:
                        held[target] = entry
        return held

    def lapses(self, when: Instant, now: float) -> Iterator[Stepped]:
        """The steps by which the leases lapse that have ended ``now``, in the order of their ends."""
        lapsed = iter(self.leases.take(now))
        while moved := tuple(Moved(*one, None, "lapsed") for one in islice(lapsed, LAPSES)):
            yield Stepped(when, (), moved)

    def _take_back(self, room: Channel, said: Said, last: tuple[int, float] | None) -> None:
        """Undo that a message was said, and what it was charged; ``last`` was its author's last post."""
        room.take_back()
        if said.author:
            room.posts.take_back(said.author)
            self.posts.take_back(said.author)
            if said.post:
                room.duplicates.restore(said.author, last)

    def _add_evidence(self, event: EvidenceAdded, data: bytes, position: int, durable: int) -> None:
        room = self.channels[event.channel]
        room.evidence.add(event.sha256, data, position)
        self.artifact_bytes += event.size
        self.artifacts += 1
        self.on_undo(position, durable, self._take_evidence_back, room, event)

    def _take_evidence_back(self, room: Channel, event: EvidenceAdded) -> None:
        room.evidence.take_back(event.sha256)
        self.artifact_bytes -= event.size
        self.artifacts -= 1

    def _change_tokens(self, event: TokensChanged, position: int, durable: int) -> None:
        for digest in event.revoked:
            self.on_undo(position, durable, self.tokens.restore, digest, self.tokens.minted(digest))
            self.tokens.remove(digest)
        if event.minted is not None:
            digest, author = event.minted
            self.tokens.add(digest, Identity(author.agent_id, author.owner))
            self.on_undo(position, durable, self.tokens.remove, digest)

    def answer_at(self, place: AnswerPlace) -> Answer:
        """What a request was answered with."""
        room = self.channels[place.channel]
        if place.cursor:
            (message_json,) = room.messages(place.cursor - 1, place.cursor)
            return (Granted if place.granted else Appended)(message_json, place.cursor)
        if place.sha256:
            return stored_artifact(room.name, place.sha256, place.size, deduplicated=False)
        if place.released:
            return Released()
        return room.descriptor(0)

    def _place_of(self, event: ChannelCreated | Stepped | EvidenceAdded) -> AnswerPlace:
        """Where the answer to the request that wrote an event, the last one applied, is found again.

        Of a step that is its last message.
        """
        match event:
            case ChannelCreated(descriptor=descriptor):
                return AnswerPlace(descriptor.channel)
            case EvidenceAdded(channel=channel, sha256=sha256, size=size):
                return AnswerPlace(channel, sha256=sha256, size=size)
            case Stepped(moved=(Moved(channel=channel, manner="revoked"),)):
                return AnswerPlace(channel, released=True)
            case Stepped(said=said, moved=moved):
                channel = said[-1].channel
                return AnswerPlace(channel, self.channels[channel].length, bool(moved))


def stored_artifact(channel: str, sha256: str, size: int, *, deduplicated: bool) -> StoredArtifact:
    """The answer to an upload."""
    return StoredArtifact(f"caucus://artifact/{channel}/{sha256}", sha256, size, deduplicated)


def stamp_of(event: ChannelCreated | Stepped) -> str:
    """The last stamp that an event gave out."""
    if isinstance(event, ChannelCreated):
        return event.descriptor.created_ts
    return _decode_stamped(event.said[-1].message_json).ts


def _call_backwards(steps: Undoing) -> None:
    for step, arguments in reversed(steps):
        step(*arguments)
