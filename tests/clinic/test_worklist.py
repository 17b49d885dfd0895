"""The worklist: what stands on which list, what takes it off and brings it back; and no row is worked by two."""

from datetime import date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from clinic.models import (
    Appointment,
    CallRequest,
    Closure,
    Message,
    MessageState,
    Outcome,
    ReminderStep,
    Site,
    WorklistHold,
    WorklistNote,
)
from clinic.services import booking, outbox, recheck, rota_fit, worklist
from clinic.services.course_view import span
from clinic.services.outbox import NotRetryable
from clinic.services.worklist import RowChanged, RowHeld, WorklistError
from clinic.services.worklist_rows import TABS, Filters, counts, page
from patients import services as patients
from tests.clinic.test_booking import a_visit, book
from tests.world import LONDON, NOW, TODAY, at, merged_into
from treatments import rules
from treatments.models import Maintenance, Series, Session
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.services.maintenance import MaintenanceNotPossible
from treatments.terms import Spacing

pytestmark = pytest.mark.django_db


def rows(world, tab, *, now=NOW, after="", limit=50, by=None, **filters):
    return page_of(world, tab, now=now, after=after, limit=limit, by=by, **filters).rows


def page_of(world, tab, *, now=NOW, after="", limit=50, by=None, **filters):
    unfit = rota_fit.misfits(now=now)
    asked = {"by": by or world.desk, "zone": LONDON, "now": now, "unfit": unfit, "after": after, "limit": limit}
    return page(TABS[tab], Filters(**filters), **asked)


def counted(*, now=NOW, **filters) -> dict[str, int]:
    return counts(Filters(**filters), zone=LONDON, now=now, unfit=rota_fit.misfits(now=now))


def whats(world, tab, **kwargs) -> list[str]:
    return [row.what for row in rows(world, tab, **kwargs)]


def attended(world, series, number, day) -> None:
    courses.attend(session=series.sessions.get(number=number), on=day, by=world.desk, now=NOW)


def a_cycle(world, patient=None, *, due=TODAY, by=None, state="scheduled", **values) -> Maintenance:
    """A cycle that is due from one day, by another."""
    series = world.a_series(patient, count=1, decision_note="Dr Lee")
    attended(world, series, 1, date(2025, 9, 1))
    dates = {} if state == "waiting" else {"calculated_from": due, "calculated_by": by or due}
    if state == "waiting":
        dates = {"calculated_from": None, "calculated_by": None}
    Maintenance.objects.filter(series=series).update(state=state, **dates, **values)
    return Maintenance.objects.get(series=series)


def a_message(world, patient=None, *, state="failed", **values) -> Message:
    values = {
        "kind": "confirmation",
        "purpose": "service",
        "channel": "email",
        "counts_from": f"{Message.objects.count()}",
        "owed_at": NOW,
        "not_before": NOW,
        "not_after": NOW + timedelta(days=1),
        "settled_at": NOW - timedelta(minutes=Message.objects.count()),
        "reason": "550 no such mailbox",
    } | values
    return Message.objects.create(patient=patient or world.patient, state=state, **values)


def on(kind, row) -> worklist.Subject:
    found = worklist.subject(kind, row.pk)
    assert found is not None
    return found


def note(world, subject, outcome=Outcome.REACHED, *, by=None, now=NOW, seen=0, **values) -> WorklistNote:
    return worklist.note(
        subject=subject, outcome=outcome, by=by or world.desk, now=now, zone=LONDON, seen=seen, **values
    )


# --- Sessions to book -------------------------------------------------------------------------


def test_the_next_open_session_of_each_series_stands_there_the_window_that_closes_first_on_top(world):
    later, sooner = world.a_series(), world.a_series(world.a_patient())
    attended(world, later, 1, date(2026, 2, 9))
    attended(world, sooner, 1, date(2026, 1, 26))

    found = rows(world, "to-book")

    assert [(row.patient, row.what) for row in found] == [
        ("Noor Haddad", "Microneedling, session 2 of 3"),
        ("Amal Osei", "Microneedling, session 2 of 3"),
    ]
    # Attended on 26 January, four to six weeks apart: from 23 February to 9 March.
    assert (found[0].when, found[0].left) == ("Mon 23 Feb – Mon 9 Mar 2026", "7 days left")


