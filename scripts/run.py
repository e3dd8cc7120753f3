"""`make run`: start the backbone and say how to use it.

Tokens for alice, bob and carol are made up unless CAUCUS_TOKENS is set; those are never printed.
What is said is kept in caucus.db, here, unless CAUCUS_JOURNAL says otherwise.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

BANNER = "caucus-backbone listening on "
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def main() -> int:
    environment = dict(os.environ)
    environment["CAUCUS_JOURNAL"] = environment.get("CAUCUS_JOURNAL") or "sqlite:caucus.db"
    throwaway = not environment.get("CAUCUS_TOKENS")
    if throwaway:
        tokens = {owner: secrets.token_hex(8) for owner in ("alice", "bob", "carol")}
        environment["CAUCUS_TOKENS"] = ",".join(f"{tokens[one]}:{one}-agent:{one}" for one in tokens)
    command = [str(Path(sys.executable).with_name("caucus-backbone")), *sys.argv[1:]]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        server.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the server as well
    assert server.stdout is not None
    told = False
    for line in server.stdout:
        print(line, end="", flush=True)
        url = line.removeprefix(BANNER).strip()
        if line.startswith(BANNER) and url.startswith("http://") and not told:
            told = True
            tell(url, environment["CAUCUS_TOKENS"] if throwaway else "")
    return server.wait()


def tell(url: str, tokens: str) -> None:
    """Print where the page is, three commands that work when pasted, and how to play the demo here."""
    token = tokens.partition(":")[0] or "${CAUCUS_TOKENS%%:*}"
    bearer = f'-H "authorization: Bearer {token}"'
    claim = f'{{"type":"claim","msg_id":"{ULID}","body":"on it","target":"auth-timeout repro"}}'
    given = f"CAUCUS_TOKENS={tokens}" if tokens else 'CAUCUS_TOKENS="$CAUCUS_TOKENS"'
    print(
        f"""
{pages(url, tokens)}Create a channel, claim a piece of work in it, read what was said:

  curl {bearer} {url}/channels -d '{{"channel":"war-room","purpose":"login 500s"}}'
  curl {bearer} {url}/channels/war-room/claim -d '{claim}'
  curl {url}/channels/war-room/read -d '{{"cursor":0}}'

{logins(url, tokens)}Or play the whole story, from another terminal:

  make demo CAUCUS_URL={url} {given}
""",
        flush=True,
    )


def pages(url: str, tokens: str) -> str:
    """Where a browser shows the rooms, as each of those whose tokens are made up, or as nobody."""
    if not tokens:
        return f"See the rooms in a browser, which asks for a token:\n\n  {url}/\n\n"
    entries = (entry.split(":") for entry in tokens.split(","))
    lines = [f"  {url}/#token={token}   {owner}" for token, _, owner in entries]
    return "\n".join(["See the rooms in a browser, as one of them:", "", *lines, "", ""])


def logins(url: str, tokens: str) -> str:
    """How to be each of those whose tokens are made up, which end with this process."""
    if not tokens:
        return ""
    lines = ["Be alice, bob or carol in a terminal, as long as this runs:", ""]
    for entry in tokens.split(","):
        token, _, who = entry.split(":")
        lines.append(f"  echo {token} | .venv/bin/caucus login {url} --name {who}")
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    sys.exit(main())
