"""What is acknowledged is kept, what is refused does not come back: whatever the disk does, and whenever."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import Clock, LoopingCall, deferLater

from caucus.core.backbone import Backbone
from caucus.errors import OutcomeUnknown, StorageUnavailable
from caucus.journals.committing import CommittingJournal
from caucus.journals.database import Database, integrity_problems
from caucus.journals.sqlite import open_sqlite
from caucus.limits import Limits
from caucus.model.messages import Message
from tests.disk import Disk, fail_at, nothing

GROUPS, EACH = 5, 4


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time that passes fifty times as fast, so that what waits half a second waits 10 ms."""
    clock = Clock()
    ticking = LoopingCall(lambda: clock.advance(0.05))
    ticking.start(0.001)
    yield clock
    ticking.stop()


@define
class History:
    """What became of each write, by its body."""

    acknowledged: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)
    unknown: list[str] = field(factory=list)

    async def write(self, backbone: Backbone, body: str) -> None:
        fields: dict[str, Any] = {"agent_id": "a", "owner": "o"}
        claim = Message("claim", body, target=body, **fields)
        try:
            if body.endswith("0"):
                await backbone.claim("room", claim)
            else:
                await backbone.append("room", Message("note", body, **fields))
        except StorageUnavailable:
            self.refused.append(body)
        except OutcomeUnknown:
            self.unknown.append(body)
        else:
            self.acknowledged.append(body)

    async def write_all(self, backbone: Backbone, group: str, count: int = EACH) -> None:
        """Several writes in one turn of the reactor, which are one commit."""
        writes = [ensureDeferred(self.write(backbone, f"{group}-{number}")) for number in range(count)]
        await DeferredList(writes, fireOnOneErrback=True)

    def check(self, found: list[str]) -> None:
        """Hold it to what the log says in the end."""
        assert len(found) == len(set(found))
        assert not set(self.refused) & set(found)
        kept = [body for body in found if body not in self.unknown]
        assert kept == self.acknowledged


async def open_room(path: Path, clock: Clock, vfs: str = "") -> tuple[Backbone, CommittingJournal]:
    journal = await open_sqlite(path, reactor, clock, vfs)
    backbone = Backbone(journal, clock, Limits(max_posts_per_minute=10**6))
    await backbone.replay()
    return backbone, journal


async def bodies(backbone: Backbone) -> list[str]:
    return [message.body for message in (await backbone.read_since("room", 0)).messages]


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor run until something is so."""
    while not condition():
        await deferLater(reactor, 0.001)


async def found_later(path: Path, clock: Clock) -> list[str]:
    """What a new run finds in a file, on the machine's own disk."""
    backbone, journal = await open_room(path, clock)
    found = await bodies(backbone)
    await journal.close()
    return found


def killed(path: Path, folder: Path) -> Path:
    """The file as another process would find it if this one were gone."""
    for name in (path, Path(f"{path}-wal")):
        if name.exists():
            shutil.copy(name, folder / name.name)
    return folder / path.name


async def one_fault(
    tmp_path: Path, clock: Clock, before: Callable[[str], None], then: str
) -> tuple[History, Disk]:
    """Write in groups on a disk with a fault, go on in one of three ways, and check the history."""
    disk, history, path = Disk(), History(), tmp_path / "room.db"
    backbone, journal = await open_room(path, clock, disk.name)
    await backbone.create_channel("room")
    disk.operations = 0
    disk.before = before
    for group in range(GROUPS):
        await history.write_all(backbone, str(group))
        if history.refused or history.unknown:
            break
    operations = disk.operations
    disk.before = nothing
    if then == "killed":
        (tmp_path / "after").mkdir()
        path = killed(path, tmp_path / "after")
    if then == "goes on":
        await until(lambda: journal.refusal is None)
        await history.write_all(backbone, "more")
        history.check(await bodies(backbone))
    await journal.close()
    history.check(await found_later(path, clock))
    disk.operations = operations
    return history, disk


