"""The small rules: text, limits, stamps, seatbelts over a clock that steps."""

from __future__ import annotations

import gc
import unicodedata

import pytest
from hypothesis import given, strategies as st

from caucus.errors import ConfigurationError, DuplicatePost, RateLimited
from caucus.limits import Limits, environment_name, limit_fields, option_name
from caucus.model.events import Grant, Holding
from caucus.model.fields import as_integer
from caucus.model.messages import new_msg_id, target_key
from caucus.model.stamps import Stamps
from caucus.model.text import CONTROL, excerpt, trim
from caucus.rules.claims.ledger import Ledger
from caucus.rules.log import CHUNK, Log
from caucus.rules.seatbelts import Duplicates, RateBudget, post_digest


def test_trimming_takes_the_ecmascript_white_space_and_nothing_else() -> None:
    # ECMA-262: TAB VT FF SP NBSP ZWNBSP, category Zs, and the line terminators.
    expected = {*"\t\v\f \xa0\ufeff\n\r\u2028\u2029"}
    expected |= {chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) == "Zs"}
    trimmed = {chr(point) for point in range(0x110000) if trim(chr(point)) == ""}
    assert trimmed == expected


def test_a_target_key_is_trimmed_before_it_is_composed() -> None:
    assert target_key("\ufeff cafe\u0301\u3000") == "café"
    assert target_key("\x1c a \x85") == "\x1c a \x85"


@given(st.text())
def test_an_excerpt_is_printable_and_short(text: str) -> None:
    quoted = excerpt(text)
    assert not CONTROL.search(quoted)
    assert len(quoted) <= 121
    quoted.encode()


def test_an_excerpt_shows_where_it_was_cut() -> None:
    assert excerpt("x" * 120) == "x" * 120
    assert excerpt("x" * 121) == "x" * 120 + "…"


@pytest.mark.parametrize(
    ("value", "integer"),
    [
        (0, 0),
        (2.0, 2),
        (-3, -3),
        (1e300, int(1e300)),
        (True, None),
        (1.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
        ("1", None),
        (None, None),
    ],
)
def test_what_counts_as_an_integer(value: object, integer: int | None) -> None:
    assert as_integer(value) == integer


def test_a_msg_id_is_a_fresh_ulid() -> None:
    first, second = new_msg_id(), new_msg_id()
    assert first != second
    assert len(first) == 26
    assert first == first.upper()


@given(st.integers(0, 3 * CHUNK), st.integers(0, 3 * CHUNK), st.integers(0, 3 * CHUNK))
def test_a_log_gives_what_is_between_two_cursors(length: int, one: int, other: int) -> None:
    log, messages = Log(), tuple(b"%d" % number for number in range(length))
    for place, message in enumerate(messages):
        log.append(message, place)
    start, end = sorted((min(one, length), min(other, length)))
    assert log.length == length
    assert log.between(start, end) == messages[start:end]


def test_a_full_chunk_of_a_log_is_nothing_to_a_garbage_collector() -> None:
    log = Log()
    for number in range(2 * CHUNK):
        log.append(b"%d" % number, number)
    gc.collect()
    assert not any(map(gc.is_tracked, log._chunks))


def test_records_and_ledger_entries_are_nothing_to_a_garbage_collector() -> None:
    ledger = Ledger()
    ledger.put("t", Grant(Holding("alice-agent", "alice", "ts", "id"), 60), 0.0, 1, 1)
    assert not gc.is_tracked(ledger.live("t", 1.0))


def test_limits_have_the_contracts_defaults() -> None:
    limits = Limits()
    assert [getattr(limits, name) for name, _ in limit_fields()] == [
        30, 120, 10, 60, 4096, 1000, 10_000, 500, 4096, 67_108_864, 1024, 1_048_576, 10_000, 250_000,
        100_000, 1_048_576, 16_777_216, 134_217_728, 30, 10_000, 256, 1000,
    ]  # fmt: skip


def test_the_budget_over_all_channels_is_four_times_a_channels() -> None:
    assert Limits(max_posts_per_minute=7).global_max_posts_per_minute == 28
    assert Limits(max_posts_per_minute=7, global_max_posts_per_minute=3).global_max_posts_per_minute == 3


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "x", "1e3", "٣", "9" * 30, "+1", "0x10"])
def test_a_limit_that_is_no_positive_integer_names_its_option(text: str) -> None:
    for name, _ in limit_fields():
        with pytest.raises(ConfigurationError, match=f"^{option_name(name)} must be a positive integer$"):
            Limits.parse({name: text})


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_a_limit_is_checked_in_a_program_too(value: int) -> None:
    with pytest.raises(ConfigurationError, match="--max-posts-per-minute"):
        Limits(max_posts_per_minute=value)


