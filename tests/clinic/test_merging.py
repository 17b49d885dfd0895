"""Two records of one patient become one: nothing is lost, nothing is said twice, nobody is in two places."""

from threading import Thread
from time import monotonic, sleep
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse

from clinic import links as secrets_of_links
from clinic.models import (
    Appointment,
    CalendarFeed,
    CallRequest,
    Message,
    ReminderLink,
    ReminderStep,
    WorklistNote,
)
from clinic.services import booking, feed, links, merging, outbox
from patients import search, services
from patients.errors import Refused
from patients.models import Consent, Patient, RecordView
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.clinic.test_rivals import all_at_once, deadlocks
from tests.clinic.test_roles import signed_in
from tests.world import NOW, at
from treatments.models import Series

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(world) -> Patient:
    return world.a_patient("Amal", "Ossei", phone="+442079460018", notes="Allergic to latex.")


def merge(world, other, **take) -> Patient:
    merging.merge(kept=world.patient, other=other, take=take, by=world.desk, now=NOW)
    world.patient.refresh_from_db()
    other.refresh_from_db()
    return world.patient


def a_message(patient, **values) -> Message:
    kinds = {"kind": "fresh_link", "purpose": "recall", "channel": "email", "counts_from": str(uuid4())}
    return Message.objects.create(
        patient=patient, owed_at=NOW, not_before=NOW, not_after=at("2026-03-09 08:00"), **kinds
    )


def asks_for_a_call(patient, asked_at=NOW) -> CallRequest:
    return CallRequest.objects.create(patient=patient, message=a_message(patient), asked_at=asked_at)


def a_feed(patient) -> str:
    return feed.new_address(patient=patient, now=NOW)


# --- Nothing is lost ----------------------------------------------------------------------------------------------


def test_every_relation_to_a_patient_is_carried_settled_or_stays():
    """One that is added later fails here, until somebody has decided what a merge does with it."""
    found = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if not hasattr(model, "pgh_tracked_model") and not model._meta.label.endswith("Event")
        for field in model._meta.concrete_fields
        if field.remote_field and field.related_model is Patient
    }
    carried = {f"{model._meta.label}.patient" for model in [*merging.CARRIED, *merging.SETTLED]}

    assert found == carried | set(merging.STAYS)


def test_all_that_was_kept_of_the_other_is_there_afterwards(world, other):
    series, visit, message = world.a_series(other), a_visit(world, patient=other), a_message(other)
    call = asks_for_a_call(other)
    note = WorklistNote.objects.create(
        patient=other, message=message, outcome="reached", noted_at=NOW, noted_by=world.desk
    )
    a_feed(other)

    kept = merge(world, other)

    for row in (series, visit, message, call, note):
        row.refresh_from_db()
        assert row.patient == kept, row
    assert CalendarFeed.objects.get().patient == kept
    assert series.sessions.count() == 3
    assert (other.merged_into, other.merged_at, other.merged_by) == (kept, NOW, world.desk)


def test_what_was_known_of_the_other_stays_under_it_with_its_history(world, other):
    agree(world, other)
    services.record_view(patient=other, page="p", by=world.desk, now=NOW)
    visit = a_visit(world, patient=other)

    merge(world, other, phone="other")

    assert (other.family_name, other.notes) == ("Ossei", "Allergic to latex.")
    assert other.consents.count() == 1
    assert RecordView.objects.filter(patient=other).count() == 1
    assert [event.patient_id for event in visit.events.order_by("pgh_id")] == [other.pk, world.patient.pk]
    assert [event.phone for event in world.patient.events.order_by("pgh_id")][-1] == "+442079460018"


@pytest.mark.parametrize("chosen", ["kept", "other"])
@pytest.mark.parametrize("field", ["name", "email", "phone", "language", "date_of_birth", "time_zone"])
def test_of_each_thing_the_chosen_one_is_kept(world, other, field, chosen):
    Patient.objects.filter(pk=other.pk).update(language="de", date_of_birth="1988-04-17", time_zone="Europe/Berlin")
    other.refresh_from_db()
    names = {"name": ["given_name", "family_name"]}.get(field, [field])
    expected = [getattr(world.patient if chosen == "kept" else other, name) for name in names]

    kept = merge(world, other, **{field: chosen})

    assert [getattr(kept, name) for name in names] == expected


