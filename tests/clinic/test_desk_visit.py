"""Booking one visit at the desk, and what is decided of a maintenance cycle."""

from datetime import date
from html import unescape
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.models import Appointment
from clinic.services import booking
from patients.models import Patient
from tests.clinic.test_desk_series import inputs
from tests.clinic.test_visits import consultation, cycle
from tests.clinic.test_worklist import a_cycle
from tests.world import NOW, at, merged_into
from treatments.models import Maintenance, Treatment

pytestmark = pytest.mark.django_db
__all__ = ["consultation", "cycle"]


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def page_of(patient: Patient) -> str:
    return reverse("desk:visit-new", args=[patient.pk])


def filled(world, treatment=None, **values) -> dict:
    asked = {"site": world.site.pk, "first_day": "2026-03-02", "only": "on", "key": str(uuid4())}
    return asked | ({"treatment": treatment.pk} if treatment else {}) | values


def test_choosing_a_treatment_shows_free_times_the_first_chosen(desk, world, consultation):
    answer = desk.post(page_of(world.patient), filled(world, consultation))

    offers = answer.context["offers"]
    assert [f"{offer.starts:%a %H:%M}" for offer in offers][:2] == ["Mon 09:00", "Tue 09:00"]
    assert answer.context["pick"] == offers[0].code
    assert not Appointment.objects.exists()


def test_the_first_time_is_booked_in_one_press(desk, world, consultation):
    asked = filled(world, consultation)
    pick = desk.post(page_of(world.patient), asked).context["pick"]

    answer = desk.post(page_of(world.patient), asked | {"pick": pick, "book": "1"}, follow=True)

    appointment = Appointment.objects.get()
    assert answer.redirect_chain == [(reverse("desk:appointment", args=[appointment.pk]), 302)]
    assert "Booked: Mon 2 Mar 2026, 09:00." in answer.content.decode()


def test_a_double_press_books_once(desk, world, consultation):
    asked = filled(world, consultation)
    asked |= {"pick": desk.post(page_of(world.patient), asked).context["pick"], "book": "1"}

    answers = {desk.post(page_of(world.patient), asked)["Location"] for _press in range(3)}

    assert len(answers) == 1
    assert Appointment.objects.count() == 1


def test_a_double_press_for_a_typed_time_books_once_and_gives_equal_answers(desk, world, consultation):
    typed = {"own_date": "2026-03-05", "own_time": "14:05", "own_shown": "2026-03-05T14:05", "pick": "own"}
    asked = filled(world, consultation, book="1", **typed)

    answers = {desk.post(page_of(world.patient), asked)["Location"] for _press in range(3)}

    assert answers == {reverse("desk:appointment", args=[Appointment.objects.get().pk])}


def test_a_time_that_was_taken_gives_fresh_times_and_loses_nothing_that_was_typed(desk, world, consultation):
    asked = filled(world, consultation, earliest_time="10:00", weekdays=["1"])
    pick = desk.post(page_of(world.patient), asked).context["pick"]
    for _both in world.practitioners:
        rival = filled(world, consultation, pick="own", book="1", own_shown="2026-03-03T10:00")
        rival |= {"own_date": "2026-03-03", "own_time": "10:00"}
        assert desk.post(page_of(world.a_patient()), rival).status_code == 302

    answer = desk.post(page_of(world.patient), asked | {"pick": pick, "book": "1"})

    assert answer.status_code == 409
    assert "These are free now" in answer.content.decode()
    assert pick not in [offer.code for offer in answer.context["offers"]]
    form = answer.context["form"]
    assert (form["earliest_time"].value(), form["weekdays"].value()) == ("10:00", ["1"])


def test_a_typed_time_is_shown_before_it_is_booked(desk, world, consultation):
    asked = filled(world, consultation, own_date="2026-03-05", own_time="14:05", own_shown="T", book="1")

    answer = desk.post(page_of(world.patient), asked)

    assert f"{answer.context['own'].starts:%d %H:%M}" == "05 14:05"
    assert answer.context["pick"] == "own"
    assert not Appointment.objects.exists()
    again = asked | {"own_shown": answer.context["own_shown"], "pick": "own"}
    assert desk.post(page_of(world.patient), again).status_code == 302
    assert Appointment.objects.get().starts_at == at("2026-03-05 14:05")


