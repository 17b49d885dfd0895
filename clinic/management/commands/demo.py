"""The whole program on one machine, for trying it out. Not for patients' data.

This process only starts, watches and ends the others; it never opens the database itself.
"""

import errno
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import processes, servers

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope

READY_SECONDS = 120
HOST = "127.0.0.1"


class Interrupted(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


@dataclass(frozen=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: int = signal.SIGTERM


class Command(BaseCommand):
    help = "Try the program out: starts PostgreSQL, Valkey, worker, beat and web, with a lifelike clinic in it."
    # Checks may ask the database, which does not run yet.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web pages (default: %(default)s)")
        parser.add_argument(
            "--state", type=Path, default=settings.BASE_DIR / "var", help="where the data stays (default: var)"
        )
        parser.add_argument("--empty", action="store_true", help="do not load the lifelike clinic")

    def handle(self, *, port: int, state: Path, empty: bool, **options: object) -> None:
        self.began = time.monotonic()
        self.children: list[Child] = []
        self.state = state.resolve()
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("log", "mail"):
                (self.state / name).mkdir(exist_ok=True)
            lock = _lock(self.state, port)
        except OSError as error:
            raise CommandError(f"The data cannot be kept in {self.state}: {error.strerror}.") from error
        # Until here Ctrl-C ends the command as any other; from here on there is something to put away.
        self.interrupted = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.interrupt)
        _end_with_uv()
        private = None
        try:
            _end_leftovers(self.state)
            _refuse_busy_port(port)
            private = servers.PrivateDirectory()
            self.start(port=port, sockets=private.path, empty=empty)
            self.watch()
        except Interrupted:
            self.say("Ending …")
        except servers.ServerFailed as error:
            raise CommandError(str(error)) from error
        finally:
            self.interrupted = True
            # Web, beat, worker, broker, database: nobody loses what they still need.
            for child in reversed(self.children):
                servers.stop(child.process, with_signal=child.stop_signal)
            if private is not None:
                private.remove()
            os.close(lock)
        self.say(f"Ended. The data stays in {self.state}.")

    def interrupt(self, number: int, frame: object) -> None:
        # Once: a second signal (the terminal's and uv's, or an impatient hand) must not disturb the ending.
        if not self.interrupted:
            self.interrupted = True
            raise Interrupted

    def start(self, *, port: int, sockets: Path, empty: bool) -> None:
        env = self.environment(port=port)
        self.start_servers(env, sockets=sockets)

        self.say("Bringing the database up to date …")
        self.run("migrate", processes.MIGRATE, env=env)
        if not empty:
            self.run("load", ["python", "manage.py", "load_demo"], env=env, shown=True)

        mailbox = Mailbox(self.state / "mail", say=self.say)
        env["EMAIL_URL"] = f"smtp://{HOST}:{mailbox.port}"
        self.say("Starting worker, beat and web …")
        self.add("worker", processes.WORKER, env=env)
        self.add("beat", processes.BEAT, env=env)
        # Asked to quit at once when this process is killed, because a killed arbiter leaves its workers to notice.
        self.add("web", processes.WEB, env=env, on_parent_death=signal.SIGQUIT)
        self.wait_for_health(port)
        self.welcome(port, empty=empty)

    def environment(self, *, port: int) -> dict[str, str]:
        """What the processes are given, beside the addresses of servers and mail."""
        inherited = dict(os.environ)
        if inherited.pop("PYTHONDONTWRITEBYTECODE", None):
            # Six processes that compile everything anew take twice as long to start.
            inherited.setdefault("PYTHONPYCACHEPREFIX", str(self.state / "pycache"))
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": _kept_secret(self.state / "secret_key"),
            "DEBUG": "false",
            "HTTPS": "false",
            "STATIC_MANIFEST": "false",
            # The zone data of the wheel, as in the image.
            "PYTHONTZPATH": "",
            "ALLOWED_HOSTS": f"localhost,{HOST}",
            "PUBLIC_URL": f"http://localhost:{port}",
            "GUNICORN_CMD_ARGS": f"--bind={HOST}:{port}",
        }

    def start_servers(self, env: dict[str, str], *, sockets: Path) -> None:
        """Start what the environment does not name already, and name it there."""
        if "DATABASE_URL" in os.environ:
            self.say("Using the database of DATABASE_URL.")
        else:
            self.say("Starting PostgreSQL …")
            log = self.log("postgres")
            process, env["DATABASE_URL"] = servers.start_postgres(self.state / "postgres", sockets=sockets, log=log)
            self.remember(Child("postgres", process, log, stop_signal=signal.SIGINT))
        if "REDIS_URL" in os.environ:
            self.say("Using the broker of REDIS_URL.")
        else:
            self.say("Starting Valkey …")
            log = self.log("valkey")
            process, env["REDIS_URL"] = servers.start_valkey(sockets=sockets, log=log)
            env["CELERY_BROKER_URL"] = servers.broker_url(env["REDIS_URL"])
            self.remember(Child("valkey", process, log))

    def add(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: dict[str, str],
        shown: bool = False,
        on_parent_death: int = signal.SIGKILL,
    ) -> Child:
        """Start one process; it writes to its log, or, if `shown`, to this terminal."""
        with self.log(name).open("ab") as log:
            process = servers.spawn(
                command,
                log=None if shown else log,
                env=env,
                cwd=settings.BASE_DIR,
                on_parent_death=on_parent_death,
            )
        child = Child(name, process, self.log(name))
        self.remember(child)
        return child

    def run(self, name: str, command: Sequence[str], *, env: dict[str, str], shown: bool = False) -> None:
        """Run `command` to its end; go no further if it fails."""
        child = self.add(name, command, env=env, shown=shown)
        if child.process.wait() != 0:
            raise servers.ServerFailed(_obituary(child))
        self.children.remove(child)

    def remember(self, child: Child) -> None:
        self.children.append(child)
        _write_processes(self.state, self.children)

    def wait_for_health(self, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _healthy(port):
            self.refuse_the_dead()
            if time.monotonic() > deadline:
                raise servers.ServerFailed(
                    f"The pages do not answer after {READY_SECONDS} seconds. "
                    f"The log, {self.log('web')}, ends with:\n{servers.tail(self.log('web'))}"
                )
            time.sleep(0.2)

    def watch(self) -> None:
        """Stay until a process ends, or until interrupted."""
        while True:
            self.refuse_the_dead()
            time.sleep(0.3)

    def refuse_the_dead(self) -> None:
        for child in self.children:
            if child.process.poll() is not None:
                raise servers.ServerFailed(f"{_obituary(child)}\nWithout it the demo ends.")

    def welcome(self, port: int, *, empty: bool) -> None:
        self.say(f"\nReady after {time.monotonic() - self.began:.0f} seconds: http://localhost:{port}\n")
        if not empty:
            from clinic.demo import ACCOUNTS

            for role, sign_in, password in ACCOUNTS:
                self.say(f"  {role:<14} {sign_in:<34} {password or '(signs in with a code sent by e-mail)'}")
        self.say(f"\nMail is delivered to {self.state / 'mail'} and announced here.")
        self.say("Ctrl-C ends everything. For trying out only: not for patients' data.\n")

    def log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class Mailbox:
    """An SMTP server on this machine that keeps each mail as a file, and delivers nothing."""

    def __init__(self, directory: Path, *, say: Callable[[str], None]) -> None:
        from aiosmtpd.controller import Controller

        self.directory = directory
        self.say = say
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        # A daemon thread: it needs no stopping.
        Controller(self, hostname=HOST, port=self.port).start()

    async def handle_DATA(self, server: object, session: object, envelope: "Envelope") -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        path = self.directory / f"{datetime.now(tz=UTC):%Y%m%d-%H%M%S-%f}.eml"
        path.write_bytes(envelope.content)
        self.say(f"Mail to {', '.join(envelope.rcpt_tos)}: {message['subject']} (saved at {path})")
        return "250 Kept"


def _lock(state: Path, port: int) -> int:
    """Hold the data for this process; the kernel lets go when it ends, however it ends."""
    lock = os.open(state / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The holder may not have written yet.
        with suppress(ValueError):
            holder = json.loads(os.read(lock, 1000))
            raise CommandError(
                f"A demo is running already on {state}: process {holder['pid']}, http://localhost:{holder['port']}"
            ) from None
        raise CommandError(f"A demo is running already on {state}.") from None
    os.ftruncate(lock, 0)
    os.write(lock, json.dumps({"pid": os.getpid(), "port": port}).encode())
    return lock


def _end_with_uv() -> None:
    """End in order when `uv run` is killed, which could not tell its child."""
    import psutil

    if servers.LIBC is not None and psutil.Process(os.getppid()).name() == "uv":
        servers.LIBC.prctl(servers.PR_SET_PDEATHSIG, signal.SIGTERM)


def _refuse_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError:
            raise CommandError(f"{port} is not a port: choose one from 1024 to 65535 with --port.") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CommandError(
                    f"Port {port} cannot be used: {error.strerror}. Choose another with --port."
                ) from None
            raise CommandError(f"Port {port} is busy{_listener(port)}. Choose another with --port.") from None


def _listener(port: int) -> str:
    """Who listens on a port, as far as the system tells."""
    import psutil

    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f": {psutil.Process(connection.pid).name()} (process {connection.pid}) listens on it"
    return ""


def _kept_secret(path: Path) -> str:
    """A key made once, so that a restart signs nobody out."""
    if not path.exists():
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()


def _write_processes(state: Path, children: Sequence[Child]) -> None:
    import psutil

    started = []
    for child in children:
        with suppress(psutil.Error):
            started.append([child.process.pid, psutil.Process(child.process.pid).create_time()])
    (state / "processes.json").write_text(json.dumps(started))


def _end_leftovers(state: Path) -> None:
    """End what a killed demo left behind: on macOS nothing else does; on Linux it may still be ending.

    Only called with the lock held, so that the processes written down are nobody's any more.
    """
    import psutil

    left: list[psutil.Process] = []
    with suppress(OSError, ValueError):
        for pid, create_time in json.loads((state / "processes.json").read_text()):
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                # The number may have gone to another process since.
                if process.create_time() == create_time:
                    left += [*process.children(recursive=True), process]
    for process in left:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGINT)
    _, stubborn = psutil.wait_procs(left, timeout=10)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _obituary(child: Child) -> str:
    return (
        f"{child.name} ended unexpectedly (code {child.process.returncode}). "
        f"Its log, {child.log}, ends with:\n{servers.tail(child.log)}"
    )
