"""The SQLite journal: its thread, a disk that stalls, a commit that fails, a file that is taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock, deferLater

from caucus.core.backbone import Backbone
from caucus.errors import OutcomeUnknown, StorageUnavailable
from caucus.journals import committing
from caucus.journals.committing import CommittingJournal
from caucus.journals.database import Database
from caucus.journals.sqlite import open_sqlite
from caucus.model.events import EvidenceAdded, Instant, RequestKey
from caucus.model.messages import Message
from tests.disk import Disk, fail_at, nothing
from tests.journals import nothing_applied

SMALL = EvidenceAdded(Instant(0.0, 0.0), "room", sha256(b"").hexdigest(), 0)


class Stall:
    """Every write waits until it is let go on."""

    def __init__(self, disk: Disk) -> None:
        self._go_on = threading.Event()
        disk.before = self._wait

    def _wait(self, _operation: str) -> None:
        self._go_on.wait(20)

    def end(self) -> None:
        self._go_on.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.before = nothing


async def opened(path: Path, clock: Clock, disk: Disk | None = None) -> CommittingJournal:
    journal = await open_sqlite(path, reactor, clock, disk.name if disk else "")
    await journal.replay(nothing_applied, lambda _kept: None)
    return journal


def trouble(journal: CommittingJournal) -> str | None:
    """Why it takes no events."""
    refusal = journal.refusal
    return refusal.trouble if isinstance(refusal, StorageUnavailable) else None


async def turns(count: int = 20) -> None:
    """Let the reactor, and the journal's thread, get on."""
    for _ in range(count):
        await deferLater(reactor, 0.002)


async def test_what_is_recorded_during_a_commit_is_the_next_one(path: Path, clock: Clock, disk: Disk) -> None:
    journal = await opened(path, clock, disk)
    syncs: list[str] = []
    disk.before = syncs.append
    await gatherResults([journal.write(journal.record, SMALL) for _ in range(100)])
    syncs.clear()
    await gatherResults([journal.write(journal.record, SMALL) for _ in range(100)])
    assert syncs.count("sync") == 1  # all of them were decided in one turn
    await journal.close()


