"""What the rules of a backbone refuse."""

from __future__ import annotations

import json
from typing import Final, Literal

from attrs import frozen

from caucus.errors.root import CaucusError, Detail

__all__ = [
    "CHANNEL_NAME",
    "ArtifactIntegrity",
    "ArtifactLimit",
    "ArtifactScope",
    "ArtifactTooLarge",
    "ChannelExists",
    "ChannelFull",
    "ChannelLimit",
    "ClaimLimit",
    "ClaimLost",
    "ClaimScope",
    "Deadlock",
    "DuplicatePost",
    "Forbidden",
    "InvalidChannelName",
    "InvalidCursor",
    "InvalidMessage",
    "PlainClaim",
    "PostRefused",
    "RateLimited",
    "RateScope",
    "TokenLimit",
    "UnknownChannel",
    "UnknownClaim",
]

CHANNEL_NAME: Final = "^[a-z0-9][a-z0-9-]{0,63}$"
"""What the name of a channel matches, as a whole."""

RateScope = Literal["channel", "all_channels", "channel_creates"]
"""Which budget is used up: an agent's in a channel, an agent's over all, or an owner's for creating."""

ArtifactScope = Literal["artifact", "channel", "backbone"]
"""Which byte cap was met: one artifact's, one channel's, or the whole backbone's."""


ClaimScope = Literal["channel", "agent", "waiting"]
"""Which cap on lease claims was met: a channel's, an agent's, or that of those that wait in a channel."""


@frozen
class InvalidChannelName(CaucusError):
    """The name does not match ``^[a-z0-9][a-z0-9-]{0,63}$``. Retrying cannot help.

    ``channel`` is a printable excerpt of the name, or ``None`` if it was no string.
    """

    code = "invalid_channel_name"
    channel: str | None = None

    def __str__(self) -> str:
        named = "A channel name" if self.channel is None else f"The channel name {_quoted(self.channel)}"
        return f"{named} must match {CHANNEL_NAME}"


@frozen
class InvalidMessage(CaucusError):
    """A message or a channel's fields break their rules. Retrying cannot help.

    ``issues`` holds one sentence for each problem, at least one; ``details`` says of those about characters
    and lengths where they are, in the same order.
    """

    code = "invalid_message"
    issues: tuple[str, ...]
    details: tuple[Detail, ...] = ()

    def __str__(self) -> str:
        return f"The message is not valid: {'; '.join(self.issues)}."


@frozen
class InvalidCursor(CaucusError):
    """A cursor or a limit is out of its range, as ``problem`` says. Retrying cannot help."""

    code = "invalid_cursor"
    problem: str = "The cursor is not valid."

    def __str__(self) -> str:
        return self.problem


@frozen
class ArtifactIntegrity(CaucusError):
    """The address is not the lower-case hex SHA-256 of the bytes. Retrying cannot help."""

    code = "artifact_integrity"

    def __str__(self) -> str:
        return "The address is not the SHA-256 of the bytes, as 64 lower-case hexadecimal digits."


@frozen
class UnknownChannel(CaucusError):
    """No channel has this name. Retrying helps only once somebody creates it."""

    code = "unknown_channel"
    channel: str

    def __str__(self) -> str:
        return f"There is no channel {_quoted(self.channel)}."


@frozen
class UnknownClaim(CaucusError):
    """No claim of the channel has this number: it never was, or it has ended. Retrying cannot help."""

    code = "unknown_claim"

    def __str__(self) -> str:
        return "There is no such claim here, or not any more."


@frozen
class ClaimLost(CaucusError):
    """That grant is not live any more, or not the caller's. Nothing was written. Retrying cannot help."""

    code = "claim_lost"

    def __str__(self) -> str:
        return "The claim is not held by this grant any more. Nothing was written."


@frozen
class Forbidden(CaucusError):
    """The caller may not do this to somebody else's claim. Retrying cannot help.

    It is for the agent whose claim it is, or for the one that it is offered to; to revoke one, for its
    owner, the owner of the channel's maker, or an administrator. What waits still cannot be offered.
    """

    code = "forbidden"

    def __str__(self) -> str:
        return "The claim is not yours to do this with, or it waits still."


