"""What is counted, for whoever scrapes it."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.web.exposition import exposition
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.operations import METRICS


@serves(METRICS)
async def metrics(on: Serving, request: Request) -> Response:  # noqa: ARG001
    return answered(METRICS, exposition(on.metrics))
