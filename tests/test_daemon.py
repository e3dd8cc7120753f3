"""The daemon as a process: `caucus-backbone`, `twist caucus`, `twistd -ny caucus.tac`."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.base import ReactorBase

from caucus import HTTPBackbone
from caucus.errors import Unreachable
from caucus.tap import _boot_id, _make_monotonic, _seconds_since_boot
from tests.daemon import BIN, SECONDS, TAC, WAYS, Start, ask


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("way", WAYS)
def test_it_serves_and_stops_cleanly(start: Start, way: str, how: int) -> None:
    daemon = start(way, CAUCUS_TOKENS="s3cret:alice-agent:alice", CAUCUS_MAX_CHANNELS="1")
    (url,) = daemon.until_listening()
    assert ask(url + "/channels", {"channel": "room"}, "s3cret")["created_by"] == "alice"
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):  # stays open, says nothing
        _, out, err = daemon.end(how)
    assert "Traceback" not in out + err
    assert "s3cret" not in out + err
    assert " POST /channels 201 " in out + err


def test_the_command_writes_its_banner_to_standard_output_and_nothing_else(start: Start) -> None:
    daemon = start("caucus-backbone")
    (url,) = daemon.until_listening()
    ask(url + "/healthz")
    status, out, err = daemon.end()
    assert (status, out) == (0, f"caucus-backbone listening on {url}\n")
    assert "CAUCUS_TOKENS is not set: nobody may write" in err


def test_a_wildcard_bind_is_announced_so_that_it_can_be_dialled_and_warned_of(start: Start) -> None:
    daemon = start("caucus-backbone", HOST="0.0.0.0")
    (url,) = daemon.until_listening()
    assert url.startswith("http://127.0.0.1:")
    assert "0.0.0.0" in daemon.end()[2]


def test_options_win_over_the_environment(start: Start, taken_port: int) -> None:
    daemon = start(
        "caucus-backbone", "--port=0", "--max-channels", "2", PORT=str(taken_port), CAUCUS_MAX_CHANNELS="x"
    )
    (url,) = daemon.until_listening()
    assert not url.endswith(f":{taken_port}")


def test_every_listener_has_a_banner(start: Start, tmp_path: Path) -> None:
    listen = ["--listen", "tcp:0:interface=127.0.0.1", "-l", f"unix:{tmp_path}/room.sock"]
    urls = start("caucus-backbone", *listen).until_listening(2)
    assert urls[1] == "http+unix://" + f"{tmp_path}/room.sock".replace("/", "%2F")


def test_tls_is_an_endpoint_like_any_other(start: Start, tmp_path: Path) -> None:
    import ssl  # noqa: PLC0415

    make_certificate(tmp_path / "pem")
    daemon = start("caucus-backbone", f"--listen=ssl:0:interface=127.0.0.1:privateKey={tmp_path}/pem")
    (url,) = daemon.until_listening()
    assert url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(tmp_path / "pem"))
    with urllib.request.urlopen(url + "/healthz", timeout=SECONDS, context=context) as answer:
        assert json.load(answer) == {"ok": True}
    # Refused while it is still sending, it gets to read why: TLS has no half-closed state to say so in.
    connection = http.client.HTTPSConnection("127.0.0.1", int(url.rpartition(":")[2]), context=context)
    connection.request("POST", "/channels", b"a" * 1_000_000)
    assert connection.getresponse().status == 413
    connection.close()


async def test_a_certificate_that_is_not_trusted_makes_the_server_unreachable(
    start: Start, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "pem")
    daemon = start("caucus-backbone", f"--listen=ssl:0:interface=127.0.0.1:privateKey={tmp_path}/pem")
    (url,) = daemon.until_listening()
    client = HTTPBackbone(reactor, url)
    with pytest.raises(Unreachable, match="the TLS connection failed") as caught:
        await client.list_channels()
    assert not caught.value.retryable
    await client.close()


class Timers:
    """As much of a reactor as has a clock."""

    def __init__(self, *calls: object) -> None:
        self.calls = list(calls)
        self.seconds: object = ReactorBase.seconds

    def getDelayedCalls(self) -> list[object]:
        return self.calls


def test_timers_run_on_the_boots_clock_unless_some_were_set_on_the_other() -> None:
    fresh, used = Timers(), Timers("a call")
    _make_monotonic(fresh)
    _make_monotonic(used)
    assert fresh.seconds is _seconds_since_boot
    assert (len(_boot_id(fresh)), _boot_id(used)) == (16, b"")
    assert used.seconds is ReactorBase.seconds


def make_certificate(path: Path) -> None:
    """A key and a certificate of its own for 127.0.0.1, in one PEM file."""
    import ipaddress  # noqa: PLC0415
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "caucus test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))


def test_twist_logs_json_when_asked(start: Start) -> None:
    daemon = start.command([str(BIN / "twist"), "--log-format=json", "caucus"])
    (url,) = daemon.until_listening()
    ask(url + "/healthz?secret=1")
    _, out, _ = daemon.end()
    banner = f"caucus-backbone listening on {url}"
    events = [line for line in out.splitlines() if line and line != banner]
    (access,) = [event["lines"] for event in map(json.loads, events) if "lines" in event]
    assert " GET /healthz 200 " in access[0]
    assert "secret" not in access[0]


WRONG: list[tuple[dict[str, str], list[str], str]] = [
    ({"PORT": "x"}, [], "--port must be an integer from 0 to 65535"),
    ({"PORT": "65536"}, [], "--port must be an integer from 0 to 65535"),
    ({"CAUCUS_TOKENS": "good:a:o,s3cret"}, [], "CAUCUS_TOKENS: entry 2 is not token:agent_id:owner"),
    ({"CAUCUS_HTTP": "h2"}, [], "--http must be one of llhttp, twisted"),
    ({}, ["--http="], "--http must be one of llhttp, twisted"),
    ({"CAUCUS_MAX_STREAMS": "0"}, [], "--max-streams must be a positive integer"),
    ({}, ["--max-channels="], "--max-channels must be a positive integer"),
    ({}, ["--port="], "--port must be an integer from 0 to 65535"),
    ({}, ["--max-channels=many"], "--max-channels must be a positive integer"),
    ({}, ["--nonsense"], "option --nonsense not recognized"),
    ({}, ["extra"], "Wrong number of arguments."),
    (
        {},
        ["--journal=tape:"],
        "--journal 'tape:': no such scheme is installed; installed are memory:, postgres:, sqlite:",
    ),
    ({}, ["--listen=unix:/nonexistent/s"], "cannot listen on unix:/nonexistent/s: No such file or directory"),
    ({}, ["--listen=stdio:"], "--listen stdio:: only TCP and Unix sockets are served"),
    ({}, ["--listen=nonsense:1"], "--listen nonsense:1: no such endpoint: Unknown endpoint type: 'nonsense'"),
]


@pytest.mark.parametrize(("environment", "arguments", "line"), WRONG, ids=[line for *_, line in WRONG])
@pytest.mark.parametrize("way", ["caucus-backbone", "twist"])
def test_what_is_wrong_ends_with_one_line(
    start: Start, way: str, environment: dict[str, str], arguments: list[str], line: str
) -> None:
    status, _, err = start(way, *arguments, **environment).run_out()
    assert (status, err) == (1, f"caucus-backbone: {line}\n")


def test_what_is_wrong_ends_with_one_line_whatever_it_quotes(start: Start) -> None:
    status, _, err = start("caucus-backbone", HOST="127.0.0.1" + "x" * 500).run_out()
    assert status == 1
    assert err.startswith("caucus-backbone: cannot listen on ")
    assert err.removesuffix("\n").isprintable()
    assert len(err) < 300


def test_a_full_disk_under_the_banner_is_no_reason_not_to_serve(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [*WAYS["caucus-backbone"], f"--port={port}"]
    with Path("/dev/full").open("w") as full, (tmp_path / "err").open("w") as err:
        daemon = subprocess.Popen(command, stdout=full, stderr=err)
    for _ in range(100):
        try:
            assert ask(f"http://127.0.0.1:{port}/healthz") == {"ok": True}
            break
        except OSError:
            time.sleep(0.1)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0
    said = (tmp_path / "err").read_text()
    assert "The banner could not be written: [Errno 28]" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("way", WAYS)
def test_a_port_in_use_ends_with_one_line(start: Start, way: str, taken_port: int) -> None:
    status, _, err = start(way, PORT=str(taken_port)).run_out()
    line = f"cannot listen on tcp:{taken_port}:interface=127.0.0.1: Address already in use"
    assert (status, err) == (1, f"caucus-backbone: {line}\n")


def test_a_bad_token_entry_stops_twistd_with_one_line(start: Start) -> None:
    status, _, err = start("twistd", CAUCUS_TOKENS="s3cret").run_out()
    assert (status, err) == (1, "caucus-backbone: CAUCUS_TOKENS: entry 1 is not token:agent_id:owner\n")


LATE_JOURNAL = """\
from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import implementer

