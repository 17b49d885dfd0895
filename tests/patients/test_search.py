"""One box: name with slips, phone in any notation, e-mail, date of birth."""

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection

from patients import search
from patients.models import Patient
from tests.world import merged_into

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def clerk():
    return User.objects.create_user("clerk", is_staff=True)


@pytest.fixture
def patients(clerk):
    rows = [
        ("John", "Smith", "john.smith@example.org", "+442079460018", date(1988, 2, 3)),
        ("Jürgen", "Müller", "jm@example.de", "+4930123456", date(1970, 12, 25)),
        ("Élodie", "Lefèvre", "", "+33123456789", None),
        ("Siobhán", "O'Brien", "SOB@Example.org", "", date(1988, 3, 2)),
        ("Иван", "Петров", "ivan@example.org", "", date(2001, 2, 3)),
        ("李", "小龍", "", "", None),
        ("Anna", "", "", "", date(1901, 5, 6)),
        ("Smita", "Patel", "smita_p@example.org", "+442079461234", None),
    ]
    return {
        given: Patient.objects.create(
            given_name=given,
            family_name=family,
            email=email,
            phone=phone,
            date_of_birth=born,
            registered_at=NOW,
            registered_by=clerk,
        )
        for given, family, email, phone, born in rows
    }


def first(text):
    found = search.find(text)
    return found[0].given_name if found else None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param("John Smith", "John", id="as it is"),
        pytest.param("jonh smiht", "John", id="letters swapped"),
        pytest.param("Иван Пертов", "Иван", id="letters swapped in another script"),
        pytest.param("smith john", "John", id="order swapped"),
        pytest.param("jhon smith", "John", id="first letters swapped"),
        pytest.param("Mr John W. Smith", "John", id="words too many"),
        pytest.param("smit", "John", id="begun, as a part of a name"),
        pytest.param("Muller", "Jürgen", id="accent left out"),
        pytest.param("mueller", "Jürgen", id="umlaut spelt out"),
        pytest.param("MÜLLER", "Jürgen", id="in capitals"),
        pytest.param("Mu\u0308ller", "Jürgen", id="accent as a sign of its own"),
        pytest.param("elodie lefevre", "Élodie", id="two accents left out"),
        pytest.param("obrien siobhan", "Siobhán", id="apostrophe left out"),
        pytest.param("O'Brien", "Siobhán", id="with its apostrophe"),
        pytest.param("петров", "Иван", id="Cyrillic"),
        pytest.param("小龍", "李", id="Chinese"),
        pytest.param("anna", "Anna", id="one name only"),
        pytest.param("  john\t smith ", "John", id="spaces around and between"),
        pytest.param("jo\x00hn smi\x07th", "John", id="control characters"),
        pytest.param("020 7946 0018", "John", id="phone, national"),
        pytest.param("+44 20 7946 0018", "John", id="phone, international"),
        pytest.param("0044 (0)20 7946-0018", "John", id="phone, with 00 and (0)"),
        pytest.param("02079460018", "John", id="phone, bare"),
        pytest.param("0018", "John", id="phone, last digits"),
        pytest.param("46 00", "John", id="phone, from the middle"),
        pytest.param("030/123456", "Jürgen", id="phone, another country's notation"),
        pytest.param("john.smith@", "John", id="e-mail begun"),
        pytest.param("john.s", "John", id="e-mail begun, before the @"),
        pytest.param("sob@example.ORG", "Siobhán", id="e-mail in another case"),
        pytest.param("smita_p", "Smita", id="underscore is itself"),
        pytest.param("3.2.1988", "John", id="born, with dots"),
        pytest.param("03/02/1988", "John", id="born, day first"),
        pytest.param("3-2-1988", "John", id="born, with hyphens"),
        pytest.param("1988-02-03", "John", id="born, year first"),
        pytest.param("3.2.88", "John", id="born, short year of the last century"),
        pytest.param("3.2.01", "Иван", id="born, short year of this century"),
        pytest.param("3 Feb 1988", "John", id="born, month in words"),
        pytest.param("3. February 1988", "John", id="born, month in full"),
    ],
)
def test_what_is_typed_finds_the_patient(patients, typed, expected):
    assert first(typed) == expected


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="nothing"),
        pytest.param("   ", id="spaces"),
        pytest.param("Xylophonov", id="nobody of that name"),
        pytest.param("12/25/1970", id="month first is not read"),
        pytest.param("31.2.1988", id="a day that does not exist"),
        pytest.param("99.99.9999", id="no day at all"),
        pytest.param("007", id="too few digits"),
        pytest.param("nobody@", id="no such address"),
        pytest.param("@", id="an @ alone"),
        pytest.param("%", id="percent is no wildcard"),
        pytest.param("%%%%", id="percents"),
        pytest.param("____", id="underscores"),
        pytest.param("%@", id="percent in an address"),
        pytest.param("'; DROP TABLE patients_patient; --", id="quotes"),
        pytest.param("\\", id="backslash"),
        pytest.param("\x00", id="NUL"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("\ud83d", id="half an emoji"),
        pytest.param("👩‍⚕️🦷", id="emoji"),
        pytest.param("x" * 100_000, id="very long"),
        pytest.param("9" * 100_000, id="very many digits"),
        pytest.param("@" * 100_000, id="very many @"),
        pytest.param("\u202eabcxyzq", id="written backwards"),
        pytest.param("²³¹¼", id="digits that are none"),
        pytest.param("٠٢٠٧٩٤٦٠٠١٨", id="Arabic digits"),
        pytest.param("1e999", id="a huge number"),
        pytest.param("=HYPERLINK(1)", id="a formula"),
    ],
)
def test_what_cannot_be_found_finds_nobody_and_harms_nothing(patients, typed):
    assert search.find(typed) == []


