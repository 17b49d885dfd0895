"""A PostgreSQL that a test has to itself, as the program has one: durable, and restarted at will."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
import psutil
import psycopg
from django.conf import settings as project
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from config import servers


class OwnPostgres:
    """Started when it is made, with our tables; `url` stays the same over a restart.

    They are those of `like`, with what is in them: quicker than to migrate.
    """

    def __init__(self, *, like: psycopg.Connection | None = None) -> None:
        self._private = servers.PrivateDirectory()
        self._start()
        if like is None:
            command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(command, cwd=project.BASE_DIR, env=self.environment(), check=True)
        else:
            self._copy(like.info)

    def _copy(self, like: psycopg.ConnectionInfo) -> None:
        programs = Path(psutil.Process(self._process.pid).exe()).parent
        written = self._private.path / "copy.sql"
        dump = [programs / "pg_dump", "--no-owner", f"--file={written}", f"--dbname={like.dsn}"]
        subprocess.run(dump, env=os.environ | {"PGPASSWORD": like.password}, check=True)
        with self.connect() as connection:
            read = [programs / "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={written}"]
            subprocess.run([*read, f"--dbname={connection.info.dsn}"], stdout=subprocess.DEVNULL, check=True)

    def _start(self) -> None:
        place = self._private.path
        self._process, self.url = servers.start_postgres(place / "data", sockets=place, log=place / "postgres.log")

    def environment(self, **others: str) -> dict[str, str]:
        """For processes of the program that are to work on it."""
        return os.environ | {"DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "config.settings"} | others

    def stop(self) -> None:
        """As `pg_ctl stop -m fast`: sessions are ended, and what is not committed is taken back."""
        servers.stop(self._process, with_signal=signal.SIGINT, seconds=30)

    def restart(self) -> None:
        self.stop()
        self._start()

    def connect(self) -> psycopg.Connection:
        """A bare connection, with nothing of Django."""
        place = environ.Env.db_url_config(self.url)
        return psycopg.connect(
            dbname=place["NAME"], user=place["USER"], host=place["OPTIONS"]["host"], port=5432, autocommit=True
        )

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside, Django works on it in this process too."""
        before = connections["default"]
        place = environ.Env.db_url_config(self.url)
        options = {**before.settings_dict["OPTIONS"], **place["OPTIONS"]}
        own = DatabaseWrapper({**before.settings_dict, **place, "OPTIONS": options}, "default")
        connections["default"] = own
        try:
            yield
        finally:
            own.close()
            connections["default"] = before

    def remove(self) -> None:
        self.stop()
        self._private.remove()


@contextmanager
def own_postgres(*, like: psycopg.Connection | None = None) -> Iterator[OwnPostgres]:
    server = OwnPostgres(like=like)
    try:
        yield server
    finally:
        server.remove()
