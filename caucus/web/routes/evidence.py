"""Evidence: bytes put and got by their hash."""

from __future__ import annotations

from typing import Final

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.operations import GET_ARTIFACT, PUT_ARTIFACT

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "attachment",
    "Cache-Control": "public, max-age=31536000, immutable",
}


@serves(PUT_ARTIFACT)
async def put_artifact(on: Serving, request: Request, channel: str, sha256: str) -> Response:
    stored = await on.once(request, PUT_ARTIFACT, channel, sha256, request.value)
    return answered(PUT_ARTIFACT, stored, 200 if stored.deduplicated else 0)


@serves(GET_ARTIFACT)
async def get_artifact(on: Serving, request: Request, channel: str, sha256: str) -> Response:  # noqa: ARG001
    data = await on.backbone.get_artifact(channel, sha256)
    if data is None:
        raise NotFound
    return answered(GET_ARTIFACT, data, headers={**_HEADERS, "ETag": f'"{sha256}"'})