def test_a_session_counts_from_the_one_that_is_booked_before_it(world):
    series = world.a_series()
    book(world, a_visit(world, "2026-03-03 10:00", session=series.sessions.get(number=1)))

    assert rows(world, "to-book", days=27) == []
    assert [row.when for row in rows(world, "to-book", days=84)] == ["Tue 31 Mar – Tue 14 Apr 2026"]


def test_a_first_session_has_no_window_and_stands_there_from_the_start(world):
    world.a_series()

    assert [(row.what, row.when) for row in rows(world, "to-book")] == [("Microneedling, session 1 of 3", "any day")]


@pytest.mark.parametrize("state", ["stopped", "completed"])
def test_a_series_that_has_ended_has_nothing_to_book(world, state):
    ended = {
        "stopped": {"stopped_at": NOW, "stopped_by": world.desk},
        "completed": {"completed_on": TODAY},
    }
    world.a_series()
    Series.objects.update(state=state, **ended[state])

    assert rows(world, "to-book") == []


def test_an_open_session_before_a_booked_one_is_the_next(world):
    series = world.a_series()
    attended(world, series, 1, date(2026, 2, 2))
    book(world, a_visit(world, "2026-04-07 10:00", session=series.sessions.get(number=3)))

    assert whats(world, "to-book") == ["Microneedling, session 2 of 3"]


@pytest.mark.parametrize(
    "spacing",
    [
        pytest.param(Spacing(4, 5, 6, "week"), id="weeks"),
        pytest.param(Spacing(10, None, 14, "day"), id="days"),
        pytest.param(Spacing(1, None, 3, "month"), id="months"),
        pytest.param(Spacing(4, None, 4, "week", tolerance_days=3), id="one day, give or take"),
        pytest.param(Spacing(2, None, 2, "day", tolerance_days=5), id="a tolerance beyond the day before"),
        pytest.param(Spacing(2, None, 3, "week", tolerance_days=5), id="a tolerance that does not count"),
    ],
)
@pytest.mark.parametrize("day", [date(2026, 1, 31), date(2024, 2, 29), date(2025, 12, 31), date(2026, 2, 27)])
def test_the_database_counts_windows_as_the_rules_do(world, spacing, day):
    series = world.a_series()
    attended(world, series, 1, day)
    series.refresh_from_db()
    series.terms_json = series.terms.with_spacing(spacing).to_json()
    series.save()
    window = rules.window_after(spacing, day)

    [found] = rows(world, "to-book", days=1000)

    assert found.when == span(window.earliest, window.latest)
    assert found.cursor.startswith(window.latest.isoformat())


# --- Maintenance ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "by", "tab", "left"),
    [
        pytest.param("2026-03-02", "2026-03-02", "due", "last day today", id="due today only"),
        pytest.param("2026-03-02", "2026-03-12", "due", "10 days left", id="from today"),
        pytest.param("2026-02-01", "2026-03-03", "due", "1 day left", id="until tomorrow"),
        pytest.param("2026-03-10", "2026-03-12", "due", "in 8 days", id="soon"),
        pytest.param("2026-03-16", "2026-03-16", "due", "in 14 days", id="at the end of the days shown"),
        pytest.param("2026-03-17", "2026-03-17", None, "", id="after the days shown"),
        pytest.param("2026-02-01", "2026-03-01", "overdue", "1 day over", id="since yesterday"),
        pytest.param("2024-02-01", "2024-03-01", "overdue", "731 days over", id="for two years"),
    ],
)
def test_maintenance_is_due_or_overdue_by_its_dates(world, due, by, tab, left):
    a_cycle(world, due=date.fromisoformat(due), by=date.fromisoformat(by))

    found = {name: [row.left for row in rows(world, name)] for name in ("due", "overdue")}

    assert found == {"due": [], "overdue": []} | ({tab: [left]} if tab else {})


def test_what_was_put_off_counts_again_from_that_day(world):
    a_cycle(world, due=date(2025, 6, 1), state="deferred", deferred_until=date(2026, 3, 5))

    assert [(rows(world, "due", now=now), rows(world, "overdue", now=now)) for now in [NOW]] == [([], [])]
    assert [row.left for row in rows(world, "due", now=at("2026-03-05 08:00"))] == ["last day today"]
    assert [row.left for row in rows(world, "overdue", now=at("2026-03-06 08:00"))] == ["1 day over"]


