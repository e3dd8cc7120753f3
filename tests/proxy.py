"""A wire between a daemon and its database that can be cut, or carry nothing.

As a process, ``python -m tests.proxy PORT``, it prints where it listens, and does what the lines on standard
input say: the names of `Proxy`'s methods.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.python.failure import Failure


class _Wire(ProxyServer):
    """One connection that goes through."""

    factory: Proxy

    def connectionMade(self) -> None:
        if self.factory.is_cut:
            cast("Any", self.transport).abortConnection()
            return
        self.factory.wires.add(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self.peer is not None:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.wires.discard(self)
        super().connectionLost(reason)

    def hold(self) -> None:
        """Carry nothing from now on."""
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                cast("Any", end.transport).pauseProducing()

    def hold_answers(self) -> None:
        """Carry what is asked, and no answers."""
        if self.peer is not None and self.peer.transport is not None:
            cast("Any", self.peer.transport).pauseProducing()

    def go_on(self) -> None:
        """Carry what was held, too."""
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                cast("Any", end.transport).resumeProducing()

    def cut(self) -> None:
        """End it, without a word."""
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                cast("Any", end.transport).abortConnection()


class Proxy(ProxyFactory):
    """Carries connections to a port of this machine, and says no more about it in the log."""

    protocol = _Wire
    noisy = False

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self.is_cut = False
        self.wires: set[Any] = set()
        self._listening = cast("Any", reactor).listenTCP(0, self, interface="127.0.0.1")
        self.listens_at: int = self._listening.getHost().port

    def cut(self) -> None:
        """End every connection, and every new one."""
        self.is_cut = True
        for wire in list(self.wires):
            wire.cut()

    def hold(self) -> None:
        """Carry nothing, as a switch that lost its power does."""
        for wire in self.wires:
            wire.hold()

    def hold_answers(self) -> None:
        """Carry what is asked, and no answers."""
        for wire in self.wires:
            wire.hold_answers()

    def heal(self) -> None:
        """Carry everything again."""
        self.is_cut = False
        for wire in self.wires:
            wire.go_on()

    def close(self) -> Deferred[None]:
        """Listen no more, and let go of everybody."""
        self.cut()
        stopping = self._listening.stopListening()
        return succeed(None) if stopping is None else stopping


def main(port: int) -> None:
    """Run one until standard input ends."""
    running = cast("Any", reactor)
    proxy = Proxy(port)
    print(proxy.listens_at, flush=True)

    def obey() -> None:
        for line in sys.stdin:
            running.callFromThread(getattr(proxy, line.strip()))
        running.callFromThread(running.stop)

    threading.Thread(target=obey, daemon=True).start()
    running.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
