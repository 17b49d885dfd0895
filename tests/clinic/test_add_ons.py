"""Add-ons in the diary: a session with more takes longer and more devices, when it is booked and when that changes."""

from datetime import date, time
from uuid import uuid4

import pytest

from clinic.models import Appointment, Claim, Message, Resource
from clinic.services import booking, course, ripple, series_version, undo
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import Order
from clinic.services.openings import openings
from clinic.services.ripple import Change
from tests.clinic.test_booking import a_visit
from tests.treatments.test_add_ons import kept, offering  # noqa: F401
from tests.world import LONDON, NOW, at
from treatments.services import protocols
from treatments.services.add_ons import AddOnNotOffered

pytestmark = pytest.mark.django_db
DAYS = [date(2026, 3, 3), date(2026, 4, 7), date(2026, 5, 12)]


@pytest.fixture
def world(offering):  # noqa: F811
    kind = offering.protocol.add_ons.get(add_on__name="Lamp").add_on.device_kind
    Resource.objects.create(kind="device", name="Lamp 1", site=offering.site, device_kind=kind)
    return offering


def booked(world, add_ons=None, **values):
    """Sessions on three Tuesdays at 10:00, the ideal days."""
    choice = world.choice(add_ons=add_ons or {})
    left = course.new_course(patient=values.get("patient") or world.patient, choice=choice)
    order = Order(site=world.site, first_day=DAYS[0])
    proposal = course.propose(course=left, order=order, now=NOW)
    pinned = {n: course.choice_at(proposal, n, day, time(10)) for n, day in enumerate(DAYS, start=1)}
    return course.book_new(
        patient=left.patient,
        choice=choice,
        order=Order(site=world.site, first_day=DAYS[0], pinned=pinned),
        by=world.desk,
        now=NOW,
        key=uuid4(),
    )


def visit(number: int, series=None) -> Appointment:
    live = Appointment.objects.live().select_related("session", "site", "patient")
    return live.get(session__number=number, **({"session__series": series} if series else {}))


def minutes(appointment: Appointment) -> int:
    return (appointment.ends_at - appointment.starts_at).seconds // 60


def takes(appointment: Appointment) -> list[tuple[str, str, str]]:
    """Each claim on the site's clock, by resource."""
    claims = Claim.objects.filter(appointment=appointment).order_by("resource__name", "starts_at")
    return [
        (c.resource.name, f"{c.starts_at.astimezone(LONDON):%H:%M}", f"{c.ends_at.astimezone(LONDON):%H:%M}")
        for c in claims.select_related("resource")
    ]


def change(world, number: int, *names: str, now=NOW, following="only", **values):
    scene = ripple.scene_of(visit(number))
    choice = ripple.stay_with(scene, names, now=now)
    return ripple.carry_out(
        appointment=visit(number),
        change=Change(kind="add_ons", choice=choice, add_ons=names),
        following=following,
        by=world.desk,
        now=now,
        key=uuid4(),
        **values,
    )


def test_a_session_with_more_takes_longer_and_its_device(world):
    booked(world, {2: ["Lamp"]})

    assert [minutes(visit(n)) for n in (1, 2, 3)] == [75, 90, 75]
    assert takes(visit(2)) == [
        ("Ada", "10:30", "11:30"),
        ("Lamp 1", "11:15", "11:30"),
        ("Pen 1", "10:30", "11:15"),
        ("Room 1", "10:00", "11:30"),
    ]


def test_two_patients_do_not_share_the_one_lamp(world):
    booked(world, {1: ["Lamp"]})
    other = course.new_course(patient=world.a_patient(), choice=world.choice(add_ons={1: ["Lamp"]}))
    proposal = course.propose(course=other, order=Order(site=world.site, first_day=DAYS[0]), now=NOW)

    with pytest.raises(NotBookable, match="Nothing is free then"):
        course.choice_at(proposal, 1, DAYS[0], time(10))
    assert course.choice_at(proposal, 1, DAYS[0], time(10, 15)).devices


