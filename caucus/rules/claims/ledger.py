"""Who holds which target: leases and transitions (docs/protocol.md, Claims). Pure: time comes in."""

from __future__ import annotations

from typing import Final

from caucus.model.events import Grant, Holding, Record
from caucus.model.records import AlreadyClaimed, Holder, NotHeld

LONGEST_LEASE: Final = 2**62
"""In seconds: a longer lease, which the contract allows, is kept in a ledger as this one."""


class Held(Record, frozen=True):
    """A ledger entry: the holder, when it was granted (seconds on the backbone's clock), and its lease."""

    holder: Holding
    granted: float
    lease_ttl: int | None


class Ledger:
    """The holders of one channel's targets, by target key.

    The ``may_`` methods decide whether a transition is granted: they return ``None`` if it is,
    else the result to answer with. `put` and `remove` carry it out.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Held] = {}

    def live(self, key: str, now: float) -> Held | None:
        """The entry of ``key``, unless its lease has lapsed: at ``granted + lease_ttl`` it has."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        # As the sum of floats, so that 0.4 + 1 has lapsed at 1.4; any lease fits a float.
        if entry.lease_ttl is not None and now >= entry.granted + float(entry.lease_ttl):
            del self._entries[key]  # lapsed is lapsed, also if the clock steps back after this
            return None
        return entry

    def count(self, now: float) -> int:
        """How many targets are held."""
        return sum(
            entry.lease_ttl is None or now < entry.granted + float(entry.lease_ttl)
            for entry in self._entries.values()
        )

    def may_claim(self, key: str, owner: str, now: float, *, heartbeat: bool) -> AlreadyClaimed | None:
        """A free target may be claimed; a live one only renewed, by its own owner's heartbeat."""
        entry = self.live(key, now)
        if entry is None or (heartbeat and entry.holder.owner == owner):
            return None
        return _lost(entry)

    def may_reassign(self, key: str, owner: str, now: float) -> AlreadyClaimed | None:
        """A free target may be given to anyone, a live one by its own owner only."""
        entry = self.live(key, now)
        if entry is None or entry.holder.owner == owner:
            return None
        return _lost(entry)

    def may_finish(self, key: str, owner: str, now: float) -> AlreadyClaimed | NotHeld | None:
        """A live target may be marked done by its own owner only."""
        entry = self.live(key, now)
        if entry is None:
            return NotHeld()
        return None if entry.holder.owner == owner else _lost(entry)

    def entry(self, key: str) -> Held | None:
        """What is there for ``key``, live or lapsed."""
        return self._entries.get(key)

    def restore(self, key: str, entry: Held | None) -> None:
        """Put back what `entry` gave."""
        if entry is None:
            self.remove(key)
        else:
            self._entries[key] = entry

    def extend(self, down: float, until: float) -> None:
        """Leases that lapse between ``down`` and ``until`` lapse at ``until``; earlier ones have lapsed."""
        for key, entry in self._entries.items():
            if entry.lease_ttl is not None and down < entry.granted + float(entry.lease_ttl) < until:
                granted = until - float(entry.lease_ttl)
                self._entries[key] = Held(entry.holder, granted, entry.lease_ttl)

    def put(self, key: str, grant: Grant, granted: float) -> None:
        """The target is held from ``granted`` on."""
        self._entries[key] = Held(grant.holder, granted, grant.lease_ttl)

    def remove(self, key: str) -> None:
        """The target is free."""
        self._entries.pop(key, None)


def _lost(entry: Held) -> AlreadyClaimed:
    by = entry.holder
    return AlreadyClaimed(Holder(by.agent_id, by.owner, by.ts, by.msg_id))
