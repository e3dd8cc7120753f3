"""What becomes of a request whose peer has gone: reads end, and writes are done to their end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from tests.metrics import of
from tests.raw import make_edge

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOTE = {"type": "note", "msg_id": ULID, "body": "text"}
CLAIM = {**NOTE, "type": "claim", "target": "t"}
READS = {
    "list_channels": ("GET", "/channels", None),
    "describe_channel": ("GET", "/channels/room", None),
    "subscribe": ("POST", "/channels/room/subscribe", {}),
    "read_since": ("POST", "/channels/room/read", {"cursor": 0}),
    "get_artifact": ("GET", f"/channels/room/artifacts/{'0' * 64}", None),
}
WRITES = {
    "create_channel": ("POST", "/channels", {"channel": "new"}),
    "append": ("POST", "/channels/room/append", NOTE),
    "claim": ("POST", "/channels/room/claim", CLAIM),
    "reassign_claim": (
        "POST",
        "/channels/room/reassign",
        {**CLAIM, "assignee": {"agent_id": "a", "owner": "o"}},
    ),
    "mark_claim_done": ("POST", "/channels/room/done", CLAIM),
    "put_artifact": ("PUT", f"/channels/room/artifacts/{'0' * 64}", {}),
}


class Slow(Backbone):
    """Every operation of the name is asked, and answers when the test does."""

    def __init__(self, name: str) -> None:
        clock = Clock()
        super().__init__(MemoryJournal(), clock)
        self.clock = clock
        self.cancelled = False
        self.asked: list[Deferred[Any]] = []

        def operation(*_: Any, **__: Any) -> Deferred[Any]:
            self.asked.append(Deferred(self._cancel))
            return self.asked[-1]

        setattr(self, name, operation)

    def _cancel(self, _waiting: Deferred[Any]) -> None:
        self.cancelled = True


def leave_during(name: str, method: str, path: str, fields: Any) -> Slow:
    """A peer asks for an operation and goes before it is answered."""
    backbone = Slow(name)
    edge = make_edge(backbone=backbone, clock=backbone.clock)
    peer = edge.connect()
    body = b"" if fields is None else json.dumps(fields).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"
    peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert len(backbone.asked) == 1
    peer.lose()
    return backbone


@pytest.mark.parametrize("name", READS)
def test_a_read_ends_with_its_peer(name: str, logged_failures: list[Failure]) -> None:
    assert leave_during(name, *READS[name]).cancelled
    assert logged_failures == []


@pytest.mark.parametrize("name", WRITES)
def test_a_write_goes_on_without_its_peer(name: str) -> None:
    backbone = leave_during(name, *WRITES[name])
    assert not backbone.cancelled
    backbone.asked[0].errback(RuntimeError("it may fail, too"))
    assert not backbone.cancelled


def test_a_request_whose_peer_went_first_is_counted_without_a_status() -> None:
    backbone = Slow("list_channels")
    edge = make_edge(backbone=backbone, clock=backbone.clock)
    peer = edge.connect()
    peer.send(b"GET /channels HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peer.lose()
    assert of(edge.site.counts.metrics, "caucus_requests_total", route="list_channels", code="0") == 1
    assert of(edge.site.counts.metrics, "caucus_requests_total", route="list_channels", code="200") == 0


@pytest.fixture(autouse=True)
def _expected_failures(logged_failures: list[Failure]) -> Any:
    yield
    assert {str(one.value) for one in logged_failures} <= {"it may fail, too"}
    logged_failures.clear()
