"""The whole of a room, read page by page."""

from __future__ import annotations

from typing import Any

from caucus.terminal.asking import Asker, Fields, in_room


def all_of(asker: Asker, room: str) -> Fields:
    """A room up to now: its ``channel``, ``messages``, each with its ``cursor``, and ``claims``."""
    described = asker.ask("GET", in_room(room))
    messages: list[Any] = []
    cursor = 0
    while cursor < described.head:
        page = asker.ask("POST", in_room(room, "read"), {"cursor": cursor}, reads=True)
        first = page.cursor - len(page.messages)
        messages += [Fields(one, cursor=first + at) for at, one in enumerate(page.messages, 1)]
        if page.cursor == cursor:
            break
        cursor = page.cursor
    claims = asker.ask("GET", in_room(room, "claims")).claims
    return Fields(channel=described, messages=messages, claims=claims)
