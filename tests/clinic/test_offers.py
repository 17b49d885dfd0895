"""An earlier time offered by a message: to one at a time, taken by the link once, never what is gone."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction
from django.test import Client

from clinic.models import Absence, EarlierOffer, EarlierWish, FreedTime, Message
from clinic.services import booking, dry_run, offers, operations, outbox, waiting
from clinic.services.booking import TimeTaken
from clinic.services.offers import OfferNotPossible
from patients import services as patients
from patients.models import Patient
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_locks import beside
from tests.clinic.test_messages import CLINICAL
from tests.clinic.test_rivals import all_at_once
from tests.clinic.test_waiting_list import LATER, SOON, a_wish, cancel
from tests.test_access import changed, stored
from tests.world import at

# Half past nine: nobody is asked earlier in the morning.
MORNING = at("2026-03-02 09:30")
SENT = MORNING + outbox.TO_UNDO
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def freed(world, db):
    """Two patients wait, Noor longer than Ines; what a cancellation freed is the only time before their visits."""
    for who in world.practitioners:
        Absence.objects.create(resource=who, starts_at=at("2026-03-02 00:00"), ends_at=at("2026-03-05 10:30"))
        Absence.objects.create(resource=who, starts_at=at("2026-03-05 11:15"), ends_at=at("2026-03-12 00:00"))
    soon = book(world, a_visit(world, SOON))
    book(world, a_visit(world, SOON, who=1, where=1, pen=1), world.a_patient("Busy"))
    world.noor = book(world, a_visit(world, LATER), world.a_patient("Noor", email="noor@example.com"))
    world.ines = book(world, a_visit(world, "2026-03-13 09:00"), world.a_patient("Ines", email="ines@example.com"))
    a_wish(world, world.noor)
    a_wish(world, world.ines, now=MORNING - MINUTE)
    cancel(world, soon)
    return world


def offered() -> list[str]:
    rows = EarlierOffer.objects.order_by("pk").select_related("wish__appointment__patient")
    return [row.wish.appointment.patient.given_name for row in rows]


def by_hand(world, visit, *, now=MORNING, who=0, start=SOON) -> EarlierOffer:
    wish = EarlierWish.objects.waiting(now=now).select_related("appointment__patient", "appointment__site")
    return offers.make(
        wish=wish.get(appointment=visit),
        start=at(start),
        practitioner=world.practitioners[who].pk,
        by=world.desk,
        now=now,
    )


# --- Made ---------------------------------------------------------------------------------------------


def test_whoever_waits_longest_is_asked_and_nobody_else_until_the_answer_is_due(freed):
    assert offers.make_due(now=MORNING) == 1
    assert offers.make_due(now=MORNING + HOUR) == 0
    assert offered() == ["Noor"]

    offer = EarlierOffer.objects.get()
    assert (offer.starts_at, offer.made_by) == (at(SOON), None)
    assert offer.expires_at == SENT + offers.ANSWER_WITHIN
    assert offers.make_due(now=offer.expires_at) == 1
    assert offered() == ["Noor", "Ines"]


def test_who_declines_makes_room_for_the_next_at_once_and_is_not_asked_for_that_time_again(freed):
    offers.make_due(now=MORNING)
    EarlierOffer.objects.update(declined_at=MORNING + MINUTE)

    assert offers.make_due(now=MORNING + 2 * MINUTE) == 1
    assert offered() == ["Noor", "Ines"]
    EarlierOffer.objects.update(declined_at=MORNING + 3 * MINUTE)
    assert offers.make_due(now=MORNING + DAY + HOUR) == 0


def test_by_itself_one_person_is_asked_once_a_day(freed):
    waiting.withdraw(appointment=freed.ines, by=freed.desk, now=MORNING, reason="desk")
    offers.make_due(now=MORNING)
    # As if it had been another time.
    EarlierOffer.objects.update(starts_at=at("2026-03-06 10:00"), declined_at=MORNING)
    Message.objects.filter(kind="earlier").update(counts_from="another")

    assert offers.make_due(now=MORNING + DAY - MINUTE) == 0
    assert offers.make_due(now=MORNING + DAY) == 1


def test_nobody_is_asked_in_quiet_hours(freed):
    assert offers.make_due(now=at("2026-03-02 08:59")) == 0
    assert offers.make_due(now=at("2026-03-02 20:00")) == 0
    assert offers.make_due(now=at("2026-03-02 09:00")) == 1


def test_nobody_is_asked_while_sending_is_paused(freed):
    operations.pause(by=freed.desk, now=MORNING)
    assert offers.make_due(now=MORNING) == 0
    operations.resume()
    assert offers.make_due(now=MORNING) == 1


def test_cron_asks_as_the_beat_does(freed, time_machine):
    time_machine.move_to(MORNING)
    call_command("dispatch_due")

    assert EarlierOffer.objects.count() == 1


def test_where_there_is_no_time_left_to_answer_the_desk_calls(freed):
    """A day's notice is asked for: an answer would have to come before ten, a day before the visit."""
    assert offers.make_due(now=at("2026-03-04 09:30")) == 0
    with pytest.raises(OfferNotPossible, match="too near"):
        by_hand(freed, freed.noor, now=at("2026-03-04 09:45"))


