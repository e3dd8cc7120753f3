"""One channel: its log, its ledger, its evidence and its pacing. Pure: no reactor, no I/O, time comes in.

What is decided counts at once for the next decision; what is shown is only what the journal
calls durable. Each addition therefore comes with its journal position, and each look with the
position up to which the journal is durable.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

from caucus.errors import ChannelFull, InvalidCursor
from caucus.limits import Limits
from caucus.model.events import ChannelFields, Record
from caucus.model.fields import as_integer
from caucus.model.places import LAST, end_of, place_of
from caucus.model.records import Descriptor, Page
from caucus.rules.claims.ledger import Held, Ledger
from caucus.rules.evidence import Evidence
from caucus.rules.log import Log
from caucus.rules.seatbelts import Duplicates, RateBudget
from caucus.rules.telling import Told

TELLING: Final = 1000
"""So many messages more than a log takes are kept for what becomes of claims."""


class ChannelDump(Record, frozen=True):
    """A channel with all that is in it: what its parts dump."""

    fields: ChannelFields
    created: int
    log: list[bytes]
    places: list[int]
    told: list[tuple[int, int, int, int]]
    boards: list[int]
    ledger: list[tuple[str, Held]]
    posts: list[tuple[str, list[float]]]
    duplicates: list[tuple[str, int, float]]
    evidence: list[tuple[str, bytes]]


_NO_PAGE: Final = Page((), -1)


class Channel:
    """One append-only log and what belongs to it.

    ``fields`` are as it was created, ``created`` the journal position of that.
    """

    def __init__(self, fields: ChannelFields, limits: Limits, created: int) -> None:
        self.name = fields.channel
        self.fields = fields
        self.created = created
        self.is_on_board = False
        """Whether its plain claims are on the board of all claims."""
        self.ledger = Ledger()
        self.posts = RateBudget(
            limits.max_posts_per_minute, limits.window_seconds, limits.max_tracked_agents, "channel"
        )
        self.duplicates = Duplicates(limits.window_seconds, limits.max_tracked_agents)
        self.evidence = Evidence(limits.max_channel_artifact_bytes)
        self._limits = limits
        self._log = log = Log()
        self.append = log.append
        """Add a message to the log, which stands at some place in the log of all."""
        self.told = Told()
        """What its messages say of claims."""
        self.places = self._log.places
        """Each message's place in the log of all."""
        self._last_page = _NO_PAGE  # many read the same one
        self._boards = array("q")  # where its claims changed and no message says so: the last that is durable

    def dump(self, now: float) -> ChannelDump:
        """All that it is ``now``, if all of it is durable; for `load`."""
        return ChannelDump(
            self.fields,
            self.created,
            self._log.dump(),
            self.places.tolist(),
            self.told.dump(),
            self._boards.tolist(),
            self.ledger.dump(),
            self.posts.dump(now),
            self.duplicates.dump(),
            self.evidence.dump(),
        )

    def load(self, dumped: ChannelDump) -> None:
        """Be as the channel was that gave this; so far it is empty."""
        self._log.load(dumped.log, dumped.places)
        self.told.load(dumped.told)
        self._boards.extend(dumped.boards)
        self.ledger.load(dumped.ledger)
        self.posts.load(dumped.posts)
        self.duplicates.load(dumped.duplicates)
        self.evidence.load(dumped.evidence)

    @property
    def length(self) -> int:
        """How many messages there are, durable or not."""
        return self._log.length

    def next_cursor(self) -> int:
        """The head after the next message. Raises `ChannelFull` if the log takes no more."""
        limit, length = self._limits.max_messages_per_channel, self._log.length
        if length >= limit:
            raise ChannelFull(channel=self.name, limit=limit)
        return length + 1

    def has_room_to_tell(self, length: int) -> bool:
        """Whether a log of so many messages takes one more that says what became of a claim."""
        return length < self._limits.max_messages_per_channel + TELLING

    def take_back(self) -> None:
        """Undo the last append, which was not durable."""
        self._log.pop()
        self._last_page = _NO_PAGE
        self.told.cut(self._log.length)

    def change_board(self, position: int, durable: int) -> None:
        """Its claims are not what they were, by the event at ``position``, and no message says so."""
        boards = self._boards
        while len(boards) > 1 and boards[1] < end_of(durable):
            del boards[0]
        boards.append(place_of(position, LAST))

    def take_board_back(self) -> None:
        """Undo the last of `change_board`."""
        self._boards.pop()

    def board(self, end: int) -> int:
        """The last place before ``end`` where its claims changed and no message says so; -1 without any."""
        number = bisect_left(self._boards, end)
        return self._boards[number - 1] if number else -1

    def head(self, durable: int) -> int:
        """The cursor after the last durable message."""
        places, end = self.places, end_of(durable)
        if not places or places[-1] < end:
            return len(places)
        return bisect_left(places, end)

    def describe(self, durable: int) -> Descriptor:
        """The descriptor with the live head."""
        return self.descriptor(self.head(durable))

    def descriptor(self, head: int) -> Descriptor:
        """The descriptor as it was with this head."""
        fields = self.fields
        return Descriptor(
            channel=fields.channel,
            kind=fields.kind,
            purpose=fields.purpose,
            verbosity=fields.verbosity,
            render_budget_chars=fields.render_budget_chars,
            created_by=fields.created_by,
            created_ts=fields.created_ts,
            head=head,
        )

    def page(self, cursor: object, limit: object, durable: int) -> Page:
        """The durable messages after ``cursor``, at most ``limit``. Raises `InvalidCursor`."""
        head = self.head(durable)
        start = as_integer(cursor)
        if start is None or not 0 <= start <= head:
            raise InvalidCursor(f"The cursor must be an integer from 0 to the head, which is {head}.")
        most = self._limits.max_read_limit if limit is None else as_integer(limit)
        if most is None or most < 1:
            raise InvalidCursor("The limit must be a positive integer.")
        end = min(head, start + min(most, self._limits.max_read_limit))
        if start == end:
            return Page((), end)
        last = self._last_page
        if end != last.cursor or end - start != len(last.messages_json):
            last = self._last_page = Page(self.messages(start, end), end)
        return last

    def messages(self, start: int, end: int) -> tuple[bytes, ...]:
        """The messages between two cursors, durable or not."""
        return self._log.between(start, end)
