"""Whoever is being booked for and is not registered yet is registered on the way: what was chosen is not lost."""

import re

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from clinic.models import Appointment
from patients.models import Patient
from tests.clinic.test_desk_series import filled, inputs, posted_back
from tests.clinic.test_roles import signed_in
from tests.world import NOW
from treatments.models import Series

pytestmark = pytest.mark.django_db

REGISTER = reverse("desk:patient-new")
PERSON = {"given_name": "Jane", "family_name": "Doe", "language": "en-gb"}


@pytest.fixture
def desk(world) -> Client:
    with time_machine.travel(NOW, tick=False):
        yield signed_in(world.desk)


def hidden(page: str) -> dict:
    """What the page of the registration sends along."""
    tags = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: value for name, value in tags if name != "csrfmiddlewaretoken"}


def test_from_an_empty_time_of_the_diary_it_goes_on_with_that_time(desk, world):
    wanted = {"site": str(world.site.pk), "start": "2026-03-03T09:30", "practitioner": str(world.practitioners[1].pk)}

    form = desk.post(REGISTER, wanted | {"then": "visit", "typed": "Jane Doe"}).content.decode()
    assert "and the time you chose" in form
    assert hidden(form) == wanted | {"then": "visit"}
    answer = desk.post(REGISTER, hidden(form) | PERSON)

    jane = Patient.objects.get(given_name="Jane")
    assert answer["Location"].startswith(reverse("desk:visit-new", args=[jane.pk]))
    page = desk.get(answer["Location"] + f"&treatment={world.treatment.pk}").content.decode()
    assert (inputs(page)["own_date"], inputs(page)["own_time"]) == ("3 Mar 2026", "09:30")
    assert re.search(rf'<option value="{world.practitioners[1].pk}" selected', page)


def test_from_a_series_it_goes_on_with_the_same_choices_for_the_new_patient(desk, world):
    chosen = filled(world, weekdays=["1", "3"], earliest_time="15:00", only="on")

    form = desk.post(REGISTER, chosen | {"then": "series"}).content.decode()
    assert "and what you chose for it" in form
    answer = desk.post(REGISTER, hidden(form) | {"weekdays": ["1", "3"]} | PERSON, follow=True)

    jane = Patient.objects.get(given_name="Jane")
    assert answer.redirect_chain == [(reverse("desk:series-new", args=[jane.pk]), 307)]
    page = answer.content.decode()
    assert "Jane Doe" in page
    # The proposal is there at once, on the days that were asked for.
    assert "Tue 3 Mar 2026, 15:00" in page
    assert len([name for name in posted_back(page) if name.startswith("pick")]) == 3


def test_every_choice_of_a_list_of_several_is_carried(desk, world):
    form = desk.post(REGISTER, filled(world, weekdays=["1", "3"]) | {"then": "series"}).content.decode()

    assert re.findall(r'name="weekdays" value="(\d)"', form) == ["1", "3"]


def test_what_is_refused_and_who_is_alike_lose_nothing_of_it_either(desk, world):
    twin = world.a_patient("Jane", "Doe")
    chosen = filled(world) | {"then": "series"}

    refused = desk.post(REGISTER, chosen | PERSON | {"date_of_birth": "1/1/2077"}).content.decode()
    alike = desk.post(REGISTER, chosen | PERSON).content.decode()

    for page in (refused, alike):
        assert hidden(page)["protocol"] == str(world.protocol.pk)
    assert f'formaction="{reverse("desk:series-new", args=[twin.pk])}"' in alike
    used = desk.post(reverse("desk:series-new", args=[twin.pk]), hidden(alike) | PERSON).content.decode()
    assert "Jane Doe" in used
    assert posted_back(used)


def test_whoever_is_alike_is_led_to_the_time_that_was_chosen(desk, world):
    twin = world.a_patient("Jane", "Doe")

    page = desk.post(REGISTER, PERSON | {"then": "visit", "site": "1", "start": "2026-03-03T09:30"}).content.decode()

    assert f'href="{reverse("desk:visit-new", args=[twin.pk])}?site=1&amp;start=2026-03-03T09%3A30"' in page


def test_registering_books_nothing(desk, world):
    desk.post(REGISTER, filled(world) | PERSON | {"then": "series", "book": "1"}, follow=True)

    assert Patient.objects.filter(given_name="Jane").exists()
    assert not Series.objects.exists()
    assert not Appointment.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"then": "elsewhere"}, id="no such page"),
        pytest.param({"then": "visit", "start": "//evil.example", "site": "1&x=y"}, id="what is no time and no key"),
        pytest.param({"then": "visit", "given_names": "Jane"}, id="what belongs to nothing"),
    ],
)
def test_what_makes_no_sense_is_left_behind(desk, world, sent):
    answer = desk.post(REGISTER, PERSON | sent)

    jane = Patient.objects.get(given_name="Jane")
    pages = [reverse("desk:patient", args=[jane.pk]), f"{reverse('desk:visit-new', args=[jane.pk])}?"]
    assert answer["Location"] in pages


def test_the_pages_offer_it(desk, world):
    series = desk.get(reverse("desk:series-new", args=[world.patient.pk])).content.decode()
    found = desk.post(reverse("desk:patient-search"), {"q": "amal"}, headers={"HX-Request": "true"}).content.decode()

    assert f'form="series-form" formaction="{REGISTER}" name="then" value="series"' in series
    assert "data-register" in found
