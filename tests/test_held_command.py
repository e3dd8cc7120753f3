"""``caucus claim T -- COMMAND``: the command runs no longer than the claim is held."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from caucus.terminal.contexts import Context
from caucus.terminal.here import Here
from caucus.terminal.holding import Ending, Held, wait_for
from caucus.terminal.job import Job
from tests.daemon import BIN, SECONDS, Daemon, Start
from tests.terminal import TOKENS, Terminal


@pytest.fixture
def daemon(start: Start) -> Daemon:
    return start("caucus-backbone", CAUCUS_TOKENS=TOKENS)


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> Terminal:
    terminal = Terminal(daemon.until_listening()[0], "alice", tmp_path)
    terminal("rooms", "--new", "room")
    return terminal


@pytest.fixture
def bob(alice: Terminal, tmp_path: Path) -> Terminal:
    return Terminal(alice.environment["CAUCUS_URL"], "bob", tmp_path)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start(terminal: Terminal, *arguments: str) -> subprocess.Popen[str]:
        processes.append(terminal.start(*arguments))
        return processes[-1]

    yield start
    for one in processes:
        one.kill()
        one.communicate()


Started = Callable[..., subprocess.Popen[str]]


def until(what: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    for _ in range(SECONDS * 50):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it never happened")


def is_held(terminal: Terminal, target: str = "prod") -> bool:
    return f'"{target}"' in terminal("board").out


def test_the_command_knows_its_claim_and_its_status_is_passed_on(alice: Terminal) -> None:
    done = alice.start("claim", "prod", "--", "sh", "-c", "echo $CAUCUS_CLAIM $CAUCUS_FENCE; exit 7")
    out, _ = done.communicate(timeout=SECONDS)
    assert done.returncode == 7
    number, fence = out.split()
    assert number == fence
    assert not is_held(alice)
    [granted, given_back] = json.loads(alice("catchup", "--json").out)["messages"]
    assert (granted["body"], given_back["status"]) == ("running sh", "resolved")


@pytest.mark.parametrize(
    ("script", "note"),
    [("exit 7", "the command ended with status 7"), ("kill -KILL $$", "the command was ended by SIGKILL")],
)
def test_a_command_that_failed_is_not_told_as_done(alice: Terminal, script: str, note: str) -> None:
    alice.start("claim", "prod", "--", "sh", "-c", script).communicate(timeout=SECONDS)
    assert json.loads(alice("catchup", "--json").out)["messages"][-1]["body"] == note


def test_whoever_is_given_what_it_waits_for_is_told_so(
    alice: Terminal, bob: Terminal, started: Started
) -> None:
    bob("claim", "prod")
    waiting = started(alice, "claim", "prod", "--wait")
    until(lambda: "waits" in bob("board").out)
    bob("give", "prod", "alice")
    alice("take", "prod")
    _, errors = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 3
    assert 'you hold "prod" as #' in errors


def test_what_kills_the_command_is_told_as_a_shell_tells_it(alice: Terminal) -> None:
    done = alice.start("claim", "prod", "--", "sh", "-c", "kill -KILL $$")
    done.communicate(timeout=SECONDS)
    assert done.returncode == 128 + signal.SIGKILL


def test_it_lives_longer_than_its_lease(alice: Terminal, bob: Terminal, started: Started) -> None:
    running = started(alice, "claim", "prod", "--lease", "10", "--", "sleep", "14")
    until(lambda: is_held(bob))
    time.sleep(11)
    assert is_held(bob)
    assert running.wait(SECONDS) == 0


def test_what_somebody_holds_is_not_run(alice: Terminal, bob: Terminal, tmp_path: Path) -> None:
    bob("claim", "prod")
    lost = alice("claim", "prod", "--", "touch", str(tmp_path / "ran"))
    assert lost.status == 3
    assert "bob/bob-laptop holds it" in lost.errors
    assert not (tmp_path / "ran").exists()


def test_what_this_agent_holds_elsewhere_is_not_run_twice(alice: Terminal, tmp_path: Path) -> None:
    alice("claim", "prod")
    assert alice("claim", "prod", "--", "touch", str(tmp_path / "ran")).status == 3
    assert not (tmp_path / "ran").exists()
    assert is_held(alice)


def test_it_runs_once_it_is_its_turn(alice: Terminal, bob: Terminal, started: Started) -> None:
    bob("claim", "prod")
    waiting = started(alice, "claim", "prod", "--wait", "--", "echo", "ran")
    until(lambda: "waits" in bob("board").out)
    bob("done")
    out, errors = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out) == (0, "ran\n")
    assert errors.startswith("caucus: waiting, 1 ahead: #")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_whoever_is_ended_while_it_waits_leaves_the_line(
    alice: Terminal, bob: Terminal, started: Started, number: int, status: int
) -> None:
    bob("claim", "prod")
    waiting = started(alice, "claim", "prod", "--wait")
    until(lambda: "waits" in bob("board").out)
    waiting.send_signal(number)
    assert waiting.wait(SECONDS) == status
    assert "waits" not in bob("board").out


def test_a_place_in_line_that_is_ended_is_3(alice: Terminal, bob: Terminal, started: Started) -> None:
    bob("claim", "prod")
    waiting = started(alice, "claim", "prod", "--wait")
    until(lambda: "waits" in bob("board").out)
    number = alice("board", "--json").out.splitlines()[1].partition('"claim":')[2].partition(",")[0]
    assert alice("free", number, "not now").status == 0
    assert waiting.wait(SECONDS) == 3


def test_the_loss_of_the_claim_ends_the_command(alice: Terminal, started: Started) -> None:
    running = started(alice, "claim", "prod", "--", "sleep", "60")
    until(lambda: is_held(alice))
    alice("free", "prod", "the deploy is off")
    _, errors = running.communicate(timeout=SECONDS)
    assert running.returncode == 3
    assert errors.startswith("caucus: the claim is lost, and so the command was ended: revoked by alice/")


def test_a_command_that_does_not_end_when_it_is_asked_to_is_killed(alice: Terminal, started: Started) -> None:
    running = started(alice, "claim", "prod", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    until(lambda: is_held(alice))
    time.sleep(0.3)
    alice("free", "prod", "the deploy is off")
    running.communicate(timeout=SECONDS)
    assert running.returncode == 3


def test_what_the_command_has_started_is_ended_with_it(
    alice: Terminal, started: Started, tmp_path: Path
) -> None:
    script = f"(trap '' TERM; while :; do touch {tmp_path}/alive; sleep 0.1; done) & sleep 60"
    running = started(alice, "claim", "prod", "--", "sh", "-c", script)
    until((tmp_path / "alive").exists)
    alice("free", "prod", "the deploy is off")
    assert running.wait(SECONDS) == 3
    (tmp_path / "alive").unlink()
    time.sleep(0.5)
    assert not (tmp_path / "alive").exists()


def test_a_backbone_that_does_not_answer_for_a_lease_ends_the_command(
    daemon: Daemon, alice: Terminal, started: Started
) -> None:
    running = started(alice, "claim", "prod", "--lease", "10", "--", "sleep", "60")
    until(lambda: is_held(alice))
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        running.communicate(timeout=SECONDS)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert running.returncode == 3


def test_a_backbone_that_is_gone_for_a_lease_ends_the_command(
    daemon: Daemon, alice: Terminal, started: Started
) -> None:
    running = started(alice, "claim", "prod", "--lease", "10", "--", "sleep", "60")
    until(lambda: is_held(alice))
    daemon.end()
    _, errors = running.communicate(timeout=SECONDS)
    assert running.returncode == 3
    assert "could not be renewed" in errors


def test_sigterm_ends_the_command_and_gives_the_claim_back(alice: Terminal, started: Started) -> None:
    running = started(
        alice, "claim", "prod", "--", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done"
    )
    until(lambda: is_held(alice))
    time.sleep(0.3)
    running.send_signal(signal.SIGTERM)
    assert running.wait(SECONDS) == 9
    assert not is_held(alice)


def test_ctrl_c_is_for_the_command_to_answer(alice: Terminal) -> None:
    script = "trap 'exit 5' INT; while :; do sleep 0.1; done"
    running = subprocess.Popen(
        [BIN / "caucus", "claim", "prod", "--", "sh", "-c", script],
        env=alice.environment,
        start_new_session=True,
    )
    try:
        until(lambda: is_held(alice))
        time.sleep(0.3)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(SECONDS) == 5
        assert not is_held(alice)
    finally:
        running.kill()
        running.wait()


def test_a_claim_that_was_lost_while_nobody_looked_is_3(alice: Terminal) -> None:
    script = "kill -STOP $PPID; sleep 12; kill -CONT $PPID"
    running = alice.start("claim", "prod", "--lease", "10", "--", "sh", "-c", script)
    running.communicate(timeout=SECONDS)
    assert running.returncode == 3


def test_a_signal_that_is_to_be_ignored_is(alice: Terminal, tmp_path: Path) -> None:
    line = f"trap '' HUP; exec {BIN / 'caucus'} claim prod -- sh -c 'touch {tmp_path}/ran; sleep 1'"
    running = subprocess.Popen(["bash", "-c", line], env=alice.environment)
    until((tmp_path / "ran").exists)
    running.send_signal(signal.SIGHUP)
    assert running.wait(SECONDS) == 0


def test_sigint_to_it_alone_ends_the_command(alice: Terminal, started: Started, tmp_path: Path) -> None:
    running = started(alice, "claim", "prod", "--", "sh", "-c", f"touch {tmp_path}/ran; exec sleep 60")
    until((tmp_path / "ran").exists)
    running.send_signal(signal.SIGINT)
    assert running.wait(SECONDS) == 130
    assert not is_held(alice)


def test_whoever_waits_sits_out_a_restart(start: Start, tmp_path: Path, started: Started) -> None:
    options = ["--journal", f"sqlite:{tmp_path}/room.db"]
    daemon = start("caucus-backbone", *options, CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    alice, bob = (Terminal(url, who, tmp_path) for who in ("alice", "bob"))
    alice("rooms", "--new", "room")
    bob("claim", "prod")
    waiting = started(alice, "claim", "prod", "--wait", "--", "echo", "ran")
    until(lambda: "waits" in bob("board").out)
    daemon.end()
    time.sleep(0.5)
    start(
        "caucus-backbone", *options, "--port", url.rpartition(":")[2], CAUCUS_TOKENS=TOKENS
    ).until_listening()
    bob("done")
    assert waiting.communicate(timeout=SECONDS)[0] == "ran\n"


@pytest.mark.parametrize("moment", ["granted", "started"])
def test_what_ends_it_between_two_steps_leaves_nothing_behind(
    alice: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str
) -> None:
    ending = Ending()
    here = Here(Context(alice.environment["CAUCUS_URL"], "tok-alice"), "room")
    wanted = {"targets": ["prod"], "note": "x", "renewal": "explicit", "lease_ttl": 3600}
    before = signal.getsignal(signal.SIGTERM)
    with ending.minded():
        if moment == "granted":
            with ending.kept():
                claim = here.asker.ask("POST", "/channels/room/claims", wanted).claim
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(SystemExit) as caught:
                wait_for(here, claim, ending)
            assert caught.value.code == 143
        else:
            claim = here.asker.ask("POST", "/channels/room/claims", wanted).claim

            class Slow(Job):
                def __init__(self, *given: Any) -> None:
                    super().__init__(*given)
                    os.kill(os.getpid(), signal.SIGTERM)

            monkeypatch.setattr("caucus.terminal.holding.Job", Slow)
            assert Held(here, claim, ending).run(["sleep", "60"]) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert not is_held(alice)


def in_terminal(terminal: Terminal, script: str) -> tuple[subprocess.Popen[bytes], int]:
    """A command in a terminal of its own, and the other side of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [BIN / "caucus", "claim", "prod", "--", "sh", "-c", script],
        env=terminal.environment,
        stdin=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    return process, ours