@frozen
class PlainClaim(CaucusError):
    """The claim is one that `claim` took: it is given back by `mark_claim_done`. Retrying cannot help."""

    code = "plain_claim"

    def __str__(self) -> str:
        return "This is a plain claim: claim, reassign and done are for it, and here only revoke."


@frozen
class Deadlock(CaucusError):
    """The claim would wait for its own agent. Retrying cannot help: give back what is in the ``cycle``.

    That is the numbers of the claims by which it would: it waits for the first, and so on; the last is the
    agent's own.
    """

    code = "deadlock"
    cycle: tuple[int, ...]

    def __str__(self) -> str:
        return "It would wait for yourself, by way of the claims in cycle: release one of yours first."


@frozen
class ClaimLimit(CaucusError):
    """There are ``limit`` lease claims already, as ``what`` says. Retrying helps once some have ended."""

    code = "claim_limit"
    what: ClaimScope
    limit: int

    def __str__(self) -> str:
        there = {
            "channel": "The channel has at most {} with a lease.",
            "agent": "An agent has at most {} with a lease, over all channels.",
            "waiting": "In the channel at most {} wait.",
        }[self.what]
        return there.format(_counted(self.limit, "claim"))


@frozen
class ChannelExists(CaucusError):
    """The name is taken. Retrying cannot help: use the channel, or another name."""

    code = "channel_exists"
    channel: str

    def __str__(self) -> str:
        return f"The channel {_quoted(self.channel)} exists already."


class PostRefused(CaucusError):
    """The root of what a post that is well formed can be refused with."""


@frozen
class DuplicatePost(PostRefused):
    """Type and body equal the agent's last post in this channel. Say something new instead."""

    code = "duplicate_post"

    def __str__(self) -> str:
        return "This repeats your last post in this channel, a moment ago: say something new instead."


@frozen
class ChannelFull(PostRefused):
    """The log holds ``limit`` messages. Retrying cannot help: move to another channel."""

    code = "channel_full"
    channel: str
    limit: int

    def __str__(self) -> str:
        most = _counted(self.limit, "message")
        return f"The channel {_quoted(self.channel)} is full: it holds at most {most}."


@frozen
class ChannelLimit(CaucusError):
    """The backbone holds ``limit`` channels. Retrying cannot help."""

    code = "channel_limit"
    limit: int

    def __str__(self) -> str:
        return f"The backbone holds at most {_counted(self.limit, 'channel')}."


@frozen
class TokenLimit(CaucusError):
    """``limit`` tokens have been minted and not revoked. Retrying helps once some are revoked."""

    code = "token_limit"
    limit: int

    def __str__(self) -> str:
        return f"The backbone keeps at most {_counted(self.limit, 'minted token')}."


@frozen
class ArtifactLimit(CaucusError):
    """The backbone holds ``limit`` artifacts, in all channels. Retrying cannot help."""

    code = "artifact_limit"
    limit: int

    def __str__(self) -> str:
        return f"The backbone holds at most {_counted(self.limit, 'artifact')}."


@frozen
class ArtifactTooLarge(CaucusError):
    """Storing the bytes would pass the cap of ``limit`` bytes on ``scope``. Retrying cannot help."""

    code = "artifact_too_large"
    limit: int
    scope: ArtifactScope = "artifact"

    def __str__(self) -> str:
        what = {
            "artifact": "An artifact",
            "channel": "The total of this channel's artifact store",
            "backbone": "The total of the backbone's artifact store",
        }[self.scope]
        return f"{what} is capped at {self.limit} bytes."


@frozen
class RateLimited(CaucusError):
    """A budget of ``limit`` a minute is used up. Retrying helps after ``retry_after`` whole seconds."""

    code = "rate_limited"
    limit: int
    scope: RateScope
    retry_after: int

    def __str__(self) -> str:
        what = "channel creates" if self.scope == "channel_creates" else "posts"
        where = {"all_channels": " across all channels", "channel_creates": " per owner"}.get(self.scope, "")
        return f"Slow down: at most {self.limit} {what}/min{where}. Wait ~{self.retry_after}s."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _quoted(channel: str) -> str:
    return json.dumps(channel, ensure_ascii=False)
