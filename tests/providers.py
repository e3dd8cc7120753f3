"""The rows of the conformance matrix: a backbone in process, over HTTP in memory, over a socket."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.error import ConnectionRefusedError  # noqa: A004
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock, LoopingCall
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

import caucus
from caucus.access.issuer import Issuer
from caucus.access.tokens import Tokens
from caucus.client.backbone import HTTPBackbone
from caucus.core.backbone import Backbone
from caucus.edge.access_log import AccessLog
from caucus.edge.counts import Counts
from caucus.edge.crowd import Crowd
from caucus.edge.door import Door
from caucus.interfaces import IAlive, IBackbone, IJournal, ISharedJournal, ITokenKeeper
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.listening import AnySite
from caucus.model.records import Identity
from caucus.server import Server, site_maker
from caucus.settings import Settings
from caucus.testing import IBackboneProvider
from caucus.testing.shared import SharedLog
from caucus.web.dispatch import Dispatch
from caucus.web.operation import Gate
from caucus.web.routes.serving import Serving, following, tool_calls
from caucus.web.streams import Streams

OpenJournal = Callable[[Clock], Deferred[IJournal]]


def transport() -> str:
    """What the servers of this run speak HTTP with: pytest's option ``--http``, for daemons too."""
    return os.environ["CAUCUS_HTTP"]


def start_server(reactor: Any, settings: Settings | None = None, **given: Any) -> Deferred[Server]:
    """A server on that transport."""
    return caucus.start_server(reactor, settings, **{"http": transport(), **given})


def token_of(identity: Identity) -> str:
    """The token that the HTTP rows give an identity."""
    return f"token-of-{identity.agent_id}"


def token_entries(identities: Sequence[Identity]) -> str:
    """The tokens of all, as `CAUCUS_TOKENS` holds them."""
    return ",".join(f"{token_of(one)}:{one.agent_id}:{one.owner}" for one in identities)


async def begun(journal: IJournal, clock: Clock, limits: Limits) -> Backbone:
    """A backbone over a new journal: where others may write, it follows them."""
    backbone = Backbone(journal, clock, limits)
    if ISharedJournal.providedBy(journal):
        await backbone.replay()
        await backbone.begin_run()
    return backbone


@implementer(IBackboneProvider)
@define
class InProcess:
    """`Backbone` itself, over a journal."""

    open_journal: OpenJournal
    journal: IJournal = field(factory=MemoryJournal)

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        self.journal = await self.open_journal(clock)
        backbone: IBackbone = await begun(self.journal, clock, limits)
        return [backbone] * len(identities)

    def settle(self) -> None:
        """The journal's thread does it."""

    def close(self) -> Deferred[None]:
        return self.journal.close()


@implementer(IStreamClientEndpoint)
@define
class MemoryEndpoint:
    """Connects a client to the edge through memory; ``pumps`` gains what moves the bytes.

    ``attempts`` counts the connections asked for; ``refusing`` refuses them.
    """

    site: AnySite
    pumps: list[IOPump]
    refusing: bool = False
    attempts: int = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.attempts += 1
        if self.refusing:
            return fail(ConnectionRefusedError())
        client: Any = protocolFactory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4317))
        server: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        pump = connect(
            server, FakeTransport(server, isServer=True), client, FakeTransport(client, isServer=False)
        )
        self.pumps.append(pump)
        return succeed(client)


@implementer(IAgentEndpointFactory)
@define
class MemoryEndpoints:
    """Every URI leads to one memory endpoint."""

    endpoint: MemoryEndpoint

    def endpointForURI(self, uri: URI) -> MemoryEndpoint:
        return self.endpoint


def make_site(
    backbone: IBackbone,
    tokens: Tokens | str,
    limits: Limits,
    clock: Clock,
    admin_token: str = "",
    audit: Callable[[str], None] | None = None,
    door: Door | None = None,
    *,
    read_token: bool = False,
    http: str | None = None,
) -> AnySite:
    """The edge and the routes over a backbone, without a listener; by default as on loopback.

    The backbone keeps ``tokens`` if they are its own, which are no string.
    """
    known = Tokens.parse(tokens) if isinstance(tokens, str) else tokens
    keeper = None if isinstance(tokens, str) else ITokenKeeper(backbone)
    streams = Streams(backbone, limits, clock)
    issuer = Issuer(known, admin_token, audit, clock.seconds, keeper, limits.max_minted_tokens)
    alive, tools = IAlive(backbone, None), tool_calls()
    gate = Gate(known, issuer, limits, alive, read_token=read_token, following=following(backbone))
    dispatch = Dispatch(gate, Serving(backbone, streams, issuer, (tools,), alive, gate.speaker, tools))
    access, crowd = AccessLog(clock, clock.seconds), Crowd(limits, clock)
    site = site_maker(http or transport(), dispatch, clock, access, crowd, Counts(crowd))()
    site.door = Door((), local=True, literals=False, metrics=True) if door is None else door
    return site


