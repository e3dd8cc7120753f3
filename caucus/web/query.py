"""What a request's query says."""

from __future__ import annotations

import re
from typing import Final

from caucus.edge.request import Request
from caucus.errors import InvalidRequest

_NUMBER: Final = re.compile(r"[0-9]{1,32}(\.[0-9]{1,32})?([eE][-+]?[0-9]{1,3})?")
_COUNT: Final = re.compile("[0-9]{1,15}")
_TRUTHS: Final = {"": False, "0": False, "false": False, "1": True, "true": True}


def texts(request: Request, name: str) -> list[str]:
    """The values of a parameter. Raises `InvalidRequest` for bytes that are not UTF-8."""
    try:
        return [value.decode() for value in request.args.get(name.encode(), ())]
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not UTF-8.") from None


def text(request: Request, name: str) -> str | None:
    """The first value of a parameter; one that is empty is none."""
    given = texts(request, name)
    return given[0] or None if given else None


def wait(request: Request) -> float:
    """The seconds that a request wants to wait, or 0; then it is answered much later, if need be.

    Raises `InvalidRequest` for what is no number.
    """
    given = text(request, "wait")
    if given is None:
        return 0
    if not _NUMBER.fullmatch(given):
        raise InvalidRequest("wait must be a number of seconds from 0 to 50.")
    seconds = float(given)
    request.is_awaited = seconds > 0
    return seconds


def count(request: Request, name: str) -> int | None:
    """A parameter that counts. Raises `InvalidRequest` for what is no number in digits."""
    given = text(request, name)
    if given is not None and not _COUNT.fullmatch(given):
        raise InvalidRequest(f"{name} must be a positive integer.")
    return None if given is None else int(given)


def truth(request: Request, name: str) -> bool:
    """Whether a parameter says so. Raises `InvalidRequest` for what is neither true nor false."""
    given = text(request, name) or ""
    if given not in _TRUTHS:
        raise InvalidRequest(f"{name} must be true or false.")
    return _TRUTHS[given]
