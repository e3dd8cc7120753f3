"""Journals: the suite over each, and how one is found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.plugin import IPlugin, getPlugins
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory
from caucus.journals import installed_journals, open_journal
from caucus.journals.memory import MemoryJournal, MemoryJournalFactory
from caucus.journals.postgres.opening import open_postgres
from caucus.journals.sqlite import open_sqlite
from caucus.model.events import Event
from caucus.testing import JOURNAL_CASES, IJournalProvider, JournalKit, run_journal_case
from caucus.testing.journaling import JournalCase
from caucus.testing.shared import SharedLog
from tests.disk import Disk, fail_at, nothing
from tests.journals import SlowJournal
from tests.postgres import Cluster
from tests.proxy import Proxy


class Faultless:
    """A provider whose store neither fails nor stalls."""

    lasting = fallible = False

    def settle(self) -> None:
        """Nothing is in flight."""

    def turn(self) -> Deferred[None]:
        return succeed(None)

    def fail(self) -> None:
        """It cannot."""

    def stall(self) -> None:
        """It cannot."""

    def heal(self) -> None:
        """There is nothing to heal."""

    def close(self) -> Deferred[None]:
        return succeed(None)


@implementer(IJournalProvider)
@define
class InMemory(Faultless):
    """The memory journal."""

    def open(self, clock: Clock) -> Deferred[IJournal]:
        return MemoryJournalFactory().open("", reactor, clock)


@implementer(IJournalProvider)
@define
class Slow(Faultless):
    """The tests' own journal, so that the suite is tried on a lasting one."""

    lasting = True
    events: list[Event] = field(factory=list)
    journal: SlowJournal = field(factory=SlowJournal)

    def open(self, clock: Clock) -> Deferred[IJournal]:
        self.journal = SlowJournal(self.events)
        opened: IJournal = self.journal
        return succeed(opened)

    def settle(self) -> None:
        if self.journal.durable < self.journal.position:
            self.journal.sync()


@implementer(IJournalProvider)
@define
class Shared(Faultless):
    """One hand of a log in memory that another one extends too, though it has nothing to say."""

    fallible = lasting = True
    log: SharedLog | None = None

    def open(self, clock: Clock) -> Deferred[IJournal]:
        if self.log is None:
            self.log = SharedLog(clock)
            self.log.journal()
        opened: IJournal = self.log.journal()
        return succeed(opened)

    def settle(self) -> None:
        if self.log is not None:
            self.log.run()

    def fail(self) -> None:
        if self.log is not None:
            self.log.is_failing = True

    def stall(self) -> None:
        if self.log is not None:
            self.log.is_stalled = True

    def heal(self) -> None:
        if self.log is not None:
            self.log.is_failing = self.log.is_stalled = False
            self.log.run()


@implementer(IJournalProvider)
@define
class InSQLite:
    """The SQLite journal, on a file of its own and a disk that does what it is told."""

    lasting = fallible = True
    folder: TemporaryDirectory[str] = field(factory=TemporaryDirectory)
    disk: Disk = field(factory=Disk)
    going_on: threading.Event = field(factory=threading.Event)

    def open(self, clock: Clock) -> Deferred[IJournal]:
        path = Path(f"{self.folder.name}/room.db")
        return Deferred.fromCoroutine(open_sqlite(path, reactor, clock, self.disk.name))

    def settle(self) -> None:
        """The journal's thread does it."""

    def turn(self) -> Deferred[None]:
        return deferLater(reactor, 0.002)

    def fail(self) -> None:
        self.disk.before = fail_at(1, times=10**9)

    def stall(self) -> None:
        def wait(_operation: str) -> None:
            self.going_on.wait(20)

        self.going_on.clear()
        self.disk.before = wait

    def heal(self) -> None:
        self.disk.before = nothing
        self.going_on.set()

    def close(self) -> Deferred[None]:
        self.heal()
        self.folder.cleanup()
        return succeed(None)


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("provider", [InMemory, Slow, InSQLite, Shared])
async def test_journal_suite(provider: Callable[[], IJournalProvider], case: JournalCase) -> None:
    await run_journal_case(case, provider())


