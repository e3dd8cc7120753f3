"""The ``If-Claim`` header: the grant by which a write is allowed."""

from __future__ import annotations

import re
from typing import Final

from caucus.edge.request import Request
from caucus.errors import InvalidRequest

IF_CLAIM: Final = b"if-claim"
_GRANT = re.compile(rb"[ \t]*([0-9]{1,32})[ \t]*;[ \t]*fence=([0-9]{1,32})[ \t]*")


def grant_of(request: Request) -> tuple[int, int]:
    """The number and the fence that a request names. Raises `InvalidRequest` for a header that is none."""
    given = request.values(IF_CLAIM)
    found = _GRANT.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        raise InvalidRequest("If-Claim is <claim>;fence=<fence>, once.")
    return int(found[1]), int(found[2])