from caucus import ConfigurationError
from caucus import IJournalFactory
from caucus.journals.memory import MemoryJournal


@implementer(IPlugin, IJournalFactory)
class Late:
    scheme = "late"
    help = "opens after a while, late:never fails then"

    def open(self, rest, reactor, clock):
        opening = Deferred()
        failure = ConfigurationError("the disk is gone") if rest == "never" else None
        if rest == "hang":
            clock.callLater(0, print, "opening", flush=True)
            return opening
        if rest == "tell":
            clock.callLater(0, print, "opening", flush=True)
        clock.callLater(0.2, opening.errback if failure else opening.callback, failure or MemoryJournal())
        return opening


late = Late()
"""


@pytest.fixture
def late_journal(tmp_path: Path) -> dict[str, str]:
    """The environment in which a third party's journal is installed."""
    plugins = tmp_path / "site/twisted/plugins"
    plugins.mkdir(parents=True)
    (plugins / "late_journal.py").write_text(LATE_JOURNAL)
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.parametrize("way", ["caucus-backbone", "twist"])
def test_a_third_partys_journal_is_found_and_waited_for(
    start: Start, way: str, late_journal: dict[str, str]
) -> None:
    daemon = start(way, "--journal=late:", **late_journal)
    (url,) = daemon.until_listening()
    assert ask(url + "/healthz") == {"ok": True}
    assert "Traceback" not in "".join(daemon.end()[1:])


