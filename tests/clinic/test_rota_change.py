"""Changing the rota: what is shown first, what is refused, and that nothing booked is touched."""

from datetime import date, time

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from clinic.models import Absence, Appointment, Claim, Closure, OpeningHours, Resource, Site, WorkingHours
from clinic.services import rota, rota_fit
from clinic.services.rota import Change, GoneMeanwhile, Overlap, RotaError, Unseen
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def visits(world):
    """Ada on Tuesday at ten and at noon, Ben on Tuesday at ten."""
    return [
        book(world, a_visit(world)),
        book(world, a_visit(world, "2026-03-03 12:00"), world.a_patient()),
        book(world, a_visit(world, who=1, where=1, pen=1), world.a_patient()),
    ]


def ill(world, who=0, **values) -> Absence:
    values = {"resource": world.practitioners[who], "reason": "Ill"} | values
    return Absence(**{"starts_at": at("2026-03-03 00:00"), "ends_at": at("2026-03-04 00:00")} | values)


def stored() -> list:
    return [list(model.objects.order_by("pk").values()) for model in (Appointment, Claim)]


def test_what_would_no_longer_fit_is_shown_and_nothing_is_stored(world, visits):
    found = rota.look(Change(save=(ill(world),)), now=NOW)

    assert [(line.appointment, line.when, line.what, line.whom, line.why) for line in found.lines] == [
        (visits[0].pk, "Tue 3 Mar 2026, 10:00", "Microneedling", "Ada", "Ada is away: Ill"),
        (visits[1].pk, "Tue 3 Mar 2026, 12:00", "Microneedling", "Ada", "Ada is away: Ill"),
    ]
    assert not Absence.objects.exists()


def test_it_is_stored_once_what_it_does_has_been_seen_and_nothing_booked_is_touched(world, visits):
    before = stored()
    change = Change(save=(ill(world),))
    with pytest.raises(Unseen) as refusal:
        rota.carry_out(change, seen="", now=NOW)
    assert not Absence.objects.exists()

    done = rota.carry_out(change, seen=refusal.value.consequences.seen, now=NOW)

    assert {line.appointment for line in done.lines} == {visits[0].pk, visits[1].pk} == set(rota_fit.misfits(now=NOW))
    assert stored() == before


def test_what_does_other_things_than_were_seen_is_shown_again(world, visits):
    seen = rota.look(Change(save=(ill(world),)), now=NOW).seen
    book(world, a_visit(world, "2026-03-03 14:00"), world.a_patient())

    with pytest.raises(Unseen) as refusal:
        rota.carry_out(Change(save=(ill(world),)), seen=seen, now=NOW)

    assert len(refusal.value.consequences.lines) == 3


def test_what_affects_nothing_is_stored_at_the_first_press(world, visits):
    away = ill(world, starts_at=at("2026-03-04 00:00"), ends_at=at("2026-03-05 00:00"))

    assert rota.carry_out(Change(save=(away,)), seen="", now=NOW).lines == ()
    assert Absence.objects.count() == 1


def test_what_did_not_fit_before_is_no_consequence_and_what_fits_again_is_counted(world, visits):
    rota.carry_out(Change(save=(ill(world),)), seen=rota.look(Change(save=(ill(world),)), now=NOW).seen, now=NOW)
    closed = Closure(site=world.site, starts_at=at("2026-03-03 09:00"), ends_at=at("2026-03-03 11:00"), reason="Works")

    assert [line.appointment for line in rota.look(Change(save=(closed,)), now=NOW).lines] == [visits[2].pk]
    assert rota.look(Change(remove=(Absence.objects.get(),)), now=NOW).again == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda world: Change(remove=tuple(OpeningHours.objects.filter(weekday=1))), 3, id="opening hours removed"
        ),
        pytest.param(
            lambda world: Change(remove=tuple(WorkingHours.objects.filter(resource=world.practitioners[1]))),
            1,
            id="working hours removed",
        ),
        pytest.param(
            lambda world: rota.closed_on(world.site, [rota.Holiday(day=date(2026, 3, 3), name="Shrove Tuesday")]),
            3,
            id="a public holiday",
        ),
    ],
)
def test_every_part_of_the_rota_shows_what_it_does(world, visits, change, expected):
    assert len(rota.look(change(world), now=NOW).lines) == expected


