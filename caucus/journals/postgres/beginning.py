"""How sessions begin. The first turn makes a server's word good, sets the log's clock, and says who runs.

The sessions that read are with the server whose word is good, and with no other: a primary that was left
behind knows less than what was told already.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from caucus.journals.postgres.applied import Applied, time_of
from caucus.journals.postgres.link import Link, LinkLost, Results, Statement, double
from caucus.journals.postgres.log_clock import LogClock

DEFERRING: Final = 8
DEFER_SECONDS: Final = 0.25
"""So often, and for so long, whoever has just come lets those go first who know the log's time."""


@frozen
class Begun:
    """With which server the turns are from now on, and whether no other backbone ran."""

    server: bytes
    is_alone: bool


async def begin_turns(link: Link, log_clock: LogClock, clock: IReactorTime) -> Begun:
    """Take the turn, and have whatever this server has kept: only then what it says can be believed.

    Once the lock is granted no transaction of an earlier session is under way; the commit waits for the
    standby, if there is one; and a server that was none yet for this log goes on with the log's time. From
    here on the session counts as one that runs.
    """
    results = await _granted(link, log_clock, clock)
    known, server = _servers(results)
    log_clock.move_to(server, time_of(results[2], 3), known, time_of(results[2], 1))
    results = await link.run(("alone", ()), ("run", ()))
    is_alone = results[0].get_value(0, 0) == b"\1"
    free: tuple[Statement, ...] = (("not alone", ()),) if is_alone else ()
    await link.run(("fence", (server, double(log_clock.shift))), *free, ("commit", ()))
    return Begun(server, is_alone)


async def begin_reading(link: Link, applied: Applied) -> None:
    """Raises `LinkLost` if the link is with another server than the one whose word is good."""
    results = await link.run(("server", ()))
    if results[0].get_value(0, 0) != applied.server:
        raise LinkLost("this is not the server where turns are taken")


async def _granted(link: Link, log_clock: LogClock, clock: IReactorTime) -> Results:
    """The turn, with what is known of the servers."""
    for left in reversed(range(DEFERRING + 1)):
        results = await link.run(("begin", ()), ("lock", ()), ("clock", ()))
        known, server = _servers(results)
        if log_clock.is_set or known in (b"", server) or not left:
            break
        # Another server than the last one: whoever knows how much time has passed goes first.
        await link.run(("rollback", ()))
        await deferLater(clock, DEFER_SECONDS)
    return results


def _servers(results: Results) -> tuple[bytes, bytes]:
    """The server that the log knows a shift for, and this one."""
    return results[2].get_value(0, 0) or b"", results[2].get_value(0, 2) or b""
