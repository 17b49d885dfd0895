"""Visits for calendar programs: what stands in the file, and who may fetch it."""

import re
from datetime import UTC, date, datetime

import icalendar
import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.test import Client

from clinic import calendar
from clinic.models import CalendarFeed
from clinic.services import booking, feed
from patients.models import Patient
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import Maintenance
from treatments.services import maintenance as cycles

pytestmark = pytest.mark.django_db

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def portal(client, world):
    client.force_login(create_account(patient=world.patient, by=world.desk, now=NOW), backend=BACKEND)
    world.patient.refresh_from_db()
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


@pytest.fixture
def secret(portal, world) -> str:
    return feed.new_address(patient=world.patient, now=NOW)


def fetch(secret: str) -> icalendar.Calendar:
    """As a calendar program does: without cookies."""
    response = Client().get(f"/my/calendar/{secret}.ics")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    return icalendar.Calendar.from_ical(response.content)


def shown(page) -> str:
    """The secret of the address that the page shows."""
    return re.search(r'value="[^"]*/my/calendar/([^"]+)\.ics"', page.content.decode())[1]


def events(secret: str) -> list[icalendar.Event]:
    return list(fetch(secret).walk("VEVENT"))


def test_a_visit_is_an_instant_in_utc_with_a_neutral_title(world, secret):
    # In summer time: 10:00 in London is 09:00 UTC.
    visit = book(world, a_visit(world, "2026-04-07 10:00"))

    (event,) = events(secret)

    assert event.decoded("dtstart") == datetime(2026, 4, 7, 9, 0, tzinfo=UTC)
    assert event.decoded("dtend") == datetime(2026, 4, 7, 10, 15, tzinfo=UTC)
    assert event.to_ical().decode().count("DTSTART:20260407T090000Z") == 1
    assert str(event["uid"]) == str(visit.uid)
    assert event["summary"] == "Visit at Harbour"
    assert event["status"] == "CONFIRMED"


def test_nothing_in_the_feed_names_a_treatment_unless_it_is_wanted(portal, world, secret):
    book(world, a_visit(world))
    assert b"icroneedling" not in fetch(secret).to_ical()

    portal.post("/my/calendar/", {"do": "titles", "names_treatment": "on"})
    assert events(secret)[0]["summary"] == "Microneedling at Harbour"

    portal.post("/my/calendar/", {"do": "titles"})
    assert b"icroneedling" not in fetch(secret).to_ical()


def test_a_moved_visit_keeps_its_uid_and_its_sequence_rises(world, secret):
    visit = book(world, a_visit(world))
    before = events(secret)[0]
    booking.move(appointment=visit, visit=a_visit(world, "2026-03-04 10:00"), by=world.desk, now=NOW)
    after = events(secret)[0]

    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after.decoded("dtstart") == at("2026-03-04 10:00")


def test_a_cancelled_visit_stays_and_says_so(world, secret):
    visit = book(world, a_visit(world))
    booking.cancel(appointment=visit, reason="quarrelled", by=world.desk, now=NOW)

    (event,) = events(secret)

    assert (event["status"], event["sequence"], event["transp"]) == ("CANCELLED", 1, "TRANSPARENT")
    assert b"quarrelled" not in event.to_ical()


def completed(world) -> Maintenance:
    series = world.a_series(count=1, decision_note="Dr Roe")
    visit = book(world, a_visit(world, "2026-02-03 10:00", session=series.sessions.get()))
    booking.attend(appointment=visit, by=world.desk, now=at("2026-02-03 12:00"))
    Maintenance.objects.update(calculated_by=date(2026, 8, 31))
    return Maintenance.objects.get()


def test_maintenance_takes_whole_days_up_to_and_including_the_last(world, secret):
    completed(world)

    event = events(secret)[-1]

    assert event["summary"] == "Time for your next visit at Harbour"
    assert event.decoded("dtstart") == date(2026, 8, 3)
    # The end of a day entry is the first day after it.
    assert event.decoded("dtend") == date(2026, 9, 1)
    assert event["transp"] == "TRANSPARENT"


def test_maintenance_keeps_its_uid_when_the_clinician_sets_another_day(world, secret):
    cycle = completed(world)
    before = events(secret)[-1]
    cycles.override(cycle=cycle, due_on=date(2026, 7, 1), reason="thin skin", by=world.desk, now=NOW)
    after = events(secret)[-1]

    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after.decoded("dtstart") == date(2026, 7, 1)


def test_maintenance_that_is_booked_is_a_visit_and_its_days_are_cancelled_for_as_long_as_it_is(world, secret):
    cycle = completed(world)
    (before,) = events(secret)[1:]
    visit = book(world, a_visit(world, "2026-08-04 10:00", maintenance=cycle))
    booked, days = events(secret)[1:]

    assert (str(booked["uid"]), booked["status"]) == (str(visit.uid), "CONFIRMED")
    assert (days["uid"], days["status"]) == (before["uid"], "CANCELLED")
    assert days["sequence"] > before["sequence"]

    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)
    again = events(secret)[-1]

    assert (again["uid"], again["status"]) == (before["uid"], "CONFIRMED")
    assert again["sequence"] > days["sequence"]


