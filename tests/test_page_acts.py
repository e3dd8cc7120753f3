"""Everything that a person can do on the page, by mouse and by keyboard alone, in a real browser."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from attrs import evolve, frozen
from playwright.sync_api import Browser, Locator, expect

from tests.browser import ADMIN, Room, Sight, looking, needs_browser, start_room
from tests.daemon import Start, ask
from tests.hands import HANDS, Hands

pytestmark = needs_browser


@frozen
class Person:
    """Alice at the page, and what she works it with."""

    sight: Sight
    room: Room
    hands: Hands

    def press(self, name: str, within: str = "body") -> None:
        """Use the button with this name."""
        self.hands.press(self.sight.button(name, within))

    def write(self, label: str, text: str, within: str = "dialog") -> None:
        """Fill in the field with this label."""
        self.hands.fill(self.sight.page.locator(within).get_by_label(label, exact=True), text)

    def tick(self, label: str) -> None:
        """Change the box with this label."""
        self.hands.press(self.sight.page.locator("dialog").get_by_label(label, exact=True))

    def send(self, name: str, within: str = "dialog") -> None:
        """Send the form with this button."""
        self.hands.send(self.sight.button(name, within))

    def until_done(self) -> None:
        """Wait until the dialog is gone, as it is once it is known what became of what it asked for."""
        expect(self.sight.page.locator("dialog")).to_have_count(0)

    def board(self) -> Locator:
        """What the board shows."""
        return self.sight.page.locator("#board .cards > li")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    start = Start(tmp_path_factory.mktemp("acts"))
    daemon, room = start_room(start)
    yield room.url
    daemon.end()


numbers = count()


@pytest.fixture(params=list(HANDS))
def alice(url: str, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Person]:
    room = Room(url, f"room-{next(numbers)}").make()
    with looking(chromium) as sight:
        sight.open(room)
        yield Person(sight, room, HANDS[request.param](sight.page))


def last(room: Room) -> dict[str, object]:
    return room.log()[-1]


def test_she_posts(alice: Person) -> None:
    alice.write("Message", "the pool is full", "#log")
    alice.send("Post", "#log")
    alice.sight.until("the pool is full")
    assert last(alice.room)["type"] == "note"
    assert alice.sight.page.get_by_label("Message", exact=True).input_value() == ""


def test_she_steers_somebody(alice: Person) -> None:
    page = alice.sight.page
    alice.hands.choose(page.get_by_label("Type").last, "▲ steer")
    alice.write("To: names, parted by commas", "bob, carol-laptop", "#log")
    alice.write("Message", "roll back first", "#log")
    alice.send("Post", "#log")
    alice.sight.until("roll back first")
    said = last(alice.room)
    assert (said["type"], said["to"]) == ("steer", ["bob", "carol-laptop"])


def test_she_answers(alice: Person) -> None:
    asked = alice.room.say("since when?", "question", to=["alice"])
    alice.press("Answer #1")
    alice.write("Message", "since 14:02", "#log")
    alice.send("Post", "#log")
    alice.sight.until("since 14:02")
    said = last(alice.room)
    assert (said["type"], said["reply_to"]) == ("answer", asked["message"]["msg_id"])
    expect(alice.sight.page.locator("#inbox")).to_contain_text("Nothing waits")


def test_she_acknowledges_what_is_owed_to_her(alice: Person) -> None:
    alice.room.say("mind the gap", "steer", to=["alice-laptop"])
    expect(alice.sight.page.locator("#inbox-count")).to_have_text(" 1")
    alice.press(f"Acknowledge {alice.room.name} #1", "#inbox")
    expect(alice.sight.page.locator("#inbox")).to_contain_text("Nothing waits")
    told = alice.room.ask("/messages/1")
    assert told["receipts"][0]["state"] == "acked"


def test_she_claims_several_targets(alice: Person) -> None:
    alice.press("Claim…")
    alice.write("Targets, one a line", "src/auth/\ndeploy/prod")
    alice.write("What you are about to do", "moving the check")
    alice.send("Claim")
    alice.until_done()
    expect(alice.board()).to_contain_text("15 min left")
    (claim,) = alice.room.claims()
    assert (claim["owner"], claim["targets"]) == ("alice", ["src/auth/", "deploy/prod"])


def test_a_claim_that_is_lost_says_who_holds_it_and_she_waits_in_line(alice: Person) -> None:
    held = alice.room.take("deploy/prod")
    alice.press("Claim…")
    alice.write("Targets, one a line", "deploy/prod")
    alice.write("What you are about to do", "the same")
    alice.send("Claim")
    expect(alice.sight.page.locator("dialog [role=alert]")).to_contain_text("bob/bob-laptop")
    alice.tick("Wait in line if it is held")
    alice.send("Claim")
    alice.until_done()
    expect(alice.sight.page.locator("#board")).to_contain_text("1 held, 1 waiting")
    alice.room.ask(f"/claims/{held}/release", {})
    expect(alice.sight.page.locator("#toasts")).to_contain_text("deploy/prod is yours, in")
    assert alice.room.claims()[0]["owner"] == "alice"


def test_she_stands_in_line_from_the_board(alice: Person) -> None:
    alice.room.take("deploy/prod")
    alice.press("Wait for it deploy/prod", "#board")
    alice.write("What you are about to do", "after you")
    alice.send("Claim")
    alice.until_done()
    expect(alice.board().last).to_contain_text("waits, 1 ahead")
    alice.press("Leave the line deploy/prod", "#board")
    alice.send("Leave")
    alice.until_done()
    expect(alice.board()).to_have_count(1)


def test_she_releases_what_she_holds(alice: Person) -> None:
    alice.room.take("src/auth/", who="alice")
    alice.press("Release src/auth/", "#board")
    alice.write("How it went", "it is moved")
    alice.send("Release")
    alice.until_done()
    assert alice.room.claims() == []
    assert last(alice.room)["body"] == "it is moved"


def test_she_releases_what_was_claimed_the_old_way(alice: Person) -> None:
    alice.room.ask("/claim", {"type": "claim", "msg_id": "0" * 26, "body": "x", "target": "repro"}, "alice")
    alice.press("Release repro", "#board")
    alice.send("Release")
    alice.until_done()
    assert alice.room.claims() == []


def test_she_hands_over_and_it_is_accepted(alice: Person) -> None:
    claim = alice.room.take("src/auth/", who="alice")
    alice.press("Hand over src/auth/", "#board")
    alice.write("To whom (the human)", "bob")
    alice.write("What they need to know", "half done")
    alice.send("Offer")
    expect(alice.sight.page.locator("dialog [role=alert]")).to_contain_text("Nobody of that name was seen")
    alice.send("Offer")
    alice.until_done()
    expect(alice.board()).to_contain_text("offered to bob")
    alice.room.ask(f"/claims/{claim}/accept", {}, "bob")
    expect(alice.board()).to_contain_text("bob/bob-laptop")


def test_she_accepts_what_is_offered_to_her(alice: Person) -> None:
    claim = alice.room.take("src/auth/")
    alice.room.ask(f"/claims/{claim}/offer", {"to": {"owner": "alice"}})
    alice.press("Accept src/auth/", "#board")
    alice.send("Accept")
    alice.until_done()
    assert alice.room.claims()[0]["owner"] == "alice"


def test_she_declines_what_is_offered_to_her(alice: Person) -> None:
    claim = alice.room.take("src/auth/")
    alice.room.ask(f"/claims/{claim}/offer", {"to": {"owner": "alice"}})
    alice.press("Decline src/auth/", "#board")
    alice.write("Why", "no time")
    alice.send("Decline")
    alice.until_done()
    assert last(alice.room)["body"] == "no time"


def test_she_takes_over_what_her_other_session_holds(alice: Person) -> None:
    alice.room.take("src/auth/", who="alice2")
    alice.press("Take over src/auth/", "#board")
    alice.write("What you are about to do", "going on here")
    alice.send("Take over")
    alice.until_done()
    assert alice.room.claims()[0]["agent_id"] == "alice-laptop"


def test_she_frees_what_somebody_holds_for_a_reason(alice: Person) -> None:
    alice.room.take("deploy/prod")
    alice.press("Free deploy/prod", "#board")
    alice.write("Why (everybody reads it)", "bob is asleep")
    alice.send("Free it")
    alice.until_done()
    assert alice.room.claims() == []
    assert last(alice.room)["body"] == "bob is asleep"


def test_she_makes_a_room(alice: Person) -> None:
    alice.press("New room…")
    alice.write("Name", f"{alice.room.name}-b")
    alice.write("What it is about", "what came after")
    alice.send("Make it")
    alice.until_done()
    expect(alice.sight.page.locator("#about")).to_contain_text("what came after")
    assert evolve(alice.room, name=f"{alice.room.name}-b").ask("")["created_by"] == "alice"


@pytest.mark.parametrize("kind", ["Markdown", "JSON Lines"])
def test_she_takes_the_story_with_her(alice: Person, kind: str) -> None:
    alice.room.say("the pool is full", "finding")
    alice.sight.until("the pool is full")
    with alice.sight.page.expect_download() as download:
        alice.press(f"Export as {kind}")
    story = Path(download.value.path()).read_text(encoding="utf-8")
    if kind == "Markdown":
        assert "## Findings" in story
    else:
        (line,) = map(json.loads, story.splitlines())
        assert (line["cursor"], line["message"]) == (1, last(alice.room))


def test_whoever_has_the_admin_token_makes_and_revokes_tokens(alice: Person) -> None:
    page = alice.sight.page
    alice.hands.press(page.locator("#views").get_by_role("link", name="Admin"))
    alice.write("Admin token", ADMIN, "#admin")
    alice.press("Use it", "#admin")
    made = page.get_by_role("region", name="Make a token")
    name = f"dave-{alice.room.name}"
    alice.hands.fill(made.get_by_label("Agent (the session)"), name)
    alice.hands.fill(made.get_by_label("Owner (the human)"), "dave")
    alice.press("Make it", "#admin")
    token = page.locator(".secret").text_content() or ""
    assert ask(f"{alice.room.url}/whoami", token=token)["agent_id"] == name
    alice.write("All of an agent", name, "#admin")
    alice.press("Revoke", "#admin")
    expect(page.locator("#toasts")).to_contain_text("Revoked.")
    with pytest.raises(urllib.error.HTTPError):
        ask(f"{alice.room.url}/whoami", token=token)


def test_the_admin_token_is_kept_nowhere(alice: Person) -> None:
    page = alice.sight.page
    alice.hands.press(page.locator("#views").get_by_role("link", name="Admin"))
    alice.write("Admin token", ADMIN, "#admin")
    alice.press("Use it", "#admin")
    page.get_by_role("region", name="Make a token").wait_for()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")
    assert ADMIN not in kept
