"""The log of earlier runs, in large pieces: a start reads a million events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from psycopg.adapt import Transformer
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from caucus.journals.codec import decode_event, decode_events
from caucus.journals.postgres.applied import Applied, Broken, note_time
from caucus.journals.postgres.link import LinkLost, Results, StatementFailed, integer
from caucus.journals.postgres.session import AGAIN_SECONDS, Session
from caucus.model.events import Event

CHUNK: Final = 5000
"""So many events are asked for at once."""
PROGRESS_SECONDS: Final = 1.0

_log = Logger("caucus.journals")


async def replay(
    session: Session, applied: Applied, clock: IReactorTime, is_closing: Callable[[], bool]
) -> None:
    """Apply all there is, but for what is written meanwhile; over a connection that is lost, too.

    The chain is not followed here: ``caucus-journal check`` does that. Raises `Broken` for what cannot be
    read, and `CancelledError` once the journal closes.
    """
    told = clock.seconds()
    while True:
        try:
            asked = integer(applied.durable), integer(CHUNK)
            results = await session.run(("history", asked), ("history evidence", asked), ("last", ()))
        except LinkLost:
            if is_closing():
                raise CancelledError from None
            await deferLater(clock, AGAIN_SECONDS)
            continue
        except StatementFailed as error:
            raise Broken(str(error)) from None
        if is_closing():
            raise CancelledError
        count = _apply(applied, results)
        if count < CHUNK:
            return
        if clock.seconds() - told >= PROGRESS_SECONDS:
            told = clock.seconds()
            ((total,),) = _rows(results[2])
            _log.info("Replayed {count:,} of {total:,} events", count=applied.durable, total=total)


def _apply(applied: Applied, results: Results) -> int:
    rows, evidence = _rows(results[0]), dict(_rows(results[1]))
    if not rows:
        return 0
    position = applied.durable
    if (rows[0][0], rows[-1][0]) != (position + 1, position + len(rows)):
        missing = next(at for at, row in enumerate(rows, position + 1) if row[0] != at)
        raise Broken(f"event {missing} is missing")
    for event in _events(rows):
        position += 1
        applied.take(event, evidence.get(position, b"") if evidence else b"", position)
    applied.head = rows[-1][2]
    note_time(applied, event)
    return len(rows)


def _events(rows: list[Any]) -> list[Event]:
    try:
        return decode_events(row[1] for row in rows)
    except ValueError:
        for position, body, _digest in rows:
            try:
                decode_event(body)
            except ValueError as error:
                raise Broken(f"event {position} cannot be read by this release: {error}") from error
        raise


def _rows(result: Any) -> list[Any]:
    transformer = Transformer()
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)
