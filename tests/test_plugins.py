"""The plugins in ``agents/``, installed into the real programs as their page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from caucus.harnesses import claude, codex
from caucus.harnesses.harness import Told
from tests.daemon import BIN, Start, ask
from tests.fake_model import Step
from tests.harness import KINDS, PROGRAMS, SECONDS, Lab, require
from tests.terminal import TOKENS

ROOT = Path(__file__).parent.parent
AGENTS = ROOT / "agents"
PLUGGED = {
    "claude": evolve(
        KINDS["claude"],
        tool="mcp__plugin_caucus_caucus__",
        start=["-p", "please start", "--allowedTools", "mcp__plugin_caucus_caucus,Write"],
    ),
    "codex": evolve(
        KINDS["codex"],
        start=[
            "exec",
            "--dangerously-bypass-hook-trust",
            "-s",
            "workspace-write",
            "--skip-git-repo-check",
            "please start",
        ],
    ),
}


@pytest.fixture(params=PLUGGED)
def lab(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Lab]:
    kind = PLUGGED[request.param]
    require(kind)
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    made = Lab(kind, url, tmp_path)
    made.environment |= {"CAUCUS_URL": url, "CAUCUS_ROOM": "room"}
    made.environment["PATH"] += f"{os.pathsep}{BIN}"
    ask(f"{url}/channels", {"channel": "room"}, "tok-bob")
    yield made
    made.model.close()


def commands(name: str) -> list[str]:
    """Those that the page says to install a plugin, and to remove it."""
    page = (AGENTS / "README.md").read_text("utf-8")
    found = re.findall(rf"^{name} plugin .*?(?=\s*(?:#|$))", page, re.MULTILINE)
    return [line.replace("./agents", str(AGENTS)) for line in found]


def run(lab: Lab, line: str) -> None:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=lab.project,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_an_agent_with_the_plugin_takes_part(lab: Lab) -> None:
    *added, uninstalled, removed = commands(lab.kind.name)
    for line in added:
        run(lab, line)
    lab.bob("claims", {"targets": ["src/pay.py"], "note": "retries"})
    lab.says("the blue pool is full")
    lab.model.plays(
        lab.kind.call(
            "claim", targets=["src/auth/"], note="mine", before=lambda: lab.says("so is the green")
        ),
        lab.kind.edit(lab.project),
        Step(text="I have started"),
    )
    shown = lab.run(lab.kind.start)
    assert len(lab.model.sent) == 3, (shown, lab.model.sent)
    first, second, third = lab.model.sent
    assert "the blue pool is full" in first
    assert "so is the green" in second
    claims = ask(f"{lab.url}/channels/room/claims", None, "tok-bob")["claims"]
    assert [one["agent_id"] for one in claims] == ["bob-laptop", "alice-laptop"]
    assert "bob/bob-laptop holds it" in third  # it is warned, and not stopped
    assert lab.pay.read_text() == "x = 2\n"
    for line in (uninstalled, removed):
        run(lab, line)
    settings = lab.home / ".codex" / "config.toml"
    assert not settings.exists() or "caucus@" not in settings.read_text()


@pytest.mark.skipif(not (PROGRAMS / ".bin" / "claude").exists(), reason="claude is not installed")
@pytest.mark.parametrize("folder", [ROOT, AGENTS, AGENTS / "claude"])
def test_claude_finds_the_plugin_and_its_marketplaces_valid(folder: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [PROGRAMS / ".bin" / "claude", "plugin", "validate", "--strict", str(folder)]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [".claude-plugin/marketplace.json", ".agents/plugins/marketplace.json"])
def test_the_repository_is_the_same_marketplace_as_its_folder(name: str) -> None:
    here, there = (json.dumps(json.loads((at / name).read_text())) for at in (ROOT, AGENTS))
    assert here.replace("./agents/", "./") == there


def test_both_have_the_same_skill() -> None:
    one, other = (AGENTS / name / "skills/caucus/SKILL.md" for name in ("claude", "codex"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_its_hooks_are_those_that_setup_writes(name: str) -> None:
    """With what is in the environment in place of what setup knows."""
    module = {"claude": claude, "codex": codex}[name]
    wanted = module.hooks(Told("URL", "ROOM"))
    text = (AGENTS / name / "hooks" / "hooks.json").read_text()
    text = text.replace("plugin:caucus:caucus", "caucus")
    address = r'\\"\$\{CAUCUS_URL:-http://127.0.0.1:4317\}(.*?)\$\{CAUCUS_ROOM:-\}(.*?)\\"'
    text = re.sub(address, r"'URL\1ROOM\2'", text)
    assert json.loads(text)["hooks"] == wanted
