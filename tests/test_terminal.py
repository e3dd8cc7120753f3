"""The command line: each command does what its help says, and ends with the status that says how it went."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from caucus.commands.group import COMMANDS, caucus
from tests.daemon import BIN, SECONDS, Daemon, Start
from tests.terminal import TOKENS, Terminal


class Room(NamedTuple):
    """A room with two who take part."""

    daemon: Daemon
    url: str
    alice: Terminal
    bob: Terminal


@pytest.fixture
def room(start: Start, tmp_path: Path) -> Room:
    daemon = start("caucus-backbone", CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    alice = Terminal(url, "alice", tmp_path)
    assert alice("rooms", "--new", "room", "--purpose", "login 500s").out == "made room\n"
    return Room(daemon, url, alice, Terminal(url, "bob", tmp_path))


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """What is put in here is killed in the end."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for one in processes:
        one.kill()
        one.communicate()


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    context = caucus.make_context("caucus", ["board"])
    for name, (module, about) in COMMANDS.items():
        command = caucus.get_command(context, name)
        assert command is not None
        assert (command.help or "").partition("\n")[0] == about, module


def test_what_is_no_command_is_a_usage_error(room: Room) -> None:
    assert room.alice("bord").status == 2
    assert "No such command 'bord'" in room.alice("bord").errors


def test_a_claim_is_taken_shown_lost_and_given_back(room: Room) -> None:
    taken = room.alice("claim", "src/auth/", "-m", "moving it")
    assert taken.status == 0
    assert taken.out.startswith("yours: #")
    lost = room.bob("claim", "src/auth/x.py")
    number = taken.out.split()[1]
    assert (lost.status, lost.errors) == (
        3,
        f"caucus: lost: alice/alice-laptop holds it, 15 min left ({number}); --wait stands in line\n",
    )
    board = f'{number}  "src/auth/"  alice/alice-laptop{{}}  15 min left  "moving it"\n'
    assert room.bob("board").out == board.format("")
    assert room.alice("board").out == board.format(" (you)")
    assert room.bob("done", "src/auth/").status == 3
    assert room.alice("done", "src/auth/", "-m", "moved").out == f'given back: {number} "src/auth/"\n'
    assert room.bob("board").out == "Nobody holds anything.\n"


def test_a_command_without_the_dashes_before_it_is_said_not_to_be_run(room: Room) -> None:
    taken = room.alice("claim", "deploy", "sleep", "60")
    assert (taken.status, taken.errors) == (0, "caucus: nothing was run: a command stands behind --\n")


def test_done_without_a_name_asks_which_where_there_are_several(room: Room) -> None:
    room.alice("claim", "a")
    room.alice("claim", "b")
    asked = room.alice("done")
    assert asked.status == 2
    assert '"a"' in asked.errors
    assert '"b"' in asked.errors
    assert room.alice("done", "a", "b").status == 0
    assert room.alice("done").status == 3


def test_the_board_as_json_is_a_claim_a_line(room: Room) -> None:
    room.alice("claim", "a", "b/", "--lease", "60", "--shared")
    [line] = room.bob("board", "--json", "--target", "b/c").out.splitlines()
    claim = json.loads(line)
    assert (claim["targets"], claim["mode"], claim["lease_ttl"]) == (["a", "b/"], "shared", 60)
    assert room.bob("board", "--json", "--target", "c").out == ""


def test_a_claim_is_offered_and_taken_or_declined(room: Room) -> None:
    number = room.alice("claim", "a").out.split()[1]
    assert room.bob("take").status == 3
    assert room.alice("give", "a", "bob", "-m", "yours?").out == f'offered to bob/(any agent): {number} "a"\n'
    assert room.bob("take", "--decline", "-m", "busy").out == f'declined: {number} "a"\n'
    room.alice("give", number, "bob/bob-laptop")
    assert room.bob("take", "a").out == f'yours: {number} "a", 15 min left\n'
    assert "bob/bob-laptop (you)" in room.bob("board").out


