"""What is owed to whom: asked for, taken note of, and what became of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import partial
from heapq import merge

from twisted.internet.defer import Deferred, fail

from caucus.core.core import Core
from caucus.core.following import place_of_position, text_of
from caucus.core.speaking import speaker
from caucus.core.waiting import wait_for
from caucus.errors import CaucusError, Forbidden, InvalidCursor, InvalidRequest, NotFound
from caucus.model.events import Acked, RequestKey
from caucus.model.feed import FEED_LIMIT, Place
from caucus.model.fields import as_integer
from caucus.model.messages import Message
from caucus.model.places import end_of
from caucus.model.presence import STATES, Acknowledged, InboxItem, InboxPage, Receipt, ToldMessage
from caucus.model.problems import identity_problems, refusal
from caucus.model.records import Identity
from caucus.rules.channel import Channel
from caucus.rules.receipts import ACKED, Inbox


def read_inbox(
    core: Core, by: Identity, since: str | None, wait: float, everything: bool
) -> Deferred[InboxPage]:
    try:
        names = _names_of(by)
        if not isinstance(since, str | None):
            raise InvalidRequest("since must be a position, as text.")
    except CaucusError:
        return fail()
    most = min(FEED_LIMIT, core.limits.max_read_limit)

    def look(is_last: bool) -> InboxPage | None:
        page = _page(core, names, since, everything, most)
        return page if page.items or is_last else None

    return wait_for(core, ("addressed",), names, wait, look)


def ack(
    core: Core, request: RequestKey | None, now: float, channel: str, cursor: int, by: Identity
) -> Acknowledged:
    agent = speaker(core, by, now)
    room = core.channel(channel)
    at = as_integer(cursor)
    if at is None or not 1 <= at <= room.length:
        raise InvalidCursor("The cursor must be that of a message, as append answers it.")
    names = dict.fromkeys((agent.agent_id, agent.owner))
    owed = list(core.state.receipts.owed(room, at, names))
    if not owed and names.keys().isdisjoint(_message(room, at).to or ()):
        raise Forbidden
    durable = core.journal.position  # what is decided counts
    if any(inbox.state(number, durable) < ACKED for inbox, number in owed):
        core.record(Acked(core.clock.instant(now), room.name, at, agent, request), now)
    return Acknowledged()


def get_message(core: Core, channel: str, cursor: int) -> ToldMessage:
    room, durable = core.durable_channel(channel), core.journal.durable
    at = as_integer(cursor)
    if at is None or not 1 <= at <= room.head(durable):
        raise NotFound
    (message_json,) = room.messages(at - 1, at)
    names = tuple(dict.fromkeys(Message.from_json(message_json).to or ()))
    state = core.state
    now, seen = core.clock.now(), dict[str, int]()
    for agent, seconds, _channels in state.heard.seen(now):
        for name in (agent.agent_id, agent.owner):
            seen.setdefault(name, int(seconds))
    receipts = []
    for name in names:
        for inbox, number in state.receipts.owed(room, at, (name,)):
            receipts.append(Receipt(name, STATES[inbox.state(number, durable)], seen.get(name)))
    borne = state.tokens.names() if names else frozenset()
    known = partial(state.receipts.has_written, durable=durable)
    unreachable = tuple(name for name in names if name not in borne and not known(name))
    return ToldMessage(room.name, at, message_json, tuple(receipts), unreachable)


def _page(core: Core, names: Iterable[str], since: str | None, everything: bool, most: int) -> InboxPage:
    end = end_of(core.journal.durable)
    start = Place(0) if since is None else place_of_position(core, since) or Place(0)
    items: list[InboxItem] = []
    for place, inbox, number in _owed(core, names, start.at, end, everything):
        state = min(one.state(two, core.journal.durable) for one, two in _both(core, inbox, number, names))
        if state >= ACKED and not everything:
            continue
        channel, cursor = inbox.channels[number], inbox.cursors[number]
        (message_json,) = core.state.channels[channel].messages(cursor - 1, cursor)
        items.append(InboxItem(channel, cursor, message_json, STATES[state]))
        if len(items) == most:
            return InboxPage(tuple(items), text_of(core, Place(place + 1)))
    return InboxPage(tuple(items), text_of(core, Place(max(start.at, end))))


def _owed(
    core: Core, names: Iterable[str], start: int, end: int, everything: bool
) -> Iterator[tuple[int, Inbox, int]]:
    """What is owed to some names, each message once, in the order of the log of all."""
    inboxes = [core.state.receipts.inboxes[name] for name in names if name in core.state.receipts.inboxes]
    last, durable = -1, core.journal.durable
    firsts = [0 if everything else one.first_open(durable) for one in inboxes]
    some = (
        _from(one, order, first, start, end)
        for order, (one, first) in enumerate(zip(inboxes, firsts, strict=True))
    )
    for place, order, number in merge(*some):
        if place > last:
            last = place
            yield place, inboxes[order], number


def _from(inbox: Inbox, order: int, first: int, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    for number in range(max(first, bisect_left(inbox.places, start)), bisect_left(inbox.places, end)):
        yield inbox.places[number], order, number


def _both(core: Core, inbox: Inbox, number: int, names: Iterable[str]) -> list[tuple[Inbox, int]]:
    """A message as it is owed to each of these names."""
    room = core.state.channels[inbox.channels[number]]
    return list(core.state.receipts.owed(room, inbox.cursors[number], names))


def _names_of(by: Identity) -> tuple[str, ...]:
    """Both names of an agent. Raises `InvalidMessage` if no token stands for such."""
    agent_id, owner = getattr(by, "agent_id", None), getattr(by, "owner", None)
    problems = identity_problems(agent_id, owner)
    if problems:
        raise refusal(problems)
    return tuple(dict.fromkeys((str(agent_id), str(owner))))


def _message(room: Channel, cursor: int) -> Message:
    (message_json,) = room.messages(cursor - 1, cursor)
    return Message.from_json(message_json)
