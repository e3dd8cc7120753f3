"""The SQLite journal's file: who may open it, and what is refused."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from caucus.errors import ConfigurationError
from caucus.journals import committing
from caucus.journals.files import DatabaseError
from caucus.journals.migrations import MIGRATIONS
from caucus.journals.reader import sound
from caucus.journals.sqlite import open_sqlite
from tests.journals import nothing_applied
from tests.test_sqlite import SMALL, opened

OLD = Path(__file__).parent / "data" / "schema-1.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await open_sqlite(path, reactor, Clock())
    line = str(caught.value)
    assert line.startswith(f"--journal sqlite:{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"--journal sqlite:{path}: ")


async def test_only_its_user_may_read_the_file(path: Path, clock: Clock) -> None:
    journal = await opened(path, clock)
    await journal.write(journal.record, SMALL)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert set(modes) == {"room.db", "room.db-wal", "room.db-shm", "room.db.lock"}
    assert set(modes.values()) == {0o600}
    await journal.close()


async def test_a_second_daemon_is_refused_also_by_another_path(path: Path, clock: Clock) -> None:
    journal = await opened(path, clock)
    other = path.with_name("link.db")
    other.symlink_to(path)
    assert await refused(path) == await refused(other) == "another backbone is using it"
    await journal.close()
    await (await opened(other, clock)).close()


async def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(path: Path, clock: Clock) -> None:
    await (await opened(path, clock)).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    before = path.read_bytes()
    assert await refused(path) == "a newer version made it (schema 99, this one knows 2)"
    assert path.read_bytes() == before


async def test_a_file_of_an_older_version_is_copied_and_migrated(path: Path, clock: Clock) -> None:
    shutil.copy(OLD, path)
    path.chmod(0o600)
    journal = await opened(path, clock)
    assert journal.position == 15
    await journal.close()
    versions = {}
    for one in (path, path.with_name("room.db.schema-1")):
        connection = apsw.Connection(str(one))
        columns = [row[1] for row in connection.execute("PRAGMA table_info(event)")]
        versions[connection.pragma("user_version")] = (columns, stat.S_IMODE(one.stat().st_mode))
        connection.close()
    assert versions == {1: (["position", "body"], 0o600), 2: (["position", "body", "digest"], 0o600)}
    assert sound(path).events == 15


async def test_a_migration_that_fails_changes_nothing(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(OLD, path)

    def fail(connection: apsw.Connection) -> None:
        connection.execute("DROP TABLE event; INSERT INTO nowhere VALUES (1)")

    with monkeypatch.context() as patched:
        patched.setitem(MIGRATIONS, 1, fail)
        assert "nowhere" in await refused(path)
    journal = await opened(path, clock)
    assert journal.position == 15
    await journal.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not a database, but long enough to be one" * 99, "file is not a database"), (None, "something else")],
)
async def test_what_is_no_journal_is_refused_and_left_alone(
    path: Path, content: bytes | None, reason: str
) -> None:
    if content is None:
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE recipes (name)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    assert reason in await refused(path)
    assert path.read_bytes() == before


async def test_a_path_where_no_file_can_be_is_one_line(tmp_path: Path) -> None:
    assert await refused(tmp_path / "nowhere" / "room.db") == "No such file or directory"
    assert await refused(tmp_path) in ("it is not a file", "Is a directory")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("DELETE FROM event WHERE position = 1", "event 1 is missing"),
        ("UPDATE event SET body = x'00' WHERE position = 2", "event 2 cannot be read"),
    ],
)
async def test_a_log_with_a_hole_or_a_bad_event_does_not_start(
    path: Path, clock: Clock, spoil: str, reason: str
) -> None:
    journal = await opened(path, clock)
    for _ in range(2):
        journal.write(journal.record, SMALL)
    await journal.close()
    connection = apsw.Connection(str(path))
    connection.execute(spoil)
    connection.close()
    journal = await open_sqlite(path, reactor, clock)
    with pytest.raises(DatabaseError, match=reason):
        await journal.replay(nothing_applied, lambda _kept: None)
    await journal.close()


async def test_a_long_replay_shows_how_far_it_is(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await opened(path, clock)
    for _ in range(10):
        journal.write(journal.record, SMALL)
    await journal.close()
    monkeypatch.setattr(committing, "CHUNK", 4)
    told: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        told.append(str(formatEvent(event)))

    globalLogPublisher.addObserver(observe)
    journal = await open_sqlite(path, reactor, clock)
    await journal.replay(lambda _event, _evidence, _position: clock.advance(0.5), lambda _kept: None)
    globalLogPublisher.removeObserver(observe)
    await journal.close()
    assert [line for line in told if "Replayed" in line] == [
        "Replayed 4 of 10 events",
        "Replayed 8 of 10 events",
    ]
