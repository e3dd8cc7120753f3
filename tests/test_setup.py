"""``caucus setup`` and ``doctor``: a harness's own files are merged, kept and given back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from caucus.harnesses.files import BACKUP, NotMerged, merged, put_hooks, take_hooks
from caucus.harnesses.harness import Told, command
from caucus.harnesses.known import HARNESSES
from tests.daemon import SECONDS, Start
from tests.terminal import TOKENS, Terminal

URL = "http://127.0.0.1:4317"
FILES = {
    "claude": [".claude.json", ".claude/settings.json"],
    "codex": [".codex/hooks.json", ".codex/config.toml"],
    "copilot": [".copilot/mcp-config.json", ".copilot/hooks/caucus.json"],
    "opencode": [".config/opencode/opencode.json", ".config/opencode/plugins/caucus.js"],
    "gemini": [".gemini/settings.json"],
    "pi": [".pi/agent/extensions/caucus.ts"],
    "cursor": [".cursor/mcp.json"],
}
"""What is made in a home, by harness."""
THEIRS = {
    ".claude.json": '{"mcpServers": {"other": {"command": "x"}}, "numStartups": 3}',
    ".claude/settings.json": '{\n  "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say"}]}]},\n'
    '  "permissions": {"allow": ["Bash"], "deny": []}\n}',
    ".codex/hooks.json": '{"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "x"}]}]}}',
    ".codex/config.toml": '# mine\nmodel = "o9" # best\n\n[mcp_servers.other]\ncommand = "x"\n\n'
    '[hooks.state."/a:stop:0:0"]\ntrusted_hash = "sha256:0"\n',
    ".copilot/mcp-config.json": '{"mcpServers":{"other":{"type":"http","url":"http://x"}}}\n',
    ".config/opencode/opencode.json": '{"mcp":{},"theme":"dark"}',
    ".gemini/settings.json": '{"hooks":{"BeforeTool":[{"hooks":[]}]},"mcpServers":{"o":{}},"ui":{"é":1}}\n',
    ".cursor/mcp.json": '{\n\t"mcpServers": {}\n}\n',
}
"""What somebody has there before."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def terminal(home: Path) -> Terminal:
    return Terminal(URL, "alice", home)


def contents(home: Path) -> dict[str, str]:
    """Every file there is, and what is in it."""
    return {
        str(path.relative_to(home)): path.read_text("utf-8") for path in home.rglob("*") if path.is_file()
    }


def write_theirs(home: Path) -> None:
    for name, text in THEIRS.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, "utf-8")


@pytest.mark.parametrize("name", HARNESSES)
def test_an_empty_home_gains_its_files_and_loses_them_again(
    terminal: Terminal, home: Path, name: str
) -> None:
    said = terminal("setup", name)
    assert said.status == 0, said
    made = contents(home)
    assert sorted(made) == sorted(FILES[name])
    assert f"{URL}/mcp?room=room" in "".join(made.values()) or name == "pi"
    assert "tok-alice" not in "".join(made.values())
    assert terminal("setup", name).out == f"{name} is set up so already.\n"
    assert terminal("setup", name, "--undo").status == 0
    assert contents(home) == {}
    assert terminal("setup", name, "--undo").out == f"{name} is not set up.\n"


@pytest.mark.parametrize("name", HARNESSES)
def test_what_somebody_has_there_stays_and_comes_back_to_the_byte(
    terminal: Terminal, home: Path, name: str
) -> None:
    write_theirs(home)
    before = contents(home)
    assert terminal("setup", name, "--remind").status == 0
    assert terminal("setup", name, "--guard", "deny", "-r", "other").status == 0  # said anew
    made = contents(home)
    for file in FILES[name]:
        if file in THEIRS:
            assert made[file + BACKUP] == THEIRS[file]
    everything = "".join(made[file] for file in FILES[name])
    assert "room=room" not in everything
    for words in ("other", "numStartups", "say", "o9", "# best", "dark", "é"):
        assert (words in everything) >= any(words in THEIRS.get(file, "") for file in FILES[name])
    assert terminal("setup", name, "--undo").status == 0
    assert contents(home) == before


def test_what_changed_meanwhile_is_not_lost_by_taking_it_out(terminal: Terminal, home: Path) -> None:
    write_theirs(home)
    terminal("setup", "claude")
    file = home / ".claude.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"numStartups": 4}))
    terminal("setup", "claude", "--undo")
    assert json.loads(file.read_text()) == {"mcpServers": {"other": {"command": "x"}}, "numStartups": 4}


def test_a_dry_run_shows_the_difference_and_changes_nothing(terminal: Terminal, home: Path) -> None:
    write_theirs(home)
    before = contents(home)
    said = terminal("setup", "codex", "--dry-run")
    assert "+[mcp_servers.caucus]" in said.out
    assert contents(home) == before


