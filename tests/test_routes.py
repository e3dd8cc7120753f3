"""Routes, the order of refusals, and what of Klein and Werkzeug may not show through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from caucus.interfaces import IBackbone
from tests.raw import GET, Answer, Edge, make_edge

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOTE = {"type": "note", "msg_id": ULID, "body": "text"}
CLAIM = {"type": "claim", "msg_id": ULID, "body": "mine", "target": "t"}


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


ROUTES = [
    ("GET", "/healthz"),
    ("POST", "/channels"),
    ("GET", "/channels"),
    ("GET", "/channels/room"),
    ("POST", "/channels/room/subscribe"),
    ("POST", "/channels/room/append"),
    ("POST", "/channels/room/read"),
    ("POST", "/channels/room/claim"),
    ("POST", "/channels/room/reassign"),
    ("POST", "/channels/room/done"),
    ("PUT", f"/channels/room/artifacts/{'0' * 64}"),
    ("GET", f"/channels/room/artifacts/{'0' * 64}"),
]


@pytest.mark.parametrize("target", sorted({target for _, target in ROUTES}))
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "QUERY"])
def test_another_method_on_a_route_is_405_and_says_which_are_allowed(
    edge: Edge, method: str, target: str
) -> None:
    answer = edge.ask(method, target)
    assert answer.status == 405
    assert answer.headers["allow"] == ", ".join(sorted(verb for verb, path in ROUTES if path == target))
    if method != "HEAD":
        assert answer.code == "method_not_allowed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
@pytest.mark.parametrize(
    "target", ["/", "/nope", "/healthz/x", "/channels/room/append/x", "/channels/room/artifacts/0/x", "*"]
)
def test_any_method_where_no_route_is_is_404(edge: Edge, method: str, target: str) -> None:
    answer = edge.ask(method, target)
    assert answer.status == 404
    assert method == "HEAD" or answer.code == "not_found"


@pytest.mark.parametrize("action", ["nope", "artifacts", "appendx", "%61ppendx", "append%2Fx"])
def test_one_segment_below_a_channel_takes_post_only_even_where_nothing_is(edge: Edge, action: str) -> None:
    assert edge.ask("GET", f"/channels/room/{action}").code == "method_not_allowed"
    assert edge.ask("PUT", f"/channels/room/{action}", b"{}").code == "method_not_allowed"
    assert edge.ask("POST", f"/channels/room/{action}", b"{}").code == "not_found"


@pytest.mark.parametrize(
    "target",
    [
        "/healthz/",
        "//healthz",
        "/healthz?x=1",
        "/healthz?x=%ZZ",
        "/%68ealthz",
        "//healthz//?",
        "http://localhost:1/healthz",
    ],
)
def test_a_path_may_be_written_in_many_ways_and_nothing_redirects(edge: Edge, target: str) -> None:
    assert edge.ask("GET", target).json == {"ok": True}


@pytest.mark.parametrize("target", ["//channels//room/", "/channels/%72oom", "/%63hannels/room?limit=x"])
def test_a_channel_is_found_however_its_path_is_written(edge: Edge, target: str) -> None:
    assert edge.ask("GET", target).json["channel"] == "room"


@pytest.mark.parametrize(
    "name", ["a%2Fb", "%2F", "a%252Fb", "%2e%2e", "..", "%00", "%0a", "a%3Fb", "%1b%5b31m"]
)
def test_an_escaped_slash_stays_inside_its_segment(edge: Edge, name: str) -> None:
    answer = edge.ask("GET", f"/channels/{name}")
    assert (answer.status, answer.code) == (400, "invalid_channel_name")


@pytest.mark.parametrize("target", ["/channels/%ZZ", "/%", "/a%2", "/channels/%FF", "/%c3%28", "/nope/%zz"])
def test_a_path_that_cannot_be_decoded_is_400_whatever_else_is_wrong(edge: Edge, target: str) -> None:
    for method, body in (("GET", None), ("POST", b"{"), ("PATCH", b"[")):
        assert edge.ask(method, target, body).code == "invalid_request"


BAD_JSON = {
    "truncated": b"{",
    "no JSON": b"not json",
    "white space": b" \n",
    "NaN": b'{"cursor":NaN}',
    "Infinity": b'{"cursor":Infinity}',
    "byte-order mark": b'\xef\xbb\xbf{"cursor":0}',
    "lone surrogate": b'{"cursor":"\\ud800"}',
    "lone low surrogate": b'{"cursor":"\\udc00x"}',
    "lone surrogate beside a wide number": b'{"cursor":1e999,"x":"\\ud800"}',
    "not UTF-8": b'{"cursor":"\xff"}',
    "encoded surrogate": b'{"cursor":"\xed\xa0\x80"}',
    "wide number, then rubbish": b'{"cursor":1e999}}',
    "control character": b'{"cursor":"a\x01"}',
    "trailing comma": b'{"cursor":0,}',
    "two values": b"{}{}",
    "single quotes": b"{'cursor':0}",
    "200,000 brackets": b"[" * 200_000,
    "501 levels": b"[" * 501 + b"]" * 501,
    "501 levels of both": b'{"a":[' * 250 + b"[]" + b"]}" * 250,
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_json_is_400_on_every_route_and_the_next_request_works(edge: Edge, body: bytes) -> None:
    for method, target in (
        ("POST", "/channels/room/read"),
        ("POST", "/channels/room/append"),
        ("POST", "/nope"),
        ("DELETE", "/channels/room"),
    ):
        answer = edge.ask(method, target, body)
        assert (answer.status, answer.code) == (400, "invalid_json")
    assert edge.ask("GET", "/healthz").json == {"ok": True}


def test_500_levels_of_nesting_are_json(edge: Edge) -> None:
    assert edge.ask("POST", "/channels/room/read", b"[" * 500 + b"]" * 500).code == "invalid_request"
    brackets = json.dumps({"cursor": 0, "x": "[{" * 1000}).encode()
    assert edge.ask("POST", "/channels/room/read", brackets).status == 200


def test_the_last_of_duplicate_keys_wins(edge: Edge) -> None:
    assert edge.ask("POST", "/channels/room/read", b'{"cursor":9,"cursor":0}').status == 200


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "1" * 401, "true", "null", "1.5", '"0"'])
def test_a_wide_number_is_json_and_judged_by_its_field(edge: Edge, number: str) -> None:
    body = f'{{"cursor":{number}}}'.encode()
    assert edge.ask("POST", "/channels/room/read", body).code == "invalid_cursor"


def test_a_wide_number_that_is_ignored_does_no_harm(edge: Edge) -> None:
    body = b'{"cursor":0,"x":' + b"9" * 5000 + b',"y":[1e999,{"z":"\\u00e9"}]}'
    assert edge.ask("POST", "/channels/room/read", body).status == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/html", ";;"]
)
def test_a_body_of_any_content_type_is_read_as_json(edge: Edge, kind: str) -> None:
    answer = edge.ask("POST", "/channels/room/read", {"cursor": 0}, headers=(("Content-Type", kind),))
    assert answer.json == {"messages": [], "cursor": 0}


@pytest.mark.parametrize("body", [b"[]", b"7", b'"text"', b"null", None])
def test_a_body_must_be_an_object_where_one_is_read(edge: Edge, body: bytes | None) -> None:
    for action in ("append", "claim", "reassign", "done"):
        assert edge.ask("POST", f"/channels/room/{action}", body).code == "invalid_request"
    assert edge.ask("POST", "/channels", body).code == "invalid_request"
    wanted = "invalid_cursor" if body is None else "invalid_request"
    assert edge.ask("POST", "/channels/room/read", body).code == wanted
    assert edge.ask("POST", "/channels/room/subscribe", body).json == {"cursor": 0}


@pytest.mark.parametrize(
    ("authorization", "agent"),
    [
        ("Bearer tok-bob", "bob-agent"),
        ("bearer tok-bob", "bob-agent"),
        ("BEARER    tok-bob  ", "bob-agent"),
        ("Bearer", None),
        ("Bearer ", None),
        ("tok-bob", None),
        ("Basic tok-bob", None),
        ("Bearer tok-bobby", None),
        ("Bearer tok-bob x", None),
        ("Bearer tok-bob:bob-agent:bob", None),
        ("Bearer,tok-bob", None),
        ("Bearer é", None),
    ],
)
def test_a_bearer_is_resolved_or_refused(edge: Edge, authorization: str, agent: str | None) -> None:
    answer = edge.ask("POST", "/channels/room/append", NOTE, headers=(("Authorization", authorization),))
    if agent is None:
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    else:
        assert answer.json["message"]["agent_id"] == agent


def test_two_authorization_headers_are_401(edge: Edge) -> None:
    twice = (("Authorization", "Bearer tok-bob"), ("Authorization", "Bearer tok-bob"))
    assert edge.ask("POST", "/channels/room/append", NOTE, headers=twice).status == 401


def test_a_token_on_an_open_route_is_ignored(edge: Edge) -> None:
    assert edge.ask("GET", "/channels/room", token="nobody's").status == 200


def test_a_token_may_hold_colons_in_its_owner_and_spaces_within(edge: Edge) -> None:
    odd = make_edge(" tok en : al agent : al:ice , tok-é:b:b ")
    assert odd.ask("POST", "/channels", {"channel": "a"}, "tok en").json["created_by"] == "al:ice"
    assert odd.ask("POST", "/channels/a/append", NOTE, "tok-é").json["message"]["owner"] == "b"


def test_the_token_says_who_speaks_whatever_the_body_claims(edge: Edge) -> None:
    forged = {**NOTE, "agent_id": "alice-agent", "owner": None}
    stored = edge.ask("POST", "/channels/room/append", forged, "tok-bob").json["message"]
    assert (stored["agent_id"], stored["owner"]) == ("bob-agent", "bob")


def test_every_stored_message_has_its_fields_in_one_order(edge: Edge) -> None:
    sent = {"body": "text", "owner": "x", "type": "note", "ts": "mine", "msg_id": ULID}
    stored = edge.ask("POST", "/channels/room/append", sent, "tok-bob").json["message"]
    assert list(stored) == ["type", "agent_id", "owner", "msg_id", "body", "v", "ts"]


@pytest.mark.parametrize(
    "name", ["thread", "reply_to", "to", "status", "artifact", "ts", "body", "msg_id", "type"]
)
def test_null_is_a_wrong_value_of_a_message_field(edge: Edge, name: str) -> None:
    answer = edge.ask("POST", "/channels/room/append", {**NOTE, name: None}, "tok-bob")
    assert answer.code == "invalid_message"
    assert len(answer.json["error"]["issues"]) == 1


@pytest.mark.parametrize("name", ["target", "lease_ttl", "heartbeat"])
def test_null_is_a_wrong_value_of_a_claim_field(edge: Edge, name: str) -> None:
    answer = edge.ask("POST", "/channels/room/claim", {**CLAIM, name: None}, "tok-bob")
    assert len(answer.json["error"]["issues"]) == 1


def test_null_is_a_wrong_value_of_a_channel_field_but_verbosity(edge: Edge) -> None:
    for name in ("purpose", "renderBudgetChars"):
        answer = edge.ask("POST", "/channels", {"channel": "a", name: None}, "tok-bob")
        assert answer.code == "invalid_message"
    assert edge.ask("POST", "/channels", {"channel": None}, "tok-bob").code == "invalid_channel_name"
    answer = edge.ask("POST", "/channels", {"channel": "a", "verbosity": None}, "tok-bob")
    assert answer.json["verbosity"] == "quiet"


@pytest.mark.parametrize(
    "assignee",
    [None, {}, [], "x", {"agent_id": "a"}, {"agent_id": None, "owner": "o"}, {"agent_id": 7, "owner": "o"}],
)
def test_a_wrong_assignee_comes_after_the_token_and_before_the_channel(edge: Edge, assignee: object) -> None:
    body = {**CLAIM, "assignee": assignee}
    assert edge.ask("POST", "/channels/nowhere/reassign", body).code == "unauthorized"
    assert edge.ask("POST", "/channels/nowhere/reassign", body, "tok-bob").code == "invalid_request"
    assert edge.ask("POST", "/channels/nowhere/reassign", CLAIM, "tok-bob").code == "invalid_request"


def test_refusals_come_in_the_contracts_order(edge: Edge) -> None:
    def code(method: str, target: str, body: Any = None, token: str | None = None) -> str | None:
        return edge.ask(method, target, body, token).code

    huge = b"[" * 262_145
    assert code("PATCH", "/%ZZ", huge) == "invalid_request"
    assert code("PATCH", "/nope", huge) == "payload_too_large"
    assert code("PATCH", "/nope", b"{") == "invalid_json"
    assert code("PATCH", "/channels/room/append", b"[]") == "method_not_allowed"
    assert code("POST", "/channels/BAD/append", b"[]") == "invalid_request"
    assert code("POST", "/channels/BAD/append", b"{}") == "unauthorized"
    assert code("POST", "/channels/BAD/append", b"{}", "tok-bob") == "invalid_channel_name"
    assert code("POST", "/channels/nowhere/append", b"{}", "tok-bob") == "unknown_channel"
    assert code("POST", "/channels/room/append", {"type": "claim"}, "tok-bob") == "invalid_message"


def test_a_refusal_that_paces_says_when_to_come_back() -> None:
    edge = make_edge(max_posts_per_minute=1)
    edge.make_room()
    edge.ask("POST", "/channels/room/append", NOTE, "tok-bob")
    edge.clock.advance(18)
    answer = edge.ask("POST", "/channels/room/append", NOTE, "tok-bob")
    assert (answer.status, answer.headers["retry-after"]) == (429, "42")
    assert "Wait ~42s" in answer.json["error"]["message"]


def test_an_error_is_a_code_and_a_message_and_nothing_else(edge: Edge) -> None:
    assert set(edge.ask("GET", "/nope").json) == {"error"}
    assert set(edge.ask("GET", "/nope").json["error"]) == {"code", "message"}
    invalid = edge.ask("POST", "/channels/room/append", {}, "tok-bob").json["error"]
    assert set(invalid) == {"code", "message", "issues"}


def test_an_answer_says_what_it_is(edge: Edge) -> None:
    answer = edge.ask("GET", "/healthz")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["keep-alive"] == "timeout=5"


@pytest.mark.parametrize("length", [8000, 100_000])
def test_a_long_name_is_quoted_in_part(edge: Edge, length: int) -> None:
    answer = edge.ask("POST", "/channels", {"channel": "x" * length}, "tok-bob")
    assert answer.code == "invalid_channel_name"
    assert len(answer.body) < 400


class _Broken:
    """A backbone whose own code fails."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # it is asked what it provides

        def operation(*args: object, **kwargs: object) -> Deferred[Any]:
            return defer.fail(RuntimeError("secret detail"))

        return operation


