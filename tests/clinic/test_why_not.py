"""Why a session is not where it should be: a table of causes, and the words on the page."""

from dataclasses import replace
from datetime import date, time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.availability import NEVER, Day, Diary, Resource, Stretch, spans
from clinic.models import Absence, Closure, WorkingHours
from clinic.planning import Wishes
from clinic.services import course, why
from clinic.services.course import Order
from clinic.why_not import Why, why_not
from tests.world import NOW, at

TUESDAY = date(2026, 3, 3)
MIDNIGHT = (TUESDAY.toordinal() - date(1970, 1, 1).toordinal()) * 24 * 60
VISIT = (Stretch(60, practitioner=True, room=True, device_kind="Pen"),)


def hours(*pairs):
    return spans([MIDNIGHT + 60 * start for start, _end in pairs], [MIDNIGHT + 60 * end for _start, end in pairs])


ALL_DAY = hours((9, 17))
ADA = Resource("Ada", working=ALL_DAY)
BEN = Resource("Ben", working=ALL_DAY)


def absent(person):
    return replace(person, busy=ALL_DAY, away=ALL_DAY)


def booked(resource):
    return replace(resource, busy=ALL_DAY)


def off(person):
    return replace(person, working=NEVER)


ROOMS, PENS = (Resource("Room"),), (Resource("Pen 1"),)


def diary(people=(ADA, BEN), rooms=ROOMS, pens=PENS, opening=((540, 1020),), closed="", patient=NEVER):
    day = Day(TUESDAY, tuple((MIDNIGHT + start, MIDNIGHT + end) for start, end in opening), closed=closed)
    devices = {"Pen": tuple(pens)} if pens else {}
    return Diary((day,), tuple(people), tuple(rooms), devices, Resource("patient", patient))


WISH_ADA = Wishes(practitioner="Ada")
EARLY = Wishes(latest_time=9 * 60)


@pytest.mark.parametrize(
    ("known", "wishes", "expected"),
    [
        pytest.param(diary(), Wishes(), Why("series"), id="there was time"),
        pytest.param(diary(), Wishes(weekdays=frozenset({0})), Why("weekday"), id="not a wished weekday"),
        pytest.param(diary(opening=()), Wishes(), Why("shut"), id="never open then"),
        pytest.param(diary(opening=(), closed="Easter"), Wishes(), Why("closure", "Easter"), id="a closure by name"),
        pytest.param(
            diary(opening=((540, 570),), closed="Works"),
            Wishes(),
            Why("closure", "Works"),
            id="closed but half an hour",
        ),
        pytest.param(diary((off(ADA), off(BEN))), Wishes(), Why("off"), id="nobody works"),
        pytest.param(diary(()), Wishes(), Why("off"), id="nobody is there at all"),
        pytest.param(diary((off(ADA), BEN)), WISH_ADA, Why("off", who="Ada"), id="the wished one does not work"),
        pytest.param(diary((absent(ADA), absent(BEN))), Wishes(), Why("away"), id="all are away"),
        pytest.param(diary((absent(ADA), BEN)), WISH_ADA, Why("away", who="Ada"), id="the wished one is away"),
        pytest.param(diary((off(ADA), absent(BEN))), Wishes(), Why("away"), id="who works is away"),
        pytest.param(diary((booked(ADA), booked(BEN))), Wishes(), Why("full"), id="all are booked"),
        pytest.param(diary((booked(ADA), BEN)), WISH_ADA, Why("full", who="Ada"), id="the wished one is booked"),
        pytest.param(diary(patient=ALL_DAY), Wishes(), Why("patient"), id="the patient is elsewhere"),
        pytest.param(diary(pens=()), Wishes(), Why("no_device", "Pen"), id="no such device"),
        pytest.param(diary(pens=(booked(Resource("P")),)), Wishes(), Why("device", "Pen"), id="the device is taken"),
        pytest.param(diary(rooms=(booked(Resource("R")),)), Wishes(), Why("room"), id="the room is taken"),
        pytest.param(
            diary(rooms=(booked(Resource("R")),), pens=(booked(Resource("P")),)),
            Wishes(),
            Why("full"),
            id="more than one",
        ),
        pytest.param(
            diary((replace(ADA, busy=hours((9, 11))),)), EARLY, Why("time"), id="free, but not at the wished time"
        ),
        pytest.param(
            diary((replace(ADA, busy=hours((9, 11))), BEN)),
            replace(EARLY, practitioner="Ada"),
            Why("time", who="Ada"),
            id="the wished one not at that time",
        ),
    ],
)
def test_the_cause(known, wishes, expected):
    assert why_not(known, VISIT, wishes, TUESDAY) == expected


