"""Journals: where a backbone's state lives. ``scheme:rest`` names one, and a plug-in opens it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.plugin import getPlugins

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory
from caucus.model.text import excerpt

_log = Logger("caucus.journals")


def installed_journals() -> dict[str, IJournalFactory]:
    """The journal factories that ``twisted.plugin`` finds, by scheme, sorted.

    Raises `ConfigurationError` if two claim one scheme: which one would win is nobody's guess.
    """
    return _by_scheme(getPlugins(IJournalFactory))


def open_journal(description: str, reactor: Any, clock: IReactorTime) -> Deferred[IJournal]:
    """Open the journal that ``description``, a ``scheme:rest``, names.

    Fails with `ConfigurationError`, which names the installed schemes if this one is not.
    """
    scheme, colon, rest = description.partition(":")
    try:
        installed = installed_journals()
        if not colon or scheme not in installed:
            shown = f"{scheme}:" if colon else description  # a password may come behind it
            known = ", ".join(f"{name}:" for name in installed)
            raise ConfigurationError(
                f"--journal {excerpt(shown)!r}: no such scheme is installed; installed are {known}"
            )
    except ConfigurationError as error:
        return fail(error)
    return Deferred.fromCoroutine(_open(installed[scheme], rest, reactor, clock))


async def _open(factory: IJournalFactory, rest: str, reactor: Any, clock: IReactorTime) -> IJournal:
    try:
        return await factory.open(rest, reactor, clock)
    except (ConfigurationError, CancelledError):
        raise
    except Exception as error:  # a plug-in fails in its own way
        _log.failure("The journal {scheme}: failed to open", scheme=factory.scheme)
        raise ConfigurationError(f"--journal {factory.scheme}: failed to open: {error}") from error


def _by_scheme(factories: Iterable[IJournalFactory]) -> dict[str, IJournalFactory]:
    found: dict[str, IJournalFactory] = {}
    for factory in factories:
        if factory.scheme in found:
            raise ConfigurationError(f"two installed journals have the scheme {factory.scheme}:")
        found[factory.scheme] = factory
    return dict(sorted(found.items()))