def test_what_the_clinician_decides_stands_on_its_own_list(world):
    a_cycle(world, state="waiting")

    assert [row.next_step for row in rows(world, "decide")] == ["none before the decision"]
    assert rows(world, "due") == rows(world, "overdue") == []


@pytest.mark.parametrize("state", ["booked", "withdrawn"])
def test_maintenance_that_is_booked_or_withdrawn_stands_nowhere(world, state):
    settled = {} if state == "booked" else {"settled_at": NOW}
    a_cycle(world, state=state, **settled)

    assert counted() == dict.fromkeys(TABS, 0)


@pytest.mark.parametrize("state", ["declined", "lapsed"])
def test_what_ended_without_a_visit_stands_on_its_own_list_until_it_is_seen(world, state):
    cycle = a_cycle(world, state=state, settled_at=NOW, reason="too dear")
    later = NOW + timedelta(hours=1)

    assert counted(now=later) == dict.fromkeys(TABS, 0) | {"ended": 1}
    [row] = rows(world, "ended", now=later)
    assert (row.when, row.detail, row.next_step) == (state, "too dear", "none unless it is opened again")
    worklist.see(subject=on("maintenance", cycle), by=world.desk, now=later, seen=0)
    assert rows(world, "ended", now=later + timedelta(days=30)) == []


def test_what_ended_long_ago_is_not_looked_at_any_more(world):
    a_cycle(world, state="lapsed", settled_at=NOW)

    assert rows(world, "ended", now=NOW + timedelta(days=59))
    assert rows(world, "ended", now=NOW + timedelta(days=61)) == []


def test_what_the_desk_declined_stands_there_too_and_rests_after_a_call(world):
    cycle = a_cycle(world)
    note(world, on("maintenance", cycle), Outcome.DECLINED, text="too dear")
    assert whats(world, "ended") == ["Microneedling, maintenance 1"]

    note(world, on("maintenance", cycle), Outcome.NO_ANSWER, now=NOW + timedelta(hours=1))

    assert rows(world, "ended", now=NOW + timedelta(days=1)) == []
    assert rows(world, "ended", now=NOW + timedelta(days=3))


def test_what_has_lapsed_is_taken_up_again_and_does_not_lapse_at_once(world):
    cycle = a_cycle(world, due=date(2025, 1, 10), state="lapsed", settled_at=NOW, reason="")

    noted = worklist.reopen(subject=on("maintenance", cycle), by=world.desk, now=NOW, zone=LONDON, seen=0, text="asks")

    assert (noted.outcome, noted.noted_by, noted.noted_at, noted.text) == ("reopened", world.desk, NOW, "asks")
    cycle.refresh_from_db()
    assert (cycle.state, cycle.settled_at, cycle.remind_from) == ("scheduled", None, date(2026, 3, 3))
    assert cycles.lapse_overdue(now=at("2027-03-03 09:00")) == 0
    assert counted()["ended"] == 0
    assert whats(world, "overdue") == ["Microneedling, maintenance 1"]
    assert cycles.lapse_overdue(now=at("2027-03-04 09:00")) == 1


def test_what_never_had_a_date_is_to_be_decided_again(world):
    cycle = a_cycle(world, state="waiting")
    cycles.decline(cycle=cycle, reason="no", by=world.desk, now=NOW)

    worklist.reopen(subject=on("maintenance", cycle), by=world.desk, now=NOW, zone=LONDON, seen=0)

    assert len(rows(world, "decide")) == 1


@pytest.mark.parametrize("state", ["scheduled", "booked"])
def test_what_has_not_ended_is_neither_seen_nor_opened_again(world, state):
    cycle = a_cycle(world, state=state)

    for act in (worklist.see, lambda **said: worklist.reopen(zone=LONDON, **said)):
        with pytest.raises(RowChanged):
            act(subject=on("maintenance", cycle), by=world.desk, now=NOW, seen=0)
    cycle.refresh_from_db()
    assert cycle.state == state