def test_limits_are_read_from_text() -> None:
    assert Limits.parse({"max_streams": " 32 "}).max_streams == 32
    assert environment_name("max_streams") == "CAUCUS_MAX_STREAMS"


def test_a_stamp_is_an_instant_and_a_sequence_number() -> None:
    assert Stamps().next(1_700_000_000.0625) == "2023-11-14T22:13:20.062Z#000000000001"


@given(st.lists(st.floats(min_value=0, max_value=4e9), min_size=2, max_size=30))
def test_stamps_rise_whatever_the_clock_does(times: list[float]) -> None:
    stamps = Stamps()
    made = [stamps.next(time) for time in times]
    assert made == sorted(set(made))


def test_stamps_go_on_after_those_of_an_earlier_run() -> None:
    stamps = Stamps()
    stamps.resume("2023-11-14T22:13:20.062Z#000000000041")
    assert stamps.next(0) == "2023-11-14T22:13:20.062Z#000000000042"


def test_a_clock_that_steps_back_makes_nobody_wait_longer_than_a_window() -> None:
    budget = RateBudget(limit=1, window=60, tracked=10, scope="channel")
    budget.charge("alice", 10_000)
    with pytest.raises(RateLimited) as caught:
        budget.check("alice", 5_000)
    assert caught.value.retry_after == 60
    budget.check("alice", 5_060)


SAME, OTHER = post_digest("note", "same"), post_digest("note", "other")


def test_a_clock_that_steps_back_keeps_a_last_post_no_longer_than_a_window() -> None:
    duplicates = Duplicates(window=60, tracked=10)
    duplicates.remember("alice", SAME, 10_000)
    duplicates.check("alice", OTHER, 5_000)
    with pytest.raises(DuplicatePost):
        duplicates.check("alice", SAME, 5_001)
    duplicates.remember("alice", SAME, 10_000)
    duplicates.check("alice", OTHER, 5_000)
    duplicates.check("alice", SAME, 5_060)


def test_the_agent_who_posted_last_is_kept_in_mind_longest() -> None:
    duplicates = Duplicates(window=60, tracked=2)
    for agent in ("alice", "bob", "alice", "carol"):
        duplicates.remember(agent, SAME, 0)
    with pytest.raises(DuplicatePost):
        duplicates.check("alice", SAME, 1)


@pytest.mark.parametrize(("start", "window"), [(0.4, 1), (2.3, 30)])
def test_a_window_ends_at_its_instant_though_floats_round(start: float, window: int) -> None:
    budget = RateBudget(limit=1, window=window, tracked=10, scope="channel")
    budget.charge("alice", start)
    budget.check("alice", start + window)
    ledger = Ledger()
    ledger.put("t", Grant(Holding("alice-agent", "alice", "ts", "id"), window), start, 1, 1)
    assert ledger.live("t", start + window) is None


def test_only_so_many_last_posts_are_kept() -> None:
    duplicates = Duplicates(window=60, tracked=2)
    for agent in ("alice", "bob", "carol"):
        duplicates.remember(agent, SAME, 0)
    duplicates.check("alice", SAME, 1)
    with pytest.raises(DuplicatePost):
        duplicates.check("bob", SAME, 1)


@given(
    st.integers(1, 4),
    st.lists(st.floats(min_value=0, max_value=30).map(lambda step: round(step * 4) / 4), max_size=60),
)
def test_a_budget_never_lets_more_through_in_any_window(limit: int, steps: list[float]) -> None:
    budget = RateBudget(limit=limit, window=60, tracked=10, scope="channel")
    now = 0.0
    charged: list[float] = []
    for step in steps:
        now += step
        recent = [time for time in charged if now - time < 60]
        if len(recent) == limit:
            with pytest.raises(RateLimited) as caught:
                budget.check("alice", now)
            assert recent[0] + 60 - now <= caught.value.retry_after < recent[0] + 61 - now
        else:
            budget.check("alice", now)
            budget.charge("alice", now)
            charged.append(now)
