"""How the page looks, and whether everybody can use it: each view, light and dark, at three sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import ADMIN, Room, Sight, looking, needs_browser, start_room
from tests.daemon import BIN, Start
from tests.incident import play

pytestmark = needs_browser
AXE = BIN.parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIEWS = ["rooms", "log", "timeline", "board", "inbox", "people", "admin"]
SIZES = {"phone": (360, 740), "laptop": (1440, 900), "wall": (3840, 2160)}
Scheme = Literal["light", "dark"]
SCHEMES: list[Scheme] = ["light", "dark"]
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: `make test` installs it")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    start = Start(tmp_path_factory.mktemp("looks"))
    daemon, room = start_room(start)
    play(room)
    yield room
    daemon.end()


def barriers(page: Page) -> list[str]:
    """What axe-core finds at A and AA, with where it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules}).then(found => found.violations)", RULES
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]
    ]


def show(sight: Sight, view: str) -> None:
    """Go to a view, as its link does."""
    sight.page.evaluate(
        """view => {
            const given = new URLSearchParams(location.hash.slice(1));
            given.set("view", view);
            location.hash = given;
        }""",
        view,
    )
    expect(sight.page.locator(f"body[data-view='{view}']")).to_be_attached()


def settle(sight: Sight) -> None:
    """Wait until all of the room is there."""
    sight.until("canary at 10 %")
    expect(sight.page.locator("#inbox .cards > li")).to_have_count(3)
    expect(sight.page.locator("#people li")).to_have_count(4)


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", ["phone", "laptop"])
def test_nothing_is_in_the_way_of_anybody(room: Room, chromium: Browser, size: str, scheme: Scheme) -> None:
    width, height = SIZES[size]
    with looking(chromium, viewport={"width": width, "height": height}, color_scheme=scheme) as sight:
        sight.open(room)
        settle(sight)
        found = {}
        for view in VIEWS:
            show(sight, view)
            if view == "timeline":
                sight.page.get_by_text("The same as a table").click()
                sight.page.locator("#timeline table").wait_for()
            found[view] = barriers(sight.page)
        sight.page.get_by_label("Admin token").fill(ADMIN)
        sight.button("Use it").click()
        found["admin, let in"] = barriers(sight.page)
        show(sight, "board")
        for name in ("Claim…", "Hand over src/auth/, deploy/prod"):
            sight.button(name, "#board").click()
            found[name] = barriers(sight.page)
            sight.page.keyboard.press("Escape")
        sight.button("Help, and the keys").click()
        found["help"] = barriers(sight.page)
        assert found == {name: [] for name in found}


@needs_axe
def test_nothing_is_in_the_way_of_whoever_has_no_token(room: Room, chromium: Browser) -> None:
    with looking(chromium) as sight:
        sight.open(room, who="")
        sight.until("canary at 10 %")
        assert barriers(sight.page) == []
        sight.button("Sign in").click()
        assert barriers(sight.page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_every_view_fits(room: Room, chromium: Browser, size: str, scheme: Scheme, pictures: Path) -> None:
    width, height = SIZES[size]
    with looking(chromium, viewport={"width": width, "height": height}, color_scheme=scheme) as sight:
        sight.open(room)
        settle(sight)
        for view in VIEWS:
            show(sight, view)
            sight.page.screenshot(path=pictures / f"{view}-{size}-{scheme}.png")
            assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            outside = sight.page.evaluate(
                """() => [...document.querySelectorAll("button, a, input, select, textarea")]
                    .filter(one => one.checkVisibility())
                    .filter(one => !one.closest(".picture, .scrolls, .scroller, #views"))
                    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
                    .map(one => one.outerHTML)"""
            )
            assert outside == []
