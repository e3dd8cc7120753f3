"""What the connections of one listener on llhttp share: the end of a turn, one timer, heads of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.web.http import datetimeToString

from caucus.edge.request import KEEP_ALIVE_SECONDS, SERVER, Request, header_lines, status_line
from caucus.edge.site import Edge, Peered, Shared
from caucus.reactor import at_end_of_turn

TICK_SECONDS: Final = 0.5
Handle = Callable[[Request], None]


class Flushed(Protocol):
    """What may have something to send at the end of a turn."""

    transport: Any

    def flush(self) -> None:
        """Send it."""


class Dated(Protocol):
    """A connection: it is `late` once it is ``due``, by the listener's clock."""

    due: float

    def late(self) -> None:
        """A deadline has passed."""


class FastListener(Edge, Factory):
    """What the connections of one listener on llhttp share.

    :param handle: answers every request, now or later.
    """

    noisy = False
    requestFactory: Callable[..., Any]
    heads: Any

    def __init__(self, handle: Handle, shared: Shared) -> None:
        Edge.__init__(self, shared)
        self.handle = handle
        self.date = b""
        self._unsent: list[Flushed] = []
        self._preambles: dict[tuple[bytes, int, str, bool], bytes] = {}
        self._timer: IDelayedCall | None = None
        self._end_of_turn: IDelayedCall | None = None

    def connection_made(self, channel: Peered) -> bool:
        is_in = super().connection_made(channel)
        if is_in and self._timer is None:
            self._tick()
        return is_in

    def connection_lost(self, channel: Peered) -> None:
        if self.channels <= {channel}:
            for timer in (self._timer, self._end_of_turn):
                if timer is not None and timer.active():
                    timer.cancel()
            self._timer = None
            self._unsent.clear()
        super().connection_lost(channel)

    def flush_soon(self, outlet: Flushed) -> None:
        """Have it send at the end of this turn of the reactor.

        Sent one by one, each answer may wake a peer that has gone to sleep since the one before it.
        """
        if not self._unsent:
            self._end_of_turn = at_end_of_turn(outlet.transport.reactor, self._flush)
        self._unsent.append(outlet)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        for outlet in unsent:
            outlet.flush()

    def preamble(self, version: bytes, status: int, content_type: str, *, persistent: bool) -> bytes:
        """The beginning of an answer's head, which many answers share."""
        key = (version, status, content_type, persistent)
        lines = self._preambles.get(key)
        if lines is None:
            keep = {"Keep-Alive": f"timeout={KEEP_ALIVE_SECONDS}"} if persistent else {"Connection": "close"}
            given = {"Server": SERVER, "Date": self.date.decode(), "Content-Type": content_type, **keep}
            lines = self._preambles[key] = status_line(version, status) + header_lines(given)
        return lines

    def _tick(self) -> None:
        """One timer for all deadlines: each is kept within `TICK_SECONDS`."""
        now = self.clock.seconds()
        self._timer = self.clock.callLater(TICK_SECONDS - now % TICK_SECONDS, self._tick)
        self.date = datetimeToString()
        self._preambles.clear()
        for connection in [one for one in self.channels if cast("Dated", one).due <= now]:
            cast("Dated", connection).late()
