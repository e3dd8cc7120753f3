"""Each harness that can be set up, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from caucus.harnesses.claude import CLAUDE
from caucus.harnesses.codex import CODEX
from caucus.harnesses.copilot import COPILOT
from caucus.harnesses.cursor import CURSOR
from caucus.harnesses.gemini import GEMINI
from caucus.harnesses.harness import Harness
from caucus.harnesses.opencode import OPENCODE
from caucus.harnesses.pi import PI

HARNESSES: Final[Mapping[str, Harness]] = {
    one.name: one for one in (CLAUDE, CODEX, COPILOT, OPENCODE, GEMINI, PI, CURSOR)
}
