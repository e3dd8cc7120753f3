"""The page's files, as they are served: which, to whom, under which policy, and how much of them."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path

import pytest

from caucus.agents.quoting import UNSEEN
from caucus.web.page.files import files
from tests.daemon import BIN
from tests.raw import Answer, Edge, make_edge

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
STATIC = {one.name: one.read_text("utf-8") for one in (resources("caucus.web.page") / "static").iterdir()}
SCRIPTS = {name: text for name, text in STATIC.items() if name.endswith(".js")}
ROOT = Path(__file__).parent.parent
LINTER = BIN.parent / "npm" / "node_modules" / ".bin" / "eslint"
MOST_BYTES = 60_000


@pytest.fixture
def edge() -> Edge:
    return make_edge()


def ask(edge: Edge, target: str, headers: Mapping[str, str] = HTML, method: str = "GET") -> Answer:
    return edge.ask(method, target, headers=tuple(headers.items()))


def part(name: str, version: str = "") -> str:
    return f"/page/{version or files().version}/{name}"


@pytest.mark.parametrize("accept", ["text/html", "TEXT/HTML;q=0.8", "application/json, text/html;level=1"])
def test_whoever_names_html_gets_the_page(edge: Edge, accept: str) -> None:
    answer = ask(edge, "/", {"Accept": accept})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("accept", ["*/*", "text/*", "application/json", "text/html-x", ""])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_for_others_nothing_is_there(edge: Edge, accept: str, method: str) -> None:
    answer = ask(edge, "/", {"Accept": accept}, method)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("target", ["/", part("app.js")])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_another_method_is_405_and_says_so(edge: Edge, method: str, target: str) -> None:
    answer = ask(edge, target, HTML, method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("target", ["/?room=x", "//", "/?room=x&y=%ZZ"])
def test_the_query_and_empty_segments_do_not_matter(edge: Edge, target: str) -> None:
    assert ask(edge, target).status == 200


@pytest.mark.parametrize(
    "name", ["index.html", "nope.js", "..%2Ffiles.py", "%2e%2e", "app.js%00", "app.js/x", "page.css%2F"]
)
def test_no_other_file_is_served(edge: Edge, name: str) -> None:
    assert ask(edge, part(name)).status == 404


def test_a_stranger_gets_no_page(edge: Edge) -> None:
    assert ask(edge, "http://elsewhere.invalid/").status == 421
    assert ask(edge, "/", {**HTML, "Origin": "http://elsewhere.invalid"}).status == 403


def test_the_page_may_run_and_ask_only_what_came_with_it(edge: Edge) -> None:
    headers = ask(edge, "/").headers
    policy = dict(one.strip().partition(" ")[::2] for one in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize("target", ["/", part("app.js"), part("page.css"), part("icon.svg")])
def test_every_file_is_for_this_origin_alone(edge: Edge, target: str) -> None:
    headers = ask(edge, target).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accepted", "packs"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("gzip;q=0.0, br", False), ("", False)],
)
def test_it_is_packed_for_whoever_can_unpack_it(edge: Edge, accepted: str, packs: bool) -> None:
    answer = ask(edge, part("app.js"), {"Accept-Encoding": accepted})
    assert ("content-encoding" in answer.headers) == packs
    plain = gzip.decompress(answer.body) if packs else answer.body
    assert plain.decode() == SCRIPTS["app.js"]
    assert "Accept-Encoding" in answer.headers["vary"]


def test_parts_of_this_version_are_kept_for_ever_and_the_page_is_asked_for_anew(edge: Edge) -> None:
    assert "immutable" in ask(edge, part("app.js")).headers["cache-control"]
    assert ask(edge, "/").headers["cache-control"] == "no-cache"
    assert ask(edge, part("app.js", "0123")).headers["cache-control"] == "no-cache"


def test_the_page_names_every_part_so_that_all_are_fetched_at_once(edge: Edge) -> None:
    named = re.findall(r'(?:href|src)="page/[0-9a-f]{16}/([^"]+)"', ask(edge, "/").body.decode())
    assert sorted(named) == sorted(files().parts)


def test_every_part_that_is_imported_is_there() -> None:
    imported = {one for text in SCRIPTS.values() for one in re.findall(r'from "\./(.*?)"', text)}
    assert imported == SCRIPTS.keys() - {"app.js"}


def test_the_page_has_at_most_sixty_kilobytes(edge: Edge) -> None:
    packed = {"Accept-Encoding": "gzip", **HTML}
    sizes = {name: len(ask(edge, part(name), packed).body) for name in files().parts}
    assert sum(sizes.values()) + len(ask(edge, "/", packed).body) <= MOST_BYTES


def test_no_script_reads_html_and_no_style_stands_in_the_page() -> None:
    for text in SCRIPTS.values():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|Function\(", text
        )
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", STATIC["index.html"])


@pytest.mark.skipif(not LINTER.exists(), reason="eslint is not there: `make test` installs it")
def test_no_script_names_what_is_not_there_or_what_nobody_uses() -> None:
    config = ROOT / "tests" / "npm" / "eslint.config.mjs"
    command: list[str | Path] = [
        LINTER,
        "--config",
        config,
        ROOT / "caucus" / "web" / "page" / "static" / "*.js",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_leaves_out_what_the_terminal_leaves_out() -> None:
    (found,) = re.findall(r"const UNSEEN = new RegExp\(\n\s*(.*?),\n\s*\"gu\"", SCRIPTS["dom.js"], re.DOTALL)
    text = "".join(re.findall(r'"(.*?)"', found)).replace("\\\\", "\\")
    written = re.sub(r"\\u\{([0-9a-f]+)\}", lambda one: chr(int(one[1], 16)), text)
    written = re.sub(r"\\[ux]([0-9a-f]{2,4})", lambda one: chr(int(one[1], 16)), written)
    assert written == UNSEEN
