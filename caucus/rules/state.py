"""What a backbone's events have made so far, and how those that a journal loses are undone. Pure.

An event is applied the same way when it is decided and when a later run replays it: applying
never validates, refuses or reads a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import cast

from caucus.access.tokens import Tokens
from caucus.errors import UnknownChannel
from caucus.limits import Limits
from caucus.model.answers import Answer
from caucus.model.channels import require_channel_name
from caucus.model.events import (
    Acked,
    Author,
    ChannelCreated,
    ClaimOpened,
    ClaimsChanged,
    Event,
    EvidenceAdded,
    Lived,
    NewsTold,
    OwingBegan,
    Record,
    RunBegan,
    RunEnded,
    Said,
    Seen,
    Stepped,
    TokensChanged,
)
from caucus.model.places import place_of as place_in_log
from caucus.model.records import Identity
from caucus.rules.answered import AnsweredRequests, AnswerPlace
from caucus.rules.channel import Channel, ChannelDump
from caucus.rules.claims.claims import Claims, Undoing
from caucus.rules.claims.leased import LeasesDump
from caucus.rules.places import answer_at, place_of
from caucus.rules.presence import Heard
from caucus.rules.receipts import Receipts, ReceiptsDump, is_addressed, is_by, read_addressed
from caucus.rules.runs import Runs
from caucus.rules.seatbelts import RateBudget
from caucus.rules.sessions import Sessions
from caucus.rules.telling import keep_granted, keep_told


class StateDump(Record, frozen=True):
    """All that events have made: what the parts of a `State` dump."""

    channels: list[ChannelDump]
    posts: list[tuple[str, list[float]]]
    creates: list[tuple[str, list[float]]]
    answered: list[tuple[bytes, list[tuple[bytes, bytes]]]]
    tokens: list[tuple[bytes, str, str]]
    last_number: int
    leases: LeasesDump
    runs: list[tuple[int, str]]
    heard: list[tuple[Author, float, list[str]]]
    receipts: ReceiptsDump
    sessions: list[tuple[bytes, int]]


class State:
    """Channels with what is in them, budgets over all of them, tokens, and what requests were answered with.

    :param tokens: gains the tokens that were minted, and loses those that were revoked.
    :param journal_id: names the log, in positions.
    """

    def __init__(self, limits: Limits, tokens: Tokens, journal_id: str) -> None:
        self.channels: dict[str, Channel] = {}
        self.artifact_bytes = self.artifacts = 0
        self.tokens = tokens
        self.answered = AnsweredRequests(limits.max_idempotency_keys)
        window, tracked = limits.window_seconds, limits.max_tracked_agents
        self.posts = RateBudget(limits.global_max_posts_per_minute, window, tracked, "all_channels")
        self.creates = RateBudget(limits.max_channel_creates_per_minute, window, tracked, "channel_creates")
        self.claims = Claims(self.channels)
        self.runs = Runs(journal_id)
        self.heard = Heard(tracked)
        self.receipts = Receipts()
        self.sessions = Sessions()
        self._limits = limits
        self._steps: deque[tuple[int, Callable[..., object], tuple[object, ...]]] = deque()

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
        first = 0
        match event:
            case Stepped() if not event.moved:
                undoing = None if position <= durable else self._undoing(position, durable)
                self._say(event.said, position, durable, at, undoing, charges)
            case Stepped() | ClaimsChanged():
                first = self._step(event, position, durable, at, charges=charges)
            case ChannelCreated(descriptor=descriptor):
                self.channels[descriptor.channel] = Channel(descriptor, self._limits, position)
                self.on_undo(position, durable, self.channels.pop, descriptor.channel)
                if charges:
                    self.creates.charge(descriptor.created_by, at)
                    self.on_undo(position, durable, self.creates.take_back, descriptor.created_by)
            case EvidenceAdded():
                self._add_evidence(event, evidence, position, durable)
            case Acked(channel=channel, cursor=cursor, agent=agent):
                names, room = (agent.agent_id, agent.owner), self.channels[channel]
                self.receipts.ack(room, cursor, names, position, durable, self.on_undo)
            case _:
                self._note(event, position, durable, at)
                return
        if event.request is not None:
            place = place_of(event, self.channels, self.claims, at, first)
            self.answered.keep(event.request, place, position, at)
            self.on_undo(position, durable, self.answered.forget_last, event.request)

    def _note(
        self,
        event: TokensChanged | RunBegan | RunEnded | Lived | Seen | OwingBegan | NewsTold,
        position: int,
        durable: int,
        at: float,
    ) -> None:
        """What no client is answered with."""
        match event:
            case TokensChanged():
                self._change_tokens(event, position, durable)
            case RunBegan(extended=extended):
                self.runs.began(event, position)
                self.on_undo(position, durable, self.runs.take_back)
                self.claims.move(extended, at, event.when.wall, self._undoing(position, durable))
                for channel in {moved.channel for moved in extended}:
                    self._change_board(channel, position, durable)
            case Lived(agent=agent):
                self.claims.live(agent, at, self._undoing(position, durable))
            case Seen(
                agents=agents, shown=shown
            ):  # nothing that is decided rests on it: it need not be undone
                self.heard.apply(agents, at)
                self.receipts.apply(shown, self.channels)
            case OwingBegan():
                self.receipts.begin(position, durable, self.on_undo)
            case NewsTold(session=session, place=place):
                self.sessions.told(session, place, position, durable, self.on_undo)

    def dump(self, now: float) -> StateDump:
        """All that it is ``now``, if all of it is durable; for `load`."""
        return StateDump(
            [channel.dump(now) for channel in self.channels.values()],
            self.posts.dump(now),
            self.creates.dump(now),
            self.answered.dump(),
            self.tokens.dump(),
            self.claims.numbers.last,
            self.claims.leases.dump(),
            self.runs.dump(),
            self.heard.dump(),
            self.receipts.dump(),
            self.sessions.dump(),
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
                    self.claims.ends.moved(channel.name, target, None, held.ends)
        self.posts.load(dumped.posts)
        self.creates.load(dumped.creates)
        self.answered.load(dumped.answered)
        self.tokens.load(dumped.tokens)
        self.claims.load(dumped.last_number, dumped.leases)
        self.runs.load(dumped.runs)
        self.heard.load(dumped.heard)
        self.receipts.load(dumped.receipts)
        self.sessions.load(dumped.sessions)

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
        elif isinstance(event, Stepped | ClaimsChanged):
            for said in event.said:
                self._charge(self.channels[said.channel], said, at)
            if isinstance(event, ClaimsChanged):
                for channel, agent_id in _charged(event):
                    self.channels[channel].posts.charge(agent_id, at)
                    self.posts.charge(agent_id, at)

    def _charge(self, room: Channel, said: Said, at: float) -> None:
        """Charge the budgets of a message's author, and remember what a repetition is known by."""
        if said.author:
            room.posts.charge(said.author, at)
            self.posts.charge(said.author, at)
            if said.post:
                room.duplicates.remember(said.author, said.post, at)

    def _step(
        self, event: Stepped | ClaimsChanged, position: int, durable: int, at: float, *, charges: bool
    ) -> int:
        """What becomes of claims, with what is said of it; gives the cursor after its first message."""
        undoing = None if position <= durable else self._undoing(position, durable)
        first = self.channels[event.said[0].channel].length + 1 if event.said else 0
        self._say(event.said, position, durable, at, undoing, charges)
        self._step_claims(event, position, durable, at, undoing, first, charges=charges)
        return first

    def _say(
        self,
        messages: tuple[Said, ...],
        position: int,
        durable: int,
        at: float,
        undoing: Undoing | None,
        charges: bool,
    ) -> None:
        """Messages join their logs."""
        place, wrote, channels = place_in_log(position), self.receipts.wrote, self.channels
        for said in messages:
            room = channels[said.channel]
            if undoing is not None:
                last = room.duplicates.last(said.author) if said.post else None
                undoing.append((self._take_back, (room, said, last)))
            message_json = said.message_json
            room.append(message_json, place)
            place += 1
            if is_addressed(message_json) or not is_by(message_json, wrote.get(said.author, b"\n")):
                self._address(said, room, position, durable)
            if charges:
                self._charge(room, said, at)

    def _step_claims(
        self,
        event: Stepped | ClaimsChanged,
        position: int,
        durable: int,
        at: float,
        undoing: Undoing | None,
        first: int,
        *,
        charges: bool,
    ) -> None:
        """What a step makes of claims, once its messages are in their logs."""
        moved, changes = event.moved, isinstance(event, ClaimsChanged)
        if changes or len(moved) > 1 or moved[0].manner != "granted":
            for channel in keep_told(event, self.channels, self.claims, first):
                self._change_board(channel, position, durable)
        if moved:
            self.claims.move(moved, at, event.when.wall, undoing, first)
            keep_granted(moved[0], self.channels, first)
        if isinstance(event, ClaimsChanged):
            for channel, agent_id in _charged(event) if charges else ():
                for budget in (self.channels[channel].posts, self.posts):
                    budget.charge(agent_id, at)
                    if undoing is not None:
                        undoing.append((budget.take_back, (agent_id,)))
            for change in event.changed:
                if isinstance(change, ClaimOpened):
                    names = (change.agent.agent_id, change.agent.owner)
                    self.receipts.know(names, position, durable, self.on_undo)
            self.claims.change(event.changed, at, undoing)

    def _change_board(self, channel: str, position: int, durable: int) -> None:
        room = self.channels[channel]
        room.change_board(position, durable)
        self.on_undo(position, durable, room.take_board_back)

    def _address(self, said: Said, room: Channel, position: int, durable: int) -> None:
        """A message, the last of its channel, is by somebody new, or for somebody."""
        receipts, found = self.receipts, read_addressed(said.message_json)
        if not is_by(said.message_json, receipts.wrote.get(said.author, b"\n")):
            receipts.know_author(found, position, durable, self.on_undo)
        receipts.said(room, room.length, found, position, durable, self.on_undo)

    def _undoing(self, position: int, durable: int) -> Undoing | None:
        """What takes the steps that undo the event at ``position``, unless that is durable."""
        if position <= durable:
            return None
        undoing: Undoing = []
        self.on_undo(position, durable, _call_backwards, undoing)
        return undoing

    def past(self, durable: int) -> Iterator[tuple[Callable[..., object], tuple[object, ...]]]:
        """The steps that would undo what is past ``durable``, in their order."""
        for position, step, arguments in reversed(self._steps):
            if position <= durable:
                return
            if step is _call_backwards:
                yield from reversed(cast("Undoing", arguments[0]))
            else:
                yield step, arguments

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
        return answer_at(place, self.channels[place.channel])


def _charged(event: ClaimsChanged) -> Iterator[tuple[str, str]]:
    """The channels and agents whose budgets are charged though no message is: who waits has asked, too."""
    for change in event.changed:
        if isinstance(change, ClaimOpened) and not change.fence:
            yield change.channel, change.agent.agent_id


def _call_backwards(steps: Undoing) -> None:
    for step, arguments in reversed(steps):
        step(*arguments)