def test_the_maintenance_of_a_series_that_goes_on_is_not_opened_again(world):
    cycle = a_cycle(world, state="declined", settled_at=NOW)
    Series.objects.update(state="active", completed_on=None)

    with pytest.raises(MaintenanceNotPossible, match="under way again"):
        worklist.reopen(subject=on("maintenance", cycle), by=world.desk, now=NOW, zone=LONDON, seen=0)


# --- Messages, and what was cancelled ---------------------------------------------------------


@pytest.mark.parametrize("state", MessageState.values)
def test_messages_that_failed_or_are_in_doubt_stand_there(world, state):
    under_way = state in ("pending", "sending")
    lease = {"token": "0" * 32, "lease_until": NOW} if state == "sending" else {}
    a_message(world, state=state, settled_at=None if under_way else NOW, **lease)

    assert [row.state for row in rows(world, "messages")] == ([state] if state in ("failed", "unknown") else [])


def a_missed_message(world, **values) -> Message:
    return a_message(world, state="dropped", missed=True, reason="Its time passes within the quiet hours.", **values)


def test_what_no_hour_was_left_for_stands_there_until_it_is_seen(world):
    message = a_missed_message(world)

    assert [(row.state, row.detail) for row in rows(world, "messages")] == [
        ("dropped", "Its time passes within the quiet hours.")
    ]
    worklist.see(subject=on("message", message), by=world.desk, now=NOW + timedelta(hours=1), seen=0)
    assert rows(world, "messages", now=NOW + timedelta(hours=2)) == []


@pytest.mark.parametrize(
    ("hours", "values", "stands"),
    [
        pytest.param(1, {}, True, id="while the visit is to come"),
        pytest.param(27, {}, False, id="not once it has begun"),
        pytest.param(1, {"status": "arrived"}, False, id="nor when the patient is here"),
    ],
)
def test_a_visit_that_nobody_was_told_of_stands_there_as_long_as_a_call_helps(world, hours, values, stands):
    visit = book(world, a_visit(world))
    a_missed_message(world, kind="visit_reminder", appointment=visit)
    Appointment.objects.update(**values)

    assert bool(rows(world, "messages", now=NOW + timedelta(hours=hours))) == stands


def test_what_was_told_after_all_or_lies_long_back_stands_there_no_more(world):
    visit = book(world, a_visit(world, "2026-03-24 10:00"))
    Message.objects.all().delete()
    a_missed_message(world, kind="visit_reminder", appointment=visit)
    assert rows(world, "messages")
    assert rows(world, "messages", now=NOW + timedelta(days=8)) == []

    a_message(world, kind="visit_reminder", state="sent", appointment=visit, settled_at=NOW + timedelta(hours=1))

    assert rows(world, "messages", now=NOW + timedelta(hours=2)) == []


def test_what_failed_is_not_taken_off_by_a_look(world):
    with pytest.raises(RowChanged):
        worklist.see(subject=on("message", a_message(world)), by=world.desk, now=NOW, seen=0)


@pytest.mark.parametrize("how", ["cancelled", "missed"])
@pytest.mark.parametrize("what", ["session", "maintenance", "neither"])
def test_a_cancelled_visit_and_a_no_show_appear_at_once(world, how, what):
    about = {
        "session": lambda: {"session": world.a_series().sessions.get(number=1)},
        "maintenance": lambda: {"maintenance": a_cycle(world)},
        "neither": dict,
    }[what]()
    visit = book(world, a_visit(world, **about))
    if how == "cancelled":
        booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)
    else:
        booking.no_show(appointment=visit, by=world.desk, now=at("2026-03-03 12:00"))
    now = at("2026-03-03 12:00")

    [row] = rows(world, "cancelled", now=now)

    assert row.kind == (what if what != "neither" else "appointment")
    assert row.when == ("was booked for Tue 3 Mar 2026" if how == "cancelled" else "did not come on Tue 3 Mar 2026")
    assert counted(now=now)["to-book"] == (what == "session")


@pytest.mark.parametrize("what", ["session", "maintenance", "neither"])
def test_booked_again_it_is_off_the_list(world, what):
    about = {
        "session": lambda: {"session": world.a_series().sessions.get(number=1)},
        "maintenance": lambda: {"maintenance": a_cycle(world)},
        "neither": dict,
    }[what]()
    booking.cancel(appointment=book(world, a_visit(world, **about)), reason="ill", by=world.desk, now=NOW)
    book(world, a_visit(world, "2026-03-05 10:00", **about))

    assert rows(world, "cancelled") == []


