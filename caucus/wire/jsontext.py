"""JSON texts: strict JSON in UTF-8 to values, and back."""

from __future__ import annotations

import json
import re
from array import array
from itertools import accumulate
from typing import Final

import msgspec

from caucus.errors import Detail, InvalidJson

CONTENT_TYPE: Final = "application/json; charset=utf-8"
MAX_BODY: Final = 262_144
"""The most bytes of a JSON body."""
MAX_NESTING: Final = 500
"""The most levels of arrays and objects in a JSON body."""


class _Null:
    """The type of `NULL`."""

    def __repr__(self) -> str:
        return "null"


NULL: Final = _Null()
"""A JSON ``null`` where ``None`` means that nothing is there: a wrong value wherever it stands."""

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_BYTE = re.compile(r"\(byte (\d+)\)")
# Whole pairs and other escapes first, so that what is left of \uD800 to \uDFFF stands alone.
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u([dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_json(body: bytes) -> object:
    """The value of a strict JSON text in UTF-8. A number beyond a double's range becomes an infinity.

    Raises `InvalidJson`, also for unpaired surrogates and more than 500 levels of nesting.
    """
    try:
        value: object = _decode(body)
    except msgspec.ValidationError:
        value = _decode_wide_numbers(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJson(_where(body, error)) from None
    if len(body) > MAX_NESTING < body.count(b"[") + body.count(b"{") and _nesting(body) > MAX_NESTING:
        raise InvalidJson
    return value


def decode_given(body: bytes) -> object:
    """As `decode_json`, but ``NULL`` for a ``null`` that is the whole text, or a value in its object."""
    value = decode_json(body)
    if isinstance(value, dict):
        if None not in value.values():
            return value
        return {name: NULL if one is None else one for name, one in value.items()}
    return NULL if value is None else value


def encode_json(value: object) -> bytes:
    """The JSON of a value, in UTF-8. Raises `UnicodeEncodeError` for an unpaired surrogate."""
    return _encode(value)


def _decode_wide_numbers(body: bytes) -> object:
    """As `decode_json`, for what msgspec refuses but JSON allows: ``1e999``, 5,000 digits."""
    try:
        value: object = json.loads(body.decode(), parse_constant=_no_constant, parse_int=_wide_integer)
        _encode(value)  # finds unpaired surrogates, which json lets through
    except (ValueError, RecursionError) as error:
        raise InvalidJson(_where(body, error)) from None
    return value


def _where(body: bytes, error: Exception) -> Detail | None:
    """The first byte that is wrong, as far as it can be told."""
    try:
        text = body.decode()
        json.loads(text)
    except UnicodeDecodeError as not_text:
        return Detail(offset=not_text.start)
    except json.JSONDecodeError as not_json:
        return Detail(offset=len(text[: not_json.pos].encode()))
    except (RecursionError, ValueError):
        return None
    surrogate = _surrogate(text)
    if surrogate is not None:
        return Detail(offset=len(text[: surrogate.start()].encode()), code_point=f"U+{surrogate[1].upper()}")
    told = _BYTE.search(str(error))  # such as NaN, which json takes
    return Detail(offset=int(told[1])) if told else None


def _surrogate(text: str) -> re.Match[str] | None:
    """The first escape of a surrogate that has no other half beside it."""
    for found in _ESCAPES.finditer(text):
        if found[1]:
            return found
    return None


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _wide_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 400 else float(digits)


def _nesting(body: bytes) -> int:
    steps = array("b", _STRINGS.sub(b"", body).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0)
