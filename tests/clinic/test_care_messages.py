"""Care before and after a visit, and the final result: told when the course's own terms need it, once."""

import json
import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.models import Appointment, Message, MessageTemplate, ReminderLink, ReminderStep
from clinic.models.outbox import MessageKind
from clinic.services import booking, dry_run, outbox
from patients.models import Consent
from tests.clinic.test_booking import a_visit as a_plan
from tests.clinic.test_booking import book
from tests.clinic.test_outbox import a_cycle, a_visit, agree, cancel, move
from tests.world import LONDON, NOW, TODAY, at
from treatments import care, rules
from treatments.models import CareInstruction, Series
from treatments.models import Milestone as MilestoneRow
from treatments.services import series as courses
from treatments.terms import CareInstruction as Instruction
from treatments.terms import Milestone

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
CARE = [
    {"when": "before", "action": "avoid", "text": "No retinoids", "offset": 7, "unit": "day"},
    {"when": "before", "action": "do", "text": "Exfoliate", "offset_text": "in the weeks before"},
    {"when": "before", "action": "avoid", "text": "No coffee", "offset": 6, "unit": "hour"},
    {"when": "after", "action": "avoid", "text": "No make-up", "offset": 48, "unit": "hour", "bound": "at_least"},
    {"when": "after", "action": "avoid", "text": "No saunas", "offset": 3, "unit": "day", "bound": "at_least"},
]


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    ladder = [("pre_care", -1, None), ("aftercare", 0, 1), ("aftercare", 2, 1), ("aftercare", 3, 1), ("result", 0, 7)]
    for subject, days, stale in ladder:
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=stale)


@pytest.fixture(autouse=True)
def clock(time_machine):
    """When a link is opened: it is good for some weeks."""
    time_machine.move_to(at("2026-03-16 12:00"), tick=False)


def says(world, rows=CARE) -> None:
    """The protocol has these instructions, for every course that begins from now on."""
    for position, row in enumerate(rows, start=1):
        CareInstruction.objects.create(protocol=world.protocol, position=position, **row)


def a_session(world, start: str, patient=None, series=None, **values) -> Appointment:
    series = series or world.a_series(patient)
    return a_visit(world, start, patient=series.patient, session=series.sessions.first(), **values)


def attended(visit: Appointment) -> Appointment:
    visit.status, visit.sequence = "fulfilled", visit.sequence + 1
    visit.save()
    return visit


def sent_at(first: str, days: int, step: timedelta = timedelta(hours=1)) -> list[tuple[str, str]]:
    """What leaves when, over so many days, as the minutes pass."""
    now, seen, found = at(first), set(), []
    while now < at(first) + days * DAY:
        outbox.run(now=now)
        for message in Message.objects.filter(state="sent").exclude(pk__in=seen).order_by("pk"):
            seen.add(message.pk)
            found.append((message.kind, f"{now.astimezone(LONDON):%Y-%m-%d %H:%M}"))
        now += step
    return found


def states(kind: str) -> list[tuple[str, str]]:
    return list(Message.objects.filter(kind=kind).order_by("pk").values_list("state", "reason"))


# --- What the terms come to ---------------------------------------------------------------------------------------


numbers = st.none() | st.integers(0, 400)
instructions = st.lists(
    st.builds(
        Instruction,
        when=st.sampled_from(["before", "after"]),
        action=st.just("do"),
        text=st.just("x"),
        offset=numbers,
        unit=st.sampled_from(["hour", "day", "week", "month"]),
    ),
    max_size=4,
).map(tuple)


def asked(expression: str, *values):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}", values)
        [(found,)] = cursor.fetchall()
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(care_of=instructions, start=st.dates(date(2126, 1, 1), date(2127, 12, 31)))
def test_the_search_looks_far_enough_ahead_for_every_course(db, care_of, start):
    terms = json.dumps({"care": [instruction.to_json() for instruction in care_of]})
    starts_at = at(f"{start} 00:30")

    begins = care.first_day(care_of, starts_at=starts_at, zone=LONDON)
    lead = asked("treatments_care_lead(%s::jsonb)", terms)

    assert (begins is None) == (lead is None)
    if begins is not None:
        assert 0 <= (start - begins).days <= lead


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    milestones=st.lists(
        st.builds(
            Milestone,
            name=st.just("x"),
            min_days=numbers,
            max_days=numbers,
            max_months=st.none() | st.integers(0, 30),
            kind=st.sampled_from([None, "healed", "result", "photo"]),
        ),
        max_size=4,
    ),
    completed_on=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
)
def test_the_database_and_the_rules_agree_on_the_day_of_the_result(db, milestones, completed_on):
    terms = json.dumps({"milestones": [milestone.to_json() for milestone in milestones]})

    assert asked("treatments_result_on(%s::jsonb, %s)", terms, completed_on) == rules.result_on(
        milestones, completed_on
    )


