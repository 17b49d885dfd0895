"""A patient alone, on a phone and without JavaScript: from the code in the mail to a visit moved, cancelled, booked."""

import re

import icalendar
import pytest
from django.conf import settings as django_settings
from django.core import mail

from clinic.models import Appointment, Site
from clinic.services import booking
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.e2e.conftest import assert_accessible
from tests.world import NOW, at
from treatments.models import CareInstruction, Maintenance, ScreeningQuestion

PHONE = {"width": 390, "height": 844}


@pytest.fixture(params=["light", "dark"])
def phone(request, browser, server):
    """A small screen in one of the two looks. Nothing runs in it."""
    context = browser.new_context(
        viewport=PHONE, color_scheme=request.param, java_script_enabled=False, has_touch=True, locale="en-GB"
    )
    page = context.new_page()
    page.look = request.param
    yield page
    context.close()


@pytest.fixture
def checked(browser, phone):
    """Is the page of the phone accessible? Asking needs JavaScript, so a second window shows the same page."""

    def check() -> None:
        context = browser.new_context(viewport=PHONE, color_scheme=phone.look, locale="en-GB")
        context.add_cookies(phone.context.cookies())
        window = context.new_page()
        window.goto(phone.url)
        # Nothing to scroll sideways.
        assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], phone.url
        assert_accessible(window)
        context.close()

    return check


@pytest.fixture
def course(clinic):
    """Session 1 attended, 2 booked with care and questions, 3 booked just in time after it, and an older series due."""
    CareInstruction.objects.create(
        protocol=clinic.protocol,
        position=1,
        when="before",
        action="avoid",
        text="No retinoids",
        offset=7,
        unit="day",
        bound="at_least",
    )
    ScreeningQuestion.objects.create(
        protocol=clinic.protocol, position=1, text="Do you take isotretinoin?", effect="ask", days_valid=30
    )
    Site.objects.update(phone="+44 20 7946 0100", address="1 Quay Street\nHarbour")
    create_account(patient=clinic.patient, by=clinic.desk, now=NOW)
    done = clinic.a_series(count=1, decision_note="Dr Roe")
    last = book(clinic, a_visit(clinic, "2025-10-02 10:00", session=done.sessions.get()))
    booking.attend(appointment=last, by=clinic.desk, now=at("2025-10-02 12:00"))
    one, two, three = clinic.a_series().sessions.order_by("number")
    first = book(clinic, a_visit(clinic, "2026-02-02 10:00", session=one))
    booking.attend(appointment=first, by=clinic.desk, now=at("2026-02-02 12:00"))
    second = book(clinic, a_visit(clinic, "2026-03-09 10:00", session=two))
    third = book(clinic, a_visit(clinic, "2026-04-06 10:00", session=three))
    return second, third


def test_a_patient_does_it_all_alone(phone, checked, server, course, clinic, clock, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    second, third = course

    # Signs in by the code in the mail.
    phone.goto(f"{server.url}/accounts/login/")
    phone.locator("#id_email").fill("amal@example.com")
    phone.get_by_role("button", name="Send me a code").click()
    code = re.search(r"^\s*([A-Z0-9-]{6,9})\s*$", mail.outbox[-1].body, re.MULTILINE)[1]
    phone.get_by_label("Code").fill(code)
    phone.get_by_role("button", name="Sign in").click()
    phone.wait_for_url("**/my/")
    checked()

    # Sees what to do before the visit, and from which day.
    assert "Mon 9 Mar 2026, 10:00" in phone.locator(".answer").inner_text()
    assert "from monday 2 march until your visit" in phone.locator(".care").first.inner_text().lower()

    # Answers the questions; one of the answers is for the practitioner.
    phone.get_by_role("link", name="Answer the questions before your visit").click()
    checked()
    phone.get_by_label("Yes").check()
    phone.get_by_role("button", name="Send the answers").click()
    assert "Your practitioner sees the answers" in phone.locator("#messages").inner_text()
    checked()

    # The visit as a file for the calendar.
    with phone.expect_download() as download:
        phone.get_by_role("link", name="Add to my calendar").click()
    (event,) = icalendar.Calendar.from_ical(download.value.path().read_bytes()).walk("VEVENT")
    assert (str(event["uid"]), str(event["summary"])) == (str(second.uid), "Visit at Harbour")

    # Moves it by two days; the next one has to move along, and that is said before.
    phone.get_by_role("link", name="Move it").click()
    checked()
    day = phone.locator("details", has_text="Wed 11 Mar 2026")
    day.locator("summary").click()
    day.get_by_role("link", name="11:00").click()
    assert "moves along to Wed 8 Apr 2026, 10:00" in phone.locator(".later").inner_text()
    checked()
    phone.get_by_role("button", name="Yes, move it").click()
    assert "Your visit is now on Wed 11 Mar 2026, 11:00." in phone.locator("#messages").inner_text()
    third.refresh_from_db()
    assert third.starts_at == at("2026-04-08 10:00")

    # Cancels the last one.
    phone.get_by_role("link", name="My course").first.click()
    phone.get_by_role("link", name="Wed 8 Apr 2026, 10:00").click()
    phone.get_by_role("link", name="Cancel it").click()
    checked()
    phone.get_by_label("Why?").fill("on a journey")
    phone.get_by_role("button", name="Cancel the visit").click()
    assert "Your visit is cancelled." in phone.locator("#messages").inner_text()
    third.refresh_from_db()
    assert third.status == "cancelled"
    checked()

    # Books the maintenance of the older series.
    phone.get_by_role("link", name="Book it").first.click()
    checked()
    phone.locator(".offers a").first.click()
    checked()
    phone.get_by_role("button", name="Yes, book it").click()
    assert "Booked:" in phone.locator("#messages").inner_text()
    cycle = Maintenance.objects.get()
    assert Appointment.objects.get(maintenance=cycle).booked_by.patient == clinic.patient

    # A private calendar; messages; own data.
    phone.get_by_role("link", name="My calendar", exact=True).click()
    checked()
    phone.get_by_role("button", name="Make my private address").click()
    address = phone.get_by_label("The address").input_value()
    assert address.startswith(f"{server.url}/my/calendar/")
    phone.get_by_role("link", name="Messages and my data").click()
    checked()
    with phone.expect_download() as download:
        phone.get_by_role("button", name="Download my data").click()
    assert "on a journey" in download.value.path().read_text()

    # And in German.
    phone.get_by_label("Language of this page and of messages").select_option("de")
    phone.get_by_role("button", name="Save").click()
    assert "Gespeichert." in phone.locator("#messages").inner_text()
    for page in ("/my/", f"/my/visits/{second.pk}/", f"/my/visits/{second.pk}/move/", "/my/calendar/"):
        phone.goto(server.url + page)
        assert phone.locator("html").get_attribute("lang") == "de"
        checked()


def test_after_the_cut_off_the_phone_number_is_there(phone, checked, server, course, clinic, clock):
    second, _third = course
    clock.move_to(at("2026-03-08 12:00"))
    phone.context.add_cookies([a_session(clinic.patient, server)])

    phone.goto(f"{server.url}/my/visits/{second.pk}/")

    assert "It is less than 24 hours until your visit" in phone.locator("main").inner_text()
    assert "+44 20 7946 0100" in phone.locator("main").inner_text()
    assert phone.get_by_role("link", name="Move it").count() == 0
    checked()


def a_session(patient, server) -> dict:
    """Signed in, without the way through the mail."""
    from django.test import Client

    patient.refresh_from_db()
    client = Client()
    client.force_login(patient.user, backend="django.contrib.auth.backends.ModelBackend")
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": server.url}
