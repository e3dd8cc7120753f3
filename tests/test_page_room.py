"""The page, in a real browser: a room as it goes on, whatever becomes of the connection."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Route, expect

from tests.browser import TOKENS, Room, Sight, looking, needs_browser, start_room
from tests.daemon import Start, ask

pytestmark = needs_browser
DEMO = Path(__file__).parent.parent / "scripts" / "demo.py"


def play_demo(url: str) -> None:
    environment = {**os.environ, "CAUCUS_URL": url, "CAUCUS_TOKENS": TOKENS}
    subprocess.run([sys.executable, DEMO], env=environment, check=True, capture_output=True, timeout=60)


def numbers(sight: Sight) -> list[int]:
    """The messages that are in the document, by their numbers."""
    found: list[int] = sight.page.eval_on_selector_all(
        ".msg", "all => all.map(one => Number(one.dataset.cursor))"
    )
    return found


def streams(room: Room, who: str = "alice-laptop") -> int:
    """How many streams somebody has open."""
    agents = ask(f"{room.url}/who")["agents"]
    return sum(one["streams"] for one in agents if one["agent_id"] == who)


def test_the_demo_is_seen_while_it_happens(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room)
        play_demo(room.url)
        sight.page.locator("#rooms a", has_text="war-room-").click()
        sight.until("the test is green")
        assert numbers(sight) == list(range(1, 15))
        expect(sight.page.locator("#board")).to_contain_text("db-pool exhaustion")
        expect(sight.page.locator("#board")).to_contain_text("2 held, 0 waiting")
        expect(sight.page.locator("#people")).to_contain_text("carol/carol-laptop")
        expect(sight.page.locator(".msg[data-cursor='12']")).to_contain_text("handed over")


def test_a_message_appears_as_it_is_said(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room)
        room.say("the pool is exhausted", "finding")
        sight.until("the pool is exhausted")
        expect(sight.page.locator(".msg .type")).to_have_text("◆ finding")


def test_rooms_tell_how_much_of_them_was_not_seen(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    others = [Room(room.url, f"room-{number}").make() for number in range(7)]
    with looking(chromium) as sight:
        sight.open(room)
        for number, other in enumerate(others):
            for text in range(number):
                other.say(f"text {text}")
        for number, other in enumerate(others):
            link = sight.page.locator("#rooms a", has_text=other.name)
            expect(link).to_contain_text(f"{number} unread" if number else other.name)
        sight.page.locator("#rooms a", has_text="room-6").click()
        sight.until("text 5")
        expect(sight.page.locator("#rooms a", has_text="room-6")).not_to_contain_text("unread")
        sight.page.reload()
        sight.until_live()
        sight.page.locator("#rooms a", has_text="room-3").click()
        sight.until("text 2")
        expect(sight.page.locator("#rooms a", has_text="room-6")).not_to_contain_text("unread")
        expect(sight.page.locator("#rooms a", has_text="room-5")).to_contain_text("5 unread")


def test_nothing_is_lost_or_told_twice_over_a_restart(
    start: Start, chromium: Browser, tmp_path: Path
) -> None:
    journal = f"sqlite:{tmp_path}/room.db"
    daemon, room = start_room(start, CAUCUS_JOURNAL=journal)
    port = room.url.rpartition(":")[2]
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        room.say("before")
        sight.until("before")
        daemon.end(signal.SIGKILL)
        sight.page.wait_for_selector("#connection.away")
        again = start("caucus-backbone", CAUCUS_TOKENS=TOKENS, CAUCUS_JOURNAL=journal, PORT=port)
        again.until_listening()
        room.say("meanwhile")
        sight.until_live()
        room.say("after")
        sight.until("after")
        assert sight.bodies() == ["before", "meanwhile", "after"]


def test_what_is_posted_while_the_server_is_away_is_said_once(
    start: Start, chromium: Browser, tmp_path: Path
) -> None:
    journal = f"sqlite:{tmp_path}/room.db"
    daemon, room = start_room(start, CAUCUS_JOURNAL=journal)
    port = room.url.rpartition(":")[2]
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        daemon.end(signal.SIGKILL)
        sight.page.wait_for_selector("#connection.away")
        sight.page.get_by_label("Message", exact=True).fill("into the dark")
        sight.button("Post").click()
        sight.page.wait_for_timeout(500)
        assert sight.page.get_by_label("Message", exact=True).input_value() == "into the dark"
        start("caucus-backbone", CAUCUS_TOKENS=TOKENS, CAUCUS_JOURNAL=journal, PORT=port).until_listening()
        sight.until("into the dark")
        expect(sight.page.get_by_label("Message", exact=True)).to_have_value("")
        assert [one["body"] for one in room.log()] == ["into the dark"]


def test_every_write_has_a_key_that_makes_it_safe_to_repeat(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        keys: list[str] = []
        lost = iter((True, False))

        def lose(route: Route) -> None:
            keys.append(route.request.headers["idempotency-key"])
            if next(lost):  # the server has it, and its answer gets lost
                route.fetch()
                route.abort()
            else:
                route.continue_()

        sight.open(room)
        sight.page.route("**/append", lose)
        sight.page.get_by_label("Message", exact=True).fill("once")
        sight.button("Post").click()
        sight.until("once")
        expect(sight.page.get_by_label("Message", exact=True)).to_have_value("")
        assert len(keys) == 2
        assert len(set(keys)) == 1
        assert [one["body"] for one in room.log()] == ["once"]


def test_a_log_that_was_lost_begins_anew(start: Start, chromium: Browser) -> None:
    daemon, room = start_room(start)
    port = room.url.rpartition(":")[2]
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        room.say("of the old log")
        sight.until("of the old log")
        daemon.end(signal.SIGKILL)
        sight.page.wait_for_selector("#connection.away")
        start("caucus-backbone", CAUCUS_TOKENS=TOKENS, PORT=port).until_listening()
        room.make().say("of the new log")
        sight.until("of the new log")
        assert sight.bodies() == ["of the new log"]


def test_two_tabs_show_the_same_and_share_what_was_seen(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    other = Room(room.url, "other").make()
    other.say("seen once")
    with looking(chromium) as sight:
        sight.open(room)
        second = Sight(sight.context.new_page(), sight.context)
        second.watch()
        second.open(room)
        expect(second.page.locator("#rooms a", has_text="other")).to_contain_text("1 unread")
        sight.page.bring_to_front()
        sight.page.locator("#rooms a", has_text="other").click()
        sight.until("seen once")
        expect(second.page.locator("#rooms a", has_text="other")).not_to_contain_text("unread")
        assert not second.troubles


def test_a_hidden_tab_gives_its_stream_up_and_goes_on_where_it_was(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room)
        assert streams(room) == 1
        hide(sight, True)
        sight.page.wait_for_selector("#connection.paused", state="attached")
        room.say("while nobody looked")
        assert streams(room) == 0
        hide(sight, False)
        sight.until_live()
        sight.until("while nobody looked")
        assert sight.bodies() == ["while nobody looked"]


def hide(sight: Sight, hidden: bool) -> None:
    """Have the tab out of sight, or in it: what drives the browser keeps all visible, so it is told."""
    sight.page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            const state = hidden ? "hidden" : "visible";
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_the_token_leaves_the_address_and_stays_in_the_tab(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room)
        assert "tok-" not in sight.page.url
        assert not any("tok-" in one for one in sight.asked if "#" not in one)
        assert sight.page.evaluate("JSON.stringify({...localStorage}).includes('tok-')") is False
        sight.page.reload()
        sight.until_live()
        expect(sight.page.locator("#me")).to_contain_text("alice/alice-laptop")


def test_without_a_token_one_sees_what_anybody_may_read(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    room.say("for everybody")
    with looking(chromium) as sight:
        sight.open(room, who="")
        sight.until("for everybody")
        assert sight.page.locator("textarea").count() == 0
        expect(sight.page.locator("#inbox")).to_contain_text("Sign in to see")


def test_where_reads_need_a_token_it_is_asked_for(start: Start, chromium: Browser) -> None:
    _, room = start_room(start, "--read-token")
    room.say("for some")
    with looking(chromium, fails=True) as sight:
        sight.page.goto(room.url)
        dialog = sight.page.get_by_role("dialog")
        dialog.get_by_role("textbox").fill("tok-nobody")
        sight.page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("token")
        dialog.get_by_role("textbox").fill("tok-alice")
        sight.page.keyboard.press("Enter")
        sight.until("for some")


def test_a_token_that_was_revoked_is_asked_for_anew(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    with looking(chromium, fails=True) as sight:
        sight.page.goto(f"{room.url}/#token=tok-old")
        expect(sight.page.get_by_role("dialog")).to_contain_text("not good here")
        assert sight.page.evaluate("sessionStorage.length") == 0


def test_answers_and_threads_are_linked(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    asked = room.say("since when?", "question")["message"]["msg_id"]
    room.say("since 14:02", "answer", who="carol", reply_to=asked, thread=asked)
    room.say("something else")
    with looking(chromium) as sight:
        sight.open(room)
        sight.until("something else")
        sight.button("↓ answer 1").click()
        expect(sight.page.locator(".msg:focus")).to_contain_text("since 14:02")
        sight.button("↑ to bob: since when?").click()
        expect(sight.page.locator(".msg:focus .body")).to_have_text("since when?")
        sight.page.locator(".msg button", has_text="thread").click()
        expect(sight.page.locator("#log .found")).to_have_text("2 of 3 messages, in one thread")


def test_a_room_is_searched_by_type_owner_text_and_target(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    room.say("the pool is FULL", "finding")
    room.say("is it full?", "question", who="carol")
    room.take("src/auth/", note="full of hope")
    with looking(chromium) as sight:
        sight.open(room)
        sight.until("full of hope")
        for field, value, found in (
            ("Search", "full", 3),
            ("Type", "finding", 1),
            ("Who", "CAROL", 1),
            ("Target", "auth", 1),
        ):
            control = sight.page.locator(".search").get_by_label(field, exact=True)
            control.select_option(value) if field == "Type" else control.fill(value)
            expect(sight.page.locator(".msg")).to_have_count(found)
            sight.button("Clear").click()
        expect(sight.page.locator(".msg")).to_have_count(3)
        room.say("full again")
        sight.until("full again")


def test_evidence_is_a_link_that_downloads(start: Start, chromium: Browser, tmp_path: Path) -> None:
    _, room = start_room(start)
    with looking(chromium) as sight:
        sight.open(room)
        proof = tmp_path / "proof.html"
        proof.write_bytes(b"<script>alert(1)</script>")
        sight.page.get_by_label("Message", exact=True).fill("see for yourself")
        sight.page.get_by_label("Evidence to attach").set_input_files(proof)
        sight.button("Post").click()
        with sight.page.expect_download() as download:
            sight.page.get_by_text("Download evidence").click()
        assert Path(download.value.path()).read_bytes() == proof.read_bytes()


def test_times_are_relative_and_exact_on_hover(start: Start, chromium: Browser) -> None:
    _, room = start_room(start)
    room.say("now")
    with looking(chromium, locale="en-GB", timezone_id="UTC") as sight:
        sight.open(room)
        shown = sight.page.locator(".msg time")
        expect(shown).to_contain_text("s ago")
        assert str(room.log()[0]["ts"])[11:16] in str(shown.get_attribute("title"))
