"""`start_server`: a backbone, its routes and its listeners, put together and taken apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import getpid
from socket import gethostname
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from caucus.access.issuer import Issuer
from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.edge.access_log import AccessLog
from caucus.edge.counts import Counts
from caucus.edge.crowd import Crowd
from caucus.edge.llhttp.site import FastSite
from caucus.edge.plain.site import PlainSite
from caucus.edge.site import Shared
from caucus.errors import CaucusError, ConfigurationError
from caucus.interfaces import IAlive, IBackbone, IJournal, IMeasured, ISharedJournal, ITokenKeeper
from caucus.journals import open_journal
from caucus.listening import AnySite, Listener, endpoint_of, listen
from caucus.metrics import Metric
from caucus.model.text import one_line
from caucus.settings import Settings
from caucus.web.dispatch import Dispatch
from caucus.web.operation import Gate
from caucus.web.plain_dispatch import PlainDispatch
from caucus.web.routes.serving import Serving, following, tool_calls
from caucus.web.streams import Streams


class Server:
    """A running server. The first listener's ``url``, ``bound_host`` and ``port`` are the server's."""

    def __init__(
        self,
        backbone: IBackbone,
        journal: IJournal | None,
        serving: Serving,
        access: AccessLog,
        listeners: Sequence[Listener],
    ) -> None:
        self.backbone = backbone
        self.listeners = tuple(listeners)
        self._serving = serving
        self.url = self.listeners[0].url
        self.bound_host = self.listeners[0].bound_host
        self.port = self.listeners[0].port
        self._journal = journal
        shared = ISharedJournal(journal, None)
        self.broken: Deferred[str] | None = None if shared is None else shared.broken
        """Fires with a line if what is served is not what the journal's store has: only a new start helps."""
        self._access = access
        self._closed: Deferred[None] | None = None

    def close(self) -> Deferred[None]:
        """Stop: fires once the port is free, every connection is gone and the journal is closed.

        Requests under way get a few seconds to finish, and streams end cleanly. Calling it again
        waits for the same end.
        """
        if self._closed is None:
            self._closed = Deferred.fromCoroutine(self._close())
        waiting: Deferred[None] = Deferred()
        self._closed.addBoth(waiting.callback)
        return waiting

    async def _close(self) -> None:
        try:
            await _take_down(self.listeners, self._serving, self.backbone)
            self._access.flush()
        finally:
            if self._journal is not None:
                if isinstance(self.backbone, Backbone):
                    self.backbone.end_run().addErrback(_unless_refused)
                await self._journal.close()


def start_server(reactor: Any, settings: Settings | None = None, **given: Any) -> Deferred[Server]:
    """Start a backbone and serve it over HTTP.

    :param reactor: what the listeners run on, and the clock if no other is given.
    :param settings: everything else, as one value, which a type checker knows; or each as an argument
        of its name, which wins:
    :param listen: Twisted endpoint descriptions; without any, ``host`` and ``port``.
    :param port: 0 for any that is free.
    :param tokens: who may write: ``token:agent_id:owner`` entries, comma-separated, or `Tokens`.
    :param journal: an `IJournal`, or the ``scheme:rest`` of one.
    :param require_sync_standby: whether to write only where each commit waits for a standby; the journal
        must be one that can have one.
    :param backbone: an `IBackbone` to serve instead of one of the server's own; then ``journal``
        is not used, and of ``limits`` only what belongs to HTTP is. It has live streams if it
        provides `IWatchable` too.
    :param allowed_hosts: names and addresses that the server goes by beside those it is bound to.
    :param read_token: whether reading needs a write token too.
    :param admin_token: opens the routes that mint and revoke tokens, on loopback listeners and Unix
        sockets only; empty keeps them shut.
    :param audit: takes a JSON line for each use of those routes.
    :param access_log: whether each request leaves a line in the log.
    :param metrics: which listeners show ``GET /metrics``: ``loopback``, which Unix sockets are too,
        ``all`` or ``none``.
    :param measures: further metrics to show there.
    :param http: what speaks HTTP: ``llhttp``, or ``twisted`` for Twisted's own site, which is slower.
    :param clock: measures durations: leases, windows, deadlines.
    :param wall: seconds since the epoch, for stamps and logs; ``clock.seconds`` if not given.
    :param boot_id: names the boot whose seconds ``clock`` counts, if it does that, so that another
        run can tell by it how long it was down.

    Fails with `ConfigurationError`, one line, if a token entry is bad, the journal cannot be
    opened or a listener cannot be bound; nothing is left open then.
    """
    try:
        everything = Settings(**given) if settings is None else evolve(settings, **given)
    except ConfigurationError as error:
        return fail(error)
    return Deferred.fromCoroutine(_start(reactor, everything))