def test_a_failure_of_ours_is_one_fixed_message(logged_failures: list[Failure]) -> None:
    broken: Any = _Broken()
    directlyProvides(broken, IBackbone)
    edge = make_edge(backbone=broken)
    answer: Answer = edge.ask("GET", "/channels")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in answer.body.decode()
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()


def test_a_failure_after_the_head_was_sent_cuts_the_answer_off(logged_failures: list[Failure]) -> None:
    peer = make_edge().connect()
    peer.send(GET[:-2])
    request = peer.request
    request.write(b"half an answer")
    request.processingFailed(Failure(RuntimeError("too late")))
    assert peer.transport.aborted
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()
    peer.lose()


def test_artifacts_are_served_as_inert_bytes(edge: Edge) -> None:
    data = b"<script>alert(1)</script>"
    address = "6db2c2ea36f7a2f2a4bb1c6fca0a5e5d2a8b1a1a1f3a0b7fb2ab1d6a4dc4b8de"
    assert (
        edge.ask("PUT", f"/channels/room/artifacts/{address}", data, "tok-bob").code == "artifact_integrity"
    )
    from hashlib import sha256  # noqa: PLC0415

    address = sha256(data).hexdigest()
    assert edge.ask("PUT", f"/channels/room/artifacts/{address}", data, "tok-bob").status == 201
    assert edge.ask("PUT", f"/channels/room/artifacts/{address}", data, "tok-bob").status == 200
    answer = edge.ask("GET", f"/channels/room/artifacts/{address}")
    assert answer.body == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["etag"] == f'"{address}"'


