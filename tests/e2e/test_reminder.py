"""From the reminder in the mailbox to a booked visit, on a phone, without signing in and without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

from clinic import tasks
from clinic.models import Appointment, Message
from patients import services as patients
from tests.clinic.test_outbox import a_cycle
from tests.e2e.conftest import wait_until
from tests.world import at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def mail(clinic, server, clock, smtp_server, a_worker):
    """What a real worker has sent over SMTP on the morning on which maintenance is due."""
    patients.give_consent(
        patient=clinic.patient, purpose="recall", channel="email", source="desk", by=clinic.desk, now=clock.now
    )
    a_cycle(clinic, "2026-06-01")
    clock.move_to(at("2026-06-01 09:05"))
    a_worker()
    tasks.remind.delay()
    wait_until(lambda: Message.objects.filter(kind="maintenance", state="sent").exists())
    [mail] = smtp_server.received
    return mail


@pytest.fixture
def link(mail) -> str:
    return re.search(r"http://\S+/r/[^/\s]+/(?=\s)", mail.get_content())[0]


@pytest.fixture
def phone(browser):
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False, locale="en-GB")
    yield context.new_page()
    context.close()


def test_one_tap_chooses_and_one_confirms_on_a_phone(phone, link, clinic):
    phone.goto(link)
    expect(phone.get_by_role("heading", name="It is time for your next visit")).to_be_visible()
    times = phone.locator(".due-times a")
    expect(times).to_have_count(5)
    assert all(times.nth(n).bounding_box()["height"] >= 44 for n in range(5))

    times.nth(1).click()
    expect(phone.get_by_role("heading", name="Book this time?")).to_be_visible()
    phone.get_by_role("button", name="Book this visit").click()

    expect(phone.get_by_role("heading", name="Your visit is booked")).to_be_visible()
    appointment = Appointment.objects.get()
    assert (appointment.patient, appointment.maintenance.state) == (clinic.patient, "booked")
    phone.goto(link)
    expect(phone.get_by_role("heading", name="Your visit is booked")).to_be_visible()


def test_later_call_me_and_stop(phone, link):
    phone.goto(link)
    phone.get_by_role("button", name="Please call me").click()
    expect(phone.get_by_role("heading", name="We call you")).to_be_visible()
    phone.goto(link)
    phone.get_by_label("Put it off").select_option("4")
    phone.get_by_role("button", name="Later").click()
    expect(phone.locator("main")).to_contain_text("until Mon 29 Jun 2026")
    phone.goto(link)
    phone.get_by_role("link", name="Stop these reminders").click()
    phone.get_by_role("button", name="Stop the reminders").click()
    expect(phone.get_by_role("heading", name="Done")).to_be_visible()
