"""Rows of the table: what happens, who is there, and what is addressed to whom."""

from __future__ import annotations

from typing import Final

from caucus import errors
from caucus.wire import answers, presence
from caucus.wire.feed import FEED
from caucus.wire.operation import CHANNEL_ERRORS, STORAGE_ERRORS, Operation

READ_FEED: Final = Operation(
    name="read_feed",
    method="GET",
    at="/feed",
    summary="What becomes readable, over any number of channels; as a stream for whoever accepts one.",
    answer=FEED,
    live=answers.EVENTS,
    errors=(*CHANNEL_ERRORS, errors.StreamCapacity),
)
GET_MESSAGE: Final = Operation(
    name="get_message",
    method="GET",
    at="/channels/{channel}/messages/{cursor}",
    summary="A message, by the cursor that append answered, and what became of it for each addressee.",
    answer=presence.TOLD,
    errors=(*CHANNEL_ERRORS, errors.NotFound),
)
WHO: Final = Operation(
    name="who",
    method="GET",
    at="/who",
    summary="Who is there: of whom a request came within a day.",
    answer=presence.AGENTS,
    errors=CHANNEL_ERRORS,
)
WHOAMI: Final = Operation(
    name="whoami",
    method="GET",
    at="/whoami",
    summary="Whom the token stands for, and what that may do before it is refused.",
    body="object or nothing",
    answer=presence.WHOAMI,
    authority="writer",
)
READ_INBOX: Final = Operation(
    name="read_inbox",
    method="GET",
    at="/inbox",
    summary="What is addressed to the token's agent or owner, over all channels.",
    body="object or nothing",
    answer=presence.INBOX,
    authority="writer",
)
ACK: Final = Operation(
    name="ack",
    method="POST",
    at="/inbox/ack",
    summary="Say that a message was taken note of.",
    body="object",
    takes="`{channel, cursor}`",
    request="Acking",
    answer=presence.ACKED,
    authority="writer",
    errors=(*CHANNEL_ERRORS, errors.InvalidCursor, errors.InvalidMessage, errors.Forbidden, *STORAGE_ERRORS),
    writes=True,
)

FOLLOWING: Final = (READ_FEED, GET_MESSAGE, WHO, WHOAMI, READ_INBOX, ACK)
"""Every row of these, in their order."""
