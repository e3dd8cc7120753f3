"""What a backbone may provide beside `IBackbone`: claims with leases, and claims to look at. No code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from caucus.model.claims import Claim, TakeResult
from caucus.model.records import Identity, Released
from caucus.model.wanted import Wanted


class IClaims(Interface):
    """Who holds what, and who waits for it: each claim has a number of its own.

    **Two kinds** stand in one ledger. A ``plain`` claim is what `IBackbone.claim` takes: one target, an
    owner's; it keeps its number while its target is held, whoever holds it. A ``lease`` is taken here: up to
    32 targets, an agent's, held or waiting in line. Each grant gives a claim a new fence, which is greater
    than any before, over restarts and over all channels.

    **Conflicts.** A target that is a folder covers what lies in it. Two claims conflict if some of their
    targets overlap, unless both are ``shared``. A claim waits for what conflicts with it and stands in front
    of it: all that is held, and what has waited for longer. What `IBackbone.claim`, ``reassign_claim`` and
    ``mark_claim_done`` are asked on a target that a lease covers, or waits for, they answer with
    `AlreadyClaimed` by it, unless a plain claim holds the target.

    **Life.** A lease lapses ``lease_ttl`` seconds after the last recorded sign of life of its agent, held or
    waiting: a request of its, or `IAlive.heard_of`. One is recorded if the last is at least a quarter of the
    agent's shortest lease old. With ``explicit`` renewal only `renew_claim` counts. What is granted out of
    the queue has at least 60 seconds, or its lease. Whatever is due has happened before anything is decided.

    **Messages.** Each change of holder is a message in the channel, whose target is the claim's targets
    joined by ``", "``, and so is each end, with ``status`` ``resolved``. What an agent asks for charges its
    budgets, but only taking, offering and accepting are refused by them, or by a full channel: that keeps
    1,000 messages more for the rest; once they are used up, nothing but the claim tells of a change.

    Every operation that writes names who speaks; over HTTP the token says who that is. Those on a claim are
    checked in this order: the channel; `InvalidMessage` for what is said; `RateLimited` where it is paced;
    `UnknownClaim` if there is none with this number, or not any more; `PlainClaim`; `Forbidden`;
    `ClaimLimit`; `ChannelFull`.
    """

    def list_claims(
        channel: str,
        *,
        owner: str | None = None,
        agent_id: str | None = None,
        state: str | None = None,
        targets: Sequence[str] = (),
    ) -> Deferred[list[Claim]]:
        """The channel's claims: the held ones in the order of their grants, then the queue in its order.

        :param owner: only this human's.
        :param agent_id: only this agent's.
        :param state: only those that are ``held``, or ``waiting``.
        :param targets: only what an exclusive claim on these would conflict with. One that ends in ``/``
            or ``/**`` is a folder with all that lies in it, and ``**`` is everything.

        Fails with `InvalidRequest` for another ``state``, for more than 32 targets, and for one that is
        blank, longer than 1,024 code points, or has another ``*`` or a control character in it.
        """

    def get_claim(channel: str, claim: int, fence: int | None = None, wait: float = 0) -> Deferred[Claim]:
        """The claim with this number. Fails with `UnknownClaim` if there is none, or not any more.

        :param fence: asks whether exactly that grant is live, which is decided as a write is: never stale,
            and with `StorageUnavailable` where nothing can be decided. Then it fails with `ClaimLost`
            instead, also where there is no such channel.
        :param wait: answers only once the claim does not wait any more, or after so many seconds, 0 to 50.
            `InvalidRequest` for any other. Cancelling it while it waits answers with the claim as it is. With
            ``fence`` it means nothing.
        """

    def take_claim(channel: str, wanted: Wanted | Mapping[str, object], by: Identity) -> Deferred[TakeResult]:
        """Take targets, all or none, for an agent.

        `Taken` says that they are ``granted``; that the claim is ``queued``, if it is to ``wait``; or that
        it is ``already_yours``, held or waiting, if the agent has one on the same targets in the same
        mode. Else `Conflicting`, and nothing is written or charged.

        With ``takeover`` the claims of the same owner that conflict end, held or waiting, plain ones too, and
        this one takes their places in line, for what they were on; if anything else still stands in front of
        it, none ends.

        Checked in this order: the channel; `InvalidMessage`; `RateLimited`; ``already_yours``; conflicts;
        `Deadlock` for a claim that would wait for its own agent, directly or through what others wait for,
        over all channels; `ClaimLimit`; `ChannelFull`.
        """

    def renew_claim(
        channel: str, claim: int, by: Identity, *, lease_ttl: int | None = None
    ) -> Deferred[Claim]:
        """The agent goes on with its claim, held or waiting: the lease starts anew. It is no message.

        :param lease_ttl: 10 to 86,400 seconds from now on, or what it was.
        """

    def release_claim(
        channel: str, claim: int, by: Identity, *, note: str | None = None, done: bool | None = True
    ) -> Deferred[Released]:
        """The agent gives its claim back, or its place in line, of which nobody is told.

        :param note: the message; without one it says whether it is ``done``.
        """

    def offer_claim(
        channel: str,
        claim: int,
        by: Identity,
        *,
        owner: str,
        agent_id: str | None = None,
        note: str | None = None,
        expires_in: int | None = None,
    ) -> Deferred[Claim]:
        """Ask somebody to take over what the agent holds, and goes on holding. It replaces an earlier offer.

        What waits cannot be offered: `Forbidden`.

        :param owner: whose agents may answer, or with
        :param agent_id: which one.
        :param note: the message, which needs a response.
        :param expires_in: 1 to 86,400 seconds after which it ends; 600 without.
        """

    def accept_claim(channel: str, claim: int, by: Identity, *, note: str | None = None) -> Deferred[Claim]:
        """Take what is offered: the claim is the caller's, with a fence of its own.

        Where that closes a circle, the youngest waiting claim in it ends. Fails with `ClaimLimit` for an
        agent that has too many.
        """

    def decline_claim(channel: str, claim: int, by: Identity, *, note: str | None = None) -> Deferred[Claim]:
        """Do not take what is offered; its holder is told."""

    def fenced(claim: int, fence: int, by: Identity) -> Any:
        """The same provider, for an agent that acts on a claim.

        What it is asked to write fails with `ClaimLost`, and writes and charges nothing, unless the agent
        holds the claim by exactly this grant in the very step of the write. A repeated request that was
        answered before gets that answer. Over HTTP the token says who the agent is.
        """

    def revoke_claim(channel: str, claim: int, reason: str, by: Identity) -> Deferred[Released]:
        """End somebody's claim of either kind, for a reason, which a message tells the one whose it was.

        :param reason: mandatory, by the rules of a message's ``body``.
        :param by: who does it: somebody of the holder's owner, of the owner who made the channel, or
            `CAUCUS`, who is an administrator. Over HTTP the token says who that is.
        """
