"""`make run` and `make demo`, as a newcomer uses them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.daemon import SECONDS, Start

SCRIPTS = Path(__file__).parent.parent / "scripts"


def demo(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAUCUS_")}
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "demo.py")],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_demo_tells_its_story_on_a_backbone_of_its_own() -> None:
    told = demo()
    assert (told.returncode, told.stderr) == (0, "")
    assert "carol claims it too and is told that alice holds it" in told.stdout


def test_the_demo_tells_its_story_on_a_running_backbone(start: Start) -> None:
    tokens = "a:al:alice,b:bo:bob,c:ca:carol"
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=tokens).until_listening()
    for _ in range(2):
        told = demo(CAUCUS_URL=url, CAUCUS_TOKENS=tokens)
        assert (told.returncode, told.stdout.splitlines()[0][: len(url)]) == (0, url)


def test_the_demo_tells_its_story_across_two_daemons_over_one_database() -> None:
    command = [sys.executable, "-m", "scripts.cluster", "--once"]
    told = subprocess.run(
        command, cwd=SCRIPTS.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "  the log tells it in this order" in told.stdout


def test_the_demo_fails_when_its_story_cannot_happen(start: Start) -> None:
    tokens = "a:al:alice,b:bo:bob,c:ca:carol"
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=tokens, CAUCUS_MAX_POSTS_PER_MINUTE="1").until_listening()
    told = demo(CAUCUS_URL=url, CAUCUS_TOKENS=tokens)
    assert (told.returncode, told.stderr[:15]) == (1, "demo: Slow down")
    assert demo(CAUCUS_URL=url, CAUCUS_TOKENS="a:al:alice").returncode == 1


def test_run_prints_commands_that_work_when_pasted(start: Start) -> None:
    environment = {**os.environ, "PORT": "0", "CAUCUS_JOURNAL": f"sqlite:{start.folder}/room.db"}
    environment.pop("CAUCUS_TOKENS", None)
    running = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "run.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    printed = ""
    for line in running.stdout:
        printed += line
        if "make demo" in line:
            break
    commands = re.findall(r"^  (curl .*)$", printed, re.MULTILINE)
    assert len(commands) == 3
    assert re.search(r"^  http://127\.0\.0\.1:\d+/#token=[0-9a-f]{16}   alice$", printed, re.MULTILINE)
    answers = [
        subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=True
        ).stdout
        for command in commands
    ]
    assert '"channel":"war-room"' in answers[0]
    assert '"outcome":"granted"' in answers[1]
    assert '"cursor":1' in answers[2]
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0
    assert (start.folder / "room.db").exists()


def test_run_never_prints_tokens_that_it_was_given(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "run.py")],
        env={**os.environ, "PORT": "0", "CAUCUS_TOKENS": "s3cret:a:alice"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "make demo" in line:
            break
        assert "s3cret" not in line
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=SECONDS)
    assert "s3cret" not in out + err + line
