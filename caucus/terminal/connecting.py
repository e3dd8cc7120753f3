"""Connections to a daemon by its address, with the standard library alone: commands start with each use."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import unquote, urlsplit

DEFAULT_URL: Final = "http://127.0.0.1:4317"
_PORTS: Final = {"http": 80, "https": 443, "http+unix": 0}


class Address:
    """Where a daemon is.

    :param url: ``http://``, ``https://``, or ``http+unix://`` and a percent-encoded socket path.

    ``path`` is what stands before each request's, and ``host`` what a request names the daemon by. Raises
    `ValueError` for what is no address; the text holds no password that was in it.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            name, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("it is no address of a daemon") from None
        if parts.username or parts.password:
            raise ValueError("an address holds no name and no password: the token says who you are")
        if parts.scheme not in _PORTS or not name or parts.query or parts.fragment or not url.isprintable():
            raise ValueError(f"{url!r} is no address of a daemon, such as {DEFAULT_URL}")
        self.url = url.rstrip("/")
        self.path = parts.path.rstrip("/")
        self._scheme = parts.scheme
        self._name = name
        self._port = port or _PORTS[parts.scheme]
        self._socket = unquote(parts.netloc)
        bracketed = f"[{name}]" if ":" in name else name
        self.host = "localhost" if parts.scheme == "http+unix" else bracketed + (f":{port}" if port else "")

    def open(self, seconds: float) -> socket.socket:
        """A connection, on which nothing is waited for any longer than so. Raises `OSError`."""
        if self._scheme == "http+unix":
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.settimeout(seconds)
            opened.connect(self._socket)
            return opened
        opened = socket.create_connection((self._name, self._port), seconds)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._scheme != "https":
            return opened
        import ssl  # noqa: PLC0415  # most addresses need none

        return ssl.create_default_context().wrap_socket(opened, server_hostname=self._name)
