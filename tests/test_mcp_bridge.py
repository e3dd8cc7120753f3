"""``caucus mcp``: lines on standard input, and what comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon import BIN, SECONDS, Start, ask


class Bridge:
    """A bridge as a process, and what it is asked."""

    def __init__(self, url: str, token: str = "tok", room: str = "room") -> None:
        environment = {**os.environ, "CAUCUS_URL": url, "CAUCUS_TOKEN": token, "CAUCUS_ROOM": room}
        self.process = subprocess.Popen(
            [BIN / "caucus", "mcp"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def say(self, number: int | None, method: str, **params: object) -> None:
        assert self.process.stdin is not None
        named = {} if number is None else {"id": number}
        self.process.stdin.write(
            json.dumps({"jsonrpc": "2.0", **named, "method": method, "params": params}) + "\n"
        )
        self.process.stdin.flush()

    def call(self, number: int, tool: str, **arguments: object) -> None:
        self.say(number, "tools/call", name=tool, arguments=arguments)

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def text(self) -> str:
        return str(self.hear()["result"]["content"][0]["text"])

    def end(self) -> tuple[int, str, str]:
        out, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, errors


@pytest.fixture
def started() -> Iterator[list[Bridge]]:
    bridges: list[Bridge] = []
    yield bridges
    for bridge in bridges:
        bridge.process.kill()
        bridge.process.communicate()


def daemon(start: Start, *options: str) -> str:
    (url,) = start("caucus-backbone", *options, CAUCUS_TOKENS="tok:bob-laptop:bob").until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    return url


def test_it_carries_what_is_asked_and_answered(start: Start, started: list[Bridge]) -> None:
    bridge = Bridge(daemon(start))
    started.append(bridge)
    bridge.say(1, "initialize", protocolVersion="2025-11-25")
    assert bridge.hear()["result"]["protocolVersion"] == "2025-11-25"
    bridge.say(None, "notifications/initialized")
    bridge.call(2, "board")
    assert bridge.text() == "Room room:\nNobody holds anything."
    assert bridge.end() == (0, "", "")


def test_a_modern_message_gets_its_headers(start: Start, started: list[Bridge]) -> None:
    bridge = Bridge(daemon(start))
    started.append(bridge)
    name = "io.modelcontextprotocol"
    meta = {f"{name}/protocolVersion": "2026-07-28", f"{name}/clientCapabilities": {}}
    bridge.say(1, "tools/call", name="board", arguments={}, _meta=meta)
    assert bridge.hear()["result"]["resultType"] == "complete"


def test_a_call_that_waits_holds_up_none(start: Start, started: list[Bridge]) -> None:
    bridge = Bridge(daemon(start))
    started.append(bridge)
    bridge.call(1, "wait", seconds=1)
    bridge.call(2, "board")
    assert [bridge.hear()["id"], bridge.hear()["id"]] == [2, 1]


def test_it_goes_on_with_a_daemon_that_was_started_again(start: Start, started: list[Bridge]) -> None:
    url = daemon(start, "--journal=sqlite:room.db")
    bridge = Bridge(url)
    started.append(bridge)
    bridge.call(1, "post", body="before")
    assert "[1]" in bridge.text()
    start.started[-1].end(signal.SIGTERM)
    bridge.call(2, "post", body="away")
    assert "not to be reached" in bridge.hear()["error"]["message"]
    port = url.rpartition(":")[2]
    start(
        "caucus-backbone", "--journal=sqlite:room.db", PORT=port, CAUCUS_TOKENS="tok:bob-laptop:bob"
    ).until_listening()
    bridge.call(3, "post", body="after")
    assert "[2]" in bridge.text()


def test_a_token_that_is_unknown_is_told_to_the_agent(start: Start, started: list[Bridge]) -> None:
    bridge = Bridge(daemon(start), token="nonsense")
    started.append(bridge)
    bridge.say(1, "initialize", protocolVersion="2025-11-25")
    assert "missing or invalid token" in bridge.hear()["error"]["message"]


def test_a_line_that_is_no_message_is_answered_by_the_daemon(start: Start, started: list[Bridge]) -> None:
    bridge = Bridge(daemon(start))
    started.append(bridge)
    assert bridge.process.stdin is not None
    bridge.process.stdin.write("{\n\n")
    bridge.process.stdin.flush()
    assert bridge.hear()["error"]["code"] == -32700


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [("http://127.0.0.1:1", "", "CAUCUS_TOKEN is not set"), ("nonsense", "tok", "is no address")],
)
def test_it_does_not_start_without_what_it_needs(
    started: list[Bridge], url: str, token: str, said: str
) -> None:
    bridge = Bridge(url, token)
    started.append(bridge)
    status, out, errors = bridge.end()
    assert (status, out) == (2, "")
    assert errors.startswith("caucus mcp: ")
    assert said in errors


def test_it_imports_the_standard_library_alone() -> None:
    code = "import sys, caucus.commands.mcp; print(*sys.modules)"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names
    assert {name for name in loaded if not name.startswith("_")} <= {"caucus", "sitecustomize"}