@pytest.mark.parametrize(
    "given", ["7", "7;fence=", "7;fence=x", "fence=7", "7;fence=7;x", "a;fence=7", "-7;fence=7"]
)
def test_an_if_claim_that_is_none_is_refused(given: str) -> None:
    edge = make_edge()
    edge.make_room()
    post = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "text"}
    headers = (("If-Claim", given),)
    refused = edge.ask("POST", "/channels/room/append", post, "tok-alice", headers)
    assert (refused.status, refused.code) == (400, "invalid_request")
    for grant in ("7; fence=8", "0;fence=0", f"7;fence={10**20}"):
        lost = edge.ask("POST", "/channels/room/append", post, "tok-alice", (("If-Claim", grant),))
        assert (lost.status, lost.code) == (409, "claim_lost")


def test_a_fence_in_a_query_is_digits() -> None:
    edge = make_edge()
    edge.make_room()
    for given in ("", "x", "-1", "1.0", "%FF"):
        assert edge.ask("GET", f"/channels/room/claims/7?fence={given}").code == "invalid_request"
    for fence in (8, 0, 10**20):
        assert edge.ask("GET", f"/channels/room/claims/7?fence={fence}").code == "claim_lost"
    assert edge.ask("GET", "/channels/room/claims/x?fence=8").code == "claim_lost"
    assert edge.ask("GET", "/channels/room/claims/x").code == "unknown_claim"
