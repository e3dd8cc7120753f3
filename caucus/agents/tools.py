"""The tools that an agent has, as they are listed and called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from attrs import frozen

from caucus.agents.claiming import board, claim, release
from caucus.agents.hand import Hand
from caucus.agents.quoting import in_line
from caucus.agents.takes import (
    Board,
    CatchUp,
    Evidence,
    Post,
    Read,
    Release,
    Rooms,
    TakeClaim,
    Wait,
    schema,
)
from caucus.agents.talking import catch_up, evidence, post, read, rooms, wait
from caucus.errors import InvalidRequest


@frozen
class Tool:
    """One tool: what it takes, what it does, and what an agent is told of it."""

    name: str
    about: str
    takes: type[msgspec.Struct]
    call: Callable[[Hand, Any], Awaitable[str]]
    reads_only: bool = False

    async def __call__(self, hand: Hand, arguments: Mapping[str, Any]) -> str:
        """Do it. Raises `InvalidRequest` for arguments that it does not take, or a refusal."""
        known = self.takes.__struct_fields__
        unknown = next((key for key in arguments if key not in known), None)
        names = f"`{self.name}` takes: {', '.join(known) or 'nothing'}."
        if unknown is not None:
            raise InvalidRequest(f"There is no {in_line(unknown, 40)}. {names}")
        try:
            given = msgspec.convert(arguments, self.takes, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{error}. {names}") from None
        return await self.call(hand, given)

    def shown(self) -> dict[str, Any]:
        """As it is listed."""
        return {
            "name": self.name,
            "description": self.about,
            "inputSchema": schema(self.takes),
            "annotations": {"readOnlyHint": self.reads_only},
        }


TOOLS: Final = (
    Tool(
        "catch_up",
        "What you need to know before you work: who holds what, what is asked of you, open questions, new "
        "posts. Consumes nothing; call it first, and again with its `since`.",
        CatchUp,
        catch_up,
        reads_only=True,
    ),
    Tool("read", "Posts of the room, oldest first.", Read, read, reads_only=True),
    Tool(
        "wait",
        "Wait for news, up to 50 s, where you have nothing else to do. Do not poll.",
        Wait,
        wait,
        reads_only=True,
    ),
    Tool(
        "post",
        "Tell the room what you found, decided or ask. Short, one thing each.",
        Post,
        post,
    ),
    Tool(
        "claim",
        "Take what you are about to work on or edit, BEFORE you do, so that nobody does it twice. If lost, "
        "do something else, or `wait` in line.",
        TakeClaim,
        claim,
    ),
    Tool("release", "Give a claim back, or hand it over.", Release, release),
    Tool("board", "Who holds what, and who waits.", Board, board, reads_only=True),
    Tool(
        "evidence",
        "Keep a text (log, trace, diff) that is too long for a post, or show one.",
        Evidence,
        evidence,
    ),
    Tool("rooms", "The rooms there are.", Rooms, rooms, reads_only=True),
)
"""Every tool that is listed, in that order."""
