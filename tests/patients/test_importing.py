"""Patients from another system: what each line says, whom it means, and what is stored."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from patients import importing, services
from patients.dry_runs import IMPORTING, ImportRefused
from patients.models import Consent, Patient
from tests.world import LONDON, NOW, TODAY, a_clinic

HEADINGS = "reference,given name,family name,date of birth,e-mail,phone"
JANE = "P-1,Jane,Doe,3.2.1988,jane@example.com,020 7946 0018"


def a_file(*lines: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *lines]).encode()


def look(*lines: str, headings: str = HEADINGS):
    return importing.dry_run(a_file(*lines, headings=headings), today=TODAY)


def take(world, *lines: str, headings: str = HEADINGS, answers=None, seen=None):
    content = a_file(*lines, headings=headings)
    return importing.take(
        content,
        answers=answers or {},
        seen=seen or importing.dry_run(content, today=TODAY).seen,
        today=TODAY,
        by=world.desk,
        now=NOW,
        zone=LONDON,
    )


def a_jane(world, **values) -> Patient:
    return world.a_patient(
        **{"given_name": "Jane", "family_name": "Doe", "date_of_birth": date(1988, 2, 3), "email": "j@example.org"}
        | values
    )


def test_a_patient_is_stored_as_the_line_says(world):
    headings = f"{HEADINGS},language,notes,consent recall email,consent marketing sms,consent date"

    done = take(world, f'{JANE},Deutsch,"Allergic.\nTo latex.",ja,no,01/06/2025', headings=headings)

    patient = Patient.objects.get(reference="P-1")
    assert (done.created, done.linked, done.left_out) == (1, 0, 0)
    assert (str(patient), patient.date_of_birth, patient.email) == ("Jane Doe", date(1988, 2, 3), "jane@example.com")
    assert (str(patient.phone), patient.language, patient.notes) == ("+442079460018", "de", "Allergic.\nTo latex.")
    assert (patient.registered_by, patient.registered_at, patient.user) == (world.desk, NOW, None)
    assert list(patient.consents.order_by("purpose").values_list("purpose", "channel", "granted", "source")) == [
        ("marketing", "sms", False, "import"),
        ("recall", "email", True, "import"),
    ]
    consent = patient.consents.get(purpose="recall")
    # The first instant of the day in London, in summer.
    assert (consent.given_at, consent.recorded_by) == (datetime(2025, 5, 31, 23, tzinfo=UTC), world.desk)
    with override("de"):
        assert consent.wording == services.wording("recall", "email")


def test_no_consent_is_assumed(world):
    take(world, f"{JANE},,", headings=f"{HEADINGS},consent service email,consent date")

    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    ("line", "title", "words"),
    [
        pytest.param("P,,Doe,,,", "given name", "Everybody needs a given name.", id="no given name"),
        pytest.param("P,\u200b,Doe,,,", "given name", "Everybody needs a given name.", id="a name of nothing"),
        pytest.param(f"P,{'x' * 101},Doe,,,", "given name", "Longer than 100 characters.", id="a name too long"),
        pytest.param(f"P,A,{'x' * 101},,,", "family name", "Longer than 100 characters.", id="a family name too long"),
        pytest.param(f"{'9' * 61},A,B,,,", "reference", "Longer than 60 characters.", id="a reference too long"),
        pytest.param("P,A,B,31.2.1988,,", "date of birth", "day, month and year", id="a day that is none"),
        pytest.param("P,A,B,02/28/1988,,", "date of birth", "day, month and year", id="month first"),
        pytest.param("P,A,B,3.3.2026,,", "date of birth", "still to come", id="born tomorrow"),
        pytest.param("P,A,B,3.3.1066,,", "date of birth", "too long ago", id="born too long ago"),
        pytest.param("P,A,B,,nobody,", "e-mail", "Write the address in full", id="no address"),
        pytest.param("P,A,B,,a@b.c;d@e.f,", "e-mail", "Write the address in full", id="two addresses"),
        pytest.param(f"P,A,B,,{'x' * 250}@example.com,", "e-mail", "Longer than 254", id="an address too long"),
        pytest.param("P,A,B,,,12", "phone", "Write the number in full", id="no number"),
        pytest.param(f"P,A,B,,,{'7' * 4000}", "phone", "Write the number in full", id="a huge number"),
        pytest.param("P,A,B,,,٠٢٠", "phone", "Write the number in full", id="other digits"),
    ],
)
def test_what_is_wrong_is_said_by_line_and_column(db, line, title, words):
    [problem] = look(JANE, line).problems

    assert (problem.line, problem.title) == (3, title)
    assert words in problem.reason


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        pytest.param("perhaps,,1.1.2025,en", "consent recall email", id="neither yes nor no"),
        pytest.param("yes,,,en", "consent date", id="a yes without a day"),
        pytest.param("yes,,1.1.2030,en", "consent date", id="a yes of tomorrow"),
        pytest.param(",yes,1.1.2025,en", "consent recall sms", id="a yes to texts without a number"),
        pytest.param(",,,fr", "language", id="a language that nobody speaks here"),
    ],
)
def test_what_is_wrong_with_consents_and_language(db, cells, title):
    headings = "given name,e-mail,consent recall email,consent recall sms,consent date,language"

    assert [problem.title for problem in look(f"Jane,jane@example.com,{cells}", headings=headings).problems] == [title]


@pytest.mark.parametrize(
    ("second", "refused"),
    [
        pytest.param("P-1,Joan,Smith,,,", True, id="the same reference"),
        pytest.param(",JANE,DOE,1988-02-03,,", True, id="the same name and birthday"),
        pytest.param(",Jane,Doe,,JANE@example.com,", True, id="the same name and e-mail"),
        pytest.param("P-2,Jane,Doe,,,+44 20 7946 0018", True, id="the same name and phone, in another notation"),
        pytest.param(",Jane,Doe,4.2.1988,jane@example.com,", False, id="a namesake born on another day"),
        pytest.param(",Jim,Doe,3.2.1988,jane@example.com,", False, id="a twin with the same e-mail"),
        pytest.param(",Jane,Doe,,,", False, id="a namesake without anything else"),
    ],
)
def test_each_patient_stands_in_the_file_once(db, second, refused):
    run = look(JANE, second)

    assert [problem.line for problem in run.problems] == [3] * refused
    assert run.new == 2 - refused


@pytest.mark.parametrize(
    ("here", "because"),
    [
        pytest.param(
            {"reference": "P-1", "given_name": "Somebody", "date_of_birth": None}, "the same reference", id="reference"
        ),
        pytest.param({"email": "JANE@example.com"}, "the same given name, date of birth and e-mail", id="e-mail"),
        pytest.param(
            {"phone": "+442079460018", "family_name": "Married"},
            "the same given name, date of birth and phone",
            id="phone",
        ),
    ],
)
def test_who_is_here_is_recognised_and_keeps_everything_but_gets_the_reference(world, here, because):
    patient = a_jane(world, **here)
    before = Patient.objects.filter(pk=patient.pk).values().get()

    run = look(f"{JANE},yes,1.1.2025", headings=f"{HEADINGS},consent recall email,consent date")
    done = take(world, f"{JANE},yes,1.1.2025", headings=f"{HEADINGS},consent recall email,consent date")

    assert [(one.line, one.patient, one.because) for one in run.known] == [(2, patient.pk, because)]
    assert (done.created, done.linked) == (0, 1)
    assert Patient.objects.filter(pk=patient.pk).values().get() == before | {"reference": "P-1"}
    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    "here",
    [
        pytest.param({"email": "jane@example.com", "date_of_birth": None}, id="e-mail, birthday unknown"),
        pytest.param({"email": "jane@example.com", "date_of_birth": date(1990, 1, 1)}, id="e-mail, another birthday"),
        pytest.param({"phone": "+442079460018", "given_name": "Jack"}, id="a twin with the same number"),
        pytest.param({}, id="name and birthday"),
        pytest.param({"given_name": "Jayne"}, id="a name alike and the birthday"),
        pytest.param({"given_name": "Doe", "family_name": "Jane", "date_of_birth": None}, id="name in the other order"),
        pytest.param({"email": "jane@example.com", "reference": "P-9"}, id="the same with another reference"),
    ],
)
def test_who_only_looks_the_same_is_asked_about_and_left_out_unless_answered(world, here):
    patient = a_jane(world, **here)
    run = look(JANE)

    assert [question.line for question in run.questions] == [2]
    assert [option.value for option in run.questions[0].options] == [str(patient.pk), "create"]
    for nothing in ({}, {2: ""}, {2: "999999"}, {2: "no"}, {3: "create"}):
        assert take(world, JANE, answers=nothing).left_out == 1
    assert Patient.objects.count() == 2
    with transaction.atomic():
        assert take(world, JANE, answers={2: str(patient.pk)}).linked == 1
        patient.refresh_from_db()
        assert patient.reference in ("P-1", "P-9")
        transaction.set_rollback(True)
    assert take(world, JANE, answers={2: "create"}).created == 1


@pytest.mark.parametrize(
    "here",
    [
        pytest.param({"date_of_birth": date(1990, 1, 1)}, id="a namesake born on another day"),
        pytest.param({"given_name": "Wolfgang", "family_name": "Schmidt"}, id="born on the same day"),
    ],
)
def test_who_is_somebody_else_is_not_asked_about(world, here):
    a_jane(world, **here)

    assert look(JANE).new == 1


def test_who_looks_the_same_is_found_as_at_registration(world):
    """The search for thousands at once finds whom the search of the desk's form finds."""
    for here in [
        {},
        {"given_name": "Jayne"},
        {"email": "jane@example.com"},
        {"phone": "+442079460018"},
        {"family_name": "Du"},
    ]:
        a_jane(world, **{"date_of_birth": None} | here)
    [person], _problems = importing.people(importing.tables.read(a_file(JANE), importing.COLUMNS).lines, today=TODAY)

    found = services.duplicates_of(
        given_name=person.given_name,
        family_name=person.family_name,
        date_of_birth=person.date_of_birth,
        phone=person.phone,
        email=person.email,
    )

    assert {patient.pk for patient in importing.alike([person])[person.line].similar} == {
        patient.pk for patient in found
    }
    assert len(found) == 3


