"""All claims of a backbone: each channel's plain ones, and those with leases; one board for both. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, cast

from msgspec.structs import replace

from caucus.model.claims import Claim
from caucus.model.events import Author, Change, ClaimGranted, ClaimOpened, ClaimPassed, Moved
from caucus.model.targets import Target, plain_target
from caucus.rules.claims.board import Board, Standing
from caucus.rules.claims.leased import Lease, LeaseClaims, LeasesDump
from caucus.rules.claims.leases import End, Leases
from caucus.rules.claims.ledger import Held, Ledger
from caucus.rules.claims.numbers import Numbers

_NOBODY = Author("", "")
Undoing = list[tuple[Callable[..., None], tuple[object, ...]]]


class Room(Protocol):
    """What claims need to know of a channel."""

    name: str
    ledger: Ledger
    is_on_board: bool
    """Whether its plain claims are on the board of all claims."""

    @property
    def length(self) -> int:
        """How many messages there are."""


class Claims:
    """Who holds what and who waits for it, over all channels.

    A channel's plain claims are on the board once somebody has asked there for a lease claim.
    """

    def __init__(self, channels: Mapping[str, Room]) -> None:
        self._channels = channels
        self.numbers = Numbers()
        self.board = Board()
        self.ends = Leases(self._ends_at)
        self.leases = LeaseClaims(self.board, self._moved)

    def load(self, last_number: int, leases: LeasesDump) -> None:
        """Be as what gave these; the channels' ledgers are loaded."""
        self.numbers.last = last_number
        self.leases.load(leases)
        for lease in self.leases:
            self.ends.moved("", "", None, self.leases.due(lease.claim), lease.claim)
            self.put_on_board(self._channels[lease.channel])

    def put_on_board(self, room: Room) -> None:
        """From now on a channel's plain claims are on the board."""
        if not room.is_on_board:
            room.is_on_board = True
            for target, held in room.ledger.dump():
                self.board.put(plain_standing(room.name, target, held))

    def move(
        self, moves: Iterable[Moved], at: float, wall: float, undoing: Undoing | None, first: int = 0
    ) -> None:
        """Plain targets are held, or free; ``first`` is the cursor after the message that says so.

        Without that, it is the channel's last one.
        """
        for moved in moves:
            channel, target, grant = moved.channel, moved.target, moved.grant
            room = self._channels[channel]
            ledger = room.ledger
            entry = ledger.entry(target)
            if undoing is not None:
                undoing.append((self.restore_plain, (channel, target, entry, self.numbers.last)))
            before, after = None if entry is None else entry.ends, None
            if grant is None:
                ledger.remove(target)
            elif moved.manner == "extended":
                after = ledger.extend(target, grant, at + moved.seconds)
            else:
                after = ledger.put(target, grant, at, self.numbers.draw(wall), first or room.length)
            self.ends.moved(channel, target, before, after)
            if room.is_on_board:
                self._show(room, target, entry)

    def restore_plain(self, channel: str, target: str, entry: Held | None, number: int) -> None:
        """Put back what was there for a plain target."""
        room = self._channels[channel]
        was = room.ledger.entry(target)
        room.ledger.restore(target, entry)
        before, after = None if was is None else was.ends, None if entry is None else entry.ends
        self.ends.moved(channel, target, before, after)
        self.numbers.last = number
        if room.is_on_board:
            self._show(room, target, was)

    def change(self, changes: Iterable[Change], at: float, undoing: Undoing | None) -> None:
        """Something becomes of lease claims."""
        for change in changes:
            claim = change.claim
            if undoing is not None:
                now = self.leases.get(claim)
                agents = {
                    one.agent for one in (now, change) if isinstance(one, Lease | ClaimOpened | ClaimPassed)
                }
                heard = self.leases.heard_of(*agents)
                undoing.append((self.restore_lease, (claim, now, heard, self.numbers.last)))
            if isinstance(change, ClaimOpened):
                self.put_on_board(self._channels[change.channel])
                self.numbers.take(claim)
            elif isinstance(change, ClaimGranted | ClaimPassed):
                self.numbers.take(change.fence)
            self.leases.apply(change, at)

    def restore_lease(
        self, claim: int, before: Lease | None, heard: Iterable[tuple[Author, float | None]], number: int
    ) -> None:
        """Put back what was there for a lease claim."""
        self.leases.restore(claim, before, heard)
        self.numbers.last = number

    def live(self, agent: Author, at: float, undoing: Undoing | None) -> None:
        """There is a sign of life of an agent."""
        before = self.leases.live(agent, at)
        if undoing is not None and before is not None:
            undoing.append((self.leases.unlive, (agent, before)))

    def grant_of(self, claim: int) -> tuple[Author, int] | None:
        """Who holds the claim with this number, and the fence of the grant; ``None`` if nobody does."""
        lease = self.leases.get(claim)
        if lease is not None:
            return (lease.agent, lease.fence) if lease.is_held else None
        for room in self._channels.values():
            found = room.ledger.find(claim)
            if found is not None:
                holder = found[1].grant.holder
                return Author(holder.agent_id, holder.owner), found[1].fence
        return None

    def lease_on(self, room: Room, target: str) -> Lease | None:
        """The lease claim that covers a plain target, or else waits for it, the first of them."""
        asked = Standing(0, room.name, (plain_target(target),), _NOBODY, is_held=False)
        found = self.board.conflicts(asked)
        first = next((one for one in found if one.is_held), found[0] if found else None)
        return None if first is None else self.leases.get(first.claim)

    @property
    def seen(self) -> Seen:
        """The claims as they are now."""
        return Seen(self, {}, {}, {})

    @contextmanager
    def as_before(self, steps: Iterable[tuple[Callable[..., object], tuple[object, ...]]]) -> Iterator[Seen]:
        """The claims as they would be if these steps were undone, while the caller looks at them."""
        plain: dict[tuple[str, str], Held | None] = {}
        leases: dict[int, Lease | None] = {}
        heard: dict[Author, float] = {}
        with self.board.trial():
            for undo, what in steps:
                if undo == self.restore_plain:
                    channel, target, entry, _ = cast("tuple[str, str, Held | None, int]", what)
                    room = self._channels[channel]
                    if room.is_on_board:
                        was = plain.get((channel, target), room.ledger.entry(target))
                        self._put(room, target, was, entry)
                    plain[channel, target] = entry
                elif undo == self.restore_lease:
                    claim, before = cast("tuple[int, Lease | None]", what[:2])
                    its = cast("tuple[tuple[Author, float | None], ...]", what[2])
                    heard.update((agent, at) for agent, at in its if at is not None)
                    leases[claim] = before
                    if before is None:
                        self.board.remove(claim)
                    else:
                        self.board.put(before.standing(self.board.get(claim)))
                elif undo == self.leases.unlive:
                    agent, at = cast("tuple[Author, float]", what)
                    heard[agent] = at
            yield Seen(self, plain, leases, heard)

    def _show(self, room: Room, target: str, was: Held | None) -> None:
        self._put(room, target, was, room.ledger.entry(target))

    def _put(self, room: Room, target: str, was: Held | None, entry: Held | None) -> None:
        """On the board a plain target is held as in ``entry``, and not as it ``was``."""
        if was is not None and (entry is None or entry.claim != was.claim):
            self.board.remove(was.claim)
        if entry is not None:
            self.board.put(plain_standing(room.name, target, entry))

    def _moved(self, claim: int, before: float | None, after: float | None) -> None:
        self.ends.moved("", "", before, after, claim)

    def _ends_at(self, end: End) -> float | None:
        if end.claim:
            return self.leases.due(end.claim)
        room = self._channels.get(end.channel)
        held = None if room is None else room.ledger.entry(end.target)
        return None if held is None else held.ends


