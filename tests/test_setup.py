"""``caucus setup`` and ``doctor``: a harness's own files are merged, kept and given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from caucus.harnesses.files import BACKUP, NotMerged, merged
from caucus.harnesses.harness import command
from caucus.harnesses.hooking import put_hooks, take_hooks
from caucus.harnesses.known import HARNESSES
from tests.terminal import Terminal

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


def test_hooks_of_others_that_look_like_ours_stay(terminal: Terminal, home: Path) -> None:
    line = {"type": "command", "command": "$HOME/dotfiles/hooks/claude/notify.sh"}
    text = json.dumps({"hooks": {"Stop": [{"hooks": [line]}]}})
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text(text)
    terminal("setup", "claude", "--remind")
    assert line in json.loads((home / ".claude/settings.json").read_text())["hooks"]["Stop"][0]["hooks"]
    terminal("setup", "claude", "--undo")
    assert contents(home) == {".claude/settings.json": text}


def test_an_entry_of_our_name_that_was_there_before_comes_back(terminal: Terminal, home: Path) -> None:
    own = {"mcpServers": {"caucus": {"url": "https://prod/mcp"}, "o": {"url": "x"}}}
    (home / ".cursor").mkdir()
    file = home / ".cursor" / "mcp.json"
    file.write_text(json.dumps(own))
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text('[mcp_servers.caucus]\nurl = "mine"\n')
    before = contents(home)
    for name in ("cursor", "codex"):
        terminal("setup", name, "--undo")
    assert contents(home) == before  # nothing of ours was there yet
    for name in ("cursor", "codex"):
        terminal("setup", name)
        terminal("setup", name, "-r", "other")
    assert json.loads(file.read_text())["mcpServers"]["caucus"]["url"] == f"{URL}/mcp?room=other"
    file.write_text(file.read_text().replace('"x"', '"y"'))
    for name in ("cursor", "codex"):
        terminal("setup", name, "--undo")
    assert json.loads(file.read_text())["mcpServers"] == {
        "caucus": {"url": "https://prod/mcp"},
        "o": {"url": "y"},
    }
    assert (home / ".codex" / "config.toml").read_text() == before[".codex/config.toml"]


def test_a_copy_of_long_ago_is_no_copy_of_now_and_stays(terminal: Terminal, home: Path) -> None:
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").write_text('{"new": 2026}')
    (home / ".cursor" / f"mcp.json{BACKUP}").write_text("no JSON, of 2019")
    assert terminal("setup", "cursor").status == 0
    assert (home / ".cursor" / f"mcp.json{BACKUP}").read_text() == '{"new": 2026}'
    assert terminal("setup", "cursor", "--undo").status == 0
    assert contents(home) == {
        ".cursor/mcp.json": '{"new": 2026}',
        f".cursor/mcp.json{BACKUP}.1": "no JSON, of 2019",
    }


def test_taking_it_out_keeps_what_changed_a_little(terminal: Terminal, home: Path) -> None:
    (home / ".gemini").mkdir()
    file = home / ".gemini" / "settings.json"
    file.write_text('{"a": 1}')
    terminal("setup", "gemini")
    file.write_text(json.dumps({**json.loads(file.read_text()), "a": True, "tools": {"core": []}}))
    terminal("setup", "gemini", "--undo")
    assert file.read_text().split() == ["{", '"a":', "true,", '"tools":', "{", '"core":', "[]", "}", "}"]


def test_line_ends_are_kept(terminal: Terminal, home: Path) -> None:
    (home / ".cursor").mkdir()
    file = home / ".cursor" / "mcp.json"
    file.write_bytes(b'{\r\n  "mcpServers": {"o": {}}\r\n}\r\n')
    terminal("setup", "cursor")
    assert b"\r\n" in file.read_bytes()
    assert b"\n" not in file.read_bytes().replace(b"\r\n", b"")
    terminal("setup", "cursor", "--undo")
    assert file.read_bytes() == b'{\r\n  "mcpServers": {"o": {}}\r\n}\r\n'


def test_a_link_to_what_is_not_there_yet_leads_to_nothing_again(terminal: Terminal, home: Path) -> None:
    for folder in (".cursor", "dot"):
        (home / folder).mkdir()
    (home / ".cursor" / "mcp.json").symlink_to("../dot/mcp.json")
    terminal("setup", "cursor")
    assert "caucus" in (home / "dot" / "mcp.json").read_text()
    terminal("setup", "cursor", "--undo")
    assert not (home / "dot" / "mcp.json").exists()
    assert (home / ".cursor" / "mcp.json").is_symlink()


def test_a_file_that_changes_between_is_left_alone(home: Path) -> None:
    file = home / "x.json"
    file.write_text("{}")
    [change] = merged(file, lambda found, _: found.update(a=1), lambda *_: None)
    file.write_text('{"b": 1}')
    with pytest.raises(NotMerged, match="changed meanwhile"):
        change.carry_out()
    assert file.read_text() == '{"b": 1}'


def test_half_an_emoji_is_written_as_it_was(terminal: Terminal, home: Path) -> None:
    (home / ".claude.json").write_text('{"history": "\\ud83d"}')
    assert terminal("setup", "claude").status == 0
    assert json.loads((home / ".claude.json").read_text())["history"] == "\ud83d"


def test_taking_out_needs_no_context(terminal: Terminal, home: Path) -> None:
    terminal("setup", "cursor")
    terminal.environment["CAUCUS_URL"] = "nonsense"
    assert terminal("setup", "cursor", "--undo").status == 0
    assert contents(home) == {}


def test_a_dry_run_shows_the_difference_and_changes_nothing(terminal: Terminal, home: Path) -> None:
    write_theirs(home)
    before = contents(home)
    said = terminal("setup", "codex", "--dry-run")
    assert "+[mcp_servers.caucus]" in said.out
    assert contents(home) == before


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": 1e999}', '{"permissions": []}', '{"permissions": {"allow": "x"}}']
)
def test_what_is_strange_is_left_alone(terminal: Terminal, home: Path, text: str) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text(text)
    assert terminal("setup", "claude").status == 1
    assert contents(home) == {".claude/settings.json": text}


@pytest.mark.parametrize("text", ["{// mine\n}", "[1]", "{", '{"hooks": 1}', '{"hooks": {"PostToolUse": 1}}'])
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


def test_hooks_of_others_keep_their_places_and_those_within_a_group_of_ours_stay() -> None:
    ours = {"type": "command", "command": command("http://x/hooks/claude/Stop")}
    theirs = {"type": "command", "command": "$HOME/dotfiles/hooks/claude/notify.sh"}
    found: dict[str, Any] = {"hooks": {"Stop": [{"a": 1}, {"hooks": [ours, theirs]}, {"hooks": [theirs]}]}}
    put_hooks(found, {"Stop": [{"hooks": [ours]}]})
    assert found["hooks"]["Stop"][3] == {"hooks": [ours]}
    take_hooks(found, "claude")
    assert found["hooks"]["Stop"] == [{"a": 1}, {"hooks": [theirs]}, {"hooks": [theirs]}]


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(NotMerged, match="UTF-8"):
        merged(tmp_path / "x", None, lambda *_: None)
    with pytest.raises(NotMerged, match="cannot be read"):
        merged(tmp_path, None, lambda *_: None)
