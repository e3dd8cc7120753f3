"""Events: what a journal records. Each is a fact, complete in itself, whose fields are its own.

Applying one never validates, refuses or reads a clock. Journals keep the fields by place.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A value of fixed fields, which are kept by place.

    Whoever meets one with fields more than it knows does not drop them, but refuses it.

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


class Said(Record, frozen=True):
    """A message, which joins a channel's log.

    ``author`` is the agent whose budgets it charges, or empty if it charges nobody's. ``post`` is what
    a repetition of it has in common with it, as `post_digest` says; 0 for what may be repeated.
    """

    channel: str
    message_json: bytes
    author: str = ""
    post: int = 0


Manner = Literal["granted", "freed", "lapsed", "extended", "revoked", "taken_over"]
"""How a target came to be as it is."""


class Moved(Record, frozen=True):
    """A target of a channel is held as ``grant`` says, or free where that is ``None``.

    One that was ``extended`` goes on for ``seconds`` from here on, or longer if it had longer.
    """

    channel: str
    target: str
    grant: Grant | None
    manner: Manner
    seconds: int = 0


class Stepped(Record, frozen=True, tag=2):
    """Event: one step, with any number of messages and of transitions, in their order.

    With neither, it says that it was this late already.
    """

    when: Instant
    said: tuple[Said, ...] = ()
    moved: tuple[Moved, ...] = ()
    request: RequestKey | None = None


class EvidenceAdded(Record, frozen=True, tag=3):
    """Event: a channel's evidence grew by ``size`` bytes, which are kept beside it."""

    when: Instant
    channel: str
    sha256: str
    size: int
    request: RequestKey | None = None


class TokensChanged(Record, frozen=True, tag=4):
    """Event: a token was minted, for whom, and others were revoked; all as SHA-256 digests of 32 bytes."""

    when: Instant
    minted: tuple[bytes, Author] | None
    revoked: tuple[bytes, ...]


class RunEnded(Record, frozen=True, tag=5):
    """Event: the run ended here, and whoever comes later counts the downtime from it."""

    when: Instant


class RunBegan(Record, frozen=True, tag=6):
    """Event: a run began, and may write from here on.

    ``writer`` says who that is, for people. What was ``extended`` was live when the run before was last
    heard of, and its holders could not say so meanwhile.
    """

    when: Instant
    writer: str
    extended: tuple[Moved, ...] = ()


class Terms(Record, frozen=True):
    """What a lease claim was asked for with, and when: ``ts`` is a stamp."""

    targets: tuple[str, ...]
    note: str
    msg_id: str
    ts: str
    lease_ttl: int
    is_shared: bool = False
    is_explicit: bool = False
    thread: str | None = None
    artifact: str | None = None


class ClaimOpened(Record, frozen=True, tag=1):
    """A lease claim is there, and waits, for which its agent is charged; or with a ``fence`` it is held.

    Then the message before ``cursor`` says so, and its stamp is that of the terms.
    """

    claim: int
    channel: str
    agent: Author
    terms: Terms
    fence: int = 0
    cursor: int = 0


class ClaimGranted(Record, frozen=True, tag=2):
    """A waiting claim is held from here on, for ``seconds`` at least.

    ``ts`` is of the message that says so, which is the one before ``cursor``; that is 0 if none does.
    """

    claim: int
    channel: str
    fence: int
    ts: str
    cursor: int
    seconds: int = 0


class ClaimPassed(Record, frozen=True, tag=3):
    """A claim that is held is another agent's from here on, by a grant of its own."""

    claim: int
    channel: str
    agent: Author
    fence: int
    note: str
    msg_id: str
    ts: str
    cursor: int


Ending = Literal["done", "released", "lapsed", "revoked", "taken_over", "deadlock"]
"""How a claim ended: given back, with its work ``done`` or not; or without its agent having asked for it."""


class ClaimEnded(Record, frozen=True, tag=4):
    """A claim, held or waiting, is gone."""

    claim: int
    channel: str
    ending: Ending


class ClaimRenewed(Record, frozen=True, tag=5):
    """A claim's agent said that it goes on with it: for so many seconds from here on."""

    claim: int
    channel: str
    lease_ttl: int


class ClaimOffered(Record, frozen=True, tag=6):
    """A claim is offered for ``seconds``, to an agent, or to all of an owner if ``agent_id`` is empty.

    ``msg_id`` is of the message that says so.
    """

    claim: int
    channel: str
    agent_id: str
    owner: str
    seconds: int
    msg_id: str


class OfferEnded(Record, frozen=True, tag=7):
    """A claim is not offered any more; it stays whose it was."""

    claim: int
    channel: str
    is_declined: bool


class ClaimExtended(Record, frozen=True, tag=8):
    """A claim goes on for ``seconds`` from here on, or longer if it had longer."""

    claim: int
    channel: str
    seconds: int


Change = (
    ClaimOpened
    | ClaimGranted
    | ClaimPassed
    | ClaimEnded
    | ClaimRenewed
    | ClaimOffered
    | OfferEnded
    | ClaimExtended
)
"""What becomes of one lease claim."""


class ClaimsChanged(Record, frozen=True, tag=7):
    """Event: one step, in which something became of lease claims.

    Its messages, its transitions of plain targets and its changes each stand in their order. Where a plain
    target is granted, that is the step's first message.
    """

    when: Instant
    said: tuple[Said, ...] = ()
    moved: tuple[Moved, ...] = ()
    changed: tuple[Change, ...] = ()
    request: RequestKey | None = None


class Lived(Record, frozen=True, tag=8):
    """Event: a sign of life of an agent, for all its claims that live by such."""

    when: Instant
    agent: Author


class SeenAgent(Record, frozen=True):
    """An agent of which a request came, so many seconds before; and the channels that those asked about."""

    agent: Author
    seconds: int
    channels: tuple[str, ...] = ()


class Shown(Record, frozen=True):
    """The message before ``cursor`` was shown to somebody by this name, whom it is addressed to."""

    name: str
    channel: str
    cursor: int


class Seen(Record, frozen=True, tag=9):
    """Event: who was there since the last of these, and what was shown to whom.

    It makes no difference to any decision: only for those who ask whether somebody is there.
    """

    when: Instant
    agents: tuple[SeenAgent, ...] = ()
    shown: tuple[Shown, ...] = ()


class Acked(Record, frozen=True, tag=10):
    """Event: an agent has taken note of the message before ``cursor``, by both its names."""

    when: Instant
    channel: str
    cursor: int
    agent: Author
    request: RequestKey | None = None


class OwingBegan(Record, frozen=True, tag=11):
    """Event: what is addressed to somebody is owed from here on, as it was not in earlier versions."""

    when: Instant


class NewsTold(Record, frozen=True, tag=12):
    """Event: a session of an agent was told all that is new of a channel, up to a place in the log of all.

    ``session`` is the digest of whose session it is, and of which channel: 16 bytes.
    """

    when: Instant
    session: bytes
    place: int


Event = (
    ChannelCreated
    | Stepped
    | EvidenceAdded
    | TokensChanged
    | RunEnded
    | RunBegan
    | ClaimsChanged
    | Lived
    | Seen
    | Acked
    | OwingBegan
    | NewsTold
)
"""What a journal records."""
