"""Cases: what every journal must do, and what a lasting one must do over a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import Attribute, Interface
from zope.interface.verify import verifyObject

from caucus.interfaces import IJournal
from caucus.model.events import (
    Author,
    ChannelCreated,
    ChannelFields,
    Event,
    EvidenceAdded,
    Grant,
    Holding,
    Instant,
    Moved,
    RequestKey,
    RunEnded,
    Said,
    Stepped,
    TokensChanged,
)
from caucus.testing.kit import same

ROOM = ChannelFields(channel="room", created_ts="2026-01-01T00:00:00.000Z#000000000001")
WHEN = Instant(1_767_225_600.001, 12.5, bytes(range(16)))
GRANT = Grant(Holding("alice-agent", "alice", "ts", "id"), 60)
DATA = b"\x00\xff"
EVENTS: tuple[Event, ...] = (
    ChannelCreated(WHEN, ROOM),
    Stepped(
        WHEN,
        (Said("room", b'{"body":"one"}', "alice-agent", 1),),
        (),
        RequestKey(b"scope", b"key", b"fingerprint"),
    ),
    Stepped(
        WHEN,
        (Said("room", b'{"body":"mine"}', "alice-agent"), Said("room", b'{"body":"told"}')),
        (
            Moved("room", "t", GRANT, "granted"),
            Moved("room", "u", None, "lapsed"),
            Moved("room", "v", GRANT, "extended", 30),
        ),
    ),
    EvidenceAdded(WHEN, "room", "0" * 64, len(DATA)),
    Stepped(Instant(0.0, 0.0)),
    RunEnded(WHEN),
    TokensChanged(WHEN, (b"\x01" * 32, Author("dave-agent", "dave")), (b"\x02" * 32,)),
)


def evidence_of(event: Event) -> bytes:
    """What is recorded beside an event of these."""
    return DATA if isinstance(event, EvidenceAdded) else b""


class IJournalProvider(Interface):
    """Makes journals over one store, empty at first."""

    lasting: bool = Attribute("Whether events outlive the journal that recorded them.")

    def open(clock: Clock) -> Deferred[IJournal]:
        """Open a journal on the store, the earlier one being closed."""

    def settle() -> None:
        """Let what is in flight arrive, as far as that takes anything to be done."""

    def close() -> Deferred[None]:
        """Take the store away."""


class JournalKit:
    """One journal provider and its clock."""

    def __init__(self, provider: IJournalProvider) -> None:
        self.provider = provider
        self.clock = Clock()

    async def open(self) -> tuple[IJournal, list[Event]]:
        """A journal, and the events that it replayed."""
        journal = await self.provider.open(self.clock)
        events: list[Event] = []

        def keep(event: Event, evidence: bytes) -> None:
            same(evidence, evidence_of(event))
            events.append(event)

        await journal.replay(keep, undo_nothing)
        return journal, events


def undo_nothing(_kept: int) -> None:
    """No event is lost."""


async def run_journal_case(case: JournalCase, provider: IJournalProvider) -> None:
    """Hold a journal to one case, and close its provider whatever happens."""
    try:
        await case(JournalKit(provider))
    finally:
        await provider.close()


JournalCase = Callable[[JournalKit], Awaitable[None]]


async def provides_the_journal_interface(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    same(verifyObject(IJournal, journal), True)
    await journal.close()


async def an_empty_journal_replays_nothing(kit: JournalKit) -> None:
    journal, events = await kit.open()
    same((events, journal.position, journal.durable), ([], 0, 0))
    await journal.close()


async def positions_count_the_events(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    same([journal.record(event, evidence_of(event)) for event in EVENTS], [1, 2, 3, 4, 5, 6, 7])
    same(journal.position, 7)
    same(0 <= journal.durable <= 7, True)
    await journal.close()


async def what_is_recorded_becomes_durable_in_order(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    order: list[int] = []
    waits = []
    for event in EVENTS:
        position = journal.record(event, evidence_of(event))
        wait = journal.when_durable(position)
        wait.addCallback(lambda _, at: order.append(at), position)
        waits.append(wait)
    kit.provider.settle()
    for wait in waits:
        await wait
    same((order, journal.durable), ([1, 2, 3, 4, 5, 6, 7], 7))
    await journal.when_durable(3)
    await journal.close()


async def every_wait_has_an_end_of_its_own(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    position = journal.record(EVENTS[0])
    first, second, third = (journal.when_durable(position) for _ in range(3))
    same(len({id(first), id(second), id(third)}), 3)
    first.addErrback(lambda _: None)
    first.cancel()
    kit.provider.settle()
    await second
    await third
    same(journal.durable, position)
    await journal.close()


async def closing_ends_the_waits(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    wait = journal.when_durable(journal.record(EVENTS[0]))
    await journal.close()
    await wait


async def a_closed_journal_is_replayed_as_it_was_recorded(kit: JournalKit) -> None:
    if not kit.provider.lasting:
        return
    journal, _ = await kit.open()
    for event in EVENTS:
        journal.record(event, evidence_of(event))
    await journal.close()
    again, events = await kit.open()
    same(tuple(events), EVENTS)
    same((again.position, again.durable), (7, 7))
    same(again.record(EVENTS[1]), 8)
    await again.close()


CASES = [
    provides_the_journal_interface,
    an_empty_journal_replays_nothing,
    positions_count_the_events,
    what_is_recorded_becomes_durable_in_order,
    every_wait_has_an_end_of_its_own,
    closing_ends_the_waits,
    a_closed_journal_is_replayed_as_it_was_recorded,
]
