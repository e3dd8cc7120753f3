"""A whole answer of a server: what it is, and whether asking again can help."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen
from twisted.web.http_headers import Headers

from caucus.errors import CaucusError, HttpError, OutcomeUnknown, Overloaded, StorageUnavailable
from caucus.wire.refusals import decode_error

BEFORE_THE_KEY: Final = frozenset({401, 408, 413, 421, 431, 500, 503})
"""The statuses of refusals that may come before a request's key is looked at."""


@frozen
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: Headers

    @property
    def is_passing(self) -> bool:
        """Whether asking again can help: it is no answer of the server's, or one that says so."""
        is_page = self.media_type == "text/html"
        if self.status < 400:
            return is_page
        error = self.error()
        if isinstance(error, HttpError):
            return is_page or self.status in (502, 503, 504)
        return isinstance(error, OutcomeUnknown | Overloaded)

    @property
    def says_nothing_was_done(self) -> bool:
        """Whether this attempt was refused, and may be made again."""
        return self.status == 503 and isinstance(self.error(), Overloaded | StorageUnavailable)

    @property
    def leaves_open(self) -> bool:
        """Whether it refuses before it is looked at what an earlier attempt with the same key came to."""
        return self.status in BEFORE_THE_KEY and not isinstance(self.error(), HttpError)

    @property
    def media_type(self) -> str:
        """What its content is said to be, such as ``application/json``."""
        return media_type(self.headers)

    @property
    def retry_after(self) -> float:
        """How many seconds to wait before asking again, as it says; 0 if it says nothing."""
        return _seconds_of(self.headers)

    def error(self) -> CaucusError:
        """The refusal that it is, or else an `HttpError`."""
        allow = b", ".join(self.headers.getRawHeaders(b"Allow") or ())
        return decode_error(self.status, self.body, allow.decode("latin-1"))


def media_type(headers: Headers) -> str:
    """What the content is said to be, such as ``application/json``."""
    given = headers.getRawHeaders("content-type") or [""]
    return str(given[0]).partition(";")[0].strip().lower()


def _seconds_of(headers: Headers) -> float:
    """What ``Retry-After`` says, in seconds or as a date (RFC 9110, section 10.2.3); 0 if nothing."""
    given = (headers.getRawHeaders("retry-after") or [""])[0]
    if re.fullmatch("[0-9]{1,9}", given):
        return float(given)
    try:
        sent = parsedate_to_datetime((headers.getRawHeaders("date") or [""])[0])
        return max(0.0, (parsedate_to_datetime(given) - sent).total_seconds())
    except (OverflowError, TypeError, ValueError):
        return 0.0
