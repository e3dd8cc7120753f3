"""Adding is cheap: made-up patches in ``patches/`` are applied to a copy, and run against a client.

When one does not apply any more, what it adds to has changed: add the same thing there anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATCHES = Path(__file__).with_name("patches")
FILES = {"operation": 6, "field": 3, "error": 3, "event": 4}
"""The most files of ``caucus/`` for each."""

OPERATION = """
    for number in range(3):
        await backbone.append("room", Message("note", f"post {number}"))
    page = await backbone.read_last("room", 2)
    assert [message.body for message in page.messages] == ["post 1", "post 2"]
    assert page.cursor == 3
    try:
        await backbone.read_last("room", 0)
    except errors.InvalidCursor:
        pass
    else:
        raise AssertionError("a count of nothing was taken")
"""
FIELD = """
    appended = await backbone.append("room", Message("note", "x", runbook="disk-full"))
    assert appended.message.runbook == "disk-full"
    page = await backbone.read_since("room", 0)
    assert page.messages[0].runbook == "disk-full"
    try:
        await backbone.append("room", Message("note", "y", runbook="\\x1b"))
    except errors.InvalidMessage as error:
        assert error.issues == ("runbook must not contain control characters",)
    else:
        raise AssertionError("a control character was taken")
"""
ERROR = """
    try:
        await backbone.append("room", Message("note", "at night"))
    except errors.QuietHours as error:
        assert error.retry_after == 3600
    else:
        raise AssertionError("it was not refused")
"""
EVENT_PROGRAM = """
import json
from pathlib import Path
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from caucus.core import channels
from caucus.core.backbone import Backbone
from caucus.journals import open_journal
from caucus.journals.reader import Reader
from caucus.journals.shown import exported

async def main(reactor):
    for purpose in ("disk", "network"):
        journal = await open_journal("sqlite:room.db", reactor, reactor)
        backbone = Backbone(journal, reactor)
        await backbone.replay()
        if purpose == "disk":
            await backbone.create_channel("room", purpose="disk")
            await backbone._core.write(channels.change_purpose, None, "room", "network")
        described = await backbone.describe_channel("room")
        assert described.purpose == "network"
        await backbone.end_run()
        await journal.close()
    print(json.dumps([exported(row) for row in Reader(Path("room.db")).rows()]))

react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""
PROGRAM = """
import json
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from treq.client import HTTPClient
from twisted.web.client import Agent
from caucus import HTTPBackbone, Message, errors, start_server

async def main(reactor):
    server = await start_server(reactor, tokens="tok:a:o", http="llhttp")
    backbone = HTTPBackbone(reactor, server.url, "tok")
    await backbone.create_channel("room")
{body}
    answer = await HTTPClient(Agent(reactor)).get(server.url + "/openapi.json")
    print(json.dumps(await answer.json()))
    await backbone.close()
    await server.close()

react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


def applied(name: str, folder: Path) -> Mapping[str, object]:
    """The OpenAPI description of a copy with this patch, once a client has used what it adds."""
    body = {"operation": OPERATION, "field": FIELD, "error": ERROR}[name]
    described: Mapping[str, object] = json.loads(run_with(name, folder, PROGRAM.replace("{body}", body)))
    return described


def run_with(name: str, folder: Path, program: str) -> str:
    """What a program prints that runs in a copy with this patch."""
    for part in ("caucus", "twisted"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.cache"))
    patch = PATCHES / f"{name}.patch"
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", "-C1", str(patch)], cwd=folder, env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_a_made_up_addition_takes_few_files(name: str) -> None:
    patch = (PATCHES / f"{name}.patch").read_text(encoding="utf-8")
    files = re.findall(r"^\+\+\+ b/(\w+)/", patch, re.MULTILINE)
    assert set(files) == {"caucus"}
    assert len(files) <= FILES[name]


def test_a_made_up_operation_works_from_end_to_end(tmp_path: Path) -> None:
    described = json.dumps(applied("operation", tmp_path))
    assert "/channels/{channel}/last" in described


def test_a_made_up_message_field_works_from_end_to_end(tmp_path: Path) -> None:
    described = json.dumps(applied("field", tmp_path))
    assert described.count('"runbook": {"type": "string"') == 5  # what may be sent, and what was stored


def test_a_made_up_error_works_from_end_to_end(tmp_path: Path) -> None:
    described = json.dumps(applied("error", tmp_path))
    assert "quiet_hours" in described


def test_a_made_up_event_works_from_its_decision_to_its_replay_and_its_export(tmp_path: Path) -> None:
    lines = json.loads(run_with("event", tmp_path, EVENT_PROGRAM))
    told = [line for line in lines if line["event"] == "purpose_changed"]
    assert [(line["channel"], line["purpose"]) for line in told] == [("room", "network")]
