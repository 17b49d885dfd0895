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
from typing import IO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import processes, servers

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
            (self.state / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.state / "mail").mkdir(exist_ok=True)
            lock = _lock(self.state, port)
        except OSError as error:
            raise CommandError(f"The data cannot be kept in {self.state}: {error.strerror}.") from error
        # Until here Ctrl-C ends the command as any other; from here on there is something to put away.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
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
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            # Web, beat, worker, broker, database: nobody loses what they still need.
            for child in reversed(self.children):
                servers.stop(child.process, with_signal=child.stop_signal)
            if private is not None:
                private.remove()
            os.close(lock)
        self.say(f"Ended. The data stays in {self.state}.")

    def start(self, *, port: int, sockets: Path, empty: bool) -> None:
        env = self.environment(port=port)
        self.start_servers(env, sockets=sockets)

        self.say("Bringing the database up to date …")
        self.run("migrate", processes.MIGRATE, env=env)
        if not empty:
            self.run("load", ["python", "manage.py", "load_demo"], env=env, log=None)

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
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": _kept_secret(self.state / "secret_key"),
            "DEBUG": "false",
            "HTTPS": "false",
            "STATIC_MANIFEST": "false",
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
        self, name: str, command: Sequence[str], *, env: dict[str, str], on_parent_death: int = signal.SIGKILL
    ) -> None:
        with self.log(name).open("ab") as log:
            process = servers.spawn(command, log=log, env=env, cwd=settings.BASE_DIR, on_parent_death=on_parent_death)
        self.remember(Child(name, process, self.log(name)))

    def run(
        self, name: str, command: Sequence[str], *, env: dict[str, str], log: IO[bytes] | str | None = "file"
    ) -> None:
        raise NotImplementedError

    def remember(self, child: Child) -> None:
        self.children.append(child)
        _write_processes(self.state, self.children)

    def log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
