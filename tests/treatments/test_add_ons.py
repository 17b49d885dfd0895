"""How long a visit is and what it takes with its add-ons; which add-ons a session can have."""

from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from tests.world import NOW
from treatments.models import AddOn, DeviceKind, ProtocolAddOn, Session
from treatments.services import add_ons
from treatments.services import series as courses
from treatments.services.add_ons import AddOnNotOffered
from treatments.terms import AddOn as Extra
from treatments.terms import Phase, PhaseWithMore, SessionCount, Terms

NUMBING = Phase("Numbing", 30, practitioner=False, room=True, numbing=True)
NEEDLING = Phase("Needling", 45, practitioner=True, room=True, device_kind="Pen")
REST = Phase("Rest", 10, practitioner=False, room=True)
SERUM = Extra("Serum", "included")
MASK = Extra("Mask", "included", extra_minutes=10)
LAMP = Extra("Lamp", "optional", extra_minutes=15, device_kind="Lamp")
FAN = Extra("Fan", "recommended", device_kind="Fan")
DEEPER = Extra("Deeper", "optional", device_kind="Pen")
TWELVE = Extra("Twelve", "optional", extra_minutes=12)


def terms(*extras: Extra, phases=(NUMBING, NEEDLING, REST), **values) -> Terms:
    return Terms("Microneedling", SessionCount("fixed", 3, 3), phases=phases, add_ons=extras, **values)


def drawn(phases) -> list[tuple]:
    return [(phase.name, phase.minutes, phase.practitioner, *phase.device_kinds) for phase in phases]


PLAIN = [("Numbing", 30, False), ("Needling", 45, True, "Pen"), ("Rest", 10, False)]


@pytest.mark.parametrize(
    ("extras", "chosen", "expected"),
    [
        pytest.param((), (), PLAIN, id="none"),
        pytest.param((SERUM,), (), PLAIN, id="included, and nobody said that it takes time"),
        pytest.param((LAMP,), (), PLAIN, id="not chosen"),
        pytest.param((LAMP,), ("Other",), PLAIN, id="not in the terms"),
        pytest.param(
            (LAMP,), ("Lamp",), [*PLAIN[:2], ("Lamp", 15, True, "Lamp"), PLAIN[2]], id="after the practitioner's work"
        ),
        pytest.param((MASK,), (), [*PLAIN[:2], ("Mask", 10, True), PLAIN[2]], id="included counts unasked"),
        pytest.param(
            (MASK, LAMP),
            ("Lamp", "Lamp"),
            [*PLAIN[:2], ("Mask", 10, True), ("Lamp", 15, True, "Lamp"), PLAIN[2]],
            id="in the order of the terms, each once",
        ),
        pytest.param(
            (FAN,),
            ("Fan",),
            [PLAIN[0], ("Needling", 45, True, "Pen", "Fan"), PLAIN[2]],
            id="a second device meanwhile",
        ),
        pytest.param((DEEPER,), ("Deeper",), PLAIN, id="the device that is there already"),
        pytest.param(
            (TWELVE,), ("Twelve",), [*PLAIN[:2], ("Twelve", 15, True), PLAIN[2]], id="in whole steps of the diary"
        ),
    ],
)
def test_a_visit_with_its_add_ons(extras, chosen, expected):
    assert drawn(terms(*extras).visit_with(chosen)) == expected


def test_a_visit_without_work_of_the_practitioner_is_lengthened_at_its_end():
    visit = terms(LAMP, FAN, phases=(REST,)).visit_with(("Lamp", "Fan"))

    assert drawn(visit) == [("Rest", 10, False, "Fan"), ("Lamp", 15, False, "Lamp")]


def test_add_ons_do_not_make_a_visit_of_which_nobody_said_how_long_it_is():
    assert terms(LAMP, phases=()).visit_with(("Lamp",)) == ()


