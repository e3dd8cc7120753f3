"""Whether it answers, whether it takes writes, and what it takes."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.interfaces import IReadiness
from caucus.web.openapi.description import description
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.answers import Healthy, Ready
from caucus.wire.operations import HEALTHZ, OPENAPI, READYZ


@serves(HEALTHZ)
async def healthz(on: Serving, request: Request) -> Response:  # noqa: ARG001
    return answered(HEALTHZ, Healthy(ok=True))


@serves(READYZ)
async def readyz(on: Serving, request: Request) -> Response:  # noqa: ARG001
    readiness = IReadiness(on.backbone, None)
    trouble = None if readiness is None else readiness.why_not_ready()
    if trouble is not None:
        raise trouble
    return answered(READYZ, Ready(ready=True))


@serves(OPENAPI)
async def openapi(on: Serving, request: Request) -> Response:  # noqa: ARG001
    return answered(OPENAPI, description())
