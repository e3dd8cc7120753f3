"""A real browser that looks at the page, and what went wrong in it; and other clients beside it."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
from attrs import Factory, define
from playwright.sync_api import Browser, BrowserContext, Page, Playwright
from ulid import ULID

from tests.daemon import Daemon, Start, ask

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
TOKENS: Final = (
    "tok-alice:alice-laptop:alice,tok-alice2:alice-phone:alice,"
    "tok-bob:bob-laptop:bob,tok-carol:carol-laptop:carol"
)
ADMIN: Final = "the-admin-token"
PLENTY: Final = ("--max-posts-per-minute=1000000", "--max-channel-creates-per-minute=1000")
MILLISECONDS: Final = 15_000
WIDE: Final = {"width": 1440, "height": 900}

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: `make test` as root installs Debian's"
)


def launch(playwright: Playwright) -> Browser:
    """Chromium without a window; as root it has no sandbox."""
    options = ["--no-sandbox", "--disable-dev-shm-usage"]
    return playwright.chromium.launch(executable_path=CHROMIUM, args=options)


@define
class Room:
    """A daemon's room, as clients that are no browser use it."""

    url: str
    name: str = "incident-42"
    _numbers: Iterator[int] = Factory(count)

    def ask(self, path: str, body: object = None, who: str = "bob") -> Any:
        """What the room answers to somebody."""
        return ask(f"{self.url}/channels/{self.name}{path}", body, f"tok-{who}")

    def make(self, purpose: str = "login 500s since the deploy", who: str = "alice") -> Room:
        """Create it."""
        ask(f"{self.url}/channels", {"channel": self.name, "purpose": purpose}, f"tok-{who}")
        return self

    def say(self, body: str, kind: str = "note", who: str = "bob", **fields: Any) -> dict[str, Any]:
        """Post a message; the answer, with the message's id."""
        message = {"type": kind, "msg_id": str(ULID()), "body": body, **fields}
        answer: dict[str, Any] = self.ask("/append", message, who)
        return answer

    def say_many(self, messages: Sequence[dict[str, Any]], who: str = "bob") -> None:
        """Post many, one after the other, over one connection."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        headers = {"authorization": f"Bearer tok-{who}"}
        for message in messages:
            body = json.dumps({"msg_id": str(ULID()), **message})
            connection.request("POST", f"/channels/{self.name}/append", body, headers)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 201, told
        connection.close()

    def take(self, *targets: str, who: str = "bob", note: str = "on it", **fields: Any) -> int:
        """Claim targets with a lease; the claim's number."""
        answer = self.ask("/claims", {"targets": targets, "note": note, **fields}, who)
        return int(answer["claim"]["claim"])

    def claims(self) -> list[dict[str, Any]]:
        """The board."""
        found: list[dict[str, Any]] = self.ask("/claims")["claims"]
        return found

    def log(self) -> list[dict[str, Any]]:
        """Every message."""
        found: list[dict[str, Any]] = self.ask("/read", {"cursor": 0, "limit": 500})["messages"]
        return found


def start_room(start: Start, *options: str, **environment: str) -> tuple[Daemon, Room]:
    """A daemon with a room in it."""
    given = {"CAUCUS_TOKENS": TOKENS, "CAUCUS_ADMIN_TOKEN": ADMIN, **environment}
    daemon = start("caucus-backbone", *PLENTY, *options, **given)
    (url,) = daemon.until_listening()
    return daemon, Room(url).make()


@define
class Sight:
    """The page, in a window of the browser; ``troubles`` went wrong in it, and ``asked`` is whom it asked."""

    page: Page
    context: BrowserContext
    troubles: list[str] = Factory(list)
    asked: list[str] = Factory(list)

    def watch(self) -> None:
        """Keep what goes wrong."""
        self.page.on("console", lambda one: self._hear(f"{one.type}: {one.text}", one.type))
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("request", lambda one: self.asked.append(one.url))

    def _hear(self, text: str, kind: str) -> None:
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.troubles.append(text)

    def open(self, room: Room, who: str = "alice", view: str = "log") -> Sight:
        """Show a room, with somebody's token in the address or with none, and wait until it is live."""
        given = {"room": room.name, "view": view} | ({"token": f"tok-{who}"} if who else {})
        self.page.goto(f"{room.url}/#{urlencode(given)}")
        self.until_live()
        return self

    def until_live(self) -> None:
        """Wait for the connection."""
        self.page.wait_for_selector("#connection.live")

    def until(self, text: str, within: str = "#log .rows") -> None:
        """Wait until something is shown."""
        self.page.locator(within).get_by_text(text).first.wait_for()

    def bodies(self) -> list[str]:
        """What the messages say that are in the document, in their order."""
        found: list[str] = self.page.eval_on_selector_all(
            ".msg .body", "all => all.map(one => one.textContent)"
        )
        return found

    def button(self, name: str, within: str = "body") -> Any:
        """The button with exactly this name."""
        return self.page.locator(within).get_by_role("button", name=name, exact=True)


@contextmanager
def looking(browser: Browser, *, fails: bool = False, **options: Any) -> Iterator[Sight]:
    """A window of its own, which had no trouble in the end."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(MILLISECONDS)
    sight = Sight(context.new_page(), context)
    sight.watch()
    try:
        yield sight
        assert fails or not sight.troubles
    finally:
        context.close()
