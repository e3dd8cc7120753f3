"""What a case works with: a provider opened on one clock, and agents that speak to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import Interface

from caucus.errors import CaucusError
from caucus.interfaces import IBackbone
from caucus.limits import Limits
from caucus.model.fields import MessageType
from caucus.model.messages import Message
from caucus.model.records import Identity

E = TypeVar("E", bound=CaucusError)

ALICE: Final = Identity("alice-agent", "alice")
ALICE_TOO: Final = Identity("alice-second", "alice")
"""Another session of the same human."""
BOB: Final = Identity("bob-agent", "bob")
CAROL: Final = Identity("carol-agent", "carol")
IDENTITIES: Final = (ALICE, ALICE_TOO, BOB, CAROL)


class IBackboneProvider(Interface):
    """Makes a fresh, empty backbone for one case, and takes it away again."""

    def open(clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        """Fires with one `IBackbone` for each identity, all of one backbone, whose time is ``clock``.

        A provider that resolves tokens gives each identity one; the others trust the messages.
        """

    def settle() -> None:
        """Let what is in flight arrive, as far as that takes anything to be done."""

    def close() -> Deferred[None]:
        """Take everything down."""


@frozen
class Agent:
    """One identity's way to the backbone. Every operation is started, settled and waited for."""

    identity: Identity
    backbone: IBackbone
    settle: Callable[[], None]

    def message(self, kind: MessageType, body: str, **fields: Any) -> Message:
        """A message of this agent's."""
        return Message(kind, body, agent_id=self.identity.agent_id, owner=self.identity.owner, **fields)

    def fields(self, **fields: object) -> dict[str, object]:
        """A good note's fields, with these over them: right ones or wrong ones."""
        good = {"type": "note", "body": "text", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
        identity = {"agent_id": self.identity.agent_id, "owner": self.identity.owner}
        return {**good, **identity, **fields}

    def claim_fields(self, **fields: object) -> dict[str, object]:
        """A good claim's fields, with these over them."""
        return self.fields(**{"type": "claim", "target": "t", **fields})

    async def post(self, body: str, channel: str = "room", kind: MessageType = "note", **fields: Any) -> Any:
        """Append a message."""
        return await self.wait(self.backbone.append(channel, self.message(kind, body, **fields)))

    async def claim(self, target: str, channel: str = "room", **fields: Any) -> Any:
        """Claim a target."""
        message = self.message("claim", "mine", target=target, **fields)
        return await self.wait(self.backbone.claim(channel, message))

    async def reassign(self, target: str, assignee: Identity, **fields: Any) -> Any:
        """Give a target to somebody."""
        message = self.message("claim", "yours", target=target, **fields)
        return await self.wait(self.backbone.reassign_claim("room", message, assignee))

    async def done(self, target: str, **fields: Any) -> Any:
        """Mark a target done."""
        message = self.message("claim", "done", target=target, **fields)
        return await self.wait(self.backbone.mark_claim_done("room", message))

    async def create(self, channel: str = "room", **fields: Any) -> Any:
        """Create a channel as this agent's owner."""
        operation = self.backbone.create_channel(channel, created_by=self.identity.owner, **fields)
        return await self.wait(operation)

    async def read(self, cursor: Any = 0, limit: Any = None, channel: str = "room") -> Any:
        """Read a page."""
        return await self.wait(self.backbone.read_since(channel, cursor, limit))

    async def head(self, channel: str = "room") -> int:
        """The head of a channel."""
        return int(await self.wait(self.backbone.subscribe(channel)))

    async def wait(self, operation: Deferred[Any]) -> Any:
        """The result of an operation that was started."""
        self.settle()
        return await operation


class Kit:
    """One provider, which a case opens.

    ``clock`` is its time; ``alice``, ``alice_too``, ``bob`` and ``carol`` are its agents.
    """

    def __init__(self, provider: IBackboneProvider) -> None:
        self._provider = provider
        self.clock = Clock()
        self.clock.advance(1_700_000_000)  # a time of day, since stamps are made of it

    async def open(self, **limits: int) -> Kit:
        """Open the provider under these limits, the others at their defaults."""
        backbones = await self._provider.open(self.clock, Limits(**limits), IDENTITIES)
        self.alice, self.alice_too, self.bob, self.carol = (
            Agent(identity, backbone, self._provider.settle)
            for identity, backbone in zip(IDENTITIES, backbones, strict=True)
        )
        return self

    async def open_room(self, **limits: int) -> Kit:
        """Open the provider, with a channel ``room`` that bob created."""
        await self.open(**limits)
        await self.bob.create()
        return self

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()


Case = Callable[[Kit], Awaitable[None]]
"""A case opens its kit itself, with the limits that it needs; `run_case` closes it."""


async def run_case(case: Case, provider: IBackboneProvider) -> None:
    """Hold a provider to one case: make a kit, run the case on it, and close it whatever happens."""
    kit = Kit(provider)
    try:
        await case(kit)
    finally:
        await kit.close()


def same(actual: object, expected: object) -> None:
    """Raises `AssertionError`, with both, unless they are equal."""
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


async def refused(operation: Awaitable[object], kind: type[E]) -> E:
    """The error of an operation that must fail with ``kind``, exactly."""
    try:
        result = await operation
    except CaucusError as error:
        if type(error) is not kind:
            raise AssertionError(f"expected {kind.__name__}, got {error!r}") from error
        return error
    raise AssertionError(f"expected {kind.__name__}, got the result {result!r}")


async def issues_of(operation: Awaitable[object]) -> tuple[str, ...]:
    """The issues of an operation that must fail with `InvalidMessage`."""
    from caucus.errors import InvalidMessage  # noqa: PLC0415

    return (await refused(operation, InvalidMessage)).issues


async def fails_with_issues(count: int, *operations: Callable[[], Awaitable[object]]) -> None:
    """Every operation must fail with `InvalidMessage` and this many issues."""
    for operation in operations:
        issues = await issues_of(operation())
        if len(issues) != count:
            raise AssertionError(f"expected {count} issues, got {issues!r}")
