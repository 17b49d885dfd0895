"""Processes that send are killed, and doubled: each message is sent, a mail at most twice under one Message-ID."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.conf import settings as project
from django.db import connection

from clinic.models import Appointment, Message, ReminderStep
from clinic.services import dispatch, ledger, outbox
from patients.models import Patient
from tests.mail_server import OK
from tests.world import NOW, a_clinic, at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

AFTER_THE_LEASE = ledger.LEASE + timedelta(minutes=1)


def owed(count: int) -> None:
    """Confirmations, each to a patient of its own."""
    world = a_clinic()
    Patient.objects.bulk_create(
        Patient(given_name=f"P{n}", email=f"p{n}@example.com", registered_at=NOW, registered_by=world.desk)
        for n in range(count)
    )
    start = at("2026-03-10 14:30")
    for patient in Patient.objects.exclude(pk=world.patient.pk):
        visit = Appointment.objects.create(
            patient=patient,
            site=world.site,
            treatment=world.treatment,
            starts_at=start,
            ends_at=start + timedelta(hours=1),
            status_at=NOW,
            status_by=world.desk,
            booked_at=NOW,
            booked_by=world.desk,
        )
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)


def place() -> dict[str, str]:
    """Where the tests' database is."""
    params = connection.get_connection_params()
    return {name: str(params[name]) for name in ("dbname", "host", "port", "user") if params.get(name)}


def database_url() -> str:
    name, query = place()["dbname"], {key: value for key, value in place().items() if key not in ("dbname", "user")}
    return f"postgres://{place().get('user', '')}@/{name}?{urlencode(query)}"


def dispatcher(smtp_server, *, now) -> subprocess.Popen:
    """A process of its own on the tests' database and mail server."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.dispatcher", now.isoformat()],
        cwd=project.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": database_url(), "EMAIL_URL": smtp_server.url, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(process: subprocess.Popen) -> str:
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return said


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)


def message_ids(smtp_server) -> Counter:
    return Counter(mail["Message-ID"] for mail in smtp_server.received)


def test_a_process_killed_between_the_providers_yes_and_its_own_note_repeats_mails_under_the_same_id(smtp_server):
    owed(4)
    third, killed = threading.Event(), threading.Event()

    def keep_the_third_waiting(mail):
        if len(smtp_server.received) == 2:
            third.set()
            killed.wait(30)
        return OK

    smtp_server.answer = keep_the_third_waiting
    process = dispatcher(smtp_server, now=NOW)
    assert third.wait(30)
    kill(process)
    killed.set()
    # What may have been handed over is noted before it is, so that nobody takes it for new.
    assert set(Message.objects.values_list("state", "attempts", "handed_over")) == {("sending", 1, 1)}

    assert outbox.run(now=NOW + timedelta(minutes=1)) == {}, "the lease is not over"
    outbox.run(now=NOW + AFTER_THE_LEASE)

    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}
    # Two were received, the third perhaps, the fourth not at all.
    assert sorted(message_ids(smtp_server).values()) in ([1, 1, 2, 2], [1, 2, 2, 2])
    assert outbox.run(now=NOW + 2 * AFTER_THE_LEASE) == {}


def test_a_mail_that_may_have_arrived_goes_alone_so_that_a_second_death_leaves_one_in_doubt(smtp_server):
    owed(4)
    Message.objects.update(handed_over=1)
    second, killed = threading.Event(), threading.Event()

    def keep_the_second_waiting(mail):
        if len(smtp_server.received) == 1:
            second.set()
            killed.wait(30)
        return OK

    smtp_server.answer = keep_the_second_waiting
    process = dispatcher(smtp_server, now=NOW)
    assert second.wait(30)
    kill(process)
    killed.set()
    outbox.run(now=NOW + AFTER_THE_LEASE)

    assert sorted(Message.objects.values_list("state", flat=True)) == ["sent", "sent", "sent", "unknown"]


def _kill_at_random(smtp_server, *, messages: int, kills: int) -> None:
    owed(messages)
    chance = random.Random(20260302)
    now = NOW
    for _kill in range(kills):
        before = len(smtp_server.received)
        process = dispatcher(smtp_server, now=now)
        # Python takes a second to start; the moment that counts is somewhere in the sending.
        until = time.monotonic() + 30
        while len(smtp_server.received) == before and process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        kill(process)
        now += AFTER_THE_LEASE
    wait(dispatcher(smtp_server, now=now))

    received = message_ids(smtp_server)
    became = Counter(Message.objects.values_list("state", "handed_over"))
    # Only what was handed over twice, each time by a process that died, is in doubt.
    assert became.keys() <= {("sent", 1), ("sent", 2), ("unknown", 2)}
    assert became["unknown", 2] <= kills, "of what may have arrived before, one at most is in doubt"
    sent = Message.objects.filter(state="sent").values_list("message_id", flat=True)
    assert {f"<{key}@localhost>" for key in sent} <= received.keys()
    assert max(received.values()) <= 2
    assert received.total() - len(received) <= kills * dispatch.GROUP
    print(f"{kills} kills, {messages} mails: {dict(became)}; {received.total() - len(received)} arrived twice")


def test_killed_at_random_every_mail_is_sent_and_none_more_than_twice(smtp_server):
    _kill_at_random(smtp_server, messages=60, kills=3)


@pytest.mark.long
def test_killed_a_hundred_times_in_1500_mails(smtp_server):
    _kill_at_random(smtp_server, messages=1500, kills=100)


def test_two_processes_at_once_send_each_mail_once(smtp_server):
    owed(80)

    said = [wait(process) for process in [dispatcher(smtp_server, now=NOW) for _process in range(2)]]

    assert set(message_ids(smtp_server).values()) == {1}
    assert len(smtp_server.received) == 80, said
    assert set(Message.objects.values_list("state", "handed_over")) == {("sent", 1)}
    assert outbox.run(now=NOW) == {}


def test_six_owing_at_once_owe_each_reminder_once(smtp_server):
    owed(40)
    Message.objects.all().delete()
    ReminderStep.objects.get_or_create(
        subject="appointment", offset_days=-3, channel="email", defaults={"stale_after_days": 1}
    )
    together = threading.Barrier(6)

    def owe():
        try:
            together.wait(10)
            outbox.owe_due(now=at("2026-03-07 14:30"))
        finally:
            connection.close()

    threads = [threading.Thread(target=owe) for _thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Message.objects.count() == 40