@pytest.mark.parametrize(
    ("milestone", "day"),
    [
        pytest.param({"kind": "result", "max_months": 2}, "2026-04-30", id="by calendar months, clamped"),
        pytest.param({"kind": "photo", "min_days": 28, "max_days": 42}, "2026-04-11", id="the latest day"),
        pytest.param({"kind": "photo", "min_days": 28}, "2026-03-28", id="no latest day"),
        pytest.param({"kind": "healed", "max_days": 14}, None, id="no result"),
        pytest.param({"kind": None, "max_days": 14}, None, id="nobody said what it is"),
        pytest.param({"kind": "photo"}, None, id="no day at all"),
    ],
)
def test_the_day_of_the_result(milestone, day):
    found = rules.result_on([Milestone(name="final result", **milestone)], date(2026, 2, 28))

    assert found == (day and date.fromisoformat(day)) if day != "2026-04-30" else found == date(2026, 4, 28)


@pytest.mark.parametrize("terms", ["{}", "null", "[]", '{"care": null}', '{"care": [1, null, "x"]}', '{"care": {}}'])
def test_whatever_is_stored_as_terms_is_no_error_of_the_index(db, terms):
    assert asked("treatments_care_lead(%s::jsonb)", terms) is None
    assert asked("treatments_result_on(%s::jsonb, '2026-01-01')", terms) is None


# --- Before a visit -----------------------------------------------------------------------------------------------


def test_care_is_told_once_in_the_morning_before_the_longest_of_it_begins(world, smtp_server):
    says(world)
    a_session(world, "2026-03-20 14:30")

    assert sent_at("2026-03-11 00:00", 3) == [("pre_care", "2026-03-12 09:00")]
    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: before your visit on Fri 20 Mar 2026, 14:30"


@pytest.mark.parametrize(
    ("rows", "day"),
    [
        pytest.param(CARE[2:3], "2026-03-19", id="hours"),
        pytest.param([CARE[0] | {"offset": 2, "unit": "week"}], "2026-03-05", id="weeks"),
        pytest.param(CARE[1:2], None, id="in words alone"),
        pytest.param(CARE[3:], None, id="only after it"),
    ],
)
def test_the_day_follows_from_the_instructions(world, smtp_server, rows, day):
    says(world, rows)
    a_session(world, "2026-03-20 14:30")

    assert sent_at("2026-03-04 09:00", 16, timedelta(hours=24)) == ([("pre_care", f"{day} 09:00")] if day else [])


def test_booked_later_than_that_it_goes_at_once_with_the_confirmation(world, smtp_server, time_machine):
    # What is to be done before a visit is shown until it begins.
    time_machine.move_to(at("2026-03-02 11:00"))
    says(world)
    series = world.a_series()
    book(world, a_plan(world, "2026-03-05 10:00", session=series.sessions.first()))

    outbox.run(now=at("2026-03-02 11:00"), on_the_clock=False)

    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: your visit on Thu 5 Mar 2026, 10:00 is booked"
    assert "There is something to do or to avoid beforehand" in mail.get_content()
    assert states("pre_care") == [("dropped", "Said together with another message.")]
    assert "No retinoids" in Client().get(link_in(mail)).content.decode()
    assert outbox.run(now=at("2026-03-02 11:05")) == {}


def test_a_series_is_confirmed_with_the_care_of_its_first_visit(world, smtp_server):
    says(world)
    series = world.a_series()
    for session, start in zip(series.sessions.all(), ("2026-03-05", "2026-04-09", "2026-05-14"), strict=True):
        a_visit(world, f"{start} 10:00", session=session)
    outbox.owe_confirmation(patient=world.patient, series=series, counts_from="request", now=NOW)

    outbox.run(now=at("2026-03-02 11:00"))

    [mail] = smtp_server.received
    assert "Thu 14 May 2026, 10:00" in mail.get_content()
    page = Client().get(link_in(mail)).content.decode()
    assert "Thu 5 Mar 2026" in page
    assert "9 Apr" not in page


