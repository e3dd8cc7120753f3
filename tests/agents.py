"""An agent's calls at the edge, as a harness sends them."""

from __future__ import annotations

import json
from typing import Any

from tests.raw import Answer, Edge, Peer

CWD = "/home/alice/shop"
_SESSION = {
    "claude": "session_id",
    "codex": "session_id",
    "copilot": "sessionId",
    "gemini": "session_id",
    "opencode": "sessionID",
    "pi": "sessionId",
}


def rpc(edge: Edge, message: object, token: str | None = "tok-bob", room: str = "", **headers: str) -> Answer:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    query = f"?room={room}" if room else ""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return edge.ask("POST", f"/mcp{query}", body, token, named)


def call(
    edge: Edge,
    tool: str,
    token: str = "tok-bob",
    *,
    meta: dict[str, str] | None = None,
    key: str = "",
    **arguments: object,
) -> tuple[bool, str]:
    """Whether it is an error, and the text."""
    params: dict[str, object] = {"name": tool, "arguments": arguments}
    if meta is not None:
        params["_meta"] = meta
    named = {"Idempotency_Key": key} if key else {}
    answer = rpc(edge, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, token, **named)
    assert answer.status == 200, answer.body
    result = answer.json["result"]
    assert [one["type"] for one in result["content"]] == ["text"]
    text = result["content"][0]["text"]
    assert text.strip()
    return result["isError"], text


def begin_to_wait(edge: Edge, token: str = "tok-alice") -> Peer:
    """Call the tool `wait` on a connection of its own."""
    params = {"name": "wait", "arguments": {"seconds": 30}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    peer = edge.connect()
    peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return peer


def number_of(text: str) -> int:
    """The number of the claim that a text tells of first."""
    return int(text.split("#")[1].split(maxsplit=1)[0].rstrip(",;:"))


def hook(
    edge: Edge,
    event: str,
    dialect: str = "claude",
    token: str = "tok-alice",
    session: str = "s1",
    query: str = "",
    **payload: Any,
) -> Any:
    body = {_SESSION[dialect]: session, "cwd": CWD, **payload}
    peer = begin(edge, f"/hooks/{dialect}/{event}{query}", body, token)
    for _ in range(2):
        edge.clock.advance(0)
    (answer,) = peer.answers()
    assert answer.status == 200, answer.body
    peer.lose()
    return answer.json


def begin(edge: Edge, target: str, body: object, token: str = "tok-alice") -> Peer:
    """Ask on a connection of its own; the answer comes two turns later."""
    data = json.dumps(body).encode()
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    peer = edge.connect()
    peer.send(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return peer


def told(answer: Any) -> str:
    """The text that the model is to see; empty for none."""
    inner = answer.get("hookSpecificOutput", answer)
    return str(inner.get("additionalContext", ""))