@pytest.mark.parametrize("text", ["{// mine\n}", "[1]", "{", '{"hooks": 1}', '{"hooks": {"Stop": 1}}'])
def test_a_file_that_is_not_understood_is_left_alone_and_so_are_the_others(
    terminal: Terminal, home: Path, text: str
) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text(text)
    said = terminal("setup", "claude")
    assert said.status == 1
    assert "left alone" in said.errors
    assert contents(home) == {".claude/settings.json": text}


def test_codex_with_settings_that_are_none_is_left_alone(terminal: Terminal, home: Path) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("mcp_servers = 1\n")
    assert terminal("setup", "codex").status == 1
    (home / ".codex" / "config.toml").write_text("x = [\n")
    assert terminal("setup", "codex").status == 1
    assert sorted(contents(home)) == [".codex/config.toml"]


def test_a_file_keeps_who_may_read_it_and_a_link_stays_one(terminal: Terminal, home: Path) -> None:
    (home / "dotfiles").mkdir()
    real = home / "dotfiles" / "settings.json"
    real.write_text("{}")
    real.chmod(0o644)
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").symlink_to(real)
    terminal("setup", "claude")
    assert "hooks" in json.loads(real.read_text())
    assert real.stat().st_mode & 0o777 == 0o644
    assert (home / ".claude" / "settings.json").is_symlink()
    assert (home / ".claude.json").stat().st_mode & 0o777 == 0o600


def test_harnesses_that_live_elsewhere_are_found_there(terminal: Terminal, home: Path) -> None:
    named = {"CLAUDE_CONFIG_DIR": "c", "CODEX_HOME": "x", "COPILOT_HOME": "p", "XDG_CONFIG_HOME": "o"}
    terminal.environment |= {name: str(home / folder) for name, folder in named.items()}
    for name in ("claude", "codex", "copilot", "opencode"):
        terminal("setup", name)
    assert {name.partition("/")[0] for name in contents(home)} == {"c", "x", "p", "o"}


def test_no_guard_and_no_leave_to_use_the_tools(terminal: Terminal, home: Path) -> None:
    terminal("setup", "claude", "--guard", "off", "--ask")
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    assert sorted(settings) == ["hooks"]
    assert sorted(settings["hooks"]) == ["PostToolUse", "SessionStart", "UserPromptSubmit"]
    terminal("setup", "codex", "--ask")
    assert "approve" not in (home / ".codex" / "config.toml").read_text()


def test_codex_trusts_each_hook_of_ours_where_it_stands(terminal: Terminal, home: Path) -> None:
    write_theirs(home)
    terminal("setup", "codex")
    state: Any = tomlkit.parse((home / ".codex" / "config.toml").read_text()).unwrap()["hooks"]["state"]
    file = home / ".codex" / "hooks.json"
    assert sorted(state) == [
        "/a:stop:0:0",
        *(f"{file}:{place}:0" for place in (
            "post_tool_use:0",
            "pre_tool_use:0",
            "session_start:1",
            "user_prompt_submit:0",
        )),
    ]  # fmt: skip


def test_a_socket_is_no_address_for_a_harness(home: Path) -> None:
    assert Terminal("http+unix://%2Frun%2Fs", "alice", home)("setup", "claude").status == 2


def test_hooks_of_others_keep_their_places() -> None:
    found: dict[str, Any] = {"hooks": {"Stop": [{"a": 1}, {"mine": "/hooks/x/"}, {"b": 1}]}}
    put_hooks(found, {"Stop": [{"mine": "/hooks/x/2"}]}, "/hooks/x/")
    assert found["hooks"]["Stop"] == [{"a": 1}, {"b": 1}, {"mine": "/hooks/x/2"}]
    take_hooks(found, "/hooks/x/")
    assert found["hooks"]["Stop"] == [{"a": 1}, {"b": 1}]


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(NotMerged, match="UTF-8"):
        merged(tmp_path / "x", lambda _: None)
    with pytest.raises(NotMerged, match="cannot be read"):
        merged(tmp_path, lambda _: None)


class Hooked:
    """The line that a harness runs for a hook, run by a shell."""

    def __init__(self, url: str) -> None:
        self.line = command(Told(url, "room").hook("claude", "SessionStart"))

    def run(self) -> tuple[int, str, str]:
        done = subprocess.run(
            ["/bin/sh", "-c", self.line],
            input='{"session_id": "s"}',
            env={**os.environ, "CAUCUS_TOKEN": "tok-bob"},
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


def test_a_doctor_says_what_is_wrong(start: Start, home: Path) -> None:
    daemon = start("caucus-backbone", CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    terminal = Terminal(url, "alice", home)
    terminal("rooms", "--new", "room")
    assert "bad  claude: it is not set up\n     caucus setup claude\n" in terminal("doctor", "claude").out
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