def test_cancelled_twice_it_stands_there_once(world):
    session = world.a_series().sessions.get(number=1)
    for day in (3, 4, 5):
        visit = book(world, a_visit(world, f"2026-03-0{day} 10:00", session=session))
        booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    assert [row.when for row in rows(world, "cancelled")] == ["was booked for Thu 5 Mar 2026"]


def test_what_was_cancelled_long_ago_is_not_called_after(world):
    booking.cancel(appointment=book(world, a_visit(world)), reason="ill", by=world.desk, now=NOW)

    assert rows(world, "cancelled", now=NOW + timedelta(days=59))
    assert rows(world, "cancelled", now=NOW + timedelta(days=61)) == []


# --- Filters, pages, cost ---------------------------------------------------------------------


def test_a_patient_counts_where_they_were_last_and_anywhere_if_nowhere(world):
    other = Site.objects.create(name="Hill Clinic", short_name="Hill", time_zone="Europe/London", country="GB")
    a_cycle(world)
    book(world, a_visit(world))
    a_cycle(world, world.a_patient("New"))

    assert [row.patient for row in rows(world, "due", site=world.site)] == ["Amal Osei", "New Haddad"]
    assert [row.patient for row in rows(world, "due", site=other)] == ["New Haddad"]
    assert counted(site=other)["due"] == 1


def test_a_record_that_was_merged_has_no_rows(world):
    a_cycle(world)
    for name, value in merged_into(world.a_patient()).items():
        setattr(world.patient, name, value)
    world.patient.save()

    assert counted()["due"] == 0


@pytest.mark.parametrize("tab", ["due", "overdue", "messages"])
def test_page_after_page_shows_every_row_once_in_one_order(world, tab):
    for n in range(7):
        # Some share a day, so that the key has to tell them apart.
        day = TODAY + timedelta(days=n // 3) - timedelta(days=0 if tab == "due" else 30)
        a_cycle(world, world.a_patient(f"P{n}"), due=day)
        a_message(world, world.a_patient(f"M{n}"), settled_at=NOW - timedelta(hours=n // 3))
    whole = [row.row_id for row in rows(world, tab)]
    seen, after = [], ""
    while True:
        part = page_of(world, tab, after=after, limit=2)
        seen += [row.row_id for row in part.rows]
        after = part.after
        if not after:
            break

    assert len(whole) == 7
    assert seen == whole


@pytest.mark.parametrize("after", ["x", "~", "2026-03-01", "2026-03-01~x", "9999-99-99~1", "~1", "2026-03-01T00:00~1"])
def test_a_cursor_that_makes_no_sense_starts_at_the_top(world, after):
    a_cycle(world)

    assert len(rows(world, "due", after=after)) == 1
    a_message(world)
    assert len(rows(world, "messages", after=after)) == 1


@pytest.mark.parametrize("tab", TABS)
def test_a_page_costs_the_same_number_of_queries_however_long_it_is(world, tab, django_assert_max_num_queries):
    for n in range(6):
        patient = world.a_patient(f"P{n}")
        a_cycle(world, patient, due=TODAY)
        a_cycle(world, patient, due=TODAY - timedelta(days=9))
        a_cycle(world, patient, state="waiting")
        world.a_series(patient)
        CallRequest.objects.create(patient=patient, message=a_message(world, patient), asked_at=NOW)
        visit = book(world, a_visit(world, f"2026-03-{10 + n} 10:00"), patient)
        booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)
        note(world, on("maintenance", a_cycle(world, patient, due=TODAY)), Outcome.NO_ANSWER)
        worklist.take(subject=on("session", Session.objects.latest("pk")), by=world.manager, now=NOW)
        a_cycle(world, patient, state="lapsed", settled_at=NOW)
        book(world, a_visit(world, f"2026-04-{1 + n:02} 10:00"), world.a_patient(f"U{n}"))
    Closure.objects.create(site=world.site, starts_at=at("2026-04-01 00:00"), ends_at=at("2026-05-01 00:00"), reason="")
    unfit = rota_fit.misfits(now=NOW)

    with django_assert_max_num_queries(9):
        assert page(TABS[tab], Filters(), by=world.desk, zone=LONDON, now=NOW, unfit=unfit).rows
    with django_assert_max_num_queries(1):
        counts(Filters(site=world.site), zone=LONDON, now=NOW, unfit={})


# --- Calls, snoozing, declining ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "until", "back_on"),
    [
        pytest.param(Outcome.REACHED, None, "2026-03-09", id="reached: a week"),
        pytest.param(Outcome.NO_ANSWER, None, "2026-03-04", id="no answer: two days"),
        pytest.param(Outcome.CALL_BACK, date(2026, 3, 20), "2026-03-20", id="on the day that was named"),
        pytest.param(Outcome.SNOOZED, date(2026, 4, 1), "2026-04-01", id="until the day that was chosen"),
    ],
)
def test_a_row_rests_until_its_day_begins(world, outcome, until, back_on):
    note(world, on("maintenance", a_cycle(world, by=date(2026, 12, 1))), outcome, until=until)
    back = datetime.fromisoformat(back_on).replace(tzinfo=LONDON)

    assert rows(world, "due") == []
    assert rows(world, "due", now=back - timedelta(seconds=1)) == []
    [row] = rows(world, "due", now=back)
    assert row.last_contact.startswith("Mon 2 Mar, desk@example.com: ")


def test_a_visit_that_is_cancelled_after_the_call_brings_the_row_back_at_once(world):
    cycle = a_cycle(world)
    note(world, on("maintenance", cycle))
    visit = book(world, a_visit(world, maintenance=cycle))
    later = NOW + timedelta(hours=1)
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=later)

    assert whats(world, "due", now=later) == ["Microneedling, maintenance 1"]
    assert whats(world, "cancelled", now=later) == ["Microneedling, maintenance 1"]


