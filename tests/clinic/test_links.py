"""The link in a reminder: what it opens, what it books, and what it gives away."""

import re
import uuid
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from clinic import links as secrets
from clinic.models import Appointment, CallRequest, Message, ReminderLink, ReminderStep, Site
from clinic.services import booking, outbox
from clinic.services import links as services
from patients.models import Consent, Patient
from tests.clinic.test_booking import a_visit as visit_of
from tests.clinic.test_booking import book as desk_books
from tests.clinic.test_messages import CLINICAL
from tests.clinic.test_outbox import a_cycle, agree
from tests.test_access import changed, stored
from tests.world import NOW, at, merged_into
from treatments.models import Maintenance, Series
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.terms import CareInstruction

DUE = "2026-06-01"
MORNING = at("2026-06-01 09:00")
DAY = timedelta(days=1)
# The reminder took a moment to leave.
EXPIRED = MORNING + secrets.KEEPS + timedelta(minutes=1)


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)


@pytest.fixture
def reminded(world, smtp_server, time_machine):
    """A patient whose maintenance is due has the reminder in the mailbox, this morning."""
    cycle = a_cycle(world, DUE)
    agree(world)
    time_machine.move_to(MORNING, tick=False)
    assert outbox.run(now=MORNING)["sent"] == 1
    world.cycle, world.mail = cycle, smtp_server.received[-1]
    return world


@pytest.fixture
def link(reminded) -> str:
    """The path of the link in the mail."""
    return link_in(reminded.mail)


@pytest.fixture
def phone() -> Client:
    """A browser that knows nobody, on a server that would ask for a form's token."""
    return Client(enforce_csrf_checks=True)


def link_in(mail) -> str:
    return re.search(r"http://[^/]+(/r/[^/\s]+/)\s", mail.get_content())[1]


def secret_in(link: str) -> str:
    return link.split("/")[2]


def text(response) -> str:
    assert response.status_code == 200, response.get("Location")
    return re.sub(r"\s+", " ", response.content.decode())


def offered(response) -> list[str]:
    """Where the times of the page lead."""
    return [found.replace("&amp;", "&") for found in re.findall(r'href="([^"]*\?visit=[^"]*)"', text(response))]


def confirm_form(response) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text(response)))


def book_first(phone, link) -> Appointment:
    form = confirm_form(phone.get(offered(phone.get(link))[0]))
    response = phone.post(f"{link}book/", form, follow=True)
    assert "Your visit is booked" in text(response)
    return Appointment.objects.live().get()


# --- From the reminder to a booking -------------------------------------------------------------------------------


def test_one_tap_chooses_and_one_confirmation_books(reminded, link, phone):
    page = phone.get(link)
    times = offered(page)
    assert "It is time for your next visit" in text(page)
    assert len(times) == 5

    confirm = phone.get(times[0])
    assert "Mon 1 Jun 2026, 09:15" in text(confirm)
    booked = phone.post(f"{link}book/", confirm_form(confirm), follow=True)

    assert "Your visit is booked" in text(booked)
    appointment = Appointment.objects.get()
    assert (appointment.maintenance, appointment.starts_at) == (reminded.cycle, at("2026-06-01 09:15"))
    reminded.cycle.refresh_from_db()
    assert reminded.cycle.state == "booked"
    assert outbox.run(now=MORNING)["sent"] == 1, "the confirmation"


def test_the_times_lie_inside_the_window_of_a_reminder_that_came_before_it(world, smtp_server, time_machine, phone):
    ReminderStep.objects.create(subject="maintenance", offset_days=-28, stale_after_days=7)
    a_cycle(world, DUE)
    agree(world)
    time_machine.move_to(at("2026-05-04 09:00"), tick=False)
    outbox.run(now=at("2026-05-04 09:00"))

    times = offered(phone.get(link_in(smtp_server.received[-1])))

    assert times
    assert [time.partition("&at=")[2][:10] for time in times] == [f"2026-06-0{day}" for day in range(1, 6)]


def test_the_same_press_ten_times_books_once_and_gives_ten_equal_answers(reminded, link, phone):
    form = confirm_form(phone.get(offered(phone.get(link))[0]))

    answers = {text(phone.post(f"{link}book/", form, follow=True)) for _press in range(10)}

    assert len(answers) == 1
    assert Appointment.objects.count() == 1


