"""The data that is measured, and the table in which the figures are printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test.utils import setup_databases, teardown_databases

from tests.benchmarks import diary
from tests.world import World, a_clinic

FIGURES = pytest.StashKey[list[tuple[str, ...]]]()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    # What is measured beside another process is that process.
    config.option.numprocesses = 0


def pytest_configure(config):
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    rows = [("measured", "floor", "ours", "ratio", "limit"), *config.stash[FIGURES]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("benchmarks")
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        terminalreporter.write_line("  ".join(cells))


@pytest.fixture(scope="session")
def figures(request) -> list[tuple[str, ...]]:
    return request.config.stash[FIGURES]


@dataclass
class Clinic:
    """The same clinic in two databases: with a million claims, and with ten times the history."""

    world: World
    names: dict[str, str] = field(default_factory=dict)
    wrappers: dict[str, DatabaseWrapper] = field(default_factory=dict)

    def connect(self, history: str) -> psycopg.Connection:
        """A bare connection of its own, with nothing of Django."""
        wrapper = self.wrappers[history]
        return psycopg.connect(**_address(wrapper), autocommit=True)

    @contextmanager
    def on(self, history: str) -> Iterator[None]:
        """Inside, Django works on that database."""
        before = connections["default"]
        connections["default"] = self.wrappers[history]
        try:
            yield
        finally:
            connections["default"] = before


def _address(wrapper: DatabaseWrapper) -> dict:
    params = wrapper.get_connection_params()
    return {key: params[key] for key in ("dbname", "user", "password", "host", "port") if key in params}


@pytest.fixture(scope="session")
def clinic(django_test_environment, django_db_blocker) -> Iterator[Clinic]:
    with django_db_blocker.unblock():
        # Not by pytest-django, which makes a database only for tests that it may empty again.
        made = setup_databases(verbosity=0, interactive=False, aliases=["default"])
        small = connections["default"]
        large = DatabaseWrapper({**small.settings_dict, "NAME": f"{small.settings_dict['NAME']}_tenfold"}, "default")
        built = Clinic(a_clinic(sessions=6), wrappers={"million": small, "tenfold": large})
        diary.extend(built.world)
        with built.connect("million") as database:
            diary.a_year_ahead_and_one_behind(database, built.world)
        small.close()
        name, template = large.settings_dict["NAME"], small.settings_dict["NAME"]
        with psycopg.connect(**{**_address(small), "dbname": "postgres"}, autocommit=True) as server:
            server.execute(f'DROP DATABASE IF EXISTS "{name}"')
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        with built.connect("tenfold") as database:
            diary.nine_times_as_much_before(database, built.world)
        yield built
        large.close()
        with psycopg.connect(**{**_address(small), "dbname": "postgres"}, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}"')
        teardown_databases(made, verbosity=0)
