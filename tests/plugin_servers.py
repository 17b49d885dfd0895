"""Start PostgreSQL and Valkey for a test run that was not given any.

A plugin (`-p`), because settings are read before any conftest.py. Workers of xdist inherit the servers through the
environment.
"""

import atexit
import os
import signal

import pytest

from config import servers


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    os.environ.setdefault("SECRET_KEY", "only-for-a-test-run")
    if "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        _start_missing()
    return (yield)


def _start_missing():
    private = servers.PrivateDirectory()
    atexit.register(private.remove)
    sockets = private.path
    if "DATABASE_URL" not in os.environ:
        process, os.environ["DATABASE_URL"] = servers.start_postgres(
            sockets / "data", sockets=sockets, log=sockets / "postgres.log", settings=servers.FAST_AND_FORGETFUL
        )
        # Immediate shutdown: nobody will read these files again.
        atexit.register(servers.stop, process, with_signal=signal.SIGQUIT)
    if "REDIS_URL" not in os.environ:
        process, os.environ["REDIS_URL"] = servers.start_valkey(sockets=sockets, log=sockets / "valkey.log")
        atexit.register(servers.stop, process)
        os.environ.setdefault("CELERY_BROKER_URL", servers.broker_url(os.environ["REDIS_URL"]))