def test_a_link_is_seen_any_number_of_times_and_books_once(reminded, link, phone):
    first, second = offered(phone.get(link))[:2]
    forms = [confirm_form(phone.get(time)) for time in (first, second)]

    answers = [text(phone.post(f"{link}book/", form, follow=True)) for form in forms]

    assert Appointment.objects.count() == 1
    assert answers[0] == answers[1]
    assert "Mon 1 Jun 2026, 09:15" in text(phone.get(link))


def test_a_time_taken_meanwhile_is_said_kindly_with_fresh_times(reminded, link, phone):
    time = offered(phone.get(link))[0]
    form = confirm_form(phone.get(time))
    for number in range(2):
        other = reminded.a_patient()
        desk_books(
            reminded,
            visit_of(reminded, "2026-06-01 09:15", who=number, where=number, pen=number),
            patient=other,
        )

    late = phone.post(f"{link}book/", form)

    assert "Somebody was a moment faster" in text(late)
    assert time not in offered(late)
    assert offered(late)
    assert "has just been taken" in text(phone.get(time))
    assert not Appointment.objects.filter(patient=reminded.patient).exists()


def test_cancelled_at_the_desk_it_can_be_booked_again_with_the_same_link(reminded, link, phone):
    first = book_first(phone, link)
    booking.cancel(appointment=first, reason="ill", by=reminded.desk, now=MORNING)

    second = book_first(phone, link)

    assert second.pk != first.pk


def test_two_due_in_one_message_are_booked_one_after_the_other(world, smtp_server, time_machine, phone):
    a_cycle(world, DUE)
    a_cycle(world, DUE)
    agree(world)
    time_machine.move_to(MORNING, tick=False)
    assert outbox.run(now=MORNING) == {"owed": 2, "joined": 1, "sent": 1}
    [mail] = smtp_server.received
    assert "plan your next visits" in mail.get_content()
    link = link_in(mail)
    assert "One more visit is due" in text(phone.get(link))

    for said in ("One more visit is due", "Your visits are booked"):
        form = confirm_form(phone.get(offered(phone.get(link))[0]))
        assert said in text(phone.post(f"{link}book/", form, follow=True))

    assert set(Maintenance.objects.values_list("state", flat=True)) == {"booked"}


# --- The other answers --------------------------------------------------------------------------------------------


def test_later_puts_it_off_and_says_until_when(reminded, link, phone):
    answer = phone.post(f"{link}later/", {"weeks": "4"})

    assert "until Mon 29 Jun 2026" in text(answer)
    reminded.cycle.refresh_from_db()
    assert (reminded.cycle.state, reminded.cycle.deferred_until) == ("deferred", date(2026, 6, 29))
    assert outbox.run(now=MORNING + 28 * DAY) == {}, "on the worklist, not in the mailbox"


def test_what_was_put_off_can_be_booked_after_all(reminded, link, phone):
    phone.post(f"{link}later/", {"weeks": "4"})

    assert book_first(phone, link).maintenance == reminded.cycle


def test_call_me_leaves_one_note_for_the_desk_however_often_it_is_pressed(reminded, link, phone):
    for _press in range(3):
        assert "We call you" in text(phone.post(f"{link}call/"))

    assert [request.patient for request in CallRequest.objects.waiting()] == [reminded.patient]


def test_who_has_no_phone_is_told_so(reminded, link, phone):
    assert "no phone number of yours" in text(phone.post(f"{link}call/"))

    Patient.objects.update(phone="+447700900123")
    assert "calls the number" in text(phone.post(f"{link}call/"))


ANSWERS = {"call/": "Please call me", "later/": "Put it off", "stop/": "Stop these reminders"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param("call/", "You asked us to call you.", id="call me"),
        pytest.param("later/", "We leave you in peace until Mon 29 Jun 2026", id="later"),
        pytest.param("stop/", "We do not remind you of your next visit any more.", id="stop"),
    ],
)
def test_what_was_answered_is_shown_with_the_other_possibilities_below(reminded, link, phone, answer, says):
    assert says not in text(phone.get(link))
    phone.post(f"{link}{answer}", {"weeks": "4"})
    page = text(phone.get(link))

    assert page.index("What you have told us") < page.index(says) < page.index("Choose a time after all?")
    assert len(offered(phone.get(link))) == 5
    assert {name: words in page for name, words in ANSWERS.items()} == {name: name != answer for name in ANSWERS}