async def _start(reactor: Any, settings: Settings) -> Server:
    clock = cast("IReactorTime", reactor) if settings.clock is None else settings.clock
    wall = clock.seconds if settings.wall is None else settings.wall
    given = settings.tokens
    tokens = Tokens.parse(given) if isinstance(given, str) else given
    endpoints = [endpoint_of(reactor, description) for description in settings.endpoints]
    journal: IJournal | None = None
    listeners: list[Listener] = []
    backbone = settings.backbone
    mine: Backbone | None = None
    try:
        if backbone is None:
            asked = settings.journal
            journal = await open_journal(asked, reactor, clock) if isinstance(asked, str) else asked
            if settings.require_sync_standby:
                _require_standby(journal)
            writer = f"{gethostname()}:{getpid()}"
            mine = Backbone(journal, clock, settings.limits, wall, settings.boot_id, tokens, writer)
            backbone = await _replayed(mine)
        access = AccessLog(clock, wall, is_on=settings.access_log)
        streams = Streams(backbone, settings.limits, clock)
        crowd = Crowd(settings.limits, clock)
        counts = Counts(crowd)
        measured = IMeasured(backbone, None)
        own = () if measured is None else measured.metrics
        metrics = (*counts.metrics, *streams.metrics, *own, *settings.measures)
        dispatch = dispatcher(settings, tokens, backbone, streams, metrics, wall)
        make_site = site_maker(settings.http, dispatch, clock, access, crowd, counts)
        for description, endpoint in zip(settings.endpoints, endpoints, strict=True):
            site, names = make_site(), settings.names
            listeners.append(await listen(description, endpoint, site, names, settings.metrics))
        if mine is not None:
            mine.begin_run().addErrback(_unless_refused)
    except BaseException:
        await _take_down(listeners, None)
        if journal is not None:
            await journal.close()
        raise
    return Server(backbone, journal, dispatch.serving, access, listeners)


def dispatcher(
    settings: Settings,
    tokens: Tokens,
    backbone: IBackbone,
    streams: Streams,
    metrics: Sequence[Metric],
    wall: Callable[[], float],
) -> Dispatch:
    """What takes requests to their routes, over a backbone."""
    limits = settings.limits
    keeper = ITokenKeeper(backbone, None)
    issuer = Issuer(tokens, settings.admin_token, settings.audit, wall, keeper, limits.max_minted_tokens)
    alive = IAlive(backbone, None)
    gate = Gate(
        tokens,
        issuer,
        limits,
        alive,
        read_token=settings.read_token,
        following=following(backbone),
    )
    tools = tool_calls()
    shown = (*metrics, tools)
    return Dispatch(gate, Serving(backbone, streams, issuer, shown, alive, gate.speaker, tools))


def site_maker(
    http: str, dispatch: Dispatch, clock: IReactorTime, access: AccessLog, crowd: Crowd, counts: Counts
) -> Callable[[], AnySite]:
    """What makes the factory of a listener, on the transport of this name, one of `TRANSPORTS`."""
    shared = Shared(dispatch.admit, dispatch.gate.hear, dispatch.knows, clock, access, crowd, counts)
    if http == "llhttp":
        return lambda: FastSite(dispatch.handle, shared)
    plain = PlainDispatch(dispatch)
    return lambda: PlainSite(plain, shared)


def _require_standby(journal: IJournal) -> None:
    shared = ISharedJournal(journal, None)
    if shared is None:
        raise ConfigurationError("--require-sync-standby needs a journal that has one, such as postgres:")
    shared.require_standby()


async def _replayed(backbone: Backbone) -> Backbone:
    try:
        await backbone.replay()
    except (ConfigurationError, CancelledError):
        raise
    except Exception as error:  # a store fails in its own way
        raise ConfigurationError(f"the journal cannot be replayed: {one_line(error)}") from error
    return backbone


def _unless_refused(failure: Failure) -> None:
    """The journal takes nothing now, and has said so."""
    failure.trap(CaucusError)


async def _take_down(
    listeners: Sequence[Listener], serving: Serving | None, backbone: IBackbone | None = None
) -> None:
    await DeferredList([Deferred.fromCoroutine(one.stop_listening()) for one in listeners])
    if serving is not None:
        serving.streams.close()
    if isinstance(backbone, Backbone):
        backbone.stop_waiting()
    await DeferredList([Deferred.fromCoroutine(one.close_connections()) for one in listeners])
