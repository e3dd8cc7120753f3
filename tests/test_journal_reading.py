"""Reading a journal's file: where nothing can be written, beside a daemon, and after one was killed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import apsw
import pytest
from twisted.internet.task import Clock

from caucus.journals import database as database_room
from caucus.journals.reader import Reader, sound
from tests.test_journal_command import command
from tests.test_journal_files import filled, leave_behind, mount, refusal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("how", ["a copy", "closed"])
async def test_reading_leaves_nothing_beside_a_file_that_nobody_uses(
    tmp_path: Path, clock: Clock, how: str
) -> None:
    path = tmp_path / "room.db"
    await (await filled(path, clock, 2)).close()
    folder = tmp_path / "backups"
    folder.mkdir()
    copy = folder / "copy.db"
    if how == "a copy":
        Reader(path).copy_to(copy)
    else:
        shutil.copy(path, copy)
    assert sound(copy).events == 2
    assert command("export", copy).stdout.count("\n") == 2
    assert [one.name for one in folder.iterdir()] == ["copy.db"]


async def test_reading_works_on_read_only_media(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "room.db"
    await (await filled(path, clock, 2)).close()
    folder = tmp_path / "media"
    folder.mkdir()
    shutil.copy(path, folder / "closed.db")
    Reader(path).copy_to(folder / "copy.db")
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,ro,bind", folder)
        for name in ("closed.db", "copy.db"):
            assert sound(folder / name).events == 2
            assert command("backup", folder / name, tmp_path / f"again-{name}").returncode == 0
            assert sound(tmp_path / f"again-{name}").events == 2
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_reading_what_a_crash_left_leaves_nothing_beside_it(path: Path, clock: Clock) -> None:
    journal = await filled(path, clock, 3)
    folder = path.with_name("left")
    folder.mkdir()
    leave_behind(path, folder / "killed.db")
    await journal.close()
    assert sound(folder / "killed.db").events == 3
    assert command("export", folder / "killed.db").stdout.count("\n") == 3
    assert sorted(one.name for one in folder.iterdir()) == ["killed.db", "killed.db-wal"]


async def test_a_lock_file_that_cannot_be_opened_is_named(path: Path) -> None:
    Path(f"{path}.lock").mkdir()
    assert await refusal(path) == "room.db.lock: Is a directory"


async def test_a_daemon_that_comes_while_the_file_is_read_is_noticed(path: Path, clock: Clock) -> None:
    await (await filled(path, clock, 2)).close()
    reader = Reader(path)
    used = iter([False, True])
    reader._is_used = lambda: next(used)  # type: ignore[method-assign]
    looked: list[bool] = []

    def look(connection: apsw.Connection) -> int:
        looked.append(True)
        return len(looked)

    assert reader._look(look) == 2


def test_a_backup_that_cannot_be_made_names_the_copy_and_the_reason(path: Path, tmp_path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t (x)")
    connection.pragma("application_id", database_room.APPLICATION_ID)
    connection.close()
    (tmp_path / "there.db").touch()
    for copy, reason in (("there.db", "File exists"), ("no/copy.db", "No such file or directory")):
        told = command("backup", path, tmp_path / copy)
        assert (told.returncode, told.stderr) == (1, f"caucus-journal: {tmp_path / copy}: {reason}\n")
    small = tmp_path / "small"
    small.mkdir()
    mount("-t", "tmpfs", "-o", "size=8k", "none", small)
    try:
        told = command("backup", path, small / "copy.db")
        assert told.stderr == f"caucus-journal: {small}/copy.db: the disk is full\n"
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
