"""How fast messages leave: 10,000 that are due, through a real worker, beside a bare loop of smtplib."""

import pickle
import smtplib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest
from celery import current_app
from django.conf import settings as project
from django.db import connection

from clinic import messages, tasks
from clinic.models import Appointment, Message, ReminderStep
from clinic.services import outbox
from patients.models import Patient
from tests.own_postgres import OwnPostgres, own_postgres
from tests.world import NOW, a_clinic

DUE = 10_000
TURNS = 2
AT_LEAST = 0.5
DAY = timedelta(days=1)
TEXT = """\
Dear {name},

we look forward to seeing you:

  {when}

If you cannot come, please tell us as early as you can.

Your visits: http://localhost:8000/my/

Harbour
"""


class Sink:
    """An SMTP server in a process of its own."""

    def __init__(self, kept) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._kept = kept
        command = [sys.executable, "-m", "tests.benchmarks.mail_sink", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=project.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def received(self) -> list[tuple[list[str], bytes]]:
        """What has come since this was asked before."""
        print(self._kept, file=self.process.stdin, flush=True)
        self.process.stdout.readline()
        return pickle.loads(self._kept.read_bytes())


@pytest.fixture
def sink(tmp_path) -> Iterator[Sink]:
    sink = Sink(tmp_path / "received")
    yield sink
    sink.process.kill()
    sink.process.wait()


@pytest.fixture
def database(django_test_environment, django_db_blocker) -> Iterator[OwnPostgres]:
    with own_postgres() as server, django_db_blocker.unblock(), server.in_use():
        yield server


@pytest.fixture
def worker(database, sink, tmp_path) -> Iterator[subprocess.Popen]:
    """The worker as docker-compose.yml starts it."""
    command = [sys.executable, "-m", "celery", "--app=config", "worker", "--concurrency=2", "--loglevel=info"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=project.BASE_DIR,
            env=database.environment(EMAIL_URL=f"smtp://127.0.0.1:{sink.port}"),
            stdout=log,
            stderr=log,
        )
    until = time.monotonic() + 60
    while not current_app.control.ping(timeout=1):
        assert process.poll() is None, (tmp_path / "worker.log").read_text()
        assert time.monotonic() < until
    yield process
    process.terminate()
    process.wait()


def visits_in_three_days() -> None:
    """Booked visits, each of a patient of its own, that are to be reminded of at this moment."""
    world = a_clinic()
    now = datetime.now(UTC)
    # Where it is about noon at this moment, nobody sleeps.
    world.site.time_zone = ZoneInfo(f"Etc/GMT{now.hour - 12:+d}")
    world.site.save()
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-3, channel="email", stale_after_days=1)
    with connection.cursor() as cursor:
        # The history of what is only measured is not written.
        cursor.execute("SET session_replication_role = replica")
    patients = Patient.objects.bulk_create(
        Patient(given_name=f"P{n}", email=f"p{n}@example.com", registered_at=NOW, registered_by=world.desk)
        for n in range(DUE)
    )
    start = now.replace(second=0, microsecond=0) + 3 * DAY
    Appointment.objects.bulk_create(
        Appointment(
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
        for patient in patients
    )
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = DEFAULT")


def owe() -> None:
    Message.objects.all().delete()
    assert outbox.owe_due(now=datetime.now(UTC)) == DUE
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def bare(sink: Sink, mails: list[tuple[str, bytes]]) -> float:
    """The seconds in which a loop sends the mails over one connection, with nothing else to do."""
    with smtplib.SMTP("127.0.0.1", sink.port) as server:
        began = time.perf_counter()
        for address, text in mails:
            server.sendmail("clinic@localhost", [address], text)
        return time.perf_counter() - began


def ours() -> float:
    """The seconds from the task to the last message that is settled."""
    began = datetime.now(UTC)
    tasks.remind.delay()
    until = time.monotonic() + 300
    while Message.objects.filter(state__in=["pending", "sending"]).exists():
        assert time.monotonic() < until
        time.sleep(0.2)
    assert Counter(Message.objects.values_list("state", "attempts", "handed_over")) == {("sent", 1, 1): DUE}
    return (Message.objects.latest("settled_at").settled_at - began).total_seconds()


def as_mails() -> list[tuple[str, bytes]]:
    found = Message.objects.select_related("patient", "appointment__site").order_by("pk")
    return [
        (
            message.patient.email,
            messages.email(message, messages.About(message.appointment.site, [message.appointment.starts_at]))
            .message()
            .as_bytes(linesep="\r\n"),
        )
        for message in found
    ]


def check(received: list[tuple[list[str], bytes]]) -> None:
    """Each mail once, to its patient, with what was to be said."""
    found = Message.objects.select_related("patient", "appointment__site")
    expected = {}
    for message in found:
        when = message.appointment.starts_at.astimezone(message.appointment.site.time_zone)
        said = f"{when:%a} {when.day} {when:%b %Y, %H:%M}"
        text = TEXT.format(name=message.patient.given_name, when=said)
        subject = f"Harbour: see you on {said}"
        expected[message.patient.email] = (f"<{message.message_id}@localhost>", message.patient.email, subject, text)
    assert len(received) == len(expected) == DUE
    for recipients, content in received:
        mail = message_from_bytes(content, policy=policy.default)
        [address] = recipients
        text = mail.get_content().replace("\r\n", "\n")
        assert (mail["Message-ID"], mail["To"], mail["Subject"], text) == expected.pop(address)
    assert expected == {}


def test_messages_leave_at_half_the_rate_of_a_bare_loop_of_smtplib(sink, worker, figures):
    visits_in_three_days()
    least = {"bare": float("inf"), "ours": float("inf")}
    for _turn in range(TURNS):
        owe()
        least["bare"] = min(least["bare"], bare(sink, as_mails()))
        check(sink.received())
        least["ours"] = min(least["ours"], ours())
        check(sink.received())
        print(least)

    rates = {name: DUE / seconds for name, seconds in least.items()}
    ratio = rates["ours"] / rates["bare"]
    figures.append(
        (
            f"{DUE:,} reminders through a worker; floor: a loop of smtplib",
            f"{rates['bare']:.0f}/s",
            f"{rates['ours']:.0f}/s",
            f"{ratio:.2f}",
            f">= {AT_LEAST}",
        )
    )
    assert ratio >= AT_LEAST