def test_the_notes_of_both_are_kept_and_the_same_note_once(world, other):
    Patient.objects.filter(pk=world.patient.pk).update(notes="Comes by train.")
    third = world.a_patient(notes="Allergic to latex.")

    merge(world, other)
    assert merge(world, third).notes == "Comes by train.\nAllergic to latex."


# --- What there can be one of -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("2026-03-10 14:30", "2026-03-10 14:30"), ("2026-03-10 14:30", "2026-03-10 15:15")],
    ids=["at the same time", "overlapping"],
)
def test_visits_at_once_are_refused_in_words_and_nothing_is_done(world, other, mine, theirs):
    a_visit(world, mine)
    visit, series = a_visit(world, theirs, patient=other), world.a_series(other)

    with pytest.raises(Refused, match=r"Both have a visit on Tue 10 Mar 2026, 1[45]:\d\d. Cancel or move one of them"):
        merge(world, other)

    assert Series.objects.get(pk=series.pk).patient == other
    assert Patient.objects.get(pk=other.pk).merged_into is None
    visit.status, visit.cancel_reason = "cancelled", "a duplicate"
    visit.save()
    assert merge(world, other).appointments.count() == 2


def test_a_clash_that_was_not_seen_is_refused_by_the_database_in_the_same_words(world, other, monkeypatch):
    monkeypatch.setattr(merging, "_visits_at_once", lambda kept, other: [])
    a_visit(world), a_visit(world, patient=other)

    with pytest.raises(Refused, match="Both have a visit at the same time"):
        merge(world, other)


def test_of_two_requests_to_call_the_earlier_stays(world, other):
    later, earlier = (
        asks_for_a_call(world.patient, at("2026-03-01 12:00")),
        asks_for_a_call(other, at("2026-02-28 12:00")),
    )
    CallRequest.objects.filter(pk=later.pk).update(said="cannot come")

    kept = merge(world, other)

    assert list(CallRequest.objects.waiting()) == [earlier]
    earlier.refresh_from_db()
    assert earlier.said == "cannot come"
    later.refresh_from_db()
    assert (later.patient, later.done_at, later.done_by) == (kept, NOW, world.desk)


def test_of_two_calendars_that_of_the_record_that_stays_goes_on(world, other):
    for patient in (world.patient, other):
        services.create_account(patient=patient, by=world.desk, now=NOW)
    mine, theirs = a_feed(world.patient), a_feed(other)

    merge(world, other)

    assert feed.behind(mine).patient == world.patient
    assert feed.behind(theirs) is None


@pytest.mark.parametrize(
    ("who", "take", "signs_in"),
    [
        pytest.param("kept", "kept", "amal@example.com", id="only the one that stays"),
        pytest.param("kept", "other", "patient1@example.com", id="only the one that stays, with the other address"),
        pytest.param("other", "kept", "amal@example.com", id="only the one that goes, with the address that stays"),
        pytest.param("other", "other", "patient1@example.com", id="only the one that goes"),
        pytest.param("both", "kept", "amal@example.com", id="both, the address that stays"),
        pytest.param("both", "other", "patient1@example.com", id="both, the other address"),
        pytest.param("none", "kept", None, id="nobody"),
    ],
)
def test_one_account_stays_and_signs_in_with_the_chosen_address(world, other, who, take, signs_in):
    for patient, name in ((world.patient, "kept"), (other, "other")):
        if who in (name, "both"):
            services.create_account(patient=patient, by=world.desk, now=NOW)
            patient.refresh_from_db()
    a_visit(world, patient=other)

    kept = merge(world, other, email=take)

    verified = EmailAddress.objects.filter(verified=True, primary=True)
    assert list(verified.values_list("email", flat=True)) == ([signs_in] if signs_in else [])
    assert (kept.user and kept.user.email) == signs_in
    if who == "both":
        assert not User.objects.get(pk=other.user_id).is_active
    if signs_in:
        page = signed_in(kept.user).get(reverse("portal:course"))
        assert "Tue 10 Mar 2026" in page.content.decode()


def test_whoever_signs_in_needs_an_address(world, other):
    services.create_account(patient=world.patient, by=world.desk, now=NOW)
    Patient.objects.filter(pk=other.pk).update(email="")

    with pytest.raises(Refused, match="choose the record that has an address"):
        merge(world, other, email="other")


