"""Several servers over one PostgreSQL, over HTTP: tokens, streams and readiness."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from caucus.errors import ConfigurationError
from caucus.server import Server
from tests.house import soon
from tests.postgres import Cluster
from tests.providers import start_server
from tests.proxy import Proxy

TOKENS = "tok-alice:alice:alice,tok-bob:bob:bob"
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOTE = {"type": "note", "msg_id": ULID, "body": "hello"}


class Answer:
    """What a server said."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Town:
    """Servers over one log, each behind a wire of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._schema = cluster.dsn().rpartition("%3D")[2]
        self.proxies: list[Proxy] = []
        self.servers: list[Server] = []

    async def add(self, **given: Any) -> None:
        proxy = Proxy(self._cluster.port)
        self.proxies.append(proxy)
        dsn = self._cluster.dsn(self._schema, proxy.listens_at)
        starting = start_server(reactor, tokens=TOKENS, admin_token="adm", journal=f"postgres:{dsn}", **given)
        self.servers.append(await starting)

    def ask(
        self,
        at: int,
        method: str,
        path: str,
        body: object = None,
        token: str = "",
        headers: Mapping[str, str] = {},
    ) -> Deferred[Answer]:
        return deferToThread(self._ask, at, method, path, body, token, headers)

    def _ask(
        self, at: int, method: str, path: str, body: object, token: str, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.servers[at].port, timeout=15)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, data, {**given, **headers})
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    async def until_away(self, at: int) -> None:
        """Cut a server off from the database."""
        self.proxies[at].cut()
        backbone: Any = self.servers[at].backbone
        await soon(lambda: backbone.why_not_ready() is not None)

    async def close(self) -> None:
        for proxy in self.proxies:
            proxy.heal()
        await gatherResults([server.close() for server in self.servers])
        await gatherResults([proxy.close() for proxy in self.proxies])


@pytest_twisted.async_yield_fixture
async def town(postgres: Cluster) -> AsyncIterator[Town]:
    town = Town(postgres)
    await town.add()
    await town.add()
    await town.ask(0, "POST", "/channels", {"channel": "room"}, "tok-alice")
    yield town
    await town.close()


async def test_a_token_that_was_minted_at_one_daemon_writes_at_the_other_at_once(town: Town) -> None:
    minted = (await town.ask(0, "POST", "/admin/tokens", {"agent_id": "c", "owner": "c"}, "adm")).json
    answer = await town.ask(1, "POST", "/channels/room/append", NOTE, minted["token"])
    assert (answer.status, answer.json["message"]["agent_id"]) == (201, "c")


async def test_a_token_that_was_minted_at_one_daemon_uploads_at_the_other_at_once(town: Town) -> None:
    minted = (await town.ask(0, "POST", "/admin/tokens", {"agent_id": "c", "owner": "c"}, "adm")).json
    data = b"evidence" * 10_000
    path = f"/channels/room/artifacts/{hashlib.sha256(data).hexdigest()}"
    assert (await town.ask(1, "PUT", path, data, minted["token"])).status == 201
    assert (await town.ask(0, "GET", path)).body == data


async def test_a_token_that_nobody_minted_is_refused_everywhere(town: Town) -> None:
    data = b"evidence" * 10_000
    path = f"/channels/room/artifacts/{hashlib.sha256(data).hexdigest()}"
    for at in range(2):
        assert (await town.ask(at, "POST", "/channels/room/append", NOTE, "nobody's")).status == 401
        assert (await town.ask(at, "PUT", path, data, "nobody's")).status == 401


async def test_a_token_that_was_revoked_at_one_daemon_writes_at_none(town: Town) -> None:
    minted = (await town.ask(0, "POST", "/admin/tokens", {"agent_id": "c", "owner": "c"}, "adm")).json
    assert (await town.ask(1, "POST", "/channels/room/append", NOTE, minted["token"])).status == 201
    digest = hashlib.sha256(minted["token"].encode()).hexdigest()
    await town.ask(0, "POST", "/admin/tokens/revoke", {"digest": digest}, "adm")
    message = {**NOTE, "body": "too late"}
    assert (await town.ask(1, "POST", "/channels/room/append", message, minted["token"])).status == 401


async def test_a_retry_that_reaches_the_other_daemon_is_one_write(town: Town) -> None:
    key = {"Idempotency-Key": "once"}
    answers = [
        await town.ask(at, "POST", "/channels/room/append", NOTE, "tok-alice", key) for at in (0, 1, 0)
    ]
    assert [answer.json["cursor"] for answer in answers] == [1, 1, 1]


async def test_while_the_database_is_away_an_answer_of_the_past_says_so(town: Town) -> None:
    await town.until_away(0)
    stale = await town.ask(0, "GET", "/channels/room")
    fresh = await town.ask(1, "GET", "/channels/room")
    assert (stale.status, stale.headers["warning"]) == (200, '110 - "Response is Stale"')
    assert (fresh.status, "warning" in fresh.headers) == (200, False)
    ready = [await town.ask(at, "GET", "/readyz") for at in range(2)]
    assert [(one.status, one.json.get("ready")) for one in ready] == [(503, None), (200, True)]
    assert (await town.ask(0, "GET", "/channels/elsewhere")).status == 503
    unknown = await town.ask(0, "POST", "/channels/room/append", NOTE, "minted-elsewhere")
    assert (unknown.status, unknown.json["error"]["code"]) == (503, "storage_unavailable")
    beyond = await town.ask(0, "POST", "/channels/room/read", {"cursor": 1})
    assert beyond.status == 503


async def test_a_stream_that_resumes_beyond_what_is_known_is_silent_until_the_present_is(town: Town) -> None:
    await town.until_away(0)
    for number in range(3):
        message = {**NOTE, "body": f"number {number}"}
        assert (await town.ask(1, "POST", "/channels/room/append", message, "tok-alice")).status == 201
    found: list[bytes] = []

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", town.servers[0].port, timeout=15)
        connection.request("GET", "/channels/room/stream", headers={"Last-Event-ID": "2"})
        answer = connection.getresponse()
        while not found or not found[-1].startswith(b"id: "):
            found.append(answer.readline().strip())
        connection.close()

    reading = deferToThread(read)
    await soon(lambda: bool(found))
    town.proxies[0].heal()
    await reading
    assert found[-1] == b"id: 3"


async def test_a_feed_that_resumes_beyond_what_is_known_is_silent_until_the_present_is(town: Town) -> None:
    await town.until_away(0)
    for number in range(3):
        message = {**NOTE, "body": f"number {number}"}
        assert (await town.ask(1, "POST", "/channels/room/append", message, "tok-alice")).status == 201
    since = (await town.ask(1, "GET", "/feed?room=room")).json["since"]
    assert (await town.ask(0, "GET", f"/feed?room=room&since={since}")).status == 503
    found: list[bytes] = []

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", town.servers[0].port, timeout=15)
        headers = {"Last-Event-ID": since, "Accept": "text/event-stream"}
        connection.request("GET", "/feed?room=room", headers=headers)
        answer = connection.getresponse()
        while not any(b"number 3" in line for line in found):
            found.append(answer.readline().strip())
        connection.close()

    reading = deferToThread(read)
    await soon(lambda: bool(found))
    town.proxies[0].heal()
    message = {**NOTE, "body": "number 3"}
    assert (await town.ask(1, "POST", "/channels/room/append", message, "tok-alice")).status == 201
    await reading
    assert not any(b"number 2" in line or b"reset" in line for line in found)


async def test_where_no_commit_waits_for_a_standby_nothing_is_written_that_has_to(town: Town) -> None:
    await town.add(require_sync_standby=True)
    answer = await town.ask(2, "POST", "/channels/room/append", NOTE, "tok-alice")
    assert (answer.status, answer.json["error"]["code"]) == (503, "storage_unavailable")
    assert (await town.ask(2, "GET", "/readyz")).status == 503
    assert (await town.ask(2, "GET", "/channels/room")).json["head"] == 0


async def test_a_journal_that_has_no_standby_cannot_require_one() -> None:
    with pytest.raises(ConfigurationError, match="--require-sync-standby needs a journal that has one"):
        await start_server(reactor, require_sync_standby=True)
