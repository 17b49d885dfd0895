"""Patients sign in for the first time with nothing but the address that the clinic has for them."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.urls import reverse

from clinic import accounts
from patients import services
from patients.models import Patient
from tests.world import NOW, merged_into

pytestmark = pytest.mark.django_db

ADDRESS = "amal@example.com"


@pytest.fixture(autouse=True)
def mailbox(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    # Where it is counted how often somebody asks: each test begins at nought.
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(uuid4())}
    }


def ask(browser: Client, address: str = ADDRESS):
    return browser.post(reverse("account_request_login_code"), {"email": address}, follow=True)


def code_in(message) -> str:
    return re.search(r"^\s*([A-Z0-9-]{6,})\s*$", message.body, re.MULTILINE)[1]


def enter(browser: Client, code: str):
    return browser.post(reverse("account_confirm_login_code"), {"code": code}, follow=True)


def asked_by(address: str = ADDRESS) -> str:
    """The page that somebody sees who asks for a code, without what is random on it."""
    page = ask(Client(), address).text
    return re.sub(r"[\w-]{30,}", "TOKEN", page.replace(address, "ADDRESS"))


def test_who_asks_for_a_code_by_the_stored_address_gets_in(world, client):
    ask(client, "Amal@Example.com")
    [message] = mail.outbox
    page = enter(client, code_in(message))

    assert message.to == [ADDRESS]
    assert "Hello Amal" in page.text
    world.patient.refresh_from_db()
    assert (world.patient.user.is_staff, world.patient.user.has_usable_password()) == (False, False)


class Stuck(BaseEmailBackend):
    """A mail server that takes its time, and then nothing."""

    go_on = Event()

    def send_messages(self, mails):
        self.go_on.wait(20)
        raise OSError("for amal@example.com")


def test_neither_the_pace_nor_a_failure_of_the_mail_server_tells_whose_address_is_known(
    world, settings, monkeypatch, caplog
):
    settings.EMAIL_BACKEND = f"{__name__}.Stuck"
    threads = ThreadPoolExecutor(1)
    monkeypatch.setattr(accounts, "BESIDE", threads)

    known, unknown = asked_by(), asked_by("nobody@example.com")
    Stuck.go_on.set()
    threads.shutdown()

    assert known == unknown
    assert "A mail about signing in was not sent: OSError" in caplog.text
    assert ADDRESS not in caplog.text


def test_a_code_is_good_once_and_for_three_tries(world):
    first, second = Client(), Client()
    ask(first)
    ask(second)
    codes = [code_in(message) for message in mail.outbox]
    assert "Hello Amal" in enter(first, codes[0]).text
    assert "Hello Amal" not in enter(Client(), codes[0]).text

    for _try in range(3):
        page = enter(second, "WRONG1")
    assert "The code was wrong three times" in page.text
    assert "Hello Amal" not in enter(second, codes[1]).text
    assert User.objects.filter(patient=world.patient).count() == 1


def test_another_code_can_be_asked_for_at_once_after_three_wrong_ones(world, client):
    ask(client)
    for _try in range(3):
        enter(client, "WRONG1")
    ask(client)

    assert "Hello Amal" in enter(client, code_in(mail.outbox[-1])).text


def nobody_has_it(world) -> None:
    Patient.objects.filter(pk=world.patient.pk).update(email="")


def two_patients_have_it(world) -> None:
    world.a_patient(email="AMAL@example.com")


def it_is_of_a_record_that_was_merged(world) -> None:
    Patient.objects.filter(pk=world.patient.pk).update(**merged_into(world.a_patient()))


def it_was_changed(world) -> None:
    Patient.objects.filter(pk=world.patient.pk).update(email="new@example.com")


def the_account_is_closed(world) -> None:
    user = services.create_account(patient=world.patient, by=world.desk, now=NOW)
    User.objects.filter(pk=user.pk).update(is_active=False)


def somebody_left_who_worked_here(world) -> None:
    User.objects.create_user("left", ADDRESS, is_staff=True, is_active=False)


@pytest.mark.parametrize(
    "where",
    [
        nobody_has_it,
        two_patients_have_it,
        it_is_of_a_record_that_was_merged,
        it_was_changed,
        the_account_is_closed,
        somebody_left_who_worked_here,
    ],
)
def test_nobody_gets_in_and_is_told_nothing_where(world, where):
    answer = asked_by("unknown@example.com")
    where(world)
    accounts = User.objects.count()

    assert asked_by() == answer
    assert mail.outbox == []
    assert User.objects.count() == accounts


def test_the_first_time_looks_as_any_other_time(world):
    assert asked_by() == asked_by() == asked_by("unknown@example.com")
    assert len(mail.outbox) == 2


def test_the_account_of_one_merged_record_is_that_of_the_record_that_is_left(world, client):
    Patient.objects.filter(pk=world.a_patient(email=ADDRESS).pk).update(**merged_into(world.patient))
    ask(client)

    assert "Hello Amal" in enter(client, code_in(mail.outbox[0])).text


def test_who_works_here_signs_in_as_such_where_a_patient_has_the_same_address(world, client):
    User.objects.filter(pk=world.desk.pk).update(email=ADDRESS)
    world.desk.emailaddress_set.create(email=ADDRESS, verified=True, primary=True)
    ask(client)
    enter(client, code_in(mail.outbox[0]))

    assert client.session["_auth_user_id"] == str(world.desk.pk)
    world.patient.refresh_from_db()
    assert world.patient.user is None


def test_an_address_asks_for_no_more_codes_than_before(world):
    for _time in range(3):
        ask(Client())
    refused = ask(Client())

    assert "too many tries" in refused.text
    assert len(mail.outbox) == 3


def test_who_asks_too_often_makes_no_account(world):
    nobody_has_it(world)
    for _time in range(3):
        ask(Client())
    Patient.objects.filter(pk=world.patient.pk).update(email=ADDRESS)
    ask(Client())

    world.patient.refresh_from_db()
    assert world.patient.user is None


def test_the_desk_gives_access_before_the_first_time_and_not_after_it(world, client):
    ask(client)
    world.patient.refresh_from_db()

    with pytest.raises(services.AccountNotPossible, match="has access already"):
        services.create_account(patient=world.patient, by=world.desk, now=NOW)