@pytest.mark.parametrize(
    ("day", "clock", "words"),
    [
        pytest.param("2026-03-07", "10:00", "Nothing is free then", id="closed"),
        pytest.param("2026-02-30", "10:00", "that exist", id="no such day"),
        pytest.param("x", "\0", "that exist", id="nonsense"),
        pytest.param("2026-03-29", "01:30", "does not exist", id="skipped by the clocks"),
        pytest.param("2001-01-01", "10:00", "has passed", id="past"),
        pytest.param("1999-01-01", "10:00", "that exist", id="beyond what a diary knows"),
    ],
)
def test_a_typed_time_that_cannot_be_is_refused_beside_it(desk, world, consultation, day, clock, words):
    answer = desk.post(page_of(world.patient), filled(world, consultation, own_date=day, own_time=clock, take_own="1"))

    assert words in answer.context["own_problem"]
    assert answer.context["own_date"] == day
    assert answer.context["offers"]


def test_where_a_typed_time_is_refused_no_other_is_taken_unseen(desk, world, consultation):
    typed = filled(world, consultation, own_date="2026-03-03", own_time="20:00", take_own="1")
    answer = desk.post(page_of(world.patient), typed)
    assert answer.context["pick"] == ""

    shown = {"own_shown": answer.context["own_shown"], "asked": answer.context["asked"], "pick": ""}
    pressed = desk.post(page_of(world.patient), typed | shown | {"book": "1"})

    assert pressed.status_code == 422
    assert not Appointment.objects.exists()


def test_a_press_in_the_middle_of_other_wishes_shows_first_what_they_come_to(desk, world, consultation):
    asked = filled(world, consultation)
    page = desk.post(page_of(world.patient), asked)
    press = asked | {"pick": page.context["pick"], "asked": page.context["asked"], "earliest_time": "16", "book": "1"}

    answer = desk.post(page_of(world.patient), press)

    assert "has changed since these times were shown" in answer.content.decode()
    assert not Appointment.objects.exists()
    assert {offer.starts.hour for offer in answer.context["offers"]} <= {16, 17}


def test_a_time_chosen_in_the_diary_is_still_meant_once_a_treatment_is_chosen(desk, world, consultation):
    ben = world.practitioners[1]
    page = desk.get(
        page_of(world.patient), {"start": "2026-03-04T11:30", "practitioner": ben.pk, "site": world.site.pk}
    )
    hidden = {name: value for name, value in inputs(page.content.decode()).items() if name.startswith("own_")}
    kept = {"practitioner": page.context["form"]["practitioner"].value(), "first_day": "2026-03-04"}
    assert f'<option value="{ben.pk}" selected' in page.content.decode()

    answer = desk.post(page_of(world.patient), filled(world, consultation) | kept | hidden)

    own = answer.context["own"]
    assert (f"{own.starts:%d %H:%M}", own.where, answer.context["pick"]) == ("04 11:30", "Ben, Room 1", "own")


def test_the_diary_can_name_the_start_and_the_practitioner(desk, world, consultation):
    ben = world.practitioners[1]
    asked = {"treatment": consultation.pk, "start": "2026-03-04T11:30", "practitioner": ben.pk, "site": world.site.pk}

    answer = desk.get(page_of(world.patient), asked)

    own = answer.context["own"]
    assert (f"{own.starts:%d %H:%M}", own.where) == ("04 11:30", "Ben, Room 1")
    assert answer.context["pick"] == "own"


@pytest.mark.parametrize(
    "query",
    [
        "treatment=x&site=x&start=x&practitioner=x",
        "treatment=0&site=0&start=0001-01-01T00:00&practitioner=0",
        "start=9999-12-31T23:59&treatment=1",
        "maintenance=x",
        "start=2026-03-04T11:30%2b14:00",
        "treatment=%00",
    ],
)
def test_an_odd_address_opens_the_page(desk, world, query):
    assert desk.get(f"{page_of(world.patient)}?{query}").status_code == 200


@pytest.mark.parametrize(
    "values",
    [{"pick": "1.2.3.4"}, {"pick": "x"}, {"pick": "999999999...."}, {"pick": "999999999.1.1."}, {"pick": ""}],
)
def test_a_pick_that_was_never_offered_is_refused(desk, world, consultation, values):
    answer = desk.post(page_of(world.patient), filled(world, consultation, book="1", **values))

    assert answer.status_code in (409, 422)
    assert answer.context["problem"]
    assert not Appointment.objects.exists()


