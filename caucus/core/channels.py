"""Channels: made, described and read."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from caucus.core.core import Core
from caucus.core.waiting import wait_for
from caucus.errors import ChannelExists, ChannelLimit
from caucus.model.channels import field_problem, require_channel_name
from caucus.model.events import ChannelCreated, ChannelFields, RequestKey
from caucus.model.problems import refusal
from caucus.model.records import Descriptor, Page


def create_channel(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    purpose: str | None,
    created_by: str | None,
    verbosity: str | None,
    render_budget_chars: int | None,
) -> Descriptor:
    state = core.state
    require_channel_name(channel)
    if channel in state.channels:
        raise ChannelExists(channel)
    owner = "" if created_by is None else created_by
    verbosity = "quiet" if verbosity is None else verbosity
    budget = 200 if render_budget_chars is None else render_budget_chars
    problem = field_problem(purpose, owner, verbosity, budget)
    if problem is not None:
        raise refusal([problem])
    if len(state.channels) >= core.limits.max_channels:
        raise ChannelLimit(core.limits.max_channels)
    state.creates.check(owner, now)
    fields = ChannelFields(
        channel=channel,
        purpose=purpose,
        verbosity=verbosity,
        render_budget_chars=int(budget),
        created_by=owner,
        created_ts=core.stamps.next(core.clock.wall()),
    )
    core.record(ChannelCreated(core.clock.instant(now), fields, request), now)
    return state.channels[channel].descriptor(0)


def describe_channel(core: Core, channel: str) -> Descriptor:
    return core.durable_channel(channel).describe(core.journal.durable)


def list_channels(core: Core) -> list[Descriptor]:
    durable = core.journal.durable
    return [one.describe(durable) for one in core.state.channels.values() if one.created <= durable]


def read_since(core: Core, channel: str, cursor: int, limit: int | None) -> Page:
    return core.durable_channel(channel).page(cursor, limit, core.journal.durable)


def wait_for_messages(
    core: Core, channel: str, cursor: int, limit: int | None, seconds: float
) -> Deferred[Page]:
    known = core.state.channels.get(channel) if isinstance(channel, str) else None
    name = channel if known is None else known.name
    return wait_for(core, ("message",), (name,), seconds, _NewMessages(core, name, cursor, limit))


class _NewMessages:
    """A page with messages."""

    __slots__ = ("_channel", "_core", "_cursor", "_limit")

    def __init__(self, core: Core, channel: str, cursor: int, limit: int | None) -> None:
        self._core = core
        self._channel = channel
        self._cursor = cursor
        self._limit = limit

    def __call__(self, is_last: bool) -> Page | None:
        page = read_since(self._core, self._channel, self._cursor, self._limit)
        return page if is_last or page.messages_json else None


def subscribe(core: Core, channel: str) -> int:
    return core.durable_channel(channel).head(core.journal.durable)


def watch(core: Core, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
    return core.feeds.watch(("message",), (core.durable_channel(channel).name,), wake)