def test_a_move_keeps_the_visit_as_it_was_booked(world):
    booked(world, {2: ["Lamp"]})
    scene = ripple.scene_of(visit(2))
    choice = course.choice_at(ripple.options(scene, now=NOW), 2, date(2026, 4, 8), time(14))

    ripple.carry_out(
        appointment=visit(2), change=Change(kind="move", choice=choice), by=world.desk, now=NOW, key=uuid4()
    )

    assert minutes(visit(2)) == 90
    assert ("Lamp 1", "15:15", "15:30") in takes(visit(2))


def test_what_is_left_is_booked_with_the_add_ons_that_are_chosen_then(world):
    series = world.a_series(add_ons={1: ["Mask"]})
    rest = course.rest_of(series, add_ons={1: ["Lamp"], 2: ["Mask"]})
    order = Order(site=world.site, first_day=DAYS[0])
    first = course.choice_at(course.propose(course=rest, order=order, now=NOW), 1, DAYS[0], time(9))

    course.book_rest(
        series=series,
        order=Order(site=world.site, first_day=DAYS[0], pinned={1: first}),
        by=world.desk,
        now=NOW,
        key=uuid4(),
        add_ons={1: ["Lamp"], 2: ["Mask"]},
    )

    assert kept(series) == {1: ["Lamp"], 2: ["Mask"], 3: []}
    assert minutes(visit(1)) == 90


def test_more_for_a_booked_session_lengthens_its_visit(world):
    series = booked(world)

    change(world, 2, "Lamp", "Mask")

    assert kept(series)[2] == ["Lamp", "Mask"]
    assert minutes(visit(2)) == 100
    assert ("Lamp 1", "11:15", "11:30") in takes(visit(2))
    assert ("Room 1", "10:00", "11:40") in takes(visit(2))


def test_less_frees_what_it_took(world):
    series = booked(world, {2: ["Lamp"]})

    change(world, 2)

    assert kept(series)[2] == []
    assert minutes(visit(2)) == 75
    assert [name for name, _start, _end in takes(visit(2))] == ["Ada", "Pen 1", "Room 1"]


def test_longer_is_refused_in_words_where_the_time_after_is_taken(world):
    series = booked(world)
    after = a_visit(world, "2026-04-07 11:15")
    booking.book(patient=world.a_patient(), visit=after, by=world.desk, now=NOW, key=uuid4())

    with pytest.raises(NotBookable, match="would take 90 minutes"):
        ripple.stay_with(ripple.scene_of(visit(2)), ("Lamp",), now=NOW)
    others = ripple.options(ripple.scene_of(visit(2)), now=NOW, add_ons=("Lamp",)).alternatives(2)
    assert len(others) == 3
    assert kept(series)[2] == []


def test_whoever_took_the_time_meanwhile_keeps_it(world):
    series = booked(world)
    choice = ripple.stay_with(ripple.scene_of(visit(2)), ("Lamp",), now=NOW)
    after = a_visit(world, "2026-04-07 11:15")
    booking.book(patient=world.a_patient(), visit=after, by=world.desk, now=NOW, key=uuid4())

    with pytest.raises(TimeTaken):
        ripple.carry_out(
            appointment=visit(2),
            change=Change(kind="add_ons", choice=choice, add_ons=("Lamp",)),
            by=world.desk,
            now=NOW,
            key=uuid4(),
        )
    assert kept(series)[2] == []
    assert minutes(visit(2)) == 75


def test_another_time_can_be_chosen_with_the_add_ons(world):
    series = booked(world)
    scene = ripple.scene_of(visit(2))
    choice = course.choice_at(ripple.options(scene, now=NOW, add_ons=("Lamp",)), 2, date(2026, 4, 8), time(14))

    ripple.carry_out(
        appointment=visit(2),
        change=Change(kind="add_ons", choice=choice, add_ons=("Lamp",)),
        by=world.desk,
        now=NOW,
        key=uuid4(),
    )

    assert kept(series)[2] == ["Lamp"]
    assert (minutes(visit(2)), visit(2).starts_at) == (90, at("2026-04-08 14:00"))


