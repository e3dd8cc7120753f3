"""What is asked of a server, over and over: the requests of each scenario, and what they need first."""

from __future__ import annotations

import json
from collections.abc import Callable

from attrs import frozen

from bench.servers import TOKENS, Server

STORED = 310
"""The bytes of a stored message's JSON."""
_ULID = "01JD0000000000000000000000"
_ID = "@ID@"
"""Stands in a body for text that no other request has, of a fixed length."""
ID_LENGTH = 16


@frozen
class Scenario:
    """Requests that differ in one text only, which may stand there more than once.

    ``path`` may hold ``@N@``, a number from 0 to ``channels`` - 1 that goes round; ``prepare`` makes
    what the requests need in a server.
    """

    name: str
    path: str
    body: str
    prepare: Callable[[Server], None]
    channels: int = 1
    has_id: bool = True
    has_token: bool = True

    @property
    def parts(self) -> tuple[str, str]:
        """The body before and after its own text; all of it, and nothing, if it has none."""
        before, _, after = self.body.partition(_ID)
        return before, after

    @property
    def length(self) -> int:
        """The length of every body, in bytes."""
        return len(self.body) + (ID_LENGTH - len(_ID)) * self.body.count(_ID)


def _message(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "msg_id": _ULID, **fields}, separators=(",", ":"))


def _padded() -> str:
    """A post whose stored form has `STORED` bytes: the server adds identity, version and stamp."""
    added = {
        "agent_id": "alice-agent",
        "owner": "alice",
        "v": 1,
        "ts": "2026-01-01T00:00:00.000Z#000000000000",
    }
    bare = len(_message("finding", body=_ID)) - len(_ID) + ID_LENGTH
    missing = STORED - bare - (len(json.dumps(added, separators=(",", ":"))) - 1)
    return _message("finding", body=_ID + "x" * missing)


def append(channel: str = "append", channels: int = 1) -> Scenario:
    """Posts of `STORED` bytes, to one channel or to several in turn."""

    def prepare(server: Server) -> None:
        for number in range(channels):
            server.make_channel(f"{channel}-{number}")

    return Scenario("append", f"/channels/{channel}-@N@/append", _padded(), prepare, channels)


def claim_won(channel: str = "won") -> Scenario:
    """Claims of targets that nobody holds."""
    body = _message("claim", body="looking at it", target=f"service/{_ID}", lease_ttl=100_000)
    return Scenario(
        "claim won", f"/channels/{channel}/claim", body, lambda server: server.make_channel(channel)
    )


def lease_taken(channel: str, held: int = 0, folders: int = 0) -> Scenario:
    """Claims with a lease on targets that nobody holds, where others hold so many, some of them folders."""

    def prepare(server: Server) -> None:
        server.make_channel(channel)
        for number in range(held):
            name = f"src/{number % 100}/{number}" + ("/" if number < folders else "")
            wanted = {"targets": [name], "note": "held", "lease_ttl": 86_400}
            server.ask(f"/channels/{channel}/claims", wanted, "bob")

    wanted = {"targets": [f"service/{_ID}"], "note": "looking at it", "lease_ttl": 86_400, "msg_id": _ULID}
    body = json.dumps(wanted, separators=(",", ":"))
    name = "lease taken" if not held else f"lease taken beside {held:,}"
    return Scenario(name, f"/channels/{channel}/claims", body, prepare)


def _claim_lost() -> Scenario:
    claim = {"type": "claim", "msg_id": _ULID, "body": "mine", "target": "service/db", "lease_ttl": 100_000}

    def prepare(server: Server) -> None:
        server.make_channel("lost")
        server.ask("/channels/lost/claim", claim, "bob")

    body = _message("claim", body=f"mine {_ID}", target="service/db", lease_ttl=100_000)
    return Scenario("claim lost", "/channels/lost/claim", body, prepare)


def _read(name: str, cursor: int) -> Scenario:
    channel = name.replace(" ", "-")

    def prepare(server: Server) -> None:
        server.make_channel(channel)
        for number in range(100):
            body = _padded().replace(_ID, f"{number:0{ID_LENGTH}}")
            server.ask(f"/channels/{channel}/append", json.loads(body), "alice")

    body = json.dumps({"cursor": cursor, "limit": 100}, separators=(",", ":"))
    return Scenario(name, f"/channels/{channel}/read", body, prepare, has_id=False)


READS = (_read("page of 100", 0), _read("head", 100))
ALL = (append(), claim_won(), _claim_lost(), *READS)
"""The scenarios of the comparison; the head is what an idle agent polls."""
TOKEN = TOKENS["alice"]
"""Whoever asks."""
