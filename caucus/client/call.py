"""One operation, carried out over HTTP as its row says."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from caucus.client.exchange import Exchange
from caucus.errors import HttpError
from caucus.wire.answers import OCTETS
from caucus.wire.jsontext import CONTENT_TYPE
from caucus.wire.operation import Operation

T = TypeVar("T")


async def call(
    exchange: Exchange,
    operation: Operation[T],
    *variables: str,
    body: bytes | None = None,
    query: str = "",
    patience: float = 0,
) -> T:
    """What the operation answers; ``variables`` are its path's, and ``query`` follows that.

    The server may take so many seconds of ``patience``, as it is asked to.

    Raises the refusal, `HttpError` if what answers is no backbone, and what `Exchange.request` does.
    """
    answer = await exchange.request(
        operation.method,
        operation.target(*variables) + (f"?{query}" if query else ""),
        body,
        writes=operation.writes,
        content_type=OCTETS if operation.body == "bytes" else CONTENT_TYPE,
        patience=patience,
    )
    if answer.status not in operation.successes:
        raise answer.error()
    try:
        return operation.answer.decode(answer.body, answer.status)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise HttpError(answer.status) from None