class Seen:
    """Claims as they were when some events had not been applied yet; beside them what has changed since.

    That is plain targets of channels, lease claims by number, and when agents were heard of.
    """

    def __init__(
        self,
        claims: Claims,
        plain: Mapping[tuple[str, str], Held | None],
        leases: Mapping[int, Lease | None],
        heard: Mapping[Author, float],
    ) -> None:
        self._claims = claims
        self._heard = heard
        self._plain = plain
        self._leases = leases
        self._fronts: dict[tuple[str, tuple[Target, ...], bool], tuple[int, list[int]]] = {}

    def plain(self, room: Room) -> dict[str, Held]:
        """What was held in a channel by plain claims, by target key."""
        held = dict(room.ledger.dump())
        for (channel, target), entry in self._plain.items():
            if channel == room.name:
                held.pop(target, None)
                if entry is not None:
                    held[target] = entry
        return held

    def plain_one(self, room: Room, claim: int) -> Held | None:
        """The plain claim of a channel with this number."""
        if self._plain:
            return next((held for held in self.plain(room).values() if held.claim == claim), None)
        found = room.ledger.find(claim)
        return None if found is None else found[1]

    def beside(self, channel: str, targets: Iterable[Target]) -> set[int]:
        """The numbers of the claims that are on something that overlaps one of these."""
        return self._claims.board.beside(channel, targets)

    def lease(self, claim: int) -> Lease | None:
        """The lease claim with this number."""
        return self._leases[claim] if claim in self._leases else self._claims.leases.get(claim)

    def leases(self, channel: str) -> list[Lease]:
        """The lease claims of a channel."""
        numbers = dict.fromkeys((*self._claims.leases.numbers_in(channel), *self._leases))
        found = (self.lease(claim) for claim in numbers)
        return [lease for lease in found if lease is not None and lease.channel == channel]

    def is_over(self, lease: Lease, now: float) -> bool:
        """Whether a lease claim has lapsed ``now``, though that may not have been recorded yet."""
        return self._claims.leases.ends(lease, self._heard.get(lease.agent)) <= now

    def shown(self, lease: Lease, now: float) -> Claim:
        """A lease claim, as it is shown ``now``."""
        ahead = 0 if lease.is_held else self._ahead(lease)
        return lease.shown(self._claims.leases.ends(lease, self._heard.get(lease.agent)), ahead, now)

    def _ahead(self, lease: Lease) -> int:
        """How many claims stand in front of one that waits: looked up once for all that wait for the same."""
        board = self._claims.board
        standing = lease.standing(board.get(lease.claim))
        wanted = (standing.channel, standing.targets, standing.is_shared)
        front = self._fronts.get(wanted)
        if front is None:
            conflicts = board.conflicts(replace(standing, claim=0))
            waiting = [one.claim for one in conflicts if not one.is_held]
            front = self._fronts[wanted] = (len(conflicts) - len(waiting), waiting)
        held, waiting = front
        return held + bisect_left(waiting, lease.claim)


def plain_standing(channel: str, target: str, held: Held) -> Standing:
    """A plain claim, as others see it that want the same."""
    holder = held.grant.holder
    agent = Author(holder.agent_id, holder.owner)
    return Standing(held.claim, channel, (plain_target(target),), agent, is_held=True)
