"""Book a series at the desk: what is asked, what is shown, what is refused, and that nothing typed is lost."""

import re
from datetime import date, time, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.models import Appointment, OpeningHours, WorkingHours
from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import Concern, Override, Protocol, Series
from treatments.services import series as courses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def desk(world, client):
    client.force_login(world.desk)
    return client


def new(world) -> str:
    return reverse("desk:series-new", args=[world.patient.pk])


def filled(world, **values) -> dict:
    answers = {
        "key": str(uuid4()),
        "protocol": world.protocol.pk,
        "site": world.site.pk,
        "first_day": "2026-03-03",
        "spacing_unit": "week",
    }
    return answers | {name: value for name, value in values.items() if value is not None}


def inputs(page: str) -> dict:
    """The values of the page's inputs by name."""
    tags = re.findall(r"<input\b[^>]*>", page)
    attributes = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in tags]
    return {found["name"]: found.get("value", "") for found in attributes if "name" in found}


def posted_back(page: str) -> dict:
    """By which the page remembers its dates, and what stands in the boxes beside them."""
    return {name: value for name, value in inputs(page).items() if re.match(r"(pick|shown|date|time)-\d", name)}


def proposed(desk, world, **values) -> tuple[dict, str]:
    answers = filled(world, **values)
    page = desk.post(new(world), answers | {"propose": "1"}).content.decode()
    return answers | posted_back(page), page


def test_the_form_opens_with_today_and_asks_for_the_protocol_first(desk, world):
    page = desk.get(new(world)).content.decode()

    assert 'value="2 Mar 2026"' in page
    assert "as soon as a protocol is chosen" in page


def test_every_session_is_shown_with_date_window_people_and_place(desk, world):
    _answers, page = proposed(desk, world, weekdays=["1", "3"], earliest_time="15:00", only="on")

    assert "Tue 3 Mar 2026, 15:00" in page
    assert "between Tue 31 Mar and Tue 14 Apr 2026" in page
    assert "Book all 3 sessions" in page
    for name in ("Ada", "Room 1", "Pen 1", "75 minutes each", "Europe/London"):
        assert name in page


def test_all_is_booked_in_one_press(desk, world):
    answers, _page = proposed(desk, world)

    answer = desk.post(new(world), answers | {"book": "1"}, follow=True)

    assert "3 sessions are booked." in answer.content.decode()
    assert Appointment.objects.filter(session__series=Series.objects.get()).count() == 3


def test_a_second_course_of_the_treatment_is_not_begun_unnoticed(desk, world):
    assert "under way already" not in proposed(desk, world)[1]
    series = world.a_series()
    book(world, a_visit(world, session=series.sessions.get(number=1)))

    _answers, page = proposed(desk, world)

    assert "A course of Microneedling is under way already (Acne scars): 0 of 3 sessions are done." in page
    assert f'href="/desk/series/{series.pk}/book/"' in page
    Series.objects.update(state="stopped", stopped_at=NOW, stopped_by=world.desk, stopped_reason="moved")
    assert "under way already" not in proposed(desk, world)[1]


def test_a_press_in_the_middle_of_other_wishes_shows_first_what_they_come_to(desk, world):
    answers, page = proposed(desk, world)
    typed = answers | {"asked": inputs(page)["asked"], "earliest_time": "16", "only": "on", "book": "1"}

    answer = desk.post(new(world), typed)

    assert not Series.objects.exists()
    assert "has changed since these dates were shown" in answer.content.decode()
    shown = answer.content.decode()
    desk.post(new(world), typed | posted_back(shown) | {"asked": inputs(shown)["asked"]})
    assert Series.objects.exists()


def test_a_press_in_the_middle_of_other_wishes_books_where_the_dates_stay_as_shown(desk, world):
    answers, page = proposed(desk, world)
    typed = answers | {"asked": inputs(page)["asked"], "latest_time": "16", "only": "on", "book": "1"}

    desk.post(new(world), typed)

    assert Appointment.objects.filter(patient=world.patient).count() == 3


def test_a_doubled_press_books_once(desk, world):
    answers, _page = proposed(desk, world)

    for _press in range(3):
        assert desk.post(new(world), answers | {"book": "1"}).status_code == 302

    assert Series.objects.count() == 1
    assert Appointment.objects.count() == 3


