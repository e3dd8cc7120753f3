"""Which message says what of a claim, and of which changes none does. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Final, Protocol, get_args

import msgspec

from caucus.model.events import (
    ClaimEnded,
    ClaimGranted,
    ClaimOffered,
    ClaimOpened,
    ClaimPassed,
    ClaimsChanged,
    Moved,
    OfferEnded,
    Stepped,
)
from caucus.model.feed import ChangeKind, ClaimChange
from caucus.model.messages import target_key
from caucus.model.targets import joined
from caucus.rules.claims.claims import Claims, Room

_KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)
_ROW: Final = Struct("<Bqq")
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}
_ENDINGS: Final[Mapping[str, ChangeKind]] = {
    "done": "released",
    "released": "released",
    "lapsed": "lapsed",
    "revoked": "revoked",
    "taken_over": "taken_over",
}


class TellingRoom(Room, Protocol):
    """What has to be known of a channel that tells."""

    told: Told


Telling = tuple[str, int, ChangeKind, int, int]
"""A channel, the cursor after the message, or 0 if none says it, and what became of which claim and grant."""


class Told:
    """What a channel's messages say of claims: 21 bytes for each message that says something."""

    __slots__ = ("_cursors", "_rows")

    def __init__(self) -> None:
        self._cursors = array("I")
        self._rows = bytearray()  # the kind, the claim's number and the grant's

    def add(self, cursor: int, kind: ChangeKind, claim: int, fence: int) -> None:
        """The message before ``cursor`` says this."""
        cursors, row = self._cursors, _ROW.pack(_NUMBERS[kind], claim, fence)
        if not cursors or cursor > cursors[-1]:
            cursors.append(cursor)
            self._rows += row
            return
        number = bisect_left(cursors, cursor)  # of one event, the first may be told last
        cursors.insert(number, cursor)
        at = number * _ROW.size
        self._rows[at:at] = row

    def cut(self, length: int) -> None:
        """There are no messages after the cursor ``length`` any more."""
        cursors = self._cursors
        while cursors and cursors[-1] > length:
            cursors.pop()
        del self._rows[len(cursors) * _ROW.size :]

    def find(self, cursor: int) -> ClaimChange | None:
        """What the message before ``cursor`` says."""
        number = bisect_left(self._cursors, cursor)
        if number == len(self._cursors) or self._cursors[number] != cursor:
            return None
        kind, claim, fence = _ROW.unpack_from(self._rows, number * _ROW.size)
        return ClaimChange(_KINDS[kind], claim, fence)

    def dump(self) -> list[tuple[int, int, int, int]]:
        """All that it is, for `load`."""
        rows = _ROW.iter_unpack(self._rows)
        return [(cursor, *row) for cursor, row in zip(self._cursors, rows, strict=True)]

    def load(self, dumped: list[tuple[int, int, int, int]]) -> None:
        """Be as what gave that; so far it is empty."""
        for cursor, kind, claim, fence in dumped:
            self.add(cursor, _KINDS[kind], claim, fence)


class _Heading(msgspec.Struct):
    """As much of a message as tells which it is."""

    type: str
    msg_id: str
    status: str = ""
    target: str = ""


_decode_heading = msgspec.json.Decoder(_Heading).decode


def tellings(
    event: Stepped | ClaimsChanged, channels: Mapping[str, Room], claims: Claims, first: int
) -> Iterator[Telling]:
    """What becomes of claims by an event whose messages are in the logs, and which has changed no claim yet.

    ``first`` is the cursor after its first message. Plain targets that are granted are left out.
    """
    messages: _Messages | None = None
    changed = event.changed if isinstance(event, ClaimsChanged) else ()
    for moved in event.moved:
        if moved.manner == "granted":
            continue
        held = channels[moved.channel].ledger.entry(moved.target)
        claim, fence = (0, 0) if held is None else (held.claim, held.fence)
        if moved.manner == "freed":
            yield moved.channel, first, "released", claim, fence
            continue
        messages = messages or _Messages(event, channels)
        cursor = messages.ended(moved.channel, moved.target) if moved.manner in _ENDINGS else 0
        yield moved.channel, cursor, _ENDINGS.get(moved.manner, "granted"), claim, fence
    for change in changed:
        if isinstance(change, ClaimOpened | ClaimGranted):
            yield change.channel, change.cursor, "granted", change.claim, change.fence
        elif isinstance(change, ClaimPassed):
            yield change.channel, change.cursor, "handed_over", change.claim, change.fence
        else:
            lease = claims.leases.get(change.claim)
            fence = 0 if lease is None else lease.fence
            if isinstance(change, ClaimEnded) and lease is not None and lease.is_held:
                messages = messages or _Messages(event, channels)
                cursor = messages.ended(change.channel, target_key(joined(lease.terms.targets, lease.claim)))
                yield change.channel, cursor, _ENDINGS[change.ending], change.claim, fence
            elif isinstance(change, ClaimOffered):
                messages = messages or _Messages(event, channels)
                cursor = messages.named(change.channel, change.msg_id)
                yield change.channel, cursor, "offered", change.claim, fence
            elif isinstance(change, OfferEnded) and change.is_declined:
                messages = messages or _Messages(event, channels)
                yield change.channel, messages.answer(change.channel), "declined", change.claim, fence
            else:
                yield change.channel, 0, "granted", change.claim, fence


def keep_told(
    event: Stepped | ClaimsChanged, channels: Mapping[str, TellingRoom], claims: Claims, first: int
) -> set[str]:
    """Keep which message says what of a claim; gives the channels where none says what has changed.

    To be called before any claim is changed, and `keep_granted` after it.
    """
    untold: set[str] = set()
    for channel, cursor, kind, claim, fence in tellings(event, channels, claims, first):
        if cursor:
            channels[channel].told.add(cursor, kind, claim, fence)
        else:
            untold.add(channel)
    return untold


def keep_granted(moved: Moved, channels: Mapping[str, TellingRoom], first: int) -> None:
    """Keep that the first message says that a plain target is granted, if it does."""
    if moved.manner == "granted":
        room = channels[moved.channel]
        held = room.ledger.entry(moved.target)
        if held is not None:
            room.told.add(first, "granted", held.claim, held.fence)


class _Messages:
    """The messages of an event, by what they say; each is found once."""

    def __init__(self, event: Stepped | ClaimsChanged, channels: Mapping[str, Room]) -> None:
        lengths: dict[str, int] = {}
        self._left: list[tuple[str, int, _Heading]] = []
        for said in reversed(event.said):
            cursor = lengths.get(said.channel, channels[said.channel].length)
            lengths[said.channel] = cursor - 1
            self._left.insert(0, (said.channel, cursor, _decode_heading(said.message_json)))

    def ended(self, channel: str, target: str) -> int:
        """The cursor after the one that says that what is on a target has ended."""
        return self._take(
            lambda where, one: (
                (where, one.type, one.status) == (channel, "claim", "resolved")
                and target_key(one.target) == target
            )
        )

    def named(self, channel: str, msg_id: str) -> int:
        """The cursor after the one with this id."""
        return self._take(lambda where, one: (where, one.msg_id) == (channel, msg_id))

    def answer(self, channel: str) -> int:
        """The cursor after the one that answers."""
        return self._take(lambda where, one: (where, one.type) == (channel, "answer"))

    def _take(self, is_it: Callable[[str, _Heading], bool]) -> int:
        for number, (channel, cursor, one) in enumerate(self._left):
            if is_it(channel, one):
                del self._left[number]
                return cursor
        return 0
