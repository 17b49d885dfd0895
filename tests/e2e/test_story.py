"""The whole way once: book a series, finish it, be reminded, look it up, and change the protocol."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import expect

from clinic import tasks, walltime
from clinic.models import Appointment, Message
from patients import services as patients
from tests.e2e.conftest import assert_accessible, sign_in, wait_until
from tests.world import LONDON, at
from treatments.models import MaintenanceRule, Protocol, Series
from treatments.services import series as courses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def days_of(series: Series) -> list[date]:
    live = Appointment.objects.live().filter(session__series=series).order_by("session__number")
    return [walltime.day_of(appointment.starts_at, LONDON) for appointment in live]


def test_the_whole_way(desk, clinic, server, clock, smtp_server, a_worker, browser):
    patient, ben = clinic.patient, clinic.practitioners[1]
    patients.create_account(patient=patient, by=clinic.desk, now=clock.now)
    patients.give_consent(
        patient=patient, purpose="recall", channel="email", source="desk", by=clinic.desk, now=clock.now
    )

    # 1. The receptionist finds the patient by a misspelt name, and books a series in one press.
    desk.keyboard.press("/")
    desk.keyboard.type("amall ossei")
    desk.keyboard.press("Enter")
    desk.get_by_role("link", name="Amal Osei").click()
    desk.get_by_role("link", name="Book a series").first.click()
    desk.get_by_label("Protocol").select_option(label="Acne scars")
    desk.get_by_label("Concern").select_option(label="acne scars")
    desk.get_by_label("Practitioner, if possible").select_option(label="Ben")
    for weekday in ("Tue", "Thu"):
        desk.get_by_label(weekday, exact=True).check()
    desk.get_by_label("Start no earlier than").fill("15:00")
    desk.get_by_label("Start no earlier than").blur()
    rows = desk.locator(".proposal-session")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).locator("time")).to_contain_text("Tue 3 Mar 2026, 15:00")
    for row in rows.all():
        expect(row).to_contain_text("Ben")
        expect(row).to_contain_text("Room 1")
        expect(row).to_contain_text("Pen 1")
    third_before = rows.nth(2).locator("time").text_content()
    assert_accessible(desk)

    # One date is changed, and the later one follows.
    rows.nth(1).get_by_text("Another time for session 2").click()
    rows.nth(1).locator(".proposal-alternatives button", has_text="Thu 2 Apr, 15:00").click()
    expect(rows.nth(1).locator("time")).to_contain_text("Thu 2 Apr 2026, 15:00")
    expect(rows.nth(1)).to_contain_text("Kept")
    assert rows.nth(2).locator("time").text_content() != third_before
    desk.get_by_role("button", name="Book all 3 sessions").click()
    expect(desk.get_by_text("3 sessions are booked.")).to_be_visible()
    assert_accessible(desk)

    series = Series.objects.get()
    first, second, third = days_of(series)
    for earlier, later in ((first, second), (second, third)):
        assert timedelta(days=28) <= later - earlier <= timedelta(days=42)
    for appointment in Appointment.objects.all():
        local = appointment.starts_at.astimezone(LONDON)
        assert local.weekday() in (1, 3)
        assert local.hour >= 15
        assert appointment.practitioner == ben

    # 2. The sessions are attended one after another, the second a week late.
    attend(desk, server, clock, patient, first)
    late = second + timedelta(days=7)
    put_off(desk, server, clock, patient, second, late)
    attend(desk, server, clock, patient, late)
    window = f"{late + timedelta(days=28):%-d %b}", f"{late + timedelta(days=42):%-d %b %Y}"
    desk.goto(f"{server.url}/desk/patients/{patient.pk}/")
    cancel(desk, server, patient, third)
    desk.goto(f"{server.url}/desk/patients/{patient.pk}/")
    expect(desk.locator(".course-step").nth(2)).to_contain_text(window[0])
    expect(desk.locator(".course-step").nth(2)).to_contain_text(window[1])
    desk.get_by_role("link", name="Book what is left").click()
    desk.get_by_role("button", name="Book 1 session").click()
    expect(desk.get_by_text("1 session is booked.")).to_be_visible()
    last = days_of(series)[-1]
    assert timedelta(days=28) <= last - late <= timedelta(days=42)
    attend(desk, server, clock, patient, last)
    series.refresh_from_db()
    assert (series.state, series.completed_on) == ("completed", last)

    # 3. Maintenance exists with its due date, half a year after that day.
    cycle = series.maintenance.get()
    assert (cycle.state, cycle.due_from) == ("scheduled", walltime_months(last, 6))
    desk.goto(f"{server.url}/desk/patients/{patient.pk}/")
    expect(desk.locator(".course-strip")).to_contain_text(f"{cycle.due_from:%-d %b %Y}")

    # 4. The day comes: a real worker sends one reminder over SMTP, and a second run sends nothing.
    clock.move_to(datetime.combine(cycle.due_from, datetime.min.time(), UTC) + timedelta(hours=10))
    smtp_server.received.clear()
    Message.objects.filter(state="pending").update(state="dropped", reason="earlier in the story", settled_at=clock.now)
    a_worker()
    tasks.remind.delay()
    wait_until(lambda: Message.objects.filter(kind="maintenance", state="sent").exists())
    tasks.remind.delay()
    tasks.remind.delay()
    wait_until_idle()
    reminders = [mail for mail in smtp_server.received if mail["To"] == "amal@example.com"]
    assert len(reminders) == 1
    assert "Microneedling" not in reminders[0]["Subject"]
    assert f"{server.url}/my/" in reminders[0].get_body(("plain",)).get_content()

    # 5. The patient signs in with the code from an e-mail and sees the course.
    phone = browser.new_page(viewport={"width": 390, "height": 844}, locale="en-GB")
    phone.goto(f"{server.url}/my/")
    phone.get_by_label("E-mail address").first.fill("amal@example.com")
    phone.get_by_role("button", name="Send me a code").click()
    wait_until(lambda: len(smtp_server.received) > 1)
    code = re.search(
        r"^\s*([A-Z0-9]{3,}-?[A-Z0-9]{3,})\s*$", smtp_server.received[-1].get_body(("plain",)).get_content(), re.M
    )
    phone.get_by_label("Code").fill(code[1])
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/my/")
    steps = phone.locator(".course-step")
    expect(steps).to_have_count(3)
    expect(steps.nth(1)).to_contain_text(f"{late:%-d %b %Y}")
    expect(phone.locator("main")).to_contain_text(f"{cycle.due_from:%-d %b %Y}")
    assert_accessible(phone)


def walltime_months(day: date, months: int) -> date:
    """Calendar months later, clamped; written out, so that the story does not ask the code it tries."""
    year, month = divmod(day.month - 1 + months, 12)
    for last in (31, 30, 29, 28):
        try:
            return date(day.year + year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError


def day_page(server, day: date) -> str:
    return f"{server.url}/desk/?day={day.isoformat()}"


def attend(desk, server, clock, patient, day: date) -> None:
    clock.move_to(at(f"{day} 17:30"))
    sign_in_again(desk, server)
    desk.goto(day_page(server, day))
    row = desk.locator(".day-visit", has_text=str(patient))
    row.get_by_role("button", name=re.compile("Attended")).click()
    expect(row.locator(".status-fulfilled")).to_be_visible()


def cancel(desk, server, patient, day: date) -> None:
    desk.goto(day_page(server, day))
    row = desk.locator(".day-visit", has_text=str(patient))
    row.get_by_role("link", name=re.compile("Cancel")).click()
    desk.get_by_label(re.compile("[Ww]hy|[Rr]eason")).fill("Patient is travelling")
    desk.get_by_role("button", name=re.compile("Cancel")).click()
    expect(desk.locator(".status-cancelled").first).to_be_visible()


def put_off(desk, server, clock, patient, day: date, to: date) -> None:
    """Cancel the visit of a day and book the session again on another."""
    clock.move_to(at(f"{day} 09:00"))
    sign_in_again(desk, server)
    cancel(desk, server, patient, day)
    desk.goto(f"{server.url}/desk/patients/{patient.pk}/")
    desk.get_by_role("link", name="Book what is left").click()
    session = desk.locator("#session-2")
    session.get_by_text("Another time for session 2").click()
    session.get_by_label("Date").fill(to.isoformat())
    session.get_by_label("Time").fill("15:00")
    session.get_by_role("button", name="Take this time").click()
    expect(session.locator("time")).to_contain_text(f"{to:%-d %b %Y}, 15:00")
    desk.get_by_role("button", name="Book 1 session").click()
    expect(desk.get_by_text("1 session is booked.")).to_be_visible()


def sign_in_again(desk, server) -> None:
    """Weeks later: the session of the day before has ended."""
    desk.goto(f"{server.url}/desk/")
    if "/accounts/login/" in desk.url:
        sign_in(desk, server, "desk@example.com")


def wait_until_idle() -> None:
    """Until the worker has done all that was asked of it."""
    import time

    from config.celery import app

    with app.connection_for_read() as connection:
        wait_until(lambda: connection.default_channel.client.llen("celery") == 0)
    time.sleep(1)


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        pytest.param({"kind": "individual"}, "To be decided", id="the clinician decides: a to-do"),
        pytest.param({"kind": "none"}, None, id="none: neither"),
    ],
)
def test_what_the_desk_sees_after_the_last_session(desk, clinic, server, clock, rule, state):
    MaintenanceRule.objects.all().delete()
    MaintenanceRule.objects.create(protocol=clinic.protocol, position=1, **rule)
    series = clinic.a_series()
    for session in series.sessions.all():
        courses.attend(
            session=session, on=date(2025, 9, 1) + timedelta(weeks=5 * session.number), by=clinic.desk, now=clock.now
        )

    desk.goto(f"{server.url}/desk/patients/{clinic.patient.pk}/")

    steps = desk.locator(".course-step")
    expect(steps).to_have_count(4 if state else 3)
    if state:
        expect(steps.nth(3)).to_contain_text(state)


def test_an_edited_protocol_leaves_the_running_series_and_its_due_date(page, clinic, server, clock):
    clinic.manager.is_superuser = True
    clinic.manager.save(update_fields=["is_superuser"])
    series = clinic.a_series()
    for session in series.sessions.all():
        courses.attend(
            session=session, on=date(2025, 9, 1) + timedelta(weeks=5 * session.number), by=clinic.desk, now=clock.now
        )
    before = series.maintenance.get().due_from
    sign_in(page, server, "manager@example.com")

    page.goto(f"{server.url}/admin/treatments/protocol/{clinic.protocol.pk}/change/")
    page.locator("input[name='maintenance_rules-0-min']").fill("9")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/treatments/protocol/**")
    expect(page.locator(".messagelist .success")).to_be_visible()

    series.refresh_from_db()
    assert series.terms.maintenance[0].min == 6
    assert series.maintenance.get().due_from == before
    assert Protocol.objects.get().version == 2
    assert clinic.a_series(patient=clinic.a_patient()).terms.maintenance[0].min == 9
