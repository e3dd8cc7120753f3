"""A room moves between SQLite and PostgreSQL; and what the commands say of a log there."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from twisted.internet import reactor

from caucus.commands.journal import main
from caucus.core.backbone import Backbone
from caucus.interfaces import IJournal
from caucus.journals import open_journal
from caucus.model.events import Event, EvidenceAdded
from caucus.testing.events import EVENTS, evidence_of
from tests.house import note
from tests.postgres import Cluster


def _true(event: Event) -> Event:
    """An event whose evidence is what it says."""
    if isinstance(event, EvidenceAdded):
        return replace(event, sha256=sha256(evidence_of(event)).hexdigest())
    return event


ALL = tuple(map(_true, EVENTS))


async def write(description: str, *events: Event) -> None:
    """Record events in a journal."""
    journal: IJournal = await open_journal(description, reactor, reactor)
    await journal.replay(lambda *_: None, lambda _: None)

    def decide() -> None:
        for event in events:
            journal.record(event, evidence_of(event))

    await journal.write(decide)
    await journal.close()


async def read(description: str) -> tuple[str, list[tuple[Event, bytes]]]:
    """A journal's name and all that is in it."""
    journal: IJournal = await open_journal(description, reactor, reactor)
    found: list[tuple[Event, bytes]] = []
    await journal.replay(lambda event, evidence, _: found.append((event, evidence)), lambda _: None)
    await journal.close()
    return journal.journal_id, found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints."""
    main(arguments)
    return capsys.readouterr().out


def head(line: str) -> str:
    return line.partition("head ")[2].strip()


async def test_a_room_moves_to_postgres_and_back_as_it_is(
    tmp_path: Path, postgres: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there, back = f"sqlite:{tmp_path / 'a.db'}", f"postgres:{postgres.dsn()}", f"{tmp_path / 'b.db'}"
    await write(here, *ALL)
    before = await read(here)
    assert said(capsys, "copy", here, there) == f"postgres: {len(ALL)} events, from {here}\n"
    assert await read(there) == before
    assert said(capsys, "copy", there, back) == f"{back}: {len(ALL)} events, from postgres\n"
    assert await read(f"sqlite:{back}") == before
    heads = {head(said(capsys, "check", one)) for one in (here, there, back)}
    assert len(heads) == 1


async def test_a_log_with_events_in_it_is_not_filled(tmp_path: Path, postgres: Cluster) -> None:
    here, there = f"sqlite:{tmp_path / 'a.db'}", f"postgres:{postgres.dsn()}"
    await write(here, *ALL)
    await write(there, EVENTS[0])
    with pytest.raises(SystemExit, match="only an empty one is filled"):
        main(["copy", here, there])
    with pytest.raises(SystemExit, match="File exists"):
        main(["copy", there, here])
    assert len((await read(there))[1]) == 1


async def test_a_room_that_a_daemon_uses_is_not_moved(tmp_path: Path, postgres: Cluster) -> None:
    there = f"postgres:{postgres.dsn()}"
    journal = await open_journal(there, reactor, reactor)
    backbone = Backbone(journal, reactor)
    await backbone.replay()
    await backbone.begin_run()
    with pytest.raises(SystemExit, match="a daemon is using it"):
        main(["copy", there, str(tmp_path / "a.db")])
    assert not (tmp_path / "a.db").exists()
    await backbone.end_run()
    await journal.close()
    main(["copy", there, str(tmp_path / "a.db")])


async def test_a_backup_is_a_file_that_can_be_used(
    tmp_path: Path, postgres: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    there, copy = f"postgres:{postgres.dsn()}", tmp_path / "copy.db"
    journal = await open_journal(there, reactor, reactor)
    backbone = Backbone(journal, reactor)
    await backbone.replay()
    await backbone.begin_run()
    await backbone.create_channel("room")
    await backbone.append("room", note("kept"))
    main(["backup", there, str(copy)])  # while it is used
    assert head(said(capsys, "check", str(copy))) == head(said(capsys, "check", there))
    await backbone.end_run()
    await journal.close()
    assert [type(event).__name__ for event, _ in (await read(f"sqlite:{copy}"))[1]][-1] == "Stepped"


async def test_an_export_is_the_same_from_both(
    tmp_path: Path, postgres: Cluster, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    here, there = str(tmp_path / "a.db"), f"postgres:{postgres.dsn()}"
    await write(f"sqlite:{here}", *ALL)
    main(["copy", here, there])
    capsysbinary.readouterr()
    shown = []
    for one in (here, there):
        main(["export", one])
        main(["audit", one])
        shown.append(capsysbinary.readouterr().out)
    assert shown[0] == shown[1]
    assert len([json.loads(line) for line in shown[0].splitlines()]) > len(ALL)


async def test_a_change_within_is_found(postgres: Cluster) -> None:
    dsn = postgres.dsn()
    await write(f"postgres:{dsn}", *ALL)
    schema = dsn.rpartition("%3D")[2]
    postgres.ask(
        f"UPDATE {schema}.event SET body = (SELECT body FROM {schema}.event WHERE position = 1) "
        "WHERE position = 3"
    )
    with pytest.raises(SystemExit, match="event 3 is not the one that was written"):
        main(["check", f"postgres:{dsn}"])


async def test_what_daemons_write_is_raised_once(
    postgres: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = postgres.dsn()
    await write(f"postgres:{dsn}", EVENTS[0])
    postgres.ask(f"UPDATE {dsn.rpartition('%3D')[2]}.meta SET value = '0' WHERE name = 'writes'")
    assert (
        said(capsys, "upgrade", f"postgres:{dsn}")
        == "postgres: daemons write version 1, from now on, and not 0\n"
    )
    assert said(capsys, "upgrade", f"postgres:{dsn}") == "postgres: daemons write version 1, as before\n"
    with pytest.raises(SystemExit, match="a file is its daemon's alone"):
        main(["upgrade", "room.db"])


@pytest.mark.parametrize("action", ["restore", "backup"])
def test_a_database_is_not_taken_for_a_file(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("postgres:host=h password=s3cret", "postgresql://me:s3cret@h/x", "memory:"):
        with pytest.raises(
            SystemExit, match="that is no file; copy puts a journal into a database"
        ) as caught:
            main([action, "a.db", name])
        assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_is_said_without_the_password(tmp_path: Path) -> None:
    for action in (["check"], ["export"], ["upgrade"], ["backup"]):
        arguments = [
            *action,
            "postgres://me:s3cret@127.0.0.1:1/x",
            *([str(tmp_path / "b")] if action == ["backup"] else []),
        ]
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert str(caught.value).startswith("caucus-journal: postgres: ")
        assert "s3cret" not in str(caught.value)