def test_whoever_was_slower_sees_only_the_lost_session_planned_again(desk, world):
    answers, _page = proposed(desk, world, first_day="2026-03-03")
    visit = a_visit(world, "2026-03-03 09:00")
    rival = booking.book(patient=world.a_patient(), visit=visit, by=world.desk, now=NOW, key=uuid4())

    answer = desk.post(new(world), answers | {"book": "1"})

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "just been taken" in page
    again = posted_back(page)
    assert again["pick-1"] != answers["pick-1"]
    assert (again["pick-2"], again["pick-3"]) == (answers["pick-2"], answers["pick-3"])
    assert list(Appointment.objects.all()) == [rival]
    assert desk.post(new(world), answers | again | {"book": "1"}).status_code == 302


def test_a_date_typed_beside_a_session_is_taken_and_the_later_ones_follow(desk, world):
    answers, _page = proposed(desk, world)

    page = desk.post(
        new(world), answers | {"date-2": "2026-04-13", "time-2": "11:00", "choose": "2:own"}
    ).content.decode()

    assert "Mon 13 Apr 2026, 11:00" in page
    assert "between Mon 11 May and Mon 25 May 2026" in page


def test_a_date_typed_beside_a_session_is_never_lost_whichever_button_is_pressed(desk, world):
    answers, _page = proposed(desk, world)

    answer = desk.post(new(world), answers | {"date-2": "2026-04-13", "time-2": "11:00", "book": "1"})

    assert answer.status_code == 200
    assert "Mon 13 Apr 2026, 11:00" in answer.content.decode()
    assert not Series.objects.exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param({"date-2": "2026-02-30", "time-2": "11:00"}, "a date and a time that exist", id="30 February"),
        pytest.param({"date-2": "", "time-2": "11:00"}, "a date and a time that exist", id="no date"),
        pytest.param({"date-2": "2026-04-13", "time-2": "25:00"}, "a date and a time that exist", id="25 o'clock"),
        pytest.param({"date-2": "2026-04-12", "time-2": "11:00"}, "Nothing is free then", id="a Sunday"),
        pytest.param({"date-2": "2029-04-12", "time-2": "11:00"}, "does not reach", id="years ahead"),
        pytest.param({"date-2": "2026-03-29", "time-2": "01:30"}, "does not exist", id="skipped by the clocks"),
    ],
)
def test_a_typed_time_that_cannot_be_is_refused_in_words(desk, world, typed, words):
    answers, _page = proposed(desk, world)

    page = desk.post(new(world), answers | typed | {"choose": "2:own"}).content.decode()

    assert "Session 2:" in page
    assert words in page
    assert "Book all 3 sessions" in page
    kept = posted_back(page)
    assert {name: kept[name] for name in typed} == typed
    # Pressed once more, what is shown is booked: the refused time stays in its boxes and stands in nobody's way.
    assert desk.post(new(world), answers | kept | {"book": "1"}).status_code == 302


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        pytest.param({"date-2": "+6w", "time-2": "9.30"}, "Mon 13 Apr 2026, 09:30", id="in six weeks"),
        pytest.param({"date-2": "13 apr", "time-2": "930"}, "Mon 13 Apr 2026, 09:30", id="a day of a month"),
        pytest.param({"date-2": "13.4.", "time-2": "2pm"}, "Mon 13 Apr 2026, 14:00", id="in figures"),
    ],
)
def test_a_date_beside_a_session_may_be_typed_in_words(desk, world, typed, shown):
    answers, _page = proposed(desk, world)

    page = desk.post(new(world), answers | typed | {"choose": "2:own"}).content.decode()

    assert shown in page
    assert (posted_back(page)["date-2"], posted_back(page)["time-2"]) == ("13 Apr 2026", shown[-5:])


def test_what_the_patient_wishes_may_be_typed_in_words(desk, world):
    _answers, page = proposed(desk, world, first_day="+1w", earliest_time="2pm", latest_time="15.30", only="on")

    assert re.search(r"Mon 9 Mar 2026, 1[45]:", page)
    assert 'value="+1w"' in page