def test_ctrl_c_in_a_terminal_is_for_the_command(alice: Terminal) -> None:
    script = "trap 'exit 5' INT; while :; do sleep 0.1; done"
    running, keyboard = in_terminal(alice, script)
    try:
        until(lambda: is_held(alice))
        time.sleep(0.3)
        os.write(keyboard, b"\x03")
        assert running.wait(SECONDS) == 5
        assert not is_held(alice)
    finally:
        running.kill()
        running.wait()
        os.close(keyboard)


def test_ctrl_z_stops_both_and_both_go_on(alice: Terminal, tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/stop ]; do touch {tmp_path}/alive; sleep 0.1; done; read x; exit $x"
    running, keyboard = in_terminal(alice, script)
    try:
        until((tmp_path / "alive").exists)
        os.write(keyboard, b"\x1a")
        _, status = os.waitpid(running.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        (tmp_path / "alive").unlink()
        time.sleep(0.5)
        assert not (tmp_path / "alive").exists()
        running.send_signal(signal.SIGCONT)
        until((tmp_path / "alive").exists)
        (tmp_path / "stop").touch()
        os.write(keyboard, b"6\n")  # the terminal is the command's again
        assert running.wait(SECONDS) == 6
    finally:
        running.kill()
        running.wait()
        os.close(keyboard)


def test_a_command_that_is_none_takes_no_claim(alice: Terminal) -> None:
    assert alice("claim", "prod", "--", "no-such-command").status == 127
    assert alice("claim", "prod", "--").status == 2
    assert json.loads(alice("catchup", "--json").out)["messages"] == []
