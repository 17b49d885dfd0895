"""The worklist by keyboard: a call that nobody answers, a maintenance visit booked, and two people at one row."""

import re
from datetime import date

import pytest
from playwright.sync_api import expect

from clinic.models import Appointment, WorklistNote
from tests.clinic.test_worklist import a_cycle
from tests.e2e.conftest import assert_accessible, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def press(page, role: str, name) -> None:
    """Go there with the keyboard alone, and press Enter."""
    target = page.get_by_role(role, name=name).first
    for _step in range(80):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            break
    expect(target).to_be_focused()
    page.keyboard.press("Enter")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_day_at_the_worklist_without_a_mouse(desk, clinic, server, clock, browser, width):
    desk.set_viewport_size({"width": width, "height": 900})
    noor = clinic.a_patient("Noor", "Haddad", phone="+447700900123")
    a_cycle(clinic, noor, due=date(2026, 3, 2), by=date(2026, 3, 20))
    cycle = a_cycle(clinic, due=date(2026, 3, 3), by=date(2026, 3, 20))

    press(desk, "link", "Worklist")
    expect(desk.get_by_role("heading", name="Worklist")).to_be_visible()
    assert_accessible(desk)
    press(desk, "link", "Maintenance due 2")
    rows = desk.locator(".worklist tbody tr")
    expect(rows).to_have_count(2)
    assert_accessible(desk)

    # Nobody answers: the row rests.
    press(desk, "button", re.compile("Call, put aside… ?: Noor Haddad"))
    expect(desk.get_by_text("You are on it")).to_be_visible()
    assert_accessible(desk)

    # Meanwhile somebody else sees that it is taken.
    context = browser.new_context()
    other = context.new_page()
    sign_in(other, server, "manager@example.com")
    other.goto(f"{server.url}/desk/worklist/?tab=due")
    expect(other.locator(".worklist tbody tr").first).to_contain_text("desk@example.com is on it")
    assert_accessible(other)
    context.close()

    desk.get_by_label("No answer").focus()
    desk.keyboard.press("Space")
    press(desk, "button", "Keep")
    expect(desk.get_by_text("It comes back on Wed 4 Mar 2026")).to_be_visible()
    expect(rows).to_have_count(1)
    assert WorklistNote.objects.get().outcome == "no_answer"

    # The other is reached, and booked at the first time offered.
    press(desk, "button", re.compile("Book ?: Amal Osei"))
    expect(desk.get_by_role("heading", name="Book maintenance")).to_be_visible()
    expect(desk.get_by_text("Tue 3 Mar 2026, 09:00")).to_be_visible()
    assert_accessible(desk)
    press(desk, "button", "Book this visit")
    expect(desk.get_by_text("Booked: Tue 3 Mar 2026, 09:00.")).to_be_visible()
    assert Appointment.objects.get().maintenance == cycle
    desk.goto(f"{server.url}/desk/worklist/?tab=due")
    expect(desk.get_by_text("Nothing to do here")).to_be_visible()
    assert_accessible(desk)
    assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_visit_follows_what_is_asked_and_a_typed_time(desk, clinic, server, clock):
    clinic.treatment.name = "Consultation"
    clinic.treatment.save()
    desk.goto(f"{server.url}/desk/patients/{clinic.patient.pk}/")
    desk.get_by_role("link", name="Book a visit").click()
    assert_accessible(desk)
    desk.get_by_label("Treatment").select_option(label="Consultation")
    expect(desk.locator(".visit-times")).to_contain_text("Mon 2 Mar 2026, 09:00")
    desk.get_by_label("Thu", exact=True).check()
    expect(desk.locator(".visit-times")).not_to_contain_text("Mon 2 Mar")
    expect(desk.locator(".visit-times")).to_contain_text("Thu 5 Mar 2026, 09:00")
    desk.get_by_label("Date", exact=True).fill("2026-03-07")
    desk.get_by_label("Time", exact=True).fill("10:05")
    desk.get_by_role("button", name="Take this time").click()
    expect(desk.get_by_text("Nothing is free then for the whole visit")).to_be_visible()
    assert_accessible(desk)
    desk.get_by_label("Date", exact=True).fill("2026-03-06")
    desk.get_by_role("button", name="Take this time").click()
    expect(desk.get_by_label("Fri 6 Mar 2026, 10:05")).to_be_checked()
    desk.get_by_role("button", name="Book this visit").click()
    expect(desk.get_by_text("Booked: Fri 6 Mar 2026, 10:05.")).to_be_visible()