def test_what_was_said_there_holds_here_and_says_where_from(world, other):
    agree(world, world.patient, purpose="recall")
    agree(world, other, purpose="recall", granted=False)
    agree(world, other, purpose="service")

    kept = merge(world, other)

    said = {word.purpose: word for word in kept.consents.in_force()}
    assert {purpose: word.granted for purpose, word in said.items()} == {"recall": False, "service": True}
    assert {(word.source, word.recorded_by, word.given_at) for word in said.values()} == {("merge", world.desk, NOW)}


def test_a_yes_to_a_channel_that_is_gone_is_not_taken_over(world, other):
    agree(world, other, purpose="service")

    Patient.objects.filter(pk=world.patient.pk).update(email="")

    kept = merge(world, other, email="kept")

    assert not Consent.objects.filter(patient=kept).exists()


# --- Afterwards ---------------------------------------------------------------------------------------------------


def test_what_is_still_to_be_sent_goes_once_to_the_address_that_was_chosen(world, other, smtp_server):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)
    for patient in (world.patient, other):
        agree(world, patient)
        a_cycle(world, "2026-03-02", patient=patient)
    outbox.owe_due(now=at("2026-03-02 09:30"))
    assert Message.objects.filter(state="pending").count() == 2

    merge(world, other, email="other")
    for minutes in ("09:31", "09:32", "12:00"):
        outbox.run(now=at(f"2026-03-02 {minutes}"))

    assert smtp_server.recipients() == [other.email]


def test_the_link_of_a_reminder_sent_before_still_opens(world, other):
    cycle = a_cycle(world, "2026-03-02", patient=other)
    message = a_message(other, maintenance=cycle)
    secret = secrets_of_links.new_secret()
    ReminderLink.objects.create(
        message=message, digest=secrets_of_links.digest(secret), made_at=NOW, expires_at=at("2026-04-02 08:00")
    )

    merge(world, other)

    opened = links.open_(secret, now=NOW)
    assert opened.patient == world.patient
    assert Client().get(reverse("link:due", args=[secret])).status_code == 200


def test_the_other_is_found_no_more_and_its_addresses_lead_to_the_one_that_stays(world, other):
    merge(world, other)
    desk = signed_in(world.desk)

    assert other not in search.find("Ossei")
    assert services.duplicates_of(given_name="Amal", family_name="Ossei", date_of_birth=None, phone="", email="") == []
    for page in ("desk:patient", "desk:patient-edit", "desk:series-new", "desk:visit-new"):
        assert desk.get(reverse(page, args=[other.pk]))["Location"] == reverse(page, args=[world.patient.pk]), page
    pressed = desk.post(reverse("desk:patient-account", args=[other.pk]))
    assert pressed["Location"] == reverse("desk:patient", args=[world.patient.pk])
    assert not User.objects.filter(patient__isnull=False).exists()


def test_nothing_is_booked_for_a_record_that_was_merged(world, other):
    from tests.clinic.test_booking import a_visit as to_book

    merge(world, other)

    with pytest.raises(Refused, match="merged into another a moment ago"):
        booking.book(patient=other, visit=to_book(world), by=world.desk, now=NOW, key=uuid4())
    assert not Appointment.objects.exists()


def test_records_that_led_to_the_other_lead_to_the_one_that_stays(world, other):
    first = world.a_patient()
    merging.merge(kept=other, other=first, take={}, by=world.desk, now=NOW)

    merge(world, other)

    first.refresh_from_db()
    assert first.merged_into == world.patient


def test_neither_itself_nor_a_merged_one_can_be_merged(world, other):
    with pytest.raises(Refused, match="same record twice"):
        merge(world, world.patient)
    merge(world, other)
    with pytest.raises(Refused, match="merged a moment ago"):
        merge(world, other)


# --- Rivals -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["kept", "other"])
def test_a_visit_booked_in_that_moment_is_carried_or_seen(world, other, which):
    """Whoever books holds the patient's row; merging waits for it, and looks at what is there after that."""
    booked_for = world.patient if which == "kept" else other
    a_visit(world, patient=other if which == "kept" else world.patient)
    answers = []

    def run():
        try:
            answers.append(merging.merge(kept=world.patient, other=other, take={}, by=world.desk, now=NOW))
        except Refused as refusal:
            answers.append(str(refusal))
        finally:
            connections.close_all()

    merger = Thread(target=run)
    with transaction.atomic():
        booking.queue_up(booked_for, [])
        merger.start()
        _wait_until_somebody_waits()
        a_visit(world, patient=booked_for)
    merger.join()

    assert answers == ["Both have a visit on Tue 10 Mar 2026, 14:30. Cancel or move one of them first."]


