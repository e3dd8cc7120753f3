"""The bounds of what lives as long as the process."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.http_headers import _nameEncoder

from caucus import standard
from caucus.core import speaking
from caucus.core.backbone import Backbone
from caucus.edge import access_log as access, bounds, door
from caucus.errors import MisdirectedRequest, RateLimited, StorageUnavailable
from caucus.journals import committing
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.metrics import Histogram
from caucus.model.events import Author, RequestKey
from caucus.model.messages import Message
from caucus.model.records import Identity, Page
from caucus.model.targets import readable_targets
from caucus.rules import channel
from caucus.rules.answered import KEPT_FOR_A_SCOPE, AnsweredRequests, AnswerPlace
from caucus.rules.seatbelts import _FORGOTTEN_AT_ONCE, Duplicates, RateBudget
from caucus.web import dispatch
from caucus.wire import answers
from caucus.wire.answers import PAGE
from caucus.wire.frames import SLICE
from tests.bounds import ROOMY, claim, codes, edge_with_a_room, post, reaches, release, take, upload
from tests.journals import SlowJournal
from tests.raw import GET, POST, make_edge


@reaches("channels")
def _channels() -> None:
    edge = edge_with_a_room(max_channels=2)
    made = [edge.ask("POST", "/channels", {"channel": name}, "tok-bob") for name in ("a", "b")]
    assert codes(made) == [None, "channel_limit"]


@reaches("messages of a channel")
def _messages() -> None:
    edge = edge_with_a_room(max_messages_per_channel=2)
    assert codes([post(edge, body) for body in "abc"]) == [None, None, "channel_full"]


@reaches("held targets of a channel")
def _targets() -> None:
    edge = edge_with_a_room(max_messages_per_channel=2)
    assert codes([claim(edge, target) for target in "abc"]) == [None, None, "channel_full"]


@reaches("messages of what becomes of claims")
def _told() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel, "TELLING", 1)
        edge = edge_with_a_room(max_messages_per_channel=2)
        taken = [take(edge, target) for target in "ab"]
        assert codes([release(edge, one) for one in taken]) == [None, None]
        assert edge.ask("GET", "/channels/room").json["head"] == 3
        assert edge.ask("GET", "/channels/room/claims").json["claims"] == []


@reaches("claims with a lease in a channel")
def _leases() -> None:
    edge = edge_with_a_room(max_claims_per_channel=2)
    assert codes([take(edge, target) for target in "abc"]) == [None, None, "claim_limit"]
    assert codes([take(edge, "a", "tok-bob", wait=True)]) == ["claim_limit"]


@reaches("claims with a lease of an agent")
def _own_leases() -> None:
    edge = edge_with_a_room(max_claims_per_agent=2)
    assert codes([take(edge, target) for target in "abc"]) == [None, None, "claim_limit"]
    assert codes([take(edge, "c", "tok-bob")]) == [None]


@reaches("claims that wait in a channel")
def _waiting() -> None:
    edge = edge_with_a_room(max_waiting_claims_per_channel=1)
    for target in "ab":
        take(edge, target)
    assert codes([take(edge, target, "tok-bob", wait=True) for target in "ab"]) == [None, "claim_limit"]


@reaches("signs of life that are being recorded")
def _signs() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = Backbone(journal, clock)
    alice, bob = Identity("alice-laptop", "alice"), Identity("bob-agent", "bob")
    backbone.create_channel("room")
    for number in range(3):
        wanted = {"targets": [f"t{number}"], "note": "mine"}
        backbone.take_claim("room", wanted, alice)
    clock.advance(300)
    for _ in range(10):
        backbone.heard_of(alice)
        backbone.heard_of(bob)
    assert backbone._core.signs == {Author("alice-laptop", "alice")}
    journal.sync()
    assert backbone._core.signs == set()


@reaches("targets that have been read")
def _targets_read() -> None:
    for number in range(200):
        readable_targets((f"t{number}",))
    assert readable_targets.cache_info().currsize == 128


@reaches("agents who have spoken")
def _speakers() -> None:
    backbone = Backbone(MemoryJournal(), Clock())
    backbone.create_channel("room")
    for number in range(1100):
        backbone.release_claim("room", 1, Identity(f"agent-{number}", "o")).addErrback(lambda _: None)
    assert speaking._author.cache_info().currsize == 1024


@reaches("bytes of evidence")
def _evidence() -> None:
    edge = edge_with_a_room(max_artifact_bytes=4, max_channel_artifact_bytes=6, max_total_artifact_bytes=5)
    assert codes([upload(edge, data) for data in (b"12345", b"1234", b"123", b"1")]) == [
        "artifact_too_large",
        None,
        "artifact_too_large",
        None,
    ]


@reaches("pieces of evidence")
def _pieces() -> None:
    edge = edge_with_a_room(max_artifacts=2)
    assert codes([upload(edge, data) for data in (b"", b"1", b"2", b"1")]) == [
        None,
        None,
        "artifact_limit",
        None,
    ]


@reaches("minted tokens")
def _tokens() -> None:
    edge = make_edge(admin_token="adm", max_minted_tokens=1)
    minted = [
        edge.ask("POST", f"/admin/tokens{action}", {"agent_id": name, "owner": "o"}, "adm")
        for action, name in (("", "a"), ("", "b"), ("/rotate", "a"))
    ]
    assert codes(minted) == [None, "token_limit", None]


def keyed(number: int, scope: bytes = b"s") -> RequestKey:
    return RequestKey(scope, b"%d" % number, b"f")


@reaches("idempotency keys of a token")
def _keys_of_a_token() -> None:
    requests = AnsweredRequests(10**6)
    for number in range(KEPT_FOR_A_SCOPE + 1):
        requests.keep(keyed(number), AnswerPlace("room", 1), 1, 0.0)
    assert len(requests) == KEPT_FOR_A_SCOPE
    assert requests.find(keyed(0), 0.0) is None


@reaches("idempotency keys in all")
def _keys() -> None:
    requests = AnsweredRequests(100)
    for number in range(60):
        requests.keep(keyed(number, b"quiet"), AnswerPlace("room", 1), 1, 0.0)
    for number in range(60):
        requests.keep(keyed(number, b"busy"), AnswerPlace("room", 1), 1, 0.0)
    assert len(requests) == 100
    found = [requests.find(keyed(number, b"quiet"), 0.0) is not None for number in (0, 19, 20, 59)]
    assert found == [False, False, True, True]
    assert requests.find(keyed(0, b"busy"), 0.0) is not None


@reaches("agents that a budget keeps in mind")
def _budgets() -> None:
    budget = RateBudget(1, 60, 2, "channel")
    for name in "abc":
        budget.charge(name, 0.0)
    budget.check("a", 0.0)  # forgotten
    for name in "bc":
        with pytest.raises(RateLimited):
            budget.check(name, 0.0)
    assert len(budget._charges) == 2


@reaches("instants of an agent's posts")
def _instants() -> None:
    budget = RateBudget(10, 1, 2, "channel")
    for second in range(3 * _FORGOTTEN_AT_ONCE):
        budget.check("a", second / 10)
        budget.charge("a", second / 10)
    assert len(budget._charges["a"]._times) <= 10 + _FORGOTTEN_AT_ONCE + 1
    with pytest.raises(RateLimited):
        budget.check("a", (3 * _FORGOTTEN_AT_ONCE - 1) / 10)


@reaches("pages that were joined")
def _pages() -> None:
    pages = [Page((b"x" * 3000,) * count, count) for count in range(1, 3 * answers.PAGES)]
    for page in pages:
        assert PAGE.encode(page).count(b"x") == 3000 * len(page.messages_json)
    kept = answers._encoded.values()
    assert len(kept) == answers.PAGES
    assert max(len(body) for _page, body in kept) <= SLICE < len(PAGE.encode(pages[-1]))


@reaches("last posts of a channel")
def _last_posts() -> None:
    duplicates = Duplicates(60, 2)
    for name in "abc":
        duplicates.remember(name, 1, 0.0)
    assert [duplicates.last(name) is not None for name in "abc"] == [False, True, True]


@reaches("connections")
def _connections() -> None:
    edge = make_edge(max_connections=2)
    assert [edge.connect().transport.aborted for _ in range(3)] == [False, False, True]
    assert edge.site.crowd.connections == 2


@reaches("bodies that are arriving")
def _arriving() -> None:
    edge = make_edge(max_arriving_bytes=10)
    peers = [edge.connect() for _ in range(2)]
    for peer in peers:
        peer.send(POST + b"Content-Length: 100\r\n\r\n" + b" " * 6)
    assert [codes(peer.answers()) for peer in peers] == [[], ["overloaded"]]
    assert edge.site.crowd.arriving == 6


@reaches("streams")
def _streams() -> None:
    edge = edge_with_a_room(max_streams=1)
    opened = [edge.connect() for _ in range(2)]
    for peer in opened:
        peer.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [peer.transport.value()[9:12] for peer in opened] == [b"200", b"503"]


class _NoDisk:
    """A worker and a database of which nothing comes back."""

    path = Path("room.db")
    journal_id = "01"
    busy = 0

    def run(self, *_: object) -> Deferred[Any]:
        return Deferred()


def _stuck(clock: Clock) -> Backbone:
    disk: Any = _NoDisk()
    journal = committing.CommittingJournal(disk, disk, disk, clock, clock)
    return Backbone(journal, clock, Limits(**{**ROOMY, "max_channel_artifact_bytes": 10**9}))


@reaches("events that wait for the disk")
def _events() -> None:
    clock = Clock()
    backbone = _stuck(clock)
    backbone.create_channel("room")
    assert backbone.why_not_ready() is None
    clock.advance(committing.STALL_SECONDS)
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)
    backbone = _stuck(clock)
    backbone.create_channel("room")
    for number in range(committing.MOST_EVENTS):
        backbone.append("room", Message("note", str(number), agent_id="a", owner="o")).addErrback(bool)
    assert backbone.journal.position == committing.MOST_EVENTS
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)
    backbone = _stuck(clock)
    backbone.create_channel("room")
    for number in range(2 * committing.MOST_BYTES // 10**6):
        data = b"%d" % number + b"x" * 10**6
        backbone.put_artifact("room", sha256(data).hexdigest(), data).addErrback(bool)
    assert backbone.journal.position <= 2 + committing.MOST_BYTES // 10**6
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)


@reaches("steps that undo events")
def _steps() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits(**ROOMY))
    backbone.create_channel("room")
    for number in range(100):
        backbone.append("room", Message("note", str(number), agent_id="a", owner="o"))
    waiting = len(backbone._core.state._steps)
    journal.sync()
    backbone.append("room", Message("note", "last", agent_id="a", owner="o"))
    assert len(backbone._core.state._steps) < 10 < waiting


@reaches("lines of the access log that wait")
def _lines() -> None:
    clock = Clock()
    log = access.AccessLog(clock, clock.seconds)
    for _ in range(access.FLUSH_LINES):
        log.add("peer", b"GET", b"/", 200, 1, 0.1, None)
    assert log._lines == []
    log.add("peer", b"GET", b"/", 200, 1, 0.1, None)
    clock.advance(access.FLUSH_SECONDS)
    assert log._lines == []
    log.flush()


@reaches("numbers that are counted")
def _series() -> None:
    edge = edge_with_a_room()
    targets = ["/channels/room", "/channels/room/append", "/nope", "/channels/other", "/admin/tokens"]
    for number in range(2):
        for target in targets:
            for method in ("GET", "POST", "PUT", f"ODD{number}"):
                edge.ask(method, f"{target}-{number}" if number else target)
        counted = sum(len(one.values()) for one in edge.site.counts.metrics if not isinstance(one, Histogram))
        if number == 0:
            first = counted
    assert counted <= first + len({404, 401}) * 2


@reaches("events that nobody can see yet")
def _unseen_events() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits(**ROOMY))
    backbone.create_channel("room").addErrback(bool)
    for number in range(100):
        backbone.append("room", Message("note", str(number), agent_id="a", owner="o")).addErrback(bool)
    assert len(backbone._core.feeds._unseen) == 101
    journal.sync()
    assert len(backbone._core.feeds._unseen) == 0


@reaches("requests whose access line begins alike")
def _access_lines() -> None:
    edge = edge_with_a_room()
    for number in range(1100):
        edge.ask("GET", f"/{number}")
    known = access._asked.cache_info()
    assert known.currsize == known.maxsize == 1024
    edge.ask("GET", "/" + "x" * 10_000 + "?y")
    assert access._asked.cache_info().currsize == 1024


@reaches("text that waits for standard output or error")
def _text() -> None:
    import os  # noqa: PLC0415

    reading, writing = os.pipe()
    writer = standard.LineWriter(writing)
    for _ in range(3):
        writer.write("x" * (standard.MOST_BYTES // 2 - 1) + "\n")
    assert (writer._size <= standard.MOST_BYTES, writer.lines_dropped) == (True, 1)
    size = 0
    while size < standard.MOST_BYTES:
        size += len(os.read(reading, 65_536))
    writer.drain(5)
    for descriptor in (reading, writing):
        os.close(descriptor)


@reaches("names that were refused")
def _names() -> None:
    looked = door.Door((), local=True, literals=False)
    for number in range(400):
        with pytest.raises(MisdirectedRequest):
            looked.check(None, [b"host-%d" % number], [])
    assert len(looked._told) == 100
    assert looked._goes_by.cache_info().currsize == 256


@reaches("paths whose route is known")
def _paths() -> None:
    edge = make_edge()
    for number in range(dispatch.PLACES + 10):
        edge.ask("GET", f"/channels/c{number}")
    edge.ask("GET", "/channels/" + "c" * dispatch.PLACE_LENGTH)
    known: Any = edge.site.admit
    assert known.__self__._place.cache_info().currsize == dispatch.PLACES


@reaches("names of headers that Twisted remembers")
def _header_names() -> None:
    edge = make_edge(http="twisted")
    peer = edge.connect()
    name = b"X" * (bounds.NAME_LENGTH + 1)
    peer.send(GET[:-2] + name + b": 1\r\n\r\n")
    assert codes(peer.answers()) == ["headers_too_large"]
    assert name not in _nameEncoder._canonicalHeaderCache