def test_a_confirmation_of_another_visit_says_nothing_of_it(world, smtp_server):
    says(world)
    a_session(world, "2026-03-05 14:30")
    other = a_visit(world, "2026-03-06 10:00")
    outbox.owe_confirmation(patient=world.patient, appointment=other, counts_from="request", now=NOW)

    outbox.run(now=at("2026-03-02 11:00"))

    assert sorted(Message.objects.values_list("kind", "state")) == [("confirmation", "sent"), ("pre_care", "sent")]


def test_a_confirmation_in_the_clinics_own_words_says_it_too(world, smtp_server, time_machine):
    # What is to be done before a visit is shown until it begins.
    time_machine.move_to(at("2026-03-02 11:00"))
    MessageTemplate.objects.create(
        kind="confirmation", channel="email", language="en-gb", subject="{clinic}", text="Hi {name}"
    )
    says(world)
    book(world, a_plan(world, "2026-03-05 10:00", session=world.a_series().sessions.first()))

    outbox.run(now=at("2026-03-02 11:00"))

    [mail] = smtp_server.received
    assert mail.get_content().startswith("Hi Amal\r\n\r\nThere is something to do or to avoid beforehand")
    assert "No retinoids" in Client().get(link_in(mail)).content.decode()


def test_a_visit_moved_to_another_day_is_told_anew_with_its_change_and_not_before_that(world, smtp_server):
    says(world)
    visit = a_session(world, "2026-03-05 10:00")
    outbox.run(now=at("2026-03-02 11:00"))
    move(visit, "2026-03-06 10:00")
    outbox.owe_change(appointment=visit, now=at("2026-03-02 12:00"), wait=outbox.TO_UNDO)

    assert outbox.run(now=at("2026-03-02 12:01")) == {}
    outbox.run(now=at("2026-03-02 12:05"))

    assert [mail["Subject"] for mail in smtp_server.received] == [
        "Harbour: before your visit on Thu 5 Mar 2026, 10:00",
        "Harbour: your visit is now on Fri 6 Mar 2026, 10:00",
    ]
    assert "beforehand" in smtp_server.received[1].get_content()


def test_a_visit_moved_within_its_day_needs_no_other_word(world, smtp_server):
    says(world)
    visit = a_session(world, "2026-03-05 10:00")
    outbox.run(now=at("2026-03-02 11:00"))
    move(visit, "2026-03-05 15:00")

    assert outbox.run(now=at("2026-03-03 11:00")) == {}


@pytest.mark.parametrize(
    ("prevent", "reason"),
    [
        pytest.param(cancel, "The visit was cancelled.", id="cancelled"),
        pytest.param(lambda visit: move(visit, "2026-03-06 10:00"), "The visit was moved.", id="moved"),
        pytest.param(
            lambda visit: Appointment.objects.update(status="arrived"), "The visit has begun.", id="it has begun"
        ),
        pytest.param(
            lambda visit: Series.objects.update(terms_json=visit.session.series.terms_json | {"care": []}),
            "There is nothing to be done before the visit.",
            id="moved to terms without care",
        ),
        pytest.param(
            lambda visit: ReminderStep.objects.update(active=False),
            "This reminder was taken off the ladder.",
            id="off the ladder",
        ),
    ],
)
def test_what_is_not_so_any_more_is_not_told(world, smtp_server, prevent, reason):
    says(world)
    visit = a_session(world, "2026-03-05 10:00")
    assert outbox.owe_due(now=at("2026-03-02 11:00")) == 1
    prevent(visit)

    outbox.run(now=at("2026-03-02 11:01"))

    assert states("pre_care")[0] == ("dropped", reason)


def test_care_of_another_treatment_is_not_told(world, smtp_server):
    says(world)
    cycle = a_cycle(world, "2026-03-04")
    other = type(world.treatment).objects.create(name="Hydrafacial")
    a_visit(world, "2026-03-05 10:00", maintenance=cycle, treatment=other)
    assert outbox.owe_due(now=at("2026-03-02 11:00")) == 0

    Appointment.objects.update(treatment=world.treatment)
    assert outbox.owe_due(now=at("2026-03-02 11:00")) == 1


def test_who_said_no_to_messages_about_visits_gets_none(world, smtp_server):
    says(world)
    a_session(world, "2026-03-05 10:00")
    agree(world, purpose="service", granted=False)

    assert outbox.run(now=at("2026-03-02 11:00")) == {}


