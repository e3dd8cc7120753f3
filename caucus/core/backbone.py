"""`Backbone`: the interfaces over the rules, a journal and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from caucus.access.tokens import Tokens
from caucus.core import (
    channels,
    claiming,
    evidence,
    following,
    handing,
    holding,
    inbox,
    listing,
    posting,
    presence,
    restart,
    revoking,
    sessions,
    signs,
    taking,
    tokens as token_changes,
    waiting,
)
from caucus.core.clock import DecisionClock
from caucus.core.core import Asked, Core
from caucus.core.feed_loop import FeedLoop
from caucus.errors import CaucusError
from caucus.interfaces import (
    IAlive,
    IBackbone,
    IClaims,
    IFeed,
    IFollowing,
    IInbox,
    IJournal,
    IMeasured,
    IPresence,
    IReadiness,
    IRepeatable,
    ISessions,
    ISharedJournal,
    ITokenKeeper,
    IWatchable,
    IWatchableFeed,
)
from caucus.limits import Limits
from caucus.metrics import Metric
from caucus.model.answers import Answer
from caucus.model.claims import Claim, TakeResult
from caucus.model.events import Author, RequestKey
from caucus.model.evidence import kept_bytes
from caucus.model.feed import Begun, FeedPage, FeedSlice, Place
from caucus.model.messages import MessageFields, taken_over
from caucus.model.presence import Acknowledged, InboxPage, Presence, ToldMessage, Whoami
from caucus.model.records import (
    Appended,
    ClaimResult,
    Descriptor,
    Identity,
    Page,
    Released,
    StoredArtifact,
)
from caucus.model.views import View
from caucus.model.wanted import Wanted


@implementer(IBackbone, IClaims, IFeed, IPresence, IInbox, IAlive, IWatchable, IWatchableFeed)
@implementer(IRepeatable, ITokenKeeper, IReadiness, IMeasured, ISessions, IFollowing)
class Backbone:
    """Each operation decides, records and applies in one turn of the reactor.

    :param journal: where the events go. Call `replay` before anything else if it holds some.
    :param clock: measures durations: leases and windows.
    :param wall: seconds since the epoch, for stamps and events; ``clock.seconds`` if not given.
    :param boot_id: names the boot whose seconds ``clock`` counts, if it does that: downtime is
        then measured by it, and else by ``wall``.
    :param tokens: gains and loses the tokens that are minted and revoked.
    :param writer: says in the journal who it is that writes, for people.
    """

    def __init__(
        self,
        journal: IJournal,
        clock: IReactorTime,
        limits: Limits | None = None,
        wall: Callable[[], float] | None = None,
        boot_id: bytes = b"",
        tokens: Tokens | None = None,
        writer: str = "",
    ) -> None:
        self.journal = journal
        self._asked: Asked | None = None
        self.limits = Limits() if limits is None else limits
        shared = ISharedJournal(journal, None)
        if shared is not None:  # whose time is everybody's
            decisions = DecisionClock(shared.seconds, shared.seconds, shared.boot_id)
        else:
            decisions = DecisionClock(clock.seconds, clock.seconds if wall is None else wall, boot_id)
        given = Tokens() if tokens is None else tokens
        self._core = Core(journal, clock, decisions, self.limits, given, writer)
        self._leases = self._core.state.claims.leases
        self._attendance = presence.Attendance(self._core)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        measured = IMeasured(self.journal, None)
        return (*self._core.counts.metrics, *(() if measured is None else measured.metrics))

    def replay(self) -> Deferred[None]:
        """Apply what the journal holds of earlier runs."""
        return restart.replay(self._core)

    def begin_run(self) -> Deferred[None]:
        """Requests come from now on: leases that they could not renew meanwhile get their grace. Once.

        Fires once that is recorded; where it cannot be now, the next write does it.
        """
        return restart.begin_run(self._core)

    def end_run(self) -> Deferred[None]:
        """The run ends here: a later one counts the downtime from now, and no lease is watched any more.

        To be called before the journal is closed; it leaves no timer behind.
        """
        self._attendance.stop()
        return restart.end_run(self._core)

    def stop_waiting(self) -> None:
        """Nobody waits for a claim any more: whoever does is answered with what there is."""
        waiting.stop(self._core)

    def create_channel(
        self,
        channel: str,
        *,
        purpose: str | None = None,
        created_by: str | None = None,
        verbosity: str | None = "quiet",
        render_budget_chars: int | None = 200,
    ) -> Deferred[Descriptor]:
        return self._core.write(
            channels.create_channel,
            self._asked,
            channel,
            purpose,
            created_by,
            verbosity,
            render_budget_chars,
        )

    def describe_channel(self, channel: str) -> Deferred[Descriptor]:
        return self._core.read(channels.describe_channel, channel)

    def list_channels(self) -> Deferred[list[Descriptor]]:
        return self._core.read(channels.list_channels)

    def append(self, channel: str, message: MessageFields) -> Deferred[Appended]:
        return self._core.write(posting.append, self._asked, channel, taken_over(message))

    def read_since(
        self, channel: str, cursor: int, limit: int | None = None, wait: float = 0
    ) -> Deferred[Page]:
        if wait == 0 and wait is not False:
            return self._core.read(channels.read_since, channel, cursor, limit)
        return channels.wait_for_messages(self._core, channel, cursor, limit, wait)

    def read_feed(
        self,
        rooms: Sequence[str] = (),
        since: str | None = None,
        *,
        wait: float = 0,
        limit: int | None = None,
    ) -> Deferred[FeedPage]:
        return following.read_feed(self._core, rooms, since, wait, limit)

    def feed(self, rooms: Sequence[str] = (), since: str | None = None) -> FeedLoop:
        return FeedLoop(self._core, rooms, since)

    def claim(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._core.write(claiming.claim, self._asked, channel, taken_over(message))

    def reassign_claim(
        self, channel: str, message: MessageFields, assignee: Identity
    ) -> Deferred[ClaimResult]:
        return self._core.write(claiming.reassign_claim, self._asked, channel, taken_over(message), assignee)

    def mark_claim_done(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._core.write(claiming.mark_claim_done, self._asked, channel, taken_over(message))

    def list_claims(
        self,
        channel: str,
        *,
        owner: str | None = None,
        agent_id: str | None = None,
        state: str | None = None,
        targets: Sequence[str] = (),
    ) -> Deferred[list[Claim]]:
        return self._core.read(listing.list_claims, channel, owner, agent_id, state, targets)

    def get_claim(
        self, channel: str, claim: int, fence: int | None = None, wait: float = 0
    ) -> Deferred[Claim]:
        if fence is None:
            return listing.wait_for_claim(self._core, channel, claim, wait)
        return self._core.write(listing.confirm_claim, None, channel, claim, fence)

    def take_claim(
        self, channel: str, wanted: Wanted | Mapping[str, object], by: Identity
    ) -> Deferred[TakeResult]:
        return self._core.write(taking.take_claim, self._asked, channel, wanted, by)

    def renew_claim(
        self, channel: str, claim: int, by: Identity, *, lease_ttl: int | None = None
    ) -> Deferred[Claim]:
        return self._core.write(
            holding.renew_claim, self._asked, channel, claim, by, {"lease_ttl": lease_ttl}
        )

    def release_claim(
        self,
        channel: str,
        claim: int,
        by: Identity,
        *,
        note: str | None = None,
        done: bool | None = True,
    ) -> Deferred[Released]:
        given = {"note": note, "done": done}
        return self._core.write(holding.release_claim, self._asked, channel, claim, by, given)

    def offer_claim(
        self,
        channel: str,
        claim: int,
        by: Identity,
        *,
        owner: str,
        agent_id: str | None = None,
        note: str | None = None,
        expires_in: int | None = None,
    ) -> Deferred[Claim]:
        to = {"owner": owner, "agent_id": agent_id}
        given = {"to": to, "note": note, "expires_in": expires_in}
        return self._core.write(handing.offer_claim, self._asked, channel, claim, by, given)

    def accept_claim(
        self, channel: str, claim: int, by: Identity, *, note: str | None = None
    ) -> Deferred[Claim]:
        return self._core.write(handing.accept_claim, self._asked, channel, claim, by, {"note": note})

    def decline_claim(
        self, channel: str, claim: int, by: Identity, *, note: str | None = None
    ) -> Deferred[Claim]:
        return self._core.write(handing.decline_claim, self._asked, channel, claim, by, {"note": note})

    def heard_of(self, by: Identity, channel: str = "") -> None:
        self._attendance.hear(by, channel)
        if self._leases.by_number:
            agent = Author(by.agent_id, by.owner)
            if self._leases.lacks_sign(agent, self._core.clock.now()):
                signs.record_beside(self._core, agent)

    def showed(self, by: Identity, channel: str, start: int, end: int) -> None:
        self._attendance.show(by, channel, start, end)

    def opened(self, by: Identity) -> Callable[[], None]:
        return self._attendance.open(by)

    def who(self, channel: str | None = None) -> Deferred[list[Presence]]:
        return self._core.read(presence.who, self._attendance.streams, channel)

    def whoami(self, by: Identity) -> Deferred[Whoami]:
        return self._core.read(presence.whoami, by)

    def read_inbox(
        self, by: Identity, *, since: str | None = None, wait: float = 0, everything: bool = False
    ) -> Deferred[InboxPage]:
        return inbox.read_inbox(self._core, by, since, wait, everything)

    def ack(self, channel: str, cursor: int, by: Identity) -> Deferred[Acknowledged]:
        return self._core.write(inbox.ack, self._asked, channel, cursor, by)

    def get_message(self, channel: str, cursor: int) -> Deferred[ToldMessage]:
        return self._core.read(inbox.get_message, channel, cursor)

    def told_up_to(self, by: Identity, session: str, channel: str) -> Deferred[str | None]:
        return self._core.read(sessions.told_up_to, by, session, channel)

    def note_told(self, by: Identity, session: str, channel: str, since: str) -> Deferred[None]:
        return self._core.write(sessions.note_told, None, by, session, channel, since)

    def revoke_claim(self, channel: str, claim: int, reason: str, by: Identity) -> Deferred[Released]:
        return self._core.write(revoking.revoke_claim, self._asked, channel, claim, reason, by)

    def subscribe(self, channel: str) -> Deferred[int]:
        return self._core.read(channels.subscribe, channel)

    def put_artifact(self, channel: str, sha256: str, data: bytes) -> Deferred[StoredArtifact]:
        return self._core.write(evidence.put_artifact, self._asked, channel, sha256, kept_bytes(data))

    def get_artifact(self, channel: str, sha256: str) -> Deferred[bytes | None]:
        return self._core.read(evidence.get_artifact, channel, sha256)

    def watch(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        return channels.watch(self._core, channel, wake)

    def look(self, channel: str, cursor: int, limit: int) -> Page:
        return channels.read_since(self._core, channel, cursor, limit)

    def watch_feed(self, wake: Callable[[], None]) -> Callable[[], None]:
        return following.watch_feed(self._core, wake)

    def begin_feed(self, view: View, since: str | None) -> Deferred[Begun]:
        return self._core.read(following.begin, view, since)

    def look_on(self, view: View, place: Place, limit: int, size: int, end: int | None = None) -> FeedSlice:
        return following.look_on(self._core, view, place, limit, size, end)

    def once(self, request: RequestKey, operation: str, *args: Any, **kwargs: Any) -> Deferred[Answer]:
        same = self._asking(key=request)
        return cast("Deferred[Answer]", getattr(same, operation)(*args, **kwargs))

    def bearing(self, digest: bytes) -> Backbone:
        return self._asking(bearer=digest)

    def fenced(self, claim: int, fence: int, by: Identity) -> Backbone:
        return self._asking(grant=(claim, fence, by))

    def _asking(self, **how: Any) -> Backbone:
        """The same backbone, whose operations are asked like this, and as they were before."""
        return self._as_asked(replace(self._asked or Asked(), **how))

    def _as_asked(self, asked: Asked) -> Backbone:
        """The same backbone, whose operations are asked like this."""
        same = object.__new__(type(self))  # `copy.copy` takes five times as long
        same.__dict__.update(self.__dict__)
        same._asked = asked
        return same

    def change_tokens(
        self,
        minted: tuple[bytes, Identity] | None,
        *,
        digest: bytes | None = None,
        agent_id: str | None = None,
    ) -> Deferred[list[bytes]]:
        return self._core.write(token_changes.change_tokens, self._asked, minted, digest, agent_id)

    @property
    def is_following(self) -> bool:
        return self._core.shared is not None

    @property
    def is_stale(self) -> bool:
        return self._core.is_stale

    def catch_up(self) -> Deferred[None]:
        return self.journal.read(lambda: None)

    def why_not_ready(self) -> CaucusError | None:
        shared = self._core.shared
        return self.journal.refusal if shared is None else shared.why_not_ready()
