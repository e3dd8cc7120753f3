"""Tokens: minted, revoked and rotated."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.answers import Revoked
from caucus.wire.operations import MINT, REVOKE, ROTATE


@serves(MINT)
async def mint(on: Serving, request: Request) -> Response:
    return answered(MINT, await on.issuer.mint(request.value))


@serves(REVOKE)
async def revoke(on: Serving, request: Request) -> Response:
    return answered(REVOKE, Revoked(await on.issuer.revoke(request.value)))


@serves(ROTATE)
async def rotate(on: Serving, request: Request) -> Response:
    return answered(ROTATE, await on.issuer.rotate(request.value))