def test_care_beyond_any_calendar_stops_nobody(world, smtp_server):
    says(world, [CARE[0] | {"offset": 32000, "unit": "month"}])
    a_session(world, "2026-03-05 10:00")
    a_visit(world, patient=world.a_patient())
    ReminderStep.objects.create(subject="appointment", offset_days=-3, stale_after_days=1)

    assert outbox.run(now=at("2026-03-07 14:30") - 5 * DAY)["dropped"] == 1
    assert outbox.run(now=at("2026-03-07 14:30"))["sent"] == 1


def test_with_a_reminder_of_the_same_day_it_is_one_message(world, smtp_server):
    ReminderStep.objects.create(subject="appointment", offset_days=-3, stale_after_days=1)
    says(world)
    a_session(world, "2026-03-20 14:30")
    a_visit(world, "2026-03-15 09:00")

    assert sent_at("2026-03-11 00:00", 5) == [("visit_reminder", "2026-03-12 09:00")]
    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: see you soon"
    assert "No retinoids" in Client().get(link_in(mail)).content.decode()


# --- After a visit ------------------------------------------------------------------------------------------------


def test_care_after_a_visit_is_told_at_its_end_and_when_something_of_it_ends(world, smtp_server):
    says(world)
    attended(a_session(world, "2026-03-10 14:00"))

    assert sent_at("2026-03-10 14:00", 4) == [
        ("aftercare", "2026-03-10 15:00"),
        ("aftercare", "2026-03-12 15:00"),
        ("aftercare", "2026-03-13 15:00"),
    ]
    assert {mail["Subject"] for mail in smtp_server.received} == {"Harbour: after your visit"}


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        pytest.param([], [], id="nothing is said"),
        pytest.param(CARE[:3], [], id="only before"),
        pytest.param(CARE[3:4], [10, 12], id="48 hours"),
        pytest.param([CARE[3] | {"offset": None, "unit": "", "bound": ""}], [10], id="no number"),
        pytest.param([CARE[3] | {"offset": 2, "unit": "day"}], [10, 12], id="two days"),
        pytest.param([CARE[3] | {"offset": 1, "unit": "week"}], [10], id="a week, and no step for it"),
    ],
)
def test_the_steps_are_those_the_protocol_speaks_of(world, smtp_server, rows, days):
    says(world, rows)
    attended(a_session(world, "2026-03-10 14:00"))

    assert [day for _kind, day in sent_at("2026-03-10 14:00", 5)] == [f"2026-03-{day} 15:00" for day in days]


@pytest.mark.parametrize("status", ["booked", "arrived", "no_show", "cancelled"])
def test_what_was_not_attended_has_no_aftercare(world, smtp_server, status):
    says(world)
    visit = a_session(world, "2026-03-10 14:00")
    Appointment.objects.filter(pk=visit.pk).update(status=status, cancel_reason="ill" if status == "cancelled" else "")

    assert sent_at("2026-03-10 14:00", 4) == []


def test_a_visit_recorded_early_is_told_of_at_its_end_and_one_recorded_late_at_once(world, smtp_server):
    says(world, CARE[3:4])
    early, late = (a_session(world, "2026-03-10 14:00", patient=world.a_patient()) for _both in range(2))
    attended(early)
    outbox.run(now=at("2026-03-10 14:59"))
    assert smtp_server.recipients() == []
    outbox.run(now=at("2026-03-10 15:00"))
    assert smtp_server.recipients() == [early.patient.email]

    attended(late)
    outbox.run(now=at("2026-03-11 10:00"))
    assert smtp_server.recipients() == [early.patient.email, late.patient.email]


def test_recorded_days_later_nothing_stale_is_told(world, smtp_server):
    says(world, CARE[3:4])
    visit = a_session(world, "2026-03-10 14:00")
    outbox.run(now=at("2026-03-10 15:00"))
    attended(visit)

    assert outbox.run(now=at("2026-03-13 15:01")) == {}


def test_an_evening_visit_is_followed_in_the_morning_and_never_sooner_than_said(world, smtp_server):
    says(world, CARE[3:4])
    attended(a_session(world, "2026-03-10 19:00"))

    assert sent_at("2026-03-10 20:00", 4) == [("aftercare", "2026-03-11 09:00"), ("aftercare", "2026-03-13 09:00")]


