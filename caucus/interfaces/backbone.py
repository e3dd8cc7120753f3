"""What a backbone is, and what it may provide beside that. No code.

The errors named here are the classes of `caucus.errors`. Every operation answers through a
``Deferred``, also where the answer is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from caucus.errors import CaucusError
from caucus.model.answers import Answer
from caucus.model.events import RequestKey
from caucus.model.messages import MessageFields
from caucus.model.records import Appended, ClaimResult, Descriptor, Identity, Page, StoredArtifact


class IBackbone(Interface):
    """The room that engineers' agents share: channels with a log, a ledger of claims, and evidence.

    **Channels.** A channel name matches ``^[a-z0-9][a-z0-9-]{0,63}$``; anything else, and anything
    that is no string, fails with `InvalidChannelName` in every operation. A well-formed name that
    no channel has fails with `UnknownChannel` in every operation but `create_channel`.

    **Cursors.** A log only grows. A cursor is an integer from 0 to the head and counts messages:
    it is the authoritative order. The backbone remembers no reader.

    **Messages** are given as a `Message`, or what else is an `AnyMessage`, whose docstring has the
    rules of the fields, or as a mapping of its fields; a field that is ``None`` is absent. What HTTP
    has read is a `Draft`, which the operation may keep. In process the caller is trusted for
    ``agent_id`` and ``owner``; over HTTP the server sets both from the bearer token. What breaks
    the rules fails with `InvalidMessage`, all problems together. What is stored is the caller's
    message with ``v`` and ``ts`` set, and no field added or lost. Nothing that a caller does to a
    message before or after changes the log.

    **Claims.** A target is held by an *owner*, the human, not by a session. Two targets are one
    if they are equal after trimming and Unicode NFC. A claim with ``lease_ttl`` lapses that many
    seconds after it was granted; one without never does. Check and write are one step: of any
    number of concurrent claims on a free target exactly one is granted. A lost claim is a result
    and no error. A granted transition appends its message and charges the rate budget; any other
    outcome does neither.

    **Pacing.** Posts are paced per agent and channel, and per agent over all channels; the
    operations that write fail with `RateLimited`, whose ``retry_after`` is in whole seconds.
    Whatever is refused charges nothing.

    **Durability.** An operation that writes answers when what it decided is durable, its refusals
    too; those that read show durable state and never wait. They fail with `StorageUnavailable`
    (nothing was written) or `OutcomeUnknown` if the journal cannot do its part. A provider that
    reaches its backbone over a network adds `Unreachable`, `Unauthorized` and `HttpError`.

    **Retries.** Reading may be repeated at will. Repeating an `append` that did succeed is refused
    as a `DuplicatePost` while it is the agent's last one; repeating a granted claim answers
    `AlreadyClaimed` by the caller itself. `IRepeatable` makes a repeated write safe.
    """

    def create_channel(
        channel: str,
        *,
        purpose: str | None = None,
        created_by: str | None = None,
        verbosity: str | None = "quiet",
        render_budget_chars: int | None = 200,
    ) -> Deferred[Descriptor]:
        """Create a channel with an empty log.

        :param purpose: what the room is for; may be empty, at most 1,024 code points, no control
            characters but tab and newline.
        :param created_by: the owner who creates it, without control characters; ``None`` is the
            empty string. Over HTTP it is the token's owner, whatever is given.
        :param verbosity: ``quiet``, ``normal`` or ``chatty``; ``None`` is ``quiet``.
        :param render_budget_chars: an integer from 1 to 8000; ``None`` is 200.

        Checked in this order: `InvalidChannelName`; `ChannelExists`; `InvalidMessage` with one
        issue, for the first field that breaks its rule; `ChannelLimit` when there are
        ``max_channels``; `RateLimited` with scope ``channel_creates`` when the owner created too
        many within the window.
        """

    def describe_channel(channel: str) -> Deferred[Descriptor]:
        """The channel's descriptor, with the live head."""

    def list_channels() -> Deferred[list[Descriptor]]:
        """Every channel's descriptor, in order of creation."""

    def append(channel: str, message: MessageFields) -> Deferred[Appended]:
        """Append a message of any type but ``claim``, and answer with it and the new head.

        Checked in this order: the channel; `InvalidMessage` with one issue for a claim;
        `InvalidMessage`; `ChannelFull`; `RateLimited` with scope ``channel``, then
        ``all_channels``; `DuplicatePost` if type and trimmed body equal the agent's last post in
        this channel within the window.
        """

    def read_since(channel: str, cursor: int, limit: int | None = None, wait: float = 0) -> Deferred[Page]:
        """The messages that follow ``cursor``, in order, and the cursor after them.

        :param cursor: an integer from 0 to the head; ``2.0`` is one, ``True`` is not.
        :param limit: the most messages, a positive integer; ``None`` and anything above
            ``max_read_limit`` mean that many.
        :param wait: where nothing follows, answers once something does, or after so many seconds, 0 to 50;
            `InvalidRequest` for any other. Cancelling it while it waits answers with the empty page.

        The cursor advances by the number of messages in the page, so an empty page means
        "caught up". Fails with `InvalidCursor` for either argument.
        """

    def claim(channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        """Take the message's ``target``, first write wins.

        `Granted` if the target is free or its lease has lapsed, and also if the caller's owner
        holds it and ``heartbeat`` is true: then the lease starts anew, with this message's
        ``lease_ttl``. Else `AlreadyClaimed`, with the holder.

        Checked in this order: the channel; `InvalidMessage` with one issue if the type is not
        ``claim``; `InvalidMessage`; `RateLimited`; then the ledger; `ChannelFull` only for what
        would be granted.
        """

    def reassign_claim(channel: str, message: MessageFields, assignee: Identity) -> Deferred[ClaimResult]:
        """Give the message's ``target`` to ``assignee``, who is not asked; the caller authors the message.

        `Granted` if the target is free, has lapsed, or is held by the caller's owner; the
        message's ``lease_ttl`` starts the assignee's lease. Else `AlreadyClaimed`.

        Checked in the order of `claim`; before all of it, `InvalidRequest` if the assignee
        is no `Identity`, or a field of it is no string or empty; after the message's own rules,
        `InvalidMessage` for control characters or more than 1,024 code points in one.
        """

    def mark_claim_done(channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        """Give the message's ``target`` free; the message's ``status`` becomes ``resolved``.

        `Granted` if the caller's owner holds it live, `AlreadyClaimed` if another does, `NotHeld`
        if nobody does. Checked in the order of `claim`.
        """

    def subscribe(channel: str) -> Deferred[int]:
        """The head, as the cursor to read from. The backbone remembers nothing of it."""

    def put_artifact(channel: str, sha256: str, data: bytes) -> Deferred[StoredArtifact]:
        """Keep bytes as evidence, under their own hash.

        :param sha256: the SHA-256 of ``data``, 64 lower-case hexadecimal digits.

        Storing the same bytes again writes nothing and says ``deduplicated``. Checked in this
        order: `ArtifactTooLarge` with scope ``artifact``; the channel; `ArtifactIntegrity` for a
        malformed address, then for one that is not that of the bytes; already there;
        `ArtifactTooLarge` with scope ``channel``, then ``backbone``.
        """

    def get_artifact(channel: str, sha256: str) -> Deferred[bytes | None]:
        """The bytes at an address, or ``None`` if the channel has none there, as at a malformed address."""


class IWatchable(Interface):
    """What a backbone may provide beside `IBackbone`: live streams are pushed where it does."""

    def watch(channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` whenever the channel's durable head has advanced, in that turn of the reactor.

        Returns a function that ends it. Raises `InvalidChannelName` or `UnknownChannel`.
        """

    def look(channel: str, cursor: int, limit: int) -> Page:
        """What `read_since` gives of what is known here: at once, and without asking anybody."""


class IRepeatable(Interface):
    """What a backbone may provide beside `IBackbone`: a retry is safe where it does."""

    def once(request: RequestKey, operation: str, *args: Any, **kwargs: Any) -> Deferred[Answer]:
        """The answer of an operation that writes, or that of its first time.

        :param operation: its name, as a method of the same provider; the others are its arguments.

        If a request with this scope and key wrote an event within the last 24 hours, it gives that
        one's answer and writes nothing; at most 10,000 are remembered for a scope. It fails with
        `IdempotencyMismatch` if that one had another fingerprint. Whether it did is judged in
        the same step in which the operation is decided.
        """


class ITokenKeeper(Interface):
    """What a backbone may provide beside `IBackbone`: minted tokens are kept with its state where it does."""

    def change_tokens(
        minted: tuple[bytes, Identity] | None, *, digest: bytes | None = None, agent_id: str | None = None
    ) -> Deferred[list[bytes]]:
        """Mint a token, and revoke the minted ones that are named; gives the digests of those, once durable.

        :param minted: a token's SHA-256 digest, 32 bytes, and whom it stands for.
        :param digest: names one token to revoke; without one,
        :param agent_id: names all that were minted for an agent.

        Which tokens these are, and whether there is room, is judged in the step of the write. Fails
        with `TokenLimit` when there are ``max_minted_tokens``, and with `InvalidRequest` for the
        backbone's own name, or an ``agent_id`` that already stands for another owner, or is another
        owner's name; then none is revoked.
        """

    def bearing(digest: bytes) -> Any:
        """The same provider, for whoever bears a minted token, which is named by its digest.

        What it is asked to write fails with `Unauthorized` if the token is revoked at the step of the write.
        """


class IFollowing(Interface):
    """What a backbone may provide beside `IBackbone`: whether others write to its log, too."""

    is_following: bool = Attribute("Whether others write to it: what is not known here may be known there.")
    is_stale: bool = Attribute(
        "Whether what is read now may be of the past, since nobody can tell what others wrote."
    )

    def catch_up() -> Deferred[None]:
        """Fires once all that was durable anywhere at the time of the call is known here."""


class IReadiness(Interface):
    """What a backbone may provide beside `IBackbone`: whether it takes writes."""

    def why_not_ready() -> CaucusError | None:
        """What every write is refused with now, or ``None``."""
