"""The rota's pages: who may change it, what a form refuses and where, and what is shown before anything is kept."""

from datetime import date, time

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from clinic.models import Absence, Closure, OpeningHours, Resource, Site, WorkingHours
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

pytestmark = pytest.mark.django_db

ROTA = "/desk/rota/"


@pytest.fixture
def keeper(client, world):
    """Somebody who may change the rota."""
    world.manager.user_permissions.add(*Permission.objects.filter(codename__in=["change_rota", "note_absence"]))
    client.force_login(User.objects.get(pk=world.manager.pk))
    with time_machine.travel(NOW, tick=False):
        yield client


@pytest.fixture
def visit(world):
    return book(world, a_visit(world))


def new(kind: str) -> str:
    return reverse("desk:rota-new", args=[kind])


def of(kind: str, row) -> str:
    return reverse("desk:rota-change", args=[kind, row.pk])


def absence(world, **said) -> dict:
    return {"resource": world.practitioners[0].pk, "first_day": "2026-03-03", "save": "1", **said}


def closure(world, **said) -> dict:
    return {"first_day": "2026-03-03", "reason": "Works", "save": "1", **said}


def opening(world, **said) -> dict:
    return {"weekdays": ["5", "6"], "starts": "10:00", "ends": "16:00", "save": "1", **said}


def working(world, **said) -> dict:
    return {"resource": world.practitioners[0].pk, **opening(world), **said}


FORMS = {"absence": absence, "closure": closure, "opening": opening, "working": working}
ROWS = {"absence": Absence, "closure": Closure, "opening": OpeningHours, "working": WorkingHours}


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


# --- Who may ----------------------------------------------------------------------------------------


@pytest.fixture
def plain(world) -> User:
    """Who may work at the desk, and has no right of the rota."""
    world.desk.groups.clear()
    rights = Permission.objects.filter(codename__in=["view_patient", "change_appointment"])
    world.desk.user_permissions.set(rights)
    return User.objects.get(pk=world.desk.pk)


def test_everybody_at_the_desk_may_look_and_sees_nothing_to_press(client, world, plain):
    client.force_login(plain)
    with time_machine.travel(NOW, tick=False):
        page = client.get(ROTA)

    assert page.status_code == 200
    assert "Ada" in page.content.decode()
    assert "/desk/rota/" not in page.content.decode().split("<main")[1]


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_permission_nothing_is_changed(client, world, plain, kind, method):
    client.force_login(plain)
    before = ROWS[kind].objects.count()

    assert getattr(client, method)(new(kind), FORMS[kind](world)).status_code == 403
    assert ROWS[kind].objects.count() == before
    assert getattr(client, method)("/desk/rota/holidays/").status_code == 403


@pytest.mark.parametrize(
    ("permission", "opened"),
    [("note_absence", {"absence"}), ("change_rota", {"closure", "opening", "working"})],
)
def test_who_may_note_absences_need_not_change_the_rest(client, world, plain, permission, opened):
    world.desk.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(User.objects.get(pk=world.desk.pk))

    assert {kind for kind in FORMS if client.get(new(kind)).status_code == 200} == opened
    assert reverse("desk:rota-new", args=["absence"]) in client.get(ROTA).content.decode() or "absence" not in opened


def test_the_way_there_is_in_the_menu_of_the_desk(client, world):
    client.force_login(world.desk)

    assert ROTA in client.get("/desk/").content.decode()


# --- Adding, changing, removing ---------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "more"), [("absence", 1), ("closure", 1), ("opening", 2), ("working", 2)])
def test_what_is_added_stands_on_the_rota(keeper, world, kind, more):
    before = ROWS[kind].objects.count()

    answer = keeper.post(new(kind), FORMS[kind](world), follow=True)

    assert "Kept." in said(answer)
    assert ROWS[kind].objects.count() == before + more
    assert answer.redirect_chain[-1][0].startswith(ROTA)