def test_who_has_answered_everything_can_still_book(reminded, link, phone):
    for answer in ANSWERS:
        phone.post(f"{link}{answer}", {"weeks": "4"})

    assert "What else you can do" not in text(phone.get(link))
    assert "Done" in text(phone.get(f"{link}stop/"))
    assert book_first(phone, link)


def test_an_answer_that_is_over_is_not_shown_any_more(reminded, link, phone, time_machine):
    phone.post(f"{link}later/", {"weeks": "2"})
    phone.post(f"{link}call/")
    CallRequest.objects.update(done_at=MORNING, done_by=reminded.desk)
    time_machine.move_to(MORNING + 15 * DAY, tick=False)

    assert "What you have told us" not in text(phone.get(link))


@pytest.mark.parametrize("state", ["declined", "lapsed", "withdrawn"])
def test_what_is_settled_otherwise_is_said_to_be(reminded, link, phone, state):
    Maintenance.objects.update(state=state, settled_at=NOW, settled_by=reminded.desk)

    assert "is settled" in text(phone.get(link))
    assert offered(phone.get(link)) == []


# --- Expired, and what never was a link ---------------------------------------------------------------------------

NEVER = "/r/AAAAAAAAAAAAAAAAAAAAAAAA/"


def without_secret(response, link: str) -> str:
    return text(response).replace(secret_in(link), "")


@pytest.fixture
def expired(link, time_machine) -> str:
    time_machine.move_to(EXPIRED, tick=False)
    return link


def test_an_expired_link_says_so_and_looks_like_one_that_never_was(expired, phone):
    assert "This link has expired" in text(phone.get(expired))
    for pressed in ("", "fresh/"):
        ask = phone.post if pressed else phone.get
        assert without_secret(ask(expired + pressed), expired) == without_secret(ask(NEVER + pressed), NEVER)


@pytest.mark.parametrize("pressed", ["", "fresh/"])
def test_who_has_an_expired_link_can_call(expired, phone, pressed):
    Site.objects.update(phone="+44 20 7946 0100")
    ask = phone.post if pressed else phone.get

    assert 'href="tel:+442079460100"' in text(ask(expired + pressed))


@pytest.mark.parametrize("action", ["book/", "later/", "call/"])
def test_nothing_can_be_done_with_an_expired_link(expired, phone, action):
    before = stored()
    form = {"visit": "0", "at": "2026-08-03T09:00Z", "key": str(uuid.uuid4()), "weeks": "4"}

    assert "This link has expired" in text(phone.post(expired + action, form))
    assert changed(before) == []


def test_a_fresh_link_goes_to_the_stored_address_and_works(expired, phone, smtp_server):
    now = EXPIRED
    phone.post(f"{expired}fresh/")
    outbox.run(now=now)

    mail = smtp_server.received[-1]
    assert (mail["To"], mail["Subject"]) == ("amal@example.com", "Harbour: your new link")
    assert link_in(mail) != expired
    assert offered(phone.get(link_in(mail)))


def test_a_fresh_link_opens_all_that_the_old_one_did(world, smtp_server, time_machine, phone):
    # Four, so that one time of asking does not count as one for each.
    due = [a_cycle(world, DUE) for _cycle in range(4)]
    agree(world)
    time_machine.move_to(MORNING, tick=False)
    outbox.run(now=MORNING)
    link = link_in(smtp_server.received[-1])
    for now in (EXPIRED, EXPIRED + timedelta(hours=1)):
        time_machine.move_to(now, tick=False)
        smtp_server.received.clear()
        phone.post(f"{link}fresh/")
        assert outbox.run(now=now) == {"joined": 3, "sent": 1}

    fresh = link_in(smtp_server.received[-1])
    assert "3 more visits are due" in text(phone.get(fresh))
    for _visit in due:
        phone.post(f"{fresh}book/", confirm_form(phone.get(offered(phone.get(fresh))[0])))
    assert set(Maintenance.objects.values_list("state", flat=True)) == {"booked"}


def test_fresh_links_are_few_and_far_between(expired, phone, smtp_server, time_machine):
    smtp_server.received.clear()
    for step in range(24):
        now = EXPIRED + step * timedelta(minutes=5)
        time_machine.move_to(now, tick=False)
        phone.post(f"{expired}fresh/")
        outbox.run(now=now)

    assert len(smtp_server.received) == services.FRESH_A_DAY


