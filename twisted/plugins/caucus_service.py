"""Registers ``twist caucus`` and ``twistd caucus``; the service itself is imported when it is asked for."""

from twisted.application.service import ServiceMaker

caucus = ServiceMaker(
    "Caucus",
    "caucus.tap",
    "The coordination backbone that engineers and their AI agents share during an incident",
    "caucus",
)