def test_an_attendance_that_was_taken_back_is_not_told_of_and_again_is(world, smtp_server):
    says(world, CARE[3:4])
    visit = attended(a_session(world, "2026-03-10 14:00"))
    outbox.owe_due(now=at("2026-03-10 15:00"))
    Appointment.objects.update(status="arrived", sequence=visit.sequence + 1)
    outbox.run(now=at("2026-03-10 15:01"))
    assert states("aftercare") == [("dropped", "The visit is not recorded as attended.")]

    visit.refresh_from_db()
    attended(visit)
    outbox.run(now=at("2026-03-10 15:10"))
    assert [state for state, _reason in states("aftercare")] == ["dropped", "sent"]


def test_an_attendance_taken_back_and_recorded_again_is_told_of_once(world, smtp_server):
    says(world, CARE[3:4])
    visit = attended(a_session(world, "2026-03-10 14:00"))
    outbox.run(now=at("2026-03-10 15:00"))
    attended(visit)

    assert outbox.run(now=at("2026-03-10 15:10")) == {}


def test_two_visits_of_a_day_have_one_message(world, smtp_server):
    says(world, CARE[3:4])
    for start in ("2026-03-10 10:00", "2026-03-10 11:00"):
        attended(a_session(world, start))

    assert outbox.run(now=at("2026-03-10 12:00")) == {"owed": 2, "sent": 1, "joined": 1}
    page = Client().get(link_in(smtp_server.received[0])).content.decode()
    assert "10:00" in page
    assert "11:00" in page


def test_a_reminder_of_the_same_day_does_not_hold_back_care_after_a_visit(world, smtp_server):
    says(world, CARE[3:4])
    ReminderStep.objects.create(subject="appointment", offset_days=-3, stale_after_days=1)
    a_visit(world, "2026-03-13 10:00")
    attended(a_session(world, "2026-03-10 14:00"))

    assert sent_at("2026-03-10 09:00", 1) == [
        ("visit_reminder", "2026-03-10 10:00"),
        ("aftercare", "2026-03-10 15:00"),
    ]


# --- The final result ---------------------------------------------------------------------------------------------


def a_complete_course(world, **milestone) -> Series:
    MilestoneRow.objects.create(
        protocol=world.protocol, position=1, name="final result", **{"kind": "result", "max_months": 2, **milestone}
    )
    series = world.a_series()
    courses.attend(session=series.sessions.first(), on=TODAY, by=world.desk, now=NOW)
    courses.complete(series=series, by=world.desk, now=NOW)
    return series


def test_the_final_result_is_asked_for_once_on_its_day(world, smtp_server):
    a_complete_course(world)

    assert sent_at("2026-05-01 00:00", 3) == [("result", "2026-05-02 09:00")]
    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: we would like to see you"


def test_a_course_that_is_not_complete_any_more_has_no_result(world, smtp_server):
    series = a_complete_course(world)
    outbox.owe_due(now=at("2026-05-02 08:00"))
    courses.undo(session=series.sessions.first(), by=world.desk, now=at("2026-05-02 08:30"))

    outbox.run(now=at("2026-05-02 09:00"))

    assert states("result") == [("dropped", "The course is not complete any more, or names no result.")]


def test_a_milestone_that_nobody_called_a_result_is_none(world, smtp_server):
    a_complete_course(world, kind="")

    assert sent_at("2026-05-01 00:00", 3) == []


def test_result_and_maintenance_are_two_messages_on_two_days(world, smtp_server):
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)
    a_complete_course(world)
    a_cycle(world, "2026-05-02")
    agree(world)

    assert sent_at("2026-05-01 12:00", 3)[:2] == [("result", "2026-05-02 09:00"), ("maintenance", "2026-05-03 09:00")]


# --- The link -----------------------------------------------------------------------------------------------------


def link_in(mail) -> str:
    return re.search(r"http://[^/]+(/r/[^/\s]+/care/)\s", mail.get_content())[1]


def test_the_link_shows_the_dates_as_they_are_now_without_signing_in(world, smtp_server):
    says(world)
    visit = a_session(world, "2026-03-20 14:30")
    outbox.run(now=at("2026-03-12 09:00"))
    path, client = link_in(smtp_server.received[0]), Client()

    first = client.get(path)
    move(visit, "2026-03-27 14:30")
    second = client.get(path)

    assert "from Friday 13 March until your visit" in first.content.decode()
    assert "from Friday 20 March until your visit" in second.content.decode()
    assert not client.cookies
    assert "css/portal.css" in first.content.decode(), "else the dates run into the words"
    assert first["Referrer-Policy"] == "no-referrer"
    assert "Osei" not in first.content.decode()


