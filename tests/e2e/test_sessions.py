"""A session more or less in a running course: seen at two widths, pressed by key."""

import pytest
from playwright.sync_api import expect

from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.e2e.conftest import assert_accessible, sign_in
from tests.world import at
from treatments.models import Session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def running(clock, clinic):
    """Attended on Tue 3 Mar; booked on 7 Apr and 12 May."""
    series = clinic.a_series()
    for number, day in enumerate(["2026-03-03", "2026-04-07", "2026-05-12"], start=1):
        book(clinic, a_visit(clinic, f"{day} 10:00", session=series.sessions.get(number=number)))
    first = series.sessions.get(number=1).appointments.get()
    booking.attend(appointment=first, by=clinic.desk, now=at("2026-03-03 12:00"))
    clock.move_to(at("2026-03-04 09:00"))
    return series


def assert_fits(page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [1280, 390])
def test_one_is_added_and_one_left_out_by_key(page, server, clinic, running, width):
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, server, "manager@example.com")
    page.goto(f"{server.url}/desk/patients/{clinic.patient.pk}/")
    page.get_by_text("A session more or less").press("Enter")
    assert_accessible(page)
    page.get_by_role("link", name="Add a session").press("Enter")
    expect(page.get_by_role("heading", name="Add a session", level=1)).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.get_by_label("The terms do not provide for it").fill("Dr Fourie")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Session 4 is added and booked")).to_be_visible()

    page.get_by_text("A session more or less").press("Enter")
    page.get_by_role("link", name="Leave out session 2").press("Enter")
    expect(page.get_by_role("heading", name="Leave out session 2", level=1)).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.get_by_label("Why is it left out?").fill("Enough")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Session 2 is left out.")).to_be_visible()
    assert Session.objects.get(number=2).state == "skipped"