def test_a_row_that_somebody_else_removed_is_not_brought_back(world):
    row = OpeningHours.objects.first()
    OpeningHours.objects.filter(pk=row.pk).delete()

    with pytest.raises(GoneMeanwhile):
        rota.carry_out(Change(save=(row,)), seen="", now=NOW)
    with pytest.raises(GoneMeanwhile):
        rota.carry_out(Change(remove=(row,)), seen="", now=NOW)
    assert not OpeningHours.objects.filter(pk=row.pk).exists()


# --- What meets another -----------------------------------------------------------------------------


def open_on_monday(world, opens="08:00", closes="12:00", **values) -> OpeningHours:
    values = {"weekday": 0} | values
    return OpeningHours(site=world.site, opens=time.fromisoformat(opens), closes=time.fromisoformat(closes), **values)


def works_on_monday(world, starts="08:00", ends="12:00", **values) -> WorkingHours:
    values = {"resource": world.practitioners[0], "site": world.site, "weekday": 0} | values
    return WorkingHours(starts=time.fromisoformat(starts), ends=time.fromisoformat(ends), **values)


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        pytest.param(open_on_monday, "starts", "Monday 09:00–18:00", id="opening hours"),
        pytest.param(works_on_monday, "starts", "Monday 09:00–18:00, Harbour Clinic", id="working hours"),
        pytest.param(
            lambda world: works_on_monday(world, site=Site.objects.create(name="Hill", time_zone="Europe/London")),
            "starts",
            "Harbour Clinic",
            id="working hours at two sites",
        ),
        pytest.param(ill, "first_day", "Ada is away then already: Ill, Tue 3 Mar 2026", id="an absence"),
        pytest.param(
            lambda world: Closure(
                site=world.site, starts_at=at("2026-03-03 23:00"), ends_at=at("2026-03-06 12:00"), reason="x"
            ),
            "first_day",
            "Works, Tue 3 Mar 2026",
            id="a closure",
        ),
    ],
)
def test_what_meets_another_is_refused_and_names_it(world, row, field, words):
    ill(world).save()
    rota.closed_on(world.site, [rota.Holiday(day=date(2026, 3, 3), name="Works")]).save[0].save()

    with pytest.raises(Overlap, match=words) as refusal:
        rota.carry_out(Change(save=(row(world),)), seen="", now=NOW)

    assert refusal.value.field == field


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(lambda world: open_on_monday(world, "18:00", "20:00"), id="opening hours that touch"),
        pytest.param(lambda world: open_on_monday(world, weekday=5), id="opening hours of another day"),
        pytest.param(lambda world: works_on_monday(world, "18:00", "20:00"), id="working hours that touch"),
        pytest.param(lambda world: works_on_monday(world, weekday=6), id="working hours of another day"),
        pytest.param(lambda world: ill(world, who=1), id="somebody else away"),
        pytest.param(
            lambda world: ill(world, starts_at=at("2026-03-04 00:00"), ends_at=at("2026-03-05 00:00")),
            id="the next day",
        ),
    ],
)
def test_what_only_touches_or_is_elsewhere_is_taken(world, row):
    ill(world).save()

    rota.carry_out(Change(save=(row(world),)), seen="", now=NOW)