def test_a_call_about_one_thing_hides_no_other(world):
    first, _second = a_cycle(world), a_cycle(world)
    note(world, on("maintenance", first))

    assert len(rows(world, "due")) == 1


@pytest.mark.parametrize(
    ("until", "words"),
    [
        pytest.param(None, "after today", id="no day"),
        pytest.param(TODAY, "after today", id="today"),
        pytest.param(date(2027, 4, 1), "within a year", id="far ahead"),
    ],
)
def test_a_snooze_needs_a_day_that_makes_sense(world, until, words):
    with pytest.raises(WorklistError, match=words):
        note(world, on("maintenance", a_cycle(world)), Outcome.SNOOZED, until=until)

    assert not WorklistNote.objects.exists()


def test_declining_ends_the_cycle(world):
    cycle = a_cycle(world)

    note(world, on("maintenance", cycle), Outcome.DECLINED, text="too dear")

    cycle.refresh_from_db()
    assert (cycle.state, cycle.reason) == ("declined", "too dear")
    assert rows(world, "due") == []


def test_declining_a_session_stops_the_series(world):
    series = world.a_series()

    note(world, on("session", series.sessions.get(number=1)), Outcome.DECLINED, text="moved away")

    series.refresh_from_db()
    assert (series.state, series.stopped_reason) == ("stopped", "moved away")


def test_a_series_with_a_visit_to_come_is_not_stopped(world):
    series = world.a_series()
    book(world, a_visit(world, "2026-04-07 10:00", session=series.sessions.get(number=3)))

    with pytest.raises(WorklistError, match=r"Session 3 is booked on Tue 7 Apr 2026\. Cancel it first"):
        note(world, on("session", series.sessions.get(number=1)), Outcome.DECLINED, text="moved away")


def test_declining_needs_a_word_why(world):
    with pytest.raises(WorklistError, match="Note why"):
        note(world, on("maintenance", a_cycle(world)), Outcome.DECLINED)


def test_a_visit_that_nobody_wants_again_is_off_the_list(world):
    visit = book(world, a_visit(world))
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    note(world, on("appointment", visit), Outcome.DECLINED, text="went elsewhere", now=NOW)

    assert rows(world, "cancelled", now=NOW + timedelta(days=50)) == []


def test_what_was_booked_meanwhile_is_refused(world):
    session = world.a_series().sessions.get(number=1)
    book(world, a_visit(world, session=session))

    with pytest.raises(RowChanged, match="it is booked"):
        note(world, on("session", session))


# --- Two people -------------------------------------------------------------------------------


