"""``twist caucus``, ``twistd`` and ``caucus-backbone``: options, environment, and the only reactor."""

from __future__ import annotations

import atexit
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, succeed
from twisted.logger import ILogObserver, LogEvent, Logger, globalLogBeginner, textFileLogObserver
from twisted.python import usage
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.errors import ConfigurationError
from caucus.journals import installed_journals
from caucus.limits import Limits, environment_name, limit_fields, option_name
from caucus.metrics import Reading
from caucus.model.text import CONTROL
from caucus.server import Server, start_server
from caucus.settings import TRANSPORTS, Settings
from caucus.standard import is_nowhere, writer_to

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "4317"
SWITCH_SECONDS = 0.0005

_SECRETS = ("CAUCUS_TOKENS", "CAUCUS_ADMIN_TOKEN")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")

_seconds_since_boot = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""The machine's uptime, on Linux also while it slept, on a clock that no one sets."""

_log = Logger("caucus")
_audit_log = Logger("caucus.audit")


class Options(usage.Options):
    """The options of every way to start, with their defaults from the environment."""

    longdesc = """\
Serve the coordination backbone that engineers and their AI agents share during an incident.

CAUCUS_TOKENS says who may write: token:agent_id:owner, comma-separated. Without it nobody may.
Reading is open to whoever reaches the listener, unless --read-token asks for a token. With
CAUCUS_ADMIN_TOKEN set, tokens can be minted and revoked over loopback; each use writes an audit
line to standard error unless CAUCUS_ADMIN_AUDIT is 0. Each option below can also be given in the
environment: HOST, PORT, CAUCUS_HTTP, CAUCUS_JOURNAL, CAUCUS_METRICS, CAUCUS_ALLOWED_HOSTS
(comma-separated), CAUCUS_REQUIRE_READ_TOKEN=1, CAUCUS_REQUIRE_SYNC_STANDBY=1, CAUCUS_ACCESS_LOG=0,
and for a cap CAUCUS_ and its name in capitals, as in CAUCUS_MAX_STREAMS. The option wins.
"""

    optParameters = [  # noqa: RUF012
        ["host", None, None, f"the address to listen on [{DEFAULT_HOST}]"],
        ["port", "p", None, f"the TCP port to listen on; 0 is any that is free [{DEFAULT_PORT}]"],
        ["journal", "j", None, "where state lives: scheme:rest, see --list-journals [memory:]"],
        ["metrics", None, None, "the listeners that show GET /metrics: loopback, all or none [loopback]"],
        ["http", None, None, "what speaks HTTP: llhttp, or twisted, which is slower [llhttp]"],
        *([option_name(name)[2:], None, None, text] for name, text in limit_fields()),
    ]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        super().__init__()
        self["listen"] = []
        self["allowed-host"] = []
        self["read-token"] = False
        self["require-sync-standby"] = False
        self["no-access-log"] = False

    def opt_listen(self, description: str) -> None:
        """a Twisted endpoint to listen on, instead of --host and --port; may be repeated"""
        self["listen"].append(description)

    opt_l = opt_listen

    def opt_allowed_host(self, name: str) -> None:
        """a name that it goes by beside its own, such as one that a proxy forwards; may be repeated"""
        self["allowed-host"].append(name)

    def opt_read_token(self) -> None:
        """ask for a token on reads as well"""
        self["read-token"] = True

    def opt_require_sync_standby(self) -> None:
        """write only where a commit waits until a standby of the database has it, too"""
        self["require-sync-standby"] = True

    def opt_no_access_log(self) -> None:
        """write no line for each request"""
        self["no-access-log"] = True

    def opt_list_journals(self) -> None:
        """list the installed journals and exit"""
        for scheme, factory in installed_journals().items():
            print(f"{scheme}: {factory.help}")  # noqa: T201  # it is what was asked for
        raise SystemExit(0)

    def opt_version(self) -> None:
        """print the version and exit"""
        print(f"caucus-backbone {version('caucus-backbone')}, Twisted {version('twisted')}")  # noqa: T201
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read everything; what is wrong ends the process with one line and status 1."""
        try:
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            raise SystemExit(f"caucus-backbone: {error}") from None

    def postOptions(self) -> None:
        """Fill in the environment and read every value, so that a wrong one stops the start."""
        self.settings = self._read()

    def _read(self) -> Settings:
        caps = {
            name: self._value(option_name(name)[2:], environment_name(name)) for name, _help in limit_fields()
        }
        port = self._value("port", "PORT")
        port = DEFAULT_PORT if port is None else port.strip()
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
            raise ConfigurationError("--port must be an integer from 0 to 65535")
        http = self._value("http", "CAUCUS_HTTP")
        self.audits = self._switch("CAUCUS_ADMIN_AUDIT", default=True)
        self.quoted = [name for name in _SECRETS if _is_quoted(self._environment.get(name, ""))]
        return Settings(
            listen=[_usable("--listen", description) for description in self["listen"]],
            host=_usable("--host", self._value("host", "HOST") or DEFAULT_HOST, _SPACE),
            port=int(port),
            journal=_usable("--journal", self._value("journal", "CAUCUS_JOURNAL") or "memory:"),
            metrics=self._value("metrics", "CAUCUS_METRICS") or "loopback",
            http=TRANSPORTS[0] if http is None else http,
            limits=Limits.parse({name: text for name, text in caps.items() if text is not None}),
            tokens=self._environment.get("CAUCUS_TOKENS", ""),
            allowed_hosts=self["allowed-host"] or _names(self._environment.get("CAUCUS_ALLOWED_HOSTS", "")),
            read_token=self["read-token"] or self._switch("CAUCUS_REQUIRE_READ_TOKEN", default=False),
            require_sync_standby=self["require-sync-standby"]
            or self._switch("CAUCUS_REQUIRE_SYNC_STANDBY", default=False),
            admin_token=self._environment.get("CAUCUS_ADMIN_TOKEN", ""),
            access_log=not self["no-access-log"] and self._switch("CAUCUS_ACCESS_LOG", default=True),
        )

    def _switch(self, variable: str, *, default: bool) -> bool:
        """An environment variable that turns something on, or with ``0 false off no`` off."""
        text = self._environment.get(variable, "").strip().lower()
        return text not in ("0", "false", "off", "no") if text else default

    def _value(self, option: str, variable: str) -> str | None:
        """What was given: the option, else the environment variable unless it is empty."""
        given = self[option]
        return str(given) if given is not None else self._environment.get(variable) or None


class CaucusService(Service):
    """Runs one server, from when the reactor runs until the service stops.

    A server that cannot start ends the process: one line says why on standard error and in the
    log, and the status is 1. ``failed`` is true from then on. ``err`` writes to standard error, if
    there is one.
    """

    def __init__(self, options: Options, reactor: Any) -> None:
        self.failed = False
        self._options = options
        self._reactor = reactor
        # Starting Twisted's log may replace sys.stdout and sys.stderr: what is ours goes to the real ones.
        self.err = writer_to(sys.__stderr__, _dropped)
        self._out = writer_to(sys.__stdout__, failed=self._banner_failed)
        self._starting: Deferred[Server | None] = succeed(None)

    def startService(self) -> None:
        super().startService()
        # Not before the reactor runs: only then does it handle signals and can be stopped.
        self._reactor.callWhenRunning(self._start)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._starting.cancel()  # nothing, once it has started
        return Deferred.fromCoroutine(self._stop())

    def _start(self) -> None:
        if self.running:
            _outlive_signals()
            writers = [writer for writer in (self.err, self._out) if writer is not None]
            dropped = Reading(
                "caucus_log_lines_dropped_total",
                "Lines that standard output or error did not take.",
                lambda: sum(writer.lines_dropped for writer in writers),
                kind="counter",
            )
            settings = evolve(
                self._options.settings,
                audit=self._audit if self._options.audits else None,
                wall=time.time,
                measures=(dropped,),
                boot_id=_boot_id(self._reactor),
            )
            starting = start_server(self._reactor, settings)
            self._starting = starting.addCallback(self._announce).addErrback(self._give_up)

    async def _stop(self) -> None:
        server = await self._starting
        if server is not None:
            await server.close()

    def _announce(self, server: Server) -> Server:
        # What a start makes is there to stay: no full collection has to look at all of Twisted again.
        gc.collect()
        gc.freeze()
        # A journal's thread that comes back from its disk would wait 5 ms for the reactor's to let it go on.
        sys.setswitchinterval(SWITCH_SECONDS)
        if server.broken is not None:
            server.broken.addCallback(self._break)
        settings = self._options.settings
        for listener in server.listeners:
            if self._out is not None:
                self._out.write(f"caucus-backbone listening on {listener.url}\n")
            if not listener.loopback:
                readers = "a token" if settings.read_token else "no token: whoever reaches it can read all"
                _log.warn(
                    "Bound to {host}, beyond loopback; reading needs {readers}",
                    host=listener.bound_host,
                    readers=readers,
                )
        admin_token = settings.admin_token
        if admin_token != admin_token.strip() or CONTROL.search(admin_token):
            _log.warn(
                "CAUCUS_ADMIN_TOKEN has white space around it or a control character in it, and is taken as "
                "it is: no header can carry it, so that nobody can use the issuer"
            )
        for name in self._options.quoted:
            _log.warn("{name} has quotes around it, which are taken as part of it", name=name)
        if settings.tokens == "":
            _log.warn("CAUCUS_TOKENS is not set: nobody may write")
        return server

    def _break(self, line: str) -> None:
        """What is served is not what is kept: whoever supervises the process starts another."""
        self._say_aside(f"caucus-backbone: {line}")
        self._end_with_failure()

    def _give_up(self, failure: Failure) -> None:
        if not self.running:  # it was stopped before it had started
            return
        if failure.check(ConfigurationError):
            self.failed = True
            line = failure.getErrorMessage()
            _log.critical("The backbone cannot start: {line}", line=line)
            self._say_aside(f"caucus-backbone: {line}")
        else:
            _log.failure("The backbone cannot start", failure=failure)
        self._end_with_failure()

    def _end_with_failure(self) -> None:
        self.failed = True
        # twist and twistd have no way to say a status: this speaks once they have cleaned up.
        atexit.register(self._exit_with_failure)
        self._reactor.stop()

    def _say_aside(self, line: str) -> None:
        """Write a line to standard error, bare: no log has a hold on it."""
        if self.err is not None:
            self.err.write(f"{line}\n")

    def _audit(self, line: str) -> None:
        """Audit lines go to standard error; to the log only where a daemon has no standard streams.

        Else that log may well be standard output.
        """
        if is_nowhere(1) and is_nowhere(2):
            _audit_log.info("{line}", line=line)
        else:
            self._say_aside(line)

    def _banner_failed(self, error: OSError) -> None:
        """Such as a full disk: no reason not to serve."""
        self._reactor.callFromThread(_log.error, "The banner could not be written: {error}", error=error)

    def _exit_with_failure(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        for writer in (self._out, self.err):
            if writer is not None:
                writer.drain()
        os._exit(1)


def _outlive_signals() -> None:
    """Have what nobody handles end nothing: a closed terminal, or who rotates logs that are not ours.

    By now twistd has its own handler where it rotates a log.
    """
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        with suppress(ValueError):  # only the main thread may
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, signal.SIG_IGN)


def _dropped(count: int) -> str:
    return (
        f"caucus-backbone: {count} lines were not written here, since nobody read them or there was no room"
    )


def _usable(option: str, value: str, unusable: re.Pattern[str] = CONTROL) -> str:
    """``value`` itself: a line end that a file of settings left in it would make another value of it.

    Raises `ConfigurationError`.
    """
    found = unusable.search(value)
    if found:
        raise ConfigurationError(f"{option} has U+{ord(found[0]):04X} in it, which cannot be meant")
    return value


def _is_quoted(value: str) -> bool:
    """Whether a value has quotes around it, as from a file that is no shell's."""
    return len(value) > 1 and value[0] == value[-1] and value[0] in "'\""


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def makeService(options: Options) -> CaucusService:
    """The service for ``twist caucus`` and for twistd."""
    from twisted.internet import reactor  # noqa: PLC0415  # whoever runs it has installed it by now

    _make_monotonic(reactor)
    return CaucusService(options, reactor)