@pytest.mark.parametrize(
    ("typed", "starts_at", "ends_at"),
    [
        pytest.param({}, "2026-03-03 00:00", "2026-03-04 00:00", id="one whole day"),
        pytest.param({"last_day": "2026-03-06"}, "2026-03-03 00:00", "2026-03-07 00:00", id="some whole days"),
        pytest.param({"starts": "14:00"}, "2026-03-03 14:00", "2026-03-04 00:00", id="an afternoon"),
        pytest.param({"starts": "09:30", "ends": "11:00"}, "2026-03-03 09:30", "2026-03-03 11:00", id="some hours"),
        pytest.param(
            {"starts": "14:00", "last_day": "2026-03-05", "ends": "12:00"},
            "2026-03-03 14:00",
            "2026-03-05 12:00",
            id="from an afternoon to a noon",
        ),
        pytest.param(
            {"first_day": "2026-03-29", "last_day": "2026-03-29"},
            "2026-03-29 00:00",
            "2026-03-30 00:00",
            id="short day",
        ),
    ],
)
def test_an_absence_is_whole_days_or_hours_and_is_shown_again_as_it_was_typed(keeper, world, typed, starts_at, ends_at):
    keeper.post(new("absence"), absence(world, **typed))

    row = Absence.objects.get()
    assert (row.starts_at, row.ends_at) == (at(starts_at), at(ends_at))
    initial = keeper.get(of("absence", row)).context["form"].initial
    shown = {name: str(initial[name]) for name in ("first_day", "last_day")}
    shown |= {name: f"{initial[name]:%H:%M}" if initial[name] else "" for name in ("starts", "ends")}
    whole = {"first_day": "2026-03-03", "last_day": typed.get("first_day", "2026-03-03"), "starts": "", "ends": ""}
    assert shown == whole | typed


def test_days_and_times_may_be_typed_in_words(keeper, world):
    keeper.post(new("absence"), absence(world, first_day="3 mar", starts="2pm", last_day="+3d", ends="9.30"))

    row = Absence.objects.get()
    assert (row.starts_at, row.ends_at) == (at("2026-03-03 14:00"), at("2026-03-05 09:30"))


def test_times_are_those_of_the_sites_clock(keeper, world):
    Site.objects.update(time_zone="America/New_York")

    keeper.post(new("closure"), closure(world, starts="09:00", ends="12:00"))

    assert Closure.objects.get().starts_at.isoformat() == "2026-03-03T14:00:00+00:00"


