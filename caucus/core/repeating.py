"""A request that comes again is answered as it was the first time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.core.durable import once_durable
from caucus.errors import IdempotencyMismatch
from caucus.model.events import RequestKey
from caucus.model.records import Answer


def once(core: Core, request: RequestKey, operation: Callable[[], Deferred[Answer]]) -> Deferred[Answer]:
    try:
        known = core.state.answered.find(request, core.clock.now())
    except IdempotencyMismatch:
        return once_durable(core.journal, Failure(), core.journal.position)
    if known is not None:
        return once_durable(core.journal, core.state.answer_at(known.place), known.position)
    core.request = request
    try:
        return operation()
    finally:
        core.request = None
