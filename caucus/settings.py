"""What a server is started with: one value, from the options to whoever needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast, get_args

from attrs import field, frozen
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.interfaces import IReactorTime

from caucus.access.tokens import Tokens
from caucus.edge.door import require_host
from caucus.edge.twisted_names import missing_from_channels
from caucus.errors import ConfigurationError
from caucus.interfaces import IBackbone, IJournal
from caucus.limits import Limits
from caucus.listening import ShownOn
from caucus.metrics import Metric

TRANSPORTS: Final = ("llhttp", "twisted")
"""What a listener may speak HTTP with: llhttp's parser, or Twisted's own site, which is slower."""


def require_transport(http: str) -> str:
    """``http`` itself. Raises `ConfigurationError` if it is none of `TRANSPORTS`."""
    if http not in TRANSPORTS:
        raise ConfigurationError(f"--http must be one of {', '.join(TRANSPORTS)}")
    missing = missing_from_channels() if http == "twisted" else ()
    if missing:
        raise ConfigurationError(f"--http twisted does not fit this Twisted, which has no {missing[0]}")
    return http


def _metrics(given: str) -> ShownOn:
    if given not in get_args(ShownOn):
        raise ConfigurationError(f"--metrics must be one of {', '.join(get_args(ShownOn))}")
    return cast("ShownOn", given)


def _each(given: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(given or ())


def _limits(given: Limits | None) -> Limits:
    return Limits() if given is None else given


def _tokens(given: Tokens | str) -> Tokens | str:
    if isinstance(given, str):
        Tokens.parse(given)
    return given


def _hosts(given: Sequence[str]) -> tuple[str, ...]:
    for name in given:
        require_host(name)
    return tuple(given)


@frozen(kw_only=True)
class Settings:
    """What a server is started with. The docstring of `caucus.server.start_server` explains each.

    Its ``repr`` shows nothing that may hold a secret. Text for ``tokens`` is read anew for each server.

    Raises `ConfigurationError`, one line, for a bad token entry, a name that none is, or a
    transport that there is not.
    """

    listen: Sequence[str] = field(factory=tuple, converter=_each)
    host: str = "127.0.0.1"
    port: int = 0
    tokens: Tokens | str = field(default="", converter=_tokens, repr=False)
    limits: Limits = field(factory=Limits, converter=_limits)
    journal: IJournal | str = field(default="memory:", repr=False)
    backbone: IBackbone | None = None
    allowed_hosts: Sequence[str] = field(factory=tuple, converter=_hosts)
    read_token: bool = False
    require_sync_standby: bool = False
    admin_token: str = field(default="", repr=False)
    audit: Callable[[str], None] | None = None
    access_log: bool = True
    metrics: ShownOn = field(default="loopback", converter=_metrics)
    measures: Sequence[Metric] = ()
    http: str = field(default=TRANSPORTS[0], converter=require_transport)
    clock: IReactorTime | None = None
    wall: Callable[[], float] | None = None
    boot_id: bytes = b""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The descriptions of what to listen on."""
        return tuple(self.listen) or (f"tcp:{self.port}:interface={quoteStringArgument(self.host)}",)

    @property
    def names(self) -> tuple[str, ...]:
        """What the server goes by beside what it is bound to."""
        return (*self.allowed_hosts, *(() if self.listen else (self.host,)))
