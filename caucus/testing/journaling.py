"""Cases: what every journal must do, and what a lasting one must do over a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface
from zope.interface.verify import verifyObject

from caucus.errors import NotFound, OutcomeUnknown, StorageUnavailable
from caucus.interfaces import IJournal
from caucus.model.events import Event
from caucus.testing.events import EVENTS, evidence_of
from caucus.testing.kit import same


class IJournalProvider(Interface):
    """Makes journals over one store, empty at first."""

    lasting: bool = Attribute("Whether events outlive the journal that recorded them.")
    fallible: bool = Attribute("Whether `fail`, `heal` and `stall` do anything: a store can fail or be slow.")

    def open(clock: Clock) -> Deferred[IJournal]:
        """Open a journal on the store, the earlier one being closed."""

    def settle() -> None:
        """Let what is in flight arrive, as far as that takes anything to be done."""

    def turn() -> Deferred[None]:
        """Fires when what is in flight has had its time; with a store that answers when it will, a while."""

    def fail() -> None:
        """From now on the store keeps nothing, and says so whenever it is asked."""

    def stall() -> None:
        """From now on the store does not answer."""

    def heal() -> None:
        """The store works again; what it was asked while it had `stall`ed is done."""

    def close() -> Deferred[None]:
        """Take the store away."""


class JournalKit:
    """One journal provider and its clock."""

    def __init__(self, provider: IJournalProvider) -> None:
        self.provider = provider
        self.clock = Clock()
        self.undone: list[int] = []

    async def open(self) -> tuple[IJournal, list[Event]]:
        """A journal, and the events that it replayed."""
        journal = await self.provider.open(self.clock)
        events: list[Event] = []

        def keep(event: Event, evidence: bytes, position: int) -> None:
            same(evidence, evidence_of(event))
            events.append(event)
            same(position, len(events))

        await journal.replay(keep, self.undone.append)
        return journal, events

    async def wait(self, waiting: Deferred[Any]) -> Any:
        """What a write that was begun fires with."""
        self.provider.settle()
        return await waiting

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until something is so."""
        for _ in range(200):
            if condition():
                return
            self.clock.advance(0.1)
            self.provider.settle()
            await self.provider.turn()
        raise AssertionError("it did not come to that")


def write(journal: IJournal, *events: Event, decided: list[int] | None = None) -> Deferred[int]:
    """Record events as one step; the position of the last. ``decided`` gains those of all."""

    def decide() -> int:
        positions = [journal.record(event, evidence_of(event)) for event in events]
        if decided is not None:
            decided.extend(positions)
        return positions[-1] if positions else journal.position

    return journal.write(decide)


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
    same([await kit.wait(write(journal, event)) for event in EVENTS], list(range(1, len(EVENTS) + 1)))
    same((journal.position, journal.durable), (len(EVENTS), len(EVENTS)))
    await journal.close()


