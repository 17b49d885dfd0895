"""Least days to other treatments: planning does not keep them, and the desk is told where they are not kept."""

from datetime import date, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from clinic.models import Appointment
from clinic.nearest_other import Other, TooNear, too_near
from clinic.services import booking, other_treatments
from clinic.services import course as courses
from tests.clinic import test_ripple
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_desk_move import ask, typed
from tests.clinic.test_ripple import visit
from tests.world import NOW
from treatments.models import Series, Treatment

series = test_ripple.series
DAY = date(2026, 3, 12)


def facial(day: date) -> Other:
    return Other(day, "Hydrafacial")


@pytest.mark.parametrize(
    ("others", "least", "expected"),
    [
        pytest.param([], 14, None, id="no other visit"),
        pytest.param([facial(date(2026, 3, 3))], None, None, id="nobody said that they must wait"),
        pytest.param([facial(date(2026, 3, 3))], 9, None, id="as far as is asked for"),
        pytest.param([facial(date(2026, 3, 3))], 10, TooNear(facial(date(2026, 3, 3)), 9), id="a day too near"),
        pytest.param([facial(date(2026, 3, 21))], 10, TooNear(facial(date(2026, 3, 21)), -9), id="too near after it"),
        pytest.param([facial(DAY)], 1, TooNear(facial(DAY), 0), id="on the same day"),
        pytest.param(
            [facial(date(2026, 3, 3)), facial(date(2026, 3, 15))],
            14,
            TooNear(facial(date(2026, 3, 15)), -3),
            id="the nearest of two",
        ),
    ],
)
def test_what_is_too_near(others, least, expected):
    assert too_near(DAY, others, least=least) == expected


@given(
    offsets=st.lists(st.integers(-40, 40), max_size=6),
    least=st.one_of(st.none(), st.integers(1, 30)),
)
def test_it_is_the_first_that_is_met_when_walking_away_from_the_day(offsets, least):
    visits = {DAY + timedelta(days=offset): facial(DAY + timedelta(days=offset)) for offset in offsets}
    met = None
    for steps in range(least or 0):
        met = met or visits.get(DAY - timedelta(days=steps)) or visits.get(DAY + timedelta(days=steps))

    found = too_near(DAY, visits.values(), least=least)

    assert (found and found.other) == met


@pytest.fixture
def waits(world, series) -> Series:
    """The course of three, 3 Mar, 7 Apr and 12 May, which asks for 14 days to other treatments."""
    Series.objects.update(terms_json=series.terms_json | {"other_treatments_days": 14})
    return Series.objects.get()


def a_facial(world, day: str, **values) -> Appointment:
    hydrafacial = Treatment.objects.get_or_create(name="Hydrafacial")[0]
    booked = book(world, a_visit(world, f"{day} 15:00"), **values)
    Appointment.objects.filter(pk=booked.pk).update(treatment=hydrafacial)
    return Appointment.objects.get(pk=booked.pk)


def said(series: Series) -> dict[int, str]:
    left = courses.left_of(series)
    return other_treatments.warnings(left, {n: choice.day for n, choice in left.booked.items()})


@pytest.mark.django_db
class TestSaid:
    @pytest.mark.parametrize(
        ("day", "number", "words"),
        [
            pytest.param("2026-03-12", 1, "9 days before Hydrafacial on Thu 12 Mar 2026", id="before it"),
            pytest.param("2026-03-27", 2, "11 days after Hydrafacial on Fri 27 Mar 2026", id="after it"),
            pytest.param("2026-05-11", 3, "1 day after Hydrafacial on Mon 11 May 2026", id="the day after it"),
            pytest.param("2026-05-12", 3, "On the same day as Hydrafacial", id="on its day"),
        ],
    )
    def test_which_one_is_too_near_and_what_is_asked_for(self, world, waits, day, number, words):
        a_facial(world, day)

        assert said(waits) == {number: f"{words}; the protocol asks for 14 to other treatments"}

    def test_only_other_treatments_of_the_same_patient_that_take_place_count(self, world, waits):
        book(world, a_visit(world, "2026-03-12 15:00", pen=1))
        a_facial(world, "2026-04-09", patient=world.a_patient())
        booking.cancel(appointment=a_facial(world, "2026-05-13"), reason="ill", by=world.desk, now=NOW)

        assert said(waits) == {}

    def test_it_is_read_once_and_not_at_all_where_nobody_asks_for_it(self, world, waits, django_assert_num_queries):
        left = courses.left_of(waits)
        days = {n: choice.day for n, choice in left.booked.items()}
        with django_assert_num_queries(1):
            other_treatments.warnings(left, days)
        Series.objects.update(terms_json=waits.terms_json | {"other_treatments_days": None})
        left = courses.left_of(Series.objects.get())
        with django_assert_num_queries(0):
            assert other_treatments.warnings(left, days) == {}

    def test_the_move_page_says_it_of_the_new_time(self, world, waits, client):
        a_facial(world, "2026-03-31")
        client.force_login(world.desk)
        with time_machine.travel(NOW, tick=False):
            page = ask(client, 2, **typed("2026-04-09 10:00"))

        words = "9 days after Hydrafacial on Tue 31 Mar 2026; the protocol asks for 14 to other treatments"
        assert {row.number: row.near for row in page.context["rows"]} == {2: words, 3: ""}
        assert words in page.content.decode()

    def test_the_proposal_says_it_and_books_all_the_same(self, world, waits, client):
        booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
        a_facial(world, "2026-05-12")
        client.force_login(world.desk)
        with time_machine.travel(NOW, tick=False):
            page = client.get(f"/desk/series/{waits.pk}/book/")

        third = next(row for row in page.context["rows"] if row.number == 3)
        assert third.near == "On the same day as Hydrafacial; the protocol asks for 14 to other treatments"
        assert third.near in page.content.decode()