def _wait_until_somebody_waits() -> None:
    until = monotonic() + 5
    while monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
        sleep(0.02)
    raise AssertionError("nobody waits for the lock")


@pytest.mark.django_db(transaction=True)
def test_two_who_merge_the_same_two_the_other_way_round_do_not_deadlock(world, other):
    before = deadlocks()

    def work(pair):
        kept, leaves = pair
        return merging.merge(kept=kept, other=leaves, take={}, by=world.desk, now=NOW)

    answers = [answer for answer, _took in all_at_once(work, [(world.patient, other), (other, world.patient)])]

    assert sum(isinstance(answer, Patient) for answer in answers) == 1
    assert sum(isinstance(answer, Refused) for answer in answers) == 1
    assert deadlocks() == before


# --- The pages ----------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(world) -> Client:
    world.desk.groups.add(Group.objects.get(name="receptionist"))
    return signed_in(world.desk)


def page(world, other) -> str:
    return reverse("desk:patient-merge-with", args=[world.patient.pk, other.pk])


def test_who_looks_alike_is_offered_and_anybody_else_is_found(desk, world, other):
    address = reverse("desk:patient-merge", args=[world.patient.pk])
    Patient.objects.filter(pk=other.pk).update(family_name="Osei")
    world.a_patient("Wanda", "Maximoff")

    assert page(world, other) in desk.get(address).content.decode()
    assert "Wanda Maximoff" in desk.post(address, {"q": "wanda"}).content.decode()
    assert "Nobody else is found" in desk.post(address, {"q": "xyzzy"}).content.decode()
    assert address in desk.get(reverse("desk:patient", args=[world.patient.pk])).content.decode()


def test_the_page_says_what_it_will_do_and_does_it(desk, world, other):
    a_visit(world, patient=other)
    agree(world, other, granted=False)

    shown = desk.get(page(world, other)).content.decode()
    assert "1 visit." in shown
    assert "“You may write to me.” (e-mail): no, as was said there." in shown
    assert Patient.objects.current().count() == 2

    answer = desk.post(page(world, other), {"name": "kept", "email": "other", "phone": "other"}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("desk:patient", args=[world.patient.pk])
    assert "The two records are one." in answer.content.decode()
    assert Patient.objects.get(pk=world.patient.pk).email == other.email
    assert RecordView.objects.filter(page="desk:patient-merge-with").count() == 2


def test_what_was_not_chosen_is_asked_for_and_what_was_is_kept(desk, world, other):
    response = desk.post(page(world, other), {"name": "other", "email": "kept"})

    assert response.status_code == 422
    assert "Choose one of the two." in response.content.decode()
    assert [radio.data["selected"] for radio in response.context["form"]["name"]] == [False, True]
    assert Patient.objects.current().count() == 2


def test_a_refusal_stands_on_the_page_before_anybody_presses(desk, world, other):
    a_visit(world), a_visit(world, patient=other)

    assert "Both have a visit on Tue 10 Mar 2026, 14:30." in desk.get(page(world, other)).content.decode()
    refused = desk.post(page(world, other), {"name": "kept", "email": "kept", "phone": "other"})
    assert refused.status_code == 422
    assert refused.content.decode().count("Both have a visit") == 1


def test_a_page_left_open_leads_to_what_became_of_the_two(desk, world, other):
    merge(world, other)

    for address in (page(world, other), reverse("desk:patient-merge", args=[other.pk])):
        assert desk.get(address).status_code == 302
    assert desk.post(page(world, other), {})["Location"] == reverse("desk:patient", args=[world.patient.pk])


def test_a_practitioner_may_not(world, other):
    user = User.objects.create_user("p", "p@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="practitioner"))
    browser = signed_in(user)

    assert browser.get(page(world, other)).status_code == 403
    assert browser.post(page(world, other), {"name": "kept", "email": "kept", "phone": "kept"}).status_code == 403
    assert "Merge with another" not in browser.get(reverse("desk:patient", args=[other.pk])).content.decode()
    assert Patient.objects.current().count() == 2