def test_what_the_course_does_not_offer_is_refused(world):
    booked(world)
    mine = ripple.scene_of(visit(2)).course.booked[2]

    with pytest.raises(AddOnNotOffered):
        ripple.carry_out(
            appointment=visit(2),
            change=Change(kind="add_ons", choice=mine, add_ons=("Laser",)),
            by=world.desk,
            now=NOW,
            key=uuid4(),
        )


def test_a_patient_who_is_here_can_have_more_still(world):
    booked(world)
    now = at("2026-03-03 10:20")
    booking.arrive(appointment=visit(1), by=world.desk, now=at("2026-03-03 09:55"))

    change(world, 1, "Lamp", now=now)

    assert (minutes(visit(1)), visit(1).status) == (90, "arrived")


def test_the_patient_is_told_only_of_another_start(world):
    booked(world)
    Message.objects.all().delete()

    change(world, 2, "Lamp")

    assert not Message.objects.exists()


def test_a_move_that_was_not_told_yet_is_told_with_the_visit_as_it_is_now(world):
    booked(world)
    scene = ripple.scene_of(visit(2))
    choice = course.choice_at(ripple.options(scene, now=NOW), 2, date(2026, 4, 8), time(14))
    ripple.carry_out(
        appointment=visit(2), change=Change(kind="move", choice=choice), by=world.desk, now=NOW, key=uuid4()
    )

    change(world, 2, "Lamp")

    notices = Message.objects.filter(appointment=visit(2), kind="change").values_list("counts_from", flat=True)
    assert any(said.endswith(f"#{visit(2).sequence}") for said in notices)


def test_undo_gives_back_the_add_ons_the_length_and_the_time_after(world):
    series = booked(world, {2: ["Mask"]})
    change(world, 2, "Lamp")
    assert undo.possible(visit(2)) == "the change of add-ons"

    undo.undo(appointment=visit(2), by=world.desk, now=NOW)

    assert kept(series)[2] == ["Mask"]
    assert minutes(visit(2)) == 85
    assert "Lamp 1" not in [name for name, _start, _end in takes(visit(2))]


def test_a_device_that_is_used_meanwhile_is_held_with_the_treatment(world):
    lamp = world.protocol.add_ons.get(add_on__name="Lamp").add_on
    lamp.extra_minutes = None
    lamp.save()

    booked(world, {2: ["Lamp"]})

    assert minutes(visit(2)) == 75
    assert ("Lamp 1", "10:30", "11:15") in takes(visit(2))
    assert ("Pen 1", "10:30", "11:15") in takes(visit(2))


def test_an_earlier_time_needs_the_device_of_the_add_on_too(world):
    lamp = world.protocol.add_ons.get(add_on__name="Lamp").add_on
    lamp.extra_minutes = None
    lamp.save()
    booked(world, {2: ["Lamp"]})
    day = visit(2).starts_at.date()

    assert list(openings(visit(2), [day], now=NOW))
    Resource.objects.filter(name="Lamp 1").update(active=False)
    assert not list(openings(visit(2), [day], now=NOW))


def test_on_another_version_what_is_booked_keeps_its_add_ons_and_what_is_to_book_follows(world):
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    series = world.a_series(add_ons={1: ["Lamp"], 2: ["Lamp", "Mask"]})
    pinned = course.choice_at(
        course.propose(course=course.rest_of(series), order=Order(site=world.site, first_day=DAYS[0]), now=NOW),
        1,
        DAYS[0],
        time(10),
    )
    order = Order(site=world.site, first_day=DAYS[0], pinned={1: pinned})
    course.book_rest(series=series, order=order, by=world.desk, now=NOW, key=uuid4())
    world.protocol.add_ons.get(add_on__name="Lamp").delete()
    protocols.record_change(protocol=world.protocol, by=world.desk, now=NOW)

    series_version.move(series=series, version=2, site=world.site, by=world.desk, now=NOW, key=uuid4())

    assert kept(series) == {1: ["Lamp"], 2: ["Mask"], 3: []}
    assert minutes(visit(1)) == 90
