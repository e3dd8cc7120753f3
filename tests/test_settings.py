"""Settings that cannot be meant are refused or said; a socket and signals that are nobody's end nothing."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from caucus.access.tokens import Tokens
from caucus.edge.door import Door, require_host
from caucus.errors import ConfigurationError
from caucus.settings import Settings
from caucus.tap import Options
from tests.daemon import Start, ask


def settings(*arguments: str, **environment: str) -> Settings:
    options = Options(environment)
    options.parseOptions(arguments)
    return options.settings


@pytest.mark.parametrize(
    ("environment", "arguments", "line"),
    [
        ({"CAUCUS_JOURNAL": "sqlite:room.db\r"}, (), "--journal has U+000D in it, which cannot be meant"),
        ({"CAUCUS_JOURNAL": "memory:\n"}, (), "--journal has U+000A in it, which cannot be meant"),
        ({}, ("--listen", "unix:/tmp/s\r"), "--listen has U+000D in it, which cannot be meant"),
        ({"HOST": "127.0.0.1\r"}, (), "--host has U+000D in it, which cannot be meant"),
        ({"HOST": "my host"}, (), "--host has U+0020 in it, which cannot be meant"),
        ({"PORT": "43 17"}, (), "--port must be an integer from 0 to 65535"),
        ({"CAUCUS_HTTP": "llhttp\r"}, (), "--http must be one of llhttp, twisted"),
        ({"CAUCUS_TOKENS": "to\x00k:a:o"}, (), "CAUCUS_TOKENS: entry 1: no header can carry its token"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_one_line(
    environment: dict[str, str], arguments: tuple[str, ...], line: str
) -> None:
    with pytest.raises(SystemExit, match=r"^caucus-backbone: ") as caught:
        settings(*arguments, **environment)
    assert str(caught.value) == f"caucus-backbone: {line}"


@pytest.mark.parametrize("port", [" 4317 ", "4317\r", "\t4317\n"])
def test_a_port_may_have_white_space_around_it(port: str) -> None:
    assert settings(PORT=port).port == 4317


def test_line_ends_around_what_is_trimmed_anyway_do_no_harm() -> None:
    found = settings(
        CAUCUS_TOKENS="tok:a:o\r", CAUCUS_ALLOWED_HOSTS="a.example, b.example\r", CAUCUS_MAX_STREAMS="7\r"
    )
    assert found.allowed_hosts == ("a.example", "b.example")
    assert isinstance(found.tokens, str)
    (known,) = Tokens.parse(found.tokens).names() - {"a"}
    assert known == "o"


@pytest.mark.parametrize("path", ["/tmp/room.db ", " room.db", "room.db\t"])
def test_a_path_with_white_space_around_it_is_refused(start: Start, path: str) -> None:
    status, _, err = start("caucus-backbone", f"--journal=sqlite:{path}").run_out()
    assert status == 1
    assert err.count("\n") == 1
    assert list(start.folder.glob("*.db*")) == []


@pytest.mark.parametrize("name", ["https://a.example", "a.example:4317", "a b", "a/b", "", "[::1]:4317"])
def test_an_allowed_host_that_no_request_can_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--allowed-host "):
        require_host(name)


@pytest.mark.parametrize(
    "name", ["a.example", "A.Example.", "caucus_backbone", "10.0.0.7", "fd00::7", "[fd00::7]"]
)
def test_an_allowed_host_is_a_name_or_an_address(name: str) -> None:
    require_host(name)
    host = name if ":" not in name or name.startswith("[") else f"[{name}]"
    Door([name], local=True, literals=False).check(None, [host.encode() + b":4317"], [])


@pytest.mark.parametrize("token", ["secret\n", " secret", "sec\x7fret"])
def test_an_admin_token_that_no_header_can_carry_is_said(start: Start, token: str) -> None:
    daemon = start("caucus-backbone", CAUCUS_ADMIN_TOKEN=token)
    daemon.until_listening()
    _, out, err = daemon.end()
    assert "CAUCUS_ADMIN_TOKEN has white space around it or a control character in it" in err
    assert token.strip() not in out + err


@pytest.mark.parametrize("name", ["CAUCUS_TOKENS", "CAUCUS_ADMIN_TOKEN"])
def test_quotes_that_a_file_of_settings_left_are_said(start: Start, name: str) -> None:
    daemon = start("caucus-backbone", **{name: '"tok:agent:owner"'})
    daemon.until_listening()
    assert f"{name} has quotes around it, which are taken as part of it" in daemon.end()[2]


# A socket that is in the way


def left_behind(path: Path) -> None:
    """As a daemon that was killed leaves its socket, with a lock that names a process which lives."""
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    path.with_name(f"{path.name}.lock").symlink_to(str(os.getpid()))


def test_a_socket_that_nobody_answers_on_is_taken(start: Start, tmp_path: Path) -> None:
    left_behind(tmp_path / "s")
    start("caucus-backbone", f"--listen=unix:{tmp_path}/s").until_listening()


def test_a_lock_whose_socket_is_not_there_is_taken(start: Start, tmp_path: Path) -> None:
    left_behind(tmp_path / "s")
    (tmp_path / "s").unlink()
    start("caucus-backbone", f"--listen=unix:{tmp_path}/s").until_listening()


def test_a_socket_that_somebody_answers_on_is_not_taken(start: Start, tmp_path: Path) -> None:
    first = start("caucus-backbone", f"--listen=unix:{tmp_path}/s")
    first.until_listening()
    status, _, err = start("caucus-backbone", f"--listen=unix:{tmp_path}/s").run_out()
    assert (status, err.count("\n")) == (1, 1)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert peer.recv(12) == b"HTTP/1.1 200"


def test_a_file_that_is_no_socket_is_not_taken(start: Start, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    status, _, err = start("caucus-backbone", f"--listen=unix:{tmp_path}/s").run_out()
    assert (status, err.count("\n")) == (1, 1)
    assert (tmp_path / "s").read_text() == "precious"


# Signals


@pytest.mark.parametrize("way", ["caucus-backbone", "twist", "twistd"])
def test_signals_that_nobody_handles_do_not_end_it(start: Start, way: str) -> None:
    daemon = start(way)
    (url,) = daemon.until_listening()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        daemon.process.send_signal(number)
        assert ask(f"{url}/healthz") == {"ok": True}
    assert daemon.end()[0] in (0, -signal.SIGTERM)  # twist and twistd end by the signal that ended them