def test_a_row_that_somebody_is_at_says_so_to_others_and_refuses_them(world):
    cycle = a_cycle(world)
    world.desk.first_name = "Ada"
    world.desk.save()
    worklist.take(subject=on("maintenance", cycle), by=world.desk, now=NOW)

    assert [(row.held_by, row.held_by_me) for row in rows(world, "due")] == [("", True)]
    assert [(row.held_by, row.held_by_me) for row in rows(world, "due", by=world.manager)] == [("Ada", False)]
    with pytest.raises(RowHeld, match="Ada is on it, for 10 more minutes at most"):
        worklist.take(subject=on("maintenance", cycle), by=world.manager, now=NOW)
    with pytest.raises(RowHeld):
        note(world, on("maintenance", cycle), by=world.manager)


def test_it_is_taken_over_explicitly(world):
    subject = on("maintenance", a_cycle(world))
    worklist.take(subject=subject, by=world.desk, now=NOW)

    worklist.take(subject=subject, by=world.manager, now=NOW, over=True)

    with pytest.raises(RowHeld):
        note(world, subject)
    assert note(world, subject, by=world.manager)


def test_it_ends_by_itself_and_with_what_was_done(world):
    subject = on("maintenance", a_cycle(world))
    worklist.take(subject=subject, by=world.desk, now=NOW)
    later = NOW + worklist.HELD_FOR

    assert worklist.take(subject=subject, by=world.manager, now=later).held_by == world.manager
    note(world, subject, by=world.manager, now=later)
    assert not WorklistHold.objects.exists()


def test_only_who_is_at_a_row_leaves_it(world):
    subject = on("maintenance", a_cycle(world))
    worklist.take(subject=subject, by=world.desk, now=NOW)

    worklist.leave(subject=subject, by=world.manager)
    assert WorklistHold.objects.exists()
    worklist.leave(subject=subject, by=world.desk)
    assert not WorklistHold.objects.exists()


def test_what_somebody_else_did_since_the_page_was_shown_is_not_done_twice(world):
    subject = on("maintenance", a_cycle(world))
    first = note(world, subject, Outcome.NO_ANSWER)

    with pytest.raises(RowChanged, match=r"desk@example.com has dealt with this meanwhile \(no answer\)"):
        note(world, subject, by=world.manager, seen=0)
    assert note(world, subject, by=world.manager, seen=first.pk)


# --- Reminders and messages -------------------------------------------------------------------


@pytest.fixture
def reminded(world) -> Message:
    """A reminder of maintenance that is due today, as it waits to be sent."""
    patients.give_consent(
        patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOW
    )
    # Of its own: what a migration laid is gone once a test has emptied the tables.
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)
    a_cycle(world)
    outbox.owe_due(now=NOW)
    return Message.objects.select_related("patient", "step", "maintenance").get()


def verdict(message, now):
    return recheck.verdicts([message], now=now)[message.pk]


NOON = at("2026-03-02 12:00")


def test_a_call_holds_the_next_reminder_about_it(world, reminded):
    assert isinstance(verdict(reminded, NOON), recheck.Send)

    note(world, on("maintenance", reminded.maintenance), Outcome.NO_ANSWER)

    held = verdict(reminded, NOON)
    assert isinstance(held, recheck.Postpone)
    assert held.until == at("2026-03-04 09:00")
    assert isinstance(verdict(reminded, at("2026-03-04 09:00")), recheck.Send)


def test_a_call_that_rests_longer_than_the_reminder_keeps_drops_it(world, reminded):
    note(world, on("maintenance", reminded.maintenance), Outcome.SNOOZED, until=date(2026, 6, 1))

    assert verdict(reminded, NOON) == recheck.Drop("The clinic was in touch with the patient about it.")


def test_a_call_about_another_cycle_holds_nothing(world, reminded):
    note(world, on("maintenance", a_cycle(world)), Outcome.NO_ANSWER)

    assert isinstance(verdict(reminded, NOON), recheck.Send)


def test_the_row_says_what_goes_out_next_by_itself(world, reminded):
    assert [row.next_step for row in rows(world, "due", now=NOON)] == ["reminder by e-mail, Mon 2 Mar"]

    Message.objects.update(state="sent", settled_at=NOON)
    assert [row.next_step for row in rows(world, "due", now=NOON)] == ["none: no reminder is left"]
    patients.withdraw_consent(
        patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOON
    )
    assert [row.next_step for row in rows(world, "due", now=NOON)] == ["none: no agreement to reminders, or no address"]