@pytest.mark.parametrize(
    ("kind", "typed", "field", "words"),
    [
        pytest.param("absence", {"resource": ""}, "resource", "Choose who", id="nobody chosen"),
        pytest.param("absence", {"resource": "x"}, "resource", "", id="nobody of that name"),
        pytest.param("absence", {"first_day": ""}, "first_day", "required", id="no day"),
        pytest.param("absence", {"first_day": "2026-02-30"}, "first_day", "Enter a day, such as", id="no such day"),
        pytest.param("absence", {"last_day": "2026-03-02"}, "last_day", "before the first", id="ends before it begins"),
        pytest.param(
            "absence", {"starts": "11:00", "ends": "11:00"}, "ends", "end before it begins", id="no time at all"
        ),
        pytest.param("absence", {"starts": "25:00"}, "starts", "Enter a time, such as", id="a time that is not"),
        pytest.param("absence", {"last_day": "9999-12-31"}, "last_day", "Enter a day, such as", id="the year 9999"),
        pytest.param(
            "absence", {"first_day": "2026-03-29", "starts": "01:30"}, "starts", "does not exist", id="a skipped time"
        ),
        pytest.param("absence", {"reason": "x" * 201}, "reason", "at most 200", id="a long reason"),
        pytest.param("closure", {"reason": ""}, "reason", "Note why", id="closed without a reason"),
        pytest.param("closure", {"last_day": "2026-03-02"}, "last_day", "before the first", id="a closure backwards"),
        pytest.param("opening", {"weekdays": []}, "weekdays", "at least one weekday", id="on no weekday"),
        pytest.param("opening", {"ends": "10:00"}, "ends", "end before it begins", id="opening hours backwards"),
        pytest.param("opening", {"weekdays": ["0"]}, "starts", "is open at this time already", id="open already"),
        pytest.param("working", {"ends": "09:00"}, "ends", "end before it begins", id="working hours backwards"),
        pytest.param("working", {"weekdays": ["0"]}, "starts", "Monday 09:00–18:00", id="works then already"),
        pytest.param(
            "working",
            {"valid_from": "2026-05-02", "valid_until": "2026-05-01"},
            "valid_until",
            "before the first",
            id="dates backwards",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_field_and_keeps_what_was_typed(keeper, world, kind, typed, field, words):
    before = ROWS[kind].objects.count()

    page = keeper.post(new(kind), FORMS[kind](world, **typed))

    assert page.status_code == 422
    [error] = page.context["form"].errors[field]
    assert words in error
    assert page.context["form"].data["save"] == "1"
    assert ROWS[kind].objects.count() == before


def test_away_twice_is_refused_at_the_first_day(keeper, world):
    keeper.post(new("absence"), absence(world, reason="Leave", last_day="2026-03-06"))

    page = keeper.post(new("absence"), absence(world, first_day="2026-03-05"))

    assert page.context["form"].errors["first_day"] == [
        "Ada is away then already: Leave, Tue 3 Mar – Fri 6 Mar 2026. Change that instead."
    ]


def test_working_hours_change_from_a_day_on(keeper, world):
    row = WorkingHours.objects.get(resource=world.practitioners[0], weekday=1)
    typed = {"weekdays": "1", "starts": "12:00", "ends": "18:00", "change_from": "2026-04-01", "save": "1"}

    keeper.post(of("working", row), typed)

    rows = WorkingHours.objects.filter(resource=world.practitioners[0], weekday=1).order_by("starts")
    assert [(row.starts, row.valid_from, row.valid_until) for row in rows] == [
        (time(9), None, date(2026, 3, 31)),
        (time(12), date(2026, 4, 1), None),
    ]


def test_from_a_day_on_which_they_have_ended_is_refused_at_the_field(keeper, world):
    row = WorkingHours.objects.filter(resource=world.practitioners[0], weekday=1)
    row.update(valid_until=date(2026, 3, 31))
    typed = {"weekdays": "1", "starts": "12:00", "ends": "18:00", "change_from": "2026-04-01", "save": "1"}

    page = keeper.post(of("working", row.get()), typed)

    assert "have ended by then" in page.context["form"].errors["change_from"][0]


@pytest.mark.parametrize("kind", FORMS)
def test_what_is_removed_is_gone_and_its_page_says_so(keeper, world, kind):
    keeper.post(new(kind), FORMS[kind](world))
    row = ROWS[kind].objects.latest("pk")

    answer = keeper.post(of(kind, row), {"remove": "1"}, follow=True)

    assert "removed" in said(answer)
    assert not ROWS[kind].objects.filter(pk=row.pk).exists()
    assert "not there any more" in said(keeper.get(of(kind, row), follow=True))


@pytest.mark.parametrize("kind", FORMS)
def test_who_added_changed_and_removed_it_is_kept(keeper, world, kind):
    keeper.post(new(kind), FORMS[kind](world))
    row = ROWS[kind].objects.latest("pk")
    events = ROWS[kind].events.rel.related_model.objects.filter(pgh_obj_id=row.pk).order_by("pgh_id")
    page = keeper.get(of(kind, row)).content.decode()
    keeper.post(of(kind, row), {"remove": "1"})

    assert [(event.pgh_label, event.pgh_context.metadata["user"]) for event in events] == [
        ("insert", world.manager.pk),
        ("delete", world.manager.pk),
    ]
    assert f"Last changed by {world.manager.get_full_name() or world.manager.email}, " in page


@pytest.mark.parametrize("kind", ["nothing", "absences"])
def test_there_are_four_kinds(keeper, kind):
    assert keeper.get(f"/desk/rota/{kind}/new/").status_code == 404
    assert keeper.get(f"/desk/rota/{kind}/1/").status_code == 404


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param({}, "Tue 3 Mar 2026", id="a whole day"),
        pytest.param({"starts": "14:00"}, "Tue 3 Mar 2026, 14:00 to the end of the day", id="an afternoon"),
        pytest.param({"starts": "09:30", "ends": "11:00"}, "Tue 3 Mar 2026, 09:30–11:00", id="some hours"),
        pytest.param(
            {"starts": "14:00", "last_day": "2026-03-05"},
            "Tue 3 Mar 2026, 14:00 – the end of Thu 5 Mar 2026",
            id="from an afternoon on",
        ),
    ],
)
def test_time_away_never_reads_as_the_day_after_it(keeper, world, typed, words):
    keeper.post(new("closure"), closure(world, **typed))

    assert words in keeper.get(ROTA).content.decode()


# --- What it does to booked visits ------------------------------------------------------------------


def test_the_visits_that_would_no_longer_fit_are_shown_before_anything_is_kept(keeper, world, visit):
    page = keeper.post(new("absence"), absence(world))

    [line] = page.context["consequences"].lines
    assert (line.patient, line.when, line.what, line.whom) == (
        "Amal Osei",
        "Tue 3 Mar 2026, 10:00",
        "Microneedling",
        "Ada",
    )
    assert "Amal Osei" in page.content.decode()
    assert not Absence.objects.exists()


def test_the_second_press_keeps_it_says_how_many_and_leads_to_them(keeper, world, visit):
    page = keeper.post(new("absence"), absence(world))

    answer = keeper.post(new("absence"), absence(world, seen=page.context["consequences"].seen), follow=True)

    assert "1 booked visit no longer fits" in said(answer)
    assert [row.key for row in answer.context["rows"]] == [visit.pk]
    visit.refresh_from_db()
    assert (visit.status, visit.sequence) == ("booked", 0)


def test_looking_keeps_nothing(keeper, world):
    typed = absence(world, look="1")
    del typed["save"]

    page = keeper.post(new("absence"), typed)

    assert "Every booked visit still fits" in page.content.decode()
    assert not Absence.objects.exists()


def test_opening_hours_are_removed_only_after_their_visits_were_seen(keeper, world, visit):
    row = OpeningHours.objects.get(weekday=1)

    page = keeper.post(of("opening", row), {"remove": "1"})
    assert len(page.context["consequences"].lines) == 1
    assert OpeningHours.objects.filter(pk=row.pk).exists()
    keeper.post(of("opening", row), {"remove": "1", "seen": page.context["consequences"].seen})

    assert not OpeningHours.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(("day", "first"), [("today", "2026-03-02"), ("tomorrow", "2026-03-03")])
def test_ill_is_one_press_that_shows_what_it_affects(keeper, world, visit, day, first):
    page = keeper.post(new("absence"), {"resource": world.practitioners[0].pk, "quick": day})

    form = page.context["form"]
    assert (str(form["first_day"].value()), form["reason"].value()) == (first, "Ill")
    assert len(page.context["consequences"].lines) == (day == "tomorrow")
    assert not Absence.objects.exists()


def test_the_rota_says_how_many_visits_do_not_fit(keeper, world, visit):
    Absence.objects.create(
        resource=world.practitioners[0], starts_at=at("2026-03-03 00:00"), ends_at=at("2026-03-04 00:00"), reason=""
    )

    assert "1 booked visit no longer fits." in keeper.get(ROTA).content.decode()


@pytest.mark.parametrize("many", [1, 8])
def test_the_rota_takes_the_same_number_of_queries_whatever_stands_on_it(
    keeper, world, many, django_assert_num_queries
):
    for n in range(many):
        person = Resource.objects.create(kind="practitioner", name=f"P{n}", site=world.site)
        WorkingHours.objects.create(resource=person, site=world.site, weekday=0, starts=time(9), ends=time(12))
        Absence.objects.create(resource=person, starts_at=at("2026-03-03 00:00"), ends_at=at("2026-03-04 00:00"))
    keeper.get(ROTA)

    with django_assert_num_queries(20):
        assert len(keeper.get(ROTA).context["absences"]) == many


# --- Public holidays --------------------------------------------------------------------------------


def test_the_years_holidays_still_ahead_are_offered_ticked(keeper, world):
    page = keeper.get("/desk/rota/holidays/")

    offered = {one.name: ticked for one, ticked in page.context["offered"]}
    assert offered["Christmas Day"] is True
    assert "New Year's Day" not in offered
    assert "New Year's Day" in {one.name for one, _ in keeper.get("/desk/rota/holidays/?year=2027").context["offered"]}


def test_one_press_closes_on_those_that_are_ticked(keeper, world):
    answer = keeper.post(
        "/desk/rota/holidays/?year=2026", {"days": ["2026-04-03", "2026-12-25"], "save": "1"}, follow=True
    )

    assert "Closed on 2 days." in said(answer)
    assert [(row.reason, row.starts_at, row.ends_at) for row in Closure.objects.order_by("starts_at")] == [
        ("Good Friday", at("2026-04-03 00:00"), at("2026-04-04 00:00")),
        ("Christmas Day", at("2026-12-25 00:00"), at("2026-12-26 00:00")),
    ]
    offered = {one.name: one.closed for one, _ in keeper.get("/desk/rota/holidays/?year=2026").context["offered"]}
    assert (offered["Good Friday"], offered["Boxing Day"]) == (True, False)


def test_a_holiday_with_visits_shows_them_first(keeper, world):
    book(world, a_visit(world, "2026-04-03 10:00"))

    page = keeper.post("/desk/rota/holidays/?year=2026", {"days": ["2026-04-03"], "save": "1"})

    assert [line.why for line in page.context["consequences"].lines] == ["the site is closed: Good Friday"]
    assert not Closure.objects.exists()


@pytest.mark.parametrize(
    ("days", "words"), [([], "Tick at least one"), (["2026-04-04"], "among these"), (["x"], "among these")]
)
def test_days_that_are_not_offered_are_refused(keeper, days, words):
    page = keeper.post("/desk/rota/holidays/?year=2026", {"days": days, "save": "1"})

    assert page.status_code == 422
    assert words in page.context["form"].errors["days"][0]


def test_a_site_without_a_country_says_what_to_do(keeper):
    Site.objects.update(country="")

    assert "Note the country of the site first." in keeper.get("/desk/rota/holidays/").content.decode()