def test_who_cannot_be_written_to_is_called(freed):
    patient = freed.noor.patient
    patients.withdraw_consent(
        patient=patient, purpose="service", channel="email", source="desk", by=freed.desk, now=MORNING
    )

    with pytest.raises(OfferNotPossible, match="Call instead"):
        by_hand(freed, freed.noor)
    assert offers.make_due(now=MORNING) == 0


def test_the_desk_may_ask_others_at_the_same_time_but_one_person_only_one_thing(freed):
    offers.make_due(now=MORNING)
    by_hand(freed, freed.ines)

    with pytest.raises(OfferNotPossible, match="still open"):
        by_hand(freed, freed.noor)


def test_by_hand_nothing_is_offered_that_is_not_free(freed):
    book(freed, a_visit(freed, SOON), freed.a_patient("Quick"))

    with pytest.raises(TimeTaken):
        by_hand(freed, freed.noor)
    assert not Message.objects.filter(kind="earlier").exists()


def test_the_same_time_is_not_offered_twice_by_hand_either(freed):
    by_hand(freed, freed.noor)
    EarlierOffer.objects.update(declined_at=MORNING)

    with pytest.raises(OfferNotPossible, match="before"):
        by_hand(freed, freed.noor, now=MORNING + MINUTE)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        pytest.param({"expires_at": MORNING}, "earlier_offer_ends_before_its_time", id="over before it began"),
        pytest.param({"expires_at": at(SOON) + MINUTE}, "earlier_offer_ends_before_its_time", id="beyond its time"),
        pytest.param({"declined_at": MORNING - MINUTE}, "earlier_offer_declined_after_it_was_made", id="too early"),
    ],
)
def test_the_database_refuses_an_offer_that_cannot_be(freed, change, constraint):
    offers.make_due(now=MORNING)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        EarlierOffer.objects.update(**change)


def test_the_database_keeps_a_time_from_being_offered_twice(freed):
    offers.make_due(now=MORNING)
    again = EarlierOffer.objects.get()
    said = again.message
    said.pk, said.message_id, said.counts_from = None, uuid4(), "another"
    said.save()
    again.pk, again.message = None, said

    with pytest.raises(IntegrityError, match="earlier_offer_same_time_once"), transaction.atomic():
        again.save()


def test_what_has_passed_is_forgotten(freed):
    offers.make_due(now=at("2026-03-20 10:00"))

    assert not FreedTime.objects.filter(ends_at__lte=at("2026-03-20 10:00")).exists()


def offers_in(smtp_server) -> list:
    return [mail for mail in smtp_server.received if "an earlier time" in mail["Subject"]]


# --- Said ---------------------------------------------------------------------------------------------


def test_the_message_says_nothing_clinical_and_leaves_once_nothing_can_be_undone(freed, smtp_server):
    offers.make_due(now=MORNING)

    assert "earlier" in [line.message.kind for line in dry_run.now_due(now=SENT)[0] if line.goes]
    outbox.run(now=SENT - MINUTE)
    assert offers_in(smtp_server) == []
    outbox.run(now=SENT)

    [mail] = offers_in(smtp_server)
    assert mail["To"] == "noor@example.com"
    assert mail["Subject"] == "Harbour: an earlier time, Thu 5 Mar 2026, 10:00"
    # It leaves five minutes after half past nine, and there are two hours to answer.
    assert "The offer ends on Mon 2 Mar 2026, 11:35." in mail.get_content()
    said = f"{mail['Subject']} {mail.get_content()}".lower()
    assert not [word for word in CLINICAL if word in said]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda w: book(w, a_visit(w, SOON), w.a_patient("Quick")), "taken", id="taken"),
        pytest.param(
            lambda w: booking.cancel(appointment=w.noor, reason="x", by=w.desk, now=MORNING), "changed", id="cancelled"
        ),
        pytest.param(
            lambda w: waiting.withdraw(appointment=w.noor, by=w.desk, now=MORNING, reason="desk"),
            "do not need it",
            id="withdrawn",
        ),
    ],
)
def test_what_is_gone_at_the_last_moment_is_not_sent(freed, smtp_server, change, why):
    offers.make_due(now=MORNING)
    change(freed)

    outbox.run(now=SENT)

    message = Message.objects.get(kind="earlier")
    assert (message.state, why in message.reason) == ("dropped", True)


