"""What is counted, for whoever scrapes it."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.web.exposition import exposition
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.operations import METRICS


@serves(METRICS)
async def metrics(on: Serving, request: Request) -> Response:
    """404, where the listener does not show them."""
    if not request.door.metrics:
        raise NotFound
    return answered(METRICS, exposition(on.metrics))
