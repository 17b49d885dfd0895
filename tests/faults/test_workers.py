"""Real workers and beats, whose broker is stopped and emptied, that are doubled, or that are not there at all."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.conf import settings as project
from django.utils import timezone

from clinic import wake
from clinic.models import Message
from clinic.services import outbox
from config import processes, servers
from tests.clinic.test_outbox import a_visit
from tests.faults.test_dispatch_killed import database_url, message_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BEAT = ["tests.faults.beat_each_second"]
# For processes to start and to find each other again on a busy machine; a message may take 15 minutes after an outage.
PATIENCE = 90


class Broker:
    """A Valkey that a test has to itself; its address stays the same over a restart."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.start()

    def start(self) -> None:
        self._process, self.url = servers.start_valkey(sockets=self._place, log=self._place / "valkey.log")

    def stop(self) -> None:
        servers.stop(self._process)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture
def broker(monkeypatch) -> Iterator[Broker]:
    private = servers.PrivateDirectory()
    broker = Broker(private.path)
    # Whoever owes something in this process wakes the workers of this broker.
    monkeypatch.setattr(current_app.conf, "broker_write_url", servers.broker_url(broker.url))
    wake._broker.cache_clear()
    yield broker
    wake._broker.cache_clear()
    broker.stop()
    private.remove()


@pytest.fixture
def environment(broker, smtp_server) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker.url,
        "CELERY_BROKER_URL": servers.broker_url(broker.url),
        "EMAIL_URL": smtp_server.url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


@contextmanager
def running(environment: dict[str, str], tmp_path: Path, *commands: list[str]) -> Iterator[None]:
    """Processes of the program, each started and ready; none may end by itself."""
    started = []
    try:
        for number, command in enumerate(commands):
            console = tmp_path / f"{'beat' if command is BEAT else 'worker'}{number}.log"
            with console.open("wb") as log:
                process = servers.spawn(
                    [sys.executable, "-m", *command], log=log, env=environment, cwd=project.BASE_DIR
                )
            started.append((process, console))
        for process, console in started:
            wait_until(lambda process=process, console=console: ready(process, console))
        yield
        assert [console.read_text() for process, console in started if process.poll() is not None] == []
    finally:
        for process, _console in started:
            # Killed and not asked, because a worker would first look for its broker.
            servers.stop(process, seconds=0)


def ready(process: subprocess.Popen, console: Path) -> bool:
    said = console.read_text()
    assert process.poll() is None, said
    return "ready." in said or console.name.startswith("beat")


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, list(Message.objects.values_list("state", "reason", "not_before"))
        time.sleep(0.1)


def all_sent() -> bool:
    return not Message.objects.exclude(state="sent").exists()


def owe(world, count: int) -> None:
    """Confirmations of visits in ten days, each to a patient of its own."""
    now = timezone.now()
    for _patient in range(count):
        patient = world.a_patient()
        visit = a_visit(world, f"{now + timedelta(days=10):%Y-%m-%d} 14:30", patient=patient)
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=now)


def test_the_broker_stopped_and_emptied_loses_nothing_and_sends_nothing_twice(
    world, broker, environment, smtp_server, tmp_path
):
    with running(environment, tmp_path, processes.WORKER, BEAT):
        owe(world, 3)
        wait_until(all_sent)

        broker.stop()
        # What the worker has in hand it still does.
        time.sleep(2)
        began = time.monotonic()
        owe(world, 2)
        assert time.monotonic() - began < 10, "booking waited for the broker"
        assert Message.objects.filter(state="pending").count() == 2
        # Another process with nothing in it.
        broker.start()
        wait_until(all_sent)

        owe(world, 3)
        broker.flush()
        wait_until(all_sent)

    assert set(message_ids(smtp_server).values()) == {1}
    assert Counter(Message.objects.values_list("state", "handed_over")) == {("sent", 1): 8}


def test_two_beats_and_two_workers_send_each_message_once(world, environment, smtp_server, tmp_path):
    owe(world, 60)
    worker = processes.WORKER
    with running(environment, tmp_path, [*worker, "--hostname=a"], [*worker, "--hostname=b"], BEAT, BEAT):
        wait_until(all_sent)
        # What another tick would still do, it has done by now.
        time.sleep(2)

    assert set(message_ids(smtp_server).values()) == {1}
    assert len(smtp_server.received) == 60
    assert Counter(Message.objects.values_list("state", "handed_over")) == {("sent", 1): 60}


def test_without_beat_worker_and_broker_cron_sends_everything_once(world, broker, environment, smtp_server):
    broker.stop()
    owe(world, 30)
    command = [sys.executable, "manage.py", "dispatch_due"]
    ends = {"cwd": project.BASE_DIR, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    # As where one minute's run is still at work when the next begins.
    both = [subprocess.Popen(command, text=True, **ends) for _run in range(2)]
    said = [run.communicate(timeout=PATIENCE) for run in both]

    assert [run.returncode for run in both] == [0, 0], said
    assert len(smtp_server.received) == 30
    assert set(message_ids(smtp_server).values()) == {1}
    assert Counter(Message.objects.values_list("state", "handed_over")) == {("sent", 1): 30}
