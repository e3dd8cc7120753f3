"""Requests that wait for a claim, and what becomes of claims where something else goes wrong."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from caucus import start_server
from caucus.core.backbone import Backbone
from caucus.errors import CaucusError
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.events import ClaimEnded, ClaimsChanged, OfferEnded
from caucus.model.records import Identity
from caucus.model.targets import Target
from caucus.rules.claims.overlap import Overlap
from caucus.testing.shared import SharedLog
from tests.bounds import edge_with_a_room, take
from tests.journals import SlowJournal
from tests.providers import transport
from tests.raw import Edge, Peer

ALICE, BOB = Identity("alice-agent", "alice"), Identity("bob-agent", "bob")
WANTED = {"targets": ["t"], "note": "mine", "wait": True}


def waiting_peer(edge: Edge) -> Peer:
    """A connection on which somebody waits for a claim."""
    take(edge, "t")
    claim = take(edge, "t", "tok-bob", wait=True).json["claim"]["claim"]
    peer = edge.connect()
    peer.send(b"GET /channels/room/claims/%d?wait=50 HTTP/1.1\r\nHost: localhost\r\n\r\n" % claim)
    assert peer.answers() == []
    assert len(waits(edge.backbone)) == 1
    return peer


def waits(backbone: Any) -> set[Any]:
    found: set[Any] = backbone._core.waits
    return found


def test_nobody_waits_for_a_peer_that_has_closed_its_end() -> None:
    edge = edge_with_a_room()
    peer = waiting_peer(edge)
    peer.channel.readConnectionLost()
    assert peer.transport.aborted
    peer.lose()
    assert waits(edge.backbone) == set()


def test_nobody_waits_for_a_peer_whose_connection_is_lost() -> None:
    edge = edge_with_a_room()
    waiting_peer(edge).lose()
    assert waits(edge.backbone) == set()


@pytest.mark.parametrize("journal", ["memory:", "sqlite:"])
async def test_who_waits_is_answered_as_the_server_closes(journal: str, tmp_path: Any) -> None:
    place = journal if journal == "memory:" else f"{journal}{tmp_path / 'room.db'}"
    server = await start_server(reactor, tokens="a:a:alice,b:b:bob", journal=place, http=transport())
    backbone: Any = server.backbone
    await backbone.create_channel("room", created_by="alice")
    await backbone.take_claim("room", WANTED, ALICE)
    claim = (await backbone.take_claim("room", WANTED, BOB)).claim.claim
    peer = socket.create_connection(("127.0.0.1", server.port))
    peer.sendall(b"GET /channels/room/claims/%d?wait=50 HTTP/1.1\r\nHost: localhost\r\n\r\n" % claim)
    while not waits(backbone):
        await deferLater(reactor, 0.01)
    began = reactor.seconds()
    await server.close()
    assert reactor.seconds() - began < 2  # and not the grace of a request
    answer = await deferToThread(peer.recv, 65_536)
    peer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"state":"waiting"' in answer


POLLS = {
    "read": b"POST /channels/room/read HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n"
    b'{"cursor":0,"wait":50}',
    "feed": b"GET /feed?room=room&wait=50 HTTP/1.1\r\nHost: x\r\n\r\n",
    "inbox": b"GET /inbox?wait=50 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer b\r\n\r\n",
}


@pytest.mark.parametrize("poll", POLLS)
def test_a_poll_ends_with_its_peer(poll: str) -> None:
    edge = edge_with_a_room()
    for leave in (lambda peer: peer.channel.readConnectionLost(), lambda peer: peer.lose()):
        peer = edge.connect()
        peer.send(POLLS[poll].replace(b"Host: x", b"Host: localhost").replace(b"Bearer b", b"Bearer tok-bob"))
        assert len(waits(edge.backbone)) == 1
        leave(peer)
        if peer.transport.aborted:
            peer.lose()
        assert waits(edge.backbone) == set()


async def test_polls_are_answered_with_what_there_is_and_feeds_end_as_the_server_closes() -> None:
    server = await start_server(reactor, tokens="a:a:alice,b:b:bob", http=transport())
    backbone: Any = server.backbone
    await backbone.create_channel("room", created_by="alice")
    asked = [*POLLS.values(), POLLS["feed"].replace(b"Host", b"Accept: text/event-stream\r\nHost")]
    peers = []
    for one in asked:
        peer = socket.create_connection(("127.0.0.1", server.port))
        peer.sendall(one.replace(b"Host: x", b"Host: localhost"))
        peers.append(peer)
    while len(waits(backbone)) < len(POLLS):
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 0.1)
    loop = backbone.feed(["room"])
    ended = Deferred.fromCoroutine(loop.__anext__())
    began = reactor.seconds()
    await server.close()
    assert reactor.seconds() - began < 2  # and not the grace of a request
    answers = [await deferToThread(whole, peer) for peer in peers]
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
    assert [b'"messages":[]' in answers[0], b'"events":[]' in answers[1], b'"items":[]' in answers[2]] == [
        True
    ] * 3
    assert answers[3].endswith(b"0\r\n\r\n")
    with pytest.raises(StopAsyncIteration):
        await ended


def whole(peer: socket.socket) -> bytes:
    """All that comes on a connection until it is closed."""
    data = b""
    while more := peer.recv(65_536):
        data += more
    peer.close()
    return data


def test_a_wait_that_is_cancelled_while_it_reads_fires_once() -> None:
    clock = Clock()
    clock.advance(1e9)
    log = SharedLog(clock)
    backbone = Backbone(log.journal(), clock)
    backbone.replay()
    backbone.create_channel("room")
    asked: list[Deferred[Any]] = []
    for who in (ALICE, BOB):
        asked.append(backbone.take_claim("room", WANTED, who))
        log.run()
    taken: Any = asked[1].result
    claim = taken.claim.claim
    waiting = backbone.get_claim("room", claim, wait=10)
    log.run()
    clock.advance(10)  # it reads what there is, for which it has to wait its turn
    told: list[Any] = []
    waiting.addBoth(told.append)
    waiting.cancel()
    log.run()
    assert [one.state for one in told] == ["waiting"]
    assert waits(backbone) == set()


def test_a_wait_that_is_cancelled_before_it_has_read_is_none() -> None:
    clock = Clock()
    clock.advance(1e9)
    log = SharedLog(clock)
    backbone = Backbone(log.journal(), clock)
    backbone.replay()
    backbone.create_channel("room")
    asked = [backbone.take_claim("room", WANTED, who) for who in (ALICE, BOB)]
    log.run()
    taken: Any = asked[1].result
    waiting = backbone.get_claim("room", taken.claim.claim, wait=10)
    waiting.addErrback(lambda failure: failure.trap(CancelledError))
    waiting.cancel()
    log.run()
    assert waits(backbone) == set()


def test_nobody_begins_to_wait_once_the_run_has_ended() -> None:
    clock = Clock()
    backbone = Backbone(MemoryJournal(), clock)
    backbone.create_channel("room")
    backbone.take_claim("room", WANTED, ALICE)
    taken: Any = backbone.take_claim("room", WANTED, BOB).result
    backbone.end_run()
    told: list[Any] = []
    backbone.get_claim("room", taken.claim.claim, wait=50).addCallback(told.append)
    assert [one.state for one in told] == ["waiting"]
    assert clock.getDelayedCalls() == []


def test_an_offer_that_ends_with_its_claim_ends_by_that_alone() -> None:
    clock, journal = Clock(), SlowJournal()
    clock.advance(1e9)
    backbone = Backbone(journal, clock)
    backbone.create_channel("room")
    backbone.take_claim("room", {**WANTED, "lease_ttl": 600}, ALICE)
    claim = next(iter(backbone._core.state.claims.leases)).claim
    backbone.offer_claim("room", claim, ALICE, owner="bob")
    clock.advance(600)
    changed = [one for event in journal.events if isinstance(event, ClaimsChanged) for one in event.changed]
    assert not any(isinstance(one, OfferEnded) for one in changed)
    assert changed[-1] == ClaimEnded(claim, "room", "lapsed")


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_lease_lapses_though_the_first_event_of_its_run_was_lost(is_refused: bool) -> None:
    clock, first = Clock(), SlowJournal()
    clock.advance(1e9)
    backbone = Backbone(first, clock)
    backbone.create_channel("room")
    backbone.take_claim("room", {**WANTED, "lease_ttl": 500}, ALICE)
    first.sync()
    journal = SlowJournal(first.events)
    again = Backbone(journal, clock, Limits())
    again.replay()
    again.begin_run().addErrback(lambda failure: failure.trap(CaucusError))
    journal.lose()
    journal.refusing = False
    if is_refused:
        again.revoke_claim("room", 1, "because", BOB).addErrback(lambda failure: failure.trap(CaucusError))
    for _ in range(60):
        clock.advance(50)
        journal.sync()
    assert list(again._core.state.claims.leases) == []


def test_a_name_in_many_folders_is_kept_once() -> None:
    index = Overlap()
    deep = Target("/".join("a" * 512), below=True)
    index.add(1, [deep])
    assert [list(one) for one in (index._at, index._folders, index._names)] == [[deep.name]] * 3
    assert index.find([Target("a", below=True)]) == {1}
    assert index.find([Target(f"{deep.name}/x")]) == {1}
    assert index.find([Target("b", below=True), Target("a/b")]) == set()
