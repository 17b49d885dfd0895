"""The diary's page and its feed: what they say, to whom, at which cost."""

import json
import time
from datetime import date, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import Absence, Appointment, Closure, OpeningHours, Resource, Site, WorkingHours
from clinic.services import booking, screening
from patients.models import Patient
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import ScreeningQuestion, Session, Treatment

pytestmark = pytest.mark.django_db

PAGE, FEED = "/desk/diary/", "/desk/diary/feed/"


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(at("2026-03-03 10:40"), tick=False):
        yield client


def told(desk, **query) -> dict:
    response = desk.get(FEED, query)
    assert response.status_code == 200
    return response.json()


def shades(diary: dict, column: Resource) -> list[tuple[str, str, str, str]]:
    found = [shade for shade in diary["shades"] if shade["column"] == column.pk]
    return [(shade["kind"], shade["start"][11:16], shade["end"][11:16], shade["reason"]) for shade in found]


# --- What a visit says ------------------------------------------------------------------------------


def test_a_visit_says_who_what_when_and_in_which_phases(desk, world):
    session = world.a_series().sessions.get(number=2)
    booked = book(world, a_visit(world, session=session))

    diary = told(desk)

    (visit,) = diary["visits"]
    ada, room = world.practitioners[0], world.rooms[0]
    assert visit["id"] == booked.pk
    assert (visit["column"], visit["practitioner"], visit["room"]) == (ada.pk, "Ada", room.name)
    assert (visit["patient"], visit["treatment"], visit["which"]) == ("Amal Osei", "Microneedling", "2 of 3")
    assert (visit["status"], visit["movable"], visit["missing"]) == ("booked", True, [])
    assert [(part["kind"], part["minutes"]) for part in visit["parts"]] == [("numbing", 30), ("work", 45)]


def test_times_are_the_sites_wall_clock_without_an_offset(desk, world):
    book(world, a_visit(world, "2026-07-07 10:00"))

    diary = told(desk, day="2026-07-07")

    assert (diary["visits"][0]["start"], diary["visits"][0]["end"]) == ("2026-07-07T10:00:00", "2026-07-07T11:15:00")
    assert diary["now"] == "2026-03-03T10:40:00"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"patient": {"email": "", "phone": ""}}, ["no phone or e-mail"], id="no way to reach them"),
        pytest.param({"visit": {"room": None}}, ["no room"], id="no room"),
        pytest.param({"visit": {"practitioner": None}}, ["no practitioner"], id="nobody to treat them"),
    ],
)
def test_a_visit_says_what_is_missing(desk, world, change, missing):
    booked = book(world, a_visit(world))
    Patient.objects.filter(pk=world.patient.pk).update(**change.get("patient", {"phone": ""}))
    Appointment.objects.filter(pk=booked.pk).update(**change.get("visit", {"sequence": 1}))

    assert told(desk)["visits"][0]["missing"] == missing


def test_a_visit_says_that_answers_are_missing_and_the_answers_are_told(desk, world):
    ScreeningQuestion.objects.create(protocol=world.protocol, text="Are you pregnant?", effect="stop", position=1)
    visit = book(world, a_visit(world, session=world.a_series().sessions.get(number=1)))
    diary = told(desk)
    assert diary["visits"][0]["missing"] == ["screening missing"]

    screening.answer(visit=visit, said={"Are you pregnant?": (True, "")}, by=world.desk, now=NOW)

    assert not unchanged(desk, diary["token"])
    assert told(desk)["visits"][0]["missing"] == [screening.flag_words("stop")]


def test_a_cancelled_visit_holds_no_place_in_the_diary(desk, world):
    visit = book(world, a_visit(world))
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    assert told(desk)["visits"] == []


def test_only_what_is_booked_and_not_over_can_be_dragged(desk, world):
    over, ahead = (
        book(world, a_visit(world, "2026-03-03 09:00")),
        book(world, a_visit(world, "2026-03-03 15:00"), world.a_patient()),
    )
    here = book(world, a_visit(world, "2026-03-03 12:00"), world.a_patient())
    booking.arrive(appointment=here, by=world.desk, now=NOW + timedelta(days=1))

    movable = {visit["id"]: visit["movable"] for visit in told(desk)["visits"]}

    assert movable == {over.pk: False, ahead.pk: True, here.pk: False}