def test_the_desk_is_told_of_a_time_that_the_clocks_show_twice(desk, world):
    """A clinic that works at night: on 25 October 2026 the clocks go back from two to one."""
    OpeningHours.objects.create(site=world.site, weekday=6, opens=time(0), closes=time(6))
    for practitioner in world.practitioners:
        WorkingHours.objects.create(resource=practitioner, site=world.site, weekday=6, starts=time(0), ends=time(6))
    with time_machine.travel(at("2026-10-20 09:00"), tick=False):
        desk.force_login(world.desk)
        answers, page = proposed(desk, world, first_day="2026-10-20")
        typed = {"date-1": "25 oct", "time-1": "1.30", "choose": "1:own"}

        page = desk.post(new(world), answers | typed).content.decode()

    assert "Sun 25 Oct 2026, 01:30" in page
    assert "so 01:30 comes twice. This is the first of the two." in page
    assert "comes twice" not in proposed(desk, world)[1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"first_day": "2026-02-30"}, "Enter a day, such as 3 mar", id="30 February"),
        pytest.param({"first_day": "2026-01-05"}, "This day has passed", id="yesterday's"),
        pytest.param({"first_day": "2031-01-05"}, "The diary is planned to", id="beyond the diary"),
        pytest.param({"first_day": "99999-01-01"}, "Enter a day, such as 3 mar", id="year 99999"),
        pytest.param({"earliest_time": "17:00", "latest_time": "9:00"}, "before the earliest time", id="times swapped"),
        pytest.param({"earliest_time": "tea"}, "Enter a time, such as 9.30", id="not a time"),
        pytest.param({"weekdays": ["8"]}, "not one of the available choices", id="an eighth day"),
        pytest.param({"practitioner": "999999"}, "Does not give this treatment", id="nobody's key"),
        pytest.param({"site": "999999"}, "Select a valid choice", id="no such site"),
        pytest.param({"protocol": "999999"}, "Select a valid choice", id="no such protocol"),
        pytest.param({"protocol": "1; DROP TABLE"}, "Select a valid choice", id="not a key"),
        pytest.param({"count": "0"}, "greater than or equal to 1", id="no session"),
        pytest.param({"count": "9"}, "Note who decided it", id="not the protocol's number"),
        pytest.param({"depth_mm": "NaN"}, "Enter a number", id="not a depth"),
    ],
)
def test_what_cannot_be_is_refused_at_the_field_and_kept(desk, world, values, words):
    answer = desk.post(new(world), filled(world, **values) | {"propose": "1"})

    page = answer.content.decode()
    assert answer.status_code == 200
    assert words in page
    for value in values.values():
        if isinstance(value, str) and value.isascii() and ";" not in value and not value.startswith("9999"):
            assert value in page
    assert not Series.objects.exists()


def test_what_the_protocol_leaves_open_is_asked_and_booked_as_decided(desk, world):
    Protocol.objects.update(
        session_kind="unknown",
        session_min=None,
        session_max=None,
        spacing_min=None,
        spacing_ideal=None,
        spacing_max=None,
        spacing_unit="",
    )
    _answers, page = proposed(desk, world)
    assert "does not say how many sessions" in page
    assert 'name="spacing_min"' in page

    answers, page = proposed(desk, world, count="2", spacing_min="3", spacing_max="4", decision_note="Dr Bello")
    desk.post(new(world), answers | {"book": "1"})

    series = Series.objects.get()
    assert series.sessions.count() == 2
    assert (series.terms.spacing.min, series.terms.spacing.max, series.terms.spacing.unit) == (3, 4, "week")
    assert series.decision_note == "Dr Bello"


def test_only_what_the_protocol_asks_is_asked(desk, world):
    _answers, page = proposed(desk, world)
    assert 'name="concern"' in page
    assert 'name="severity"' not in page
    assert 'name="depth_mm"' not in page

    override = Override.objects.create(
        protocol=world.protocol,
        name="Deep",
        depth_min_mm=2,
        replaces=["sessions"],
        session_kind="fixed",
        session_min=2,
        session_max=2,
    )
    _answers, page = proposed(desk, world, depth_mm="2.5")

    assert 'name="depth_mm"' in page
    assert "Book all 2 sessions" in page
    assert override.names_depth


def test_overrides_that_contradict_each_other_are_told_by_name(desk, world):
    concern = Concern.objects.get()
    for name in ("First", "Second"):
        Override.objects.create(protocol=world.protocol, name=name).concerns.add(concern)

    _answers, page = proposed(desk, world, concern=concern.pk)

    assert "First | Second" in page


