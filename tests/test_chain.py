"""The chain of a journal's file: nothing in it is changed, dropped or put elsewhere unnoticed."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock

from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.journals.chain import BEGINNING, link
from caucus.journals.codec import FORMAT, decode_event, encode_event
from caucus.journals.database import Database
from caucus.journals.files import DatabaseError
from caucus.journals.reader import Reader, sound
from caucus.journals.sqlite import open_sqlite
from caucus.model.events import Event, EvidenceAdded, Instant, Said, Stepped
from caucus.testing.events import EVENTS
from tests.daemon import Start, ask
from tests.raw import make_edge
from tests.test_journal_command import command

DATA = Path(__file__).parent / "data"
EVENT_COUNT = 10_000


def test_every_shape_of_an_event_has_the_bytes_that_it_had() -> None:
    """Another shape is another version of the format: then these bytes are made anew, and both are read."""
    golden = json.loads((DATA / "events.json").read_text())
    assert golden["format"] == FORMAT
    assert [encode_event(event).hex() for event in EVENTS] == golden["events"]
    assert [decode_event(bytes.fromhex(text)) for text in golden["events"]] == list(EVENTS)


def test_an_event_with_a_field_more_than_is_known_is_refused() -> None:
    body = encode_event(EVENTS[5])
    assert body[0] == 0x92  # MessagePack's array of two: the tag, and the instant
    with pytest.raises(ValueError, match="not an event"):
        decode_event(b"\x93" + body[1:] + b"\x01")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many events, each with evidence of its own now and then."""
    path = tmp_path_factory.mktemp("chain") / "room.db"
    path.touch()
    database = Database(path)
    for start in range(0, EVENT_COUNT, 100):
        entries = [_entry(number) for number in range(start, start + 100)]
        evidence = [(start + at, data) for at, (_body, data) in enumerate(entries, 1) if data]
        database.append(start, [body for body, _data in entries], evidence)
    database.close()
    return path


def _entry(number: int) -> tuple[bytes, bytes]:
    when = Instant(float(number), float(number))
    if number % 97:
        event: Event = Stepped(when, (Said("room", b'{"body":"%d"}' % number, "agent", number + 1),))
        return encode_event(event), b""
    data = b"%d" % number
    event = EvidenceAdded(when, "room", sha256(data).hexdigest(), len(data))
    return encode_event(event), data


def damaged(written: Path, folder: Path, *statements: tuple[str, tuple[Any, ...]]) -> str:
    """What is found wrong with a copy in which something was changed."""
    copy = folder / "copy.db"
    shutil.copy(written, copy)
    connection = apsw.Connection(str(copy))
    for statement, given in statements:
        connection.execute(statement, given)
        assert connection.changes()
    connection.close()
    with pytest.raises(DatabaseError) as caught:
        sound(copy)
    return str(caught.value)


def test_a_file_that_nobody_touched_is_sound(written: Path) -> None:
    found = sound(written)
    assert found.events == EVENT_COUNT
    head = BEGINNING
    for number in range(EVENT_COUNT):
        head = link(head, _entry(number)[0])
    assert found.head == head


def positions() -> Iterator[int]:
    chance = random.Random(1)
    yield from (1, EVENT_COUNT)
    yield from (chance.randint(2, EVENT_COUNT - 1) for _ in range(6))


@pytest.mark.parametrize("position", list(positions()))
@pytest.mark.parametrize("column", ["body", "digest"])
def test_one_flipped_byte_is_found_and_its_event_named(
    written: Path, tmp_path: Path, position: int, column: str
) -> None:
    connection = apsw.Connection(str(written), apsw.SQLITE_OPEN_READONLY)
    value = bytearray(connection.execute(f"SELECT {column} FROM event WHERE position = ?", (position,)).get)
    connection.close()
    value[random.Random(position).randrange(len(value))] ^= 1
    problem = damaged(
        written, tmp_path, (f"UPDATE event SET {column} = ? WHERE position = ?", (bytes(value), position))
    )
    assert f"event {position} " in problem


def test_a_dropped_event_is_found(written: Path, tmp_path: Path) -> None:
    assert damaged(
        written,
        tmp_path,
        ("DELETE FROM event WHERE position = 500", ()),
        ("UPDATE event SET position = position - 1 WHERE position > 500", ()),
    ).startswith("event 500 is not the one that was written")


def test_two_swapped_events_are_found(written: Path, tmp_path: Path) -> None:
    swap = "UPDATE event SET position = ? WHERE position = ?"
    problem = damaged(written, tmp_path, (swap, (0, 700)), (swap, (700, 701)), (swap, (701, 0)))
    assert problem.startswith("event 700 is not the one that was written")


