"""The picture of time: what the log is folded into, and what somebody sees of it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Sight, looking, needs_browser, start_room
from tests.daemon import Start
from tests.incident import play

pytestmark = needs_browser
NOON = 1_795_867_200_000
"""2026-11-28, 12:00 UTC, in milliseconds."""


def event(
    second: int, by: str, kind: str = "claim", target: str = "", change: Any = None, **fields: Any
) -> Any:
    """An event of a feed, so many seconds after noon."""
    stamp = f"2026-11-28T12:{second // 60:02}:{second % 60:02}.000Z#{second:012}"
    message = {"type": kind, "owner": by, "agent_id": "x", "ts": stamp, "body": "text", **fields}
    if target:
        message["target"] = target
    changed = {"change": {"kind": change[0], "claim": change[1], "fence": 1}} if change else {}
    return {"cursor": second + 1, "message": message, **changed}


CASES: dict[str, tuple[list[Any], list[tuple[str, str, int, int, str]]]] = {
    "released": (
        [event(0, "a", target="t", change=("granted", 1)), event(9, "a", target="t", change=("released", 1))],
        [("a/x", "t", 0, 9, "released")],
    ),
    "still held": ([event(5, "a", target="t", change=("granted", 1))], [("a/x", "t", 5, 600, "")]),
    "lapsed": (
        [
            event(0, "a", target="t", change=("granted", 1)),
            event(60, "caucus", target="t", change=("lapsed", 1)),
        ],
        [("a/x", "t", 0, 60, "lapsed")],
    ),
    "handed over": (
        [
            event(0, "a", target="t", change=("granted", 1)),
            event(9, "b", target="t", change=("handed_over", 1)),
        ],
        [("a/x", "t", 0, 9, "handed_over"), ("b/x", "t", 9, 600, "")],
    ),
    "taken over": (
        [
            event(0, "a", target="t", change=("granted", 1)),
            event(9, "b", target="t", change=("taken_over", 1)),
            event(10, "b", target="t", change=("granted", 2)),
        ],
        [("a/x", "t", 0, 9, "taken_over"), ("b/x", "t", 10, 600, "")],
    ),
    "shared by two": (
        [
            event(0, "a", target="t", change=("granted", 1)),
            event(1, "b", target="t", change=("granted", 2)),
            event(9, "a", target="t", change=("released", 1)),
        ],
        [("a/x", "t", 0, 9, "released"), ("b/x", "t", 1, 600, "")],
    ),
    "as the original has it, with a heartbeat and a lapse": (
        [
            event(0, "a", target="t", lease_ttl=60),
            event(30, "a", target="t ", lease_ttl=60, heartbeat=True),
            event(300, "b", target="t"),
            event(310, "b", target="t", status="resolved"),
        ],
        [("a/x", "t", 0, 90, "lapsed"), ("b/x", "t", 300, 310, "released")],
    ),
    "freed, though claimed as the original has it": (
        [event(0, "a", target="t"), event(9, "b", target="t", change=("revoked", 7), status="resolved")],
        [("a/x", "t", 0, 9, "revoked")],
    ),
    "begun before the log": ([event(9, "a", target="t", change=("released", 1))], []),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Any:
    start = Start(tmp_path_factory.mktemp("timeline"))
    daemon, room = start_room(start)
    with looking(chromium) as sight:
        yield sight.open(room)
    daemon.end()


def fold(sight: Sight, events: list[Any]) -> Any:
    return sight.page.evaluate(
        """async ([events, until]) => {
            const own = document.querySelector("script").src.replace("app.js", "lanes.js");
            return (await import(own)).fold(events, until);
        }""",
        [events, NOON + 600_000],
    )


@pytest.mark.parametrize("case", CASES)
def test_a_claim_is_a_bar_from_its_grant_to_its_end(page: Sight, case: str) -> None:
    events, bars = CASES[case]
    found = fold(page, events)["bars"]
    shown = [
        (one["lane"], one["target"], (one["start"] - NOON) // 1000, (one["end"] - NOON) // 1000, one["how"])
        for one in found
    ]
    assert shown == bars


def test_findings_questions_answers_and_steers_are_points(page: Sight) -> None:
    kinds = ["finding", "question", "answer", "steer", "note", "status"]
    found = fold(page, [event(second, "a", kind) for second, kind in enumerate(kinds)])
    assert [one["type"] for one in found["points"]] == kinds[:4]
    assert found["lanes"] == ["a/x"]


def test_the_picture_and_the_table_say_who_held_what(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    play(room)
    with looking(chromium) as sight:
        sight.open(room, view="timeline")
        for name in (
            "db-pool exhaustion, carol/carol-laptop",
            "auth-timeout repro, alice/alice-phone",
            "src/auth/, deploy/prod, alice/alice-laptop",
        ):
            expect(sight.page.locator(f"#timeline rect[aria-label^='{name}']")).to_have_count(1)
        assert "freed by somebody else" in str(
            sight.page.locator(".bar.revoked rect").get_attribute("aria-label")
        )
        sight.page.get_by_text("The same as a table").click()
        rows = sight.page.locator("#timeline tbody tr")
        expect(rows).to_have_count(10)
        expect(rows.filter(has_text="carol/carol-laptop").first).to_contain_text("freed by somebody else")
        sight.button("Show message 7").click()
        expect(sight.page.locator(".msg:focus")).to_contain_text("raise Late")


def test_the_picture_is_zoomed_and_moved(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    play(room)
    with looking(chromium) as sight:
        sight.open(room, view="timeline")
        bars = sight.page.locator("#timeline .bar")
        expect(bars).to_have_count(4)
        sight.button("Hour", "#timeline").click()
        expect(sight.button("Hour", "#timeline")).to_have_attribute("aria-pressed", "true")
        expect(bars).to_have_count(4)
        expect(sight.button("← Earlier")).to_be_disabled()
        expect(sight.button("Later →")).to_be_disabled()


def test_what_happens_is_drawn_as_it_happens(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room, view="timeline")
        room.say("found", "finding")
        expect(sight.page.locator("#timeline .point")).to_have_count(1)
