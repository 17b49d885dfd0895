"""What patients do themselves with a visit: see it, move it, cancel it; and what is refused, in which words."""

import re
from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest
import time_machine
from django.utils.formats import date_format

from clinic.models import Appointment, Message, Site, WorkingHours
from clinic.services import booking, portal
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import LONDON, NOW, at
from treatments.models import CareInstruction, Maintenance, MaintenanceState, Phase, Protocol, Treatment

pytestmark = pytest.mark.django_db

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# Session, account and patient; visit, its course and screening; the diary for the visit, and for those after it.
READ_FOR_A_MOVE = 27
PHONE = "+44 20 7946 0100"


@pytest.fixture
def patients_browser(client, world):
    Site.objects.update(phone=PHONE)
    world.site.refresh_from_db()
    client.force_login(create_account(patient=world.patient, by=world.desk, now=NOW), backend=BACKEND)
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


def sessions(series):
    return list(series.sessions.order_by("number"))


def words(response) -> str:
    return " ".join(response.content.decode().split())


def page(client, path, **query) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return words(response)


def offered(client, visit) -> list[str]:
    """Every start that the page to move offers, by the clock of the site."""
    text = page(client, f"/my/visits/{visit.pk}/move/")
    starts = [int(found) for found in re.findall(r'href="\?to=(\d+)"', text)]
    return [f"{portal.walltime.from_minutes(start).astimezone(LONDON):%Y-%m-%d %H:%M}" for start in starts]


def minutes(text: str) -> int:
    return int(at(text).timestamp()) // 60


def press(visit, to: str, **values) -> dict:
    return {"key": str(uuid4()), "sequence": visit.sequence, "to": minutes(to)} | values


def move(client, visit, to: str, **values):
    return client.post(f"/my/visits/{visit.pk}/move/", press(visit, to, **values), follow=True)


def start_of(visit) -> str:
    visit.refresh_from_db()
    return f"{visit.starts_at.astimezone(LONDON):%Y-%m-%d %H:%M}"


def agreed(world, **terms) -> None:
    """What courses are started on from now on."""
    Protocol.objects.update(**terms)
    world.protocol.refresh_from_db()


def attended(world, session, start):
    visit = book(world, a_visit(world, start, session=session))
    return booking.attend(appointment=visit, by=world.desk, now=at(start[:11] + "18:00"))


@pytest.fixture
def second(world):
    """Session 2 of 3, booked within four to six weeks after Monday 2 February: 2 to 16 March."""
    one, two, _three = sessions(world.a_series())
    attended(world, one, "2026-02-02 10:00")
    return book(world, a_visit(world, "2026-03-09 10:00", session=two))


# --- The visit ---------------------------------------------------------------------------------


def test_a_visit_shows_what_to_do_before_and_after_with_its_dates(patients_browser, world):
    for position, (when, action, text, offset, unit, bound) in enumerate(
        [
            ("before", "avoid", "No retinoids", 7, "day", "at_least"),
            ("after", "avoid", "No make-up", 48, "hour", "at_least"),
            ("before", "ask", "Which medicines you take", None, "", ""),
        ]
    ):
        CareInstruction.objects.create(
            protocol=world.protocol,
            position=position,
            when=when,
            action=action,
            text=text,
            offset=offset,
            unit=unit,
            bound=bound,
        )
    one, *_rest = sessions(world.a_series())
    visit = book(world, a_visit(world, "2026-03-10 10:00", session=one))

    for path in ("/my/", f"/my/visits/{visit.pk}/"):
        text = page(patients_browser, path)
        assert "from Tuesday 3 March until your visit</span>No retinoids" in text
        assert "at least until Thursday 12 March, 11:15</span>No make-up" in text
        assert "Tell the clinic</h2>" in text
        assert "Never stop or change a medicine because of this page" in text


