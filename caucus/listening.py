"""Listeners: an endpoint's description becomes a bound port with a door, and a URL."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal, cast
from urllib.parse import quote

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

from caucus.edge.bounds import SILENT_SECONDS
from caucus.edge.door import Door
from caucus.edge.llhttp.site import FastSite
from caucus.edge.plain.site import PlainSite
from caucus.edge.site import Edge
from caucus.errors import ConfigurationError
from caucus.model.text import excerpt, one_line

AnySite = FastSite | PlainSite
ShownOn = Literal["loopback", "all", "none"]
"""The listeners that show the metrics: those on loopback and Unix sockets, all, or none."""

BACKLOG = 1024
"""Connections that the kernel may hold for a TCP listener; Twisted's own 50 makes a crowd wait."""
GRACE_SECONDS = 3.0
"""How long `caucus.server.Server.close` lets requests under way finish. Stopping takes 5 s at most in all."""


class Listener:
    """One bound listener.

    ``url`` can be dialled: a wildcard bind is shown as the loopback address. For a Unix socket
    it is ``http+unix://`` and the path, percent-encoded. ``bound_host`` is the address bound, or
    a Unix socket's path; ``port`` is the TCP port, 0 for a Unix socket.
    """

    def __init__(
        self, port: IListeningPort, site: Edge, names: Sequence[str], metrics: ShownOn, *, tls: bool
    ) -> None:
        self._port = port
        self._site = site
        address = cast("Any", port.getHost())
        if isinstance(address, UNIXAddress):
            site.door = Door(names, local=True, literals=False, metrics=metrics != "none")
            path = address.name.decode("utf-8", "surrogateescape") if address.name else ""
            self.bound_host, self.port, self.loopback = path, 0, True
            self.url = "http+unix://" + quote(path, safe="", errors="surrogateescape")
        else:
            self.bound_host, self.port = str(address.host), int(address.port)
            ip = ipaddress.ip_address(self.bound_host.partition("%")[0])
            self.loopback = ip.is_loopback
            local = self.bound_host in ("127.0.0.1", "::1")
            shown = metrics == "all" or (metrics == "loopback" and self.loopback)
            site.door = Door(
                [*names, self.bound_host], local=local, literals=not self.loopback, metrics=shown
            )
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


def endpoint_of(reactor: Any, description: str) -> IStreamServerEndpoint:
    """The endpoint of a description. Raises `ConfigurationError`."""
    full = description
    if description.startswith("tcp:") and "backlog=" not in description:
        full += f":backlog={BACKLOG}"
    try:
        return cast("IStreamServerEndpoint", serverFromString(reactor, full))
    except Exception as error:  # an endpoint parser, which may be a plug-in, fails in its own way
        raise ConfigurationError(
            f"--listen {excerpt(description)}: no such endpoint: {one_line(error)}"
        ) from error


async def listen(
    description: str, endpoint: IStreamServerEndpoint, site: AnySite, names: Sequence[str], metrics: ShownOn
) -> Listener:
    """Bind an endpoint to a site. Raises `ConfigurationError`."""
    try:
        port = await _bound(endpoint, site)
    except Exception as error:
        raise ConfigurationError(f"cannot listen on {excerpt(description)}: {one_line(error)}") from error
    _lose_the_silent(port)
    try:
        return Listener(port, site, names, metrics, tls=description.startswith(("ssl:", "tls:")))
    except (AttributeError, ValueError) as error:
        unknown: Any = port
        await maybeDeferred(getattr(unknown, "stopListening", None) or unknown.loseConnection)
        raise ConfigurationError(
            f"--listen {excerpt(description)}: only TCP and Unix sockets are served"
        ) from error


def _lose_the_silent(port: Any) -> None:
    """Have connections end whose peer's machine does not answer, as when a cable was pulled.

    By itself, Linux sends again for a quarter of an hour before it believes that. The edge's own deadline
    comes first, and tells a peer that only does not read. What is accepted has it from the socket that
    listens.
    """
    listening = getattr(port, "socket", None)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if listening is not None and option is not None and listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, option, SILENT_SECONDS * 1000)


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