# --- Columns and shading ------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "names"), [("practitioner", ["Ada", "Ben"]), ("room", ["Room 1", "Room 2"])])
def test_columns_are_the_people_or_the_rooms_of_the_site(desk, world, by, names):
    Resource.objects.create(kind="practitioner", name="Gone", site=world.site, active=False)
    elsewhere = Site.objects.create(name="Other place", short_name="E", time_zone="Europe/London")
    Resource.objects.create(kind="room", name="Far away", site=elsewhere)

    assert [column["name"] for column in told(desk, by=by)["columns"]] == names


def test_who_works_here_for_a_while_has_a_column_then(desk, world):
    elsewhere = Site.objects.create(name="Other place", short_name="E", time_zone="Europe/London")
    guest = Resource.objects.create(kind="practitioner", name="Guest", site=elsewhere)
    day = date(2026, 3, 5)
    hours = {"weekday": 3, "starts": "09:00", "ends": "12:00", "valid_from": day, "valid_until": day}
    WorkingHours.objects.create(resource=guest, site=world.site, **hours)

    def names(day):
        return [column["name"] for column in told(desk, day=day)["columns"]]

    assert "Guest" in names("2026-03-05")
    assert "Guest" not in names("2026-03-12")


def test_who_has_no_hours_on_a_day_takes_no_column_of_it_but_for_a_visit(desk, world):
    _ada, ben = world.practitioners
    WorkingHours.objects.filter(resource=ben, weekday=1).delete()

    def names(day):
        return [column["name"] for column in told(desk, day=day)["columns"]]

    assert names("2026-03-03") == ["Ada"]
    book(world, a_visit(world, "2026-03-03 10:00", who=1, where=1, pen=1))
    assert names("2026-03-03") == ["Ada", "Ben"]
    # On a Sunday nobody works, and the site is still the site.
    assert names("2026-03-08") == ["Ada", "Ben"]


def test_a_visit_without_a_practitioner_has_its_own_column(desk, world):
    booked = book(world, a_visit(world))
    Appointment.objects.filter(pk=booked.pk).update(practitioner=None)

    diary = told(desk)

    assert diary["columns"][-1] == {"id": 0, "name": "No practitioner"}
    assert diary["visits"][0]["column"] == 0


def test_what_is_outside_working_hours_is_shaded(desk, world):
    ada = world.practitioners[0]
    WorkingHours.objects.filter(resource=ada, weekday=1).update(ends="12:00")
    WorkingHours.objects.create(resource=ada, site=world.site, weekday=1, starts="13:00", ends="16:00")

    assert shades(told(desk), ada) == [
        ("off", "00:00", "09:00", ""),
        ("off", "12:00", "13:00", ""),
        ("off", "16:00", "00:00", ""),
    ]


def test_a_room_is_shaded_outside_opening_hours(desk, world):
    assert shades(told(desk, by="room"), world.rooms[0]) == [
        ("off", "00:00", "09:00", ""),
        ("off", "18:00", "00:00", ""),
    ]


def test_absences_and_closures_are_shaded_with_their_reasons(desk, world):
    ada, ben = world.practitioners
    Absence.objects.create(
        resource=ada, starts_at=at("2026-03-02 12:00"), ends_at=at("2026-03-03 11:00"), reason="Leave"
    )
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-03 16:00"), ends_at=at("2026-03-04 00:00"), reason="Works"
    )

    diary = told(desk)

    assert ("absent", "00:00", "11:00", "Leave") in shades(diary, ada)
    assert ("closed", "16:00", "00:00", "Works") in shades(diary, ben)
    assert not any(kind == "absent" for kind, *_rest in shades(diary, ben))


# --- Days ------------------------------------------------------------------------------------------------


def test_a_week_is_monday_to_sunday_without_days_that_hold_nothing(desk, world):
    diary = told(desk, view="week", day="2026-03-05")

    assert (diary["days"][0], diary["days"][-1]) == ("2026-03-02", "2026-03-06")


def test_a_visit_on_a_closed_day_brings_the_day_back(desk, world):
    OpeningHours.objects.create(site=world.site, weekday=5, opens="09:00", closes="18:00")
    WorkingHours.objects.create(
        resource=world.practitioners[0], site=world.site, weekday=5, starts="09:00", ends="18:00"
    )
    book(world, a_visit(world, "2026-03-07 10:00"))
    OpeningHours.objects.filter(weekday=5).delete()

    assert told(desk, view="week")["days"][-1] == "2026-03-07"


