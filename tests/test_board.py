"""Who stands in front of whom: against a list of claims that is scanned from its beginning."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from caucus.model.events import Author
from caucus.model.targets import Target, read_target
from caucus.rules.claims.board import Board, Standing
from tests.test_overlap import overlap_plainly

TEXTS = ["a", "b", "c", "a/", "a/x", "a/y", "a/x/", "b/", "b/x", "**"]
AGENTS = [Author(f"agent-{number}", "o") for number in range(5)]
CHANNELS = ["one", "two"]


def targets(*texts: str) -> tuple[Target, ...]:
    read = tuple(read_target(text) for text in texts)
    return tuple(one for one in read if one is not None)


class Plain:
    """Claims in a list, in the order in which they came; each is looked at."""

    def __init__(self) -> None:
        self.claims: list[tuple[Standing, tuple[str, ...]]] = []

    def conflict(self, one: tuple[Standing, tuple[str, ...]], two: tuple[Standing, tuple[str, ...]]) -> bool:
        if one[0].channel != two[0].channel or (one[0].is_shared and two[0].is_shared):
            return False
        return any(overlap_plainly(a, b) for a in one[1] for b in two[1])

    def front(self, asked: tuple[Standing, tuple[str, ...]]) -> list[int]:
        return [
            other[0].claim
            for other in self.claims
            if other[0].claim != asked[0].claim
            and (other[0].is_held or other[0].claim < asked[0].claim)
            and self.conflict(other, asked)
        ]

    def waits_for_itself(self, asked: tuple[Standing, tuple[str, ...]]) -> bool:
        agents = {one[0].claim: one[0].agent for one in self.claims}
        seen, todo = set[Author](), [agents[claim] for claim in self.front(asked)]
        while todo:
            agent = todo.pop()
            if agent == asked[0].agent:
                return True
            if agent not in seen:
                seen.add(agent)
                waiting = [one for one in self.claims if one[0].agent == agent and not one[0].is_held]
                todo += [agents[claim] for one in waiting for claim in self.front(one)]
        return False


class Room:
    """The same done to a board and to a list."""

    def __init__(self) -> None:
        self.board, self.plain, self.number = Board(), Plain(), 0

    def ask(self, channel: str, texts: tuple[str, ...], agent: Author, *, is_shared: bool) -> None:
        """A claim is asked for: it is held if nothing is in front, and waits unless that is a circle."""
        self.number += 1
        asked = Standing(self.number, channel, targets(*texts), agent, False, is_shared)
        front = self.plain.front((asked, texts))
        assert [one.claim for one in self.board.front(asked)] == front
        assert self.board.is_free(asked) is (front == [])
        circle = self.board.circle(asked)
        assert bool(circle) is self.plain.waits_for_itself((asked, texts))
        if circle:
            self.check_circle(asked, circle)
            return
        self.put(replace(asked, is_held=not front), texts)

    def put(self, standing: Standing, texts: tuple[str, ...]) -> None:
        self.board.put(standing)
        self.plain.claims = [one for one in self.plain.claims if one[0].claim != standing.claim]
        self.plain.claims.append((standing, texts))
        self.plain.claims.sort(key=lambda one: one[0].claim)

    def end(self, claim: int) -> None:
        """A claim ends, and who waits for it is granted, in the order of the line."""
        gone = self.board.remove(claim)
        assert gone is not None
        self.plain.claims = [one for one in self.plain.claims if one[0].claim != claim]
        granted = []
        for waiting in self.board.free_after(gone):
            granted.append(waiting.claim)
            self.put(replace(waiting, is_held=True), self.texts(waiting.claim))
        expected = [one for one in self.plain.claims if not one[0].is_held and not self.plain.front(one)]
        assert expected == []  # whoever waits for nothing has been granted
        assert granted == sorted(granted)

    def texts(self, claim: int) -> tuple[str, ...]:
        return next(texts for one, texts in self.plain.claims if one.claim == claim)

    def check_circle(self, asked: Standing, circle: list[int]) -> None:
        """Each is in front of the one before, or is its agent's."""
        assert circle[0] == asked.claim
        found = [asked, *(self.board.get(claim) for claim in circle[1:])]
        for one, two in pairwise(found):
            assert one is not None
            assert two is not None
            assert one.agent == two.agent or (two in self.board.front(one) and not one.is_held)
        last = found[-1]
        assert last is not None
        assert last.agent == asked.agent
        assert len(set(circle)) == len(circle)


@pytest.mark.parametrize("seed", range(30))
def test_lines_are_as_a_list_says(seed: int) -> None:
    chance, room = random.Random(seed), Room()
    for _ in range(250):
        claims = [one[0].claim for one in room.plain.claims]
        if claims and chance.random() < 0.45:
            room.end(chance.choice(claims))
            continue
        texts = tuple(chance.sample(TEXTS, chance.choice([1, 1, 2])))
        channel, agent = chance.choice(CHANNELS), chance.choice(AGENTS)
        room.ask(channel, texts, agent, is_shared=chance.random() < 0.3)
        held = [one for one in room.plain.claims if one[0].is_held]
        assert not any(room.plain.conflict(a, b) for a in held for b in held if a is not b)
    for claim in [one[0].claim for one in room.plain.claims]:
        if claim in room.board:
            room.end(claim)
    assert len(room.board) == 0
    assert room.board._waiting == {}


def test_two_who_wait_for_each_other_over_two_channels_are_a_circle() -> None:
    board, (alice, bob) = Board(), AGENTS[:2]
    board.put(Standing(1, "one", targets("a"), alice, True))
    board.put(Standing(2, "two", targets("b"), bob, True))
    board.put(Standing(3, "two", targets("b"), alice, False))
    assert board.circle(Standing(4, "one", targets("a/"), bob, False)) == [4, 1, 3, 2]


def test_who_would_wait_for_itself_is_a_circle() -> None:
    board = Board()
    board.put(Standing(1, "one", targets("a/"), AGENTS[0], True))
    assert board.circle(Standing(2, "one", targets("a/x"), AGENTS[0], False)) == [2, 1]


def test_a_long_line_is_not_walked_for_each_who_stands_in_it() -> None:
    board, looked = Board(), list[int]()
    agents = [Author(f"agent-{number}", "o") for number in range(1001)]
    board.put(Standing(1, "one", targets("a"), agents[0], True))
    for number in range(2, 1002):
        board.put(Standing(number, "one", targets("a"), agents[number - 1], False))
    unseen = board._unseen_front

    def counted(waiting: Standing, seen: Any) -> Iterator[Standing]:
        for other in unseen(waiting, seen):
            looked.append(other.claim)
            yield other

    board._unseen_front = counted  # type: ignore[method-assign]
    assert board.circle(Standing(2000, "one", targets("a"), Author("late", "o"), False)) == []
    assert looked == list(range(1, 1002))
