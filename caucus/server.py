"""`start_server`: a backbone, its routes and its listeners, put together and taken apart."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote

from attrs import field, frozen
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, maybeDeferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTime, IStreamServerEndpoint

from caucus.access.issuer import Issuer
from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.edge.access_log import AccessLog
from caucus.edge.crowd import Crowd
from caucus.edge.door import Door, require_host
from caucus.edge.llhttp.site import FastSite
from caucus.edge.plain.site import PlainSite
from caucus.edge.site import Edge
from caucus.edge.twisted_names import missing_from_channels
from caucus.errors import ConfigurationError
from caucus.interfaces import IBackbone, IJournal, ITokenKeeper
from caucus.journals import open_journal
from caucus.limits import Limits
from caucus.model.text import excerpt, one_line
from caucus.web.dispatch import Dispatch
from caucus.web.operation import Gate
from caucus.web.plain_dispatch import PlainDispatch
from caucus.web.routes.serving import Serving
from caucus.web.stream import Streams

TRANSPORTS = ("llhttp", "twisted")
"""What a listener may speak HTTP with: llhttp's parser, or Twisted's own site, which is slower."""
AnySite = FastSite | PlainSite

BACKLOG = 1024
"""Connections that the kernel may hold for a TCP listener; Twisted's own 50 makes a crowd wait."""
GRACE_SECONDS = 3.0
"""How long `Server.close` lets requests under way finish. Stopping takes 5 s at most in all."""


class Listener:
    """One bound listener.

    ``url`` can be dialled: a wildcard bind is shown as the loopback address. For a Unix socket
    it is ``http+unix://`` and the path, percent-encoded. ``bound_host`` is the address bound, or
    a Unix socket's path; ``port`` is the TCP port, 0 for a Unix socket.
    """

    def __init__(self, port: IListeningPort, site: Edge, names: Sequence[str], *, tls: bool) -> None:
        self._port = port
        self._site = site
        address = cast("Any", port.getHost())
        if isinstance(address, UNIXAddress):
            site.door = Door(names, local=True, literals=False)
            path = address.name.decode("utf-8", "surrogateescape") if address.name else ""
            self.bound_host, self.port, self.loopback = path, 0, True
            self.url = "http+unix://" + quote(path, safe="", errors="surrogateescape")
        else:
            self.bound_host, self.port = str(address.host), int(address.port)
            ip = ipaddress.ip_address(self.bound_host.partition("%")[0])
            self.loopback = ip.is_loopback
            local = self.bound_host in ("127.0.0.1", "::1")
            site.door = Door([*names, self.bound_host], local=local, literals=not self.loopback)
            if ip.is_unspecified:
                ip = ipaddress.ip_address("127.0.0.1" if ip.version == 4 else "::1")
            host = f"[{ip}]" if ip.version == 6 else str(ip)
            self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"

    async def stop_listening(self) -> None:
        """Take no more connections."""
        await maybeDeferred(self._port.stopListening)

    async def close_connections(self) -> None:
        """Let requests under way finish, within the grace, then end every connection."""
        await self._site.close_connections(GRACE_SECONDS)


class Server:
    """A running server. The first listener's ``url``, ``bound_host`` and ``port`` are the server's."""

    def __init__(
        self,
        backbone: IBackbone,
        journal: IJournal | None,
        streams: Streams,
        access: AccessLog,
        listeners: Sequence[Listener],
    ) -> None:
        self.backbone = backbone
        self.listeners = tuple(listeners)
        self._streams = streams
        self.url = self.listeners[0].url
        self.bound_host = self.listeners[0].bound_host
        self.port = self.listeners[0].port
        self._journal = journal
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
            await _take_down(self.listeners, self._streams)
            self._access.flush()
        finally:
            if self._journal is not None:
                if isinstance(self.backbone, Backbone):
                    self.backbone.end_run()
                await self._journal.close()