def test_the_hours_shown_hold_everything(desk, world):
    booked = book(world, a_visit(world, "2026-03-03 16:45"))
    Appointment.objects.filter(pk=booked.pk).update(ends_at=at("2026-03-03 18:20"))

    diary = told(desk)

    assert (diary["opens"], diary["closes"]) == (9, 19)


@pytest.mark.parametrize(
    ("asked", "day"), [("+2w", "2026-03-17"), ("3 apr", "2026-04-03"), ("t", "2026-03-03"), ("soon", "2026-03-03")]
)
def test_the_date_box_understands_words(desk, asked, day):
    response = desk.get(PAGE, {"day": asked})

    assert response.context["wanted"].day.isoformat() == day
    assert bool(response.context["wanted"].complaint) == (asked == "soon")


def test_the_chosen_view_is_remembered(desk):
    desk.get(PAGE, {"view": "week", "by": "room"})

    wanted = desk.get(PAGE).context["wanted"]

    assert (wanted.view, wanted.by) == ("week", "room")


@pytest.mark.parametrize("query", [{"view": "year"}, {"by": "device"}, {"only": "x"}, {"only": "٣"}, {"day": "\x00"}])
def test_what_makes_no_sense_is_passed_over(desk, query):
    assert desk.get(PAGE, query).status_code == 200
    assert desk.get(FEED, query).status_code == 200


# --- The page itself ----------------------------------------------------------------------------------------


def test_the_same_stands_in_the_page_as_a_list(desk, world):
    booked = book(world, a_visit(world, session=world.a_series().sessions.get(number=1)))

    page = desk.get(PAGE).content.decode()
    rows = page[page.index('class="diary-list"') :]

    assert f'href="/desk/appointments/{booked.pk}/"' in rows
    for words in ("Ada", "10:00", "Amal Osei", "Microneedling", "1 of 3", "Room 1", "Booked"):
        assert words in rows


def test_a_name_cannot_break_out_of_the_page(desk, world):
    book(world, a_visit(world), world.a_patient("</script><b>Bold"))

    page = desk.get(PAGE).content.decode()

    assert "<b>Bold" not in page


def test_without_a_site_the_page_says_what_to_do(desk):
    Site.objects.update(active=False)

    assert "There is no site yet" in desk.get(PAGE).content.decode()
    assert desk.get(FEED).status_code == 404


@pytest.mark.parametrize("path", [PAGE, FEED])
def test_only_staff_see_it(client, world, path):
    assert client.get(path).status_code == 302
    client.force_login(User.objects.create_user("patient", "p@example.com"))
    assert client.get(path).status_code == 404


# --- What it costs, and what others change ---------------------------------------------------------------------


def token(desk, **query) -> str:
    return told(desk, **query)["token"]


def unchanged(desk, held: str, **query) -> bool:
    response = desk.get(FEED, {"token": held, **query})
    assert response.status_code in (200, 204)
    assert (response.content == b"") == (response.status_code == 204)
    return response.status_code == 204


def change_status(world, visit):
    booking.arrive(appointment=visit, by=world.desk, now=NOW + timedelta(days=1))


def cancel(world, visit):
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)


def book_another(world, _visit):
    book(world, a_visit(world, "2026-03-03 15:00"), world.a_patient())


def take_leave(world, _visit):
    Absence.objects.create(
        resource=world.practitioners[1], starts_at=at("2026-03-03 09:00"), ends_at=at("2026-03-03 18:00")
    )


def close(world, _visit):
    Closure.objects.create(site=world.site, starts_at=at("2026-03-03 12:00"), ends_at=at("2026-03-03 13:00"))


def work_less(world, _visit):
    WorkingHours.objects.filter(resource=world.practitioners[1], weekday=1).update(ends="12:00")


def open_less(world, _visit):
    OpeningHours.objects.filter(weekday=1).delete()


def rename_patient(world, visit):
    Patient.objects.filter(pk=visit.patient_id).update(given_name="Amala")


def rename_room(world, _visit):
    Resource.objects.filter(pk=world.rooms[0].pk).update(name="Blue room")