async def writes_are_decided_and_fire_in_the_order_of_the_calls(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    decided: list[int] = []
    fired: list[int] = []

    def decide(number: int) -> int:
        decided.append(number)
        journal.record(EVENTS[number], evidence_of(EVENTS[number]))
        return number

    waits = [journal.write(decide, number).addCallback(fired.append) for number in range(len(EVENTS))]
    for waiting in waits:
        await kit.wait(waiting)
    same((decided, fired), (list(range(len(EVENTS))), list(range(len(EVENTS)))))
    same(journal.durable, len(EVENTS))
    await journal.close()


async def a_write_fires_once_what_was_recorded_before_is_durable(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    durable: list[int] = []
    first = write(journal, EVENTS[0])
    nothing = journal.write(lambda: "nothing")
    nothing.addCallback(lambda _: durable.append(journal.durable))
    await kit.wait(nothing)
    same((durable, await first), ([1], 1))
    await journal.close()


async def what_a_decision_raises_is_what_the_write_fails_with(kit: JournalKit) -> None:
    journal, _ = await kit.open()

    def decide() -> None:
        journal.record(EVENTS[0])
        raise NotFound

    try:
        await kit.wait(journal.write(decide))
    except NotFound:
        same(journal.durable, 1)  # and what it recorded before stays
    else:
        raise AssertionError("it did not fail")
    await journal.close()


async def only_a_decision_records(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    try:
        journal.record(EVENTS[1])
    except RuntimeError:
        same(journal.position, 1)
    else:
        raise AssertionError("it was recorded")
    await journal.close()


async def every_wait_has_an_end_of_its_own(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    first, second, third = write(journal, EVENTS[0]), write(journal), write(journal)
    same(len({id(first), id(second), id(third)}), 3)
    first.addErrback(lambda _: None)
    first.cancel()
    await kit.wait(second)
    await kit.wait(third)
    same(journal.durable, 1)
    await journal.close()


async def a_read_looks_at_what_was_written_before(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    same(await kit.wait(journal.read(lambda more: journal.durable + more, 1)), 2)

    def fail() -> None:
        raise NotFound

    try:
        await kit.wait(journal.read(fail))
    except NotFound:
        pass
    else:
        raise AssertionError("it did not fail")
    await journal.close()


async def who_follows_is_told_before_those_who_wait(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    told: list[object] = []
    journal.follow(lambda: told.append(journal.durable))
    await kit.wait(write(journal, EVENTS[0], EVENTS[1]).addCallback(lambda _: told.append("fired")))
    same(told, [2, "fired"])
    await kit.wait(write(journal))
    same(told, [2, "fired"])
    await journal.close()


async def a_closed_journal_takes_nothing(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    closing = journal.close()
    refused: list[Failure] = []
    write(journal, EVENTS[1]).addErrback(refused.append)
    await closing
    write(journal, EVENTS[1]).addErrback(refused.append)
    same([one.type for one in refused], [StorageUnavailable] * 2)
    same((type(journal.refusal), journal.position), (StorageUnavailable, 1))


async def closing_ends_the_waits(kit: JournalKit) -> None:
    journal, _ = await kit.open()
    waiting = write(journal, EVENTS[0])
    kit.provider.settle()
    await journal.close()
    same(await waiting, 1)


async def a_closed_journal_is_replayed_as_it_was_recorded(kit: JournalKit) -> None:
    if not kit.provider.lasting:
        return
    journal, _ = await kit.open()
    await kit.wait(write(journal, *EVENTS))
    await journal.close()
    again, events = await kit.open()
    same(tuple(events), EVENTS)
    same((again.position, again.durable), (len(EVENTS), len(EVENTS)))
    same(await kit.wait(write(again, EVENTS[1])), len(EVENTS) + 1)
    await again.close()


async def what_a_failed_store_did_not_keep_is_undone_and_refused(kit: JournalKit) -> None:
    if not kit.provider.fallible:
        return
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    kit.provider.fail()
    lost: list[Failure] = []
    decided: list[int] = []
    write(journal, EVENTS[1], decided=decided).addErrback(lost.append)
    await kit.until(lambda: journal.refusal is not None)
    same(type(journal.refusal), StorageUnavailable)
    refused: list[Failure] = []
    write(journal, EVENTS[1]).addErrback(refused.append)
    same(refused[0].type, StorageUnavailable)
    kit.provider.heal()
    await kit.until(lambda: journal.refusal is None and bool(lost))
    same(lost[0].type in (StorageUnavailable, OutcomeUnknown), True)
    same((journal.position, journal.durable, set(kit.undone)), (1, 1, {1} if decided else set()))
    same(await kit.wait(write(journal, EVENTS[2])), 2)
    await journal.close()


async def a_store_that_stays_away_leaves_the_outcome_unknown(kit: JournalKit) -> None:
    if not kit.provider.fallible:
        return
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    kit.provider.fail()
    lost: list[Failure] = []
    write(journal, EVENTS[1]).addErrback(lost.append)
    await kit.until(lambda: bool(lost))
    same(lost[0].type in (StorageUnavailable, OutcomeUnknown), True)
    same((journal.durable, journal.refusal is None), (1, False))
    await journal.close()


async def a_store_that_stalls_refuses_until_it_goes_on(kit: JournalKit) -> None:
    if not kit.provider.fallible:
        return
    journal, _ = await kit.open()
    await kit.wait(write(journal, EVENTS[0]))
    kit.provider.stall()
    fired: list[int | Failure] = []
    decided: list[int] = []
    write(journal, EVENTS[1], decided=decided).addBoth(fired.append)
    await kit.until(lambda: journal.refusal is not None)
    if not decided and fired:  # it waited for a turn, and in vain
        same([one.type for one in fired if isinstance(one, Failure)], [StorageUnavailable])
    else:
        same(fired, [])
    same(journal.durable, 1)
    refused: list[Failure] = []
    write(journal, EVENTS[1]).addErrback(refused.append)
    same(refused[0].type, StorageUnavailable)
    kit.provider.heal()
    await kit.until(lambda: journal.refusal is None and bool(fired))
    if decided:
        same((fired, journal.durable), ([2], 2))
    else:
        same(await kit.wait(write(journal, EVENTS[1])), 2)
    await journal.close()


CASES = [
    provides_the_journal_interface,
    an_empty_journal_replays_nothing,
    positions_count_the_events,
    writes_are_decided_and_fire_in_the_order_of_the_calls,
    a_write_fires_once_what_was_recorded_before_is_durable,
    what_a_decision_raises_is_what_the_write_fails_with,
    only_a_decision_records,
    every_wait_has_an_end_of_its_own,
    a_read_looks_at_what_was_written_before,
    who_follows_is_told_before_those_who_wait,
    a_closed_journal_takes_nothing,
    closing_ends_the_waits,
    a_closed_journal_is_replayed_as_it_was_recorded,
    what_a_failed_store_did_not_keep_is_undone_and_refused,
    a_store_that_stays_away_leaves_the_outcome_unknown,
    a_store_that_stalls_refuses_until_it_goes_on,
]