def test_a_treatment_without_phases_says_so_in_words(desk, world):
    answer = desk.post(page_of(world.patient), filled(world, Treatment.objects.create(name="Peel")))

    assert "how long a visit of “Peel” takes" in answer.content.decode()


# --- Maintenance ------------------------------------------------------------------------------


def test_maintenance_shows_its_times_at_once_from_its_due_date_on(desk, world, cycle):
    cycle.calculated_from = cycle.calculated_by = date(2026, 4, 13)
    cycle.save()

    answer = desk.get(page_of(world.patient), {"maintenance": cycle.pk})

    assert f"{answer.context['offers'][0].starts:%Y-%m-%d}" == "2026-04-13"


def test_maintenance_is_booked_for_its_cycle(desk, world, cycle):
    asked = filled(world, maintenance=cycle.pk)
    pick = desk.post(page_of(world.patient), asked).context["pick"]

    assert desk.post(page_of(world.patient), asked | {"pick": pick, "book": "1"}).status_code == 302

    assert Appointment.objects.get().maintenance == cycle


def test_the_cycle_of_somebody_else_is_not_found(desk, world, cycle):
    assert desk.get(page_of(world.a_patient()), {"maintenance": cycle.pk}).status_code == 404
    assert desk.post(page_of(world.a_patient()), filled(world, maintenance=cycle.pk)).status_code == 404


def test_a_waiting_cycle_leads_to_the_decision_first(desk, world, cycle):
    Maintenance.objects.update(state="waiting", calculated_from=None, calculated_by=None)

    answer = desk.get(page_of(world.patient), {"maintenance": cycle.pk})

    assert answer["Location"] == reverse("desk:maintenance-decide", args=[cycle.pk])


def test_a_booked_cycle_leads_back_to_the_patient(desk, world, cycle):
    Maintenance.objects.update(state="booked")

    answer = desk.get(page_of(world.patient), {"maintenance": cycle.pk}, follow=True)

    assert "This maintenance is booked." in answer.content.decode()


def decide(desk, cycle, action, **values):
    said = {f"{action}-{name}": value for name, value in values.items()}
    return desk.post(reverse("desk:maintenance-decide", args=[cycle.pk]), {"action": action} | said)


def test_the_clinicians_decision_is_kept_with_who_and_why(desk, world, cycle):
    Maintenance.objects.update(state="waiting", calculated_from=None, calculated_by=None)

    assert decide(desk, cycle, "decide", due_on="2026-05-04", reason="Dr Lee: scars settle").status_code == 302

    cycle.refresh_from_db()
    assert (cycle.state, cycle.due_from, cycle.overridden_by) == ("scheduled", date(2026, 5, 4), world.desk)
    assert cycle.override_reason == "Dr Lee: scars settle"


def test_a_cycle_is_put_off(desk, cycle):
    decide(desk, cycle, "defer", until="2026-06-01", reason="abroad")

    cycle.refresh_from_db()
    assert (cycle.state, cycle.deferred_until) == ("deferred", date(2026, 6, 1))


def test_a_cycle_is_declined(desk, world, cycle):
    decide(desk, cycle, "decline", reason="moved away")

    cycle.refresh_from_db()
    assert (cycle.state, cycle.settled_by, cycle.reason) == ("declined", world.desk, "moved away")


@pytest.mark.parametrize(
    ("action", "values", "words"),
    [
        pytest.param("decide", {"due_on": "2026-05-04"}, "Note who decided it", id="nobody decided"),
        pytest.param("decide", {"reason": "x"}, "This field is required", id="no day"),
        pytest.param("decide", {"due_on": "2026-03-01", "reason": "x"}, "This day has passed", id="a day that passed"),
        pytest.param("decide", {"due_on": "2099-05-04", "reason": "x"}, "very far ahead", id="a slip of the finger"),
        pytest.param("defer", {"until": "2026-03-02"}, "after today", id="put off to today"),
        pytest.param("defer", {"until": "soon"}, "Enter a day, such as", id="no date"),
        pytest.param("decline", {}, "Note why", id="declined without a word"),
        pytest.param("decline", {"reason": "\0"}, "Null characters", id="a control character"),
    ],
)
def test_what_is_missing_is_said_beside_the_field_and_what_was_typed_stays(desk, cycle, action, values, words):
    answer = decide(desk, cycle, action, **values)

    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert words in page
    assert Maintenance.objects.get().state == "scheduled"


