"""Where the URL of a backbone leads: what is wrong with it is said when it is given."""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import idna
from attrs import frozen
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

SOCKET_PATH_BYTES: Final = 107
"""What the kernel takes for the path of a Unix socket, on Linux."""

_BAD_PORT = "the URL of a backbone has a port from 1 to 65535, or none"
_UNUSABLE = re.compile(r"[\s\x00-\x1f\x7f]")
_NAME = re.compile(r"(?=.{1,253}\.?\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


@implementer(IAgentEndpointFactory)
@frozen
class _OneEndpoint:
    """Leads every request to one endpoint, whatever its URL says."""

    endpoint: IStreamClientEndpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: ARG002, N802
        return self.endpoint


@frozen
class Destination:
    """What requests to a backbone are made with.

    ``base`` is the URL to put paths behind, and ``headers`` what goes with every request. ``host`` is
    an address or a name in ASCII, empty if ``socket`` is the path of a Unix socket.
    """

    base: str
    headers: dict[str, list[str]]
    host: str = ""
    port: int = 0
    tls: bool = False
    socket: str = ""

    @classmethod
    def parse(cls, url: str) -> Destination:
        """Read a URL: ``http``, ``https`` or ``http+unix``.

        Raises `ValueError`, which says what is wrong with it.
        """
        if _UNUSABLE.search(url):
            raise ValueError("the URL of a backbone has no white space and no control characters in it")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("the URL of a backbone has an address in its brackets") from None
        try:
            port = parts.port
        except ValueError:
            raise ValueError(_BAD_PORT) from None
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError("the URL of a backbone has a scheme, a host, a port and a path only")
        if parts.scheme == "http+unix":
            return cls("http://localhost", {}, socket=_socket_path(parts))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the URL of a backbone begins with http://, https:// or http+unix://")
        if port == 0:
            raise ValueError(_BAD_PORT)
        host = _host(parts.hostname)
        netloc = (f"[{host}]" if ":" in host else host) + ("" if port is None else f":{port}")
        # treq puts every host through IDNA, which refuses colons and underscores.
        base = parts._replace(netloc="localhost").geturl().rstrip("/")
        tls = parts.scheme == "https"
        return cls(base, {"Host": [netloc]}, host, port or (443 if tls else 80), tls)

    def agent(self, reactor: Any, pool: HTTPConnectionPool) -> IAgent:
        """What makes the requests, whatever host their URLs name. Raises `ValueError` if it cannot."""
        endpoints = _OneEndpoint(self._endpoint(reactor))
        return cast("IAgent", Agent.usingEndpointFactory(reactor, endpoints, pool))

    def _endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        endpoint: IStreamClientEndpoint
        if self.socket:
            return UNIXClientEndpoint(reactor, self.socket)
        if ":" in self.host:
            endpoint = TCP6ClientEndpoint(reactor, self.host, self.port)
        elif "_" in self.host:  # as Compose names a service; for Twisted's other endpoint it is no name
            endpoint = TCP4ClientEndpoint(reactor, self.host, self.port)
        else:
            endpoint = HostnameEndpoint(reactor, self.host, self.port)
        return _over_tls(endpoint, self.host, self.port) if self.tls else endpoint


def _socket_path(parts: SplitResult) -> str:
    path = unquote_to_bytes(parts.netloc + parts.path)
    if not 0 < len(path) <= SOCKET_PATH_BYTES or b"\0" in path:
        raise ValueError(f"the URL of a backbone names a socket by a path of 1 to {SOCKET_PATH_BYTES} bytes")
    return path.decode("utf-8", "surrogateescape")


def _host(name: str) -> str:
    """A host as it is looked up and sent: an address, or a name in ASCII."""
    if ":" in name:
        return name  # urlsplit has looked at what stands in brackets
    try:
        ascii_name = name if name.isascii() else idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        ascii_name = ""
    if not _NAME.fullmatch(ascii_name):
        raise ValueError(
            "the URL of a backbone names a host in labels of 1 to 63 letters, digits, hyphens and underscores"
        )
    return ascii_name


def _over_tls(endpoint: IStreamClientEndpoint, host: str, port: int) -> IStreamClientEndpoint:
    try:
        creator = BrowserLikePolicyForHTTPS().creatorForNetloc(host.encode(), port)
    except UnicodeError:
        raise ValueError("the URL of a backbone over TLS names a host that a certificate can name") from None
    except NotImplementedError:
        raise ValueError("the URL of a backbone over TLS needs the extra caucus-backbone[tls]") from None
    wrapped: IStreamClientEndpoint = wrapClientTLS(creator, endpoint)
    return wrapped
