"""docs/terminal.md: its commands are run as they are written, and none is missing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from caucus.commands.group import COMMANDS
from tests.daemon import BIN, SECONDS, Start
from tests.terminal import TOKENS, Terminal

PAGE = (Path(__file__).parent.parent / "docs" / "terminal.md").read_text(encoding="utf-8")


def test_every_command_is_described() -> None:
    table = PAGE[PAGE.index("| command |") : PAGE.index("`--json` prints")]
    rows = "\n".join(re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)[^`]*`", rows)) == set(COMMANDS)


def test_every_status_is_described() -> None:
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "6", "130"]


@pytest.fixture
def shell(start: Start, tmp_path: Path) -> tuple[str, dict[str, str]]:
    [url] = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    alice = Terminal(url, "alice", tmp_path)
    environment = {name: value for name, value in alice.environment.items() if not name.startswith("CAUCUS_")}
    return url, environment | {"PATH": f"{BIN}{os.pathsep}{alice.environment['PATH']}"}


def test_its_first_commands_show_a_board_and_say_something(
    shell: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    url, environment = shell
    (first, claims, *_) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "deploy.sh").write_text("#!/bin/sh\necho $CAUCUS_CLAIM $CAUCUS_FENCE\n")
    (tmp_path / "deploy.sh").chmod(0o755)
    script = f"set -e\n{first}\n{claims}".replace("http://127.0.0.1:4317", url)
    script = script.replace("caucus tail", "caucus tail --no-follow").replace("login", "login < token", 1)
    (tmp_path / "token").write_text("tok-alice\n")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    kept, made, board, said, ran = done.stdout.splitlines()
    assert made == "made incident-42"
    assert kept.startswith("You are alice/alice-laptop")
    assert (board, said) == ("Nobody holds anything.", "[1] in incident-42")
    assert re.fullmatch(r"(\d+) \1", ran)


def test_its_completion_completes(shell: tuple[str, dict[str, str]]) -> None:
    _, environment = shell
    line = re.findall(r'^eval .*?caucus\)"', PAGE, re.MULTILINE)[0]
    script = (
        f'{line}\nCOMP_WORDS=(caucus do) COMP_CWORD=1\n_caucus_completion caucus\necho "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert sorted(done.stdout.split()) == ["doctor", "done"]