@pytest.mark.parametrize("way", ["caucus-backbone", "twist"])
def test_a_journal_that_fails_late_still_ends_with_its_line(
    start: Start, way: str, late_journal: dict[str, str]
) -> None:
    status, out, err = start(way, "--journal=late:never", **late_journal).run_out()
    assert status == 1
    assert "caucus-backbone: the disk is gone\n" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("way", WAYS)
def test_it_can_be_stopped_as_soon_as_it_says_that_it_listens(start: Start, way: str, tmp_path: Path) -> None:
    for attempt in range(4):
        socket_path = tmp_path / f"{attempt}.sock"
        listen = [] if way == "twistd" else [f"--listen=unix:{socket_path}"]
        daemon = start(way, *listen)
        daemon.until_listening()
        daemon.process.send_signal(signal.SIGTERM)
        _, out, err = daemon.run_out()
        assert "Traceback" not in out + err
        assert not socket_path.exists()
        assert daemon.process.returncode in (0, -signal.SIGTERM)
        assert way != "caucus-backbone" or daemon.process.returncode == 0


def test_it_can_be_stopped_while_its_journal_never_opens(start: Start, late_journal: dict[str, str]) -> None:
    daemon = start("caucus-backbone", "--journal=late:hang", **late_journal)
    assert daemon.process.stdout is not None
    assert daemon.process.stdout.readline() == "opening\n"
    assert daemon.end()[0] == 0


def test_a_daemonised_twistd_says_in_its_log_why_it_cannot_start(tmp_path: Path, taken_port: int) -> None:
    command = [str(BIN / "twistd"), "--pidfile=t.pid", "--logfile=t.log", "-oy", str(TAC)]
    environment = {**os.environ, "PORT": str(taken_port)}
    subprocess.run(command, env=environment, cwd=tmp_path, timeout=SECONDS, check=False)
    for _ in range(100):
        log = (tmp_path / "t.log").read_text() if (tmp_path / "t.log").exists() else ""
        if "cannot start" in log and not (tmp_path / "t.pid").exists():
            break
        time.sleep(0.1)
    assert "Address already in use" in log
    assert not (tmp_path / "t.pid").exists()


def test_it_can_be_stopped_while_its_journal_is_opening(start: Start, late_journal: dict[str, str]) -> None:
    daemon = start("caucus-backbone", "--journal=late:tell", **late_journal)
    assert daemon.process.stdout is not None
    assert daemon.process.stdout.readline() == "opening\n"
    status, _, err = daemon.end()
    assert status == 0
    assert "Traceback" not in err


@pytest.mark.parametrize("way", ["caucus-backbone", "twist"])
def test_help_names_every_option_with_its_default(start: Start, way: str) -> None:
    status, out, _ = start(way, "--help").run_out()
    text = " ".join(out.split())
    assert status == 0
    assert "CAUCUS_TOKENS says who may write" in text
    for words in (
        "--listen=",
        "[127.0.0.1]",
        "[4317]",
        "--max-posts-per-minute=",
        "[4 x --max-posts-per-minute]",
    ):
        assert words in text


def test_the_journals_and_the_version_can_be_asked_for(start: Start) -> None:
    assert start("caucus-backbone", "--list-journals").run_out()[1].startswith("memory:")
    assert re.fullmatch(
        r"caucus-backbone \S+, Twisted \S+\n", start("caucus-backbone", "--version").run_out()[1]
    )
