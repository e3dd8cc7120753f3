"""A room of ten thousand messages: all can be reached, and few are in the document at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Room, Sight, looking, needs_browser, start_room
from tests.daemon import Start

pytestmark = needs_browser
COUNT = 10_000
AT_ONCE = 500
"""More than are ever in the document: what is in sight, a few screens around it, and pieces that are left."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    start = Start(tmp_path_factory.mktemp("long"))
    daemon, room = start_room(start, "--max-messages-per-channel=20000")
    room.say_many([{"type": "note", "body": f"message number {number}"} for number in range(1, COUNT + 1)])
    yield room
    daemon.end()


@pytest.fixture
def sight(room: Room, chromium: Browser) -> Iterator[Sight]:
    with looking(chromium) as sight:
        sight.open(room)
        expect(sight.page.locator("#log .rows")).to_have_attribute("aria-busy", "false")
        yield sight


def in_document(sight: Sight) -> int:
    return sight.page.locator(".msg").count()


def in_sight(sight: Sight) -> list[int]:
    """The messages that somebody sees who looks at the page, by their numbers."""
    found: list[int] = sight.page.evaluate(
        """() => {
            const { top, bottom } = document.querySelector(".scroller").getBoundingClientRect();
            const isSeen = box => box.bottom > top + 1 && box.top < bottom - 1;
            return [...document.querySelectorAll(".msg")]
                .filter(one => isSeen(one.getBoundingClientRect())).map(one => Number(one.dataset.cursor));
        }"""
    )
    return found


def scroll(sight: Sight, share: float) -> list[int]:
    """Go to a place in the log, and wait until what is there is seen."""
    sight.page.evaluate(
        """async share => {
            const place = document.querySelector(".scroller");
            place.scrollTop = share * (place.scrollHeight - place.clientHeight);
            for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
        }""",
        share,
    )
    return in_sight(sight)


def test_every_part_of_it_can_be_scrolled_to_and_few_are_there_at_once(sight: Sight) -> None:
    for share in (1, 0.75, 0.5, 0.25, 0.1, 0):
        seen = scroll(sight, share)
        assert seen == list(range(seen[0], seen[-1] + 1))
        assert abs(seen[0] - share * COUNT) < 0.03 * COUNT
        assert in_document(sight) < AT_ONCE
    assert scroll(sight, 0)[0] == 1


def test_keys_lead_from_one_end_to_the_other(sight: Sight) -> None:
    sight.page.locator(".scroller").focus()
    sight.page.keyboard.press("Home")
    expect(sight.page.locator(".msg:focus .body")).to_have_text("message number 1")
    for _ in range(100):
        sight.page.keyboard.press("j")
    expect(sight.page.locator(".msg:focus .body")).to_have_text("message number 101")
    sight.page.keyboard.press("k")
    expect(sight.page.locator(".msg:focus .body")).to_have_text("message number 100")
    sight.page.keyboard.press("End")
    expect(sight.page.locator(".msg:focus")).to_be_visible()
    assert in_document(sight) < AT_ONCE


def test_what_is_looked_at_stays_where_it_is_while_others_go_on(sight: Sight, room: Room) -> None:
    before = scroll(sight, 0.5)
    for number in range(5):
        room.say(f"meanwhile {number}")
    expect(sight.button("5 new ↓")).to_be_visible()
    assert in_sight(sight) == before
    sight.button("5 new ↓").click()
    sight.until("meanwhile 4")
    assert in_sight(sight)[-1] == room.ask("")["head"]


def test_something_said_long_ago_is_found(sight: Sight) -> None:
    sight.page.get_by_label("Search", exact=True).fill("message number 1234")
    expect(sight.page.locator(".msg")).to_have_count(1)
    expect(sight.page.locator(".msg .cursor")).to_have_text("#1234")
    sight.page.get_by_label("Search", exact=True).fill("message number 12")
    expect(sight.page.locator("#log .found")).to_contain_text("111 of")


def test_somebody_who_reads_at_the_end_stays_there(sight: Sight, room: Room) -> None:
    room.say("at the end")
    sight.until("at the end")
    assert in_sight(sight)[-1] == room.ask("")["head"]
    expect(sight.page.locator(".newer")).to_be_hidden()
