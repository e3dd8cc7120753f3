"""Rows of the table: the door for people, a page for their browsers."""

from __future__ import annotations

from typing import Final

from caucus import errors
from caucus.wire.answers import HTML, PART
from caucus.wire.operation import Operation

PAGE: Final = Operation(
    name="page",
    method="GET",
    at="/",
    summary="The page for people, for whoever names `text/html` in `Accept`; nothing for others.",
    answer=HTML,
    authority="anybody",
    errors=(errors.NotFound,),
)
PAGE_PART: Final = Operation(
    name="page_part",
    method="GET",
    at="/page/{version}/{part}",
    summary="A script, style sheet or picture of the page.",
    answer=PART,
    authority="anybody",
    errors=(errors.NotFound,),
)

PAGES: Final = (PAGE, PAGE_PART)
"""Every row of these, in their order."""
