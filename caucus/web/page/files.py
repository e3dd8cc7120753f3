"""The files of the page: fixed bytes, read and packed once."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files as resources
from types import MappingProxyType
from typing import Final

from attrs import frozen

INDEX: Final = "index.html"
_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION_DIGITS: Final = 16
_PARTS: Final = b"page/parts/"
"""What the page calls the folder of its parts: it gets the version in its place."""


@frozen
class File:
    """A file of the page; ``packed`` is the same in gzip."""

    content_type: str
    plain: bytes
    packed: bytes


@frozen
class Files:
    """All of them: the page itself, and its parts by name.

    ``version`` stands in the parts' addresses and is a digest of all of them, so that a browser may keep
    each for ever, and never has parts of two versions.
    """

    version: str
    page: File
    parts: Mapping[str, File]


@cache
def files() -> Files:
    """What the page is made of, as it was when first asked for."""
    folder = resources(__package__) / "static"
    found = {one.name: one.read_bytes() for one in folder.iterdir() if _type(one.name)}
    digest = sha256(b"".join(b"%b\0%b\0" % (name.encode(), found[name]) for name in sorted(found)))
    version = digest.hexdigest()[:_VERSION_DIGITS]
    page = found.pop(INDEX).replace(_PARTS, b"page/%b/" % version.encode())
    parts = {name: _file(name, data) for name, data in found.items()}
    return Files(version, _file(INDEX, page), MappingProxyType(parts))


def _type(name: str) -> str | None:
    return _TYPES.get("." + name.rpartition(".")[2])


def _file(name: str, data: bytes) -> File:
    return File(_type(name) or "", data, gzip.compress(data, 9, mtime=0))