@pytest.mark.parametrize("state", ["booked", "attended"])
def test_a_settled_cycle_is_refused_in_words(desk, cycle, state):
    on = {"attended_on": date(2026, 3, 1), "settled_at": NOW} if state == "attended" else {}
    Maintenance.objects.update(state=state, **on)

    decide(desk, cycle, "decline", reason="x")
    answer = desk.get(reverse("desk:maintenance-decide", args=[cycle.pk]))

    assert f"This maintenance is {state}." in answer.content.decode()


def test_an_unknown_action_changes_nothing(desk, cycle):
    assert desk.post(reverse("desk:maintenance-decide", args=[cycle.pk]), {"action": "x"}).status_code == 200


# --- The ways there ---------------------------------------------------------------------------


def test_the_patients_page_offers_a_visit_and_each_due_cycle(desk, world, cycle):
    page = desk.get(reverse("desk:patient", args=[world.patient.pk])).content.decode()

    assert f'href="{page_of(world.patient)}"' in page
    assert f'href="{page_of(world.patient)}?maintenance={cycle.pk}"' in page
    assert reverse("desk:maintenance-decide", args=[cycle.pk]) in page


def test_the_page_of_a_cancelled_maintenance_visit_offers_it_again(desk, world, cycle):
    asked = filled(world, maintenance=cycle.pk)
    asked |= {"pick": desk.post(page_of(world.patient), asked).context["pick"], "book": "1"}
    desk.post(page_of(world.patient), asked)
    appointment = Appointment.objects.get()
    booking.cancel(appointment=appointment, reason="ill", by=world.desk, now=NOW)

    page = desk.get(reverse("desk:appointment", args=[appointment.pk])).content.decode()

    assert f"{page_of(world.patient)}?maintenance={cycle.pk}" in page


def test_the_record_of_a_patient_that_was_merged_books_nothing(desk, world):
    other = world.a_patient()
    Patient.objects.filter(pk=other.pk).update(**merged_into(world.patient))

    assert desk.get(page_of(other)).url == page_of(world.patient)


# --- A maintenance that is due ------------------------------------------------------------------------


def test_a_visit_of_a_treatment_that_is_due_is_booked_as_the_maintenance_unless_somebody_says_no(desk, world):
    due = a_cycle(world, due=date(2026, 3, 1), by=date(2026, 4, 1))
    asked = filled(world, world.treatment)

    shown = desk.post(page_of(world.patient), asked)

    assert (shown.context["may_be"], shown.context["as_due"]) == (due, True)
    assert "This is the maintenance that is due: Acne scars, Sun 1 Mar – Wed 1 Apr 2026" in shown.content.decode()
    asked |= {"pick": shown.context["pick"], "book": "1", "due_shown": due.pk, "as_due": "on", "key": uuid4()}
    answers = {desk.post(page_of(world.patient), asked)["Location"] for _press in range(2)}
    assert len(answers) == 1
    assert Appointment.objects.get().maintenance == due
    due.refresh_from_db()
    assert due.state == "booked"


def test_a_visit_that_is_not_the_maintenance_leaves_it_due(desk, world):
    due = a_cycle(world, due=date(2026, 3, 1))
    asked = filled(world, world.treatment, due_shown=due.pk)

    shown = desk.post(page_of(world.patient), asked)

    assert shown.context["as_due"] is False
    desk.post(page_of(world.patient), asked | {"pick": shown.context["pick"], "book": "1"})
    assert Appointment.objects.get().maintenance is None


def test_nothing_is_booked_as_a_maintenance_that_the_page_has_not_shown(desk, world):
    asked = filled(world, world.treatment)
    pick = desk.post(page_of(world.patient), asked).context["pick"]
    due = a_cycle(world, due=date(2026, 3, 1))

    for shown in ({}, {"due_shown": 999, "as_due": "on"}):
        answer = desk.post(page_of(world.patient), asked | {"pick": pick, "book": "1"} | shown)
        assert (answer.status_code, answer.context["may_be"]) == (200, due)
    Maintenance.objects.update(state="booked")
    gone = {"pick": pick, "book": "1", "due_shown": due.pk, "as_due": "on"}
    assert desk.post(page_of(world.patient), asked | gone).status_code == 200
    assert not Appointment.objects.exists()