def test_numbing_is_left_out_with_add_ons_too():
    assert drawn(terms(LAMP, anaesthesia="none").visit_with(("Lamp",)))[0] == PLAIN[1]


def test_what_is_included_cannot_be_chosen_and_each_is_offered_once():
    both = terms(SERUM, LAMP, replace(LAMP, role="recommended"), replace(SERUM, role="optional"))

    assert [extra.name for extra in both.choosable] == ["Lamp"]
    assert both.included == ("Serum",)


def test_a_phase_with_a_second_device_is_the_same_after_storing():
    phase = terms(FAN).visit_with(("Fan",))[1]

    assert isinstance(phase, PhaseWithMore)
    assert PhaseWithMore.from_json(phase.to_json()) == phase


# --- Kept with the session --------------------------------------------------------------------


@pytest.fixture
def offering(world):
    """The clinic of the tests, whose protocol has a serum in each session, and offers a lamp and a mask."""
    lamp = DeviceKind.objects.create(name="Lamp")
    for position, (name, role, minutes, kind) in enumerate(
        [("Serum", "included", None, None), ("Lamp", "optional", 15, lamp), ("Mask", "recommended", 10, None)]
    ):
        add_on = AddOn.objects.create(name=name, extra_minutes=minutes, device_kind=kind)
        ProtocolAddOn.objects.create(protocol=world.protocol, position=position, add_on=add_on, role=role)
    return world


def kept(series) -> dict[int, list[str]]:
    return dict(series.sessions.values_list("number", "add_ons"))


@pytest.mark.django_db
def test_a_series_starts_with_what_was_chosen_for_each_session(offering):
    series = offering.a_series(add_ons={1: ["Mask", "Lamp", "Serum"], 3: ["Lamp"]})

    assert kept(series) == {1: ["Lamp", "Mask"], 2: [], 3: ["Lamp"]}


@pytest.mark.django_db
def test_what_the_terms_do_not_offer_is_refused_in_words(offering):
    with pytest.raises(AddOnNotOffered, match="“Laser” is not among the add-ons"):
        offering.a_series(add_ons={1: ["Laser"]})


@pytest.mark.django_db
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["Laser"], id="not in the terms"),
        pytest.param(["Lamp", "Laser"], id="one of them not"),
        pytest.param(["Serum"], id="included already"),
        pytest.param(["Lamp", "Lamp"], id="twice"),
    ],
)
def test_the_database_refuses_what_the_series_does_not_offer(offering, names):
    session = offering.a_series().sessions.get(number=1)

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Session.objects.filter(pk=session.pk).update(add_ons=names)
    assert refused.value.__cause__.diag.constraint_name == "session_add_ons_as_agreed"
    with pytest.raises(IntegrityError, match="do not offer"), transaction.atomic():
        Session.objects.create(series=session.series, number=9, add_ons=names)


@pytest.mark.django_db
def test_a_choice_stays_where_the_terms_change_later(offering):
    series = offering.a_series(add_ons={1: ["Lamp"], 2: ["Lamp", "Mask"]})
    said = series.terms
    series.terms_json = replace(said, add_ons=tuple(a for a in said.add_ons if a.name != "Lamp")).to_json()
    series.save()

    courses.attend(session=series.sessions.get(number=1), on=NOW.date(), by=offering.desk, now=NOW)
    add_ons.forget_unknown(series=series)

    assert kept(series) == {1: ["Lamp"], 2: ["Mask"], 3: []}


@pytest.mark.django_db
def test_what_is_recorded_keeps_its_add_ons(offering):
    series = offering.a_series(add_ons={1: ["Lamp"]})
    courses.attend(session=series.sessions.get(number=1), on=NOW.date(), by=offering.desk, now=NOW)

    with pytest.raises(AddOnNotOffered, match="Session 1 is recorded already"):
        add_ons.choose(series=series, add_ons={1: ["Mask"], 2: ["Lamp"]})
    assert kept(series) == {1: ["Lamp"], 2: [], 3: []}