def test_a_claim_of_somebody_is_ended_for_a_reason(room: Room) -> None:
    room.bob("claim", "a")
    assert room.alice("free", "a", "he is asleep").status == 0
    room.alice("claim", "a")
    refused = room.bob("free", "a", "mine!")
    assert refused.status == 3


def test_what_is_said_is_shown_with_who_said_it(room: Room) -> None:
    assert room.bob("post", "-t", "finding", "the", "pool", "is", "full").out == "[1] in room\n"
    asked = room.alice("post", "-t", "question", "--to", "bob", "--to", "zoe", "which?")
    assert asked.errors == "caucus: nobody here is called zoe\n"
    owed = room.bob("inbox").out
    assert owed.endswith("room [2] question alice/alice-laptop to bob, zoe: which?\n")
    assert room.bob("post", "--reply", "2", "the blue one").status == 0
    assert room.bob("inbox").out == "Nothing is asked of you.\n"
    assert room.bob("inbox", "--all").out.endswith("which? (answered)\n")


def test_a_decision_is_a_word_for_steering_and_an_answer_names_what_it_is_to(room: Room) -> None:
    assert room.bob("post", "-t", "decision", "roll", "back").status == 0
    assert json.loads(room.bob("catchup", "--json").out)["messages"][0]["type"] == "steer"
    assert "number in brackets" in room.bob("post", "--reply", "abc", "x").errors


def test_taking_note_closes_an_item(room: Room) -> None:
    room.alice("post", "--to", "bob", "fyi")
    assert room.bob("inbox", "--ack", "1").out == "acked: 1 in room\n"
    assert room.bob("inbox").out == "Nothing is asked of you.\n"
    assert room.alice("inbox", "--ack", "1").status == 3


def test_what_is_piped_in_is_made_fit_and_said_so(room: Room) -> None:
    said = room.bob("post", given=b"\xef\xbb\xbfone\r\n\x1b[31mtwo\x1b[0m\x00\xff\n")
    assert said.errors == (
        "caucus: made fit: what is no UTF-8 replaced, CR taken for line ends, terminal sequences dropped, "
        "control characters dropped\n"
    )
    [message] = json.loads(room.bob("catchup", "--json").out)["messages"]
    assert message["body"] == "one\ntwo\ufffd"


def test_what_is_too_long_is_evidence_and_its_beginning_the_message(room: Room) -> None:
    log = "".join(f"line {number}\n" for number in range(3000))
    assert room.bob("post", "-", given=log.encode()).status == 0
    [message] = json.loads(room.bob("catchup", "--json").out)["messages"]
    assert message["body"].startswith("line 0\nline 1\n")
    assert len(message["body"]) < 1500
    assert room.alice("get", message["artifact"]).out == log.rstrip("\n")


def test_there_must_be_something_to_say(room: Room) -> None:
    assert room.bob("post", given=b"\r\n \x00").status == 2


def test_a_file_is_kept_and_fetched_as_it_is(room: Room, tmp_path: Path) -> None:
    file, copy = tmp_path / "heap.bin", tmp_path / "copy.bin"
    file.write_bytes(b'{"uri": "\x1b[2J"}\xff')
    uri = room.bob("attach", str(file)).out.strip()
    assert room.alice("get", uri, "-o", str(copy)).status == 0
    assert copy.read_bytes() == file.read_bytes()
    assert f"finding bob/bob-laptop with {uri}: evidence: heap.bin" in room.alice("tail", "--no-follow").out
    assert room.alice("get", "caucus://artifact/room/" + "0" * 64).status == 1
    assert room.alice("get", "heap.bin").status == 2
    assert room.bob("attach", "-", given=b"").status == 2


