"""Registers the daemon's reactor, for ``--reactor=caucus``; ``caucus-backbone`` takes it by itself."""

from twisted.application.reactors import Reactor

caucus = Reactor("caucus", "caucus.reactor", "epoll, with less around each event.")
