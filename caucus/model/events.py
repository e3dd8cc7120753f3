"""Events: what a journal records. Each is a fact, complete in itself, whose fields are its own.

Applying one never validates, refuses or reads a clock. Journals keep the fields by place.
"""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A value of fixed fields. A new field goes last and has a default: what is kept is kept by place.

    The garbage collector does not look at one: none can be part of a cycle, and a million of them
    would stop the reactor for a tenth of a second.
    """


class Author(Record, frozen=True):
    """Whom a token stands for."""

    agent_id: str
    owner: str


class ChannelFields(Record, frozen=True, kw_only=True):
    """A channel, as it was created."""

    channel: str
    kind: str = "ephemeral"
    purpose: str | None = None
    verbosity: str = "quiet"
    render_budget_chars: int = 200
    created_by: str = ""
    created_ts: str
    head: int = 0


class Holding(Record, frozen=True):
    """Who holds a target, and the stamp and msg_id of the message that granted it."""

    agent_id: str
    owner: str
    ts: str
    msg_id: str


class Grant(Record, frozen=True):
    """What a granted transition makes of a target: who holds it, and for how many seconds if not for ever."""

    holder: Holding
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
    descriptor: ChannelFields
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
    minted: tuple[bytes, Author] | None
    revoked: tuple[bytes, ...]


class TimePassed(Record, frozen=True, tag=5):
    """Event: nothing but that it was this late already, such as at the end of a run."""

    when: Instant


Event = ChannelCreated | MessageAppended | ArtifactAdded | TokensChanged | TimePassed
"""What a journal records."""
