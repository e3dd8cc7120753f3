"""The Model Context Protocol at the edge: both eras, the tools, and what a repetition is."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import pytest
from zope.interface import directlyProvides

from caucus.agents.mcp import LEGACY, MODERN
from caucus.agents.tools import TOOLS
from caucus.interfaces import IBackbone
from tests.agents import call, number_of, rpc
from tests.raw import Answer, Edge, make_edge

META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
LONGEST_LIST = 4_200
"""Characters of JSON that a list of tools takes at most: models make about 1,200 tokens of so many."""


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


def legacy(edge: Edge, method: str, **params: object) -> Any:
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    assert (answer.status, answer.json["id"]) == (200, 7)
    return answer.json["result"]


def modern(
    edge: Edge, method: str, headers: dict[str, str] | None = None, params: dict[str, Any] | None = None
) -> Answer:
    given = {"MCP_Protocol_Version": MODERN, "Mcp_Method": method, **(headers or {})}
    asked = {"_meta": META} if params is None else params
    return rpc(edge, {"jsonrpc": "2.0", "id": "a", "method": method, "params": asked}, **given)


def code(answer: Answer) -> tuple[int, int]:
    return answer.status, answer.json["error"]["code"]


# The protocol


@pytest.mark.parametrize("wanted", LEGACY)
def test_a_legacy_revision_that_is_spoken_is_agreed_to(edge: Edge, wanted: str) -> None:
    assert legacy(edge, "initialize", protocolVersion=wanted)["protocolVersion"] == wanted


def test_a_revision_that_is_not_spoken_gets_the_newest_legacy_one(edge: Edge) -> None:
    assert legacy(edge, "initialize", protocolVersion="1999-01-01")["protocolVersion"] == LEGACY[0]


@pytest.mark.parametrize("method", ["ping", "logging/setLevel"])
def test_a_legacy_client_may_ping_and_set_a_level(edge: Edge, method: str) -> None:
    assert legacy(edge, method, level="info") == {}


def test_both_eras_list_the_same_nine_tools(edge: Edge) -> None:
    listed = legacy(edge, "tools/list")["tools"]
    assert len(listed) == 9
    assert modern(edge, "tools/list").json["result"]["tools"] == listed


def test_the_list_of_tools_costs_little() -> None:
    assert len(json.dumps([tool.shown() for tool in TOOLS], separators=(",", ":"))) <= LONGEST_LIST


def test_a_modern_client_discovers_what_there_is(edge: Edge) -> None:
    result = modern(edge, "server/discover").json["result"]
    assert result["supportedVersions"] == [MODERN, *LEGACY]
    assert (result["resultType"], result["capabilities"]) == ("complete", {"tools": {}})
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "caucus"


def test_a_version_in_the_meta_makes_a_request_modern(edge: Edge) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": META}}
    assert code(rpc(edge, message, MCP_Protocol_Version=MODERN, Mcp_Method="ping")) == (404, -32601)


@pytest.mark.parametrize("missing", META)
def test_a_modern_request_says_its_revision_and_what_its_client_can_do(edge: Edge, missing: str) -> None:
    params = {"_meta": {name: value for name, value in META.items() if name != missing}}
    assert code(modern(edge, "tools/list", params=params)) == (400, -32602)


@pytest.mark.parametrize(
    "headers",
    [
        {"MCP_Protocol_Version": "2027-01-01"},
        {"Mcp_Method": "tools/call"},
        {"Mcp_Method": "TOOLS/LIST"},
    ],
)
def test_headers_that_say_something_else_are_refused(edge: Edge, headers: dict[str, str]) -> None:
    assert code(modern(edge, "tools/list", headers)) == (400, -32020)


@pytest.mark.parametrize(
    ("header", "status"),
    [("board", 200), (" board ", 200), ("=?base64?Ym9hcmQ=?=", 200), ("=?base64?!!?=", 400), ("read", 400)],
)
def test_the_name_of_a_tool_stands_in_a_header_too(edge: Edge, header: str, status: int) -> None:
    params = {"name": "board", "arguments": {}, "_meta": META}
    answer = modern(edge, "tools/call", {"Mcp_Name": header}, params)
    assert answer.status == status
    assert status == 200 or answer.json["error"]["code"] == -32020


def test_an_unknown_revision_is_told_which_there_are(edge: Edge) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "v999"}
    answer = modern(edge, "tools/list", {"MCP_Protocol_Version": "v999"}, {"_meta": meta})
    assert code(answer) == (400, -32022)
    assert answer.json["error"]["data"] == {"supported": [MODERN, *LEGACY], "requested": "v999"}


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 10_000, -32700),
        (b"[]", -32600),
        (b"[" + b"1," * 16 + b"1]", -32600),
        (b"7", -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
    ],
)
def test_what_is_no_message_is_refused(edge: Edge, body: bytes, number: int) -> None:
    assert code(rpc(edge, body)) == (400, number)


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ],
)
def test_a_message_that_asks_nothing_is_accepted_without_a_word(edge: Edge, message: object) -> None:
    answer = rpc(edge, message)
    assert (answer.status, answer.body) == (202, b"")


def test_some_messages_at_once_are_answered_one_after_the_other(edge: Edge) -> None:
    ping = {"jsonrpc": "2.0", "method": "ping"}
    answer = rpc(edge, [{**ping, "id": 1}, ping, 7, {**ping, "id": 2, "method": "nope"}])
    assert answer.status == 200
    told = [(one["id"], one.get("error", {}).get("code")) for one in answer.json]
    assert told == [(1, None), (None, -32600), (2, -32601)]
    assert rpc(edge, [ping, ping]).status == 202


def test_a_modern_client_sends_one_message_at_a_time(edge: Edge) -> None:
    assert code(rpc(edge, [{"jsonrpc": "2.0", "id": 1}], MCP_Protocol_Version=MODERN)) == (400, -32600)


def test_calls_are_counted_by_tool_and_outcome(edge: Edge) -> None:
    call(edge, "board")
    call(edge, "board")
    call(edge, "read", cursor=9)
    text = edge.ask("GET", "/metrics").body.decode()
    assert 'caucus_tool_calls_total{outcome="done",tool="board"} 2.0' in text
    assert 'caucus_tool_calls_total{outcome="invalid_cursor",tool="read"} 1.0' in text


def test_a_backbone_without_a_feed_has_no_door() -> None:
    alone: Any = Mock()
    directlyProvides(alone, IBackbone)
    edge = make_edge(backbone=alone)
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("params", [{"name": "nope"}, {"name": 7}, {"name": "board", "arguments": []}, []])
def test_a_call_of_no_tool_is_an_error_of_the_protocol(edge: Edge, params: object) -> None:
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert code(answer) == (200, -32602)


@pytest.mark.parametrize("token", [None, "tok-nobody"])
def test_nobody_speaks_without_a_token(edge: Edge, token: str | None) -> None:
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, token)
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert "Authorization: Bearer" in answer.json["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_no_stream_and_no_session(edge: Edge, method: str) -> None:
    answer = edge.ask(method, "/mcp", None, "tok-bob")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_foreign_page_is_refused(edge: Edge) -> None:
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, Origin="https://evil.example")
    assert answer.status == 403


# A repetition


@pytest.mark.parametrize(
    "how", [{"key": "k"}, {"meta": {"claudecode/toolUseId": "k"}}, {"meta": {"caucus/idempotencyKey": "k"}}]
)
def test_a_post_that_is_repeated_with_its_key_is_one_write(edge: Edge, how: dict[str, Any]) -> None:
    first = call(edge, "post", body="the pool is full", **how)
    assert call(edge, "post", body="the pool is full", **how) == first
    assert edge.ask("POST", "/channels/room/read", {"cursor": 0}).json["cursor"] == 1


def test_the_number_of_a_message_is_no_key(edge: Edge) -> None:
    call(edge, "post", body="one")
    assert not call(edge, "post", body="two")[0]
    assert edge.ask("POST", "/channels/room/read", {"cursor": 0}).json["cursor"] == 2


def test_a_key_that_is_used_for_something_else_is_refused(edge: Edge) -> None:
    call(edge, "post", body="one", key="k")
    is_error, text = call(edge, "post", body="two", key="k")
    assert is_error
    assert "another key" in text


def test_a_post_that_is_repeated_without_a_key_is_told_so(edge: Edge) -> None:
    call(edge, "post", body="one")
    is_error, text = call(edge, "post", body="one")
    assert is_error
    assert "in the room already" in text


def test_a_key_is_of_one_room(edge: Edge) -> None:
    edge.ask("POST", "/channels", {"channel": "other"}, "tok-bob")
    params = {"name": "post", "arguments": {"body": "hi"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    assert not rpc(edge, message, room="room", Idempotency_Key="k").json["result"]["isError"]
    assert rpc(edge, message, room="other", Idempotency_Key="k").json["result"]["isError"]


def test_a_claim_that_has_ended_is_not_granted_by_its_repetition(edge: Edge) -> None:
    _, granted = call(edge, "claim", targets=["db"], note="x", key="k")
    call(edge, "release", claim=number_of(granted))
    call(edge, "claim", "tok-alice", targets=["db"], note="x")
    _, text = call(edge, "claim", targets=["db"], note="x", key="k")
    assert text.startswith(f"#{number_of(granted)} was yours, and has ended since.")