def test_after_the_visit_the_link_shows_what_follows_it_until_it_is_over(world, smtp_server, time_machine):
    says(world, [*CARE, {"when": "after", "action": "ask", "text": "Call if it stays red"}])
    attended(a_session(world, "2026-03-10 14:00"))
    outbox.run(now=at("2026-03-10 15:00"))
    time_machine.move_to(at("2026-03-10 15:00"), tick=False)

    page = Client().get(link_in(smtp_server.received[0])).content.decode()

    assert "No make-up" in page
    assert "at least until Thursday 12 March, 15:00" in page
    assert "No retinoids" not in page
    time_machine.move_to(at("2026-03-12 15:01"), tick=False)
    page = Client().get(link_in(smtp_server.received[0])).content.decode()
    assert "No make-up" not in page
    assert "No saunas" in page
    assert "Call if it stays red" in page


def test_a_link_to_a_cancelled_visit_or_none_at_all_shows_nothing(world, smtp_server):
    says(world)
    visit = a_session(world, "2026-03-20 14:30")
    outbox.run(now=at("2026-03-12 09:00"))
    path = link_in(smtp_server.received[0])
    cancel(visit)

    for address in (path, f"/r/{'A' * 24}/care/", "/r/x/care/"):
        response = Client().get(address)
        assert response.status_code == 200
        assert "There is nothing here any more" in response.content.decode()
    assert Client().post(path).status_code == 405


def test_an_expired_link_shows_nothing(world, smtp_server):
    says(world)
    a_session(world, "2026-03-20 14:30")
    outbox.run(now=at("2026-03-12 09:00"))
    ReminderLink.objects.update(made_at=NOW, expires_at=NOW + MINUTE)

    assert "No retinoids" not in Client().get(link_in(smtp_server.received[0])).content.decode()


def test_in_german_all_of_it_is(world, smtp_server):
    says(world)
    patient = world.a_patient(language="de")
    a_session(world, "2026-03-20 14:30", patient=patient)
    outbox.run(now=at("2026-03-12 09:00"))

    [mail] = smtp_server.received
    page = Client().get(link_in(mail)).content.decode()
    assert mail["Subject"].strip().startswith("Harbour: vor Ihrem Termin am")
    assert "bitte lesen Sie rechtzeitig" in mail.get_content()
    assert "Vor dem Termin" in page


def test_the_dry_run_knows_care_and_result(world, smtp_server):
    says(world)
    a_complete_course(world)
    attended(a_session(world, "2026-05-02 09:00", patient=world.a_patient(email="after@example.com")))
    a_session(world, "2026-05-10 10:00", patient=world.a_patient(email="before@example.com"))

    next_day = dry_run.next_day(now=at("2026-05-01 11:00"))
    lines, due = dry_run.now_due(now=at("2026-05-02 11:00"))

    assert {"pre_care", "aftercare", "result"} <= set(next_day)
    assert {line.message.kind for line in lines if line.goes} == {"pre_care", "aftercare", "result"}
    assert due == 3
    assert not Message.objects.exists()


def test_nothing_clinical_is_in_the_mails(world, smtp_server):
    says(world)
    attended(a_session(world, "2026-03-10 14:00"))
    a_session(world, "2026-03-18 14:00", patient=world.a_patient())
    a_complete_course(world)
    for now in ("2026-03-10 15:00", "2026-05-02 09:00"):
        outbox.run(now=at(now))

    kinds = set(Message.objects.filter(state="sent").values_list("kind", flat=True))
    assert kinds == {MessageKind.PRE_CARE, MessageKind.AFTERCARE, MessageKind.RESULT}
    everything = "\n".join(mail.as_string() for mail in smtp_server.received)
    assert [word for word in ("make-up", "retinoids", "Microneedling", "Acne", "sauna") if word in everything] == []


def test_the_desk_books_and_attends_and_takes_back(world, smtp_server):
    """The whole way by the diary's own services."""
    says(world)
    visit = book(world, a_plan(world, "2026-03-03 10:00", session=world.a_series().sessions.first()))
    outbox.run(now=at("2026-03-02 10:00"))
    booking.attend(appointment=visit, by=world.desk, now=at("2026-03-03 11:00"))
    outbox.run(now=at("2026-03-03 11:20"))

    assert [mail["Subject"] for mail in smtp_server.received] == [
        "Harbour: your visit on Tue 3 Mar 2026, 10:00 is booked",
        "Harbour: after your visit",
    ]
    assert not Consent.objects.exists()
