"""The README's programs and commands, run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor

from caucus.limits import environment_name, limit_fields, option_name
from tests.daemon import SECONDS, Start

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
TOKENS = "a-long-random-token:alice-laptop:alice,another-one:bob-laptop:bob"

SWITCHES = {
    "CAUCUS_ACCESS_LOG",
    "CAUCUS_TOKENS",
    "CAUCUS_HTTP",
    "CAUCUS_JOURNAL",
    "CAUCUS_METRICS",
    "CAUCUS_ALLOWED_HOSTS",
    "CAUCUS_REQUIRE_READ_TOKEN",
    "CAUCUS_REQUIRE_SYNC_STANDBY",
    "CAUCUS_ADMIN_TOKEN",
    "CAUCUS_ADMIN_AUDIT",
}


def block(language: str, containing: str) -> str:
    """The one code block of the README that contains this text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [one for one in blocks if containing in one]
    return str(found)


def test_the_agent_works_and_is_told_when_somebody_else_does(start: Start, tmp_path: Path) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    script = tmp_path / "agent.py"
    script.write_text(block("python", "Claim a piece of work, do it, say so."))

    def run(token: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CAUCUS_URL": url, "CAUCUS_TOKEN": token}
        command = [sys.executable, str(script)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    first = run("a-long-random-token")
    assert (first.returncode, first.stderr) == (0, "")
    assert "alice: [finding] the pool is sized for two replicas" in first.stdout
    assert run("wrong").stderr == "unauthorized: missing or invalid token\n"


def test_the_curl_commands_work(start: Start) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    commands = block("sh", "URL=").replace("http://127.0.0.1:4317", url).replace("curl ", "curl -sS ")
    out = subprocess.run(
        ["bash", "-ec", commands], capture_output=True, text=True, timeout=SECONDS, check=True
    ).stdout
    assert '"outcome":"granted"' in out
    assert out.endswith('"cursor":2}')


async def test_the_six_lines_work() -> None:
    names: dict[str, object] = {}
    exec(block("python", "async def example"), names)
    await names["example"](reactor)  # type: ignore[operator]


def test_the_tac_file_works(start: Start, tmp_path: Path) -> None:
    tac = block("python", 'Application("war-room")')
    tac = tac.replace("tcp:4317", "tcp:0").replace("/tmp/caucus.sock", f"{tmp_path}/caucus.sock")
    (tmp_path / "room.tac").write_text(tac)
    twistd = str(Path(sys.executable).with_name("twistd"))
    daemon = start.command([twistd, "--pidfile=", "-noy", "room.tac"])
    assert daemon.until_listening(2)[1].startswith("http+unix://")


def test_the_options_are_those_that_there_are() -> None:
    table = README[README.index("## Options") : README.index("## Who may come in")]
    for name, _ in limit_fields():
        assert option_name(name) in table
    for name in re.findall(r"`(CAUCUS_[A-Z_]+)`", table):
        assert name in SWITCHES | {environment_name(field) for field, _ in limit_fields()}
