"""The day at the desk: who comes when, what can be recorded of it, and why nobody does."""

from datetime import date, datetime

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.urls import reverse

from clinic.models import Appointment, Closure, OpeningHours, Resource, Site
from clinic.services import booking
from clinic.views.desk_day import opening_notes, possible_actions
from tests.clinic.test_booking import a_visit, book
from tests.world import LONDON, NOW, at

pytestmark = pytest.mark.django_db

HOME = "/desk/"
DAY = date(2026, 3, 3)


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(at("2026-03-03 10:40"), tick=False):
        yield client


def names(response) -> list[str]:
    return [row.patient for row in response.context["rows"]]


def test_the_page_lists_the_visits_of_today_in_order_of_time(desk, world):
    book(world, a_visit(world, "2026-03-03 15:00"), world.a_patient("Late"))
    book(world, a_visit(world, "2026-03-03 10:00"), world.a_patient("Early"))
    book(world, a_visit(world, "2026-03-04 10:00"), world.a_patient("Tomorrow"))

    response = desk.get(HOME)

    assert names(response) == ["Early Haddad", "Late Haddad"]
    page = response.content.decode()
    assert page.index("Early") < page.index("Now, 10:40") < page.index("Late")
    assert "2 visits" in page


def test_a_visit_says_when_what_with_whom_and_where(desk, world):
    session = world.a_series().sessions.get(number=2)
    book(world, a_visit(world, session=session))

    row = desk.get(HOME).context["rows"][0]

    assert (f"{row.starts:%H:%M}", f"{row.ends:%H:%M}") == ("10:00", "11:15")
    assert (row.treatment, row.session_number, row.sessions) == ("Microneedling", 2, 3)
    assert (row.practitioner, row.room) == ("Ada", "Room 1")


def test_a_day_lasts_from_midnight_to_midnight_of_the_site(desk, world):
    Site.objects.update(time_zone="Pacific/Auckland")
    world.site.refresh_from_db()
    auckland = world.site.time_zone
    for clock, name in (("2026-03-03 00:00", "First"), ("2026-03-03 22:45", "Last"), ("2026-03-04 00:00", "After")):
        visit = a_visit(world)
        Appointment.objects.filter(pk=book(world, visit, world.a_patient(name)).pk).update(
            starts_at=at(clock, auckland), ends_at=at(clock[:11] + "23:59", auckland)
        )
        # The diary's own rules are tried elsewhere; here only the day counts.
        Appointment.objects.latest("pk").claims.all().delete()

    assert names(desk.get(HOME, {"day": "2026-03-03"})) == ["First Haddad", "Last Haddad"]


def test_a_cancelled_visit_stays_in_sight_with_the_way_to_book_it_again(desk, world):
    series = world.a_series()
    visit = book(world, a_visit(world, session=series.sessions.get(number=1)))
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    page = desk.get(HOME).content.decode()

    assert "day-visit-cancelled" in page
    assert reverse("desk:series-book", args=[series.pk]) in page
    book(world, a_visit(world, "2026-03-05 10:00", session=series.sessions.get(number=1)))
    assert reverse("desk:series-book", args=[series.pk]) not in desk.get(HOME).content.decode()


@pytest.mark.parametrize(
    ("query", "day", "complaint"),
    [
        pytest.param({}, "2026-03-03", "", id="nothing asked: today"),
        pytest.param({"day": "2026-12-24"}, "2026-12-24", "", id="a day"),
        pytest.param({"day": " 2026-12-24 "}, "2026-12-24", "", id="with spaces around"),
        pytest.param({"day": "2026-02-30"}, "2026-03-03", "not a day", id="no such day"),
        pytest.param({"day": "+2w"}, "2026-03-17", "", id="in words"),
        pytest.param({"day": "soon"}, "2026-03-03", "not a day", id="words that name no day"),
        pytest.param({"day": "0001-01-01"}, "2026-03-03", "between the years", id="the first day of all"),
        pytest.param({"day": "9999-12-31"}, "2026-03-03", "between the years", id="the last day of all"),
        pytest.param({"day": "\x00"}, "2026-03-03", "not a day", id="a control character"),
    ],
)
def test_the_day_asked_for(desk, query, day, complaint):
    response = desk.get(HOME, query)

    assert response.status_code == 200
    assert response.context["day"].isoformat() == day
    assert complaint in response.context["complaint"]
    if complaint:
        assert query["day"].strip() in response.content.decode()


@pytest.mark.parametrize("asked", ["0", "x", "99999999999999999999", "-1", "1 OR 1"])
def test_an_unknown_site_is_not_found(desk, asked):
    assert desk.get(HOME, {"site": asked}).status_code == 404


def test_what_is_noted_of_the_patient_stands_on_the_visit_and_short_in_the_list(desk, world):
    patient = world.a_patient(notes="Needs step-free access.\n" + "Comes with an interpreter. " * 5)
    visit = book(world, a_visit(world, "2026-03-02 10:00"), patient)

    row = next(row for row in desk.get(HOME, {"day": "2026-03-02"}).context["rows"] if row.pk == visit.pk)
    assert row.notes.startswith("Needs step-free access. Comes with")
    assert len(row.notes) <= 60
    page = desk.get(f"/desk/appointments/{visit.pk}/").content.decode()
    assert "Needs step-free access.<br>Comes with an interpreter." in page


