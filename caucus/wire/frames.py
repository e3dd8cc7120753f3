"""Server-sent events: the frames of a channel's messages, and back from bytes cut anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the command line reads events, too, and must start soon
    from caucus.model.records import Page

EVENT_STREAM: Final = "text/event-stream"
SLICE: Final = 65_536
"""About so many bytes are made and written at a time."""
EVENT_BYTES: Final = 1_048_576
"""The most bytes of one event: a message has at most a quarter of that."""

_FIELDS: Final = frozenset({b"", b"data", b"id", b"event", b"retry"})
_BOM: Final = b"\xef\xbb\xbf"
_FIRST_BYTES: Final = frozenset({b":", b"d", b"i", b"e", b"r", b"\r", b"\n", _BOM[:1]})


def frames(page: Page, start: int) -> tuple[bytes, int]:
    """The first frames of a page that begins at the cursor ``start``, and the cursor after them.

    They are about a `SLICE`; each has the cursor after it as its id.
    """
    made, size, cursor = [], 0, start
    for cursor, data in enumerate(page.messages_json, start + 1):
        made.append(b"id: %d\ndata: %b\n\n" % (cursor, data))
        size += len(data)
        if size >= SLICE:
            break
    return b"".join(made), cursor


class NotEvents(ValueError):
    """What comes is no stream of events, whatever it is called."""


class EventParser:
    """Server-sent events, from bytes cut anywhere: only an event that is whole counts.

    ``feed`` returns (id, data) pairs; ``id`` is ``None`` for an event that has none, and ``data`` is empty
    where an id alone says where the stream is. It raises
    `NotEvents` if the first line is of nothing that a stream has, or an event grows beyond all bounds.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._line_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._id: bytes | None = None
        self._began = self._is_known = False

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, bytes]]:
        """The events that end in ``chunk``."""
        if not self._began and chunk and chunk[:1] not in _FIRST_BYTES:
            raise NotEvents
        self._began = self._began or bool(chunk)
        *lines, rest = chunk.split(b"\n")
        events = []
        for line in lines:
            if self._take(b"".join((*self._line, line)).removesuffix(b"\r")):
                events.append((self._id, b"\n".join(self._data)))
                self._data, self._data_size, self._id = [], 0, None
            self._line, self._line_size = [], 0
        if rest:
            self._line.append(rest)
            self._line_size += len(rest)
        if self._line_size + self._data_size > EVENT_BYTES:
            raise NotEvents
        return events

    def _take(self, line: bytes) -> bool:
        """Whether a line ends an event."""
        if not self._is_known:
            line = line.removeprefix(_BOM)
            if line.partition(b":")[0] not in _FIELDS:
                raise NotEvents
            self._is_known = True
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
        elif field == b"id":
            self._id = value
        return not line and bool(self._data or self._id is not None)
