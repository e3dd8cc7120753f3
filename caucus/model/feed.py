"""What a feed tells: of any number of channels, in the order of the one log."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from caucus.model.messages import Message
from caucus.model.records import Descriptor, Result

ChangeKind = Literal[
    "granted", "released", "lapsed", "revoked", "taken_over", "handed_over", "offered", "declined"
]
"""What a message says of a claim."""
EVERYTHING: Final = "*"
"""Names all channels, later ones too."""
FEED_LIMIT: Final = 100
"""So many events at most are told at once by default."""


class ClaimChange(Result, frozen=True):
    """What became of which claim, by which of its grants: that is the fence."""

    kind: ChangeKind
    claim: int
    fence: int


class FeedMessage(Result, frozen=True):
    """A message can be read: its stored JSON, the cursor after it, and what it says of a claim."""

    channel: str
    cursor: int
    message_json: bytes
    change: ClaimChange | None = None

    @property
    def is_addressed(self) -> bool:
        """Whether it may be owed to somebody: it is seen at a glance that most are not."""
        return b'"to":[' in self.message_json

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class ChannelMade(Result, frozen=True):
    """There is a new channel."""

    channel: str
    created: Descriptor


class BoardChanged(Result, frozen=True):
    """A channel's claims are not what they were, and no message says so."""

    channel: str
    board: Literal[True] = True


FeedEvent = FeedMessage | ChannelMade | BoardChanged


class FeedReset(Result, frozen=True):
    """Where the reader was is not known here: these channels begin at their earliest message."""

    reset: tuple[str, ...]


class FeedPage(Result, frozen=True):
    """What has become readable, in the order of the log, and the position after it.

    ``reset`` names the channels that begin at their earliest message, if where the reader was is not known
    here.
    """

    events: tuple[FeedEvent, ...]
    since: str
    reset: tuple[str, ...] | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a reader is: before ``at`` in the one log, but for channels that are ``behind``, by cursor."""

    at: int
    behind: tuple[tuple[str, int], ...] = ()


class Begun(msgspec.Struct, frozen=True):
    """Where a reader begins, as a place and a position, and the end of all that there was to see then.

    ``reset`` names the channels that begin at their earliest message, if where the reader was is not known.
    """

    place: Place
    since: str
    end: int
    reset: tuple[str, ...] | None = None


class FeedSlice(msgspec.Struct, frozen=True):
    """Events, each with the position after it, and where they end; ``is_whole``: there are no more."""

    events: tuple[FeedEvent, ...]
    positions: tuple[str, ...]
    end: Place
    is_whole: bool
