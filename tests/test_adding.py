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
FILES = {"operation": 6, "field": 3, "error": 3}
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
    for part in ("caucus", "twisted"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.cache"))
    patch = PATCHES / f"{name}.patch"
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", "-C1", str(patch)], cwd=folder, env=environment, check=True)
    body = {"operation": OPERATION, "field": FIELD, "error": ERROR}[name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{body}", body)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    described: Mapping[str, object] = json.loads(done.stdout)
    return described


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
