"""One thread that waits for a disk, so that the reactor need not."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")
_Job = tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]


class Worker:
    """Runs functions on a thread of its own, one after another.

    A thread pool of one would do the same, at several times the cost of handing over a commit. The
    thread is a daemon: one that waits for a dead disk does not keep the process.

    :param reactor: its ``callFromThread`` takes the results back.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        self.busy = 0
        self._reactor = reactor
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    def run(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """The result of a function that is called on the thread, once those before it are done."""
        self.busy += 1
        done: Deferred[T] = Deferred()
        self._jobs.put((done, function, arguments))
        return done

    def stop(self) -> None:
        """End the thread once it has done everything."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            done, function, arguments = job
            result: Any
            try:
                result = function(*arguments)
            except Exception:
                result = Failure()
            self._reactor.callFromThread(self._finish, done, result)

    def _finish(self, done: Deferred[Any], result: Any) -> None:
        self.busy -= 1
        done.callback(result)