@implementer(IBackboneProvider)
@define
class HTTPInMemory:
    """`HTTPBackbone` and our edge, with a pump between them and one clock at both ends."""

    open_journal: OpenJournal
    pumps: list[IOPump] = field(factory=list)
    journal: IJournal = field(factory=MemoryJournal)
    pumping: LoopingCall | None = None

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        self.journal = await self.open_journal(clock)
        if not isinstance(self.journal, MemoryJournal):  # its thread answers when it will
            self.pumping = LoopingCall(self.settle)
            self.pumping.start(0.001)
        backbone = await begun(self.journal, clock, limits)
        site = make_site(backbone, token_entries(identities), limits, clock)
        return [client_in_memory(site, self.pumps, clock, identity) for identity in identities]

    def settle(self) -> None:
        while sum(pump.pump() for pump in self.pumps):  # every pump, each time
            pass

    def close(self) -> Deferred[None]:
        if self.pumping is not None:
            self.pumping.stop()
        return self.journal.close()


def client_in_memory(site: AnySite, pumps: list[IOPump], clock: Clock, identity: Identity) -> IBackbone:
    """A client of a site, with an identity's token; ``pumps`` gains what moves its bytes."""
    pool = HTTPConnectionPool(clock, persistent=True)
    pool.cachedConnectionTimeout = 4
    endpoints = MemoryEndpoints(MemoryEndpoint(site, pumps))
    treq = HTTPClient(Agent.usingEndpointFactory(clock, endpoints, pool))
    return HTTPBackbone(clock, "http://localhost", token_of(identity), treq=treq, clock=clock)


@define
class SeveralHands:
    """Backbones over one log in memory, each identity at another: so many, in an order that a seed says."""

    hands: int
    seed: int = 0
    log: SharedLog | None = None
    journals: list[IJournal] = field(factory=list)

    async def backbones(self, clock: Clock, limits: Limits) -> list[Backbone]:
        self.log = SharedLog(clock, self.seed)
        self.journals = [self.log.journal() for _ in range(self.hands)]
        opened = [Backbone(journal, clock, limits) for journal in self.journals]
        for backbone in opened:
            await backbone.replay()
            backbone.begin_run()
        self.log.run()
        return opened

    def settle(self) -> None:
        if self.log is not None:
            self.log.run()

    def close(self) -> Deferred[None]:
        return gatherResults([one.close() for one in self.journals]).addCallback(lambda _: None)


@implementer(IBackboneProvider)
@define
class SharedInProcess(SeveralHands):
    """`Backbone` itself, several over one log."""

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        opened = await self.backbones(clock, limits)
        return [opened[number % self.hands] for number in range(len(identities))]


@implementer(IBackboneProvider)
@define
class SharedOverHTTP(SeveralHands):
    """`HTTPBackbone` and several edges, each over a backbone of its own, all of one log."""

    pumps: list[IOPump] = field(factory=list)

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        entries = token_entries(identities)
        sites = [make_site(one, entries, limits, clock) for one in await self.backbones(clock, limits)]
        return [
            client_in_memory(sites[number % self.hands], self.pumps, clock, identity)
            for number, identity in enumerate(identities)
        ]

    def settle(self) -> None:
        while sum(pump.pump() for pump in self.pumps):
            super().settle()


@implementer(IBackboneProvider)
@define
class HTTPOnASocket:
    """`HTTPBackbone` and a started server, on the real reactor with the clock of the case."""

    open_journal: OpenJournal
    server: Server | None = None
    clients: list[HTTPBackbone] = field(factory=list)

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        journal = await self.open_journal(clock)
        self.server = await start_server(
            reactor, tokens=token_entries(identities), limits=limits, journal=journal, clock=clock
        )
        self.clients = [
            HTTPBackbone(reactor, self.server.url, token_of(identity), clock=clock) for identity in identities
        ]
        return list(self.clients)

    def settle(self) -> None:
        """The reactor does it."""

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        for client in self.clients:
            await client.close()
        if self.server is not None:
            await self.server.close()
