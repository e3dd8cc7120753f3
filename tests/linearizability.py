"""Whether a history of one target's claims can have happened one at a time.

The search of Wing and Gong (1993), with the memory of Lowe (2017): take, again and again, an
operation that was called before every remaining one had returned, as long as the ledger could
have answered so; give up on a set of operations and a holder that were met before.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen
class Operation:
    """One call by ``who`` and its answer; times are of one clock, in seconds.

    ``answer`` is ``granted``, ``not_held``, or the owner who was named as the holder.
    """

    called: float
    returned: float
    who: str
    kind: str
    answer: str


IMPOSSIBLE = object()


def step(holder: str | None, operation: Operation) -> str | object | None:
    """The holder after the operation, or `IMPOSSIBLE` if the ledger would not have answered so."""
    match operation.kind, operation.answer:
        case "claim", "granted":
            return operation.who if holder is None else IMPOSSIBLE
        case "done", "granted":
            return None if holder == operation.who else IMPOSSIBLE
        case "done", "not_held":
            return None if holder is None else IMPOSSIBLE
        case _, named:
            return holder if holder == named else IMPOSSIBLE


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Whether some order explains every answer. ``history`` is that of one target, free at first."""
    everything = (1 << len(history)) - 1
    met: set[tuple[int, object]] = set()
    pending: list[tuple[int, str | None]] = [(everything, None)]
    while pending:
        left, holder = pending.pop()
        if not left:
            return True
        if (left, holder) in met:
            continue
        met.add((left, holder))
        indices = [index for index in range(len(history)) if left >> index & 1]
        first_return = min(history[index].returned for index in indices)
        afters = {
            index: step(holder, history[index]) for index in indices if history[index].called <= first_return
        }
        # What can be next and changes nothing may as well be next: no order is lost by that.
        idle = next((index for index, after in afters.items() if after == holder), None)
        for index in afters if idle is None else (idle,):
            if afters[index] is not IMPOSSIBLE:
                pending.append((left & ~(1 << index), afters[index]))  # type: ignore[arg-type]
    return False
