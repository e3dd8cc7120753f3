"""The ``caucus-backbone`` command: standard streams are seen to before anything else is imported.

Importing Klein makes a reactor, whose descriptors would take the numbers of streams that are closed.
"""

from __future__ import annotations

from caucus.standard import occupy_closed


def main() -> None:
    """Run the daemon until it is stopped."""
    occupy_closed()
    from caucus.tap import main as run  # noqa: PLC0415  # not before that

    run()