def test_a_row_does_not_meet_itself(world):
    ill(world).save()
    row = Absence.objects.get()
    row.ends_at = at("2026-03-06 00:00")

    rota.carry_out(Change(save=(row,)), seen="", now=NOW)

    assert Absence.objects.get().ends_at == at("2026-03-06 00:00")


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        pytest.param(open_on_monday, "opening_hours_no_overlap", id="opening hours"),
        pytest.param(works_on_monday, "working_hours_no_overlap", id="working hours"),
    ],
)
def test_the_database_refuses_hours_that_overlap(world, row, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row(world).save()
    with pytest.raises(ValidationError, match="already"):
        row(world).full_clean()


@pytest.mark.parametrize(
    ("first", "last", "taken"),
    [
        pytest.param(None, date(2026, 6, 30), False, id="before"),
        pytest.param(date(2026, 6, 30), None, False, id="on their last day"),
        pytest.param(date(2026, 7, 1), None, True, id="after"),
    ],
)
def test_working_hours_of_another_time_do_not_meet(world, first, last, taken):
    WorkingHours.objects.update(valid_until=date(2026, 6, 30))
    row = works_on_monday(world, valid_from=first, valid_until=last)

    if taken:
        rota.carry_out(Change(save=(row,)), seen="", now=NOW)
    else:
        with pytest.raises(Overlap):
            rota.carry_out(Change(save=(row,)), seen="", now=NOW)


# --- From a day on ----------------------------------------------------------------------------------


def test_from_a_day_on_leaves_what_was_before(world):
    old = WorkingHours.objects.filter(resource=world.practitioners[0], weekday=1).get()
    new = works_on_monday(world, "12:00", "18:00", weekday=1)

    rota.carry_out(rota.from_a_day_on(old=old, new=new, day=date(2026, 4, 1)), seen="", now=NOW)

    rows = WorkingHours.objects.filter(resource=world.practitioners[0], weekday=1).order_by("starts")
    assert [(f"{row.starts:%H:%M}", row.valid_from, row.valid_until) for row in rows] == [
        ("09:00", None, date(2026, 3, 31)),
        ("12:00", date(2026, 4, 1), None),
    ]


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "words"),
    [
        pytest.param(None, date(2026, 3, 31), "have ended by then", id="ended"),
        pytest.param(date(2026, 4, 1), None, "begin then or later", id="begins then"),
    ],
)
def test_from_a_day_on_which_the_hours_do_not_hold_is_refused(world, valid_from, valid_until, words):
    old = works_on_monday(world, valid_from=valid_from, valid_until=valid_until)

    with pytest.raises(RotaError, match=words):
        rota.from_a_day_on(old=old, new=works_on_monday(world), day=date(2026, 4, 1))


# --- Public holidays --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "part", "named", "not_named"),
    [
        pytest.param("GB", "ENG", "2026-04-06 Easter Monday", "2026-03-17", id="England"),
        pytest.param("GB", "NIR", "2026-03-17 Saint Patrick's Day", "2026-01-02", id="Northern Ireland"),
        pytest.param("DE", "BY", "2026-01-06 Epiphany", "2026-03-08", id="Bavaria"),
        pytest.param("DE", "", "2026-10-03 German Unity Day", "2026-01-06", id="all of Germany"),
    ],
)
def test_the_holidays_of_the_sites_country_are_offered(world, country, part, named, not_named):
    world.site.country, world.site.subdivision = country, part

    offered = [f"{one.day} {one.name}" for one in rota.public_holidays(world.site, 2026, "en-gb")]

    assert named in offered
    assert not any(one.startswith(not_named) for one in offered)
    assert offered == sorted(offered)


def test_a_day_on_which_the_site_is_closed_already_is_marked(world):
    rota.carry_out(
        rota.closed_on(world.site, [rota.Holiday(day=date(2026, 12, 25), name="Christmas")]), seen="", now=NOW
    )

    closed = [one.day for one in rota.public_holidays(world.site, 2026) if one.closed]

    assert closed == [date(2026, 12, 25)]


@pytest.mark.parametrize(
    ("country", "part", "words"), [("", "", "Note the country"), ("XX", "", "“XX”"), ("GB", "BY", "“BY”")]
)
def test_a_country_without_known_holidays_is_said(world, country, part, words):
    world.site.country, world.site.subdivision = country, part

    with pytest.raises(RotaError, match=words):
        rota.public_holidays(world.site, 2026)


@pytest.mark.parametrize("many", [1, 5])
def test_a_look_takes_the_same_number_of_queries_whatever_is_booked(world, many, django_assert_num_queries):
    for n in range(many):
        book(
            world,
            a_visit(world, f"2026-03-03 {9 + 2 * (n % 4):02}:00", who=n // 4, where=n // 4, pen=n // 4),
            world.a_patient(),
        )

    with django_assert_num_queries(28):
        assert len(rota.look(Change(save=(ill(world), ill(world, who=1))), now=NOW).lines) == many


def test_the_kinds_of_resource_are_all_asked(world, visits):
    pen = Resource.objects.get(name="Pen 1")
    away = ill(world, resource=pen, reason="At the workshop")

    assert [line.why for line in rota.look(Change(save=(away,)), now=NOW).lines] == [
        "Pen 1 is away: At the workshop"
    ] * 2