@pytest.mark.parametrize(
    ("practises_at", "chosen_before", "shown"),
    [
        pytest.param(None, None, "Airport", id="the first by name"),
        pytest.param(None, "Harbour Clinic", "Harbour Clinic", id="the one chosen last"),
        pytest.param("Harbour Clinic", "Airport", "Harbour Clinic", id="the practitioner's own"),
    ],
)
def test_the_site_shown_when_none_is_asked_for(client, world, practises_at, chosen_before, shown):
    Site.objects.create(name="Airport", short_name="Airport", time_zone="Europe/London")
    user = User.objects.create_user("ada", is_staff=True)
    user.groups.set(Group.objects.filter(name="practitioner"))
    client.force_login(user)
    if practises_at:
        Resource.objects.filter(name="Ada").update(user=user, site=Site.objects.get(name=practises_at))
    if chosen_before:
        client.get(HOME, {"site": Site.objects.get(name=chosen_before).pk})

    assert client.get(HOME).context["site"].name == shown


def test_a_clinic_without_a_site_is_told_what_to_do(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("first"))

    assert "There is no site yet" in client.get(HOME).content.decode()


def test_an_empty_day_says_what_to_do(desk):
    assert "Nobody is booked on this day" in desk.get(HOME).content.decode()


def hours(*spans):
    return [tuple(datetime.fromisoformat(f"2026-03-03 {clock}") for clock in span.split("-")) for span in spans]


def closed(start, end, reason="Works"):
    return (datetime.fromisoformat(start), datetime.fromisoformat(end), reason)


@pytest.mark.parametrize(
    ("opening", "closures", "notes"),
    [
        pytest.param(hours("09:00-18:00"), [], ["Open 09:00–18:00"], id="open"),
        pytest.param(hours("09:00-12:00", "13:00-18:00"), [], ["Open 09:00–12:00, 13:00–18:00"], id="a midday break"),
        pytest.param([], [], ["No opening hours on Tuesday"], id="never open on this weekday"),
        pytest.param(
            hours("09:00-18:00"),
            [closed("2026-03-03 00:00", "2026-03-04 00:00", "Christmas Day")],
            ["Closed: Christmas Day"],
            id="the whole day",
        ),
        pytest.param(
            hours("09:00-18:00"), [closed("2026-03-03 09:00", "2026-03-03 18:00")], ["Closed: Works"], id="all hours"
        ),
        pytest.param(
            hours("09:00-18:00"),
            [closed("2026-03-03 12:00", "2026-03-03 14:00")],
            ["Open 09:00–18:00", "Closed from 12:00 to 14:00: Works"],
            id="two hours of it",
        ),
        pytest.param(
            hours("09:00-18:00"),
            [closed("2026-03-03 15:00", "2026-03-05 00:00")],
            ["Open 09:00–18:00", "Closed from 15:00 on: Works"],
            id="from the afternoon into the next day",
        ),
    ],
)
def test_when_the_site_is_open(opening, closures, notes):
    assert opening_notes(DAY, opening, closures) == notes


def test_the_page_says_that_the_site_is_closed(desk, world):
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-03 00:00"), ends_at=at("2026-03-04 00:00"), reason="Stocktaking"
    )

    assert "Closed: Stocktaking" in desk.get(HOME).content.decode()
    assert "Stocktaking" not in desk.get(HOME, {"day": "2026-03-04"}).content.decode()
    assert OpeningHours.objects.filter(site=world.site).exists()


@pytest.mark.parametrize(
    ("status", "now", "offered"),
    [
        pytest.param("booked", "2026-03-02 12:00", ["move", "cancel"], id="booked, the day before"),
        pytest.param(
            "booked", "2026-03-03 09:00", ["arrive", "attend", "move", "cancel"], id="booked, earlier on its day"
        ),
        pytest.param(
            "booked", "2026-03-03 10:00", ["arrive", "attend", "no-show", "move", "cancel"], id="booked, begun"
        ),
        pytest.param("booked", "2026-03-04 10:00", ["attend", "no-show", "move", "cancel"], id="booked, the day after"),
        pytest.param("arrived", "2026-03-03 10:00", ["attend", "cancel"], id="arrived"),
        pytest.param("fulfilled", "2026-03-03 12:00", [], id="attended"),
        pytest.param("cancelled", "2026-03-03 12:00", [], id="cancelled"),
        pytest.param("no_show", "2026-03-03 12:00", [], id="did not come"),
    ],
)
def test_the_buttons_are_those_that_the_services_would_accept(world, status, now, offered):
    actions = possible_actions(status, starts_at=at("2026-03-03 10:00"), zone=LONDON, now=at(now))

    assert actions == offered
    if status == "booked":
        appointment = book(world, a_visit(world))
        for action, service in {"arrive": booking.arrive, "no-show": booking.no_show, "attend": booking.attend}.items():
            appointment = Appointment.objects.get(pk=appointment.pk)
            try:
                service(appointment=appointment, by=world.desk, now=at(now))
            except booking.NotChangeable:
                accepted = False
            else:
                accepted = True
                Appointment.objects.filter(pk=appointment.pk).update(status="booked")
            assert accepted == (action in offered), action


def test_the_number_of_queries_does_not_grow_with_the_day(desk, world, django_assert_num_queries):
    series = world.a_series()
    book(world, a_visit(world, "2026-03-03 09:00", session=series.sessions.get(number=1)))
    desk.get(HOME)

    def queries():
        # Session, account, second factor; sites, the practitioner's site, visits, their screening, opening hours,
        # closures; what the person and the person's groups may do, for the menu.
        with django_assert_num_queries(11):
            desk.get(HOME)

    queries()
    for clock in ("11:00", "12:30", "14:00", "15:30"):
        book(world, a_visit(world, f"2026-03-03 {clock}"), world.a_patient())
    queries()
