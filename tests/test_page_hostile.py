"""What others write is text, in every field and every view of the page, whatever it looks like."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser import ADMIN, Room, Sight, looking, needs_browser, start_room
from tests.daemon import Start, ask
from tests.hostile import TEXTS, in_a_line, messages
from tests.terminal import Terminal

pytestmark = needs_browser
COUNT = 2000
VIEWS = ("log", "timeline", "board", "inbox", "people", "rooms", "admin")


def fill(room: Room) -> None:
    """Somebody writes into every field there is; whoever it is has such names, too."""
    room.say_many(list(messages(COUNT)))
    for number, text in enumerate(TEXTS):
        line = in_a_line(text)
        room.take(f"{line} {number}".replace("*", "+"), note=line, wait=True)
        Room(room.url, f"other-{number}").make(line)
    for number, text in enumerate(TEXTS[:20]):
        line = in_a_line(text)
        given = {"agent_id": f"{line} {number}", "owner": f"{number} {line}"}
        token = ask(f"{room.url}/admin/tokens", given, ADMIN)["token"]
        message = {"type": "finding", "msg_id": f"01ARZ3NDEKTSV4RRFFQ69G5F{number:02}", "body": line}
        ask(f"{room.url}/channels/{room.name}/append", message, token)


def read_all(sight: Sight) -> int:
    """Scroll from the end to the beginning; how many messages were there on the way."""
    seen: int = sight.page.evaluate(
        """async () => {
            const place = document.querySelector(".scroller");
            const seen = new Set();
            for (let at = place.scrollHeight; at > -600; at -= 600) {
                place.scrollTop = at;
                await new Promise(done => setTimeout(done, 15));
                document.querySelectorAll(".msg").forEach(one => seen.add(one.dataset.cursor));
            }
            return seen.size;
        }"""
    )
    return seen


def test_nothing_that_others_write_does_anything(start: Start, chromium: Browser) -> None:
    _, room = start_room(start, "--max-claims-per-agent=1000")
    fill(room)
    said = room.ask("")["head"]
    with looking(chromium) as sight:
        sight.page.on("dialog", lambda dialog: sight.troubles.append(f"dialog: {dialog.message}"))
        sight.page.on("popup", lambda page: sight.troubles.append(f"window: {page.url}"))
        sight.page.on("framenavigated", lambda frame: sight.asked.append(frame.url))
        sight.open(room)
        expect(sight.page.locator("#log .rows")).to_have_attribute("aria-busy", "false")
        assert read_all(sight) >= 0.99 * said
        for view in VIEWS:
            sight.page.evaluate("view => { location.hash = `room=incident-42&view=${view}`; }", view)
            expect(sight.page.locator(f"body[data-view='{view}']")).to_be_attached()
            if view == "timeline":
                sight.page.get_by_text("The same as a table").click()
                sight.page.locator("#timeline table").wait_for()
        sight.page.evaluate("location.hash = 'room=incident-42&view=log'")
        for text in TEXTS:
            sight.page.get_by_label("Search", exact=True).fill(in_a_line(text))
            sight.page.get_by_label("Who", exact=True).fill(in_a_line(text))
        sight.button("Clear").click()
        for receipts in sight.page.locator(".receipts summary").all()[:10]:
            receipts.click()
        sight.page.get_by_label("To: names, parted by commas").click()
        assert sight.page.evaluate("window.harmed") is None
        assert all(one.startswith((room.url, "blob:", "about:blank")) for one in sight.asked)
        assert (
            sight.page.evaluate("document.querySelectorAll('script, iframe, object, embed, base').length")
            == 1
        )


def test_what_was_written_is_shown_as_it_was_written(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    shown = [text for text in TEXTS if text.isascii() and "`" not in text and "\n" not in text]
    for text in shown:
        room.say(text)
    with looking(chromium, viewport={"width": 1440, "height": 4000}) as sight:
        sight.open(room)
        expect(sight.page.locator(".msg")).to_have_count(len(shown))
        assert sight.bodies() == shown


def test_the_story_is_the_one_that_the_command_tells(start: Start, chromium: Browser, tmp_path: Path) -> None:
    _, room = start_room(start)
    room.say_many(list(messages(300)))
    asked = room.say("since when?\nand why?", "question")
    room.say("since 14:02", "answer", who="carol", reply_to=asked["message"]["msg_id"])
    for text in TEXTS:
        target = f"= {in_a_line(text)}".replace("*", "+")
        room.ask("/claim", {"type": "claim", "msg_id": "0" * 26, "body": text, "target": target})
        if len(text) % 2:
            room.ask("/done", {"type": "claim", "msg_id": "0" * 26, "body": text, "target": target})
    with looking(chromium) as sight:
        sight.open(room)
        with sight.page.expect_download() as download:
            sight.button("Export as Markdown").click()
        told = Path(download.value.path()).read_text(encoding="utf-8")
        with sight.page.expect_download() as download:
            sight.button("Export as JSON Lines").click()
        lines = Path(download.value.path()).read_text(encoding="utf-8").split("\n")
    assert told == Terminal(room.url, "bob", tmp_path, room.name)("catchup", "--markdown").out
    assert [json.loads(line)["message"] for line in lines[:-1]] == room.log()


def test_a_script_that_came_in_would_be_noticed(start: Start, chromium: Browser) -> None:
    """Else the tests above would say nothing."""
    _, room = start_room(start)
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        sight.page.evaluate(
            """() => {
                const image = document.createElement("img");
                image.src = "http://elsewhere.invalid/x";
                document.body.append(image);
                const script = document.createElement("script");
                script.append("window.harmed = 1");
                document.body.append(script);
                try { document.body.innerHTML = "x"; } catch { /* as it must */ }
            }"""
        )
        sight.page.wait_for_timeout(100)
        told = " ".join(sight.troubles)
        assert sight.page.evaluate("window.harmed") is None
    assert [word for word in ("img-src", "TrustedScript", "TrustedHTML") if word not in told] == [], told
