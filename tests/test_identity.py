"""Tokens: how they are given, and who they stand for."""

from __future__ import annotations

import pytest

from caucus.access.principals import Principal
from caucus.access.tokens import Tokens, bearer_digest
from caucus.errors import ConfigurationError
from caucus.model.records import Identity


def _found(tokens: Tokens, authorization: list[bytes]) -> Principal:
    found = tokens.find(bearer_digest(authorization))
    assert found is not None
    return found


def test_entries_are_trimmed_and_later_colons_belong_to_the_owner() -> None:
    tokens = Tokens.parse("  tok-a : al agent : al:ice:x ,\ufefftok-b:b:b\n")
    assert _found(tokens, [b"Bearer tok-a"]).identity == Identity("al agent", "al:ice:x")
    assert _found(tokens, [b"Bearer tok-b"]).identity == Identity("b", "b")
    assert len(tokens) == 2


@pytest.mark.parametrize("text", ["", "  ", "\ufeff\n"])
def test_without_entries_nobody_may_write(text: str) -> None:
    tokens = Tokens.parse(text)
    assert len(tokens) == 0
    assert tokens.find(bearer_digest([b"Bearer "])) is None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("secret", 1),
        ("secret:a", 1),
        ("secret::o", 1),
        ("secret:a: ", 1),
        (":a:o", 1),
        ("tok:a:o,", 2),
        ("tok:a:o,,x:y:z", 2),
        ("tok:a:o,secret:b", 2),
        ("secret:a:o,x:y:z,secret:b:o", 3),
        ("tok:a:o,secret:b\x1b:o", 2),
        ("tok:a:o,secret:b:" + "o" * 1025, 2),
    ],
)
def test_a_bad_entry_is_named_by_its_position_alone(text: str, position: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Tokens.parse(text)
    assert f"entry {position} " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_tokens_may_stand_for_one_agent() -> None:
    tokens = Tokens.parse("one:a:o,two:a:o")
    assert _found(tokens, [b"Bearer one"]).identity == _found(tokens, [b"Bearer two"]).identity


def test_tokens_are_kept_as_digests_only() -> None:
    tokens = Tokens.parse("secret:a:o")
    assert "secret" not in repr(tokens)
    assert "secret" not in repr(vars(tokens))


@pytest.mark.parametrize(
    "values", [[], [b""], [b"secret"], [b"Bearer secret", b"Bearer secret"], [b"Bearer\tsecret x"]]
)
def test_a_missing_repeated_or_malformed_bearer_is_nobodys(values: list[bytes]) -> None:
    assert Tokens.parse("secret:a:o").find(bearer_digest(values)) is None