def test_the_same_file_twice_is_harmless(world):
    lines = [JANE, "P-2,Bo,,,,", "P-3,Cy,Li,1.1.1990,cy@example.com,"]
    take(world, *lines)
    before = list(Patient.objects.order_by("pk").values())

    done = take(world, *lines)

    assert (done.created, done.linked, done.left_out) == (0, 3, 0)
    assert list(Patient.objects.order_by("pk").values()) == before


def test_a_reference_of_a_record_that_was_merged_means_the_one_that_is_left(world):
    left = a_jane(world)
    a_jane(world, reference="P-1", merged_into=left, merged_at=NOW, merged_by=world.desk)

    assert [one.patient for one in look("P-1,Jane,,,,").known] == [left.pk]


def test_two_lines_that_mean_one_patient_are_not_both_taken(world):
    a_jane(world, reference="P-1", email="jane@example.com", phone="+442079460018")

    run = look("P-1,Jane,Old,,,", ",Jane,New,3.2.1988,jane@example.com,")

    assert [(problem.line, problem.reason) for problem in run.problems] == [(3, "This is Jane Doe, as is line 2.")]


def test_if_the_data_have_changed_since_nothing_is_imported(world):
    seen = look(JANE, "P-2,Bo,,,,").seen
    a_jane(world)

    with pytest.raises(ImportRefused, match="has changed meanwhile"):
        take(world, JANE, "P-2,Bo,,,,", seen=seen)
    assert not Patient.objects.filter(given_name="Bo").exists()