async def test_a_group_that_waits_for_more_is_committed_when_the_journal_is_closed(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await opened(path, clock, disk)
    await journal.write(journal.record, SMALL)
    waiting = [journal.write(journal.record, SMALL) for _ in range(2)]
    closing = journal.close()
    assert journal._worker.busy  # before the reactor has had a turn
    await closing
    await gatherResults(waiting)
    assert journal.durable == 3
    journal = await opened(path, clock, disk)
    assert journal.durable == 3
    await journal.close()


@pytest.mark.parametrize(("each", "groups"), [(0.0, range(1, 2)), (0.01, range(2, 7))])
async def test_a_group_waits_for_more_as_long_as_there_are_more_but_not_for_long(
    path: Path, clock: Clock, disk: Disk, each: float, groups: range
) -> None:
    journal = await opened(path, clock, disk)
    await gatherResults([journal.write(journal.record, SMALL) for _ in range(2)])
    syncs: list[str] = []
    disk.before = syncs.append
    writes = []
    for _ in range(6):  # one in each turn
        writes.append(journal.write(journal.record, SMALL))
        clock.advance(each)
        await deferLater(reactor, 0)
    await gatherResults(writes)
    assert syncs.count("sync") in groups
    await journal.close()


async def test_what_was_recorded_during_a_commit_is_committed_though_nothing_more_comes(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await opened(path, clock, disk)
    stall = Stall(disk)
    first = journal.write(journal.record, SMALL)
    await turns(2)
    second = journal.write(journal.record, SMALL)
    stall.end()
    await gatherResults([first, second])
    assert journal.durable == 2
    await journal.close()


async def test_what_waits_too_long_for_the_disk_stops_writes_until_it_is_through(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await opened(path, clock, disk)
    stall = Stall(disk)
    waiting = journal.write(journal.record, SMALL)
    clock.advance(4.9)
    assert journal.refusal is None
    clock.advance(0.1)
    assert trouble(journal) == "stalled"
    with pytest.raises(StorageUnavailable):
        await journal.write(journal.record, SMALL)
    clock.advance(60)
    assert not waiting.called
    stall.end()
    await waiting
    assert (journal.refusal, journal.durable) == (None, 1)
    await journal.close()


@pytest.mark.parametrize(("size", "most"), [(0, 4096), (1_048_576, 16)])
async def test_only_so_many_events_and_bytes_may_wait(
    path: Path, clock: Clock, disk: Disk, size: int, most: int
) -> None:
    journal = await opened(path, clock, disk)
    stall = Stall(disk)
    waits = [journal.write(journal.record, SMALL, bytes(size)) for _ in range(most)]
    assert trouble(journal) == "stalled"
    stall.end()
    await gatherResults(waits)
    assert journal.refusal is None
    await journal.close()


async def test_reads_go_on_while_the_disk_stalls(path: Path, clock: Clock, disk: Disk) -> None:
    journal = await opened(path, clock, disk)
    backbone = Backbone(journal, clock)
    await backbone.create_channel("room")
    stall = Stall(disk)
    message = Message("note", "text", agent_id="a", owner="o")
    posting = backbone.append("room", message)
    clock.advance(5)
    assert (await backbone.read_since("room", 0)).messages == []
    assert str(backbone.why_not_ready()) == "Storage has stalled and nothing was written. Wait ~1s."
    with pytest.raises(StorageUnavailable):
        await backbone.append("room", message)
    stall.end()
    assert (await posting).cursor == 1
    assert backbone.why_not_ready() is None
    await journal.close()


async def test_closing_waits_for_a_stalled_disk_only_so_long(
    path: Path, clock: Clock, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "CLOSE_SECONDS", 0.05)
    journal = await opened(path, clock, disk)
    stall = Stall(disk)
    waiting = journal.write(journal.record, SMALL)
    await turns(2)
    await journal.close()
    with pytest.raises(OutcomeUnknown):
        await waiting
    stall.end()
    await turns()
    journal._worker.stop()


async def test_when_nobody_knows_in_time_the_waits_end_and_the_tail_decides_later(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await open_sqlite(path, reactor, clock, disk.name)
    undone: list[int] = []
    await journal.replay(nothing_applied, undone.append)
    moved = path.with_name("moved.db")
    disk.before = fail_at(1)
    waiting = journal.write(journal.record, SMALL)
    path.rename(moved)
    await turns()
    clock.advance(4.9)
    assert not waiting.called
    clock.advance(0.1)
    with pytest.raises(OutcomeUnknown):
        await waiting
    assert (trouble(journal), undone) == ("failed", [])
    moved.rename(path)
    for _ in range(5):
        clock.advance(0.5)
        await turns()
    undone = sorted(set(undone))
    assert (journal.refusal, undone, journal.position) == (None, [0], 0)
    await journal.write(journal.record, SMALL)
    await journal.close()


async def test_a_row_that_a_failed_sync_left_behind_is_acknowledged(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await opened(path, clock, disk)
    await journal.write(journal.record, SMALL)
    failing = iter([True])

    def fail_a_sync(operation: str) -> None:
        if operation == "sync" and next(failing, False):
            raise apsw.IOError("injected")

    disk.before = fail_a_sync
    told: list[object] = []
    journal.follow(lambda: told.append(journal.durable))
    await journal.write(journal.record, SMALL).addCallback(lambda _: told.append("written"))
    assert told == [2, "written"]
    await turns()
    assert (journal.refusal, journal.position) == (None, 2)
    await journal.close()
    again = await opened(path, clock)
    assert again.position == 2
    await again.close()


def move(path: Path, to: Path) -> None:
    """Move a database with what belongs to it."""
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").rename(f"{to}{suffix}")


@pytest.mark.parametrize("replaced", [False, True])
async def test_writing_on_to_a_file_that_was_taken_away_is_noticed(
    path: Path, clock: Clock, replaced: bool
) -> None:
    journal = await opened(path, clock)
    await journal.write(journal.record, SMALL)
    moved = path.with_name("moved.db")
    move(path, moved)
    if replaced:
        path.touch()
        Database(path).close()
    waiting = journal.write(journal.record, SMALL)
    await turns()
    assert not waiting.called
    assert trouble(journal) == "failed"
    move(moved, path)
    clock.advance(1)
    await waiting
    await turns()
    assert (journal.refusal, journal.position) == (None, 2)
    await journal.close()


async def test_a_file_that_lost_what_was_acknowledged_takes_no_more(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await opened(path, clock, disk)
    for _ in range(2):
        await journal.write(journal.record, SMALL)
    disk.before = fail_at(1)
    ending = journal.write(journal.record, SMALL)
    ending.addErrback(lambda _: None)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM event WHERE position = 2")
    connection.close()
    for _ in range(12):
        await turns(5)
        clock.advance(0.5)
    assert trouble(journal) == "failed"
    assert journal.durable == 2
    await journal.close()


async def test_what_is_gone_between_looking_and_opening_again_is_not_acknowledged(
    path: Path, clock: Clock, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await opened(path, clock, disk)
    await journal.write(journal.record, SMALL)
    monkeypatch.setattr(Database, "look", lambda *_: 2)  # as if the cache still had it
    disk.before = fail_at(1)
    with pytest.raises(StorageUnavailable):
        await journal.write(journal.record, SMALL)
    await turns()
    assert (journal.refusal, journal.position) == (None, 1)
    await journal.close()


async def test_a_write_ahead_log_that_is_taken_away_is_noticed(path: Path, clock: Clock) -> None:
    journal = await opened(path, clock)
    for _ in range(2):
        await journal.write(journal.record, SMALL)
    Path(f"{path}-wal").unlink()
    waiting = journal.write(journal.record, SMALL)
    waiting.addErrback(lambda failure: failure.trap(OutcomeUnknown))
    await turns()
    assert (trouble(journal), waiting.called) == ("failed", False)
    await journal.close()


async def test_an_idle_journal_on_a_dead_disk_is_closed_in_time(
    path: Path, clock: Clock, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "CLOSE_SECONDS", 0.05)
    journal = await opened(path, clock, disk)
    await journal.write(journal.record, SMALL)
    await turns(2)
    stall = Stall(disk)
    await journal.close()
    stall.end()
    await turns()
    journal._worker.stop()


async def test_the_events_of_a_step_are_committed_together(path: Path, clock: Clock, disk: Disk) -> None:
    journal = await opened(path, clock, disk)
    before = journal._figures._events.counts()[()]

    def decide() -> None:
        journal.record(SMALL)
        time.sleep(0.02)  # the thread would have had time to commit the first by itself
        journal.record(SMALL)

    await journal.write(decide)
    assert journal._figures._events.counts()[()] == before + 1
    await journal.close()


async def test_a_write_made_while_others_are_told_is_told_after_them(path: Path, clock: Clock) -> None:
    journal = await opened(path, clock)
    told: list[str] = []

    def tell(name: str) -> None:
        told.append(name)
        if name == "first":
            journal.write(lambda: "later").addCallback(tell)

    first, second = (journal.write(journal.record, SMALL) for _ in range(2))
    first.addCallback(lambda _: tell("first"))
    second.addCallback(lambda _: tell("second"))
    await gatherResults([first, second])
    await turns(2)
    assert told == ["first", "second", "later"]
    await journal.close()


async def test_a_retry_of_what_is_in_doubt_is_not_told_that_nothing_was_written(
    path: Path, clock: Clock, disk: Disk
) -> None:
    journal = await open_sqlite(path, reactor, clock, disk.name)
    backbone = Backbone(journal, clock)
    await backbone.replay()
    await backbone.create_channel("room")
    stall = Stall(disk)
    key = RequestKey(b"scope", b"key", b"print")
    message = Message("note", "text", agent_id="a", owner="o")
    posting = backbone.once(key, "append", "room", message)
    clock.advance(5)
    assert trouble(journal) == "stalled"
    with pytest.raises(OutcomeUnknown):
        await backbone.once(key, "append", "room", message)
    stall.end()
    assert await posting == await backbone.once(key, "append", "room", message)
    await journal.close()
