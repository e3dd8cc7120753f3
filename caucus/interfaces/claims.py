"""What a backbone may provide beside `IBackbone`: claims as things that can be looked at. No code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from caucus.model.claims import Claim
from caucus.model.records import Identity, Released


class IClaims(Interface):
    """Who holds what: the claims of a channel, each with a number of its own.

    A claim keeps its number while its target is held, whoever holds it; each grant gives it a new fence,
    which is greater than any before, over restarts and over all channels.
    """

    def list_claims(
        channel: str,
        *,
        owner: str | None = None,
        agent_id: str | None = None,
        state: str | None = None,
        targets: Sequence[str] = (),
    ) -> Deferred[list[Claim]]:
        """The channel's claims, in the order of their grants.

        :param owner: only this human's.
        :param agent_id: only this agent's.
        :param state: only those that are ``held``, or ``waiting``.
        :param targets: only what an exclusive claim on these would conflict with. One that ends in ``/``
            or ``/**`` is a folder with all that lies in it, and ``**`` is everything.

        Fails with `InvalidRequest` for another ``state``, and for a target that is blank, longer than
        1,024 code points, or has another ``*`` or a control character in it.
        """

    def get_claim(channel: str, claim: int, fence: int | None = None) -> Deferred[Claim]:
        """The claim with this number. Fails with `UnknownClaim` if there is none, or not any more.

        :param fence: asks whether exactly that grant is live, which is decided as a write is: never stale,
            and with `StorageUnavailable` where nothing can be decided. Then it fails with `ClaimLost`
            instead, also where there is no such channel.
        """

    def fenced(claim: int, fence: int, by: Identity) -> Any:
        """The same provider, for an agent that acts on a claim.

        What it is asked to write fails with `ClaimLost`, and writes and charges nothing, unless the agent
        holds the claim by exactly this grant in the very step of the write. A repeated request that was
        answered before gets that answer. Over HTTP the token says who the agent is.
        """

    def revoke_claim(channel: str, claim: int, reason: str, by: Identity) -> Deferred[Released]:
        """End somebody's claim, for a reason, which a message tells the one who held it.

        :param reason: mandatory, by the rules of a message's ``body``.
        :param by: who does it: somebody of the holder's owner, of the owner who made the channel, or
            `CAUCUS`, who is an administrator. Over HTTP the token says who that is.

        It is refused neither by pace nor by a full channel, which keeps 1,000 messages more for
        such; once they are used up, nothing tells of it but the claim's absence. Checked in this order:
        the channel; `InvalidMessage` for the reason; `UnknownClaim`; `Forbidden`.
        """
