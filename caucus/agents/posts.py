"""Posts as they are told, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from caucus.agents import wording
from caucus.model.messages import Message


@frozen
class Post:
    """A message that may be told: where it is, what is stored, and how much of its text is shown at most."""

    channel: str
    cursor: int
    message_json: bytes
    most: int = wording.POST_LENGTH
    names_room: bool = False

    def text(self) -> str:
        """As it is told."""
        channel = self.channel if self.names_room else ""
        return wording.post(Message.from_json(self.message_json), self.cursor, self.most, channel=channel)


def newest(posts: Sequence[Post], budget: int) -> tuple[str, list[Post]]:
    """Posts, in order, as many of the last as there is room for, and at least one; how many are left out."""
    texts: list[str] = []
    for one in reversed(posts):
        text = one.text()
        budget -= len(text) + 1
        if budget < 0 and texts:
            break
        texts.insert(0, text)
    left_out = len(posts) - len(texts)
    if left_out:
        first = posts[0]
        texts.insert(0, f"({left_out} earlier left out: read from {first.cursor - 1} in {first.channel})")
    return "\n".join(texts), list(posts[left_out:])


def oldest(posts: Sequence[Post], budget: int) -> tuple[str, list[Post]]:
    """Posts, in order, as many of the first as there is room for, and at least one."""
    texts: list[str] = []
    for one in posts:
        text = one.text()
        budget -= len(text) + 1
        if budget < 0 and texts:
            break
        texts.append(text)
    return "\n".join(texts), list(posts[: len(texts)])
