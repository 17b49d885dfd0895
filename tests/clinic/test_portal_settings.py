"""What the clinic may write to a patient, and the patient's own data as a file."""

import json
from zoneinfo import ZoneInfo

import pytest
import time_machine

from patients.models import Consent, RecordView
from patients.services import consent_in_force, create_account, give_consent
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

pytestmark = pytest.mark.django_db

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
PAGE = "/my/preferences/"


@pytest.fixture
def portal(client, world):
    client.force_login(create_account(patient=world.patient, by=world.desk, now=NOW), backend=BACKEND)
    world.patient.refresh_from_db()
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


def box(client, name: str) -> str:
    """The markup of one tick box."""
    page = client.get(PAGE).content.decode()
    return page[page.index(f'name="{name}"') :].partition(">")[0]


def choose(client, *names: str, language: str = "en-gb", **values: str):
    return client.post(PAGE, dict.fromkeys(names, "on") | {"language": language} | values, follow=True)


def test_what_holds_is_ticked(portal, world):
    give_consent(patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOW)

    assert "checked" in box(portal, "service-email")
    assert "checked" in box(portal, "recall-email")
    assert "checked" not in box(portal, "marketing-email")


def test_a_yes_and_a_no_are_recorded_with_their_wording_and_source(portal, world):
    choose(portal, "recall-email")

    yes = consent_in_force(world.patient, "recall", "email")
    no = consent_in_force(world.patient, "service", "email")
    assert (yes.granted, no.granted) == (True, False)
    assert {yes.source, no.source} == {"portal"}
    assert yes.wording == "You may e-mail me when my next maintenance is due."
    assert yes.recorded_by.patient == world.patient


def test_saving_without_a_change_records_nothing(portal):
    for _twice in range(2):
        choose(portal, "service-email")

    assert not Consent.objects.exists()


def test_what_cannot_be_reached_is_not_offered_and_not_taken(portal, world):
    assert "disabled" in box(portal, "recall-sms")

    choose(portal, "service-email", "recall-sms")

    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param("Australia/Sydney", "Australia/Sydney", id="chosen"),
        pytest.param("", None, id="the clinic's"),
        pytest.param("Mars/Base", "Asia/Kolkata", id="unknown: as it was"),
    ],
)
def test_the_time_zone_is_the_patients_to_choose(portal, world, said, kept):
    type(world.patient).objects.update(time_zone="Asia/Kolkata")

    choose(portal, "service-email", time_zone=said)

    world.patient.refresh_from_db()
    assert world.patient.time_zone == (ZoneInfo(kept) if kept else None)


def test_an_unknown_language_is_passed_over(portal, world):
    choose(portal, "service-email", language="tlh")

    world.patient.refresh_from_db()
    assert world.patient.language == "en-gb"


def test_the_file_holds_what_is_kept_and_nobody_else(portal, world):
    book(world, a_visit(world))
    other = world.a_patient("Secret", "Other")
    book(world, a_visit(world, "2026-03-05 10:00"), other)
    world.a_series()
    give_consent(patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOW)

    response = portal.post("/my/data/")

    kept = json.loads(response.content)
    assert kept["details"]["email"] == "amal@example.com"
    assert [visit["starts_at"] for visit in kept["visits"]] == ["2026-03-03T10:00:00Z"]
    assert [series["protocol"] for series in kept["series"]] == ["Acne scars"]
    assert len(kept["series"][0]["sessions"]) == 3
    assert kept["consents"][0]["wording"] == "You may e-mail me when my next maintenance is due."
    assert kept["series"][0]["sessions"][0]["add_ons"] == []
    assert kept["visits"][0]["phases"][0]["minutes"]
    assert [message["kind"] for message in kept["messages"]] == ["confirmation"]
    assert kept["messages"][0]["appointment__starts_at"] == "2026-03-03T10:00:00Z"
    assert kept["looks_at_the_record"][0]["page"] == "portal:data"
    assert b"Secret" not in response.content
    assert response["Content-Disposition"] == 'attachment; filename="my-data-2026-03-02.json"'


def test_that_it_was_taken_is_recorded_and_looking_takes_nothing(portal, world):
    assert portal.get("/my/data/").status_code == 302
    assert not RecordView.objects.exists()

    portal.post("/my/data/")

    assert RecordView.objects.filter(patient=world.patient, page="portal:data").count() == 1