def rename_treatment(_world, visit):
    Treatment.objects.filter(pk=visit.treatment_id).update(name="Needling")


def add_a_session(_world, visit):
    Session.objects.create(series=visit.session.series, number=4, add_ons=[])


@pytest.mark.parametrize(
    "change",
    [
        change_status,
        cancel,
        book_another,
        take_leave,
        close,
        work_less,
        open_less,
        rename_patient,
        rename_room,
        rename_treatment,
        add_a_session,
    ],
)
def test_any_change_of_what_is_shown_is_told(desk, world, change):
    visit = book(world, a_visit(world, session=world.a_series().sessions.get(number=1)))
    held = token(desk)
    assert unchanged(desk, held)

    change(world, visit)

    assert not unchanged(desk, held)


def test_a_change_of_another_day_is_not_told(desk, world):
    held = token(desk)

    book(world, a_visit(world, "2026-03-04 10:00"))

    assert unchanged(desk, held)
    assert not unchanged(desk, token(desk, day="2026-03-05"), day="2026-03-04")


def a_full_week(world, people: int, visits: int, *, of_courses: bool = False) -> None:
    """Visits straight into the table: here only their number counts, and with `of_courses` what is known of each."""
    practitioners = [
        Resource.objects.create(kind="practitioner", name=f"P{people}{n}", site=world.site) for n in range(people)
    ]
    WorkingHours.objects.bulk_create(
        WorkingHours(resource=person, site=world.site, weekday=day, starts="09:00", ends="18:00")
        for person in practitioners
        for day in range(5)
    )
    phases = [
        {"name": "Numbing", "room": True, "minutes": 30, "numbing": True, "device_kind": None, "practitioner": False},
        {"name": "Needling", "room": True, "minutes": 30, "numbing": False, "device_kind": None, "practitioner": True},
    ]
    for person in practitioners:
        for day in range(5):
            for n in range(visits):
                start = at(f"2026-03-0{2 + day} {9 + n:02}:00")
                patient = world.a_patient(f"V{world.made}")
                Appointment.objects.create(
                    patient=patient,
                    session=world.a_series(patient).sessions.get(number=1) if of_courses else None,
                    site=world.site,
                    treatment=world.treatment,
                    practitioner=person,
                    room=world.rooms[0],
                    starts_at=start,
                    ends_at=start + timedelta(hours=1),
                    phases=phases,
                    status_at=NOW,
                    status_by=world.desk,
                    booked_at=NOW,
                    booked_by=world.desk,
                )


@pytest.mark.parametrize("path", [PAGE, FEED])
def test_the_number_of_queries_does_not_grow_with_the_week(desk, world, path):
    """One practitioner with a visit a day, then ten more with three visits a day each, all of courses."""
    query = {"view": "week"}

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(path, query).status_code == 200
        return len(queries)

    ScreeningQuestion.objects.create(protocol=world.protocol, text="Are you pregnant?", effect="stop", position=1)
    a_full_week(world, people=1, visits=1, of_courses=True)
    desk.get(path, query)
    few = cost()
    a_full_week(world, people=10, visits=3, of_courses=True)

    assert cost() == few
    assert few <= 20


def test_while_nothing_changes_one_query_looks_at_the_diary(desk, world):
    book(world, a_visit(world))
    held = token(desk)

    with CaptureQueriesContext(connection) as queries:
        assert unchanged(desk, held)

    looked = [query["sql"] for query in queries if "clinic_appointment" in query["sql"]]
    assert len(looked) == 1
    assert "md5" in looked[0]


def test_a_week_of_ten_practitioners_is_quick(desk, world):
    """Counted is the processor's time, which is the page's own also on a machine that is busy with other tests."""
    a_full_week(world, people=10, visits=8)
    desk.get(PAGE, {"view": "week"})

    taken = []
    for _again in range(3):
        begun = time.process_time()
        response = desk.get(PAGE, {"view": "week"})
        taken.append(time.process_time() - begun)

    values = (
        response.content.decode().split('<script id="diary-data" type="application/json">')[1].split("</script>")[0]
    )
    assert len(json.loads(values)["visits"]) == 400
    print(f"a week of 400 visits: {min(taken) * 1000:.0f} ms")
    assert min(taken) < 0.3
