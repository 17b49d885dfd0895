"""A real browser on a real server, a real worker and a real SMTP server; the clock of all of them can be moved."""

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections

from clinic.models import Message, ReminderStep
from config import servers
from tests.world import NOW, a_clinic

PASSWORD = "a-password-for-tests"
# The shell has no window of its own to draw, and takes two thirds of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
ROOT = Path(__file__).parent.parent.parent

# Playwright keeps an event loop in this thread, in which Django would refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # One worker of the test run has the browser, unless a test asks for another.
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group("browser"))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine: apt-get install chromium"))


@pytest.fixture(autouse=True)
def nobody_signed_in_too_often():
    """The limits on signing in count all of a test run, which comes from one address."""
    cache.clear()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    return browser_type_launch_args | {"executable_path": CHROMIUM, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return browser_context_args | {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}


class Clock:
    """Moves the time of the web server, which runs in this process, and of the workers started after."""

    def __init__(self) -> None:
        self._travel = None
        self.move_to(NOW)

    def move_to(self, moment: datetime) -> None:
        self.stop()
        self._travel = time_machine.travel(moment, tick=True)
        self._travel.start()
        self.now = moment

    def stop(self) -> None:
        if self._travel is not None:
            self._travel.stop()
            self._travel = None


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    clock.stop()


@pytest.fixture
def clinic(transactional_db):
    """The small clinic of tests.world, whose people can sign in."""
    world = a_clinic()
    for user in User.objects.all():
        user.set_password(PASSWORD)
        user.save()
        user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    # The ladder of a fresh installation; the tables were emptied after the test before.
    ReminderStep.objects.get_or_create(subject="maintenance", offset_days=0, channel="email", stale_after_days=7)
    return world


@pytest.fixture
def server(live_server, settings, smtp_server):
    settings.PUBLIC_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    return live_server


@pytest.fixture
def desk(page, server, clinic):
    """The receptionist's browser, signed in."""
    sign_in(page, server, "desk@example.com")
    return page


def sign_in(page, server, email: str) -> None:
    page.goto(f"{server.url}/accounts/login/")
    page.get_by_text("I work here").click()
    form = page.locator("#with-password")
    form.get_by_label("E-mail address").fill(email)
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk/")


def assert_accessible(page) -> None:
    """No finding of axe, for WCAG 2.2 AA and what it calls best practice."""
    # A page that is still arriving has no main landmark yet.
    page.wait_for_load_state()
    found = Axe().run(page).response["violations"]
    assert not found, [(finding["id"], [node["html"] for node in finding["nodes"]][:3]) for finding in found]


class Worker:
    """A Celery worker as its own process, on the test database, at the time of the test's clock."""

    def __init__(self, *, now: datetime, smtp_url: str, log: Path) -> None:
        name = connections["default"].settings_dict["NAME"]
        database, _slash, _name = os.environ["DATABASE_URL"].partition("?")[0].rpartition("/")
        query = os.environ["DATABASE_URL"].partition("?")[2]
        environment = os.environ | {
            "DATABASE_URL": f"{database}/{name}?{query}",
            "EMAIL_URL": smtp_url,
            "PUBLIC_URL": django_settings.PUBLIC_URL,
        }
        self.log = log
        with log.open("wb") as console:
            command = [sys.executable, "-m", "tests.e2e.worker_at", now.isoformat()]
            self.process = servers.spawn(command, log=console, env=environment, cwd=ROOT)
        deadline = time.monotonic() + 60
        while "ready." not in log.read_text():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def a_worker(clock, server, smtp_server, tmp_path):
    """Start workers at the present time of the clock; they are ended with the test."""
    started = []

    def start() -> Worker:
        log = tmp_path / f"worker{len(started)}.log"
        started.append(Worker(now=clock.now, smtp_url=smtp_server.url, log=log))
        return started[-1]

    yield start
    for worker in started:
        worker.stop()


def wait_until(true, *, seconds: float = 20) -> None:
    deadline = time.perf_counter() + seconds
    while not true():
        assert time.perf_counter() < deadline, list(Message.objects.values("kind", "state", "reason", "not_before"))
        time.sleep(0.1)
