"""Caucus: the coordination backbone that engineers and their AI agents share during an incident.

The names are looked up when they are first used (PEP 562): Klein imports a reactor, and
``import caucus`` must not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caucus.client.backbone import HTTPBackbone as HTTPBackbone
    from caucus.core.backbone import Backbone as Backbone
    from caucus.errors import CaucusError as CaucusError, ConfigurationError as ConfigurationError
    from caucus.interfaces import (
        IBackbone as IBackbone,
        IClaims as IClaims,
        IJournal as IJournal,
        IJournalFactory as IJournalFactory,
    )
    from caucus.journals.memory import MemoryJournal as MemoryJournal
    from caucus.limits import Limits as Limits
    from caucus.model.claims import Claim as Claim, Conflicting as Conflicting, Taken as Taken
    from caucus.model.messages import Message as Message
    from caucus.model.records import (
        AlreadyClaimed as AlreadyClaimed,
        Appended as Appended,
        Descriptor as Descriptor,
        Granted as Granted,
        Identity as Identity,
        NotHeld as NotHeld,
        Page as Page,
    )
    from caucus.model.wanted import Wanted as Wanted
    from caucus.server import Server as Server, start_server as start_server

_HOMES = {
    "AlreadyClaimed": "model.records",
    "Appended": "model.records",
    "Backbone": "core.backbone",
    "CaucusError": "errors",
    "ConfigurationError": "errors",
    "Claim": "model.claims",
    "Conflicting": "model.claims",
    "Descriptor": "model.records",
    "Granted": "model.records",
    "HTTPBackbone": "client.backbone",
    "IBackbone": "interfaces",
    "IClaims": "interfaces",
    "IJournal": "interfaces",
    "IJournalFactory": "interfaces",
    "Identity": "model.records",
    "Limits": "limits",
    "MemoryJournal": "journals.memory",
    "Message": "model.messages",
    "NotHeld": "model.records",
    "Page": "model.records",
    "Server": "server",
    "Taken": "model.claims",
    "Wanted": "model.wanted",
    "start_server": "server",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
