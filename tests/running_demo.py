"""A demo as its own process, for the tests that start and end it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import psycopg

from config import servers

ROOT = Path(__file__).parent.parent
# What the demo must find out by itself, and what this test run has set.
HIDDEN = {"PYTHONDONTWRITEBYTECODE", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def demo_command(*, state: Path, port: int) -> list[str]:
    return [sys.executable, "manage.py", "demo", "--empty", "--state", str(state), "--port", str(port)]


def demo_environment() -> dict[str, str]:
    # Compiled once for all starts, wherever their data lie.
    compiled = {"PYTHONPYCACHEPREFIX": str(ROOT / ".pytest_cache" / "pycache")}
    return {name: value for name, value in os.environ.items() if name not in HIDDEN} | compiled


def refused_demo(*, state: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Run a demo that is expected to end by itself."""
    command = demo_command(state=state, port=port)
    return subprocess.run(
        command, cwd=ROOT, env=demo_environment(), capture_output=True, text=True, timeout=60, check=False
    )


class RunningDemo:
    """Starts a demo without data in it, and waits until its pages answer."""

    def __init__(self, *, state: Path, port: int | None = None) -> None:
        self.state, self.port = state, port or free_port()
        self.console = state.with_name(f"{state.name}.console")
        with self.console.open("wb") as console:
            self.process = servers.spawn(
                demo_command(state=state, port=self.port), log=console, env=demo_environment(), cwd=ROOT
            )
        deadline = time.monotonic() + 120
        # Its own word, because the pages of a demo that was killed just now may still answer on this port.
        while "Ready after" not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.2)
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def health(self) -> int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def output(self) -> str:
        return self.console.read_text()

    def child(self, part_of_command: str) -> psutil.Process:
        """The first process below the demo whose command line contains the words."""
        return next(p for p in self.family if part_of_command in " ".join(p.cmdline()))

    def database(self) -> psycopg.Connection:
        return psycopg.connect(self.child("gunicorn").environ()["DATABASE_URL"], autocommit=True)

    def survivors(self, *, after: float) -> list[psutil.Process]:
        """Processes of the demo that still live `after` so many seconds."""
        return psutil.wait_procs(self.family, timeout=after)[1]

    def copy(self, to: Path) -> Path:
        """The data of a demo that has ended, for another one: to make the tables takes most of a first start."""
        subprocess.run(["cp", "--archive", self.state, to], check=True)
        return to

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(40)