def test_who_is_there(room: Room) -> None:
    room.bob("claim", "a")
    assert "bob/bob-laptop" in room.alice("who").out
    bob = next(
        one for one in map(json.loads, room.alice("who", "--json").out.splitlines()) if one["owner"] == "bob"
    )
    assert (bob["agent_id"], bob["holding"], bob["channels"]) == ("bob-laptop", 1, ["room"])


def test_rooms_are_listed(room: Room) -> None:
    assert room.bob("rooms").out == 'room  0 posts  by alice  "login 500s"\n'
    assert room.bob("rooms", "--new", "room").status == 1
    assert json.loads(room.bob("rooms", "--json").out)["purpose"] == "login 500s"


def test_the_only_room_needs_no_name_and_of_two_one_must_be_named(room: Room, tmp_path: Path) -> None:
    carol = Terminal(room.url, "bob", tmp_path, room="")
    assert carol("board").status == 0
    room.alice("rooms", "--new", "other")
    asked = carol("board")
    assert asked.status == 2
    assert "room, other" in asked.errors
    assert carol("board", "-r", "other").status == 0


def test_catching_up_is_told_as_an_agent_is_told(room: Room) -> None:
    room.alice("claim", "a", "-m", "mine")
    told = room.bob("catchup").out
    assert "alice/alice-laptop, 15 min left" in told
    since = told.rstrip().rpartition("since=")[2]
    assert "No new posts." in room.bob("catchup", "--since", since).out
    assert room.bob("catchup", "--markdown", "--since", since).status == 2
    assert room.bob("catchup", "--since", "22:15").status == 2


def test_tail_shows_what_comes_and_goes_on_from_a_position(
    room: Room, started: list[subprocess.Popen[str]]
) -> None:
    room.alice("post", "before")
    tail = room.bob.start("tail", "--json")
    started.append(tail)
    assert tail.stdout is not None
    assert json.loads(tail.stdout.readline())["message"]["body"] == "before"
    room.alice("post", "now")
    event = json.loads(tail.stdout.readline())
    assert event["message"]["body"] == "now"
    room.alice("post", "later")
    again = room.bob("tail", "--json", "--no-follow", "--since", event["since"])
    assert [json.loads(line)["message"]["body"] for line in again.out.splitlines()] == ["later"]


