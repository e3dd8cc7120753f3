"""Text rules: control characters, trimming, and what an error may quote of its caller's text."""

from __future__ import annotations

import re

CONTROL_CODES = r"\x00-\x1f\x7f-\x9f"
"""The control characters, as a class of a regular expression names them."""

CONTROL_CODES_EXCEPT_TAB_NEWLINE = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
"""The control characters that a body or a purpose may not hold; ``\\r`` is one of them."""

SURROGATE_CODES = r"\ud800-\udfff"
"""Unpaired surrogates, which UTF-8 cannot carry. (A pair is one code point in Python.)"""

CONTROL = re.compile(f"[{CONTROL_CODES}]")
CONTROL_EXCEPT_TAB_NEWLINE = re.compile(f"[{CONTROL_CODES_EXCEPT_TAB_NEWLINE}]")
SURROGATE = re.compile(f"[{SURROGATE_CODES}]")

# ECMA-262: WhiteSpace (TAB, VT, FF, ZWNBSP and category Zs) and LineTerminator (LF, CR, LS, PS).
# str.strip() would take U+001C-001F and U+0085 too, and leave U+FEFF.
_ECMASCRIPT_WHITE_SPACE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

EXCERPT_LENGTH = 120
"""The most code points that an error quotes of one text; an ellipsis follows where it was cut."""


def trim(text: str) -> str:
    """Remove ECMAScript white space from both ends, as ``String.prototype.trim`` does."""
    return text.strip(_ECMASCRIPT_WHITE_SPACE)


def excerpt(text: str) -> str:
    """``text`` made safe to quote: without control characters, at most 120 code points and an ellipsis."""
    shown = SURROGATE.sub("\ufffd", CONTROL.sub("", text))
    return shown if len(shown) <= EXCERPT_LENGTH else shown[:EXCERPT_LENGTH] + "…"


def one_line(error: BaseException | None) -> str:
    """What went wrong, in one line and without a path or an address."""
    reason = getattr(error, "socketError", error)  # a CannotListenError repeats the address otherwise
    text = getattr(reason, "strerror", None) or str(reason)
    if text in ("", "not an error"):  # SQLite asks a connection for words, which may know nothing of it
        text = type(reason).__name__
    return " ".join(text.split())
