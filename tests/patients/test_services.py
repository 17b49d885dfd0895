"""Register, change, agree, sign in: what the services do and refuse."""

from datetime import UTC, date, datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection, transaction

from patients import services
from patients.models import Channel, Consent, Patient, Purpose, RecordView

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
PERSON = {
    "given_name": "Jane",
    "family_name": "Doe",
    "date_of_birth": date(1988, 2, 3),
    "email": "Jane@Example.org",
    "phone": "+442079460018",
    "language": "en-gb",
}


@pytest.fixture
def clerk():
    return User.objects.create_user("clerk", email="clerk@example.org", is_staff=True)


@pytest.fixture
def jane(clerk):
    return services.register(**PERSON, by=clerk, now=NOW)


def changed(patient, **values):
    contact = {
        name: getattr(patient, name)
        for name in [
            "given_name",
            "family_name",
            "date_of_birth",
            "email",
            "phone",
            "language",
            "first_channel",
            "time_zone",
            "notes",
        ]
    }
    return services.change_contact(patient=patient, **contact | values)


def test_registering_keeps_who_when_and_each_yes_in_its_words(clerk):
    asked = [(Purpose.SERVICE, Channel.EMAIL), (Purpose.RECALL, Channel.SMS)]

    patient = services.register(**PERSON, consents=asked, by=clerk, now=NOW)

    assert (patient.registered_by, patient.registered_at) == (clerk, NOW)
    assert {
        (c.purpose, c.channel, c.granted, c.wording, c.source, c.recorded_by, c.given_at)
        for c in patient.consents.all()
    } == {(p, c, True, services.wording(p, c), "desk", clerk, NOW) for p, c in asked}


@pytest.mark.parametrize(
    ("lacking", "channel", "sentence"),
    [
        pytest.param("email", Channel.EMAIL, "Enter an e-mail address first", id="no address for e-mail"),
        pytest.param("phone", Channel.SMS, "Enter a phone number first", id="no number for texts"),
    ],
)
def test_a_yes_to_a_channel_that_is_not_there_registers_nobody(clerk, lacking, channel, sentence):
    with pytest.raises(services.PatientError, match=sentence):
        services.register(**PERSON | {lacking: ""}, consents=[(Purpose.SERVICE, channel)], by=clerk, now=NOW)

    assert not Patient.objects.exists()


def test_the_latest_word_counts_and_the_earlier_are_kept(jane, clerk):
    asked = {"patient": jane, "purpose": Purpose.RECALL, "channel": Channel.EMAIL}
    assert services.consent_in_force(**asked) is None

    services.give_consent(**asked, source="desk", by=clerk, now=NOW)
    assert services.consent_in_force(**asked).granted
    services.withdraw_consent(**asked, source="portal", by=None, now=NOW + timedelta(days=1))

    assert not services.consent_in_force(**asked).granted
    assert services.consent_in_force(**asked | {"channel": Channel.SMS}) is None
    assert jane.consents.count() == 2


def test_a_consent_and_a_look_are_never_changed(jane, clerk):
    consent = services.give_consent(patient=jane, purpose="recall", channel="email", source="desk", by=clerk, now=NOW)
    services.record_view(patient=jane, page="desk:patient", by=clerk, now=NOW)
    changes = [
        lambda: Consent.objects.filter(pk=consent.pk).update(granted=False),
        lambda: consent.delete(),
        lambda: RecordView.objects.update(user=clerk),
        lambda: RecordView.objects.all().delete(),
    ]
    for change in changes:
        with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
            change()


def test_an_account_signs_in_by_code_and_says_nothing_of_the_person(jane, clerk):
    user = services.create_account(patient=jane, by=clerk, now=NOW)

    jane.refresh_from_db()
    address = EmailAddress.objects.get(user=user)
    assert jane.user == user
    assert (address.email, address.verified, address.primary) == ("jane@example.org", True, True)
    assert (user.email, user.is_staff, user.has_usable_password()) == ("jane@example.org", False, False)
    assert not {"jane", "doe", "example"} & set(user.username.lower().replace("-", " ").split())
    assert (user.first_name, user.last_name) == ("", "")


def test_two_accounts_have_different_names(jane, clerk):
    other = services.register(**PERSON | {"email": "other@example.org"}, by=clerk, now=NOW)

    names = {services.create_account(patient=p, by=clerk, now=NOW).username for p in (jane, other)}

    assert len(names) == 2


