"""A retry is safe: the first answer again, byte for byte, and nothing written twice."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus import HTTPBackbone, Message
from caucus.core.backbone import Backbone
from caucus.errors import IdempotencyMismatch, Unreachable
from caucus.limits import Limits
from caucus.model.events import RequestKey
from caucus.model.records import Appended
from caucus.rules.answered import KEPT_FOR_A_SCOPE, KEPT_SECONDS, AnsweredRequests, AnswerPlace
from tests.journals import SlowJournal
from tests.raw import Answer, Edge, make_edge
from tests.test_client import Counterpart, answering

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
DATA = b"evidence"
ADDRESS = sha256(DATA).hexdigest()
NOTE = {"type": "note", "msg_id": ULID, "body": "text"}
CLAIM = {"type": "claim", "msg_id": ULID, "body": "mine", "target": "t"}
BOB = {"agent_id": "bob-agent", "owner": "bob"}
WRITES: dict[str, tuple[str, str, Any]] = {
    "create_channel": ("POST", "/channels", {"channel": "new", "purpose": "p"}),
    "append": ("POST", "/channels/room/append", NOTE),
    "claim": ("POST", "/channels/room/claim", CLAIM),
    "reassign": ("POST", "/channels/room/reassign", {**CLAIM, "assignee": BOB}),
    "put_artifact": ("PUT", f"/channels/room/artifacts/{ADDRESS}", DATA),
}


def keyed(edge: Edge, write: tuple[str, str, Any], key: str = "k-1", token: str = "tok-alice") -> Answer:
    method, path, body = write
    return edge.ask(method, path, body, token, (("Idempotency-Key", key),))


def first_part(answer: Answer) -> tuple[int, bytes, str]:
    return answer.status, answer.body, answer.headers["content-type"]


@pytest.fixture
def edge() -> Edge:
    edge = make_edge()
    edge.make_room()
    return edge


@pytest.mark.parametrize("name", WRITES)
def test_every_write_has_its_first_answer_again_whatever_happened_in_between(edge: Edge, name: str) -> None:
    first = keyed(edge, WRITES[name])
    assert first.status in (200, 201)
    edge.ask("POST", "/channels/room/append", {**NOTE, "body": "in between"}, "tok-bob")
    edge.clock.advance(3600)
    heads = edge.ask("GET", "/channels").body
    assert first_part(keyed(edge, WRITES[name])) == first_part(first)
    assert edge.ask("GET", "/channels").body == heads


def test_done_has_its_first_answer_again_though_somebody_else_holds_the_target(edge: Edge) -> None:
    keyed(edge, WRITES["claim"])
    done = ("POST", "/channels/room/done", CLAIM)
    first = keyed(edge, done, "k-2")
    assert edge.ask("POST", "/channels/room/claim", CLAIM, "tok-bob").json["outcome"] == "granted"
    assert first_part(keyed(edge, done, "k-2")) == first_part(first)


def test_a_retry_charges_no_budget() -> None:
    edge = make_edge(max_posts_per_minute=2)
    edge.make_room()
    for _ in range(5):
        assert keyed(edge, WRITES["append"]).status == 201
    assert edge.ask("POST", "/channels/room/append", {**NOTE, "body": "other"}, "tok-alice").status == 201


@pytest.mark.parametrize(
    "other",
    [
        ("POST", "/channels/room/append", {**NOTE, "body": "other"}),
        ("POST", "/channels/room/claim", CLAIM),
        ("POST", "/channels/else/append", NOTE),
        (
            "POST",
            "/channels/room/append",
            b'{"type": "note", "msg_id": "%b", "body":  "text"}' % ULID.encode(),
        ),
    ],
    ids=["body", "path", "channel", "spaces"],
)
def test_a_key_is_for_one_request(edge: Edge, other: tuple[str, str, Any]) -> None:
    keyed(edge, WRITES["append"])
    answer = keyed(edge, other)
    assert (answer.status, answer.code) == (422, "idempotency_mismatch")


def test_another_token_has_keys_of_its_own(edge: Edge) -> None:
    assert keyed(edge, WRITES["append"]).json["cursor"] == 1
    assert keyed(edge, WRITES["append"], token="tok-bob").json["cursor"] == 2


def test_a_request_without_a_good_token_is_not_looked_up(edge: Edge) -> None:
    keyed(edge, WRITES["append"])
    assert keyed(edge, WRITES["append"], token="wrong").status == 401


def test_what_wrote_nothing_is_decided_anew(edge: Edge) -> None:
    edge.ask("POST", "/channels/room/claim", {**CLAIM, "lease_ttl": 60}, "tok-bob")
    assert keyed(edge, WRITES["claim"]).json["outcome"] == "already_claimed"
    edge.clock.advance(60)
    assert keyed(edge, WRITES["claim"]).json["outcome"] == "granted"


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "\u00e9"])
def test_a_key_that_is_none_is_refused(edge: Edge, key: str) -> None:
    answer = keyed(edge, WRITES["append"], key)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert edge.ask("GET", "/channels/room").json["head"] == 0


def test_two_keys_are_none(edge: Edge) -> None:
    twice = (("Idempotency-Key", "a"), ("Idempotency-Key", "b"))
    assert edge.ask("POST", "/channels/room/append", NOTE, "tok-alice", twice).code == "invalid_request"


def test_the_longest_key_and_a_read_with_one_are_fine(edge: Edge) -> None:
    assert keyed(edge, WRITES["append"], "~" * 128).status == 201
    assert keyed(edge, ("POST", "/channels/room/read", {"cursor": 0}), "~" * 128).status == 200


class Slow:
    """An edge over a slow journal."""

    def __init__(self) -> None:
        self.journal = SlowJournal()
        clock = Clock()
        self.backbone = Backbone(self.journal, clock, Limits())
        self.backbone.replay()
        self.edge = make_edge(backbone=self.backbone)
        self.backbone.create_channel("room")
        self.journal.sync()

    def send(self) -> Any:
        body = b'{"type":"note","msg_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","body":"text"}'
        peer = self.edge.connect()
        head = "POST /channels/room/append HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-alice\r\n"
        peer.send(f"{head}Idempotency-Key: k\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return peer


def test_while_the_first_is_being_written_the_second_waits() -> None:
    slow = Slow()
    first, second = slow.send(), slow.send()
    assert (first.answers(), second.answers()) == ([], [])
    slow.journal.sync()
    (one,), (two,) = first.answers(), second.answers()
    assert first_part(one) == first_part(two)
    assert one.json["cursor"] == 1


def test_both_share_the_refusal_and_a_third_is_decided_anew() -> None:
    slow = Slow()
    first, second = slow.send(), slow.send()
    slow.journal.lose()
    for peer in (first, second):
        (answer,) = peer.answers()
        assert (answer.status, answer.code) == (503, "storage_unavailable")
        assert answer.headers["retry-after"] == "1"
    slow.journal.refusing = False
    third = slow.send()
    slow.journal.sync()
    assert [answer.status for answer in third.answers()] == [201]


def test_a_first_answer_that_is_safe_is_given_while_storage_is_away() -> None:
    slow = Slow()
    first = slow.send()
    slow.journal.sync()
    slow.journal.refusing = True
    assert [one.body for one in slow.send().answers()] == [one.body for one in first.answers()]
    assert slow.edge.ask("GET", "/readyz").code == "storage_unavailable"
    slow.journal.refusing = False
    assert slow.edge.ask("GET", "/readyz").json == {"ready": True}


def test_answers_are_known_in_a_later_run() -> None:
    slow = Slow()
    first = slow.send()
    slow.journal.sync()
    again = Slow.__new__(Slow)
    again.journal = SlowJournal(slow.journal.events)
    again.backbone = Backbone(again.journal, Clock(), Limits())
    again.backbone.replay()
    again.edge = make_edge(backbone=again.backbone)
    assert [one.body for one in again.send().answers()] == [one.body for one in first.answers()]


def key(number: int, scope: bytes = b"s", fingerprint: bytes = b"f") -> RequestKey:
    return RequestKey(scope, b"%d" % number, fingerprint)


def test_a_day_later_a_request_is_new() -> None:
    requests = AnsweredRequests(1_000_000)
    requests.keep(key(1), AnswerPlace("room", 1), 1, 100.0)
    assert requests.find(key(1), 100.0 + KEPT_SECONDS - 1) is not None
    assert requests.find(key(1, fingerprint=b"g"), 100.0 + KEPT_SECONDS) is None
    with pytest.raises(IdempotencyMismatch):
        requests.find(key(1, fingerprint=b"g"), 101.0)


def test_of_too_many_answers_to_one_token_the_oldest_goes() -> None:
    requests = AnsweredRequests(1_000_000)
    requests.keep(key(0, b"other"), AnswerPlace("room", 1), 1, 0.0)
    for number in range(KEPT_FOR_A_SCOPE + 1):
        requests.keep(key(number), AnswerPlace("room", 1), 1, 1.0)
    assert requests.find(key(0), 1.0) is None
    assert requests.find(key(1), 1.0) is not None
    assert requests.find(key(0, b"other"), 1.0) is not None


def test_tokens_that_are_quiet_for_a_day_take_no_room() -> None:
    requests = AnsweredRequests(1_000_000)
    for number in range(100):
        requests.keep(key(0, b"%d" % number), AnswerPlace("room", 1), 1, 0.0)
    for number in range(200):
        requests.keep(key(number), AnswerPlace("room", 1), 1, 2.0 * KEPT_SECONDS)
    assert len(requests._scopes) == 1


# The client's part


async def test_a_write_whose_answer_is_lost_is_sent_again_with_the_same_key() -> None:
    appended = b'{"message":{"type":"note","body":"text","msg_id":"%b"},"cursor":1}' % ULID.encode()
    async with Counterpart(b"", lambda transport: transport.abortConnection()) as there:
        client = HTTPBackbone(there.reactor, there.url, "s3cret", retry_seconds=5)
        posting: Deferred[Appended] = client.append("room", Message("note", "text"))
        await there.until(2)
        there.answer, there.after = answering(b"201 Created", appended), lambda transport: None
        assert (await posting).cursor == 1
        keys = {line for one in there.received for line in one.split(b"\r\n") if line.startswith(b"Idem")}
        assert (len(there.received) >= 3, len(keys)) == (True, 1)
        await client.append("room", Message("note", "text"))
        assert sum(one.count(b"Idempotency-Key") for one in there.received) == len(there.received)
        await client.close()


async def test_an_outcome_that_the_server_does_not_know_is_asked_for_again() -> None:
    unknown = answering(b"503 Service Unavailable", b'{"error":{"code":"outcome_unknown","message":"?"}}')
    made = answering(b"200 OK", b'{"outcome":"not_held"}')
    async with Counterpart(unknown) as there:
        client = HTTPBackbone(there.reactor, there.url, "s3cret", retry_seconds=5)
        finishing = client.mark_claim_done("room", Message("claim", "done", target="t"))
        await there.until(1)
        there.answer = made
        assert (await finishing).outcome == "not_held"
        await client.close()


async def test_trying_again_ends_when_the_caller_says() -> None:
    async with Counterpart(b"", lambda transport: transport.abortConnection()) as there:
        client = HTTPBackbone(there.reactor, there.url, "s3cret", retry_seconds=0.5)
        with pytest.raises(Unreachable) as caught:
            await client.append("room", Message("note", "text"))
        assert not caught.value.retryable
        assert 2 <= len(there.received) <= 6
        await client.close()
