"""Somebody is ill tomorrow: every visit is listed, then planned again or left on the list; none is lost."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.availability import Availability, Day, Diary, Resource, Spans, Stretch
from clinic.models import Absence, Appointment, Closure, Message, OpeningHours, WorklistHold
from clinic.nearest import nearest
from clinic.planning import Choice
from clinic.services import outbox, replanning, rota, rota_fit
from clinic.services.recheck import SaidWith, Send, verdicts
from clinic.services.replanning import NoSuggestion
from clinic.services.rota import Change, Unseen
from tests.clinic.test_booking import a_visit, book, stretches
from tests.clinic.test_rota_fit import away
from tests.clinic.test_worklist import a_cycle, rows
from tests.world import NOW, at

pytestmark = pytest.mark.django_db


def shut(world, starts="2026-03-03 00:00", ends="2026-03-04 00:00") -> Closure:
    return Closure.objects.create(site=world.site, starts_at=at(starts), ends_at=at(ends), reason="Works")


def suggestion(visit):
    """As the wall clock shows it: when, with whom, where."""
    found = replanning.suggest(Appointment.objects.get(pk=visit.pk), now=NOW)
    when = found.starts_at.astimezone(visit.site.time_zone)
    return f"{when:%Y-%m-%d %H:%M}", found.practitioner.name, found.room.name, found.same_time


def in_a_series(world, *starts, patient=None):
    series = world.a_series(patient)
    return [
        book(world, a_visit(world, start, session=series.sessions.get(number=n)), patient)
        for n, start in enumerate(starts, start=1)
    ]


# --- What is suggested ------------------------------------------------------------------------------


def test_the_same_time_with_another_practitioner_in_the_same_room(world):
    visit = book(world, a_visit(world))
    away(world.practitioners[0])

    assert suggestion(visit) == ("2026-03-03 10:00", "Ben", "Room 1", True)


def test_the_same_practitioner_in_another_room(world):
    visit = book(world, a_visit(world))
    away(world.rooms[0])

    assert suggestion(visit) == ("2026-03-03 10:00", "Ada", "Room 2", True)


def test_the_nearest_time_where_the_same_time_is_taken(world):
    visit = book(world, a_visit(world))
    book(world, a_visit(world, "2026-03-03 10:00", who=1, where=1, pen=1), world.a_patient())
    away(world.practitioners[0])

    when, whom, _room, same = suggestion(visit)

    # Ben needles from half past ten to a quarter past eleven: three quarters of an hour sooner or later is nearest.
    assert (when, whom, same) == ("2026-03-03 09:15", "Ben", False)


def test_the_nearest_day_where_the_site_is_closed(world):
    visit = book(world, a_visit(world, "2026-03-10 10:00"))
    shut(world, "2026-03-10 00:00", "2026-03-11 00:00")

    assert suggestion(visit) == ("2026-03-09 10:00", "Ada", "Room 1", False)


def test_only_inside_the_window_of_the_session(world):
    _first, second = in_a_series(world, "2026-03-03 10:00", "2026-03-31 10:00")
    shut(world, "2026-03-31 00:00", "2026-04-01 00:00")

    # The window begins on 31 March, so the day before is not offered.
    assert suggestion(second)[0] == "2026-04-01 10:00"


def test_nothing_that_would_leave_a_later_session_outside_its_window(world):
    first, _second = in_a_series(world, "2026-03-10 10:00", "2026-04-07 10:00")
    shut(world, "2026-03-10 00:00", "2026-03-11 00:00")

    # The second is four weeks later, as early as may be: the first cannot move on, only back.
    assert suggestion(first)[0] == "2026-03-09 10:00"


def test_no_suggestion_where_nothing_is_free_inside_the_window(world):
    _first, second = in_a_series(world, "2026-03-03 10:00", "2026-04-01 10:00")
    shut(world, "2026-03-31 00:00", "2026-04-15 00:00")

    with pytest.raises(NoSuggestion, match="inside its window"):
        suggestion(second)


def test_maintenance_is_looked_for_while_it_is_due(world):
    cycle = a_cycle(world, due=date(2026, 3, 10), by=date(2026, 3, 12))
    visit = book(world, a_visit(world, "2026-03-10 10:00", maintenance=cycle))
    shut(world, "2026-03-10 00:00", "2026-03-11 00:00")

    assert suggestion(visit)[0] == "2026-03-11 10:00"
    shut(world, "2026-03-11 00:00", "2026-03-13 00:00")
    with pytest.raises(NoSuggestion):
        suggestion(visit)


def test_never_before_now(world):
    visit = book(world, a_visit(world))
    shut(world)

    found = replanning.suggest(visit, now=at("2026-03-02 17:00"))

    assert found.starts_at >= at("2026-03-04 00:00")


def test_nobody_is_moved_to_today_unasked(world):
    visit = book(world, a_visit(world, "2026-03-03 15:30"))
    shut(world)

    found = replanning.suggest(visit, now=at("2026-03-02 08:00"))

    assert found.starts_at == at("2026-03-04 15:30")


def test_who_comes_today_may_come_later_today(world):
    visit = book(world, a_visit(world, "2026-03-03 10:00"))
    shut(world, "2026-03-03 10:00", "2026-03-03 12:00")

    found = replanning.suggest(visit, now=at("2026-03-03 09:30"))

    assert found.starts_at == at("2026-03-03 12:00")


# --- The nearest time, against an oracle ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_is_that_of_a_look_at_every_time(seed):
    import random

    rng = random.Random(seed)
    first = date(2026, 3, 2)
    base = (first.toordinal() - date(1970, 1, 1).toordinal()) * 1440
    days = tuple(
        Day(first + timedelta(days=n), ((base + n * 1440 + 540, base + n * 1440 + 720),) if rng.random() < 0.7 else ())
        for n in range(7)
    )

    def busy():
        starts = [base + rng.randrange(7) * 1440 + 540 + rng.randrange(12) * 15 for _ in range(8)]
        return Spans(sorted(starts), [start + 30 for start in sorted(starts)])

    people = (Resource("ada", busy=busy()), Resource("ben", busy=busy()))
    free = Availability(Diary(days=days, practitioners=people, rooms=()))
    visit = (Stretch(30, True, False),)
    had = Choice(days[3].date, base + 3 * 1440 + 600, "ada", None)
    wanted = [day.date for day in days if rng.random() < 0.8]

    every = [
        (abs(day - had.day), day, person.id != "ada", abs((start - had.start + 720) % 1440 - 720), start, person.id)
        for day in wanted
        for person in people
        for start in free.starts(visit, day, person)
    ]
    expected = []
    for one in sorted(every):
        if one[1] not in [day for day, _start, _who in expected]:
            expected.append((one[1], one[4], one[5]))

    assert [(c.day, c.start, c.practitioner) for c in nearest(free, visit, wanted, had=had)] == expected


# --- Ill tomorrow, from the first press to the last ---------------------------------------------------


def test_ill_tomorrow_every_visit_is_listed_then_planned_again_or_left_and_none_is_lost(world):
    ada = world.practitioners[0]
    visits = [
        book(world, a_visit(world, f"2026-03-03 {hour}:00"), world.a_patient()) for hour in ("09", "11", "13", "15")
    ]
    # Ben is taken at one, and the patient of the last has a session whose window is that one day.
    book(world, a_visit(world, "2026-03-03 13:00", who=1, where=1, pen=1), world.a_patient())
    stuck = in_a_series(world, "2026-02-03 10:00", "2026-03-03 16:30", patient=world.a_patient())[1]
    stuck.session.series.terms_json = stuck.session.series.terms.to_json() | {
        "spacing": {"min": 28, "ideal": None, "max": 28, "unit": "day", "tolerance_days": 0}
    }
    stuck.session.series.save()
    book(world, a_visit(world, "2026-03-03 16:30", who=1, where=1, pen=1), world.a_patient())
    OpeningHours.objects.filter(weekday=1).update(closes="17:45")
    ill = Change(save=(Absence(resource=ada, starts_at=at("2026-03-03"), ends_at=at("2026-03-04"), reason="Ill"),))
    everybody = {visit.pk for visit in (*visits, stuck)}

    with pytest.raises(Unseen) as shown:
        rota.carry_out(ill, seen="", now=NOW)
    consequences = shown.value.consequences
    assert {line.appointment for line in consequences.lines} == everybody
    rota.carry_out(ill, seen=consequences.seen, now=NOW)
    assert {row.key for row in rows(world, "unfit")} == everybody

    done = replanning.replan(keys=everybody, by=world.desk, now=NOW, key=uuid4())

    moved = {one.appointment.pk for one in done.moved}
    left = {one.appointment.pk for one in done.left}
    assert moved | left == everybody
    assert not moved & left
    assert moved >= {visits[0].pk, visits[1].pk}
    assert {row.key for row in rows(world, "unfit")} == left == set(rota_fit.misfits(now=NOW))
    assert all(one.why for one in done.left)
    assert Appointment.objects.filter(pk__in=everybody, status="booked").count() == len(everybody)
    assert all(stretches(visit) for visit in Appointment.objects.filter(pk__in=everybody))
    # Who comes at the same time as before has nothing to be told.
    elsewhen = {one.appointment.pk for one in done.moved if one.appointment.starts_at != one.was}
    told = Message.objects.filter(kind="change")
    assert sorted(message.appointment_id for message in told) == sorted(elsewhen)
    assert elsewhen
    assert all(message.not_before == NOW + outbox.TO_UNDO for message in told)


def test_the_same_press_again_moves_nothing_twice(world):
    visit = book(world, a_visit(world))
    away(world.practitioners[0])
    key = uuid4()
    replanning.replan(keys=[visit.pk], by=world.desk, now=NOW, key=key)
    away(world.practitioners[1])

    again = replanning.replan(keys=[visit.pk], by=world.desk, now=NOW, key=key)

    assert [one.appointment.pk for one in again.moved] == [visit.pk]
    assert Appointment.objects.get(pk=visit.pk).sequence == 1


def test_what_somebody_else_is_at_or_fits_is_left_alone(world):
    held = book(world, a_visit(world))
    fits = book(world, a_visit(world, "2026-03-04 10:00"), world.a_patient())
    away(world.practitioners[0])
    WorklistHold.objects.create(row=f"appointment-{held.pk}", held_by=world.manager, until=NOW + timedelta(minutes=5))

    done = replanning.replan(keys=[held.pk, fits.pk, 0], by=world.desk, now=NOW, key=uuid4())

    assert [(one.appointment.pk, one.why) for one in done.left] == [(held.pk, "manager@example.com is on it.")]
    assert done.moved == []


def test_a_patient_with_two_visits_is_told_once(world):
    for start in ("2026-03-03 10:00", "2026-03-03 14:00"):
        book(world, a_visit(world, start))
    shut(world)
    Message.objects.all().delete()
    replanning.replan(keys=rota_fit.misfits(now=NOW), by=world.desk, now=NOW, key=uuid4())
    waiting = list(Message.objects.select_related("patient", "step", "appointment__site", "maintenance", "series"))

    found = verdicts(waiting, now=NOW + outbox.TO_UNDO)

    [send] = [verdict for verdict in found.values() if isinstance(verdict, Send)]
    assert send.starts == (at("2026-03-04 10:00"), at("2026-03-04 14:00"))
    assert [type(verdict) for verdict in found.values()].count(SaidWith) == 1


# --- The pages --------------------------------------------------------------------------------------


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def of(visit) -> str:
    return reverse("desk:rota-visit", args=[visit.pk])


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_one_press_moves_it_there_and_can_be_undone(desk, world):
    visit = book(world, a_visit(world))
    away(world.practitioners[0])
    page = desk.get(of(visit))
    press = {"pick": page.context["pick"], "key": str(page.context["key"])}

    answer = desk.post(of(visit), press, follow=True)

    assert "Moved: Amal Osei, now Tue 3 Mar 2026, 10:00, Ben, Room 1." in said(answer)
    assert reverse("desk:appointment-undo", args=[visit.pk]) in answer.content.decode()
    desk.post(of(visit), press)
    visit.refresh_from_db()
    assert (visit.practitioner, visit.sequence) == (world.practitioners[1], 1)


def test_a_press_that_would_break_a_window_leads_to_the_page_that_asks(desk, world):
    first, _second = in_a_series(world, "2026-03-10 10:00", "2026-04-07 10:00")
    shut(world, "2026-03-10 00:00", "2026-03-11 00:00")
    page = desk.get(of(first))
    start, rest = page.context["pick"].split(".", 1)
    two_days_later = f"{int(start) + 2 * 1440}.{rest}"

    answer = desk.post(of(first), {"pick": two_days_later, "key": str(uuid4())})

    move = reverse("desk:appointment-move", args=[first.pk])
    assert answer.url.startswith(f"{move}?start=2026-03-11T10%3A00")
    assert Appointment.objects.get(pk=first.pk).sequence == 0


@pytest.mark.parametrize("pick", ["", "x", "1.2.3.4"])
def test_a_press_for_a_time_that_is_not_free_moves_nothing(desk, world, pick):
    visit = book(world, a_visit(world))
    away(world.practitioners[0])

    answer = desk.post(of(visit), {"pick": pick, "key": str(uuid4())}, follow=True)

    assert answer.status_code == 200
    assert Appointment.objects.get(pk=visit.pk).sequence == 0


def test_what_fits_or_has_no_suggestion_says_so(desk, world):
    _first, second = in_a_series(world, "2026-03-03 10:00", "2026-04-01 10:00")
    assert "There is nothing to do" in desk.get(of(second)).content.decode()
    shut(world, "2026-03-31 00:00", "2026-04-15 00:00")

    page = desk.get(of(second)).content.decode()

    assert "the site is closed: Works" in page
    assert "Nothing is free that keeps every session inside its window." in page


def test_the_list_offers_to_plan_all_again_and_the_answer_names_each(desk, world):
    visits = [book(world, a_visit(world, f"2026-03-03 {n}:00"), world.a_patient(f"P{n}")) for n in (10, 12)]
    away(world.practitioners[0])
    page = desk.get("/desk/worklist/", {"tab": "unfit"})
    assert all(f'name="visit" value="{visit.pk}"' in page.content.decode() for visit in visits)
    assert f"{of(visits[0])}?part=1" in page.content.decode()

    answer = desk.post(
        reverse("desk:rota-replan"), {"visit": [visit.pk for visit in visits] + ["x"], "key": str(page.context["key"])}
    )

    assert [str(visit.patient) for visit, *_rest in answer.context["moved"]] == ["P10 Haddad", "P12 Haddad"]
    assert "2 visits moved." in answer.content.decode()
    assert desk.get(reverse("desk:rota-replan")).status_code == 405


def test_the_suggestion_comes_as_a_part_of_the_row(desk, world):
    visit = book(world, a_visit(world))
    away(world.practitioners[0])

    part = desk.get(of(visit), {"part": "1"}).content.decode()

    assert "<main" not in part
    assert "The same time," in part
    assert "Ben" in part


def test_a_visit_that_was_planned_again_can_be_taken_back(desk, world):
    visit = book(world, a_visit(world))
    shut(world)
    replanning.replan(keys=[visit.pk], by=world.desk, now=NOW, key=uuid4())
    Closure.objects.all().delete()

    desk.post(reverse("desk:appointment-undo", args=[visit.pk]))

    assert Appointment.objects.get(pk=visit.pk).starts_at == at("2026-03-03 10:00")
