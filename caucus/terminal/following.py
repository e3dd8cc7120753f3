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


def follow(
    asker: Asker, rooms: Sequence[str], since: str = "", *, is_quiet: bool = False
) -> Iterator[tuple[str, Any]]:
    """Each event with the position after it. A stream that is lost is made again.

    Raises `Failed` if the first connection cannot be made, and later where trying again cannot help.
    """
    position, pause, was_open = since, FIRST_PAUSE, False
    query = [("room", one) for one in rooms]
    while True:
        try:
            for at, event in _events(asker.stream("/feed", query, position)):
                was_open, pause, position = True, FIRST_PAUSE, at or position
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
        if pause > FIRST_PAUSE and not is_quiet:  # the first time may be a restart, which is soon over
            say(f"caucus: the stream is lost ({lost}), and tried again", err=True)
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
        pause = min(2 * pause, LONGEST_PAUSE)


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