@implementer(IJournalProvider)
@define
class InPostgres:
    """The journal in PostgreSQL, behind a wire that can be cut."""

    lasting = fallible = True
    proxy: Proxy
    dsn: str

    def open(self, clock: Clock) -> Deferred[IJournal]:
        return Deferred.fromCoroutine(open_postgres(self.dsn, reactor, clock))

    def settle(self) -> None:
        """The reactor does it."""

    def turn(self) -> Deferred[None]:
        return deferLater(reactor, 0.02)

    def fail(self) -> None:
        self.proxy.cut()

    def stall(self) -> None:
        self.proxy.hold()

    def heal(self) -> None:
        self.proxy.heal()

    def close(self) -> Deferred[None]:
        return self.proxy.close()


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
async def test_journal_suite_over_postgres(case: JournalCase, postgres: Cluster) -> None:
    proxy = Proxy(postgres.port)
    await run_journal_case(case, InPostgres(proxy, postgres.dsn(port=proxy.listens_at)))


class Forgetful(SlowJournal):
    """A journal that loses its last event when it is closed."""

    def close(self) -> Deferred[None]:
        self.events.pop()
        return super().close()


async def test_the_suite_finds_a_journal_that_forgets() -> None:
    class Losing(Slow):
        def open(self, clock: Clock) -> Deferred[IJournal]:
            self.journal = Forgetful(self.events)
            opened: IJournal = self.journal
            return succeed(opened)

    case = next(one for one in JOURNAL_CASES if "replayed" in one.__name__)
    with pytest.raises(AssertionError):
        await case(JournalKit(Losing()))


def test_the_memory_journal_is_installed() -> None:
    factory = installed_journals()["memory"]
    assert verifyObject(IJournalFactory, factory)
    assert IPlugin.providedBy(factory)
    assert "restart" in factory.help


async def test_a_journal_is_opened_by_its_scheme() -> None:
    assert isinstance(await open_journal("memory:", reactor, Clock()), MemoryJournal)


@pytest.mark.parametrize("description", ["tape:/dev/st0", "memory", "", ":", "Memory:"])
async def test_an_unknown_scheme_lists_those_installed(description: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^--journal .*: no such scheme is installed; installed are .*memory:"
    ):
        await open_journal(description, reactor, Clock())


async def test_the_memory_journal_takes_nothing_after_the_colon() -> None:
    with pytest.raises(ConfigurationError, match="nothing after the colon"):
        await open_journal("memory:/tmp/x", reactor, Clock())


@pytest.mark.parametrize(
    "broken",
    [lambda rest, reactor, clock: fail(OSError("disk on fire")), lambda rest, reactor, clock: 1 // 0],
)
async def test_a_plug_in_that_fails_in_its_own_way_is_named(
    broken: Callable[[str, Any], Any], monkeypatch: pytest.MonkeyPatch, logged_failures: list[Failure]
) -> None:
    monkeypatch.setattr(MemoryJournalFactory, "open", staticmethod(broken))
    with pytest.raises(
        ConfigurationError, match=r"^--journal memory: failed to open: (disk on fire|integer)"
    ):
        await open_journal("memory:", reactor, Clock())
    assert [failure.type for failure in logged_failures] in ([OSError], [ZeroDivisionError])
    logged_failures.clear()


async def test_two_journals_with_one_scheme_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "caucus_rival.py").write_text(
        "from caucus.journals.memory import MemoryJournalFactory\nrival = MemoryJournalFactory()\n"
    )
    import twisted.plugins  # noqa: PLC0415

    monkeypatch.setattr(twisted.plugins, "__path__", [*twisted.plugins.__path__, str(plugins)])
    assert len(list(getPlugins(IJournalFactory))) == 4
    with pytest.raises(ConfigurationError, match="two installed journals have the scheme memory:"):
        await open_journal("memory:", reactor, Clock())