@pytest.mark.parametrize(("day", "cause"), [(date(2026, 3, 2), "past"), (date(2026, 3, 4), "beyond")])
def test_a_day_that_the_diary_does_not_know(day, cause):
    assert why_not(diary(), VISIT, Wishes(), day) == Why(cause)


def test_a_visit_without_practitioner_asks_for_none():
    alone = (Stretch(60, practitioner=False, room=True),)

    assert why_not(diary((off(ADA),)), alone, Wishes(), TUESDAY) == Why("series")
    assert why_not(diary((), rooms=(booked(Resource("R")),)), alone, Wishes(), TUESDAY) == Why("room")


# --- On the page ------------------------------------------------------------------------------


def proposal(world, **wishes):
    """The first session on Tue 3 Mar, so that the second should be on Tue 7 Apr."""
    left = course.new_course(patient=world.patient, choice=world.choice())
    order = Order(site=world.site, first_day=TUESDAY, wishes=Wishes(**wishes))
    first = course.choice_at(course.propose(course=left, order=order, now=NOW), 1, TUESDAY, time(10))
    return course.propose(course=left, order=replace(order, pinned={1: first}), now=NOW)


@pytest.mark.django_db
class TestWords:
    def test_nothing_is_said_of_the_ideal_day(self, world):
        assert [why.words(proposal(world), number) for number in (1, 2, 3)] == ["", "", ""]

    def test_a_closure_is_named(self, world):
        Closure.objects.create(
            site=world.site, starts_at=at("2026-04-07 00:00"), ends_at=at("2026-04-08 00:00"), reason="Founders' Day"
        )

        assert why.words(proposal(world), 2) == "Tue 7 Apr: closed, Founders' Day"

    def test_an_absence_of_the_wished_practitioner_is_named(self, world):
        ada = world.practitioners[0]
        Absence.objects.create(resource=ada, starts_at=at("2026-04-07 00:00"), ends_at=at("2026-04-08 00:00"))

        found = proposal(world, practitioner=ada.pk)

        assert why.words(found, 2) == "Tue 7 Apr: Ada is away"

    def test_a_day_without_a_rota_is_said(self, world):
        WorkingHours.objects.filter(weekday=1).delete()

        assert why.words(planned_on_other_days(world), 2).endswith("nobody who gives this treatment works that day")

    def test_saying_why_asks_the_database_nothing(self, world):
        Closure.objects.create(
            site=world.site, starts_at=at("2026-04-07 00:00"), ends_at=at("2026-04-08 00:00"), reason="Founders' Day"
        )
        found = proposal(world)
        assert found.resources

        with CaptureQueriesContext(connection) as asked:
            [why.words(found, number) for number in (1, 2, 3)]
        assert len(asked) == 0


def planned_on_other_days(world):
    left = course.new_course(patient=world.patient, choice=world.choice())
    with_first = course.propose(course=left, order=Order(site=world.site, first_day=date(2026, 3, 4)), now=NOW)
    first = replace(with_first.plan.sessions[0].choice, day=TUESDAY)
    order = Order(site=world.site, first_day=TUESDAY, pinned={1: first})
    return course.propose(course=left, order=order, now=NOW)