def test_tail_goes_on_after_a_restart_with_nothing_lost_and_nothing_twice(
    start: Start, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    options = ["--journal", f"sqlite:{tmp_path}/room.db"]
    daemon = start("caucus-backbone", *options, CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    bob = Terminal(url, "bob", tmp_path)
    bob("rooms", "--new", "room")
    tail = bob.start("tail", "--json")
    started.append(tail)
    assert tail.stdout is not None
    bob("post", "one")
    assert json.loads(tail.stdout.readline())["message"]["body"] == "one"
    daemon.end()
    port = url.rpartition(":")[2]
    start("caucus-backbone", *options, "--port", port, CAUCUS_TOKENS=TOKENS).until_listening()
    bob("post", "two")
    bob("post", "three")
    assert [json.loads(tail.stdout.readline())["message"]["body"] for _ in range(2)] == ["two", "three"]


def test_tail_of_all_rooms_shows_what_was_before_in_each(room: Room, tmp_path: Path) -> None:
    room.alice("rooms", "--new", "other")
    room.alice("post", "one")
    room.alice("post", "-r", "other", "two")
    said = Terminal(room.url, "bob", tmp_path, room="")("tail", "--no-follow", "-n", "1").out
    assert re.findall(r"(room|other) \[1\] note alice/alice-laptop: (\w+)", said) == [
        ("room", "one"),
        ("other", "two"),
    ]


def test_tail_is_interrupted_with_130(room: Room, started: list[subprocess.Popen[str]]) -> None:
    room.alice("post", "hello")
    tail = room.bob.start("tail")
    started.append(tail)
    assert tail.stdout is not None
    assert tail.stdout.readline().endswith("hello\n")
    tail.send_signal(signal.SIGINT)
    assert tail.wait(SECONDS) == 130


def test_whoever_has_read_enough_ends_it_without_a_word(room: Room) -> None:
    room.alice("post", "hello")
    line = f"{BIN / 'caucus'} tail --json --no-follow | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], env=room.bob.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) in ((0, b""), (1, b""))


def test_somebody_without_a_token_can_look_and_is_told_what_is_missing(room: Room, tmp_path: Path) -> None:
    nobody = Terminal(room.url, "", tmp_path)
    assert nobody("board").status == 0
    for command in (["post", "x"], ["claim", "a"], ["inbox"], ["done"]):
        refused = nobody(*command)
        assert refused.status == 4
        assert "caucus login" in refused.errors


@pytest.mark.parametrize("token", ["two\nlines", "tok-é", "a secret"])
def test_what_cannot_be_a_token_is_sent_nowhere_and_not_shown(room: Room, token: str) -> None:
    room.bob.environment["CAUCUS_TOKEN"] = token
    refused = room.bob("board")
    assert (refused.status, refused.out) == (2, "")
    assert token not in refused.errors
    bridge = room.bob.start("mcp")
    out, errors = bridge.communicate(timeout=SECONDS)
    assert (bridge.returncode, out) == (2, "")
    assert token.rsplit(maxsplit=1)[-1] not in errors


@pytest.mark.parametrize(
    "line", ["post <&-", "attach - <&-", "login <&-", "board >&-", "board 2>&-", "board >/dev/full"]
)
def test_streams_that_are_closed_or_full_are_an_error_and_no_traceback(room: Room, line: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{BIN / 'caucus'} {line}"],
        env=room.bob.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode in (0, 1, 2)
    assert "Traceback" not in done.stderr


def test_a_command_that_is_run_ends_when_nobody_reads_it(room: Room) -> None:
    line = f"{BIN / 'caucus'} run sh -c 'yes | head -1'"
    done = subprocess.run(["bash", "-c", line], env=room.bob.environment, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"y\n", b"")


def test_a_bad_token_is_4_and_not_shown(room: Room, tmp_path: Path) -> None:
    refused = Terminal(room.url, "s3cret", tmp_path)("post", "x")
    assert refused.status == 4
    assert "s3cret" not in refused.errors


def test_nobody_there_is_5(tmp_path: Path) -> None:
    away = Terminal("http://127.0.0.1:1", "bob", tmp_path)
    for command in ("board", "tail"):
        assert away(command).status == 5
    assert Terminal("ftp://x", "bob", tmp_path)("board").status == 2


def test_too_fast_is_6(start: Start, tmp_path: Path) -> None:
    daemon = start("caucus-backbone", "--max-posts-per-minute=1", CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    bob = Terminal(url, "bob", tmp_path)
    bob("rooms", "--new", "room")
    assert [bob("post", text).status for text in ("one", "two")] == [0, 6]


def test_a_unix_socket_is_an_address(start: Start, tmp_path: Path) -> None:
    daemon = start("caucus-backbone", "--listen", f"unix:{tmp_path}/s", CAUCUS_TOKENS=TOKENS)
    [url] = daemon.until_listening()
    assert url.startswith("http+unix://")
    assert Terminal(url, "bob", tmp_path)("rooms").out.startswith("There is no room yet")


def test_what_others_wrote_is_no_line_of_ours_and_nothing_that_a_terminal_obeys(room: Room) -> None:
    room.alice("post", "one\n12:00:00 [9] note bob/bob-laptop: forged\u202e\u200b")
    room.alice("claim", "x\u202ey", "-m", "a\nb")
    shown = room.bob("tail", "--no-follow").out + room.bob("board").out
    assert "\n  | 12:00:00 [9] note bob/bob-laptop: forged\n" in shown
    assert "\u202e" not in shown
    assert '"a b"' in shown
