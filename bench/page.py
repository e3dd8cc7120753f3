"""The page over a long room, in Chromium: how soon it shows something, and whether it keeps anybody waiting.

It needs a browser, and what ``make test`` installs beside it.
"""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from ulid import ULID

from bench.servers import DAEMON, TOKENS, Server

ROOM: Final = "long"
WATCH: Final = """
window.longest = 0;
window.firstLine = 0;
new PerformanceObserver(list => {
    for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
}).observe({ type: "longtask", buffered: true });
const look = () => {
    if (document.querySelector(".msg .body")) window.firstLine = performance.now();
    else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""A task is long from 50 ms on; shorter ones are not told of."""
SCROLL: Final = """async step => {
    window.longest = 0;
    const place = document.querySelector(".scroller");
    const started = performance.now();
    let frames = 0;
    for (let at = place.scrollHeight; at > -step && frames < 600; at -= step) {
        place.scrollTop = at;
        await new Promise(requestAnimationFrame);
        frames += 1;
    }
    return { longest: window.longest, frames, seconds: (performance.now() - started) / 1000 };
}"""


def measure(messages: int, rounds: int) -> dict[str, Any]:
    """Medians, and what was longest, of so many visits to a room of so many messages."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - few who measure have it

    found = shutil.which("chromium") or shutil.which("google-chrome")
    with Server("page", [DAEMON]) as server, sync_playwright() as playwright:
        _fill(server.url, messages)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        visits = [_visit(browser, server.url) for _ in range(rounds)]
        browser.close()
    told = {
        "messages": messages,
        "visits": rounds,
        "first_line_ms": round(statistics.median(one["first_line"] for one in visits)),
        "all_ms": round(statistics.median(one["all"] for one in visits)),
        "longest_task_of_loading_ms": round(max(one["loading"] for one in visits)),
        "longest_task_of_scrolling_ms": round(max(one["scrolling"] for one in visits)),
        "longest_task_of_jumping_ms": round(max(one["jumping"] for one in visits)),
        "longest_task_of_searching_ms": round(max(one["searching"] for one in visits)),
        "longest_task_beside_20_a_second_ms": round(max(one["live"] for one in visits)),
        "frames_a_second": round(statistics.median(one["frames"] for one in visits)),
        "heap_mib": round(statistics.median(one["heap"] for one in visits), 1),
    }
    print(json.dumps(told), flush=True)
    return told


def _post(url: str, path: str, bodies: list[dict[str, Any]], pause: threading.Event | None = None) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for body in bodies:
        headers = {"authorization": f"Bearer {TOKENS['bob']}"}
        connection.request("POST", path, json.dumps(body), headers)
        connection.getresponse().read()
        if pause is not None:
            pause.wait(0.05)
    connection.close()


def _said(number: int) -> dict[str, Any]:
    kind = ("note", "finding", "status", "question", "steer")[number % 5]
    body = f"message {number} of the incident, " + "word " * (number % 40)
    return {"type": kind, "msg_id": str(ULID()), "body": body}


def _fill(url: str, messages: int) -> None:
    _post(url, "/channels", [{"channel": ROOM}])
    _post(url, f"/channels/{ROOM}/append", [_said(number) for number in range(messages)])


def _visit(browser: Any, url: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"{url}/#token={TOKENS['alice']}&room={ROOM}")
    page.wait_for_selector(".msg .body")
    page.wait_for_selector("#log .rows[aria-busy='false']")
    seen: dict[str, float] = {"first_line": page.evaluate("window.firstLine")}
    seen["all"] = page.evaluate("performance.now()")
    page.wait_for_timeout(300)
    seen["loading"] = page.evaluate("window.longest")
    slow, fast = page.evaluate(SCROLL, 300), page.evaluate(SCROLL, 15_000)
    seen |= {"scrolling": slow["longest"], "jumping": fast["longest"]}
    seen["frames"] = slow["frames"] / slow["seconds"]
    page.evaluate("window.longest = 0")
    page.get_by_label("Search", exact=True).press_sequentially("message 99")
    page.wait_for_timeout(300)
    seen["searching"] = page.evaluate("window.longest")
    page.get_by_role("button", name="Clear").click()
    page.evaluate("window.longest = 0")
    _post(url, f"/channels/{ROOM}/append", [_said(number) for number in range(40)], threading.Event())
    page.wait_for_timeout(300)
    seen["live"] = page.evaluate("window.longest")
    devtools = context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    seen["heap"] = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
    context.close()
    return seen
