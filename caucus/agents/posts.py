"""Posts as they are told, as many as there is room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from caucus.agents import wording
from caucus.model.messages import Message

HINT: Final = 160
"""So much is kept free to say what is left out."""


@frozen
class Post:
    """A message that may be told: where it is, what is stored, and how much of its text is shown at most.

    ``start`` is how much of its text is left out at the beginning, in code points.
    """

    channel: str
    cursor: int
    message_json: bytes
    most: int = wording.POST_LENGTH
    names_room: bool = False
    start: int = 0

    def text(self, most: int | None = None) -> str:
        """As it is told."""
        channel = self.channel if self.names_room else ""
        shown = self.most if most is None else most
        message = Message.from_json(self.message_json)
        return wording.post(message, self.cursor, shown, channel=channel, start=self.start)


def newest(posts: Sequence[Post], budget: int) -> tuple[str, list[Post]]:
    """Posts, in order, as many of the last as there is room for; what is left out is counted, by room."""
    texts, kept = _chosen(list(reversed(posts)), budget)
    left_out = posts[: len(posts) - len(kept)]
    if left_out:
        texts.append(_left_out(left_out))
    return "\n".join(reversed(texts)), list(reversed(kept))


def oldest(posts: Sequence[Post], budget: int) -> tuple[str, list[Post]]:
    """Posts, in order, as many of the first as there is room for, and at least one."""
    texts, kept = _chosen(posts, budget)
    return "\n".join(texts), kept


def _chosen(posts: Sequence[Post], budget: int) -> tuple[list[str], list[Post]]:
    """The first that fit into the budget; of the very first as much as fits."""
    texts: list[str] = []
    left = budget - HINT
    for one in posts:
        text = one.text()
        if len(text) > left and not texts:
            text = one.text(max(0, left - len(one.text(0))))
        elif len(text) > left:
            break
        left -= len(text) + 1
        texts.append(text)
    return texts, list(posts[: len(texts)])


def _left_out(posts: Sequence[Post]) -> str:
    """How many are not told, and from where on they are read."""
    first: dict[str, int] = {}
    for one in posts:
        first.setdefault(one.channel, one.cursor - 1)
    counted = Counter(one.channel for one in posts)
    where = [f"{counted[room]} in {room} from cursor={cursor}" for room, cursor in first.items()]
    more = f", and in {len(where) - 2} rooms more" if len(where) > 2 else ""
    return f"({len(posts)} earlier left out: read {', '.join(where[:2])}{more})"