def test_what_cannot_be_placed_is_shown_and_stays_to_be_booked(desk, world):
    from clinic.models import Closure

    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-20 00:00"), ends_at=at("2026-05-01 00:00"), reason="Works"
    )
    answers, page = proposed(desk, world)
    assert "nothing is free in this window" in page
    assert "Book all 2 sessions" in page

    page = desk.post(new(world), answers | {"book": "1"}, follow=True).content.decode()

    assert "2 sessions are booked. 1 stays to be booked." in page


def test_a_session_outside_its_window_needs_the_right_and_a_reason(desk, world, client):
    answers, page = proposed(desk, world)
    answers |= {"date-2": "2026-06-01", "time-2": "11:00", "choose": "2:own"}
    page = desk.post(new(world), answers).content.decode()
    assert "Only somebody with the right" in page
    booked = filled(world) | posted_back(page) | {"book": "1", "key": str(uuid4())}
    assert desk.post(new(world), booked).status_code == 422

    client.force_login(world.manager)
    assert "Note the reason" in client.post(new(world), booked).content.decode()
    assert client.post(new(world), booked | {"outside_reason": "abroad"}).status_code == 302

    assert Appointment.objects.get(session__number=2).outside_window_reason == "abroad"


def test_what_is_left_of_a_series_is_offered_and_booked(desk, world):
    series = world.a_series()
    courses.attend(session=series.sessions.first(), on=date(2026, 2, 2), by=world.desk, now=NOW)
    url = reverse("desk:series-book", args=[series.pk])

    page = desk.get(url).content.decode()
    assert "between Mon 2 Mar and Mon 16 Mar 2026" in page
    answers = filled(world) | posted_back(page)
    assert desk.post(url, answers | {"book": "1"}).status_code == 302

    assert Appointment.objects.count() == 2
    answer = desk.get(url, follow=True)
    assert "Book all" not in answer.content.decode()


def test_nothing_left_to_book_is_said_on_the_patients_page(desk, world):
    series = world.a_series()
    for session in series.sessions.all():
        courses.attend(
            session=session, on=date(2025, 9, 1) + timedelta(weeks=5 * session.number), by=world.desk, now=NOW
        )

    answer = desk.get(reverse("desk:series-book", args=[series.pk]), follow=True)

    assert "Nothing is left to book" in answer.content.decode()


@pytest.mark.parametrize("role", ["anonymous", "patient"])
def test_the_desk_is_not_for_everybody(client, world, role, django_user_model):
    if role == "patient":
        client.force_login(django_user_model.objects.create_user("someone"))

    assert client.get(new(world)).status_code == (302 if role == "anonymous" else 404)


@pytest.mark.parametrize("key", [0, 999_999, 10**17])
def test_a_patient_or_series_that_does_not_exist_is_not_found(desk, world, key):
    assert desk.get(reverse("desk:series-new", args=[key])).status_code == 404
    assert desk.get(reverse("desk:series-book", args=[key])).status_code == 404


HOSTILE = [
    pytest.param("\x00", id="NUL"),
    pytest.param("9" * 400, id="a huge number"),
    pytest.param("-1", id="a negative number"),
    pytest.param("=HYPERLINK(1)", id="a formula"),
    pytest.param("’" * 300, id="very long"),
    pytest.param("\ud800", id="half a character"),
]
FIELDS = [
    "key",
    "protocol",
    "concern",
    "severity",
    "area",
    "depth_mm",
    "count",
    "spacing_min",
    "spacing_unit",
    "site",
    "first_day",
    "practitioner",
    "weekdays",
    "earliest_time",
    "pick-1",
    "pinned",
    "choose",
    "date-1",
    "shown-1",
    "decision_note",
    "outside_reason",
    "tolerance_days",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_input_gets_an_answer(desk, world, text):
    answers, _page = proposed(desk, world)
    for field in FIELDS:
        body = urlencode(answers | {field: text, "book": "1"}, errors="surrogatepass")

        answer = desk.post(new(world), body, content_type="application/x-www-form-urlencoded")

        assert answer.status_code in (200, 302, 409, 422)


def count_queries(work) -> int:
    with CaptureQueriesContext(connection) as queries:
        work()
    return len(queries)


def test_the_page_asks_the_same_number_of_queries_for_two_sessions_and_for_twelve(desk, world):
    counts = set()
    for sessions in (2, 12):
        Protocol.objects.update(session_min=sessions, session_max=sessions)
        answers = filled(world) | {"propose": "1"}
        counts.add(count_queries(lambda answers=answers: desk.post(new(world), answers)))

    assert len(counts) == 1
    assert counts.pop() <= 40