def _make_monotonic(reactor: Any) -> None:
    """Run a reactor's timers on the clock of the machine's boot, or on another monotonic one.

    Twisted's selectors run on the wall clock, where a step would fire or stall every timer and
    lapse leases. asyncio's reactor is monotonic by itself. Timers set earlier would be lost, so a
    reactor that has some is left as it is.
    """
    if getattr(reactor, "seconds", None) is ReactorBase.seconds and not reactor.getDelayedCalls():
        reactor.seconds = _seconds_since_boot


def _boot_id(reactor: Any) -> bytes:
    """The boot that the reactor's clock counts from, as Linux names it; empty if it counts from elsewhere."""
    if reactor.seconds is _seconds_since_boot:
        with suppress(OSError, ValueError):
            return UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    return b""


def main() -> None:
    """Run the daemon by itself: the banner on standard output, the log on standard error."""
    options = Options()
    options.parseOptions()
    from twisted.internet import reactor  # noqa: PLC0415

    running = cast("Any", reactor)
    service = makeService(options)
    # A warning, or the traceback of a lost thread, must not wait for whoever reads it either.
    sys.stderr = service.err or sys.stderr
    write = textFileLogObserver(cast("Any", sys.stderr))

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        # Why it cannot start is said once, and nothing after it; Twisted names a port before it is bound.
        early = event["log_namespace"] == "log_legacy" and " starting on " in event.get("log_text", "")
        if not (service.failed or early):
            write(event)

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)
    running.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.startService()
    running.run()
