"""The table of operations, made into one that a path is split for just once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caucus.edge.place import Place, Reading
from caucus.errors import MethodNotAllowed, NotFound
from caucus.wire.operation import Operation


class _Node:
    """What may follow one beginning of a path; ``routes`` are those of a path that ends here, if it may."""

    __slots__ = ("body", "literals", "routes", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.routes: dict[bytes, Operation[Any] | None] = {}
        self.body: Reading = "json"


class Table:
    """Finds operations as Werkzeug does: a literal segment wins over a variable one.

    :param actions: paths where a POST finds nothing, and any other method is not allowed.
    """

    def __init__(self, operations: Iterable[Operation[Any]], actions: Iterable[Sequence[str]]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._node(operation.segments)
            node.routes[operation.method.encode()] = operation
            if operation.body in ("bytes", "rpc", "unread"):
                node.body = "opaque"
            elif operation.body in ("message", "claim"):
                node.body = operation.body
        for segments in actions:
            self._node(segments).routes.setdefault(b"POST", None)

    def place(self, segments: Sequence[str]) -> Place:
        """Where a path leads."""
        arguments: list[str] = []
        node = _follow(self._root, segments, 0, arguments)
        if node is None:
            return Place(tuple(segments), {}, [], "json")
        return Place(tuple(segments), node.routes, arguments, node.body)

    def _node(self, segments: Sequence[str]) -> _Node:
        node = self._root
        for segment in segments:
            if segment.startswith("{"):
                if node.variable is None:
                    node.variable = _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        return node


def operation_of(routes: Mapping[bytes, Operation[Any] | None], method: bytes) -> Operation[Any]:
    """The operation for a method. Raises `NotFound`, or `MethodNotAllowed` with those that there are."""
    found = routes.get(method)
    if found is not None:
        return found
    if not routes or method in routes:
        raise NotFound
    raise MethodNotAllowed(tuple(sorted(allowed.decode() for allowed in routes)))


def _follow(node: _Node, segments: Sequence[str], depth: int, arguments: list[str]) -> _Node | None:
    """The node where the path ends and something is; ``arguments`` gains the variable segments."""
    if depth == len(segments):
        return node if node.routes else None
    segment = segments[depth]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _follow(literal, segments, depth + 1, arguments)
        if found is not None:
            return found
    if node.variable is None:
        return None
    kept = len(arguments)
    arguments.append(segment)
    found = _follow(node.variable, segments, depth + 1, arguments)
    if found is None:
        del arguments[kept:]
    return found