@pytest.mark.deadline(120)
@pytest.mark.parametrize("then", ["goes on", "is reopened", "killed"])
@pytest.mark.parametrize(("error", "times"), [(apsw.IOError, 1), (apsw.FullError, 1), (apsw.IOError, 9)])
async def test_no_operation_of_the_disk_can_fail_unnoticed(
    tmp_path: Path, clock: Clock, error: type[apsw.Error], times: int, then: str
) -> None:
    number = refused = acknowledged = 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        history, disk = await one_fault(folder, clock, fail_at(number, error, times), then)
        refused += len(history.refused)
        acknowledged += len(history.acknowledged)
        if disk.operations < number:
            break
    print(f"{number - 1} operations, each failing once: {acknowledged} acknowledged, {refused} refused")
    assert number > GROUPS
    assert acknowledged
    assert refused


def power_cut(folder: Path, seed: int, synchronous: str) -> tuple[int, list[bytes]]:
    """Commit groups until the power goes: how many events were acknowledged, and which are left."""
    chance = random.Random(seed)
    folder.mkdir()
    path, disk = folder / "room.db", Disk()
    path.touch()
    database = Database(path, disk.name)
    database._connection.pragma("synchronous", synchronous)
    if chance.random() < 0.3:  # so that some cuts fall into a checkpoint
        database._connection.wal_autocheckpoint(20)
    disk.before = fail_at(chance.randint(1, 120), apsw.IOError, 10**9)
    acknowledged = 0
    while True:
        group = [event(acknowledged + number, chance) for number in range(1, chance.randint(2, 9))]
        try:
            database.append(acknowledged, group)
        except apsw.Error:
            break
        acknowledged += len(group)
    database.abandon()
    disk.cut_power(chance)
    Path(f"{path}-shm").unlink(missing_ok=True)
    after = Database(path)
    assert integrity_problems(after._connection) == []
    found = list(after._connection.execute("SELECT position, body FROM event ORDER BY position"))
    after.close()
    shutil.rmtree(folder)
    assert [position for position, _body in found] == list(range(1, len(found) + 1))
    return acknowledged, [body for _position, body in found]


def event(number: int, chance: random.Random) -> bytes:
    return b"%d:" % number + chance.randbytes(chance.choice((50, 400, 400, 3000)))


def lost(tmp_path: Path, cuts: int, synchronous: str) -> int:
    """In how many of so many power cuts an acknowledged event was lost."""
    count = 0
    for seed in range(cuts):
        acknowledged, found = power_cut(tmp_path / str(seed), seed, synchronous)
        assert all(body.startswith(b"%d:" % number) for number, body in enumerate(found, 1))
        count += len(found) < acknowledged
    return count


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path, pytestconfig: Any) -> None:
    assert lost(tmp_path, pytestconfig.getoption("--cuts"), "full") == 0


def test_without_full_syncs_it_would(tmp_path: Path) -> None:
    count = lost(tmp_path, 50, "normal")
    print(f"{count} of 50 cuts lost something")
    assert count > 0


@pytest.mark.deadline(300)
async def test_a_disk_that_fails_now_and_then_loses_nothing(
    tmp_path: Path, clock: Clock, pytestconfig: Any
) -> None:
    total, faults = History(), 0
    for seed in range(pytestconfig.getoption("--cuts") // 10):
        chance, disk, history = random.Random(seed), Disk(), History()
        folder = tmp_path / str(seed)
        folder.mkdir()
        backbone, journal = await open_room(folder / "room.db", clock, disk.name)
        await backbone.create_channel("room")
        store: Any = journal._store
        store._connection.wal_autocheckpoint(10)

        def fail_sometimes(_operation: str, chance: random.Random = chance) -> None:
            nonlocal faults
            if chance.random() < 0.04:
                faults += 1
                raise chance.choice((apsw.IOError, apsw.FullError))("injected")

        disk.before = fail_sometimes
        for group in range(12):
            await history.write_all(backbone, str(group), chance.randint(1, 6))
            if chance.random() < 0.5:
                await deferLater(reactor, 0.01)
        disk.before = nothing
        while journal.refusal is not None:
            await deferLater(reactor, 0.001)
        await history.write_all(backbone, "last")
        history.check(await bodies(backbone))
        await journal.close()
        history.check(await found_later(folder / "room.db", clock))
        shutil.rmtree(folder)
        total.acknowledged += history.acknowledged
        total.refused += history.refused
        total.unknown += history.unknown
    counts = [len(one) for one in (total.acknowledged, total.refused, total.unknown)]
    print(f"{faults} faults; acknowledged, refused, unknown: {counts}")
    assert faults
    assert all(counts[:2])
