"""`Step`: what one decision changes about claims, put together as one event."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Final, Self

from msgspec.structs import replace

from caucus.model.claims import seconds_left
from caucus.model.drafts import Draft, stamp
from caucus.model.events import (
    Author,
    Change,
    ClaimEnded,
    ClaimGranted,
    ClaimOpened,
    ClaimPassed,
    ClaimsChanged,
    Ending,
    Holding,
    Instant,
    Moved,
    RequestKey,
    Said,
    Stepped,
    Terms,
)
from caucus.model.fields import BODY_TEXT
from caucus.model.messages import new_msg_id, target_key
from caucus.model.records import CAUCUS
from caucus.model.stamps import Stamps
from caucus.model.targets import joined, read_target
from caucus.rules.channel import Channel
from caucus.rules.claims.board import Standing
from caucus.rules.claims.claims import plain_standing
from caucus.rules.claims.ledger import Held
from caucus.rules.claims.numbers import Numbers
from caucus.rules.noted import noted
from caucus.rules.state import State

FLOOR_SECONDS: Final = 60
"""A claim that is granted out of the queue has so many seconds at least, or its lease if that is shorter."""
ITSELF: Final = Author(CAUCUS.agent_id, CAUCUS.owner)


class Step:
    """Collects messages and changes, and sees on the board what follows from them.

    What is done to the board is undone when the step is left: recording the event does it for good.
    """

    def __init__(self, state: State, stamps: Stamps, when: Instant, now: float) -> None:
        self.now = now
        self.when = when
        self.board = state.claims.board
        self.said: list[Said] = []
        self.moved: list[Moved] = []
        self.changed: list[Change] = []
        self.touched: set[int] = set()
        """The lease claims that are not as they were before, by number."""
        self._channels = state.channels
        self._stamps = stamps
        self._claims = state.claims
        self._trial = self.board.trial()
        self._lengths: dict[str, int] = {}
        self._terms: dict[int, Terms] = {}
        self._freed: list[Standing] = []
        self._heirs: list[Author] = []
        self._gone: set[tuple[str, str]] = set()
        self._numbers = Numbers()
        self._numbers.last = self._claims.numbers.last

    def __enter__(self) -> Self:
        self._trial.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trial.__exit__(kind, error, trace)

    def number(self) -> int:
        """The next number, of a claim or a fence."""
        return self._numbers.draw(self.when.wall)

    def stamp(self) -> str:
        """The next stamp."""
        return self._stamps.next(self.when.wall)

    def terms(self, claim: int) -> Terms:
        """What a lease claim was asked for with."""
        lease = self._claims.leases.get(claim)
        return self._terms[claim] if lease is None else lease.terms

    def standing(self, claim: int) -> Standing:
        """A claim that is there, as it stands on the board."""
        standing = self.board.get(claim)
        if standing is None:
            raise AssertionError("a claim that is there is on the board")
        return standing

    def say(self, channel: str, draft: Draft, *, charged: bool = False) -> int:
        """Append a message; the cursor after it, or 0 if the log takes no more of such."""
        room = self._channels[channel]
        length = self._lengths.get(channel, room.length)
        if not room.has_room_to_tell(length):
            return 0
        self._lengths[channel] = length + 1
        author = (draft.agent_id or "") if charged else ""
        self.said.append(Said(channel, stamp(draft, draft.ts or self.stamp()), author))
        return length + 1

    def open(self, claim: int, channel: str, agent: Author, terms: Terms) -> None:
        """A lease claim is there, and held; it is not on the board."""
        self._terms[claim] = terms
        draft = claimed(claim, agent, terms, terms.note, terms.msg_id, terms.ts)
        cursor = self.say(channel, draft, charged=True)
        self.changed.append(ClaimOpened(claim, channel, agent, terms, claim, cursor))

    def grant(self, claim: int, channel: str, agent: Author) -> None:
        """A claim that waited is held."""
        terms, ts = self.terms(claim), self.stamp()
        cursor = self.say(channel, claimed(claim, agent, terms, terms.note, terms.msg_id, ts))
        seconds = min(terms.lease_ttl, FLOOR_SECONDS)
        self.touched.add(claim)
        self.changed.append(ClaimGranted(claim, channel, self.number(), ts, cursor, seconds))

    def pass_on(self, held: Standing, heir: Author, note: str) -> None:
        """A claim that is held is another agent's."""
        claim, channel, ts, msg_id = held.claim, held.channel, self.stamp(), new_msg_id()
        cursor = self.say(channel, claimed(claim, heir, self.terms(claim), note, msg_id, ts), charged=True)
        self.changed.append(ClaimPassed(claim, channel, heir, self.number(), note, msg_id, ts, cursor))
        self.inherit(replace(held, agent=heir))

    def inherit(self, held: Standing) -> None:
        """A claim is on the board as somebody's for whom others may wait that it waits for itself."""
        self.board.put(held)
        self._heirs.append(held.agent)

    def end(self, ended: Standing, ending: Ending, by: Author, body: str, *, charged: bool = False) -> None:
        """A lease claim is gone, which its agent and the boards are told.

        Those of one that waited are told nothing by boards: it was never on them. Its agent is, in a note,
        unless it asked for that or is gone itself.
        """
        claim, channel, agent = ended.claim, ended.channel, ended.agent
        to = None if ending in ("done", "released") else (agent.agent_id,)
        if ended.is_held:
            self._say_ended(channel, joined(self.terms(claim).targets, claim), by, body, to, charged=charged)
        elif to is not None and ending != "lapsed":
            text = joined(self.terms(claim).targets, claim)
            told = f"Your claim on {text}, which waited, has ended: {body}"
            self.say(channel, _told(by, told[:BODY_TEXT], to), charged=charged and by != ITSELF)
        self.touched.add(claim)
        self.changed.append(ClaimEnded(claim, channel, ending))
        self.board.remove(claim)
        self._freed.append(ended)
        if ended.is_held:
            self._say_who_remains(channel, joined(self.terms(claim).targets, claim))

    def move(self, room: Channel, said: Said, moved: Moved) -> None:
        """A plain target is granted, or given free, as a message says, which is the first of the step."""
        self.said.append(said)
        self._lengths[room.name] = room.length + 1
        held, grant = room.ledger.entry(moved.target), moved.grant
        if grant is None:
            if held is not None:
                self.free(room, moved.target, held, moved)
                self._say_who_remains(room.name, noted(room, held.cursor).target)
            return
        self.moved.append(moved)
        self.number()  # as its fence will be
        if held is not None:
            self._give(held, Author(grant.holder.agent_id, grant.holder.owner))

    def free(self, room: Channel, target: str, held: Held, how: Moved) -> None:
        """A plain target is free; whoever calls has said so where it is to be said."""
        self.moved.append(how)
        self._gone.add((room.name, target))
        if room.is_on_board:
            self.board.remove(held.claim)
            self._freed.append(plain_standing(room.name, target, held))

    def end_plain(self, room: Channel, target: str, held: Held, by: Author, body: str, how: Moved) -> None:
        """A plain claim is gone, without its owner having asked for it."""
        text = noted(room, held.cursor).target
        holder = held.grant.holder
        self._say_ended(room.name, text, by, body, (holder.agent_id,), charged=how.manner == "revoked")
        self.free(room, target, held, how)
        self._say_who_remains(room.name, text)

    def settle(self) -> None:
        """What follows: who waited for what is gone gets it, and no circle stays."""
        self._grant_freed()
        for heir in self._heirs:
            while circle := self.board.circle_of(heir):
                waiting = [one for one in map(self.board.get, circle) if one is not None and not one.is_held]
                youngest = max(waiting, key=lambda one: one.claim)
                way = ", ".join(f"#{claim}" for claim in circle)
                self.end(youngest, "deadlock", ITSELF, f"it would have waited for itself, by way of {way}.")
                self._grant_freed()
        self._heirs.clear()

    def event(self, request: RequestKey | None = None) -> Stepped | ClaimsChanged:
        """What to record, once the step is left."""
        said, moved = tuple(self.said), tuple(self.moved)
        if not self.changed:
            return Stepped(self.when, said, moved, request)
        return ClaimsChanged(self.when, said, moved, tuple(self.changed), request)

    def _give(self, held: Held, heir: Author) -> None:
        """A plain claim that is held is another agent's: who waits for it now waits for that one."""
        holder = held.grant.holder
        before = self.board.get(held.claim)
        if before is not None and Author(holder.agent_id, holder.owner) != heir:
            self.inherit(replace(before, agent=heir))

    def _grant_freed(self) -> None:
        freed, self._freed = self._freed, []
        for gone in freed:
            for waiting in self.board.free_after(gone):
                self.board.put(replace(waiting, is_held=True))
                self.grant(waiting.claim, waiting.channel, waiting.agent)

    def _say_ended(
        self,
        channel: str,
        text: str,
        by: Author,
        body: str,
        to: tuple[str, ...] | None,
        *,
        charged: bool = False,
    ) -> None:
        """The message by which boards see that a claim has ended."""
        draft = Draft(
            type="claim",
            agent_id=by.agent_id,
            owner=by.owner,
            msg_id=new_msg_id(),
            body=body,
            to=to,
            status="resolved",
            target=text,
        )
        self.say(channel, draft, charged=charged and by != ITSELF)

    def _say_who_remains(self, channel: str, text: str) -> None:
        """Boards show one holder of a text: where another claim that is told by it is held, they are told so.

        That is one which shares the targets, or has others that look the same once they are joined.
        """
        for end in (*(found.start() for found in _JOINTS.finditer(text)), len(text)):
            first = read_target(text[:end])
            for other in () if first is None else self.board.named(channel, first):
                lease = self._claims.leases.get(other.claim)
                if lease is not None and other.is_held and joined(lease.terms.targets, lease.claim) == text:
                    terms = self.terms(other.claim)
                    draft = claimed(other.claim, other.agent, terms, terms.note, new_msg_id(), "")
                    self.say(channel, draft)
                    return
        room, target = self._channels[channel], target_key(text)
        held = room.ledger.entry(target)
        if held is None or (channel, target) in self._gone:
            return
        message, holder = noted(room, held.cursor), held.grant.holder
        if message.target == text:
            draft = _claimed_plainly(holder, message.body, text)
            draft.lease_ttl = None if held.ends is None else seconds_left(held.ends, self.now)
            self.say(channel, draft)


_JOINTS: Final = re.compile(", ")


def _claimed_plainly(holder: Holding, note: str, text: str) -> Draft:
    """The message by which boards see who holds a plain claim."""
    return Draft(
        type="claim",
        agent_id=holder.agent_id,
        owner=holder.owner,
        msg_id=new_msg_id(),
        body=note,
        target=text,
    )


def claimed(claim: int, agent: Author, terms: Terms, note: str, msg_id: str, ts: str) -> Draft:
    """The message by which boards see who holds a claim. It names no lease: they would end that too early."""
    return Draft(
        type="claim",
        agent_id=agent.agent_id,
        owner=agent.owner,
        msg_id=msg_id,
        body=note,
        thread=terms.thread,
        artifact=terms.artifact,
        target=joined(terms.targets, claim),
        ts=ts or None,
    )


def _told(by: Author, body: str, to: tuple[str, ...]) -> Draft:
    return Draft(type="note", agent_id=by.agent_id, owner=by.owner, msg_id=new_msg_id(), body=body, to=to)
