"""The recorded exchanges again, over PostgreSQL: with one daemon, and with requests dealt in turn to two."""

from __future__ import annotations

import http.client
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from attrs import define
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from caucus.limits import Limits, environment_name, limit_fields
from caucus.server import Server
from tests.postgres import Cluster
from tests.providers import start_server
from tests.providers_postgres import open_at
from tests.raw import Answer
from tests.test_recorded import SESSIONS, differences, filled


@define
class Given:
    """An answer, as `tests.raw.Answer` has it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(server: Server, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Given:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    given = Given(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    connection.close()
    return given


async def serve(session: dict[str, Any], dsn: str, count: int, clock: Clock) -> AsyncIterator[Server]:
    environment = session["env"]
    caps = {field: environment.get(environment_name(field), "") for field, _ in limit_fields()}
    for _ in range(count):
        yield await start_server(
            reactor,
            limits=Limits.parse({field: text for field, text in caps.items() if text}),
            tokens=environment.get("CAUCUS_TOKENS", ""),
            admin_token=environment.get("CAUCUS_ADMIN_TOKEN", ""),
            journal=await open_at(dsn, clock),
            clock=clock,
            wall=clock.seconds,
        )


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", sorted(SESSIONS))
async def test_recorded_session_over_postgres(name: str, count: int, postgres: Cluster) -> None:
    session, clock, stamps, minted = SESSIONS[name], Clock(), set[str](), list[str]()
    clock.advance(1_700_000_000)
    servers = [server async for server in serve(session, postgres.dsn(), count, clock)]
    turn = 0
    try:
        for step in session["steps"]:
            if "sleep" in step:
                clock.advance(step["sleep"])
                continue
            method, path, body, headers = filled(step, minted)
            server = servers[turn % count]
            turn += 1
            given: Any = await deferToThread(send, server, method, path, body, headers)
            if b'"token":' in given.body:
                minted.append(given.json["token"])
            found: list[str] = differences(step["expect"], cast("Answer", given), stamps)
            assert not found, f"step {turn}, {step['method']} {step['path']}"
    finally:
        for server in servers:
            await server.close()
