"""The door: which names a listener goes by, and who may come in through it.

Reads are open on the bind, so a web page could read every channel by rebinding its own name to
this address, were a request not answered only under a name that cannot be rebound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from twisted.logger import Logger

from caucus.errors import ConfigurationError, ForbiddenOrigin, MisdirectedRequest
from caucus.model.text import excerpt

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@\[\]\\?#]+))(?::[0-9]{0,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(.+)", re.IGNORECASE)
_NAME = re.compile(r"[^\s/@\[\]\\?#,\x00-\x1f\x7f-\x9f]+")
_NAMES_TOLD = 100

_log = Logger("caucus.web")


class Door:
    """The names of one listener.

    :param names: names and addresses that it goes by beside ``localhost`` and the loopback literals.
    :param local: whether it is bound to loopback or to a Unix socket, and so may serve the issuer.
    :param literals: whether it goes by any IP literal: one cannot be rebound.
    :param metrics: whether it shows the metrics.
    """

    def __init__(self, names: Iterable[str], *, local: bool, literals: bool, metrics: bool = False) -> None:
        self.local = local
        self.metrics = metrics
        self._literals = literals
        self._names = {"localhost", *(_canonical(name) for name in names)}
        self._told: set[str] = set()
        # A client sends the same few for ever; what is remembered is bounded, as nobody chooses who asks.
        self._goes_by = lru_cache(maxsize=256)(self._is_name)

    def check(self, authority: bytes | None, hosts: Sequence[bytes], origins: Sequence[bytes]) -> None:
        """Look at a request's own authority, if its target has one, its ``Host`` and its ``Origin``.

        Raises `MisdirectedRequest` or `ForbiddenOrigin`.
        """
        for host in hosts if authority is None else [authority, *hosts]:
            if not self._goes_by(host):
                self._tell(host.decode("latin-1"))
                raise MisdirectedRequest
        for origin in origins:
            found = _ORIGIN.fullmatch(origin.decode("latin-1"))
            if found is None or not self._goes_by(found[1].encode("latin-1")):
                raise ForbiddenOrigin

    def _is_name(self, host: bytes) -> bool:
        found = _HOST.fullmatch(host.decode("latin-1"))
        if found is None:
            return False
        name = _canonical(found[1] or found[2])
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._literals or address.is_loopback

    def _tell(self, host: str) -> None:
        """Log what would let the host in, once for each of the first hundred."""
        if host not in self._told and len(self._told) < _NAMES_TOLD:
            self._told.add(host)
            _log.warn(
                "Refused a request for the host {host!r}; --allowed-host lets in a name that a proxy sends",
                host=host[:120],
            )


def require_host(name: str) -> None:
    """Raises `ConfigurationError` for what is no name and no address, which no request could ask for."""
    host = _canonical(name)
    if ":" in host:
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            host = ""
    if not _NAME.fullmatch(host):
        raise ConfigurationError(
            f"--allowed-host {excerpt(name)!r} is no name or address; no scheme and no port stands with one"
        )


def _canonical(name: str) -> str:
    return name.lower().removesuffix(".").removeprefix("[").removesuffix("]")