@pytest.mark.parametrize("address", ["clerk@example.org", "CLERK@example.org"])
def test_an_address_that_signs_in_already_gets_no_second_account(clerk, address):
    patient = services.register(**PERSON | {"email": address}, by=clerk, now=NOW)

    with pytest.raises(services.AccountNotPossible, match="Another account"):
        services.create_account(patient=patient, by=clerk, now=NOW)

    assert User.objects.count() == 1


def test_an_address_taken_between_look_and_insert_is_refused_in_words(jane, clerk, monkeypatch):
    EmailAddress.objects.create(user=clerk, email="jane@example.org", verified=True, primary=True)
    monkeypatch.setattr(services, "refuse_taken", lambda *args, **kwargs: None)

    with pytest.raises(services.AccountNotPossible, match="Another account"):
        services.create_account(patient=jane, by=clerk, now=NOW)

    assert User.objects.count() == 1


def test_a_patient_without_an_address_gets_no_account(clerk):
    patient = services.register(**PERSON | {"email": ""}, by=clerk, now=NOW)

    with pytest.raises(services.AccountNotPossible, match="Enter an e-mail address first"):
        services.create_account(patient=patient, by=clerk, now=NOW)


def test_a_second_press_gives_no_second_account(jane, clerk):
    services.create_account(patient=jane, by=clerk, now=NOW)

    with pytest.raises(services.AccountNotPossible, match="has access already"):
        services.create_account(patient=jane, by=clerk, now=NOW)

    assert EmailAddress.objects.count() == 1


def test_the_address_to_sign_in_follows_the_patient(jane, clerk):
    user = services.create_account(patient=jane, by=clerk, now=NOW)

    changed(jane, email="new@example.org")

    user.refresh_from_db()
    assert user.email == "new@example.org"
    assert [(a.email, a.verified, a.primary) for a in EmailAddress.objects.all()] == [("new@example.org", True, True)]


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        pytest.param("", "cannot be left empty", id="emptied"),
        pytest.param("Clerk@example.org", "Another account", id="somebody else's"),
    ],
)
def test_who_signs_in_keeps_an_address_of_their_own(jane, clerk, email, sentence):
    services.create_account(patient=jane, by=clerk, now=NOW)

    with pytest.raises(services.AccountNotPossible, match=sentence):
        changed(jane, email=email, given_name="Janet")

    jane.refresh_from_db()
    assert (jane.email, jane.given_name) == ("Jane@Example.org", "Jane")


def test_every_change_is_in_the_history(jane):
    changed(jane, family_name="Roe")

    assert list(jane.events.order_by("pgh_id").values_list("pgh_label", "family_name")) == [
        ("insert", "Doe"),
        ("update", "Roe"),
    ]


@pytest.mark.parametrize(
    ("other", "found"),
    [
        pytest.param({}, True, id="the same in everything"),
        pytest.param({"email": "", "phone": ""}, True, id="same name and day of birth"),
        pytest.param({"email": "", "phone": "", "date_of_birth": None}, True, id="same name, day unknown"),
        pytest.param({"email": "", "phone": "", "given_name": "DOE", "family_name": "jäne"}, True, id="names swapped"),
        pytest.param({"email": "", "phone": "", "given_name": "Jayne"}, True, id="name alike, same day of birth"),
        pytest.param({"email": "", "phone": "", "date_of_birth": date(1950, 1, 1)}, False, id="namesake, other day"),
        pytest.param({"email": "", "phone": "", "given_name": "Max", "family_name": "Li"}, False, id="same day only"),
        pytest.param({"given_name": "Max", "family_name": "Li", "email": ""}, True, id="same phone"),
        pytest.param({"given_name": "Max", "family_name": "Li", "phone": ""}, True, id="same e-mail"),
        pytest.param(
            {"given_name": "Max", "family_name": "Li", "phone": "", "email": "", "date_of_birth": None},
            False,
            id="nothing in common",
        ),
    ],
)
def test_likely_duplicates(jane, other, found):
    person = {name: value for name, value in PERSON.items() if name != "language"} | other

    assert services.duplicates_of(**person) == ([jane] if found else [])


def test_an_empty_phone_and_address_are_no_common_ground(clerk):
    services.register(given_name="A", language="en-gb", by=clerk, now=NOW)

    assert services.duplicates_of(given_name="Z", family_name="", date_of_birth=None, phone="", email="") == []


def test_a_change_by_raw_sql_is_in_the_history_too(jane):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE patients_patient SET family_name = 'Raw' WHERE id = %s", [jane.pk])

    assert jane.events.filter(pgh_label="update", family_name="Raw").exists()
