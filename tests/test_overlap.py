"""Targets overlap if they are equal or one lies in the other, by their segments."""

from __future__ import annotations

import random

import pytest

from caucus.model.targets import Target, plain_target, read_target
from caucus.rules.claims.overlap import Overlap

SEGMENTS = ["", "a", "b", "ab", "src", "é"]


def some_target(chance: random.Random) -> str:
    name = "/".join(chance.choice(SEGMENTS) for _ in range(chance.randint(1, 4))) or "a"
    return chance.choice([name, name, f"{name}/", f"{name}/**", "**"])


def segments(text: str) -> tuple[list[str], bool]:
    """A target's segments, and whether it is a folder: plainly."""
    if text == "**":
        return [], True
    if text.endswith("/**"):
        return text[:-3].split("/"), True
    if text.endswith("/"):
        return text[:-1].split("/"), True
    return text.split("/"), False


def lies_in(inner: list[str], outer: list[str]) -> bool:
    return inner[: len(outer)] == outer


def overlap_plainly(one: str, other: str) -> bool:
    (a, a_is_folder), (b, b_is_folder) = segments(one), segments(other)
    return a == b or (a_is_folder and lies_in(b, a)) or (b_is_folder and lies_in(a, b))


def target(text: str) -> Target:
    read = read_target(text)
    assert read is not None
    return read


def test_200_000_pairs_overlap_as_their_segments_say() -> None:
    chance = random.Random(16)
    found = 0
    for _ in range(200_000):
        one, other = some_target(chance), some_target(chance)
        expected = overlap_plainly(one, other)
        assert target(one).overlaps(target(other)) is expected, (one, other)
        found += expected
    assert 20_000 < found < 180_000


@pytest.mark.parametrize("seed", range(20))
def test_what_is_found_is_what_a_look_at_each_would_find(seed: int) -> None:
    chance, index, claims = random.Random(seed), Overlap(), dict[int, list[str]]()
    for number in range(400):
        if claims and chance.random() < 0.4:
            gone = chance.choice(list(claims))
            index.remove(gone, map(target, claims.pop(gone)))
        else:
            claims[number] = [some_target(chance) for _ in range(chance.randint(1, 3))]
            index.add(number, map(target, claims[number]))
        asked = some_target(chance)
        expected = {
            claim for claim, texts in claims.items() if any(overlap_plainly(asked, text) for text in texts)
        }
        assert set(index.find([target(asked)])) == expected
    for claim, texts in claims.items():
        index.remove(claim, map(target, texts))
    assert (index._at, index._folders, list(index._names)) == ({}, {}, [])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("src/auth", Target("src/auth")),
        (" src/auth/ ", Target("src/auth", below=True)),
        ("src/auth/**", Target("src/auth", below=True)),
        ("**", Target(None, below=True)),
        ("/", Target("", below=True)),
        ("/**", Target("", below=True)),
        ("cafe\u0301/", Target("caf\u00e9", below=True)),
        ("*.py", None),
        ("src/*/x", None),
        ("src/***", None),
        ("a**", None),
        ("**/", None),
        ("*", None),
    ],
)
def test_a_target_is_read(text: str, read: Target | None) -> None:
    assert read_target(text) == read


def test_a_plain_claim_is_on_one_name_however_it_ends() -> None:
    assert not plain_target("src/").overlaps(target("src/auth"))
    assert plain_target("src/").overlaps(target("src/"))
    assert plain_target("*.py").overlaps(target("**"))


def test_a_claim_on_a_name_that_is_asked_for_with_what_lies_below_is_found_by_one_look_up() -> None:
    index = Overlap()
    for number in range(10_000):
        index.add(number, [target(f"other/{number}")])
    index.add(10_000, [target("src/auth/session.py")])
    assert list(index.find([target("src/auth/")])) == [10_000]
