"""The log of earlier runs, in large pieces: a start reads a million events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from psycopg.adapt import Transformer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.journals.chain import BEGINNING
from caucus.journals.codec import decode_joined
from caucus.journals.postgres.applied import Applied, Broken
from caucus.journals.postgres.link import LinkLost, Results, StatementFailed, integer
from caucus.journals.postgres.session import AGAIN_SECONDS, Session

PIECE: Final = 2000
"""So many events are asked for at once."""
PROGRESS_SECONDS: Final = 1.0

_log = Logger("caucus.journals")


async def replay(
    session: Session, applied: Applied, clock: IReactorTime, is_closing: Callable[[], bool]
) -> None:
    """Apply what there is in whole pieces, over a connection that is lost, too.

    What is left for others to read is less than a piece, or one that cannot be read as it is. The server
    looks for a piece while the one before is applied. The chain is looked at where pieces meet, which may be
    of two servers, and not within one: ``caucus-journal check`` does that. Raises `Broken` for what cannot
    be applied, and `CancelledError` once the journal closes.
    """
    told = clock.seconds()
    asking = _ask(session, applied.durable)
    while True:
        try:
            results = await asking
        except LinkLost:
            if is_closing():
                raise CancelledError from None
            await deferLater(clock, AGAIN_SECONDS)
            asking = _ask(session, applied.durable)
            continue
        except StatementFailed as error:
            raise Broken(str(error)) from None
        if is_closing():
            raise CancelledError
        ((count, joined, before, head, total),) = _rows(results[0])
        if count < PIECE or (before or BEGINNING) != applied.head:
            return
        asking = _ask(session, applied.durable + PIECE)
        try:
            applied.take_piece(decode_joined(joined, PIECE), dict(_rows(results[1])), head)
        except ValueError:
            asking.addErrback(_ignore)
            return
        except Broken:
            asking.addErrback(_ignore)
            raise
        if clock.seconds() - told >= PROGRESS_SECONDS:
            told = clock.seconds()
            _log.info("Replayed {count:,} of {total:,} events", count=applied.durable, total=total)


def _ask(session: Session, after: int) -> Deferred[Results]:
    """Ask for a piece, the digests before and beside its last event, the log's length; and its evidence."""
    ends = integer(after), integer(after + PIECE)
    return session.run(("piece", ends), ("piece evidence", ends))


def _rows(result: Any) -> list[Any]:
    transformer = Transformer()
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def _ignore(_failure: Failure) -> None:
    """Nobody waits for it any more."""