def test_after_a_visit_stands_what_is_not_over_and_when_to_call(patients_browser, world):
    for position, (action, text, offset) in enumerate(
        [("avoid", "No make-up", 1), ("do", "Use sunscreen", 28), ("ask", "Call if it stays red", None)]
    ):
        CareInstruction.objects.create(
            protocol=world.protocol,
            position=position,
            when="after",
            action=action,
            text=text,
            offset=offset,
            unit="day" if offset else "",
            bound="at_least" if offset else "",
        )
    attended(world, sessions(world.a_series())[0], "2026-02-25 10:00")

    text = page(patients_browser, "/my/")
    assert "No make-up" not in text
    assert "at least until Wednesday 25 March</span>Use sunscreen" in text
    assert "Call if it stays red" in text


@pytest.mark.parametrize("path", ["", "move/", "cancel/", "calendar.ics", "questions/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_somebody_else_s_visit_is_not_there(patients_browser, world, path, method):
    foreign = book(world, a_visit(world), world.a_patient())

    response = getattr(patients_browser, method)(f"/my/visits/{foreign.pk}/{path}", press(foreign, "2026-03-04 10:00"))

    # What can only be looked at refuses to be sent anything, whosever it is.
    assert response.status_code == (405 if method == "post" and path in ("", "calendar.ics") else 404)
    assert start_of(foreign) == "2026-03-03 10:00"


# --- Move --------------------------------------------------------------------------------------


def test_times_are_offered_only_inside_the_window_and_after_the_cut_off(patients_browser, second):
    starts = offered(patients_browser, second)

    # Now is Monday 2 March, 10:00; the window ends on Monday 16 March, and the site is shut at the weekend.
    assert starts[0] == "2026-03-03 10:00"
    assert starts[-1] == "2026-03-16 16:30"
    assert "2026-03-09 10:00" not in starts
    assert not [start for start in starts if date.fromisoformat(start[:10]).weekday() > 4]


def test_a_time_that_somebody_else_has_is_not_offered(patients_browser, world, second):
    for who in (0, 1):
        book(world, a_visit(world, "2026-03-10 10:00", who=who, where=who, pen=who), world.a_patient())

    assert "2026-03-10 10:00" not in offered(patients_browser, second)


def test_a_move_is_shown_first_and_changes_nothing_by_looking(patients_browser, second):
    text = page(patients_browser, f"/my/visits/{second.pk}/move/", to=minutes("2026-03-11 11:00"))

    assert "Is this right?" in text
    assert "Wed 11 Mar 2026, 11:00" in text
    assert "Session 3</strong> still to be booked, best between Wed 8 Apr 2026 and Wed 22 Apr 2026" in text
    assert start_of(second) == "2026-03-09 10:00"


def test_a_move_is_done_by_the_patient_and_told(patients_browser, world, second):
    response = move(patients_browser, second, "2026-03-11 11:00")

    assert "Your visit is now on Wed 11 Mar 2026, 11:00." in words(response)
    assert start_of(second) == "2026-03-11 11:00"
    assert second.sequence == 1
    assert Message.objects.filter(kind="change", appointment=second).count() == 1


def test_a_doubled_press_moves_once(patients_browser, second):
    press_ = press(second, "2026-03-11 11:00")
    for _twice in range(2):
        patients_browser.post(f"/my/visits/{second.pk}/move/", press_)

    assert start_of(second) == "2026-03-11 11:00"
    assert second.sequence == 1


def test_later_visits_move_along_where_the_time_between_would_be_wrong(patients_browser, world, second):
    three = second.session.series.sessions.get(number=3)
    # Four weeks after 9 March: a day later for session 2 and session 3 would be too early.
    third = book(world, a_visit(world, "2026-04-06 10:00", session=three))

    text = page(patients_browser, f"/my/visits/{second.pk}/move/")
    assert "later visits move along" in text
    text = page(patients_browser, f"/my/visits/{second.pk}/move/", to=minutes("2026-03-11 11:00"))
    assert "Session 3</strong> moves along to Wed 8 Apr 2026, 10:00" in text
    assert "it would be due about October 2026" in text

    move(patients_browser, second, "2026-03-11 11:00")

    assert (start_of(second), start_of(third)) == ("2026-03-11 11:00", "2026-04-08 10:00")


def test_later_visits_that_still_fit_stay(patients_browser, world, second):
    three = second.session.series.sessions.get(number=3)
    third = book(world, a_visit(world, "2026-04-14 10:00", session=three))

    text = page(patients_browser, f"/my/visits/{second.pk}/move/", to=minutes("2026-03-11 11:00"))
    assert "Session 3</strong> stays on Tue 14 Apr 2026, 10:00" in text
    move(patients_browser, second, "2026-03-11 11:00")

    assert start_of(third) == "2026-04-14 10:00"


def test_a_day_with_which_later_visits_cannot_move_along_is_not_offered(patients_browser, world, second):
    three = second.session.series.sessions.get(number=3)
    third = book(world, a_visit(world, "2026-04-06 10:00", session=three))
    for who in (0, 1):
        book(world, a_visit(world, "2026-04-08 10:00", who=who, where=who, pen=who), world.a_patient())

    days = {start[:10] for start in offered(patients_browser, second)}
    assert "2026-03-11" not in days
    assert {"2026-03-10", "2026-03-12"} <= days
    assert PHONE in page(patients_browser, f"/my/visits/{second.pk}/move/")
    response = move(patients_browser, second, "2026-03-11 11:00")

    assert "not free any more" in words(response)
    assert (start_of(second), start_of(third)) == ("2026-03-09 10:00", "2026-04-06 10:00")


def test_every_day_that_is_offered_can_be_carried_out_whatever_has_to_move_along(patients_browser, world, second):
    three = second.session.series.sessions.get(number=3)
    book(world, a_visit(world, "2026-04-06 10:00", session=three))
    # The third session cannot follow to a Thursday, because nobody works then, nor over Easter.
    world.site.closures.create(starts_at=at("2026-04-03 00:00"), ends_at=at("2026-04-07 00:00"), reason="Easter")
    WorkingHours.objects.filter(weekday=3).delete()

    first_of_day = {start[:10]: start for start in reversed(offered(patients_browser, second))}
    for start in first_of_day.values():
        assert "Is this right?" in page(patients_browser, f"/my/visits/{second.pk}/move/", to=minutes(start)), start


@pytest.mark.parametrize("weeks", [6, 12])
def test_what_is_read_does_not_grow_with_the_days_that_are_asked_about(
    patients_browser, world, weeks, django_assert_num_queries
):
    agreed(world, spacing_max=weeks)
    one, two, three = sessions(world.a_series())
    attended(world, one, "2026-02-02 10:00")
    visit = book(world, a_visit(world, "2026-03-09 10:00", session=two))
    book(world, a_visit(world, "2026-04-06 10:00", session=three))
    patients_browser.get(f"/my/visits/{visit.pk}/move/")

    with django_assert_num_queries(READ_FOR_A_MOVE):
        assert "later visits move along" in page(patients_browser, f"/my/visits/{visit.pk}/move/")


# --- Beside other treatments and courses --------------------------------------------------------


@pytest.fixture
def peel(world) -> Treatment:
    return Treatment.objects.create(name="Peel")


def peeled(world, peel, start) -> Appointment:
    return book(world, replace(a_visit(world, start, who=1, where=1, pen=1), treatment=peel))


def test_days_too_near_to_another_treatment_are_not_offered(patients_browser, world, peel):
    agreed(world, other_treatments_days=3)
    one, two, _three = sessions(world.a_series())
    attended(world, one, "2026-02-02 10:00")
    visit = book(world, a_visit(world, "2026-03-05 10:00", session=two))
    peeled(world, peel, "2026-03-11 10:00")

    days = {start[:10] for start in offered(patients_browser, visit)}

    assert days & {"2026-03-09", "2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13"} == set()
    assert {"2026-03-06", "2026-03-16"} <= days
    assert "not free any more" in words(move(patients_browser, visit, "2026-03-12 10:00"))


def test_nor_days_to_which_a_later_visit_would_have_to_move_too_near(patients_browser, world, peel):
    agreed(world, other_treatments_days=1)
    one, two, three = sessions(world.a_series())
    attended(world, one, "2026-02-02 10:00")
    visit = book(world, a_visit(world, "2026-03-09 10:00", session=two))
    book(world, a_visit(world, "2026-04-06 10:00", session=three))
    peeled(world, peel, "2026-04-08 15:00")

    days = {start[:10] for start in offered(patients_browser, visit)}

    assert "2026-03-11" not in days
    assert {"2026-03-10", "2026-03-12"} <= days


def careful(world, days: int, text: str = "No sunbathing") -> None:
    CareInstruction.objects.create(
        protocol=world.protocol,
        position=1,
        when="before",
        action="avoid",
        text=text,
        offset=days,
        unit="day",
        bound="at_least",
    )


BEGUN = "something to do or to avoid that should have begun by now"


@pytest.mark.parametrize(
    ("to", "warned"),
    [
        pytest.param("2026-03-06 10:00", True, id="sooner, and its care began before today"),
        pytest.param("2026-03-11 10:00", False, id="later than the visit stands"),
    ],
)
def test_care_that_should_have_begun_is_said_before_a_move(patients_browser, world, to, warned):
    careful(world, 7)
    one, two, _three = sessions(world.a_series())
    attended(world, one, "2026-02-02 10:00")
    visit = book(world, a_visit(world, "2026-03-10 10:00", session=two))

    text = page(patients_browser, f"/my/visits/{visit.pk}/move/", to=minutes(to))

    assert (BEGUN in text) is warned
    assert ("from Friday 27 February until your visit</span>No sunbathing" in text) is warned


@pytest.mark.parametrize(
    ("to", "why"),
    [
        pytest.param("2026-03-17 10:00", "not free any more", id="after the window"),
        pytest.param("2026-03-02 15:00", "not free any more", id="sooner than the cut-off"),
        pytest.param("2026-03-14 10:00", "not free any more", id="shut"),
        pytest.param("2026-03-11 11:07", "not free any more", id="off the grid"),
        pytest.param("2027-03-11 11:00", "not free any more", id="beyond the diary"),
    ],
)
def test_what_was_not_offered_is_refused(patients_browser, second, to, why):
    response = move(patients_browser, second, to)

    assert why in words(response)
    assert start_of(second) == "2026-03-09 10:00"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"to": "soon"}, id="no number"),
        pytest.param({"to": 10**30}, id="a number without an instant"),
        pytest.param({"to": -5}, id="before all time"),
        pytest.param({"key": "x"}, id="no key"),
        pytest.param({"sequence": ""}, id="no sequence"),
    ],
)
def test_a_mangled_form_is_refused_and_not_an_error(patients_browser, second, values):
    sent = press(second, "2026-03-11 11:00") | values
    response = patients_browser.post(f"/my/visits/{second.pk}/move/", sent, follow=True)

    assert "This page is out of date. Please choose again." in words(response)
    assert start_of(second) == "2026-03-09 10:00"
    assert patients_browser.get(f"/my/visits/{second.pk}/move/", {"to": values.get("to", "")}).status_code in (200, 302)


