"""Cases: the provider has the interface's methods, with its arguments."""

from __future__ import annotations

import inspect

from twisted.internet.defer import Deferred
from zope.interface.interface import Method
from zope.interface.verify import verifyObject

from caucus.interfaces import IBackbone
from caucus.testing.kit import Kit, same


async def provides_the_interface(kit: Kit) -> None:
    await kit.open()
    same(verifyObject(IBackbone, kit.alice.backbone), True)


async def takes_the_arguments_of_the_interface(kit: Kit) -> None:
    await kit.open()
    for name, method in IBackbone.namesAndDescriptions():
        if isinstance(method, Method):
            declared = list(method.getSignatureInfo()["positional"])
            parameters = inspect.signature(getattr(kit.alice.backbone, name)).parameters.values()
            positional = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
            same((name, positional), (name, declared))


async def answers_through_deferreds(kit: Kit) -> None:
    await kit.open()
    operation = kit.alice.backbone.list_channels()
    same(isinstance(operation, Deferred), True)
    same(await kit.alice.wait(operation), [])


CASES = [provides_the_interface, takes_the_arguments_of_the_interface, answers_through_deferreds]
