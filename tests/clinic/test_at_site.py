"""One remembered site for the whole desk; a patient with visits is booked where the latest one is."""

import pytest
import time_machine
from django.urls import reverse

from clinic.models import Site
from patients.models import Patient
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def airport(db):
    """Comes first by name."""
    return Site.objects.create(name="Airport", short_name="Airport", time_zone="Europe/London", country="GB")


@pytest.fixture
def desk(client, world, airport):
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def proposed(desk, world) -> Site:
    return desk.get(reverse("desk:series-new", args=[world.patient.pk])).context["wishes"].initial["site"]


def test_a_site_chosen_in_the_diary_is_that_of_the_next_series(desk, world, airport):
    assert proposed(desk, world) == airport
    desk.get(reverse("desk:diary"), {"site": world.site.pk})

    assert proposed(desk, world) == world.site


def test_a_site_chosen_on_the_page_of_today_is_that_of_the_diary(desk, world):
    desk.get(reverse("desk:home"), {"site": world.site.pk})

    assert desk.get(reverse("desk:diary")).context["wanted"].site == world.site


def test_the_site_of_the_latest_visit_comes_before_the_one_chosen(desk, world, airport):
    book(world, a_visit(world))
    desk.get(reverse("desk:home"), {"site": airport.pk})

    assert proposed(desk, world) == world.site


def test_a_phone_number_is_read_in_the_country_of_the_site(desk, world):
    berlin = Site.objects.create(name="Mitte", short_name="Mitte", time_zone="Europe/Berlin", country="DE")
    desk.get(reverse("desk:home"), {"site": berlin.pk})
    said = {"given_name": "Anna", "language": "de", "phone": "030 12345678"}

    desk.post(reverse("desk:patient-new"), said)
    patient = Patient.objects.get(given_name="Anna")
    assert str(patient.phone) == "+493012345678"
    desk.post(reverse("desk:patient-edit", args=[patient.pk]), said | {"phone": "030 12345679"})

    patient.refresh_from_db()
    assert str(patient.phone) == "+493012345679"


def test_what_is_no_number_is_answered_with_one_of_the_country(desk, world):
    berlin = Site.objects.create(name="Mitte", short_name="Mitte", time_zone="Europe/Berlin", country="DE")
    desk.get(reverse("desk:home"), {"site": berlin.pk})

    answer = desk.post(reverse("desk:patient-new"), {"given_name": "Anna", "language": "de", "phone": "12"})

    assert "or +49 " in answer.context["form"].errors["phone"][0]
