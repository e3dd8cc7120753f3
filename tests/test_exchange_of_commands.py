"""The command line's own requests: whatever answers is an answer, or an error in words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from caucus.terminal.asking import Asker, Refused
from caucus.terminal.connecting import Address
from caucus.terminal.contexts import Context
from caucus.terminal.exits import Failed
from caucus.terminal.lines import say

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
Serve = Callable[..., tuple[str, list[bytes]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers each connection in turn with some bytes, and then closes it."""
    listeners: list[socket.socket] = []

    def start(*answers: list[bytes]) -> tuple[str, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        asked: list[bytes] = []

        def work() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test is over
                    return
                asked.append(connection.recv(65_536))
                for part in answer:
                    connection.sendall(part)
                connection.close()

        threading.Thread(target=work, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}", asked

    yield start
    for one in listeners:
        one.close()


def refused(code: str) -> list[bytes]:
    """A refusal after which one may come again at once."""
    said = b'{"error": {"code": "%s", "message": "no"}}' % code.encode()
    return [b"HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: %d\r\n\r\n" % len(said), said]


def test_an_answer_may_be_cut_anywhere(serve: Serve) -> None:
    whole = OK + b'{"head": 77}'
    url, _ = serve([whole[at : at + 1] for at in range(len(whole))])
    assert Asker(Context(url)).ask("GET", "/x").head == 77


def test_an_answer_may_come_in_chunks_or_end_with_the_connection(serve: Serve) -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'
    url, _ = serve([chunked], [b"HTTP/1.0 200 OK\r\n\r\n", b'{"a": 2}'])
    asker = Asker(Context(url))
    assert [asker.ask("GET", "/x").a for _ in range(2)] == [1, 2]


def test_a_write_whose_answer_is_lost_is_asked_again_with_the_same_key(serve: Serve) -> None:
    url, asked = serve([b"HTTP/1.1 200"], [OK[:30]], [OK, b'{"head": 77}'])
    assert Asker(Context(url, "tok")).ask("POST", "/x", {"a": 1}).head == 77
    keys = {line for one in asked for line in one.split(b"\r\n") if line.startswith(b"Idempotency-Key")}
    assert (len(asked), len(keys)) == (3, 1)


def test_what_never_answers_whole_is_not_reached(serve: Serve) -> None:
    url, _ = serve(*[[OK]] * 3)
    with pytest.raises(Failed, match="closed before the answer was whole") as caught:
        Asker(Context(url)).ask("GET", "/x")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
def test_what_is_no_caucus_is_said_to_be_none(serve: Serve, said: bytes) -> None:
    url, _ = serve(*[[said]] * 3)
    with pytest.raises(Failed, match=r"no HTTP|no Caucus"):
        Asker(Context(url)).ask("GET", "/x")


def test_a_page_of_a_proxy_is_no_refusal_of_ours(serve: Serve) -> None:
    url, _ = serve([b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"])
    with pytest.raises(Refused, match=r"is no Caucus \(status 502\)"):
        Asker(Context(url)).ask("GET", "/x")


def test_a_backbone_that_is_busy_is_asked_again_after_the_time_that_it_says(serve: Serve) -> None:
    url, asked = serve(refused("overloaded"), [OK, b'{"head": 77}'])
    assert Asker(Context(url)).ask("GET", "/x").head == 77
    assert len(asked) == 2


@pytest.mark.parametrize("first", [[b"HTTP/1.1 200"], refused("outcome_unknown")])
def test_what_may_have_been_written_is_not_said_to_be_undone(serve: Serve, first: list[bytes]) -> None:
    url, asked = serve(first, refused("storage_unavailable"), refused("overloaded"))
    with pytest.raises(Refused, match="not known whether this was written") as caught:
        Asker(Context(url)).ask("POST", "/x", {})
    assert (caught.value.code, caught.value.exit_code, len(asked)) == ("outcome_unknown", 5, 3)


def test_a_read_is_never_in_doubt(serve: Serve) -> None:
    url, _ = serve([b"HTTP/1.1 200"], refused("storage_unavailable"), refused("storage_unavailable"))
    with pytest.raises(Refused) as caught:
        Asker(Context(url)).ask("POST", "/x", {}, reads=True)
    assert caught.value.code == "storage_unavailable"


def test_what_may_have_been_written_is_not_forgotten_where_nobody_is_there_any_more(serve: Serve) -> None:
    url, _ = serve([b"HTTP/1.1 200"], [b"HTTP/1.1 200"], [b"HTTP/1.1 200"])
    with pytest.raises(Failed, match=r"not to be reached.*not known whether this was written"):
        Asker(Context(url)).ask("POST", "/x", {})


def test_what_was_never_taken_is_not_said_to_be_in_doubt(serve: Serve) -> None:
    url, _ = serve(*[refused("storage_unavailable")] * 3)
    with pytest.raises(Refused) as caught:
        Asker(Context(url)).ask("POST", "/x", {})
    assert caught.value.code == "storage_unavailable"


@pytest.mark.parametrize("said", [b"[]", b"1", b'"x"'])
def test_what_says_no_object_is_no_caucus(serve: Serve, said: bytes) -> None:
    url, _ = serve([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said])
    with pytest.raises(Failed, match="no Caucus"):
        Asker(Context(url)).ask("GET", "/x")


def test_a_head_without_end_is_not_kept(serve: Serve) -> None:
    url, _ = serve(*[[b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000]] * 3)
    with pytest.raises(Failed, match="not to be reached"):
        Asker(Context(url)).ask("GET", "/x")


def test_what_others_say_reaches_no_terminal_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b]0;title\x07b\x1b[2Jc\x9bd\u202ee \x1b[31mred\x1b[0m\tf\ng")
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x07", "\x9b", "\u202e"}
    assert "\x1b[2J" not in shown
    assert shown.endswith("red\tf\ng\n") or "\x1b[31m" in shown


def test_an_interim_answer_is_passed_over(serve: Serve) -> None:
    url, _ = serve([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK, b'{"head": 77}'])
    assert Asker(Context(url)).ask("GET", "/x").head == 77


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://127.0.0.1:4317", "127.0.0.1:4317", ""),
        ("http://[::1]:4317/", "[::1]:4317", ""),
        ("https://caucus.example/base/", "caucus.example", "/base"),
        ("http+unix://%2Frun%2Fs", "localhost", ""),
    ],
)
def test_an_address_says_what_the_daemon_is_called(url: str, host: str, path: str) -> None:
    address = Address(url)
    assert (address.host, address.path) == (host, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://x",
        "http://",
        "http://u:s3cret@x",
        "http://x?y",
        "http://x#y",
        "http://x:99999",
        "http://x\r\ny",
    ],
)
def test_what_is_no_address_is_refused_and_shows_no_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"address") as caught:
        Address(url)
    assert "s3cret" not in str(caught.value)
