"""The ``caucus-backbone`` command: standard streams are seen to before anything else is imported.

Importing Klein makes a reactor, whose descriptors would take the numbers of streams that are closed.
"""

from __future__ import annotations

from contextlib import suppress

from caucus.standard import occupy_closed


def main() -> None:
    """Run the daemon until it is stopped."""
    occupy_closed()
    from twisted.internet.error import ReactorAlreadyInstalledError  # noqa: PLC0415  # not before that

    from caucus.reactor import install  # noqa: PLC0415

    with suppress(ImportError, ReactorAlreadyInstalledError):
        install()
    from caucus.tap import main as run  # noqa: PLC0415  # what this imports would install another

    run()
