"""From the reminder in the mailbox to a booked visit, on a phone, without signing in and without JavaScript."""

import re

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from clinic import tasks
from clinic.models import Appointment, Message
from patients import services as patients
from tests.clinic.test_outbox import a_cycle
from tests.e2e.conftest import assert_accessible, sign_in, wait_until
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


def fits(page) -> bool:
    """Nothing is wider than the phone."""
    return page.locator("html").evaluate("e => e.scrollWidth <= e.clientWidth")


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


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_of_the_link_is_accessible_and_fits(browser, server, link, width, clinic, tmp_path_factory):
    page = browser.new_page(viewport={"width": width, "height": 844}, locale="en-GB")

    def press(button: str) -> None:
        # Looked at only once the answer is there.
        with page.expect_navigation():
            page.get_by_role("button", name=button).click()

    def look(name: str) -> None:
        assert_accessible(page)
        assert fits(page), name
        page.screenshot(path=tmp_path_factory.getbasetemp().parent / f"link-{name}-{width}.png", full_page=True)

    page.goto(link)
    look("due")
    press("Please call me")
    look("call")
    page.goto(link)
    with page.expect_navigation():
        page.locator(".due-times a").first.click()
    look("confirm")
    page.goto(f"{link}stop/")
    look("stop")
    page.goto(f"{server.url}/r/{'A' * 24}/")
    look("expired")
    press("Send me a new link")
    look("fresh")
    page.goto(link)
    press("Later")
    look("later")
    page.goto(link)
    with page.expect_navigation():
        page.locator(".due-times a").first.click()
    press("Book this visit")
    look("booked")
    page.goto(f"{link}stop/")
    press("Stop the reminders")
    look("stopped")
    page.close()


def test_the_page_of_the_sending_is_accessible(page, server, clinic, mail, tmp_path_factory):
    clinic.manager.user_permissions.add(Permission.objects.get(codename="operate_sending"))
    sign_in(page, server, "manager@example.com")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for name, path in {"standing": "operations/", "dry-run": "operations/dry-run/"}.items():
            page.goto(f"{server.url}/desk/{path}")
            assert_accessible(page)
            page.screenshot(path=tmp_path_factory.getbasetemp().parent / f"{name}-{width}.png", full_page=True)
    page.goto(f"{server.url}/desk/operations/")
    page.get_by_role("button", name="Pause sending").click()
    expect(page.get_by_role("heading", name="Paused: nothing is sent")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Resume sending").click()
    expect(page.get_by_role("heading", name="Paused: nothing is sent")).to_have_count(0)