def test_evidence_that_was_changed_is_found(written: Path, tmp_path: Path) -> None:
    problem = damaged(written, tmp_path, ("UPDATE evidence SET data = x'00' WHERE position = 98", ()))
    assert problem == "the evidence of event 98 is not what was written"


def test_a_head_that_was_written_down_proves_what_a_copy_holds(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "room.db"
    daemon = start("caucus-backbone", f"--journal=sqlite:{file}", CAUCUS_TOKENS="tok:a:o")
    (url,) = daemon.until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")
    early = command("check", file).stdout.strip().rpartition(" ")[2]
    ask(f"{url}/channels", {"channel": "other"}, "tok")
    told = command("check", "--head", early, file)
    assert (told.returncode, told.stdout.rpartition("; ")[2]) == (
        0,
        "the head that was asked for is event 3\n",
    )
    other = command("check", "--head", "0" * 64, file)
    assert (other.returncode, other.stdout) == (1, "")
    assert "no event in it has the digest" in other.stderr
    assert "64 hexadecimal digits" in command("check", "--head", "xyz", file).stderr
    lines = [json.loads(line) for line in command("export", file).stdout.splitlines()]
    assert lines[2]["digest"] == early


def test_a_file_of_the_first_version_is_checked_as_far_as_it_goes() -> None:
    told = command("check", DATA / "schema-1.db")
    assert told.stdout.endswith("sound, 15 events; it has no chain, being of the first version\n")
    assert [row.position for row in Reader(DATA / "schema-1.db").rows()] == list(range(1, 16))


def test_a_file_of_the_first_version_starts_with_all_that_was_in_it(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "room.db"
    shutil.copy(DATA / "schema-1.db", file)
    was = json.loads((DATA / "schema-1.json").read_text())
    tokens = "tok-alice:alice-agent:alice,tok-bob:bob-agent:bob"
    (url,) = start("caucus-backbone", f"--journal=sqlite:{file}", CAUCUS_TOKENS=tokens).until_listening()
    assert ask(f"{url}/channels") == was["channels"]
    for channel in ("incident", "other"):
        assert ask(f"{url}/channels/{channel}/read", {"cursor": 0}) == was[channel]
    lost = ask(f"{url}/channels/incident/claim", {**CLAIM, "target": "db"}, "tok-bob")
    assert lost["outcome"] == "already_claimed"
    assert lost["by"]["agent_id"] == "alice-agent"
    won = ask(f"{url}/channels/incident/claim", {**CLAIM, "target": "web"}, "tok-alice")
    assert won["outcome"] == "granted"
    assert sound(file).events >= 16


async def test_a_retry_of_what_the_first_version_answered_is_answered_as_it_was(tmp_path: Path) -> None:
    file, was = tmp_path / "room.db", json.loads((DATA / "schema-1.json").read_text())
    shutil.copy(DATA / "schema-1.db", file)
    clock, tokens = Clock(), Tokens.parse("tok-alice:alice-agent:alice,tok-bob:bob-agent:bob")
    journal = await open_sqlite(file, reactor, clock)
    backbone = Backbone(journal, clock, wall=lambda: WRITTEN + 3600, tokens=tokens)
    await backbone.replay()
    await backbone.begin_run()
    start = journal.position
    edge = make_edge(backbone=backbone, clock=clock, tokens=tokens)
    data = b"evidence\x00\xff"
    upload = f"/channels/incident/artifacts/{sha256(data).hexdigest()}"
    ulid = "01ARZ3NDEKTSV4RRFFQ69G5FA"
    create = {"channel": "incident", "purpose": "disk"}
    post = {"type": "note", "msg_id": f"{ulid}V", "body": "noted"}
    claim = {"type": "claim", "msg_id": f"{ulid}A", "body": "mine", "target": "db", "lease_ttl": 3600}
    done = {"type": "claim", "msg_id": f"{ulid}C", "body": "done", "target": "web"}
    retries: list[tuple[str, str, str, object, str]] = [
        ("create", "POST", "/channels", create, "tok-alice"),
        ("append", "POST", "/channels/incident/append", post, "tok-bob"),
        ("claim", "POST", "/channels/incident/claim", claim, "tok-alice"),
        ("done", "POST", "/channels/incident/done", done, "tok-bob"),
        ("put", "PUT", upload, data, "tok-alice"),
    ]
    for name, method, path, body, token in retries:
        key = (("Idempotency-Key", f"k-{name}"),)
        assert edge.ask(method, path, body, token, key).json == was[name]
        assert journal.position == start
    other = edge.ask("PUT", upload, b"evidence\x00\xfe", "tok-alice", (("Idempotency-Key", "k-put"),))
    assert other.code == "idempotency_mismatch"
    await journal.close()


WRITTEN = 1_795_703_000
"""About when the file of the first version was written, in seconds since the epoch."""
CLAIM = {"type": "claim", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "mine"}
