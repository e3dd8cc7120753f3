"""One file, one daemon, by what the file is; what is beside it; and reading it on read-only media."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from caucus.errors import ConfigurationError, StorageUnavailable
from caucus.journals import database as database_room
from caucus.journals.committing import CommittingJournal
from caucus.journals.lock import Lock
from caucus.journals.reader import Reader, sound
from caucus.journals.restoring import restore
from caucus.journals.sqlite import open_sqlite
from caucus.server import start_server
from tests.daemon import BIN
from tests.disk import Disk, fail_at
from tests.journals import nothing_applied
from tests.test_journal_command import command
from tests.test_sqlite import SMALL, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await open_sqlite(path, reactor, Clock())
    line = str(caught.value)
    assert "\n" not in line
    return line.partition(f"sqlite:{path}: ")[2]


async def filled(path: Path, clock: Clock, count: int) -> CommittingJournal:
    """An open journal of so many events more."""
    journal = await opened(path, clock)
    for _ in range(count):
        await journal.write(journal.record, SMALL)
    return journal


def leave_behind(path: Path, to: Path) -> None:
    """What a killed daemon would have left of a journal that is open."""
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{to}{suffix}")


# One file, one daemon


def symbolic_link(path: Path, other: Path) -> None:
    other.symlink_to(path)


def hard_link(path: Path, other: Path) -> None:
    other.hardlink_to(path)


def link_elsewhere(path: Path, other: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    hard_link(path, elsewhere / "room.db")
    symbolic_link(elsewhere / "room.db", other)


def deleted_lock(path: Path, other: Path) -> None:
    symbolic_link(path, other)
    Path(f"{path}.lock").unlink()


WAYS: list[Callable[[Path, Path], None]] = [symbolic_link, hard_link, link_elsewhere, deleted_lock]


@pytest.mark.parametrize("way", WAYS)
async def test_a_second_daemon_is_refused_whatever_leads_to_the_file(
    path: Path, clock: Clock, way: Callable[[Path, Path], None]
) -> None:
    journal = await filled(path, clock, 1)
    other = path.with_name("other.db")
    way(path, other)
    assert await refusal(other) == "another backbone is using it"
    await journal.close()


async def test_a_file_with_two_names_is_refused_also_alone(path: Path, clock: Clock) -> None:
    await (await filled(path, clock, 1)).close()
    path.with_name("other.db").hardlink_to(path)
    assert await refusal(path) == "it has 2 names (hard links), each with a write-ahead log of its own"


def mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")


async def test_a_file_that_is_mounted_by_itself_is_refused(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 1)
    other = path.with_name("mounted here.db")
    other.touch()
    mount("--bind", path, other)
    try:
        assert await refusal(other) == "another backbone is using it"
        await journal.close()
        assert "mount its folder" in await refusal(other)
    finally:
        subprocess.run(["umount", other], check=True)


# What cannot be written


async def test_a_file_on_a_read_only_mount_is_refused_at_the_start(path: Path, clock: Clock) -> None:
    await (await filled(path, clock, 1)).close()
    mount("--bind", path.parent, path.parent)
    try:
        mount("-o", "remount,ro,bind", path.parent)
        assert await refusal(path) == "Read-only file system"
    finally:
        subprocess.run(["umount", path.parent], check=True)


async def test_what_sqlite_can_only_read_is_refused(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await filled(path, clock, 1)).close()
    monkeypatch.setattr(apsw, "SQLITE_OPEN_READWRITE", apsw.SQLITE_OPEN_READONLY)
    assert "read" in await refusal(path)


# A write-ahead log of another file


async def test_a_backup_beside_the_log_of_what_was_there_is_refused(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 2)
    copy, killed = path.with_name("copy.db"), path.with_name("killed.db")
    Reader(path).copy_to(copy)
    await journal.write(journal.record, SMALL)
    leave_behind(path, killed)
    await journal.close()
    shutil.copy(copy, killed)
    log = Path(f"{killed}-wal").read_bytes()
    assert "killed.db-wal beside it belongs to another file" in await refusal(killed)
    assert "killed.db-wal beside it" in command("check", killed).stderr
    assert Path(f"{killed}-wal").read_bytes() == log
    Path(f"{killed}-wal").unlink()
    await (await opened(killed, clock)).close()
    assert sound(killed).events == 2


@pytest.mark.parametrize("count", [1, 40, 3000], ids=["short", "long", "begun anew"])
async def test_another_journal_beside_the_log_of_what_was_there_is_refused(
    path: Path, clock: Clock, count: int
) -> None:
    other, killed = path.with_name("other.db"), path.with_name("killed.db")
    await (await filled(other, clock, 5)).close()
    journal = await opened(path, clock)
    for number in range(count):
        writing = journal.write(journal.record, SMALL)
        if number % 3 == 0 or number == count - 1:
            await writing
    leave_behind(path, killed)
    shutil.copy(other, killed)
    assert "killed.db-wal beside it belongs to another file" in await refusal(killed)
    assert sound(other).events == 5
    await journal.close()


async def test_a_log_whose_file_was_moved_away_is_not_lost(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 3)
    killed = path.with_name("killed.db")
    leave_behind(path, killed)
    await journal.close()
    kept = killed.rename(killed.with_name("kept.db"))
    assert "killed.db-wal beside it belongs to another file" in await refusal(killed)
    kept.rename(killed)
    assert sound(killed).events == 3


async def test_a_log_that_is_its_own_is_taken(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 3)
    killed = path.with_name("killed.db")
    leave_behind(path, killed)
    await journal.close()
    again = await open_sqlite(killed, reactor, clock)
    await again.replay(nothing_applied, lambda _kept: None)
    assert again.position == 3
    await again.close()


async def test_the_log_begins_anew_when_it_is_long(path: Path, clock: Clock) -> None:
    journal = await opened(path, clock)
    for _ in range(1500):
        await journal.write(journal.record, SMALL)
    assert Path(f"{path}-wal").stat().st_size < 2 * database_room.LOG_PAGES * 4200
    assert path.stat().st_size > 1500 * len(b"x" * 30)
    await journal.close()


# Restoring


async def test_a_backup_is_put_in_place_and_what_was_there_is_kept(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 2)
    copy, killed = path.with_name("copy.db"), path.with_name("killed.db")
    Reader(path).copy_to(copy)
    for _ in range(3):
        await journal.write(journal.record, SMALL)
    in_use = command("restore", copy, path)
    assert (in_use.returncode, in_use.stderr) == (
        1,
        f"caucus-journal: {path}: another backbone is using it\n",
    )
    leave_behind(path, killed)
    await journal.close()
    done = command("restore", copy, killed)
    assert (done.returncode, done.stdout) == (
        0,
        f"{killed}: restored, 2 events; what was there is {killed}.before-1\n",
    )
    assert [sound(one).events for one in (killed, Path(f"{killed}.before-1"))] == [2, 5]
    await (await opened(killed, clock)).close()
    assert command("restore", copy, killed).stdout.endswith(f"{killed}.before-2\n")


async def test_what_is_restored_belongs_to_whom_the_old_file_did(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await filled(path, clock, 2)).close()
    copy = path.with_name("copy.db")
    Reader(path).copy_to(copy)
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr("os.chown", lambda made, uid, gid: given.append((made.name, uid, gid)))
    before = path.stat()
    restore(copy, path)
    restore(copy, path.with_name("fresh.db"))
    folder = path.parent.stat()
    assert given == [
        ("room.db.restoring", before.st_uid, before.st_gid),
        ("fresh.db.restoring", folder.st_uid, folder.st_gid),
    ]


async def test_a_backup_may_be_put_where_nothing_is(path: Path, clock: Clock) -> None:
    await (await filled(path, clock, 2)).close()
    fresh = path.with_name("fresh.db")
    assert command("restore", path, fresh).stdout == f"{fresh}: restored, 2 events\n"
    assert sound(fresh).events == 2


async def test_what_is_no_sound_backup_is_not_put_anywhere(path: Path, clock: Clock, tmp_path: Path) -> None:
    await (await filled(path, clock, 2)).close()
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"nonsense" * 100)
    done = command("restore", copy, path)
    assert (done.returncode, done.stderr) == (1, f"caucus-journal: {copy}: file is not a database\n")
    assert sound(path).events == 2


async def test_a_restoration_that_was_cut_off_can_be_done_again(path: Path, clock: Clock) -> None:
    await (await filled(path, clock, 2)).close()
    copy = path.with_name("copy.db")
    Reader(path).copy_to(copy)
    Path(f"{path}.restoring").write_bytes(b"half of it")
    Path(f"{path}.before-1").hardlink_to(path)
    assert "2 names" in await refusal(path)
    assert command("restore", copy, path).returncode == 0
    await (await opened(path, clock)).close()


# Giving up, and what cannot be undone


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_a_start_that_is_cancelled_leaves_neither_a_lock_nor_a_thread(path: Path, turns: int) -> None:
    before = set(threading.enumerate())
    starting = start_server(reactor, journal=f"sqlite:{path}")
    for _ in range(turns):
        await deferLater(reactor, 0)
    starting.cancel()
    try:
        server = await starting
    except CancelledError:
        pass
    else:
        await server.close()
    while set(threading.enumerate()) - before:
        await deferLater(reactor, 0.01)
    Lock(path).release()


async def test_after_an_undo_that_failed_nothing_is_taken_until_a_restart(
    path: Path, clock: Clock, logged_failures: list[Failure]
) -> None:
    disk = Disk()
    journal = await open_sqlite(path, reactor, clock, disk.name)

    def undo(_kept: int) -> None:
        raise RuntimeError("beyond repair")

    await journal.replay(nothing_applied, undo)
    await journal.write(journal.record, SMALL)
    disk.before = fail_at(1)
    with pytest.raises(StorageUnavailable):
        await journal.write(journal.record, SMALL)
    for _ in range(20):
        clock.advance(1)
        await deferLater(reactor, 0.01)
    assert isinstance(journal.refusal, StorageUnavailable)
    with pytest.raises(StorageUnavailable):
        await journal.write(journal.record, SMALL)
    assert [str(one.value) for one in logged_failures] == ["beyond repair"]
    logged_failures.clear()
    await journal.close()
    await (await opened(path, clock)).close()


def test_the_command_line_knows_them_all() -> None:
    told: Any = subprocess.run([BIN / "caucus-journal", "--help"], capture_output=True, text=True, check=True)
    for action in ("check", "backup", "restore", "export", "audit"):
        assert action in told.stdout
