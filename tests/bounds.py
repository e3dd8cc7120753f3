"""What `test_limits` walks: a way to reach the bound of each row of `docs/limits.md`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from tests.raw import Answer, Edge, make_edge

REACHED: dict[str, Callable[[], Any]] = {}
ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6, "max_channel_creates_per_minute": 10**6}
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def reaches(what: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(test: Callable[[], Any]) -> Callable[[], Any]:
        REACHED[what] = test
        return test

    return keep


def codes(answers: Sequence[Answer]) -> list[str | None]:
    return [one.code if one.status >= 400 else None for one in answers]


def post(edge: Edge, body: str, token: str = "tok-alice") -> Answer:
    message = {"type": "note", "msg_id": ULID, "body": body}
    return edge.ask("POST", "/channels/room/append", message, token)


def claim(edge: Edge, target: str) -> Answer:
    message = {"type": "claim", "msg_id": ULID, "body": "mine", "target": target}
    return edge.ask("POST", "/channels/room/claim", message, "tok-alice")


def take(edge: Edge, target: str, token: str = "tok-alice", **wanted: Any) -> Answer:
    return edge.ask("POST", "/channels/room/claims", {"targets": [target], "note": "mine", **wanted}, token)


def release(edge: Edge, taken: Answer, token: str = "tok-alice") -> Answer:
    return edge.ask("POST", f"/channels/room/claims/{taken.json['claim']['claim']}/release", {}, token)


def upload(edge: Edge, data: bytes) -> Answer:
    return edge.ask("PUT", f"/channels/room/artifacts/{sha256(data).hexdigest()}", data, "tok-alice")


def edge_with_a_room(**limits: int) -> Edge:
    edge = make_edge(**{**ROOMY, **limits})
    edge.make_room()
    return edge
