"""The page for people, and its parts: the same bytes for everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.web.page.files import File, files
from caucus.web.routes.serving import Serving, serves
from caucus.wire.page import PAGE, PAGE_PART

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What a browser lets the page do: run and show what came with it, and ask where it came from."""
_SAFE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Accept-Encoding",
}
_FOR_NOW: Final = {**_SAFE, "Cache-Control": "no-cache"}
_FOR_EVER: Final = {**_SAFE, "Cache-Control": "public, max-age=31536000, immutable"}
_GZIP: Final = re.compile(r"(?:^|,)\s*gzip\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE)


@serves(PAGE)
async def page(on: Serving, request: Request) -> Response:  # noqa: ARG001
    return _shown(request, files().page, _FOR_NOW)


@serves(PAGE_PART)
async def page_part(on: Serving, request: Request, version: str, part: str) -> Response:  # noqa: ARG001
    """A part of another version is this one's: while daemons are replaced, a page may ask any of them."""
    known = files()
    file = known.parts.get(part)
    if file is None:
        raise NotFound
    return _shown(request, file, _FOR_EVER if version == known.version else _FOR_NOW)


def _shown(request: Request, file: File, headers: Mapping[str, str]) -> Response:
    accepted = b",".join(request.values(b"accept-encoding")).decode("latin-1")
    if _GZIP.search(accepted):
        return Response(200, file.packed, {**headers, "Content-Encoding": "gzip"}, file.content_type)
    return Response(200, file.plain, headers, file.content_type)
