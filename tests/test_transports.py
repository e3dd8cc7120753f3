"""The two transports against each other: the same bytes get the same answers from both."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.exchanges import DIFFERENT, MALFORMED, TOO_LARGE, WELL_FORMED, Generator
from tests.raw import Answer, Edge, make_edge, parse_answers
from tests.test_recorded import SESSIONS, play_session

ROOMY: dict[str, Any] = {
    "max_posts_per_minute": 10**6,
    "max_messages_per_channel": 10**6,
    "max_channel_creates_per_minute": 10**6,
}


def pair(**limits: Any) -> tuple[Edge, Edge]:
    """Two edges that differ in their transport only."""
    fast, plain = make_edge(http="llhttp", **limits), make_edge(http="twisted", **limits)
    for edge in (fast, plain):
        edge.make_room()
    return fast, plain


def converse(edge: Edge, segments: list[bytes]) -> tuple[list[tuple[int, dict[str, str], bytes]], bool]:
    """What one connection is answered, less the date and any 100, and whether it is over then."""
    peer = edge.connect()
    for segment in segments:
        if not peer.closed:  # then it is not read any more
            peer.send(segment)
            edge.clock.advance(0)
    data = peer.transport.value()
    over = peer.closed or peer.transport.half_closed
    peer.lose()
    return [_shown(answer) for answer in parse(data) if answer.status != 100], over


def parse(data: bytes) -> list[Answer]:
    """As `parse_answers`, where an answer to HEAD is one without the bytes that it announces."""
    answers = []
    for piece in re.split(rb"(?=HTTP/1\.[01] \d{3} )", data)[1:]:
        head = not piece.partition(b"\r\n\r\n")[2]
        answers += parse_answers(piece, head=head)
    return answers


def _shown(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return (
        answer.status,
        {name: value for name, value in answer.headers.items() if name != "date"},
        answer.body,
    )


TABLE = {**MALFORMED, **TOO_LARGE, **WELL_FORMED}


@pytest.mark.parametrize("name", [name for name in TABLE if name not in DIFFERENT])
def test_the_table_is_answered_alike(name: str) -> None:
    generator = Generator(1)
    raw = TABLE[name]
    cuts = [[raw], [raw[at : at + 1] for at in range(min(len(raw), 3000))] + [raw[3000:]]]
    cuts += [generator.cut(raw) for _ in range(5)]
    for cut in cuts:
        fast, plain = pair()
        assert converse(fast, cut) == converse(plain, cut)


@pytest.mark.parametrize("name", DIFFERENT)
def test_where_they_differ_the_table_says_how(name: str) -> None:
    by_llhttp, by_twisted, why = DIFFERENT[name]
    fast, plain = pair()
    assert [status for status, _, _ in converse(fast, [TABLE[name]])[0]] == by_llhttp, why
    assert [status for status, _, _ in converse(plain, [TABLE[name]])[0]] == by_twisted, why


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_recorded_sessions_are_answered_alike(name: str) -> None:
    fast, plain = (_told(SESSIONS[name], http) for http in ("llhttp", "twisted"))
    assert fast == plain


def _told(session: dict[str, Any], http: str) -> list[Any]:
    answers = [_shown(answer) for answer in play_session(session, http)]
    hidden = re.compile(rb"tok_[A-Za-z0-9_-]+")
    return [(status, headers, hidden.sub(b"tok_", body)) for status, headers, body in answers]


def test_generated_requests_are_answered_alike_however_they_are_cut(pytestconfig: pytest.Config) -> None:
    requests = pytestconfig.getoption("--requests")
    generator = Generator(4)
    fast, plain = pair(**ROOMY)
    asked = 0
    answered: dict[int, int] = {}
    while asked < requests:
        count = generator.count(5)
        data = b"".join(generator.request() for _ in range(count))
        asked += count
        segments = generator.cut(data)
        got, expected = converse(fast, segments), converse(plain, segments)
        assert got == expected, data
        for status, _, _ in got[0]:
            answered[status] = answered.get(status, 0) + 1
    # It says something only if it asked for everything.
    assert {200, 201, 400, 401, 403, 404, 405, 409, 421} <= set(answered)
    assert sum(answered.values()) > requests / 2