def test_a_visit_that_the_desk_moved_meanwhile_is_looked_at_again(patients_browser, world, second):
    stale = press(second, "2026-03-11 11:00")
    booking.move(
        appointment=second, visit=a_visit(world, "2026-03-12 10:00", session=second.session), by=world.desk, now=NOW
    )

    response = patients_browser.post(f"/my/visits/{second.pk}/move/", stale, follow=True)

    assert "Your visit has been changed meanwhile." in words(response)
    assert start_of(second) == "2026-03-12 10:00"


@pytest.mark.parametrize("path", ["move/", "cancel/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_after_the_cut_off_it_is_refused_kindly_with_the_phone(patients_browser, second, path, method):
    # A minute later than 24 hours before.
    with time_machine.travel(at("2026-03-08 10:01"), tick=False):
        response = getattr(patients_browser, method)(
            f"/my/visits/{second.pk}/{path}", press(second, "2026-03-11 11:00"), follow=True
        )

    assert "It is less than 24 hours until your visit" in words(response)
    assert PHONE in words(response)
    assert start_of(second) == "2026-03-09 10:00"
    assert second.status == "booked"


def test_until_the_cut_off_it_can_be_changed(patients_browser, second):
    with time_machine.travel(at("2026-03-08 10:00"), tick=False):
        move(patients_browser, second, "2026-03-11 11:00")

    assert start_of(second) == "2026-03-11 11:00"


def test_the_cut_off_is_the_site_s(patients_browser, second):
    Site.objects.update(change_cut_off_hours=1)
    with time_machine.travel(at("2026-03-09 08:59"), tick=False):
        move(patients_browser, second, "2026-03-11 11:00")

    assert start_of(second) == "2026-03-11 11:00"


def test_a_consultation_can_be_moved_to_any_free_time(patients_browser, world):
    visit = book(world, a_visit(world, "2026-03-09 10:00"))

    move(patients_browser, visit, "2026-03-11 11:00")

    assert start_of(visit) == "2026-03-11 11:00"


# --- Cancel ------------------------------------------------------------------------------------


def cancel(client, visit, **values):
    sent = {"key": str(uuid4()), "sequence": visit.sequence, "reason": "on a journey"} | values
    return client.post(f"/my/visits/{visit.pk}/cancel/", sent, follow=True)


def test_cancelling_says_what_becomes_of_the_later_visits_and_keeps_them(patients_browser, world, second):
    three = second.session.series.sessions.get(number=3)
    third = book(world, a_visit(world, "2026-04-06 10:00", session=three))

    text = page(patients_browser, f"/my/visits/{second.pk}/cancel/")
    assert "Session 3</strong> stays on Mon 6 Apr 2026" in text
    response = cancel(patients_browser, second)

    assert "Your visit is cancelled. The clinic will find another day for this session with you." in words(response)
    second.refresh_from_db()
    assert (second.status, second.status_by.patient) == ("cancelled", world.patient)
    assert second.cancel_reason == "Cancelled by the patient in the portal: on a journey"
    assert not second.claims.exists()
    assert start_of(third) == "2026-04-06 10:00"


def test_a_cancelled_visit_cannot_be_cancelled_again(patients_browser, second):
    cancel(patients_browser, second)
    second.refresh_from_db()

    assert "This visit cannot be changed any more." in words(cancel(patients_browser, second))


# --- Under the lock ----------------------------------------------------------------------------


@pytest.fixture
def meanwhile(world, second, monkeypatch):
    """The desk moves the visit to a time past the cut-off, once the press was checked and before the lock."""
    carry_out = portal.ripple.carry_out

    def after_the_desk(**change):
        sooner = a_visit(world, "2026-03-03 09:00", session=second.session)
        booking.move(appointment=second, visit=sooner, by=world.desk, now=NOW)
        return carry_out(**change)

    monkeypatch.setattr(portal.ripple, "carry_out", after_the_desk)


@pytest.mark.parametrize("sent", [move, cancel], ids=["move", "cancel"])
def test_what_the_desk_changed_before_the_lock_is_looked_at_again(patients_browser, second, meanwhile, sent):
    values = {"to": "2026-03-11 11:00"} if sent is move else {}
    response = sent(patients_browser, second, **values)

    assert "Your visit has been changed meanwhile." in words(response)
    assert start_of(second) == "2026-03-03 09:00"
    assert second.status == "booked"


# --- Maintenance -------------------------------------------------------------------------------


@pytest.fixture
def cycle(world) -> Maintenance:
    """Due six months after 2 October, by 2 May."""
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2025-10-02 10:00")
    Maintenance.objects.update(calculated_by="2026-05-02")
    return Maintenance.objects.get()


def offers(client, cycle, **query) -> list[int]:
    text = page(client, f"/my/maintenance/{cycle.pk}/book/", **query)
    return [int(found) for found in re.findall(r"to=(\d+)", text)]


def day_of(start: int) -> date:
    return portal.walltime.day_of(portal.walltime.from_minutes(start), LONDON)


def test_maintenance_is_offered_in_its_days_and_booked(patients_browser, world, cycle):
    starts = offers(patients_browser, cycle)
    assert len(starts) == 5
    assert all(date(2026, 4, 2) <= day_of(start) <= date(2026, 5, 2) for start in starts)

    text = page(patients_browser, f"/my/maintenance/{cycle.pk}/book/", to=starts[1])
    assert "Is this right?" in text
    sent = {"key": str(uuid4()), "to": starts[1]}
    for _twice in range(2):
        response = patients_browser.post(f"/my/maintenance/{cycle.pk}/book/", sent, follow=True)

    visit = Appointment.objects.get(maintenance=cycle)
    at_ = date_format(visit.starts_at.astimezone(LONDON), "D j M Y, H:i")
    assert f"Booked: {at_}." in words(response)
    cycle.refresh_from_db()
    assert cycle.state == MaintenanceState.BOOKED


def test_maintenance_is_not_offered_on_days_too_near_to_another_treatment(patients_browser, world, peel):
    agreed(world, other_treatments_days=10)
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2025-10-02 10:00")
    Maintenance.objects.update(calculated_by="2026-05-02")
    cycle = Maintenance.objects.get()
    peeled(world, peel, "2026-04-08 10:00")

    assert min(map(day_of, offers(patients_browser, cycle))) == date(2026, 4, 20)
    for first in ("2026-04-02", "2026-04-15"):
        assert min(map(day_of, offers(patients_browser, cycle, **{"from": first}))) == date(2026, 4, 20)
    sent = {"key": str(uuid4()), "to": minutes("2026-04-15 10:00")}
    response = patients_browser.post(f"/my/maintenance/{cycle.pk}/book/", sent, follow=True)
    assert "Nothing is free then" in words(response)


def test_nor_too_near_to_what_asks_for_it_of_others(patients_browser, world, peel):
    """The other course's own terms count as well."""
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2025-10-02 10:00")
    Maintenance.objects.update(calculated_by="2026-05-02", treatment=peel)
    Phase.objects.create(treatment=peel, position=1, name="Peel", minutes=30, occupies_practitioner=True)
    for practitioner in world.practitioners:
        practitioner.treatments.add(peel)
    agreed(world, other_treatments_days=10)
    book(world, a_visit(world, "2026-04-08 10:00", session=sessions(world.a_series())[0]))

    assert min(map(day_of, offers(patients_browser, Maintenance.objects.get()))) == date(2026, 4, 20)


@pytest.mark.parametrize(
    ("today", "warned"), [pytest.param("2026-03-23", False, id="in time"), pytest.param("2026-03-25", True, id="late")]
)
def test_care_that_should_have_begun_is_said_before_maintenance_is_booked(patients_browser, world, today, warned):
    careful(world, 10)
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2025-10-02 10:00")
    cycle = Maintenance.objects.get()

    with time_machine.travel(at(f"{today} 10:00"), tick=False):
        first = offers(patients_browser, cycle)[0]
        text = page(patients_browser, f"/my/maintenance/{cycle.pk}/book/", to=first)

    assert day_of(first) == date(2026, 4, 2)
    assert (BEGUN in text) is warned
    assert ("from Monday 23 March until your visit</span>No sunbathing" in text) is warned


@pytest.mark.parametrize("done", [True, False], ids=["has begun", "has not begun"])
def test_another_course_under_way_is_said_before_maintenance_is_booked(patients_browser, world, cycle, done):
    running = world.a_series()
    if done:
        attended(world, sessions(running)[0], "2026-02-24 10:00")

    text = page(patients_browser, f"/my/maintenance/{cycle.pk}/book/", to=offers(patients_browser, cycle)[0])

    assert ("Your course “Microneedling” is still under way then." in text) is done
    assert (PHONE in text) is done


def test_later_days_are_offered_on_request_and_never_after_the_window(patients_browser, cycle):
    assert all(
        day_of(start) >= date(2026, 4, 29) for start in offers(patients_browser, cycle, **{"from": "2026-04-29"})
    )
    assert all(day_of(start) <= date(2026, 5, 2) for start in offers(patients_browser, cycle, **{"from": "2026-04-29"}))
    assert "No time is free in these days" in page(
        patients_browser, f"/my/maintenance/{cycle.pk}/book/", **{"from": "2026-05-03"}
    )


@pytest.mark.parametrize(
    ("to", "why"),
    [
        pytest.param("2026-04-01 10:00", "not free any more", id="before it is due"),
        pytest.param("2026-05-04 10:00", "later than the maintenance is due", id="after it is due"),
        pytest.param("2026-04-04 10:00", "Nothing is free then", id="shut"),
    ],
)
def test_maintenance_outside_its_days_is_refused(patients_browser, cycle, to, why):
    sent = {"key": str(uuid4()), "to": minutes(to)}
    response = patients_browser.post(f"/my/maintenance/{cycle.pk}/book/", sent, follow=True)

    assert why in words(response)
    assert not Appointment.objects.filter(maintenance=cycle).exists()


def test_what_is_overdue_can_be_booked_from_tomorrow_on(patients_browser, cycle):
    with time_machine.travel(at("2026-06-01 10:00"), tick=False):
        starts = offers(patients_browser, cycle)

    assert starts
    assert min(map(day_of, starts)) >= date(2026, 6, 2)


def test_somebody_else_s_maintenance_is_not_there(patients_browser, world, cycle):
    other = world.a_patient()
    cycle.series.__class__.objects.filter(pk=cycle.series_id).update(patient=other)

    assert patients_browser.get(f"/my/maintenance/{cycle.pk}/book/").status_code == 404


def test_what_the_clinician_has_not_decided_cannot_be_booked(patients_browser, cycle):
    Maintenance.objects.update(state="waiting", calculated_from=None, calculated_by=None)

    response = patients_browser.get(f"/my/maintenance/{cycle.pk}/book/", follow=True)

    assert "This maintenance cannot be booked here." in words(response)


# --- Before and after it --------------------------------------------------------------------------


def test_a_visit_that_is_over_says_no_more_what_to_do_before_it(patients_browser, world):
    for position, (when, action, text) in enumerate(
        [("before", "avoid", "No sauna"), ("before", "ask", "Cold sores"), ("after", "do", "Wear a hat")]
    ):
        CareInstruction.objects.create(
            protocol=world.protocol, position=position, when=when, action=action, text=text, offset=1, unit="week"
        )
    visit = book(world, a_visit(world, "2026-03-03 10:00", session=world.a_series().sessions.get(number=1)))
    path = f"/my/visits/{visit.pk}/"
    assert {"Before the visit", "Cold sores", "Wear a hat"} <= said_of(page(patients_browser, path))

    with time_machine.travel(at("2026-03-03 12:00"), tick=False):
        assert said_of(page(patients_browser, path)) == {"Wear a hat"}
    with time_machine.travel(at("2026-03-03 10:30"), tick=False):
        booking.attend(appointment=visit, by=world.desk, now=at("2026-03-03 10:30"))
        assert said_of(page(patients_browser, path)) == {"Wear a hat"}


def said_of(text: str) -> set[str]:
    return {words for words in ("Before the visit", "No sauna", "Cold sores", "Wear a hat") if words in text}