def test_who_asks_for_a_link_to_nothing_gets_no_mail(reminded, phone, smtp_server):
    smtp_server.received.clear()

    assert "Look into your mailbox" in text(phone.post(f"{NEVER}fresh/"))
    assert outbox.run(now=MORNING) == {}


@pytest.mark.parametrize(
    "secret",
    ["short", "A" * 25, "A" * 5000, "%00" * 24, "..%2F..%2Fadmin", "%F0%9F%92%89" * 6, "AAAA AAAA AAAA AAAA AAAA"],
    ids=["short", "long", "very long", "NUL", "path", "other characters", "spaces"],
)
def test_what_cannot_be_a_secret_is_answered_calmly(reminded, phone, secret):
    for action in ("", "stop/", "time/?visit=0&at=2026-06-01T09:00Z"):
        assert phone.get(f"/r/{secret}/{action}").status_code in (200, 404)
    assert phone.post(f"/r/{secret}/stop/").status_code in (200, 404)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "visit=0",
        "visit=0&at=soon",
        "visit=x&at=2026-06-01T09:00Z",
        "visit=9&at=2026-06-01T09:00Z",
        "visit=²&at=2026-06-01T09:00Z",
        "visit=0&at=0001-01-01T00:00Z",
        "visit=0&at=9999-12-31T23:59Z",
        "visit=0&at=2026-06-01T03:00Z",
        "visit=0&at=2026-05-29T09:00Z",
    ],
)
def test_a_time_that_was_not_offered_leads_back_to_those_that_were(reminded, link, phone, query):
    assert "It is time for your next visit" in text(phone.get(f"{link}time/?{query}", follow=True))
    pairs = dict(pair.split("=") for pair in query.split("&") if pair)
    form = {"key": str(uuid.uuid4()), **pairs}
    assert "It is time for your next visit" in text(phone.post(f"{link}book/", form, follow=True))
    assert not Appointment.objects.exists()


# --- What it gives away -------------------------------------------------------------------------------------------


def test_nothing_changes_by_opening_any_of_it(reminded, link, phone):
    pages = [
        link,
        offered(phone.get(link))[0],
        *(f"{link}{page}/" for page in ("book", "later", "call", "fresh", "stop")),
    ]
    before = stored()

    for page in pages:
        for look in (phone.get, phone.head):
            assert look(page, follow=True).status_code == 200

    assert changed(before) == []
    assert phone.cookies == {}


def test_the_secret_is_stored_nowhere(reminded, link, phone):
    book_first(phone, link)
    phone.post(f"{link}call/")
    phone.post(f"{link}stop/")

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{secret_in(link)}%"])
            assert cursor.fetchone() == (0,), table


def test_each_message_has_a_secret_of_its_own_of_at_least_128_bits(reminded, link):
    made = {secrets.new_secret() for _time in range(1000)}

    assert len(made) == 1000
    assert secrets.SECRET_BYTES * 8 >= 128
    assert all(secrets.looks_right(secret) for secret in made | {secret_in(link)})
    assert ReminderLink.objects.get().digest == secrets.digest(secret_in(link))


def test_the_pages_show_the_first_name_and_nothing_clinical(reminded, link, phone):
    time = offered(phone.get(link))[0]
    pages = [phone.get(link), phone.get(time), phone.get(f"{link}stop/")]
    pages.append(phone.post(f"{link}book/", confirm_form(phone.get(time)), follow=True))

    said = " ".join(text(page) for page in pages) + time + link
    assert "Hello Amal" in said
    assert [word for word in [*CLINICAL, "Osei", "amal@example.com"] if word in said] == []


def test_what_should_have_begun_and_a_course_under_way_are_said_without_naming_them(reminded, link, phone):
    series = reminded.cycle.series
    terms = replace(series.terms, care=(CareInstruction("before", "avoid", "No sunbathing", offset=10, unit="day"),))
    Series.objects.filter(pk=series.pk).update(terms_json=terms.to_json())
    running = reminded.a_series()
    courses.attend(session=running.sessions.first(), on=date(2026, 5, 20), by=reminded.desk, now=MORNING)

    page = text(phone.get(offered(phone.get(link))[0]))

    assert "something to do or to avoid that should have begun by now" in page
    assert "Another course of yours is still under way then." in page
    assert [word for word in [*CLINICAL, "sunbathing"] if word in page] == []


def test_no_cache_keeps_it_and_no_site_learns_of_it(reminded, link, phone):
    page = phone.get(link)

    assert "no-store" in page["Cache-Control"]
    assert page["Referrer-Policy"] == "no-referrer"


