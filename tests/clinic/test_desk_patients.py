"""The desk's pages about patients: who may see them, what they show, cost and refuse."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from clinic.models import Appointment, AppointmentStatus, Message
from patients.models import Patient, RecordView
from patients.services import create_account, give_consent
from tests.world import NOW, at, merged_into
from treatments.models import Maintenance
from treatments.services import maintenance as upkeep
from treatments.services import series as courses

HX = {"HX-Request": "true"}
REGISTRATION = {"given_name": "Jane", "family_name": "Doe", "language": "en-gb"}


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    return client


def url(name, *args):
    return reverse(f"desk:{name}", args=args)


def a_visit(world, patient, start="2026-03-10 10:00", **values):
    starts = at(start)
    values = {
        "site": world.site,
        "treatment": world.treatment,
        "practitioner": world.practitioners[0],
        "room": world.rooms[0],
        "status_at": NOW,
        "status_by": world.desk,
        "booked_at": NOW,
        "booked_by": world.desk,
    } | values
    return Appointment.objects.create(
        patient=patient, starts_at=starts, ends_at=starts + timedelta(minutes=75), **values
    )


def a_message(world, patient, n):
    return Message.objects.create(
        patient=patient,
        kind="confirmation",
        purpose="service",
        channel="email",
        counts_from=f"{patient.pk}-{n}",
        owed_at=NOW,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        state="failed",
        settled_at=NOW,
        reason="550 no such mailbox",
    )


def a_full_record(world, patient):
    """Two series, one complete and with an attended cycle, visits of every status, messages, consents."""
    for session in (done := world.a_series(patient)).sessions.all():
        courses.attend(session=session, on=date(2026, 1, 1) + 35 * timedelta(session.number), by=world.desk, now=NOW)
    upkeep.attend(cycle=Maintenance.objects.get(series=done), on=date(2026, 2, 25), by=world.desk, now=NOW)
    running = list(world.a_series(patient).sessions.all())
    a_visit(world, patient, "2027-03-09 10:00", session=running[0])
    a_visit(world, patient, "2026-02-03 10:00", session=running[1], status="no_show")
    for n, status in enumerate(AppointmentStatus.values):
        reason = {"cancel_reason": "ill"} if status == "cancelled" else {}
        a_visit(world, patient, f"2025-03-{10 + n} 10:00", status=status, **reason)
    for n in range(12):
        a_message(world, patient, n)
    for purpose in ("service", "recall"):
        give_consent(patient=patient, purpose=purpose, channel="email", source="desk", by=world.desk, now=NOW)


# --- Who may -----------------------------------------------------------------

PAGES = [
    pytest.param("patient-search", False, "get", id="search"),
    pytest.param("patient-new", False, "get", id="form to register"),
    pytest.param("patient-new", False, "post", id="register"),
    pytest.param("patient", True, "get", id="record"),
    pytest.param("patient-edit", True, "get", id="form to edit"),
    pytest.param("patient-edit", True, "post", id="edit"),
    pytest.param("patient-account", True, "post", id="give access"),
    pytest.param("patient-consent", True, "post", id="consent"),
]


def ask(client, world, name, of_one, method):
    return getattr(client, method)(url(name, world.patient.pk) if of_one else url(name))


@pytest.mark.parametrize(("name", "of_one", "method"), PAGES)
def test_the_unknown_are_asked_to_sign_in(client, world, name, of_one, method):
    answer = ask(client, world, name, of_one, method)

    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


@pytest.mark.parametrize(("name", "of_one", "method"), PAGES)
def test_a_patient_is_told_that_there_is_no_such_page_even_about_themselves(client, world, name, of_one, method):
    client.force_login(create_account(patient=world.patient, by=world.desk, now=NOW))

    assert ask(client, world, name, of_one, method).status_code == 404


@pytest.mark.parametrize(("name", "of_one", "method"), [page for page in PAGES if page.values[1]])
@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30, "9" * 5000, "1.5", "-1", "x", "%00", "%F0%9F%A6%B7"])
def test_an_odd_key_is_a_404(desk, world, name, of_one, method, pk):
    address = url(name, 1).replace("/1/", f"/{pk}/")

    assert getattr(desk, method)(address).status_code == 404


@pytest.mark.parametrize("name", ["patient-account", "patient-consent"])
def test_nothing_changes_by_get(desk, world, name):
    assert desk.get(url(name, world.patient.pk)).status_code == 405


def test_the_browser_keeps_no_record(desk, world):
    assert "no-store" in desk.get(url("patient", world.patient.pk))["Cache-Control"]


# --- Find --------------------------------------------------------------------


def test_the_search_finds_and_links_by_key_alone(desk, world):
    page = desk.post(url("patient-search"), {"q": "amal osie"}).content.decode()

    assert f'href="{url("patient", world.patient.pk)}"' in page
    assert "Amal Osei" in page


def test_while_typing_only_the_list_comes(desk, world):
    answer = desk.post(url("patient-search"), {"q": "amal"}, headers=HX)
    page = answer.content.decode()

    assert "<html" not in page
    assert "1 patient found" in page
    assert "HX-Request" in answer["Vary"]


def test_whoever_is_not_found_can_be_registered_with_what_was_typed(desk, world):
    page = desk.post(url("patient-search"), {"q": "Jane Doe"}).content.decode()
    assert "Nobody found for “Jane Doe”" in page
    assert '<input type="hidden" name="typed" value="Jane Doe">' in page

    form = desk.post(url("patient-new"), {"typed": "Jane Doe"}).context["form"]

    assert (form["given_name"].value(), form["family_name"].value()) == ("Jane", "Doe")
    assert not form.errors
    assert Patient.objects.count() == 1


def test_a_search_is_not_a_look_at_a_record(desk, world):
    desk.post(url("patient-search"), {"q": "amal"})

    assert not RecordView.objects.exists()


HOSTILE = [
    pytest.param("\x00", id="NUL"),
    pytest.param("Jane\x00", id="NUL behind a name"),
    pytest.param("\x07\x1b[31m", id="control characters"),
    pytest.param("\u202egnp.exe", id="written backwards"),
    pytest.param("👩‍⚕️", id="emoji"),
    pytest.param("x" * 50_000, id="very long"),
    pytest.param("9" * 50_000, id="very many digits"),
    pytest.param("1e308", id="a huge number"),
    pytest.param("-1", id="a negative number"),
    pytest.param("NaN", id="no number"),
    pytest.param("' OR 1=1 --", id="quotes"),
    pytest.param("%_\\", id="wildcards"),
    pytest.param("=HYPERLINK(1)", id="a formula"),
    pytest.param("<script>alert(1)</script>", id="a script"),
    pytest.param("{{ settings.SECRET_KEY }}{% now %}", id="a template"),
    pytest.param("0000-00-00", id="no day"),
    pytest.param("99999-12-31", id="a day too far"),
    pytest.param("[]", id="a list"),
    pytest.param("", id="nothing"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_input_is_never_a_server_error(desk, world, text):
    every_field = dict.fromkeys(
        ["given_name", "family_name", "date_of_birth", "language", "email", "phone", "notes", "time_zone"], text
    )
    consent = {"purpose": text, "channel": text, "said": text}
    answers = [
        desk.post(url("patient-search"), {"q": text}),
        desk.post(url("patient-search"), {"q": text}, headers=HX),
        desk.post(url("patient-new"), {"typed": text}),
        desk.post(url("patient-new"), every_field | {"consent_service_sms": text, "anyway": text}),
        desk.post(url("patient-edit", world.patient.pk), every_field),
        desk.post(url("patient-consent", world.patient.pk), consent),
    ]
    for field in every_field:
        answers.append(desk.post(url("patient-new"), REGISTRATION | {field: text}))
        answers.append(desk.post(url("patient-edit", world.patient.pk), REGISTRATION | {field: text}))

    assert {answer.status_code for answer in answers} <= {200, 302, 404}
    for answer in answers:
        assert "<script>alert" not in answer.content.decode()


@pytest.mark.parametrize("raw", ["%ED%A0%80", "%FF%FE", "%C3%28", "%00", "%F4%90%80%80"])
def test_bytes_that_are_no_text_are_never_a_server_error(desk, world, raw):
    form = "application/x-www-form-urlencoded"
    body = f"given_name={raw}&family_name=a{raw}&language=en-gb&notes={raw}"

    assert (
        desk.post(url("patient-search"), f"q={raw}", content_type="application/x-www-form-urlencoded").status_code
        == 200
    )
    assert desk.post(url("patient-new"), body, content_type=form).status_code in (200, 302)
    assert desk.post(url("patient-edit", world.patient.pk), body, content_type=form).status_code in (200, 302)


# --- Register ----------------------------------------------------------------


def test_registering_leads_to_the_record(desk, world):
    answer = desk.post(
        url("patient-new"),
        REGISTRATION
        | {
            "date_of_birth": "3.2.1988",
            "email": "jane@example.org",
            "phone": "020 7946 0018",
            "consent_service_email": "on",
            "consent_recall_email": "on",
        },
    )

    patient = Patient.objects.get(family_name="Doe")
    assert answer.url == url("patient", patient.pk)
    assert (patient.date_of_birth, str(patient.phone)) == (date(1988, 2, 3), "+442079460018")
    assert set(patient.consents.values_list("purpose", "channel", "granted", "recorded_by")) == {
        ("service", "email", True, world.desk.pk),
        ("recall", "email", True, world.desk.pk),
    }


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        pytest.param("given_name", "", "This field is required", id="no name"),
        pytest.param("given_name", "\u200b", "This field is required", id="a name without a letter to see"),
        pytest.param("date_of_birth", "31.2.1988", "Write the date as day, month and year", id="no such day"),
        pytest.param("date_of_birth", "1.1.2999", "still to come", id="born in the future"),
        pytest.param("date_of_birth", "1.1.1099", "too long ago", id="born too long ago"),
        pytest.param("email", "jane@", "Write the address in full", id="half an address"),
        pytest.param("phone", "123", "Write the number in full", id="half a number"),
        pytest.param("time_zone", "Lisbon", "region and place", id="half a time zone"),
        pytest.param("language", "xx", "not one of the available choices", id="no such language"),
        pytest.param("consent_recall_sms", "on", "no phone number to text to", id="texts without a number"),
        pytest.param("consent_recall_email", "on", "no e-mail address to write to", id="e-mail without an address"),
    ],
)
def test_a_refusal_stands_beside_the_field_and_nothing_typed_is_lost(desk, world, field, typed, sentence):
    answer = desk.post(url("patient-new"), REGISTRATION | {"notes": "prefers mornings", field: typed})

    form = answer.context["form"]
    assert list(form.errors) == [field]
    assert sentence in form.errors[field][0]
    assert form["notes"].value() == "prefers mornings"
    assert "prefers mornings" in answer.content.decode()
    assert not Patient.objects.filter(family_name="Doe").exists()


def test_a_likely_duplicate_is_offered_and_nothing_typed_is_lost(desk, world):
    twin = world.a_patient("Jane", "Doe")
    typed = REGISTRATION | {"notes": "prefers mornings", "email": "j@example.org", "consent_recall_email": "on"}

    answer = desk.post(url("patient-new"), typed)

    page = answer.content.decode()
    assert "Is it one of these?" in page
    assert f'href="{url("patient", twin.pk)}"' in page
    form = answer.context["form"]
    assert {name: form[name].value() for name in typed} == typed | {"consent_recall_email": True}
    assert Patient.objects.filter(family_name="Doe").count() == 1

    answer = desk.post(url("patient-new"), typed | {"anyway": "1"})

    assert answer.status_code == 302
    assert Patient.objects.filter(family_name="Doe").count() == 2


# --- The record --------------------------------------------------------------


def test_the_record_shows_the_course_the_visits_the_messages_and_the_consents(desk, world):
    a_full_record(world, world.patient)

    page = desk.get(url("patient", world.patient.pk)).content.decode()

    for text in [
        "Amal Osei",
        "Acne scars",
        "Tue 9 Mar 2027, 10:00",
        "did not come on Tue 3 Feb 2026",
        "Maintenance 2: Microneedling",
        "550 no such mailbox",
        "You may e-mail me when my next maintenance is due.",
        "ill",
        url("series-new", world.patient.pk),
    ]:
        assert text in page


def test_times_are_those_of_the_site_the_patient_goes_to(desk, world):
    world.site.time_zone = "Pacific/Auckland"
    world.site.save()
    a_visit(world, world.patient)
    a_message(world, world.patient, 1)

    page = desk.get(url("patient", world.patient.pk)).content.decode()

    # 2 March 8:00 UTC is 21:00 in Auckland.
    assert "Mon 2 Mar 2026, 21:00" in page


def test_each_look_at_a_record_is_kept(desk, world):
    desk.get(url("patient", world.patient.pk))
    desk.get(url("patient-edit", world.patient.pk))

    assert list(RecordView.objects.order_by("pk").values_list("patient", "user", "page")) == [
        (world.patient.pk, world.desk.pk, "desk:patient"),
        (world.patient.pk, world.desk.pk, "desk:patient-edit"),
    ]


def test_a_record_merged_into_another_leads_there(desk, world):
    merged = world.a_patient(**merged_into(world.patient))

    assert desk.get(url("patient", merged.pk)).url == url("patient", world.patient.pk)
    assert desk.get(url("patient-edit", merged.pk)).url == url("patient-edit", world.patient.pk)


def test_giving_access_says_so_or_why_not(desk, world):
    account = url("patient-account", world.patient.pk)

    done = desk.post(account, follow=True).content.decode()
    again = desk.post(account, follow=True).content.decode()

    assert "can now sign in with a code" in done
    assert "has access already" in again
    assert User.objects.filter(patient=world.patient).count() == 1


def test_a_consent_is_taken_back_and_given(desk, world):
    said = {"purpose": "recall", "channel": "email"}
    for word in ("yes", "no"):
        answer = desk.post(url("patient-consent", world.patient.pk), said | {"said": word})
        assert answer.url == url("patient", world.patient.pk) + "#consents"

    assert list(world.patient.consents.order_by("pk").values_list("granted", "source", "recorded_by")) == [
        (True, "desk", world.desk.pk),
        (False, "desk", world.desk.pk),
    ]


@pytest.mark.parametrize("odd", [{"purpose": "x"}, {"channel": "fax"}, {"said": "maybe"}, {"said": ""}])
def test_a_consent_that_nobody_asks_for_is_a_404(desk, world, odd):
    said = {"purpose": "recall", "channel": "email", "said": "yes"} | odd

    assert desk.post(url("patient-consent", world.patient.pk), said).status_code == 404
    assert not world.patient.consents.exists()


def test_contact_details_are_changed(desk, world):
    answer = desk.post(url("patient-edit", world.patient.pk), REGISTRATION | {"phone": "+33 1 23 45 67 89"})

    world.patient.refresh_from_db()
    assert answer.url == url("patient", world.patient.pk)
    assert (str(world.patient), str(world.patient.phone), world.patient.email) == ("Jane Doe", "+33123456789", "")


def test_an_address_that_is_another_accounts_is_refused_beside_the_field(desk, world):
    create_account(patient=world.patient, by=world.desk, now=NOW)

    answer = desk.post(url("patient-edit", world.patient.pk), REGISTRATION | {"email": world.manager.email})

    assert "Another account" in answer.context["form"].errors["email"][0]
    assert answer.context["form"]["given_name"].value() == "Jane"
    assert "Contact details of Amal Osei" in answer.content.decode()


# --- What it costs -----------------------------------------------------------

# Session, account and second factor; what the person and the person's groups may do, for the menu.
SIGNED_IN = 5


def test_a_record_costs_as_many_queries_however_much_it_holds(desk, world, django_assert_num_queries):
    world.a_series(small := world.a_patient("Small"))
    a_full_record(world, full := world.a_patient("Full"))
    world.a_series(full)

    for patient in (small, full):
        # patient, look; visits, series, sessions, maintenance, messages, consents
        with django_assert_num_queries(SIGNED_IN + 2 + 6):
            desk.get(url("patient", patient.pk))


def test_a_search_costs_as_many_queries_however_many_it_finds(desk, world, django_assert_num_queries):
    for n in range(25):
        world.a_patient("Noor", f"Haddad{n}")
    for typed in ("amal", "noor"):
        with django_assert_num_queries(SIGNED_IN + 4):  # savepoint, setting, search, release
            desk.post(url("patient-search"), {"q": typed})


def test_a_form_costs_next_to_nothing(desk, world, django_assert_num_queries):
    with django_assert_num_queries(SIGNED_IN + 2):  # whose site, which site
        desk.get(url("patient-new"))
    with django_assert_num_queries(SIGNED_IN + 4):  # patient, look, and these
        desk.get(url("patient-edit", world.patient.pk))


def test_an_address_holds_no_name(desk, world):
    page = desk.get(url("patient", world.patient.pk)).content.decode()
    links = [part.split('"')[0] for part in page.split('href="')[1:] if not part.startswith(("mailto:", "tel:"))]

    assert links
    assert not [link for link in links if "amal" in link.lower() or "osei" in link.lower()]