def start_server(
    reactor: Any,
    *,
    listen: Sequence[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tokens: Tokens | str = "",
    limits: Limits | None = None,
    journal: IJournal | str = "memory:",
    backbone: IBackbone | None = None,
    allowed_hosts: Sequence[str] = (),
    read_token: bool = False,
    admin_token: str = "",
    audit: Callable[[str], None] | None = None,
    access_log: bool = True,
    http: str = "llhttp",
    clock: IReactorTime | None = None,
    wall: Callable[[], float] | None = None,
    boot_id: bytes = b"",
) -> Deferred[Server]:
    """Start a backbone and serve it over HTTP.

    :param reactor: what the listeners run on, and the clock if no other is given.
    :param listen: Twisted endpoint descriptions; without any, ``host`` and ``port``.
    :param port: 0 for any that is free.
    :param tokens: who may write: ``token:agent_id:owner`` entries, comma-separated, or `Tokens`.
    :param journal: an `IJournal`, or the ``scheme:rest`` of one.
    :param backbone: an `IBackbone` to serve instead of one of the server's own; then ``journal``
        is not used, and of ``limits`` only what belongs to HTTP is. It has live streams if it
        provides `IWatchable` too.
    :param allowed_hosts: names and addresses that the server goes by beside those it is bound to.
    :param read_token: whether reading needs a write token too.
    :param admin_token: opens the routes that mint and revoke tokens, on loopback listeners and Unix
        sockets only; empty keeps them shut.
    :param audit: takes a JSON line for each use of those routes.
    :param access_log: whether each request leaves a line in the log.
    :param http: what speaks HTTP: ``llhttp``, or ``twisted`` for Twisted's own site, which is slower.
    :param clock: measures durations: leases, windows, deadlines.
    :param wall: seconds since the epoch, for stamps and logs; ``clock.seconds`` if not given.
    :param boot_id: names the boot whose seconds ``clock`` counts, if it does that, so that another
        run can tell by it how long it was down.

    Fails with `ConfigurationError`, one line, if a token entry is bad, the journal cannot be
    opened or a listener cannot be bound; nothing is left open then.
    """
    time = cast("IReactorTime", reactor) if clock is None else clock
    try:
        for name in allowed_hosts:
            require_host(name)
    except ConfigurationError as error:
        return fail(error)
    settings = _Settings(
        reactor=reactor,
        listen=listen or [f"tcp:{port}:interface={quoteStringArgument(host)}"],
        names=[*allowed_hosts, *([] if listen else [host])],
        tokens=tokens,
        limits=Limits() if limits is None else limits,
        journal=journal,
        backbone=backbone,
        read_token=read_token,
        admin_token=admin_token,
        audit=audit,
        access_log=access_log,
        http=http,
        clock=time,
        wall=time.seconds if wall is None else wall,
        boot_id=boot_id,
    )
    return Deferred.fromCoroutine(_start(settings))


@frozen(kw_only=True)
class _Settings:
    """What `start_server` was given, defaults filled in."""

    reactor: Any
    listen: Sequence[str]
    names: Sequence[str]
    tokens: Tokens | str = field(repr=False)
    limits: Limits
    journal: IJournal | str
    backbone: IBackbone | None
    read_token: bool
    admin_token: str = field(repr=False)
    audit: Callable[[str], None] | None
    access_log: bool
    http: str
    clock: IReactorTime
    wall: Callable[[], float]
    boot_id: bytes


async def _start(settings: _Settings) -> Server:
    limits, clock, wall = settings.limits, settings.clock, settings.wall
    tokens = Tokens.parse(settings.tokens) if isinstance(settings.tokens, str) else settings.tokens
    endpoints = [_endpoint(settings.reactor, description) for description in settings.listen]
    journal: IJournal | None = None
    listeners: list[Listener] = []
    backbone = settings.backbone
    try:
        if backbone is None:
            given = settings.journal
            journal = await open_journal(given, settings.reactor, clock) if isinstance(given, str) else given
            backbone = await _replayed(Backbone(journal, clock, limits, wall, settings.boot_id, tokens))
        access = AccessLog(clock, wall, is_on=settings.access_log)
        streams = Streams(backbone, limits, clock)
        keeper = ITokenKeeper(backbone, None)
        issuer = Issuer(tokens, settings.admin_token, settings.audit, wall, keeper, limits.max_minted_tokens)
        gate = Gate(tokens, issuer, limits, read_token=settings.read_token)
        dispatch = Dispatch(gate, Serving(backbone, streams, issuer))
        make_site = site_maker(settings.http, dispatch, clock, access, Crowd(limits, clock))
        for description, endpoint in zip(settings.listen, endpoints, strict=True):
            site = make_site()
            listeners.append(await _listen(description, endpoint, site, settings.names))
    except BaseException:
        await _take_down(listeners, None)
        if journal is not None:
            await journal.close()
        raise
    return Server(backbone, journal, streams, access, listeners)


def site_maker(
    http: str, dispatch: Dispatch, clock: IReactorTime, access: AccessLog, crowd: Crowd
) -> Callable[[], AnySite]:
    """What makes the factory of a listener, on the transport of this name, one of `TRANSPORTS`."""
    if require_transport(http) == "llhttp":
        return lambda: FastSite(dispatch.handle, dispatch.admit, dispatch.knows, clock, access, crowd)
    plain = PlainDispatch(dispatch)
    return lambda: PlainSite(plain, dispatch.admit, dispatch.knows, clock, access, crowd)


def require_transport(http: str) -> str:
    """``http`` itself. Raises `ConfigurationError` if it is none of `TRANSPORTS`."""
    if http not in TRANSPORTS:
        raise ConfigurationError(f"--http must be one of {', '.join(TRANSPORTS)}")
    missing = missing_from_channels() if http == "twisted" else ()
    if missing:
        raise ConfigurationError(f"--http twisted does not fit this Twisted, which has no {missing[0]}")
    return http


async def _replayed(backbone: Backbone) -> Backbone:
    try:
        await backbone.replay()
    except (ConfigurationError, CancelledError):
        raise
    except Exception as error:  # a store fails in its own way
        raise ConfigurationError(f"the journal cannot be replayed: {one_line(error)}") from error
    return backbone


def _endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    full = description
    if description.startswith("tcp:") and "backlog=" not in description:
        full += f":backlog={BACKLOG}"
    try:
        return cast("IStreamServerEndpoint", serverFromString(reactor, full))
    except Exception as error:  # an endpoint parser, which may be a plug-in, fails in its own way
        raise ConfigurationError(
            f"--listen {excerpt(description)}: no such endpoint: {one_line(error)}"
        ) from error


async def _listen(
    description: str, endpoint: IStreamServerEndpoint, site: AnySite, names: Sequence[str]
) -> Listener:
    try:
        port = await _bound(endpoint, site)
    except Exception as error:
        raise ConfigurationError(f"cannot listen on {excerpt(description)}: {one_line(error)}") from error
    try:
        return Listener(port, site, names, tls=description.startswith(("ssl:", "tls:")))
    except (AttributeError, ValueError) as error:
        unknown: Any = port
        await maybeDeferred(getattr(unknown, "stopListening", None) or unknown.loseConnection)
        raise ConfigurationError(
            f"--listen {excerpt(description)}: only TCP and Unix sockets are served"
        ) from error


async def _bound(endpoint: IStreamServerEndpoint, site: AnySite) -> IListeningPort:
    try:
        return await endpoint.listen(site)
    except CannotListenError as error:
        path: Any = error.port
        if not (isinstance(path, str | bytes) and _is_stale(os.fsdecode(path))):
            raise
        for leftover in (os.fsdecode(path), f"{os.fsdecode(path)}.lock"):
            with suppress(FileNotFoundError):
                os.unlink(leftover)
        return await endpoint.listen(site)


def _is_stale(path: str) -> bool:
    """Whether a Unix socket that is in the way is nobody's: what a killed process left answers no more.

    Twisted asks whether the process lives that its lock names; in a container that number is one's own.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except FileNotFoundError:
        return os.path.islink(f"{path}.lock")
    except (OSError, ValueError):
        return False
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


async def _take_down(listeners: Sequence[Listener], streams: Streams | None) -> None:
    await DeferredList([Deferred.fromCoroutine(one.stop_listening()) for one in listeners])
    if streams is not None:
        streams.close()
    await DeferredList([Deferred.fromCoroutine(one.close_connections()) for one in listeners])
