"""What a request is answered with when something goes wrong, whatever that is."""

from __future__ import annotations

import json

import pytest
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError, RateLimited
from caucus.journals.memory import MemoryJournal
from caucus.model.records import Descriptor
from caucus.wire import refusals
from caucus.wire.refusals import encode_error, figures_without_room
from tests.raw import make_edge


@frozen
class Odd(CaucusError):
    """An error with a figure that the envelope has no field for."""

    code = "odd"
    colour: str


class Waiting(Backbone):
    def __init__(self, clock: Clock) -> None:
        super().__init__(MemoryJournal(), clock)
        self.asked: list[Deferred[list[Descriptor]]] = []

    def list_channels(self) -> Deferred[list[Descriptor]]:
        self.asked.append(Deferred())
        return self.asked[-1]


def test_every_figure_has_room_in_the_envelope() -> None:
    assert figures_without_room() == set()


def test_what_cannot_be_told_is_answered_all_the_same(
    monkeypatch: pytest.MonkeyPatch, logged_failures: list[Failure]
) -> None:
    monkeypatch.setitem(refusals.STATUS, Odd, 409)
    clock = Clock()
    backbone = Waiting(clock)
    peer = make_edge(backbone=backbone, clock=clock).connect()
    peer.send(b"GET /channels HTTP/1.1\r\nHost: localhost\r\n\r\n")
    backbone.asked[0].errback(Odd("red"))
    clock.advance(0)
    head, _, body = peer.transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert json.loads(body)["error"]["code"] == "internal_error"
    assert len(logged_failures) == 2
    logged_failures.clear()


def test_whoever_is_told_to_wait_is_told_for_how_long_in_a_header() -> None:
    assert encode_error(RateLimited(3, "channel", 7))[1] == {"Retry-After": "7"}
