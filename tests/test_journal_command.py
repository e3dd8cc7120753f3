"""`caucus-journal`: check, backup and export, beside a daemon that is writing."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.daemon import BIN, Start, ask

NOTE = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "text"}
CLAIM = {**NOTE, "type": "claim", "target": "t", "lease_ttl": 60}


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "caucus-journal"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def file(start: Start, tmp_path: Path) -> Path:
    """A journal that a running daemon has open, with an event of each kind."""
    file = tmp_path / "room.db"
    tokens = {"CAUCUS_TOKENS": "tok:alice-agent:alice", "CAUCUS_ADMIN_TOKEN": "adm"}
    (url,) = start("caucus-backbone", f"--journal=sqlite:{file}", **tokens).until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")
    ask(f"{url}/channels/room/append", NOTE, "tok")
    ask(f"{url}/channels/room/claim", CLAIM, "tok")
    ask(f"{url}/channels/room/done", CLAIM, "tok")
    ask(f"{url}/admin/tokens", {"agent_id": "dave-agent", "owner": "dave"}, "adm")
    return file


def test_export_writes_every_event_as_a_line(file: Path) -> None:
    told = command("export", file)
    assert (told.returncode, told.stderr) == (0, "")
    lines: list[dict[str, Any]] = [json.loads(line) for line in told.stdout.splitlines()]
    assert [line["position"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    began, owing = lines.pop(0), lines.pop(0)
    assert owing["event"] == "owing_began"
    assert (began["event"], began["extended"]) == ("run_began", [])
    kinds = ["channel_created", *["stepped"] * 3, "tokens_changed"]
    assert [line["event"] for line in lines] == kinds
    assert lines[1]["said"][0]["message"]["body"] == "text"
    holder = {"agent_id": "alice-agent", "owner": "alice", "lease_ttl": 60}
    taken = {"channel": "room", "target": "t", "manner": "granted", "holder": holder}
    assert (lines[1]["moved"], lines[2]["moved"]) == ([], [taken])
    assert lines[3]["moved"] == [{**taken, "manner": "freed", "holder": None}]
    assert len(lines[4]["minted"]["digest"]) == 12


def test_a_sound_file_is_sound_and_so_is_its_copy(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert re.fullmatch(rf"{file}: sound, 7 events, head [0-9a-f]{{64}}\n", command("check", file).stdout)
    assert command("backup", file, copy).returncode == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (
        command("check", copy).stdout.partition(": ")[2] == command("check", file).stdout.partition(": ")[2]
    )
    again = command("backup", file, copy)
    assert (again.returncode, again.stderr) == (1, f"caucus-journal: {copy}: File exists\n")
    assert command("export", copy).stdout == command("export", file).stdout


def test_a_daemon_starts_from_a_copy(file: Path, tmp_path: Path, start: Start) -> None:
    command("backup", file, tmp_path / "copy.db")
    daemon = start("caucus-backbone", f"--journal=sqlite:{tmp_path / 'copy.db'}")
    (url,) = daemon.until_listening()
    assert ask(f"{url}/channels/room")["head"] == 3


def test_a_damaged_file_is_told_in_one_line(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    command("backup", file, copy)
    connection = apsw.Connection(str(copy))
    connection.execute("DELETE FROM event WHERE position = 2")
    connection.close()
    told = command("check", copy)
    assert (told.returncode, told.stderr) == (1, f"caucus-journal: {copy}: event 2 is missing\n")


def test_the_audit_says_who_was_minted_rotated_and_revoked(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "room.db"
    daemon = start("caucus-backbone", f"--journal=sqlite:{file}", CAUCUS_ADMIN_TOKEN="adm")
    (url,) = daemon.until_listening()
    dave = {"agent_id": "dave-agent", "owner": "dave"}
    shown = [ask(f"{url}/admin/tokens", dave, "adm")["token"]]
    shown += [ask(f"{url}/admin/tokens/rotate", dave, "adm")["token"]]
    ask(f"{url}/admin/tokens/revoke", {"agent_id": "dave-agent"}, "adm")
    first, second = (sha256(token.encode()).hexdigest()[:12] for token in shown)
    lines = [json.loads(line) for line in command("audit", file).stdout.splitlines()]
    said = [json.loads(line) for line in daemon.end()[2].splitlines() if line.startswith("{")]
    for line in [*lines, *said]:
        assert line.pop("kind") == "caucus.admin.audit"
        assert line.pop("ts").endswith("Z")
    assert lines == [
        {"op": "mint", "result": "ok", "digest": first, **dave},
        {"op": "rotate", "result": "ok", "digest": second, "replaced": [first], **dave},
        {"op": "revoke", "result": "revoked", "digest": second, **dave},
    ]
    assert [(one["op"], one["result"]) for one in said] == [(one["op"], one["result"]) for one in lines]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["check", "nowhere.db"], "nowhere.db: No such file or directory"),
        (["check", __file__], f"{__file__}: file is not a database"),
        (["check"], "Wrong number of arguments."),
        ([], "an action is needed: check, backup, restore, export, audit or copy"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], line: str) -> None:
    told = command(*arguments)
    assert (told.returncode, told.stdout, told.stderr) == (1, "", f"caucus-journal: {line}\n")


def test_an_artifact_is_exported_with_its_bytes(start: Start, tmp_path: Path) -> None:
    import urllib.request  # noqa: PLC0415

    file = tmp_path / "room.db"
    daemon = start("caucus-backbone", f"--journal=sqlite:{file}", CAUCUS_TOKENS="tok:alice-agent:alice")
    (url,) = daemon.until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")
    address = sha256(b"evidence").hexdigest()
    request = urllib.request.Request(f"{url}/channels/room/artifacts/{address}", b"evidence", method="PUT")
    request.add_header("Authorization", "Bearer tok")
    urllib.request.urlopen(request, timeout=20).close()
    exported = json.loads(command("export", file).stdout.splitlines()[3])
    assert (exported["sha256"], exported["data"]) == (address, "ZXZpZGVuY2U=")
