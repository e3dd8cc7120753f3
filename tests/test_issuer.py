"""The issuer: who may mint, what is audited, and that no secret shows."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.access.issuer import Issuer
from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.edge.door import Door
from caucus.errors import StorageUnavailable
from caucus.model.events import Author, Instant, TokensChanged
from tests.journals import SlowJournal
from tests.raw import Answer, Edge, make_edge

ADMIN = "adm-secret"
DAVE = {"agent_id": "dave-agent", "owner": "dave"}


class Office:
    """An edge with an issuer, and its audit lines."""

    def __init__(self, admin_token: str = ADMIN, door: Door | None = None) -> None:
        self.lines: list[str] = []
        self.edge: Edge = make_edge(admin_token=admin_token, audit=self.lines.append, door=door)

    def ask(self, action: str, body: Any, token: str | None = ADMIN) -> Answer:
        path = "/admin/tokens" if action == "mint" else f"/admin/tokens/{action}"
        return self.edge.ask("POST", path, body, token)

    def mint(self, body: Any = DAVE) -> str:
        return str(self.ask("mint", body).json["token"])

    def may_write(self, token: str) -> bool:
        return self.edge.ask("POST", "/channels", {}, token).status != 401

    @property
    def audit(self) -> list[dict[str, str]]:
        lines, self.lines[:] = [json.loads(line) for line in self.lines], []
        for line in lines:
            assert line.pop("kind") == "caucus.admin.audit"
            assert line.pop("ts") == "2023-11-14T22:13:20.000Z"
        return lines


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def test_a_minted_token_is_shown_once_and_speaks_for_its_identity() -> None:
    office = Office()
    answer = office.ask("mint", {**DAVE, "extra": 1})
    token = answer.json["token"]
    assert (answer.status, answer.json) == (201, {"token": token, **DAVE})
    assert token.startswith("tok_")
    assert len(token) == 4 + 43
    made = office.edge.ask("POST", "/channels", {"channel": "room"}, token)
    assert made.json["created_by"] == "dave"
    assert office.audit == [{"op": "mint", **DAVE, "digest": digest(token)[:12], "result": "ok"}]


def test_revoking_by_agent_removes_all_its_minted_tokens() -> None:
    office = Office()
    one, two, other = office.mint(), office.mint(), office.mint({"agent_id": "eve-agent", "owner": "dave"})
    _ = office.audit
    assert office.ask("revoke", {"agent_id": "dave-agent"}).json == {"revoked": True}
    assert [office.may_write(token) for token in (one, two, other)] == [False, False, True]
    assert office.ask("revoke", {"agent_id": "dave-agent"}).json == {"revoked": False}
    assert office.audit == [
        {"op": "revoke", "agent_id": "dave-agent", "result": "revoked"},
        {"op": "revoke", "agent_id": "dave-agent", "result": "not_found"},
    ]


def test_revoking_by_digest_removes_that_token_and_wins() -> None:
    office = Office()
    one, two = office.mint(), office.mint()
    _ = office.audit
    assert office.ask("revoke", {"digest": digest(one), "agent_id": "dave-agent"}).json == {"revoked": True}
    assert [office.may_write(token) for token in (one, two)] == [False, True]
    assert office.audit == [{"op": "revoke", "digest": digest(one)[:12], "result": "revoked"}]


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: "sha256:" + text])
def test_a_digest_is_64_lower_case_hex_digits_or_names_nothing(change: Any) -> None:
    office = Office()
    token = office.mint()
    _ = office.audit
    assert office.ask("revoke", {"digest": change(digest(token))}).json == {"revoked": False}
    assert office.audit == [{"op": "revoke", "result": "not_found"}]


def test_seeded_tokens_cannot_be_revoked() -> None:
    office = Office()
    for body in ({"agent_id": "alice-agent"}, {"digest": digest("tok-alice")}):
        assert office.ask("revoke", body).json == {"revoked": False}
    assert office.may_write("tok-alice")


def test_rotating_replaces_the_old_tokens_by_one_new_one() -> None:
    office = Office()
    old = [office.mint(), office.mint()]
    answer = office.ask("rotate", DAVE)
    assert (answer.status, office.may_write(answer.json["token"])) == (201, True)
    assert [office.may_write(token) for token in old] == [False, False]


def test_rotating_by_digest_replaces_that_one() -> None:
    office = Office()
    one, two = office.mint(), office.mint()
    _ = office.audit
    new = office.ask("rotate", {**DAVE, "digest": digest(one)}).json["token"]
    assert [office.may_write(token) for token in (one, two, new)] == [False, True, True]
    assert office.audit == [{"op": "rotate", **DAVE, "digest": digest(new)[:12], "result": "ok"}]


@pytest.mark.parametrize("action", ["mint", "revoke", "rotate"])
@pytest.mark.parametrize("token", [None, "nope", "tok-alice", ADMIN + "x", ADMIN[:-1]])
def test_whoever_lacks_the_admin_token_is_refused_and_audited(action: str, token: str | None) -> None:
    office = Office()
    answer = office.ask(action, {**DAVE, "digest": "s3cret"}, token)
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert office.audit == [{"op": action, **DAVE, "result": "unauthorized"}]


@pytest.mark.parametrize("action", ["mint", "revoke", "rotate"])
def test_the_token_is_looked_at_before_the_body(action: str) -> None:
    office = Office()
    assert office.ask(action, b"[]", "nope").code == "unauthorized"
    assert office.ask(action, b"{", "nope").code == "invalid_json"
    for body in (b"[]", None, {}, {"agent_id": ""}, {"agent_id": 7, "owner": "x"}, {"owner": "x"}):
        assert office.ask(action, body).code == "invalid_request"
    assert {line["result"] for line in office.audit} == {"unauthorized", "invalid_request"}


@pytest.mark.parametrize("field", ["agent_id", "owner"])
@pytest.mark.parametrize("value", ["esc\x1b", "x" * 1025])
def test_a_minted_identity_keeps_the_rules_of_its_fields(field: str, value: str) -> None:
    office = Office()
    assert office.ask("mint", {**DAVE, field: value}).code == "invalid_request"
    assert len(office.lines[0]) < 400


@pytest.mark.parametrize(
    "office",
    [Office(admin_token=""), Office(door=Door((), local=False, literals=True))],
    ids=["no admin token", "bound beyond loopback"],
)
def test_where_it_is_off_everything_is_401_and_nothing_is_audited(office: Office) -> None:
    for action in ("mint", "revoke", "rotate"):
        assert office.ask(action, DAVE).code == "unauthorized"
        assert office.ask(action, DAVE, "").code == "unauthorized"
    assert office.ask("nope", DAVE).code == "not_found"
    assert office.edge.ask("GET", "/admin/tokens").headers["allow"] == "POST"
    assert office.lines == []


def test_an_admin_token_is_no_write_token() -> None:
    assert not Office().may_write(ADMIN)


def test_a_revocation_is_not_believed_before_it_is_durable() -> None:
    journal, tokens = SlowJournal(), Tokens()
    backbone = Backbone(journal, Clock(), tokens=tokens)
    backbone.replay()
    issuer = Issuer(tokens, ADMIN, None, lambda: 0.0, backbone)
    Deferred.fromCoroutine(issuer.mint(DAVE))
    journal.sync()
    first, second = (Deferred.fromCoroutine(issuer.revoke({"agent_id": "dave-agent"})) for _ in range(2))
    assert (first.called, second.called) == (False, False)
    journal.lose()
    for revoking in (first, second):
        revoking.addErrback(lambda failure: failure.trap(StorageUnavailable))
    assert tokens.named(None, "dave-agent") != []


def test_minting_that_storage_refuses_is_audited_so() -> None:
    journal, tokens = SlowJournal(), Tokens()
    lines: list[str] = []
    issuer = Issuer(tokens, ADMIN, lines.append, lambda: 0.0, Backbone(journal, Clock(), tokens=tokens))
    journal.refusing = True
    minting = Deferred.fromCoroutine(issuer.mint(DAVE))
    minting.addErrback(lambda failure: failure.trap(StorageUnavailable))
    assert [json.loads(line)["result"] for line in lines] == ["storage_unavailable"]


def test_too_many_minted_tokens_are_refused_and_rotating_goes_on() -> None:
    lines: list[str] = []
    edge = make_edge(admin_token=ADMIN, audit=lines.append, max_minted_tokens=2)
    for name in ("a", "b"):
        body = {"agent_id": name, "owner": "o"}
        assert edge.ask("POST", "/admin/tokens", body, ADMIN).status == 201
    refused = edge.ask("POST", "/admin/tokens", DAVE, ADMIN)
    assert (refused.status, refused.json["error"]["code"], refused.json["error"]["limit"]) == (
        409,
        "token_limit",
        2,
    )
    assert edge.ask("POST", "/admin/tokens/rotate", {"agent_id": "a", "owner": "o"}, ADMIN).status == 201
    assert edge.ask("POST", "/admin/tokens/rotate", DAVE, ADMIN).status == 409
    assert edge.ask("POST", "/admin/tokens/revoke", {"agent_id": "b"}, ADMIN).status == 200
    assert edge.ask("POST", "/admin/tokens", DAVE, ADMIN).status == 201
    assert [json.loads(line)["result"] for line in lines].count("token_limit") == 2


def test_an_audit_that_cannot_be_written_changes_no_answer(logged_failures: list[Failure]) -> None:
    def broken(line: str) -> None:
        raise OSError(28, "No space left on device")

    edge = make_edge(admin_token=ADMIN, audit=broken)
    minted = edge.ask("POST", "/admin/tokens", DAVE, ADMIN)
    assert minted.status == 201
    rotated = edge.ask("POST", "/admin/tokens/rotate", DAVE, ADMIN)
    assert rotated.status == 201
    assert edge.ask("POST", "/channels", {"channel": "room"}, rotated.json["token"]).status == 201
    assert edge.ask("POST", "/admin/tokens/revoke", {"agent_id": "dave-agent"}, ADMIN).json == {
        "revoked": True
    }
    assert edge.ask("POST", "/admin/tokens", DAVE, "wrong").status == 401
    assert edge.ask("POST", "/admin/tokens", {}, ADMIN).status == 400
    assert len(logged_failures) == 5
    logged_failures.clear()


@pytest.mark.parametrize("action", ["mint", "rotate"])
def test_what_was_asked_for_is_done_and_audited_though_the_peer_has_gone(action: str) -> None:
    journal, clock, lines = SlowJournal(), Clock(), list[str]()
    tokens = Tokens()
    backbone = Backbone(journal, clock, tokens=tokens)
    edge = make_edge(tokens, backbone, admin_token=ADMIN, audit=lines.append, clock=clock)
    peer = edge.connect()
    body = json.dumps(DAVE).encode()
    path = "/admin/tokens" + ("" if action == "mint" else "/rotate")
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN}\r\n"
    peer.send(head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    peer.lose()
    assert lines == []
    journal.sync()
    assert [json.loads(line)["result"] for line in lines] == ["ok"]
    assert len(tokens.named(None, "dave-agent")) == 1


@pytest.mark.parametrize("action", ["mint", "rotate"])
def test_a_name_that_is_somebody_elses_is_not_minted(action: str) -> None:
    office = Office()
    office.mint()
    _ = office.audit
    for agent_id, owner in (
        ("dave-agent", "mallory"),
        ("alice-agent", "mallory"),
        ("dave", "mallory"),
        ("caucus", "caucus"),
        ("caucus", "mallory"),
    ):
        answer = office.ask(action, {"agent_id": agent_id, "owner": owner, "digest": "0" * 64})
        assert answer.code == "invalid_request"
    assert {line["result"] for line in office.audit} == {"invalid_request"}
    assert office.ask(action, {"agent_id": "second", "owner": "dave", "digest": "0" * 64}).status == 201


def test_a_token_of_the_backbones_own_name_that_was_minted_once_speaks_for_nobody() -> None:
    journal, tokens = SlowJournal(), Tokens()
    when, old = Instant(0.0, 0.0), b"\x01" * 32
    journal.events.append(TokensChanged(when, (old, Author("caucus", "caucus")), ()))
    Backbone(journal, Clock(), tokens=tokens).replay()
    assert (len(tokens), tokens.minted(old)) == (0, None)


def test_an_administrator_ends_a_claim_over_a_local_listener_only() -> None:
    edge = make_edge(admin_token=ADMIN)
    edge.make_room()
    claim = {"type": "claim", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "mine", "target": "t"}
    assert edge.ask("POST", "/channels/room/claim", claim, "tok-alice").json["outcome"] == "granted"
    (held,) = edge.ask("GET", "/channels/room/claims").json["claims"]
    path = f"/channels/room/claims/{held['claim']}/revoke"
    assert edge.ask("POST", path, {"reason": "dead"}, "wrong").status == 401
    for grant, refused in (("7;fence=8", 409), ("rubbish", 400)):
        header = (("If-Claim", grant),)
        assert edge.ask("POST", path, {"reason": "dead"}, ADMIN, header).status == refused
    assert edge.ask("POST", path, b"[1]").code == "invalid_request"
    for _ in range(2):
        key = (("Idempotency-Key", "once"),)
        assert edge.ask("POST", path, {"reason": "dead"}, ADMIN, key).json == {"released": True}
    told = edge.ask("POST", "/channels/room/read", {"cursor": 1}).json["messages"][0]
    assert (told["agent_id"], told["owner"], told["body"]) == ("caucus", "caucus", "dead")
    far = make_edge(admin_token=ADMIN, door=Door((), local=False, literals=False, metrics=False))
    far.make_room()
    assert far.ask("POST", path, {"reason": "dead"}, ADMIN).status == 401
