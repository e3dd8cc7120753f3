"""What goes wrong around somebody at the page: nothing of theirs is lost by it, nothing untrue is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import ADMIN, Room, Sight, looking, needs_browser, start_room
from tests.daemon import Start, ask

pytestmark = needs_browser


@pytest.fixture
def room(start: Start) -> Room:
    return start_room(start)[1]


@pytest.fixture
def sight(room: Room, chromium: Browser) -> Iterator[Sight]:
    with looking(chromium, fails=True) as sight:
        yield sight.open(room)


def message(sight: Sight) -> str:
    return sight.page.get_by_label("Message", exact=True).input_value()


def write(sight: Sight, text: str) -> None:
    sight.page.get_by_label("Message", exact=True).fill(text)


def visit(sight: Sight, room: Room) -> None:
    """Go to another room."""
    sight.page.locator("#rooms a", has_text=room.name).click()
    expect(sight.page.locator("#about h2")).to_have_text(room.name)


def test_what_is_typed_while_a_post_is_on_its_way_stays(room: Room, sight: Sight) -> None:
    def late(route: Route) -> None:
        answer = route.fetch()
        sight.page.keyboard.type(" and I go on")
        route.fulfill(response=answer)

    sight.page.route("**/append", late)
    write(sight, "the first")
    sight.page.keyboard.press("Control+Enter")
    sight.until("the first")
    expect(sight.page.get_by_label("Message", exact=True)).to_have_value("and I go on")
    assert [one["body"] for one in room.log()] == ["the first"]


def test_an_answer_that_was_begun_is_one_still_after_a_look_elsewhere(room: Room, sight: Sight) -> None:
    asked = room.say("since when?", "question")["message"]["msg_id"]
    other = Room(room.url, "other").make()
    sight.button("Answer #1").click()
    write(sight, "since 14:02")
    visit(sight, other)
    assert message(sight) == ""
    visit(sight, room)
    assert message(sight) == "since 14:02"
    sight.page.reload()
    sight.until_live()
    sight.button("Post").click()
    sight.until("since 14:02")
    assert room.log()[-1]["reply_to"] == asked


def test_not_an_answer_is_none(room: Room, sight: Sight) -> None:
    room.say("since when?", "question")
    sight.button("Answer #1").click()
    write(sight, "by the way")
    sight.button("Not an answer").click()
    sight.button("Post").click()
    sight.until("by the way")
    said = room.log()[-1]
    assert said["type"] == "note"
    assert not {"to", "reply_to"} & said.keys()


def test_a_draft_is_not_shown_to_somebody_else(room: Room, sight: Sight) -> None:
    write(sight, "of alice")
    sight.button("Sign out").click()
    sight.button("Sign in").click()
    sight.page.get_by_role("dialog").get_by_role("textbox").fill("tok-bob")
    sight.page.keyboard.press("Enter")
    expect(sight.page.locator("#me")).to_contain_text("bob")
    assert message(sight) == ""


def test_a_refused_post_says_why_and_stays(room: Room, sight: Sight) -> None:
    room.say("once", who="alice")
    write(sight, "once")
    sight.button("Post").click()
    expect(sight.page.locator(".writing [role=alert]")).to_contain_text("repeats your last post")
    assert message(sight) == "once"


def test_what_may_have_been_posted_is_not_said_to_be_undone(room: Room, sight: Sight) -> None:
    sight.page.clock.install()
    sight.page.reload()
    sight.until_live()
    tries = []

    def away(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            route.fetch()
            route.abort()
        else:
            error = {"code": "storage_unavailable", "message": "Storage has failed and nothing was written."}
            route.fulfill(status=503, json={"error": error})
            sight.page.clock.fast_forward(11_000)

    sight.page.route("**/append", away)
    write(sight, "once")
    sight.button("Post").click()
    expect(sight.page.locator(".writing [role=alert]")).to_contain_text("not known whether this was written")
    assert (len(set(tries)), [one["body"] for one in room.log()]) == (1, ["once"])


def test_a_name_that_nobody_has_is_told(room: Room, sight: Sight) -> None:
    sight.page.get_by_label("To: names, parted by commas").fill("bobb")
    write(sight, "stop the rollback")
    sight.button("Post").click()
    expect(sight.page.locator("#toasts")).to_contain_text("Nobody here is called bobb")


def test_the_board_says_nothing_before_it_knows(room: Room, sight: Sight) -> None:
    room.take("deploy/prod")
    expect(sight.page.locator("#board")).to_contain_text("deploy/prod")
    broken = [True, True, False]
    sight.page.route(
        "**/claims", lambda route: route.abort() if broken.pop(0) else route.continue_(), times=3
    )
    sight.page.reload()
    sight.until_live()
    expect(sight.page.locator("#board")).to_contain_text("Not known yet")
    expect(sight.page.locator("#board")).not_to_contain_text("Nobody holds")
    expect(sight.page.locator("#board")).to_contain_text("deploy/prod")


def test_a_lease_without_a_date_stops_nothing(room: Room, sight: Sight) -> None:
    claim = {"type": "claim", "msg_id": "0" * 26, "body": "x", "target": "for ever", "lease_ttl": 10**13}
    room.ask("/claim", claim)
    room.take("after it")
    expect(sight.page.locator("#board")).to_contain_text("for ever")
    expect(sight.page.locator("#board")).to_contain_text("after it")


def test_long_runs_of_line_feeds_keep_nobody_waiting(room: Room, sight: Sight) -> None:
    """A quadratic expression takes a third of a second for each: more than a minute, and the time is up."""
    room.say_many([{"type": "note", "body": f"{number}{chr(10) * 15_900}z"} for number in range(200)])
    with sight.page.expect_download() as download:
        sight.button("Export as Markdown").click()
    assert "lines more" in Path(download.value.path()).read_text(encoding="utf-8")


def test_of_a_long_message_no_more_is_laid_out_than_is_seen_until_it_is_asked_for(
    room: Room, sight: Sight
) -> None:
    room.say("\n".join(f"line {number}" for number in range(1, 1501)), "finding")
    body = sight.page.locator(".msg .body")
    expect(body).to_contain_text("line 12")
    assert "line 40" not in body.inner_text()
    sight.button("Show all").click()
    expect(body).to_contain_text("line 1500")
    sight.button("Show less").click()
    expect(body).not_to_contain_text("line 1500")


def test_a_claim_that_is_granted_elsewhere_is_told(room: Room, sight: Sight) -> None:
    held = room.take("deploy/prod")
    sight.button("Wait for it deploy/prod").click()
    sight.page.get_by_label("What you are about to do").fill("next")
    sight.page.keyboard.press("Control+Enter")
    expect(sight.page.locator("#board")).to_contain_text("1 waits for it")
    visit(sight, Room(room.url, "other").make())
    room.ask(f"/claims/{held}/release", {})
    expect(sight.page.locator("#toasts")).to_contain_text("deploy/prod is yours, in incident-42.")


def test_an_offer_is_answered_where_it_is_told_and_is_settled_by_that(room: Room, sight: Sight) -> None:
    claim = room.take("deploy/prod")
    room.ask(f"/claims/{claim}/offer", {"to": {"owner": "alice"}, "note": "you know it"})
    visit(sight, Room(room.url, "other").make())
    inbox = sight.page.locator("#inbox")
    expect(inbox).to_contain_text("deploy/prod")
    sight.button("Accept deploy/prod", "#inbox").click()
    sight.page.keyboard.press("Control+Enter")
    expect(inbox).to_contain_text("Nothing waits for you.")
    assert room.claims()[0]["owner"] == "alice"


def test_a_room_that_is_not_there_is_said_to_be_none(room: Room, sight: Sight) -> None:
    sight.page.evaluate("location.hash = 'room=nope'")
    expect(sight.page.locator("#nothing")).to_have_text("There is no room nope.")
    assert sight.page.locator("textarea").count() == 0
    sight.page.reload()
    sight.until_live()
    expect(sight.page.locator("#nothing")).to_have_text("There is no room nope.")


def test_a_link_leads_to_a_message(room: Room, sight: Sight) -> None:
    room.say_many([{"type": "note", "body": f"number {number}"} for number in range(1, 301)])
    sight.page.evaluate("location.hash = 'room=incident-42&view=log&at=7'")
    sight.page.reload()
    expect(sight.page.locator(".msg:focus .body")).to_have_text("number 7")
    sight.page.get_by_label("Search", exact=True).fill("number 250")
    sight.page.locator(".msg a.cursor", has_text="#250").click()
    expect(sight.page.locator(".msg:focus .body")).to_have_text("number 250")
    expect(sight.page.get_by_label("Search", exact=True)).to_have_value("")


def test_the_place_in_the_log_is_kept_over_a_look_at_the_timeline(room: Room, sight: Sight) -> None:
    room.say_many([{"type": "note", "body": f"number {number}"} for number in range(1, 301)])
    sight.until("number 300")
    sight.page.evaluate("location.hash = 'room=incident-42&view=log&at=100'")
    row = sight.page.locator(".msg[data-cursor='100']")
    expect(row).to_be_focused()
    before = row.bounding_box()
    for view in ("Timeline", "Log"):
        sight.page.locator("#views").get_by_role("link", name=view).click()
        expect(sight.page.locator(f"body[data-view='{view.lower()}']")).to_be_attached()
    assert row.bounding_box() == before


def test_all_of_a_room_is_here_though_the_server_gives_few_at_a_time(start: Start, chromium: Browser) -> None:
    _, room = start_room(start, "--max-read-limit=50")
    room.say_many([{"type": "note", "body": f"number {number}"} for number in range(1, 301)])
    with looking(chromium) as sight:
        sight.open(room)
        sight.until("number 300")
        sight.page.get_by_label("Search", exact=True).fill("number")
        expect(sight.page.locator("#log .found")).to_have_text("300 of 300 messages")


def test_where_reads_need_a_token_a_reload_keeps_it_and_signing_out_shows_nothing(
    start: Start, chromium: Browser
) -> None:
    _, room = start_room(start, "--read-token")
    room.say("for some")
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        sight.page.reload()
        sight.until("for some")
        assert sight.page.locator("dialog").count() == 0
        sight.button("Sign out").click()
        expect(sight.button("Sign in")).to_be_attached()
        expect(sight.page.locator("#board")).not_to_contain_text("held")


def test_a_link_with_a_token_asks_before_somebody_becomes_somebody_else(room: Room, sight: Sight) -> None:
    sight.page.evaluate("location.hash = 'token=tok-bob'")
    expect(sight.page.get_by_role("dialog")).to_contain_text("You are alice/alice-laptop")
    assert "tok-" not in sight.page.url
    sight.page.keyboard.press("Escape")
    expect(sight.page.locator("#me")).to_contain_text("alice")


def test_without_a_store_in_the_browser_one_can_sign_in(room: Room, chromium: Browser) -> None:
    with looking(chromium) as sight:
        sight.page.add_init_script(
            """for (const name of ["localStorage", "sessionStorage"])
                Object.defineProperty(window, name, { get() { throw new DOMException("no"); } });"""
        )
        sight.open(room)
        expect(sight.page.locator("#me")).to_contain_text("alice/alice-laptop")
        sight.button("Help, and the keys").click()
        expect(sight.page.get_by_role("dialog")).to_contain_text("Keys")


def test_a_post_that_hangs_in_one_room_stops_none_in_another(room: Room, sight: Sight) -> None:
    other = Room(room.url, "other").make()
    sight.page.route("**/incident-42/append", lambda route: None)
    write(sight, "it hangs")
    sight.button("Post").click()
    visit(sight, other)
    write(sight, "it does not")
    sight.button("Post").click()
    sight.until("it does not")
    visit(sight, room)
    assert message(sight) == "it hangs"
    expect(sight.button("Sending…")).to_be_disabled()


def test_what_somebody_marks_holds_up_nothing_of_another_room(room: Room, sight: Sight) -> None:
    room.take("deploy/prod", note="markable")
    sight.page.locator("#board").get_by_text("markable").dblclick()
    visit(sight, Room(room.url, "other").make())
    expect(sight.page.locator("#board")).to_contain_text("Nobody holds anything.")


def test_a_token_that_is_revoked_meanwhile_is_asked_for_anew(room: Room, sight: Sight) -> None:
    given = {"agent_id": "dave-laptop", "owner": "dave"}
    token = ask(f"{room.url}/admin/tokens", given, ADMIN)["token"]
    sight.page.goto("about:blank")
    sight.page.goto(f"{room.url}/#room={room.name}")
    sight.page.evaluate("sessionStorage.clear()")
    sight.page.goto("about:blank")
    sight.page.goto(f"{room.url}/#room={room.name}&token={token}")
    expect(sight.page.locator("#me")).to_contain_text("dave")
    ask(f"{room.url}/admin/tokens/revoke", {"agent_id": "dave-laptop"}, ADMIN)
    room.say("to dave", to=["dave"])
    dialog = sight.page.get_by_role("dialog")
    expect(dialog).to_contain_text("not good here, or not any more")
    sight.page.keyboard.press("Escape")
    expect(sight.button("Sign in")).to_be_visible()
    expect(dialog).to_have_count(0)


def test_every_answer_in_the_inbox_is_to_its_own_message(room: Room, sight: Sight) -> None:
    other = Room(room.url, "other").make()
    asked = other.say("the first here", "question", to=["alice"])["message"]["msg_id"]
    other.say_many([{"type": "note", "body": f"number {number}"} for number in range(300)])
    sight.button("Answer other #1", "#inbox").click()
    expect(sight.page.locator(".replied")).to_contain_text("the first here")
    write(sight, "an answer")
    sight.button("Post").click()
    sight.until("an answer")
    assert other.log()[-1]["reply_to"] == asked
