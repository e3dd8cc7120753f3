"""One channel's evidence: bytes under their own hash. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from caucus.errors import ArtifactIntegrity, ArtifactTooLarge
from caucus.model.evidence import ADDRESS, address_of


def require_integrity(address: object, data: bytes) -> None:
    """Raises `ArtifactIntegrity` unless the address is the lower-case hex SHA-256 of the bytes."""
    if not (isinstance(address, str) and ADDRESS.match(address) and address_of(data) == address):
        raise ArtifactIntegrity


class Evidence:
    """The artifacts of one channel, at most ``limit`` bytes together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._artifacts: dict[str, tuple[bytes, int]] = {}

    def __contains__(self, sha256: str) -> bool:
        """Whether these bytes are stored already, durable or not."""
        return sha256 in self._artifacts

    def require_room(self, size: int) -> None:
        """Raises `ArtifactTooLarge` if ``size`` more bytes would pass the cap."""
        if self._size + size > self._limit:
            raise ArtifactTooLarge(limit=self._limit, scope="channel")

    def add(self, sha256: str, data: bytes, position: int) -> None:
        """Keep the bytes under their address; ``position`` is that of the event in the journal."""
        self._artifacts[sha256] = (data, position)
        self._size += len(data)

    def take_back(self, sha256: str) -> None:
        """Undo the addition of an artifact."""
        self._size -= len(self._artifacts.pop(sha256)[0])

    def dump(self) -> list[tuple[str, bytes]]:
        """All artifacts under their addresses, for `load`: they are durable."""
        return [(sha256, data) for sha256, (data, _position) in self._artifacts.items()]

    def load(self, dumped: Iterable[tuple[str, bytes]]) -> None:
        """Be as the evidence was that gave this; so far it is empty."""
        for sha256, data in dumped:
            self.add(sha256, data, 0)

    def get(self, sha256: str, durable: int) -> bytes | None:
        """The bytes at an address, if they are there and durable."""
        data, position = self._artifacts.get(sha256, (None, 0)) if isinstance(sha256, str) else (None, 0)
        return data if position <= durable else None