def test_a_patient_merged_into_another_has_no_link_any_more(reminded, link, phone):
    Patient.objects.filter(pk=reminded.patient.pk).update(**merged_into(reminded.a_patient()))

    assert "This link has expired" in text(phone.get(link))


def test_what_is_done_by_the_link_is_kept_in_the_patients_own_name_or_in_the_links(reminded, link, phone):
    appointment = book_first(phone, link)

    assert appointment.booked_by.username == services.NOBODYS_ACCOUNT
    assert not appointment.booked_by.is_active
    assert not appointment.booked_by.has_usable_password()


# --- What the database refuses ------------------------------------------------------------------------------------


def test_the_database_keeps_no_secret_and_no_link_without_an_end(reminded, link):
    message = Message.objects.get()
    for name, values in {
        "reminder_link_keeps_no_secret": {"digest": secret_in(link), "expires_at": MORNING + DAY},
        "reminder_link_expires": {"digest": "0" * 64, "expires_at": MORNING},
    }.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            ReminderLink.objects.create(message=message, made_at=MORNING, **values)


def test_the_database_keeps_one_waiting_request_to_call_a_patient(reminded):
    message = Message.objects.get()
    CallRequest.objects.create(patient=reminded.patient, message=message, asked_at=NOW)

    with pytest.raises(IntegrityError, match="call_request_one_waiting"), transaction.atomic():
        CallRequest.objects.create(patient=reminded.patient, message=message, asked_at=NOW)


# --- No reminders any more ----------------------------------------------------------------------------------------


def test_a_reminder_carries_the_headers_of_one_click(reminded, link):
    assert reminded.mail["List-Unsubscribe"].endswith(f"{link}stop/>")
    assert reminded.mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_messages_about_visits_cannot_be_unsubscribed_from(reminded, link, phone, smtp_server):
    book_first(phone, link)
    outbox.run(now=MORNING)

    assert "is booked" in smtp_server.received[-1]["Subject"]
    assert "List-Unsubscribe" not in smtp_server.received[-1]


def test_one_click_ends_the_reminders_there_and_then(reminded, link, phone, smtp_server):
    response = phone.post(
        f"{link}stop/", "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded"
    )

    assert response.status_code == 200
    assert phone.cookies == {}
    latest = Consent.objects.filter(purpose="recall").latest("given_at")
    assert (latest.granted, latest.channel, latest.source) == (False, "email", "link in a message")
    a_cycle(reminded, "2026-06-02")
    assert outbox.run(now=MORNING + DAY) == {}


def test_looking_at_the_page_ends_nothing(reminded, link, phone):
    assert "Stop these reminders?" in text(phone.get(f"{link}stop/"))

    assert Consent.objects.filter(granted=False).count() == 0


def test_pressed_again_it_is_one_withdrawal(reminded, link, phone):
    for _press in range(3):
        assert "Done" in text(phone.post(f"{link}stop/"))

    assert Consent.objects.filter(granted=False).count() == 1


def test_it_ends_the_reminders_on_every_channel(reminded, link, phone):
    Consent.objects.create(
        patient=reminded.patient,
        purpose="recall",
        channel="sms",
        granted=True,
        wording="w",
        source="desk",
        given_at=NOW,
    )
    phone.post(f"{link}stop/")

    assert set(Consent.objects.filter(granted=False).values_list("channel", flat=True)) == {"email", "sms"}


def test_it_works_for_as_long_as_the_mail_is_kept(expired, phone):
    assert "Done" in text(phone.post(f"{expired}stop/"))
    assert Consent.objects.filter(granted=False).exists()


def test_a_link_that_never_was_ends_nothing_and_does_not_say_so(reminded, phone):
    assert "Done" in text(phone.post(f"{NEVER}stop/"))
    assert not Consent.objects.filter(granted=False).exists()


def test_booking_stays_possible_for_who_stopped_the_reminders(reminded, link, phone):
    phone.post(f"{link}stop/")

    assert book_first(phone, link)


def test_only_the_series_own_patient_is_booked(reminded, link, phone):
    other = a_cycle(reminded, DUE, patient=reminded.a_patient())

    book_first(phone, link)

    other.refresh_from_db()
    assert other.state == "scheduled"
    with pytest.raises(cycles.MaintenanceNotPossible):
        cycles.mark_booked(cycle=reminded.cycle)