def test_by_text_where_the_patient_said_yes_to_that(freed, settings):
    settings.SMS_URL = "json://localhost/{to}"
    patient = freed.noor.patient
    patient.phone = "+447700900123"
    patient.save()
    patients.give_consent(patient=patient, purpose="service", channel="sms", source="desk", by=freed.desk, now=MORNING)
    offers.make_due(now=MORNING)

    assert Message.objects.get(kind="earlier").channel == "sms"


# --- Answered -----------------------------------------------------------------------------------------


@pytest.fixture
def link(freed, smtp_server, time_machine) -> str:
    """Where the link in the mail leads."""
    time_machine.move_to(SENT, tick=False)
    offers.make_due(now=MORNING)
    outbox.run(now=SENT)
    [mail] = offers_in(smtp_server)
    return re.search(r"http://[^/]+(/r/[^/\s]+/)\s", mail.get_content())[1]


@pytest.fixture
def phone() -> Client:
    """A browser that knows nobody, on a server that would ask for a form's token."""
    return Client(enforce_csrf_checks=True)


def opened(phone, link) -> str:
    response = phone.get(link, follow=True)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def press(phone, link, button, **values) -> str:
    response = phone.post(f"{link}earlier/{button}/", {"key": str(uuid4())} | values, follow=True)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def test_the_link_shows_both_times_and_changes_nothing(freed, phone, link):
    before = stored()
    page = opened(phone, link)

    assert "Hello Noor" in page
    assert "Thu 5 Mar 2026, 10:00" in page
    assert "Instead of your visit on Thu 12 Mar 2026, 14:00." in page
    assert "Haddad" not in page
    for button in ("take", "decline", "withdraw"):
        assert phone.get(f"{link}earlier/{button}/").status_code == 302
    assert changed(before) == []


def test_one_press_takes_it_and_a_second_takes_it_no_more(freed, phone, link):
    key = str(uuid4())

    assert "It is yours" in press(phone, link, "take", key=key)
    assert "It is yours" in press(phone, link, "take", key=key)
    assert "It is yours" in press(phone, link, "take")

    freed.noor.refresh_from_db()
    assert (freed.noor.starts_at, freed.noor.sequence) == (at(SOON), 1)
    assert freed.noor.messages.get(kind="change").state == "pending"


def test_what_the_patient_left_is_offered_to_the_next(freed, phone, link):
    press(phone, link, "take")

    assert offers.make_due(now=SENT + HOUR) == 1
    assert offered() == ["Noor", "Ines"]
    # The first start that needs what Ada was taken for, from 14:30 to 15:15.
    assert EarlierOffer.objects.latest("pk").starts_at == at("2026-03-12 13:30")


def test_who_declines_keeps_visit_and_wish(freed, phone, link):
    page = press(phone, link, "decline")

    assert "Thu 12 Mar 2026, 14:00" in page
    assert waiting.wish_for(freed.noor, now=SENT) is not None
    assert "It is yours" not in press(phone, link, "take")


def test_who_needs_nothing_earlier_any_more_is_taken_off_the_list(freed, phone, link):
    press(phone, link, "withdraw")

    wish = EarlierWish.objects.get(appointment=freed.noor)
    assert (wish.closed_reason, waiting.wish_for(freed.noor, now=SENT)) == ("patient", None)


@pytest.mark.parametrize(
    ("later", "said"),
    [
        pytest.param(lambda w, t: t.move_to(SENT + offers.ANSWER_WITHIN), "time to answer has passed", id="expired"),
        pytest.param(lambda w, t: book(w, a_visit(w, SOON), w.a_patient("Quick")), "is taken", id="taken"),
    ],
)
def test_what_is_gone_says_so_and_the_visit_stays(freed, phone, link, time_machine, later, said):
    later(freed, time_machine)

    assert said in press(phone, link, "take")
    assert said in opened(phone, link)
    freed.noor.refresh_from_db()
    assert freed.noor.starts_at == at(LATER)


