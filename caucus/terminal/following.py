"""What happens in rooms, live: one stream, which goes on where it was after a connection is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from caucus.agents.quoting import one_line
from caucus.terminal.asking import Asker, Fields, Refused, fields_of
from caucus.terminal.exits import UNREACHABLE, Failed
from caucus.terminal.lines import say
from caucus.wire.frames import EventParser, NotEvents

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0


class _Pauses:
    """How long is waited before a stream is made again, ever longer; whoever looks is told, once each way."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._seconds = FIRST_PAUSE
        self._is_told = False

    def is_open(self) -> None:
        """Something has come."""
        if self._is_told:
            say("caucus: the stream is back", err=True)
        self._seconds, self._is_told = FIRST_PAUSE, False

    def wait(self, why: str) -> None:
        """It was lost. The first time may be a restart, which is soon over."""
        if self._seconds > FIRST_PAUSE and not self._is_told and not self._is_quiet:
            say(f"caucus: the stream is lost ({why}), and tried again", err=True)
            self._is_told = True
        time.sleep(self._seconds * random.uniform(0.5, 1))  # noqa: S311
        self._seconds = min(2 * self._seconds, LONGEST_PAUSE)


def follow(
    asker: Asker, rooms: Sequence[str], since: str = "", *, is_quiet: bool = False
) -> Iterator[tuple[str, Any]]:
    """Each event with the position after it. A stream that is lost is made again.

    Raises `Failed` if the first connection cannot be made, and later where trying again cannot help.
    """
    position, was_open, pauses = since, False, _Pauses(is_quiet=is_quiet)
    query = [("room", one) for one in rooms]
    while True:
        try:
            for at, event in _events(asker.stream("/feed", query, position)):
                pauses.is_open()
                was_open, position = True, at or position
                if event is not None:
                    yield position, event
            lost = "it has ended"
        except Refused as error:
            if not was_open or error.exit_code != UNREACHABLE:
                raise
            lost = error.message
        except NotEvents:
            raise Failed("what answers is no stream of events") from None
        except OSError as error:
            lost = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
            if not was_open:
                raise Failed(f"{asker.url} is not to be reached: {lost}", UNREACHABLE) from None
        pauses.wait(lost)


def so_far(asker: Asker, rooms: Sequence[str], since: str = "") -> Iterator[tuple[str, Any]]:
    """Each event that there is, with the position after the page that it is on."""
    query = [("room", one) for one in rooms]
    page = asker.ask("GET", "/feed", query=[*query, ("since", since)] if since else query)
    while page.events:
        if page.reset:
            yield page.since, Fields(reset=page.reset)
        for event in page.events:
            yield page.since, event
        query = [("room", one.partition(":")[0]) for one in rooms]
        page = asker.ask("GET", "/feed", query=[*query, ("since", page.since)])


def _events(chunks: Iterator[bytes]) -> Iterator[tuple[str, Any]]:
    """Positions as they come, each with the event that leads to it, if one does."""
    parser = EventParser()
    for chunk in chunks:
        for name, data in parser.feed(chunk):
            yield (name or b"").decode("latin-1"), fields_of(data) if data else None
