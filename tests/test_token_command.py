"""`caucus-token`, and that no secret shows anywhere while it is used."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.daemon import BIN, SECONDS, Daemon, Start, ask

ADMIN = "admin-s3cret"


def run(url: str, command: list[str], admin: str = ADMIN) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        env={**os.environ, "CAUCUS_URL": url, "CAUCUS_ADMIN_TOKEN": admin},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def shell(url: str, line: str) -> tuple[int, str, str]:
    """The command with a shell's redirections after it."""
    return run(url, ["bash", "-c", f"exec {BIN / 'caucus-token'} {line}"])


def token_command(url: str, *arguments: str, admin: str = ADMIN) -> tuple[int, str, str]:
    return run(url, [str(BIN / "caucus-token"), *arguments], admin)


@pytest.fixture
def daemon(start: Start) -> tuple[Daemon, str]:
    started = start("caucus-backbone", CAUCUS_ADMIN_TOKEN=ADMIN, CAUCUS_TOKENS="seeded-s3cret:s:sam")
    return started, started.until_listening()[0]


def test_no_secret_shows_in_logs_answers_or_audit_lines(daemon: tuple[Daemon, str]) -> None:
    running, url = daemon
    status, first, said = token_command(url, "mint", "dave-laptop", "dave")
    assert (status, said) == (0, "caucus-token: a token of dave-laptop for dave; it is not shown again\n")
    first = first.strip()
    shown = json.dumps(ask(url + "/channels", {"channel": "room"}, first))
    status, second, _ = token_command(url, "rotate", "dave-laptop", "dave")
    assert status == 0
    second = second.strip()
    for token in (first, "wrong-s3cret", ADMIN):
        with pytest.raises(OSError, match="401"):
            ask(url + "/channels", {"channel": "other"}, token)
    outputs = [
        token_command(url, "revoke", "dave-laptop"),
        token_command(url, "revoke", "dave-laptop"),
        token_command(url, "revoke", "--digest", second),  # a token by mistake
        token_command(url, "mint", "dave-laptop", "esc\x1b"),
        token_command(url, "mint", "x", "y", admin="wrong-s3cret"),
    ]
    assert [status for status, *_ in outputs] == [0, 1, 1, 1, 1]
    assert outputs[0][2] == "caucus-token: revoked\n"
    assert outputs[4][2] == "caucus-token: missing or invalid token\n"
    with pytest.raises(OSError, match="401"):
        ask(url + "/channels", {"channel": "other"}, second)

    _, out, err = running.end()
    everything = out + err + shown + "".join(out + err for _, out, err in outputs)
    for secret in (first, second, ADMIN, "seeded-s3cret", "wrong-s3cret"):
        assert secret not in everything
        assert secret[4:20] not in everything
    audit = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert [(line["op"], line["result"]) for line in audit] == [
        ("mint", "ok"),
        ("rotate", "ok"),
        ("revoke", "revoked"),
        ("revoke", "not_found"),
        ("revoke", "not_found"),
        ("mint", "invalid_request"),
        ("mint", "unauthorized"),
    ]


def test_audit_lines_can_be_turned_off(start: Start) -> None:
    running = start("caucus-backbone", CAUCUS_ADMIN_TOKEN=ADMIN, CAUCUS_ADMIN_AUDIT="off")
    (url,) = running.until_listening()
    assert token_command(url, "mint", "a", "o")[0] == 0
    assert "caucus.admin.audit" not in running.end()[2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "an action is needed: mint, rotate or revoke"),
        (["mint"], "Wrong number of arguments."),
        (["revoke"], "revoke takes an AGENT_ID or a --digest"),
        (
            ["--url=ftp://x", "mint", "a", "o"],
            "the URL of a backbone begins with http://, https:// or http+unix://",
        ),
        (
            ["mint", "a", "o"],
            "The backbone gave no answer: no connection could be made. Trying again can help.",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(arguments: list[str], line: str) -> None:
    assert token_command("http://127.0.0.1:1", *arguments) == (1, "", f"caucus-token: {line}\n")


def test_without_an_admin_token_nothing_is_asked() -> None:
    said = token_command("http://127.0.0.1:1", "mint", "a", "o", admin="")
    assert said == (1, "", "caucus-token: CAUCUS_ADMIN_TOKEN is not set\n")


def test_the_issuer_works_over_a_unix_socket(start: Start, tmp_path: Path) -> None:
    running = start("caucus-backbone", f"--listen=unix:{tmp_path}/s", CAUCUS_ADMIN_TOKEN=ADMIN)
    (url,) = running.until_listening()
    assert token_command(url, "mint", "a", "o")[0] == 0


@pytest.mark.parametrize("action", ["mint", "rotate"])
def test_a_token_that_cannot_be_printed_is_revoked_again(daemon: tuple[Daemon, str], action: str) -> None:
    running, url = daemon
    status, _, said = shell(url, f"{action} dave-laptop dave >/dev/full")
    reason = "No space left on device"
    assert status == 1
    assert said == f"caucus-token: the token could not be printed ({reason}) and was revoked again\n"
    audit = [json.loads(line) for line in running.end()[2].splitlines() if line.startswith("{")]
    assert [(line["op"], line["result"]) for line in audit] == [(action, "ok"), ("revoke", "revoked")]
    assert audit[0]["digest"] == audit[1]["digest"]


def test_no_token_is_asked_for_that_could_not_be_shown(daemon: tuple[Daemon, str]) -> None:
    running, url = daemon
    assert shell(url, "mint dave-laptop dave >&-") == (
        1,
        "",
        "caucus-token: standard output is closed, so that a token could not be shown\n",
    )
    assert "caucus.admin.audit" not in running.end()[2]


@pytest.mark.parametrize("nowhere", ["2>&-", "2>/dev/full"])
def test_a_token_that_was_printed_is_a_success_whatever_standard_error_is(
    daemon: tuple[Daemon, str], nowhere: str
) -> None:
    status, out, _ = shell(daemon[1], f"mint dave-laptop dave {nowhere}")
    assert status == 0
    assert ask(daemon[1] + "/channels", {"channel": "room"}, out.strip())["created_by"] == "dave"
