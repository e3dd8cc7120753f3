"""A daemon whose disk fills up: reads go on, writes are refused, and come back with the room."""

from __future__ import annotations

import json
import time
import urllib.error
from pathlib import Path
from typing import Any

from tests.daemon import WAYS, Start, ask

SIZE = 600 * 1024
ROOMY = ["--max-posts-per-minute=1000000", "--port=0", "--max-messages-per-channel=1000000"]


def post(url: str, number: int) -> tuple[int, Any]:
    body = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": f"{number} " + "x" * 8000}
    try:
        return 201, ask(f"{url}/channels/room/append", body, "tok")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def ready(url: str) -> bool:
    try:
        return bool(ask(f"{url}/readyz")["ready"])
    except urllib.error.HTTPError as error:
        error.close()
        return False


def until_ready(url: str) -> None:
    deadline = time.monotonic() + 10
    while not ready(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the daemon is another process: its clock is not ours


def test_writes_come_back_when_a_full_disk_has_room_again(start: Start, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    daemon_command = [*WAYS["caucus-backbone"], *ROOMY, f"--journal=sqlite:{small}/room.db"]
    mount = f"mount -t tmpfs -o size={SIZE} none {small} && head -c {SIZE // 3} /dev/zero > {small}/filler"
    shell = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", *daemon_command]
    daemon = start.command(shell, {"CAUCUS_TOKENS": "tok:alice-agent:alice"})
    (url,) = daemon.until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")

    answers: list[tuple[int, Any]] = []
    while not answers or answers[-1][0] == 201:
        answers.append(post(url, len(answers)))
    acknowledged = len(answers) - 1
    assert acknowledged > 3
    assert (answers[-1][0], answers[-1][1]["error"]["code"]) == (503, "storage_unavailable")
    assert "Traceback" not in daemon.errors()
    page = ask(f"{url}/channels/room/read", {"cursor": 0})
    assert [message["body"].split()[0] for message in page["messages"]] == [
        str(number) for number in range(acknowledged)
    ]

    Path(f"/proc/{daemon.process.pid}/root{small}/filler").unlink()
    until_ready(url)
    assert post(url, 999)[1]["cursor"] == acknowledged + 1
    status, _out, errors = daemon.end()
    assert status == 0
    assert "events were not committed" in errors
    assert "open again" in errors