def test_a_failed_message_waits_to_be_sent_again(world):
    message = a_message(world, appointment=booked(world))

    worklist.retry(subject=on("message", message), by=world.desk, now=NOW, seen=0)

    message.refresh_from_db()
    assert (message.state, message.settled_at, message.not_before) == ("pending", None, NOW)
    assert rows(world, "messages") == []


def booked(world) -> Appointment:
    return book(world, a_visit(world, "2026-03-10 10:00"))


def test_what_the_last_look_would_drop_is_refused_with_why(world):
    visit = booked(world)
    message = a_message(world, appointment=visit)
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    with pytest.raises(NotRetryable, match=r"It would not be sent: The visit was cancelled\. Settle it by hand"):
        worklist.retry(subject=on("message", message), by=world.desk, now=NOW, seen=0)

    message.refresh_from_db()
    assert message.state == "failed"
    assert not WorklistNote.objects.exists()


def test_by_night_a_text_message_waits_until_it_may_be_sent(world):
    patient = world.a_patient(email="", phone="+447700900123")
    visit = book(world, a_visit(world, "2026-03-10 10:00"), patient=patient)
    message = a_message(world, patient, appointment=visit, channel="sms")

    worklist.retry(subject=on("message", message), by=world.desk, now=at("2026-03-02 06:30"), seen=0)

    message.refresh_from_db()
    assert (message.state, message.not_before) == ("pending", at("2026-03-02 09:00"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"state": "unknown", "channel": "sms", "handed_over": 1}, "may have arrived", id="text in doubt"),
        pytest.param({"state": "unknown", "handed_over": 2}, "may have arrived", id="mail handed over twice"),
        pytest.param({"not_before": NOW - timedelta(days=1), "not_after": NOW}, "time has passed", id="too late"),
        pytest.param({"state": "sent"}, "nothing left to do", id="sent meanwhile"),
    ],
)
def test_what_may_have_arrived_or_comes_too_late_is_not_sent_again(world, values, words):
    message = a_message(world, **values)

    with pytest.raises((NotRetryable, RowChanged), match=words):
        worklist.retry(subject=on("message", message), by=world.desk, now=NOW, seen=0)

    message.refresh_from_db()
    assert message.state == values.get("state", "failed")
    assert not WorklistNote.objects.exists()


@pytest.mark.parametrize(("arrived", "state"), [(True, "sent"), (False, "dropped")])
def test_a_message_is_settled_by_hand(world, arrived, state):
    message = a_message(world, state="unknown", channel="sms", handed_over=1)

    worklist.settle(subject=on("message", message), arrived=arrived, by=world.desk, now=NOW, seen=0, text="rang")

    message.refresh_from_db()
    assert message.state == state
    assert message.reason.startswith("Settled by hand")
    assert WorklistNote.objects.get().message == message


# --- What the database refuses ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        pytest.param(lambda _w: {}, "worklist_note_about_one_thing", id="about nothing"),
        pytest.param(
            lambda w: {"maintenance": a_cycle(w), "message": a_message(w)},
            "worklist_note_about_one_thing",
            id="about two things",
        ),
        pytest.param(
            lambda w: {"message": a_message(w), "outcome": "shouted"}, "worklist_note_outcome_known", id="no outcome"
        ),
        pytest.param(
            lambda w: {"message": a_message(w), "outcome": "snoozed"}, "worklist_note_later_says_when", id="no day"
        ),
    ],
)
def test_the_database_refuses(world, values, constraint):
    said = {"patient": world.patient, "outcome": "reached", "noted_at": NOW, "noted_by": world.desk} | values(world)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        WorklistNote.objects.create(**said)


def test_a_cycle_that_was_settled_meanwhile_is_not_declined_again(world):
    cycle = a_cycle(world)
    cycles.decline(cycle=cycle, reason="x", by=world.desk, now=NOW)

    with pytest.raises((RowChanged, MaintenanceNotPossible)):
        note(world, on("maintenance", cycle), Outcome.DECLINED, text="y")
    assert not Appointment.objects.exists()
