"""The values that cross the interface: descriptors, pages, claim results.

A stored message travels as its exact JSON bytes, encoded once when it was appended; the
``message`` properties decode a fresh `Message` each time, so nothing that a caller does to one
changes the log.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import msgspec

from caucus.model.messages import Message


class Result(msgspec.Struct, frozen=True, gc=False):
    """A value of fixed fields, by whose names JSON has it."""


class Identity(Result, frozen=True):
    """Who speaks: the session (``agent_id``) and the human it acts for (``owner``)."""

    agent_id: str
    owner: str


CAUCUS: Final = Identity("caucus", "caucus")
"""The backbone itself, and whoever has its admin token: no token stands for it."""


class Descriptor(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A channel, with ``head``: the cursor after its last message."""

    channel: str
    kind: str
    purpose: str | None = None
    verbosity: str
    render_budget_chars: int = msgspec.field(name="renderBudgetChars")
    created_by: str
    created_ts: str
    head: int


class Appended(Result, frozen=True):
    """A message was appended: its stored JSON, and the new head as ``cursor``."""

    message_json: bytes
    cursor: int

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class Page(Result, frozen=True):
    """The messages that follow a cursor, as JSON, and the cursor after them."""

    messages_json: tuple[bytes, ...]
    cursor: int

    @property
    def messages(self) -> list[Message]:
        """The messages, in the order of the log."""
        return [Message.from_json(data) for data in self.messages_json]


class Holder(Result, frozen=True):
    """Who holds a target: the identity, and the stamp and msg_id of the message that granted it last."""

    agent_id: str
    owner: str
    ts: str
    msg_id: str


class Granted(Result, frozen=True):
    """The claim operation was granted and its message appended; ``cursor`` is the new head."""

    message_json: bytes
    cursor: int
    outcome: ClassVar[Literal["granted"]] = "granted"

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class AlreadyClaimed(Result, frozen=True, tag="already_claimed", tag_field="outcome"):
    """Another holds the target, or the caller does and asked for it again. Nothing was written."""

    by: Holder
    outcome: ClassVar[Literal["already_claimed"]] = "already_claimed"


class NotHeld(Result, frozen=True, tag="not_held", tag_field="outcome"):
    """Nobody holds the target that was to be marked done. Nothing was written."""

    outcome: ClassVar[Literal["not_held"]] = "not_held"


ClaimResult = Granted | AlreadyClaimed | NotHeld


class StoredArtifact(Result, frozen=True):
    """Where evidence is kept: its logical URI, its lower-case hex SHA-256, its size in bytes.

    ``deduplicated`` says that the same bytes were there already.
    """

    uri: str
    sha256: str
    size: int
    deduplicated: bool


class Released(Result, frozen=True):
    """A claim has ended."""

    released: Literal[True] = True
