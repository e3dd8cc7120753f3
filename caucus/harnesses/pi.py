"""pi: an extension of our own, which has the tools and tells the news, since pi has no MCP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from caucus.harnesses.files import Change, own
from caucus.harnesses.harness import Harness, Told, plugin


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    base = Path(environment.get("PI_CODING_AGENT_DIR") or home / ".pi" / "agent")
    return own(base / "extensions" / "caucus.ts", None if told is None else plugin("pi.ts", told))


PI: Final = Harness("pi", "pi", plan, ("pi", "session_start"))