def test_the_database_refuses_a_second_patient_of_one_reference(world):
    a_jane(world, reference="P-1")

    with pytest.raises(IntegrityError, match="patient_reference_once"), transaction.atomic():
        a_jane(world, reference="P-1")


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_do_not_mix():
    world = a_clinic()
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [IMPORTING])
        with pytest.raises(ImportRefused, match="Somebody else is importing"):
            take(world, JANE)
        other.connection.close()
    assert take(world, JANE).created == 1


def test_it_costs_the_same_number_of_queries_for_any_number_of_lines(world, django_assert_num_queries):
    for number in (3, 30):
        lines = [f"Q{number}-{n},Given{n},Family{n},,g{number}x{n}@example.com," for n in range(number)]
        content = a_file(*lines)
        with django_assert_num_queries(6):
            importing.dry_run(content, today=TODAY)


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        pytest.param("Europe/Berlin", "Europe/Berlin", id="as it is written"),
        pytest.param("america/new york", "America/New_York", id="in small letters"),
        pytest.param("", None, id="empty: the clinic's"),
    ],
)
def test_a_time_zone_is_stored(world, said, zone):
    take(world, f"{JANE},{said}", headings=f"{HEADINGS},time zone")

    assert Patient.objects.get(reference="P-1").time_zone == (ZoneInfo(zone) if zone else None)


def test_a_time_zone_that_nobody_knows_is_said_beside_its_line():
    table = importing.tables.read(a_file(f"{JANE},Narnia", headings=f"{HEADINGS},time zone"), importing.COLUMNS)
    _people, [problem] = importing.people(table.lines, today=TODAY)

    assert "Europe/London" in problem.reason


@pytest.mark.parametrize(
    ("region", "stored"),
    [
        pytest.param("DE", "+493012345678", id="of the country it is written in"),
        pytest.param("", "+443012345678", id="of the settings where no country is known"),
        pytest.param("??", "+443012345678", id="an odd country is none"),
    ],
)
@pytest.mark.django_db
def test_a_phone_number_is_read_in_the_country_of_the_clinic(region, stored):
    lines = importing.tables.read(a_file("P-1,Jane,Doe,,,030 12345678"), importing.COLUMNS).lines

    found, problems = importing.people(lines, today=TODAY, region=region)

    assert ([person.phone for person in found], problems) == ([stored], [])


def test_what_was_looked_at_in_one_country_is_not_taken_in_in_another(world):
    line = "P-1,Jane,Doe,,,030 12345678"

    with pytest.raises(ImportRefused):
        take(world, line, seen=importing.dry_run(a_file(line), today=TODAY, region="DE").seen)
