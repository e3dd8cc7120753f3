"""The Model Context Protocol with the real programs: its conformance suite, its SDKs, its inspector."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from caucus.agents.tools import TOOLS
from tests.daemon import Start, ask

NPM = Path(sys.prefix) / "npm" / "node_modules" / ".bin"
HERE = Path(__file__).parent
needs_npm = pytest.mark.skipif(
    not (NPM / "node").exists(), reason="what tests/npm/package.json names is not installed: make test does"
)
NAMES = [tool.name for tool in TOOLS]
NOTHING = "Room room:\nNobody holds anything."
OWN_TOOLS = {
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "sep-2575-http-server-no-independent-requests-on-stream",
    "sep-2575-server-no-log-without-loglevel",
}
"""Checks that need tools of the suite's own."""


def run(command: Sequence[str | Path], cwd: Path, status: int | None = 0) -> str:
    environment = {**os.environ, "PATH": f"{NPM}:{os.environ['PATH']}", "NO_COLOR": "1", "HOME": str(cwd)}
    done = subprocess.run(
        command, check=False, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert status is None or done.returncode == status, done.stdout + done.stderr
    return done.stdout


def room(start: Start) -> str:
    """The address of a daemon's door, with a room."""
    (url,) = start("caucus-backbone", CAUCUS_TOKENS="tok:bob-laptop:bob").until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    return url + "/mcp"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_python_sdk_lists_and_calls(start: Start, mode: str) -> None:
    told = json.loads(run([sys.executable, HERE / "mcp_client.py", room(start), "tok", mode], start.folder))
    assert told == {"tools": NAMES, "text": NOTHING}


@needs_npm
@pytest.mark.parametrize("client", ["client-1.mjs", "client-2.mjs"])
def test_the_typescript_sdks_list_and_call(start: Start, client: str) -> None:
    script = NPM.parent.parent / client  # beside the modules that it imports
    script.write_text((HERE / "npm" / client).read_text())
    told = json.loads(run([NPM / "node", script, room(start), "tok"], start.folder))
    assert told == {"tools": NAMES, "text": NOTHING}


@needs_npm
def test_the_inspector_lists_and_calls(start: Start) -> None:
    url = room(start)
    token = ("--header", "Authorization: Bearer tok")
    inspect: list[str | Path] = [NPM / "mcp-inspector", "--cli", url, "--transport", "http", *token]
    listed = json.loads(run([*inspect, "--method", "tools/list"], start.folder))
    assert [tool["name"] for tool in listed["tools"]] == NAMES
    called = json.loads(run([*inspect, "--method", "tools/call", "--tool-name", "board"], start.folder))
    assert called["content"] == [{"type": "text", "text": NOTHING}]


@needs_npm
@pytest.mark.parametrize(
    ("scenario", "revision"),
    [
        ("server-stateless", "2026-07-28"),
        ("http-header-validation", "2026-07-28"),
        ("dns-rebinding-protection", "2026-07-28"),
        ("tools-list", "2026-07-28"),
        ("server-initialize", "2025-11-25"),
        ("server-session-lifecycle", "2025-11-25"),
        ("tools-list", "2025-11-25"),
        ("ping", "2025-11-25"),
        ("logging-set-level", "2025-11-25"),
    ],
)
def test_the_conformance_suite_finds_nothing(start: Start, scenario: str, revision: str) -> None:
    (url,) = start.command([sys.executable, str(HERE / "mcp_server.py")]).until_listening()
    asked = ["--url", url + "/mcp", "--scenario", scenario, "--spec-version", revision]
    told = run([NPM / "conformance", "server", *asked], start.folder, status=None)
    results = re.findall(r"\[(\S+)\s*\]\S* (?:\S*?)(SUCCESS|FAILURE|WARNING|SKIPPED|INFO)", told)
    assert results, told
    wrong = {name for name, how in results if how in ("FAILURE", "WARNING")}
    assert wrong == (OWN_TOOLS if scenario == "server-stateless" else set()), told
