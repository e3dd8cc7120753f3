"""Requests that have been answered, by their idempotency keys. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from caucus.errors import IdempotencyMismatch
from caucus.records import Answer, Record, RequestKey

KEPT_SECONDS: Final = 86_400
KEPT_FOR_A_SCOPE: Final = 10_000


class Answered(Record, frozen=True):
    """The first answer to a request, and the journal position and time of the event that it wrote."""

    fingerprint: bytes
    answer: Answer
    position: int
    at: float


class AnsweredRequests:
    """For each scope, its requests that wrote an event, the oldest going first."""

    def __init__(self) -> None:
        self._scopes: OrderedDict[bytes, _Scope] = OrderedDict()

    def find(self, request: RequestKey, now: float) -> Answered | None:
        """What the request was answered with before, if that is remembered. Raises `IdempotencyMismatch`."""
        scope = self._scopes.get(request.scope)
        found = None if scope is None else scope.answered.get(request.key)
        if found is None or now >= found.at + KEPT_SECONDS:
            return None
        if found.fingerprint != request.fingerprint:
            raise IdempotencyMismatch
        return found

    def keep(self, request: RequestKey, answer: Answer, position: int, at: float) -> None:
        """Remember an answer; what is too old or too much goes."""
        scope = self._scopes.get(request.scope)
        if scope is None:
            scope = self._scopes[request.scope] = _Scope()
        self._scopes.move_to_end(request.scope)
        scope.drop(at, KEPT_FOR_A_SCOPE - 1)
        if request.key in scope.answered:  # a replay may be a hair within what was just past
            scope.order.remove(request.key)
        scope.answered[request.key] = Answered(request.fingerprint, answer, position, at)
        scope.order.append(request.key)
        quiet = next(iter(self._scopes.values()))
        quiet.drop(at, KEPT_FOR_A_SCOPE)
        if not quiet.order:
            self._scopes.popitem(last=False)

    def forget_last(self, request: RequestKey) -> None:
        """The request was the scope's last, and its event is undone."""
        scope = self._scopes[request.scope]
        del scope.answered[scope.order.pop()]


class _Scope:
    """One scope's answers by key, and the keys in the order of the answers."""

    __slots__ = ("answered", "order")

    def __init__(self) -> None:
        self.answered: dict[bytes, Answered] = {}
        self.order: deque[bytes] = deque()

    def drop(self, now: float, most: int) -> None:
        """Forget what is too old, and the oldest of what is more than ``most``."""
        while self.order and (
            len(self.order) > most or now >= self.answered[self.order[0]].at + KEPT_SECONDS
        ):
            del self.answered[self.order.popleft()]