def test_the_likest_name_comes_first_and_equals_by_name_then_key(patients, clerk):
    twins = [
        Patient.objects.create(given_name=given, family_name="Smith", registered_at=NOW, registered_by=clerk)
        for given in ["Zoe", "Adam", "Adam"]
    ]

    found = search.find("smith")

    assert [patient.pk for patient in found[:4]] == [twins[1].pk, twins[2].pk, patients["John"].pk, twins[0].pk]
    assert found[4].given_name == "Smita"


def test_a_patient_merged_into_another_is_left_out(patients):
    Patient.objects.filter(given_name="Smita").update(**merged_into(patients["John"]))

    assert "Smita" not in [patient.given_name for patient in search.find("smita")]


def test_no_more_are_found_than_asked_for(patients):
    assert len(search.find("smith", limit=1)) == 1


@pytest.mark.parametrize("typed", ["john smith", "2079460018", "john.smith@", "3.2.1988"])
def test_a_search_is_one_query_and_its_setting(patients, django_assert_num_queries, typed):
    with django_assert_num_queries(4):  # savepoint, setting, search, release
        assert search.find(typed)


def test_a_name_that_is_nobodys_word_by_word_is_looked_for_once_more(patients, django_assert_num_queries):
    with django_assert_num_queries(5):
        assert search.find("jhon smith")


def test_the_setting_ends_with_the_search():
    search.find("john")

    with connection.cursor() as cursor:
        cursor.execute("SHOW pg_trgm.word_similarity_threshold")
        # The test itself is a transaction, so the setting is still there; it is local to it.
        assert cursor.fetchone() == (str(search.ALIKE_ENOUGH),)
        cursor.execute("SELECT reset_val FROM pg_settings WHERE name = 'pg_trgm.word_similarity_threshold'")
        assert cursor.fetchone() == ("0.6",)


def test_a_name_is_looked_up_in_the_index(patients):
    from django.db.models import Value

    from patients.models import Fold

    names = Patient.objects.filter(name_folded__trigram_word_similar=Fold(Value("john smith")))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "patient_name_trigram" in names.explain()


@pytest.mark.parametrize(
    ("typed", "details"),
    [
        pytest.param(
            "Jane van Dyke", {"given_name": "Jane van", "family_name": "Dyke"}, id="the last word is the family"
        ),
        pytest.param("Jane", {"given_name": "Jane"}, id="one name"),
        pytest.param("3.2.1988", {"date_of_birth": "3.2.1988"}, id="date of birth"),
        pytest.param("jane@example.org", {"email": "jane@example.org"}, id="e-mail"),
        pytest.param("020 7946 0018", {"phone": "020 7946 0018"}, id="phone"),
        pytest.param("%%", {}, id="nothing of use"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_what_was_searched_for_is_not_typed_again(typed, details):
    assert search.as_details(typed) == details
