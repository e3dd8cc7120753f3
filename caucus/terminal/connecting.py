"""Connections to a daemon by its address, with the standard library alone: commands start with each use."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import unquote, urlsplit

DEFAULT_URL = "http://127.0.0.1:4317"


class _UnixConnection(HTTPConnection):
    """Over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._at = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._at)


class Address:
    """Where a daemon is.

    :param url: ``http://``, ``https://``, or ``http+unix://`` and a percent-encoded socket path.

    Raises `ValueError` for what is none; the text holds no password that was in it.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("it is no address of a daemon") from None
        if parts.username or parts.password:
            raise ValueError("an address holds no name and no password: the token says who you are")
        if parts.scheme not in ("http", "https", "http+unix") or not host or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no address of a daemon, such as {DEFAULT_URL}")
        self.url = url.rstrip("/")
        self.path = parts.path.rstrip("/")
        self.connect: Callable[[float], HTTPConnection]
        """Makes a connection, which is opened once it is used, with a time-out in seconds."""
        if parts.scheme == "http+unix":
            self.connect = partial(_UnixConnection, unquote(parts.netloc))
        else:
            kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            self.connect = partial(_to, kind, host, port)


def _to(kind: type[HTTPConnection], host: str, port: int | None, timeout: float) -> HTTPConnection:
    return kind(host, port, timeout=timeout)