def test_a_link_that_never_was_opens_nothing(freed, phone, link):
    assert "This link has expired" in opened(phone, "/r/" + "A" * 24 + "/earlier/")
    assert "This link has expired" in press(phone, "/r/" + "A" * 24 + "/", "take")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_one_time_at_the_same_moment_one_has_it(freed):
    mine, others = by_hand(freed, freed.noor), by_hand(freed, freed.ines)

    def take(offer):
        shown = offers.open_for(offer.wish.appointment, now=MORNING)
        return offers.take(shown, by=freed.desk, key=uuid4(), now=MORNING)

    answers = [answer for answer, _seconds in all_at_once(take, [mine, others])]

    freed.noor.refresh_from_db()
    freed.ines.refresh_from_db()
    assert sorted([freed.noor.starts_at == at(SOON), freed.ines.starts_at == at(SOON)]) == [False, True]
    assert sum(isinstance(answer, Exception) for answer in answers) == 1


def test_a_visit_that_the_desk_moved_before_the_lock_stays_where_the_desk_put_it(freed, monkeypatch):
    offer = by_hand(freed, freed.noor)
    carry_out = waiting.ripple.carry_out

    def after_the_desk(**change):
        sooner = a_visit(freed, "2026-03-03 09:00", who=1)
        Absence.objects.all().delete()
        booking.move(appointment=freed.noor, visit=sooner, by=freed.desk, now=MORNING)
        return carry_out(**change)

    monkeypatch.setattr(waiting.ripple, "carry_out", after_the_desk)
    with pytest.raises(waiting.NotWaiting, match="changed meanwhile"):
        offers.take(offers.Opened(offer, ""), by=freed.desk, key=uuid4(), now=MORNING)

    freed.noor.refresh_from_db()
    assert freed.noor.starts_at == at("2026-03-03 09:00")


@pytest.mark.django_db(transaction=True)
def test_two_offers_to_one_patient_wait_for_one_another(freed):
    """So that the second finds the first: whoever makes one waits for the patient's row."""

    def make():
        try:
            return by_hand(freed, freed.noor)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Patient.objects.select_for_update(no_key=True).get(pk=freed.noor.patient_id)
            made = pool.submit(make)
            with pytest.raises(TimeoutError):
                made.result(timeout=1)
            assert not EarlierOffer.objects.exists()
        assert made.result(timeout=10).pk


@pytest.mark.django_db(transaction=True)
def test_of_two_clocks_at_once_one_leaves_it_to_the_other(freed):
    answer = beside(lambda: offers.make_due.__wrapped__(now=MORNING), lambda: offers.make_due(now=MORNING))

    assert answer == (0, False)
    assert offered() == ["Noor"]


# --- On the pages -------------------------------------------------------------------------------------


@pytest.fixture
def desk(freed, time_machine) -> Client:
    time_machine.move_to(MORNING, tick=False)
    client = Client()
    client.force_login(freed.desk, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_page_after_cancelling_says_who_would_like_the_time(freed, desk):
    soon = freed.patient.appointments.get()
    page = re.sub(r"\s+", " ", desk.get(f"/desk/appointments/{soon.pk}/").content.decode())

    assert "2 patients would like this time" in page
    assert page.index("Noor") < page.index("Ines")


def test_a_move_tells_who_would_like_the_time_that_it_left(freed, desk):
    mover = book(freed, a_visit(freed, SOON), freed.a_patient("Mover"))
    EarlierWish.objects.filter(appointment=freed.ines).delete()
    address = f"/desk/appointments/{mover.pk}/move/"
    asked = {"own_date": "2026-03-16", "own_time": "10:00", "pick": "own", "look": "1"}
    page = desk.post(address, asked)
    asked = {"own_date": "2026-03-16", "own_time": "10:00", "pick": "own", "save": "1"}
    shown = {name: str(page.context[name]) for name in ("key", "seen", "own_shown")}

    page = desk.post(address, asked | shown, follow=True).content.decode()

    assert "Moved." in page
    assert "1 patient on the waiting list would like the time that is free now." in page
    assert "Show the waiting list" in page


def test_the_page_of_a_patient_leads_from_what_is_booked_to_a_wish(freed, desk):
    page = desk.get(f"/desk/patients/{freed.ines.patient_id}/").content.decode()

    assert f'href="/desk/appointments/{freed.ines.pk}/earlier/"' in page


def test_the_list_moves_by_one_press_and_says_what_was_offered(freed, desk):
    wish = EarlierWish.objects.get(appointment=freed.ines)
    time = {"start": int(at(SOON).timestamp()) // 60, "practitioner": freed.practitioners[0].pk, "key": str(uuid4())}

    assert "Offered to Ines" in desk.post(f"/desk/waiting/{wish.pk}/", time | {"action": "offer"}, follow=True).text
    assert "may answer until" in desk.get("/desk/waiting/").content.decode()
    page = desk.post(f"/desk/waiting/{wish.pk}/", time | {"action": "move"}, follow=True).content.decode()

    freed.ines.refresh_from_db()
    assert freed.ines.starts_at == at(SOON)
    assert "comes on Thu 5 Mar 2026, 10:00 now" in page


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        pytest.param("+442079460018", "Cannot be written to: call.", id="a phone and no texts"),
        pytest.param("", "Cannot be reached from here", id="nothing at all"),
    ],
)
def test_who_cannot_be_written_to_is_not_offered_a_message(freed, desk, phone, words):
    Patient.objects.filter(pk=freed.ines.patient_id).update(email="", phone=phone)

    page = desk.get("/desk/waiting/").content.decode()

    assert page.count('value="offer"') == 1
    assert page.count('value="move"') == 2
    assert page.count(words) == 1


