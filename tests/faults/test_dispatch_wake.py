"""A booking wakes a worker, and does without one."""

import socket
import time
from uuid import UUID

import pytest
from celery import current_app
from django.db import transaction

from clinic import tasks, wake
from clinic.models import Message
from clinic.services import outbox
from tests.clinic.test_outbox import a_visit
from tests.world import NOW, a_clinic


@pytest.fixture
def broker(monkeypatch):
    """Point the program at another broker."""

    def use(url: str) -> None:
        monkeypatch.setattr(current_app.conf, "broker_write_url", url)
        wake._broker.cache_clear()

    yield use
    wake._broker.cache_clear()


def owe_in_a_transaction() -> float:
    """Returns the seconds that owing and committing took."""
    world = a_clinic()
    visit = a_visit(world)
    began = time.monotonic()
    with transaction.atomic():
        outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_fails_no_booking(broker):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    broker(f"redis://127.0.0.1:{port}/0")

    assert owe_in_a_transaction() < 2
    assert Message.objects.get().state == "pending"


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_never_answers_holds_up_no_booking_for_long(broker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        assert owe_in_a_transaction() < 3
    assert Message.objects.get().state == "pending"


def test_what_is_owed_wakes_a_worker_when_it_is_committed(world, monkeypatch, django_capture_on_commit_callbacks):
    woken = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: woken.append(name))
    visit = a_visit(world)

    with django_capture_on_commit_callbacks(execute=True):
        outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from=str(UUID(int=1)), now=NOW)
        assert woken == []

    assert woken == [tasks.remind.name]
