"""Journals: where a backbone's state lives. ``scheme:rest`` names one, and a plug-in opens it."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import getPlugins

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory


def installed_journals() -> dict[str, IJournalFactory]:
    """The journal factories that ``twisted.plugin`` finds, by scheme, sorted.

    Raises `ConfigurationError` if two claim one scheme: which one would win is nobody's guess.
    """
    return _by_scheme(getPlugins(IJournalFactory))


def open_journal(description: str, clock: IReactorTime) -> Deferred[IJournal]:
    """Open the journal that ``description``, a ``scheme:rest``, names.

    Fails with `ConfigurationError`, which names the installed schemes if this one is not.
    """
    scheme, colon, rest = description.partition(":")
    try:
        installed = installed_journals()
        if not colon or scheme not in installed:
            known = ", ".join(f"{name}:" for name in installed)
            raise ConfigurationError(f"--journal must begin with an installed scheme; installed are {known}")
    except ConfigurationError as error:
        return fail(error)
    return installed[scheme].open(rest, clock)


def _by_scheme(factories: Iterable[IJournalFactory]) -> dict[str, IJournalFactory]:
    found: dict[str, IJournalFactory] = {}
    for factory in factories:
        if factory.scheme in found:
            raise ConfigurationError(f"two installed journals have the scheme {factory.scheme}:")
        found[factory.scheme] = factory
    return dict(sorted(found.items()))