def test_maintenance_that_was_attended_stays_cancelled(world, secret):
    cycle = completed(world)
    visit = book(world, a_visit(world, "2026-08-04 10:00", maintenance=cycle))
    booking.attend(appointment=visit, by=world.desk, now=at("2026-08-04 12:00"))

    mine = {str(event["uid"]): str(event["status"]) for event in events(secret) if event["transp"] == "TRANSPARENT"}

    assert sorted(mine.values()) == ["CANCELLED", "CONFIRMED"], "this cycle, and the next"


def test_maintenance_that_is_declined_is_cancelled(world, secret):
    cycle = completed(world)
    cycles.decline(cycle=cycle, reason="", by=world.desk, now=NOW)

    assert events(secret)[-1]["status"] == "CANCELLED"
    assert not isinstance(events(secret)[-1].decoded("dtstart"), datetime)


def test_somebody_else_s_visits_are_never_in_it(world, secret):
    other = world.a_patient()
    book(world, a_visit(world), other)

    assert events(secret) == []


def test_it_is_said_in_the_patient_s_language(world, secret):
    Patient.objects.filter(pk=world.patient.pk).update(language="de")
    book(world, a_visit(world))

    assert events(secret)[0]["summary"] == "Termin bei Harbour"


# --- The address ---------------------------------------------------------------------------------


def test_the_address_is_shown_once_and_only_its_hash_is_kept(portal, world):
    secret = shown(portal.post("/my/calendar/", {"do": "new"}, follow=True))

    assert fetch(secret)
    assert secret not in str(CalendarFeed.objects.values_list())
    assert secret not in portal.get("/my/calendar/").content.decode()
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])


def test_the_page_that_shows_the_address_can_be_loaded_again(portal, world):
    answer = portal.post("/my/calendar/", {"do": "new"})
    secret = shown(portal.get(answer["Location"]))
    portal.get(answer["Location"])

    assert fetch(secret)


def test_a_new_address_is_made_only_where_it_was_said_what_becomes_of_the_old_one(portal, secret):
    page = portal.get("/my/calendar/").content.decode()

    assert "ends at once" in page[: page.index("Yes, make a new address")]


def test_a_new_address_ends_the_old_one(portal, world, secret):
    new = feed.new_address(patient=world.patient, now=NOW)

    assert fetch(new)
    assert Client().get(f"/my/calendar/{secret}.ics").status_code == 404


def test_a_closed_calendar_answers_nothing(portal, secret):
    portal.post("/my/calendar/", {"do": "close"})

    assert Client().get(f"/my/calendar/{secret}.ics").status_code == 404


def test_it_ends_with_the_account(world, secret):
    User.objects.filter(patient=world.patient).update(is_active=False)

    assert Client().get(f"/my/calendar/{secret}.ics").status_code == 404


@pytest.mark.parametrize("guess", ["x", "a" * 24, "a" * 64, "%00", "%F0%9F%98%80"])
def test_a_guess_finds_nothing(portal, secret, guess):
    assert Client().get(f"/my/calendar/{guess}.ics").status_code == 404
    assert Client().post(f"/my/calendar/{secret}.ics").status_code == 405


def test_the_database_refuses_a_secret_in_the_clear(world):
    with pytest.raises(IntegrityError, match="calendar_feed_keeps_no_secret"), transaction.atomic():
        CalendarFeed.objects.create(patient=world.patient, digest="secret", address_made_at=NOW)


# --- One visit -------------------------------------------------------------------------------------


def test_one_visit_as_a_file(portal, world):
    visit = book(world, a_visit(world))
    book(world, a_visit(world, "2026-03-05 10:00"))

    response = portal.get(f"/my/visits/{visit.pk}/calendar.ics")

    (event,) = icalendar.Calendar.from_ical(response.content).walk("VEVENT")
    assert str(event["uid"]) == str(visit.uid)
    assert response["Content-Disposition"] == 'attachment; filename="visit-2026-03-03.ics"'


def test_how_often_to_look_is_said_as_calendar_programs_read_it():
    text = calendar.write([], name="x", now=NOW).decode()

    assert "REFRESH-INTERVAL;VALUE=DURATION:PT4H\r\n" in text
    assert "X-PUBLISHED-TTL:PT4H\r\n" in text


def test_what_is_written_keeps_commas_and_lines_apart():
    entry = calendar.Entry(
        uid="1", sequence=0, starts=NOW, ends=NOW, title="A; b", place="Quay 1, Harbour", text="one\ntwo"
    )

    text = calendar.write([entry], name="x", now=NOW).decode()

    assert "LOCATION:Quay 1\\, Harbour\r\n" in text
    assert "DESCRIPTION:one\\ntwo\r\n" in text
    assert max(map(len, text.split("\r\n"))) <= 75
