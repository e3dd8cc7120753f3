"""Requests that have been answered, by their idempotency keys. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

import msgspec

from caucus.errors import IdempotencyMismatch
from caucus.model.events import Record, RequestKey

KEPT_SECONDS: Final = 86_400
KEPT_FOR_A_SCOPE: Final = 10_000


class AnswerPlace(Record, frozen=True):
    """Where an answer of an operation that wrote is found again: what it is made of is kept anyway.

    That is the message before ``cursor``, as a ``granted`` transition or a plain post; else the
    evidence of ``size`` bytes at ``sha256``; else that a claim was ``released``, or a message ``acked``;
    else the channel itself, as it was created. Where it is a ``claim``, as it stood then, that is kept
    here, in MessagePack, but for the note in the message before ``cursor``; ``outcome`` is how it was
    taken, if it was.
    """

    channel: str
    cursor: int = 0
    granted: bool = False
    sha256: str = ""
    size: int = 0
    released: bool = False
    claim: bytes = b""
    outcome: str = ""
    acked: bool = False


class Answered(Record, frozen=True):
    """Where the first answer to a request is found, and the position and time of the event that it wrote."""

    fingerprint: bytes
    place: AnswerPlace
    position: int
    at: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answered).decode


class AnsweredRequests:
    """For each scope, its requests that wrote an event, the oldest going first.

    There may be a quarter of a million: each is kept as its MessagePack, which is half of its objects.

    :param most: how many are remembered in all; then those of the scope that was quiet for longest go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._scopes: OrderedDict[bytes, _Scope] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def dump(self) -> list[tuple[bytes, list[tuple[bytes, bytes]]]]:
        """For each scope its keys with what is kept of them, in the order in which they go; for `load`."""
        return [(name, list(scope.answered.items())) for name, scope in self._scopes.items()]

    def load(self, dumped: Iterable[tuple[bytes, Iterable[tuple[bytes, bytes]]]]) -> None:
        """Be as these were; so far nothing is remembered."""
        for name, answered in dumped:
            scope = self._scopes[name] = _Scope()
            scope.answered.update(answered)
            scope.order.extend(scope.answered)
            self._count += len(scope.order)

    def find(self, request: RequestKey, now: float) -> Answered | None:
        """What the request was answered with before, if that is remembered. Raises `IdempotencyMismatch`."""
        scope = self._scopes.get(request.scope)
        kept = None if scope is None else scope.answered.get(request.key)
        found = None if kept is None else _decode(kept)
        if found is None or now >= found.at + KEPT_SECONDS:
            return None
        if found.fingerprint != request.fingerprint:
            raise IdempotencyMismatch
        return found

    def keep(self, request: RequestKey, place: AnswerPlace, position: int, at: float) -> None:
        """Remember an answer; what is too old or too much goes."""
        scope = self._scopes.get(request.scope)
        if scope is None:
            scope = self._scopes[request.scope] = _Scope()
        self._scopes.move_to_end(request.scope)
        self._count -= scope.drop(at, KEPT_FOR_A_SCOPE - 1)
        if request.key in scope.answered:  # a replay may be a hair within what was just past
            scope.order.remove(request.key)
            self._count -= 1
        scope.answered[request.key] = _encode(Answered(request.fingerprint, place, position, at))
        scope.order.append(request.key)
        self._count += 1
        quiet = next(iter(self._scopes.values()))
        self._count -= quiet.drop(at, max(0, len(quiet.order) - max(0, self._count - self._most)))
        if not quiet.order:
            self._scopes.popitem(last=False)

    def forget_last(self, request: RequestKey) -> None:
        """The request was the scope's last, unless a cap has taken it, and its event is undone."""
        scope = self._scopes.get(request.scope)
        if scope is not None and scope.order and scope.order[-1] == request.key:
            del scope.answered[scope.order.pop()]
            self._count -= 1
            if not scope.order:
                del self._scopes[request.scope]


class _Scope:
    """One scope's answers by key, and the keys in the order of the answers."""

    __slots__ = ("answered", "order")

    def __init__(self) -> None:
        self.answered: dict[bytes, bytes] = {}
        self.order: deque[bytes] = deque()

    def drop(self, now: float, most: int) -> int:
        """Forget what is too old, and the oldest of what is more than ``most``; says how many."""
        before = len(self.order)
        while self.order and (
            len(self.order) > most or now >= _decode(self.answered[self.order[0]]).at + KEPT_SECONDS
        ):
            del self.answered[self.order.popleft()]
        return before - len(self.order)
