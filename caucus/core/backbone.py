"""`Backbone`: the interfaces over the rules, a journal and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from caucus.access.tokens import Tokens
from caucus.core import channels, claiming, evidence, posting, restart, tokens as token_changes
from caucus.core.clock import DecisionClock
from caucus.core.core import Core
from caucus.errors import CaucusError
from caucus.interfaces import (
    IBackbone,
    IJournal,
    IMeasured,
    IReadiness,
    IRepeatable,
    ITokenKeeper,
    IWatchable,
)
from caucus.limits import Limits
from caucus.metrics import Metric
from caucus.model.events import RequestKey
from caucus.model.messages import MessageFields
from caucus.model.records import Answer, Appended, ClaimResult, Descriptor, Identity, Page, StoredArtifact


@implementer(IBackbone, IWatchable, IRepeatable, ITokenKeeper, IReadiness, IMeasured)
class Backbone:
    """Each operation decides, records and applies in one turn of the reactor.

    :param journal: where the events go. Call `replay` before anything else if it holds some.
    :param clock: measures durations: leases and windows.
    :param wall: seconds since the epoch, for stamps and events; ``clock.seconds`` if not given.
    :param boot_id: names the boot whose seconds ``clock`` counts, if it does that: downtime is
        then measured by it, and else by ``wall``.
    :param tokens: gains and loses the tokens that are minted and revoked.
    """

    def __init__(
        self,
        journal: IJournal,
        clock: IReactorTime,
        limits: Limits | None = None,
        wall: Callable[[], float] | None = None,
        boot_id: bytes = b"",
        tokens: Tokens | None = None,
    ) -> None:
        self.journal = journal
        self._request: RequestKey | None = None
        self.limits = Limits() if limits is None else limits
        decisions = DecisionClock(clock.seconds, clock.seconds if wall is None else wall, boot_id)
        self._core = Core(journal, decisions, self.limits, Tokens() if tokens is None else tokens)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        measured = IMeasured(self.journal, None)
        return (*self._core.counts.metrics, *(() if measured is None else measured.metrics))

    def replay(self) -> Deferred[None]:
        """Apply what the journal holds of earlier runs."""
        return restart.replay(self._core)

    def begin_run(self) -> None:
        """Requests come from now on: leases that they could not renew meanwhile get their grace."""
        restart.begin_run(self._core)

    def end_run(self) -> None:
        """The run ends here: a later one counts the downtime from now."""
        restart.end_run(self._core)

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
            self._request,
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
        return self._core.write(posting.append, self._request, channel, message)

    def read_since(self, channel: str, cursor: int, limit: int | None = None) -> Deferred[Page]:
        return self._core.read(channels.read_since, channel, cursor, limit)

    def claim(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._core.write(claiming.claim, self._request, channel, message)

    def reassign_claim(
        self, channel: str, message: MessageFields, assignee: Identity
    ) -> Deferred[ClaimResult]:
        return self._core.write(claiming.reassign_claim, self._request, channel, message, assignee)

    def mark_claim_done(self, channel: str, message: MessageFields) -> Deferred[ClaimResult]:
        return self._core.write(claiming.mark_claim_done, self._request, channel, message)

    def subscribe(self, channel: str) -> Deferred[int]:
        return self._core.read(channels.subscribe, channel)

    def put_artifact(self, channel: str, sha256: str, data: bytes) -> Deferred[StoredArtifact]:
        return self._core.write(evidence.put_artifact, self._request, channel, sha256, data)

    def get_artifact(self, channel: str, sha256: str) -> Deferred[bytes | None]:
        return self._core.read(evidence.get_artifact, channel, sha256)

    def watch(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        return channels.watch(self._core, channel, wake)

    def once(self, request: RequestKey, operation: str, *args: Any, **kwargs: Any) -> Deferred[Answer]:
        asked = copy(self)  # the same backbone, asked under this key
        asked._request = request
        return cast("Deferred[Answer]", getattr(asked, operation)(*args, **kwargs))

    def change_tokens(
        self, minted: tuple[bytes, Identity] | None, revoked: Sequence[bytes]
    ) -> Deferred[None]:
        return self._core.write(token_changes.change_tokens, self._request, minted, revoked)

    def why_not_ready(self) -> CaucusError | None:
        return self.journal.refusal
