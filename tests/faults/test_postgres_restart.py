"""PostgreSQL is restarted while the desk books: what was answered as booked is booked, and booking goes on at once."""

import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.conf import settings as project
from django.db import connection
from django.test import Client
from django.urls import reverse

from clinic.models import Appointment, BookingRequest, Claim
from config import processes, servers
from tests.own_postgres import OwnPostgres, own_postgres
from tests.world import World, a_clinic
from treatments.models import Phase, Treatment

pytestmark = pytest.mark.slow

DESKS = 4
# Seconds from when the server takes connections again.
RECOVERED_WITHIN = 5
# So many of each desk, before and after.
VISITS = 8
TOKEN = "t" * 32


@pytest.fixture
def database(transactional_db) -> Iterator[OwnPostgres]:
    connection.ensure_connection()
    with own_postgres(like=connection.connection) as server, server.in_use():
        yield server


@pytest.fixture
def world(database) -> World:
    return a_clinic()


@pytest.fixture
def web(database, tmp_path) -> Iterator[int]:
    """The port of the web server, started as docker-compose.yml starts it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", *processes.WEB, f"--bind=127.0.0.1:{port}"]
    with (tmp_path / "web.log").open("wb") as log:
        process = servers.spawn(command, log=log, env=database.environment(), cwd=project.BASE_DIR)
    try:
        wait_until(lambda: _answers(port) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "web.log").read_text()
        yield port
    finally:
        servers.stop(process, seconds=40)


def wait_until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return _ask(port, "GET", reverse("account_login"))[0] == HTTPStatus.OK
    except OSError:
        return False


def _ask(port: int, method: str, path: str, body: str = "", headers: dict | None = None) -> tuple[int, str]:
    """Status, and where to go."""
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        server.request(method, path, body, headers or {})
        answer = server.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location", "")
    finally:
        server.close()


@dataclass
class Desk:
    """Somebody who books visit after visit for one patient, and presses again where there was no answer."""

    port: int
    patient: int
    asked: dict
    cookies: str
    first_day: date
    stop: threading.Event
    slot: int = 0
    booked: dict[str, int] = field(default_factory=dict)
    # When each request began and ended, and whether it booked.
    tries: list[tuple[float, float, bool]] = field(default_factory=list)

    def work(self) -> None:
        while not self.stop.is_set():
            key = str(uuid4())
            while key not in self.booked and not self.stop.is_set():
                self._press(key)
                if key not in self.booked:
                    self.stop.wait(0.1)
            self.slot += 1

    def booked_since(self, moment: float) -> list[float]:
        """When those were answered that were pressed since then."""
        return [ended for began, ended, booked in self.tries if booked and began > moment]

    def _press(self, key: str) -> None:
        day = self.first_day + timedelta(weeks=self.slot // 16)
        clock = f"{9 + self.slot % 16 // 2:02}:{self.slot % 2 * 30:02}"
        form = self.asked | {"key": key, "pick": "own", "book": "1"}
        form |= {"own_date": day.isoformat(), "own_time": clock, "own_shown": f"{day}T{clock}"}
        headers = {"Cookie": self.cookies, "X-CSRFToken": TOKEN, "Content-Type": "application/x-www-form-urlencoded"}
        began = time.monotonic()
        try:
            status, location = _ask(
                self.port, "POST", reverse("desk:visit-new", args=[self.patient]), urlencode(form), headers
            )
        except OSError:
            status, location = 0, ""
        if status == HTTPStatus.FOUND and "appointments" in location:
            self.booked[key] = int(location.rstrip("/").rpartition("/")[2])
        self.tries.append((began, time.monotonic(), key in self.booked))


@pytest.fixture
def desks(world, web) -> list[Desk]:
    consultation = Treatment.objects.create(name="Consultation")
    Phase.objects.create(treatment=consultation, position=1, name="Talk", minutes=15, occupies_room=True)
    client = Client()
    client.force_login(world.desk)
    cookies = f"{project.SESSION_COOKIE_NAME}={client.session.session_key}; {project.CSRF_COOKIE_NAME}={TOKEN}"
    today = datetime.now(world.site.time_zone).date()
    monday = today + timedelta(days=7 - today.weekday())
    asked = {"site": world.site.pk, "treatment": consultation.pk, "first_day": monday.isoformat(), "only": "on"}
    stop = threading.Event()
    # Each on a weekday of its own, so that none is in another's way.
    return [Desk(web, world.a_patient().pk, asked, cookies, monday + timedelta(days=n), stop) for n in range(DESKS)]


@contextmanager
def at_work(desks: list[Desk]) -> Iterator[None]:
    desks[0].stop.clear()
    threads = [threading.Thread(target=desk.work) for desk in desks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        desks[0].stop.set()
        for thread in threads:
            thread.join(30)


def wait_for_visits(desks: list[Desk], *, since: float) -> None:
    """Until each desk has booked some."""
    wait_until(lambda: all(len(desk.booked_since(since)) >= VISITS for desk in desks))


def failed_since(desks: list[Desk], moment: float) -> int:
    return sum(began > moment and not booked for desk in desks for began, _ended, booked in desk.tries)


def test_what_was_answered_as_booked_is_booked_and_after_the_restart_everybody_books_at_once(database, desks):
    with at_work(desks):
        wait_for_visits(desks, since=0)
        # The test's own would be cut too.
        connection.close()
        down_at = time.monotonic()
        database.restart()
        up_at = time.monotonic()
        wait_for_visits(desks, since=up_at)
    assert failed_since(desks, down_at) > 0, "nobody was disturbed"
    assert failed_since(desks, up_at) == 0
    assert max(min(desk.booked_since(up_at)) for desk in desks) < up_at + RECOVERED_WITHIN

    # While nobody books, nobody finds out that the connections that are kept were cut: still none is used again.
    database.restart()
    up_at = time.monotonic()
    with at_work(desks):
        wait_for_visits(desks, since=up_at)
    assert failed_since(desks, up_at) == 0

    answered = {key: appointment for desk in desks for key, appointment in desk.booked.items()}
    stored = {str(request.key): request.appointments for request in BookingRequest.objects.all()}
    assert {key: [appointment] for key, appointment in answered.items()}.items() <= stored.items()
    booked = set(Appointment.objects.filter(status="booked").values_list("pk", flat=True))
    assert set(answered.values()) <= booked
    # Pressed again after a lost answer, it is the same visit. Twice each desk was told to stop, perhaps before its
    # last press was answered.
    assert len(booked) - len(answered) <= 2 * len(desks)
    assert set(Claim.objects.values_list("appointment", flat=True)) == booked
