"""``caucus doctor``, and the line of a shell by which a harness asks a hook."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from caucus.harnesses.harness import Told, command
from caucus.harnesses.known import HARNESSES
from tests.daemon import SECONDS, Start
from tests.terminal import TOKENS, Terminal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


class Hooked:
    """The line that a harness runs for a hook, run by a shell."""

    def __init__(self, url: str) -> None:
        self.line = command(Told(url, "room").hook("claude", "SessionStart"))

    def run(self) -> tuple[int, str, str]:
        done = subprocess.run(
            ["/bin/sh", "-c", self.line],
            input='{"session_id": "s"}',
            env={**os.environ, "CAUCUS_TOKEN": "tok-bob", "http_proxy": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


def test_the_line_of_a_hook_tells_a_session_what_there_is(start: Start, home: Path) -> None:
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    Terminal(url, "alice", home)("rooms", "--new", "room")
    Terminal(url, "alice", home)("claim", "a'b")
    status, out, errors = Hooked(url).run()
    assert (status, errors) == (0, "")
    assert "alice/alice-laptop" in json.loads(out)["hookSpecificOutput"]["additionalContext"]


def test_the_line_of_a_hook_is_silent_when_nobody_is_there() -> None:
    assert Hooked("http://127.0.0.1:1").run() == (0, "", "")


def test_the_line_of_a_hook_is_silent_when_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        assert Hooked(f"http://127.0.0.1:{hanging.getsockname()[1]}").run() == (0, "", "")


def test_a_doctor_finds_all_well_with_a_round_through_the_hook(start: Start, home: Path) -> None:
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    terminal = Terminal(url, "alice", home)
    terminal("rooms", "--new", "room")
    for name in HARNESSES:
        terminal("setup", name)
    said = terminal("doctor")
    assert said.status == 0, said
    assert "ok   token: you are alice/alice-laptop\n" in said.out
    for name in set(HARNESSES) - {"cursor"}:
        assert f"ok   {name}: its hook is answered within " in said.out


def test_a_doctor_is_not_confused_by_names_that_begin_alike(start: Start, home: Path) -> None:
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    for room in ("prod", "prod-2"):
        Terminal(url, "alice", home)("rooms", "--new", room)
    for name in HARNESSES:
        Terminal(url, "alice", home, "prod-2")("setup", name)
    for name in HARNESSES:
        said = Terminal(url, "alice", home, "prod")("doctor", name)
        assert f"bad  {name}: it is set up for another backbone or room: {url} prod-2" in said.out


def test_a_doctor_says_what_it_cannot_read(start: Start, home: Path) -> None:
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    terminal = Terminal(url, "alice", home)
    terminal("rooms", "--new", "room")
    (home / ".config" / "opencode").mkdir(parents=True)
    (home / ".config" / "opencode" / "opencode.jsonc").write_text("{// mine\n}")
    assert "hm   opencode: " in terminal("doctor").out
    assert terminal("doctor", "opencode").status == 1


def test_a_doctor_says_what_is_wrong(start: Start, home: Path) -> None:
    daemon = start("caucus-backbone", CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    terminal = Terminal(url, "alice", home)
    terminal("rooms", "--new", "room")
    assert (
        "bad  claude: it is not set up (no plugin is looked at)\n     caucus setup claude\n"
        in terminal("doctor", "claude").out
    )
    terminal("setup", "claude")
    assert "another backbone or room" in Terminal(url, "alice", home, "other")("doctor").out
    assert "bad  room: " in Terminal(url, "alice", home, "no-such")("doctor").out
    assert "bad  token: " in Terminal(url, "nobody", home)("doctor").out
    daemon.end()
    away = terminal("doctor")
    assert away.status == 1
    assert "bad  reach: " in away.out


def test_a_doctor_finds_another_command_of_the_same_name(home: Path) -> None:
    other = home / "bin" / "caucus"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    terminal = Terminal("http://127.0.0.1:1", "alice", home)
    terminal.environment["PATH"] = f"{other.parent}{os.pathsep}{terminal.environment['PATH']}"
    assert f"{other} is another, and is the one that is found first" in terminal("doctor").out
