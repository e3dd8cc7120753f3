"""Make the README's picture: the demo's story, as the page shows it to alice.

It needs Chromium and what `make test` installs: .venv/bin/python scripts/picture.py
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "page.png"
BANNER = "caucus-backbone listening on "
SIZE: ViewportSize = {"width": 1280, "height": 760}


def main() -> None:
    tokens = {owner: secrets.token_hex(8) for owner in ("alice", "bob", "carol")}
    entries = ",".join(f"{tokens[one]}:{one}-agent:{one}" for one in tokens)
    command = [str(Path(sys.executable).with_name("caucus-backbone")), "--port=0", "--journal=memory:"]
    environment = {**os.environ, "CAUCUS_TOKENS": entries}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix(BANNER).strip()
        demo = [sys.executable, str(ROOT / "scripts" / "demo.py")]
        subprocess.run(demo, env={**environment, "CAUCUS_URL": url}, check=True, stdout=subprocess.DEVNULL)
        take(f"{url}/#token={tokens['alice']}")
    finally:
        server.terminate()
        server.wait()


def take(url: str) -> None:
    """Take the picture, once the page is live and has all of the story."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=1.5, color_scheme="light")
        page.goto(url)
        page.wait_for_selector("#connection.live")
        page.get_by_text("the test is green").wait_for()
        page.locator("#people li").nth(2).wait_for()
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
