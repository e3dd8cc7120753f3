"""Paths: segments to percent-encoded text, and back."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from caucus.errors import InvalidRequest
from caucus.model.text import excerpt

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?]*)")


def path(*segments: str) -> str:
    """The path of these segments, each percent-encoded."""
    return "".join("/" + quote(segment, safe="") for segment in segments) or "/"


def authority(target: bytes) -> bytes | None:
    """The host and port in a request target of the absolute form; ``None`` in the others."""
    absolute = None if target.startswith(b"/") else _ABSOLUTE.match(target)
    return absolute[1] if absolute else None


def segments(target: bytes) -> list[str]:
    """The decoded segments of a request target's path; empty ones are left out, and so is the query.

    Raises `InvalidRequest` for a bad percent escape or bytes that are not UTF-8.
    """
    raw = target.partition(b"?")[0]
    absolute = None if raw.startswith(b"/") else _ABSOLUTE.match(raw)
    if absolute:
        raw = raw[absolute.end() :]
    if _BAD_ESCAPE.search(raw):
        bad = next(part for part in raw.split(b"/") if _BAD_ESCAPE.search(part))
        raise InvalidRequest(f"The path holds a bad percent escape: {excerpt(bad.decode(errors='replace'))}")
    try:
        if b"%" in raw:
            return [unquote_to_bytes(part).decode() for part in raw.split(b"/") if part]
        return [part for part in raw.decode().split("/") if part]
    except UnicodeDecodeError:
        raise InvalidRequest("The path is not UTF-8.") from None
