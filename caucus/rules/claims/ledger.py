"""Who holds which target: leases and transitions (docs/protocol.md, Claims). Pure: time comes in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from caucus.model.events import Grant, Record
from caucus.model.records import AlreadyClaimed, Holder, NotHeld

LONGEST_LEASE: Final = 2**62
"""In seconds: a longer lease, which the contract allows, is kept in a ledger as this one."""


class Held(Record, frozen=True):
    """A ledger entry: what was granted, and when it lapses (seconds on the backbone's clock), if it does.

    ``claim`` is its number for as long as the target is held, ``fence`` that of its last grant, whose
    message is the one before ``cursor``. ``extended`` says that a restart has given it more, since its
    holder was last heard of.
    """

    grant: Grant
    ends: float | None
    claim: int = 0
    fence: int = 0
    cursor: int = 0
    extended: bool = False


class Ledger:
    """The holders of one channel's targets, by target key.

    The ``may_`` methods decide whether a transition is granted: they return ``None`` if it is,
    else the result to answer with. `put` and `remove` carry it out.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Held] = {}
        self._keys: dict[int, str] = {}

    def live(self, key: str, now: float) -> Held | None:
        """The entry of ``key``, unless its lease has ended: at its end it has."""
        entry = self._entries.get(key)
        return None if entry is None or (entry.ends is not None and now >= entry.ends) else entry

    def count(self, now: float) -> int:
        """How many targets are held."""
        return sum(entry.ends is None or now < entry.ends for entry in self._entries.values())

    def may_claim(self, key: str, owner: str, now: float, *, heartbeat: bool) -> AlreadyClaimed | None:
        """A free target may be claimed; a live one only renewed, by its own owner's heartbeat."""
        entry = self.live(key, now)
        if entry is None or (heartbeat and entry.grant.holder.owner == owner):
            return None
        return _lost(entry)

    def may_reassign(self, key: str, owner: str, now: float) -> AlreadyClaimed | None:
        """A free target may be given to anyone, a live one by its own owner only."""
        entry = self.live(key, now)
        if entry is None or entry.grant.holder.owner == owner:
            return None
        return _lost(entry)

    def may_finish(self, key: str, owner: str, now: float) -> AlreadyClaimed | NotHeld | None:
        """A live target may be marked done by its own owner only."""
        entry = self.live(key, now)
        if entry is None:
            return NotHeld()
        return None if entry.grant.holder.owner == owner else _lost(entry)

    def dump(self) -> list[tuple[str, Held]]:
        """The entries by target key, for `load`."""
        return list(self._entries.items())

    def load(self, dumped: Iterable[tuple[str, Held]]) -> None:
        """Be as the ledger was that gave this."""
        self._entries = dict(dumped)
        self._keys = {held.claim: key for key, held in self._entries.items()}

    def entry(self, key: str) -> Held | None:
        """What is there for ``key``, live or lapsed."""
        return self._entries.get(key)

    def find(self, claim: int) -> tuple[str, Held] | None:
        """The target key and the entry of a claim, by its number."""
        key = self._keys.get(claim)
        return None if key is None else (key, self._entries[key])

    def claim(self, claim: int) -> Held:
        """The entry of a claim that is there, by its number."""
        return self._entries[self._keys[claim]]

    def restore(self, key: str, entry: Held | None) -> None:
        """Put back what `entry` gave."""
        self.remove(key)
        if entry is not None:
            self._set(key, entry)

    def _set(self, key: str, entry: Held) -> None:
        self._entries[key] = entry
        if entry.claim:
            self._keys[entry.claim] = key

    def live_ones(self, down: float, until: float) -> list[tuple[str, Grant]]:
        """What was live at ``down``, lapses before ``until``, and was not extended before, by target key.

        Such a holder could not renew its lease meanwhile.
        """
        return [
            (key, entry.grant)
            for key, entry in self._entries.items()
            if entry.ends is not None and down < entry.ends < until and not entry.extended
        ]

    def put(self, key: str, grant: Grant, at: float, fence: int, cursor: int) -> float | None:
        """The target is held from ``at`` on; gives when its lease ends, if it does.

        It is the same claim as before where there is one: what has lapsed is not there any more.
        """
        entry = self._entries.get(key)
        # As the sum of floats, so that 0.4 + 1 has lapsed at 1.4; any lease fits a float.
        ends = None if grant.lease_ttl is None else at + float(grant.lease_ttl)
        if entry is None:
            claim = fence
            self._keys[claim] = key
        else:
            claim = entry.claim
        self._entries[key] = Held(grant, ends, claim, fence, cursor)
        return ends

    def extend(self, key: str, grant: Grant, ends: float) -> float:
        """The target is held until ``ends`` at least; gives when its lease ends."""
        entry = self._entries.get(key)
        if entry is None:
            self._set(key, Held(grant, ends, extended=True))
            return ends
        if entry.ends is not None:
            ends = max(entry.ends, ends)
        self._set(key, replace(entry, ends=ends, extended=True))
        return ends

    def remove(self, key: str) -> None:
        """The target is free."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._keys.pop(entry.claim, None)


def _lost(entry: Held) -> AlreadyClaimed:
    by = entry.grant.holder
    return AlreadyClaimed(Holder(by.agent_id, by.owner, by.ts, by.msg_id))
