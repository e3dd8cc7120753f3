"""The values that cross the interface: descriptors, pages, claim results and what a journal records.

A stored message travels as its exact JSON bytes, encoded once when it was appended; the
``message`` properties decode a fresh `Message` each time, so nothing that a caller does to one
changes the log.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from caucus.model.messages import Message


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A value of fixed fields. A new field goes last and has a default: journals keep values by place.

    The garbage collector does not look at one: none can be part of a cycle, and a million of them
    would stop the reactor for a tenth of a second.
    """


class Identity(Record, frozen=True):
    """Who speaks: the session (``agent_id``) and the human it acts for (``owner``)."""

    agent_id: str
    owner: str


class Descriptor(Record, frozen=True, kw_only=True):
    """A channel, with ``head``: the cursor after its last message."""

    channel: str
    kind: str = "ephemeral"
    purpose: str | None = None
    verbosity: str = "quiet"
    render_budget_chars: int = 200
    created_by: str = ""
    created_ts: str
    head: int = 0


class Appended(Record, frozen=True):
    """A message was appended: its stored JSON, and the new head as ``cursor``."""

    message_json: bytes
    cursor: int

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class Page(Record, frozen=True):
    """The messages that follow a cursor, as JSON, and the cursor after them."""

    messages_json: tuple[bytes, ...]
    cursor: int

    @property
    def messages(self) -> list[Message]:
        """The messages, in the order of the log."""
        return [Message.from_json(data) for data in self.messages_json]


class Holder(Record, frozen=True):
    """Who holds a target: the identity, and the stamp and msg_id of the message that granted it last."""

    agent_id: str
    owner: str
    ts: str
    msg_id: str


class Granted(Record, frozen=True):
    """The claim operation was granted and its message appended; ``cursor`` is the new head."""

    message_json: bytes
    cursor: int
    outcome: Literal["granted"] = "granted"

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class AlreadyClaimed(Record, frozen=True):
    """Another holds the target, or the caller does and asked for it again. Nothing was written."""

    by: Holder
    outcome: Literal["already_claimed"] = "already_claimed"


class NotHeld(Record, frozen=True):
    """Nobody holds the target that was to be marked done. Nothing was written."""

    outcome: Literal["not_held"] = "not_held"


ClaimResult = Granted | AlreadyClaimed | NotHeld


class StoredArtifact(Record, frozen=True):
    """Where evidence is kept: its logical URI, its lower-case hex SHA-256, its size in bytes.

    ``deduplicated`` says that the same bytes were there already.
    """

    uri: str
    sha256: str
    size: int
    deduplicated: bool


class Grant(Record, frozen=True):
    """What a granted transition makes of a target: who holds it, and for how many seconds if not for ever."""

    holder: Holder
    lease_ttl: int | None


class Instant(Record, frozen=True):
    """When something was decided.

    ``wall`` is seconds since the epoch, ``boot`` seconds since the machine's boot, ``boot_id`` which
    boot that was; an empty one says that ``boot`` means nothing to another run.
    """

    wall: float
    boot: float
    boot_id: bytes = b""


class RequestKey(Record, frozen=True):
    """What a repeated request is known by.

    ``scope`` is whose it is (a token's digest), ``key`` what the client called it, ``fingerprint`` a
    digest of what was asked.
    """

    scope: bytes
    key: bytes
    fingerprint: bytes


class ChannelCreated(Record, frozen=True, tag=1):
    """Event: a channel exists from here on."""

    when: Instant
    descriptor: Descriptor
    request: RequestKey | None = None


class MessageAppended(Record, frozen=True, tag=2):
    """Event: a message joined a channel's log, with the ledger transition that it is, if it is one.

    ``transition`` is ``None`` for a plain post, else the target key and what was granted, or the
    key and ``None`` where the target became free.
    """

    when: Instant
    channel: str
    message_json: bytes
    transition: tuple[str, Grant | None] | None = None
    request: RequestKey | None = None


class ArtifactAdded(Record, frozen=True, tag=3):
    """Event: a channel's evidence grew by these bytes."""

    when: Instant
    channel: str
    sha256: str
    data: bytes
    request: RequestKey | None = None


class TokensChanged(Record, frozen=True, tag=4):
    """Event: a token was minted, for whom, and others were revoked; all as SHA-256 digests of 32 bytes."""

    when: Instant
    minted: tuple[bytes, Identity] | None
    revoked: tuple[bytes, ...]


class TimePassed(Record, frozen=True, tag=5):
    """Event: nothing but that it was this late already, such as at the end of a run."""

    when: Instant


Event = ChannelCreated | MessageAppended | ArtifactAdded | TokensChanged | TimePassed
"""What a journal records. Applying one never validates, refuses or reads a clock."""


class AnswerPlace(Record, frozen=True):
    """Where an answer of an operation that wrote is found again: what it is made of is kept anyway.

    That is the message before ``cursor``, as a ``granted`` transition or a plain post; else the
    evidence of ``size`` bytes at ``sha256``; else the channel itself, as it was created.
    """

    channel: str
    cursor: int = 0
    granted: bool = False
    sha256: str = ""
    size: int = 0


Answer = Descriptor | Appended | Granted | StoredArtifact
"""What an operation that wrote an event was answered with."""