def test_the_list_asks_no_more_queries_for_more_who_wait_in_vain(freed, desk, django_assert_max_num_queries):
    FreedTime.objects.all().delete()
    with django_assert_max_num_queries(14):
        desk.get("/desk/waiting/")


def test_nobody_waits(freed, desk):
    EarlierWish.objects.all().delete()

    assert "Nobody waits for an earlier time" in desk.get("/desk/waiting/").content.decode()


@pytest.mark.parametrize("sent", [{"start": "x"}, {"start": "9" * 30}, {"start": "-1"}, {}])
def test_nonsense_is_answered_in_words(freed, desk, sent):
    wish = EarlierWish.objects.first()

    assert "Choose one of the times" in desk.post(f"/desk/waiting/{wish.pk}/", sent, follow=True).content.decode()


def test_the_desk_notes_changes_and_withdraws_a_wish(freed, desk):
    visit = freed.noor
    address = f"/desk/appointments/{visit.pk}/earlier/"
    wrong = desk.post(address, {"notice_hours": 2, "earliest_time": "12:00", "latest_time": "11:00"})

    assert (wrong.status_code, "before the earliest time" in wrong.content.decode()) == (422, True)
    desk.post(address, {"notice_hours": 2, "weekdays": [1, 3], "earliest_time": "9.00"})
    page = desk.get(f"/desk/appointments/{visit.pk}/").content.decode()
    assert "Tuesday, Thursday, starting at 09:00 or later, told 2 hours before" in page
    desk.post(address, {"withdraw": 1})
    assert waiting.wish_for(visit, now=MORNING) is None


@pytest.fixture
def at_home(freed, time_machine) -> Client:
    """Noor, signed in to the portal."""
    time_machine.move_to(MORNING, tick=False)
    patient = freed.noor.patient
    patients.create_account(patient=patient, by=freed.desk, now=MORNING)
    patient.refresh_from_db()
    client = Client()
    client.force_login(patient.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_patient_asks_for_it_and_ends_it_in_the_portal(freed, at_home):
    visit = freed.noor
    at_home.post(f"/my/visits/{visit.pk}/earlier/", {"withdraw": 1})
    assert "Tell me if something earlier is free" in at_home.get(f"/my/visits/{visit.pk}/").content.decode()

    at_home.post(f"/my/visits/{visit.pk}/earlier/", {"notice_hours": 48})

    wish = waiting.wish_for(visit, now=MORNING)
    visit.patient.refresh_from_db()
    assert (wish.notice_hours, wish.noted_by) == (48, visit.patient.user)


def test_the_patient_takes_what_is_offered_in_the_portal(freed, at_home):
    offers.make_due(now=MORNING)
    visit = freed.noor
    assert "Take this time" in at_home.get(f"/my/visits/{visit.pk}/").content.decode()

    page = at_home.post(f"/my/visits/{visit.pk}/earlier/answer/", {"key": str(uuid4())}, follow=True)

    assert "Your visit is now on Thu 5 Mar 2026, 10:00" in page.content.decode()


@pytest.mark.parametrize("address", ["earlier/", "earlier/answer/"])
def test_the_visit_of_somebody_else_is_not_there(freed, at_home, address):
    for method in (at_home.get, at_home.post):
        assert method(f"/my/visits/{freed.ines.pk}/{address}").status_code == 404


def test_what_is_kept_of_the_wish_is_in_the_patients_own_data(freed, at_home):
    offers.make_due(now=MORNING)
    page = at_home.post("/my/data/")

    said = json.loads(page.content)
    assert [wish["notice_hours"] for wish in said["wishes_for_an_earlier_time"]] == [24]
    assert [offer["declined_at"] for offer in said["offers_of_an_earlier_time"]] == [None]
