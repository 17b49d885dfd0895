"""What is owed, when it is sent, and what becomes of it when something goes wrong."""

import uuid
from datetime import date, time, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic import delivery, messages, tasks, wake
from clinic.models import Appointment, Message, ReminderStep
from clinic.services import booking, dispatch, ledger, operations, outbox, recheck, undo
from patients.models import Consent
from tests.clinic.test_booking import a_visit as a_booking
from tests.clinic.test_booking import book
from tests.world import NOW, TODAY, at, merged_into
from treatments.models import Maintenance, Series, Treatment
from treatments.services import maintenance
from treatments.services import series as courses

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def steps(db):
    """The ladder of the tests; a flush after a test with real transactions would take the one of the migration."""
    ReminderStep.objects.all().delete()
    ladder = [("appointment", -3, 1), ("appointment", -1, 1), ("maintenance", -28, 7), ("maintenance", 0, 7)]
    return [
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=stale)
        for subject, days, stale in ladder
    ]


def a_visit(world, start: str = "2026-03-10 14:30", patient=None, **values) -> Appointment:
    starts_at = at(start)
    return Appointment.objects.create(
        **{
            "patient": patient or world.patient,
            "site": world.site,
            "treatment": world.treatment,
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=1),
            "status_at": NOW,
            "status_by": world.desk,
            "booked_at": NOW,
            "booked_by": world.desk,
            **values,
        }
    )


def a_booked(world, start: str, **values) -> Appointment:
    """A visit with all that it claims."""
    return book(world, a_booking(world, start, **values))


def a_cycle(world, due: str = "2026-06-01", patient=None) -> Maintenance:
    """A series that is complete, with its maintenance due on a day."""
    series = world.a_series(patient)
    courses.attend(session=series.sessions.first(), on=TODAY, by=world.desk, now=NOW)
    courses.complete(series=series, by=world.desk, now=NOW)
    cycle = series.maintenance.get()
    return maintenance.override(cycle=cycle, due_on=date.fromisoformat(due), reason="seen", by=world.desk, now=NOW)


def agree(world, patient=None, *, purpose="recall", granted=True, given_at=NOW) -> None:
    Consent.objects.create(
        patient=patient or world.patient,
        purpose=purpose,
        channel="email",
        granted=granted,
        wording="You may write to me.",
        source="desk",
        given_at=given_at,
    )


def cancel(visit: Appointment) -> None:
    Appointment.objects.filter(pk=visit.pk).update(status="cancelled", cancel_reason="ill")


def move(visit: Appointment, start: str) -> None:
    visit.starts_at, visit.ends_at = at(start), at(start) + timedelta(hours=1)
    visit.sequence += 1
    visit.save()


def states() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("pk").values_list("kind", "state"))


def test_cron_does_the_same_by_a_command_and_celery_by_a_task(world, smtp_server, capsys, time_machine):
    a_visit(world)
    a_visit(world, patient=world.a_patient())
    time_machine.move_to(at("2026-03-07 14:30"), tick=False)
    outbox.owe_due(now=at("2026-03-07 14:30"))
    Message.objects.filter(patient=world.patient).update(not_before=at("2026-03-07 14:40"))

    call_command("dispatch_due")
    assert capsys.readouterr().out == "1 sent\n"
    time_machine.move_to(at("2026-03-07 14:40"), tick=False)
    tasks.remind()

    assert len(smtp_server.received) == 2
    call_command("dispatch_due")
    assert capsys.readouterr().out == "Nothing is due.\n"


# --- Visits -------------------------------------------------------------------------------------------------------


def test_a_visit_is_reminded_of_three_days_and_one_day_before(world, smtp_server):
    a_visit(world)

    sent = {day: outbox.run(now=at(f"2026-03-{day:02} 14:30"))["sent"] for day in range(5, 11)}

    assert sent == {5: 0, 6: 0, 7: 1, 8: 0, 9: 1, 10: 0}
    assert smtp_server.recipients() == ["amal@example.com"] * 2


def test_a_reminder_waits_for_its_hour_to_the_minute(world, smtp_server):
    a_visit(world)

    assert outbox.run(now=at("2026-03-07 14:29"))["sent"] == 0
    assert outbox.run(now=at("2026-03-07 14:30"))["sent"] == 1


def test_a_second_run_sends_nothing(world, smtp_server):
    a_visit(world)
    outbox.run(now=at("2026-03-07 14:30"))

    assert outbox.run(now=at("2026-03-07 14:31")) == {}
    assert len(smtp_server.received) == 1


def test_a_moved_visit_is_reminded_of_anew(world, smtp_server):
    visit = a_visit(world)
    outbox.run(now=at("2026-03-07 14:30"))
    move(visit, "2026-03-17 10:00")

    outbox.run(now=at("2026-03-14 10:00"))

    assert [mail["Subject"] for mail in smtp_server.received] == [
        "Harbour: see you on Tue 10 Mar 2026, 14:30",
        "Harbour: see you on Tue 17 Mar 2026, 10:00",
    ]


def test_who_has_just_booked_or_heard_of_another_time_is_not_reminded_of_it(world, smtp_server):
    a_visit(world, booked_at=at("2026-03-08 10:00"))
    moved = a_visit(world, "2026-03-20 14:30", patient=world.a_patient())
    move(moved, "2026-03-10 15:00")
    outbox.owe_change(appointment=moved, now=at("2026-03-08 10:00"))

    sent = [outbox.run(now=at(now))["sent"] for now in ("2026-03-08 12:00", "2026-03-09 15:00")]

    assert sent == [1, 2], "the notice; then both are reminded one day before"


def test_after_two_days_down_a_visit_is_reminded_of_once_and_not_of_what_is_past(world, smtp_server):
    a_visit(world, "2026-03-10 14:30")
    a_visit(world, "2026-03-09 16:00", patient=world.a_patient())
    a_visit(world, "2026-03-08 11:00", patient=world.a_patient())

    outbox.run(now=at("2026-03-09 15:00"))

    assert [mail["Subject"] for mail in smtp_server.received] == ["Harbour: see you on Tue 10 Mar 2026, 14:30"]


def test_a_reminder_that_fell_into_the_night_comes_in_the_morning(world, smtp_server):
    a_visit(world)

    assert outbox.run(now=at("2026-03-07 23:00"))["sent"] == 0
    assert outbox.run(now=at("2026-03-08 08:59"))["sent"] == 0
    assert outbox.run(now=at("2026-03-08 09:00"))["sent"] == 1


def test_quiet_hours_are_the_patients_own(world, smtp_server):
    a_visit(world, patient=world.a_patient(time_zone="Australia/Sydney"))

    outbox.run(now=at("2026-03-07 14:30"))

    # 14:30 in London is half past one at night in Sydney; the evening before ended there at 09:00 London.
    assert smtp_server.received == []
    assert outbox.run(now=at("2026-03-07 22:00"))["sent"] == 1


def test_the_clinic_says_which_hours_are_quiet(world, smtp_server, settings):
    settings.QUIET_FROM, settings.QUIET_UNTIL = time(22), time(7, 30)
    a_cycle(world, "2026-06-01")
    agree(world)

    sent = [outbox.run(now=at(f"2026-06-01 {clock}"))["sent"] for clock in ("07:29", "07:30")]

    assert sent == [0, 1]


def test_a_reminder_whose_time_passes_in_the_night_is_dropped_with_the_reason(world, smtp_server, steps):
    visit = a_visit(world, "2026-03-10 09:30")
    outbox.run(now=at("2026-03-09 09:00"))
    Message.objects.update(not_after=at("2026-03-10 07:30"))

    outbox.run(now=at("2026-03-09 23:00"))

    assert smtp_server.recipients() == []
    assert {m.reason for m in Message.objects.filter(appointment=visit)} == {"Its time passes within the quiet hours."}


@pytest.mark.parametrize(
    "prevent",
    [
        pytest.param(cancel, id="cancelled"),
        pytest.param(lambda visit: move(visit, "2026-03-24 10:00"), id="moved"),
        pytest.param(lambda visit: Appointment.objects.update(status="arrived"), id="arrived"),
        pytest.param(lambda visit: Appointment.objects.update(status="no_show"), id="did not come"),
    ],
)
def test_a_visit_that_is_not_what_it_was_is_not_reminded_of(world, smtp_server, prevent):
    visit = a_visit(world)
    assert outbox.owe_due(now=at("2026-03-07 14:29")) == 1
    prevent(visit)

    outbox.run(now=at("2026-03-07 14:30"))

    assert (states(), smtp_server.received) == ([("visit_reminder", "dropped")], [])


def test_a_visit_moved_by_an_hour_just_before_its_reminder_left_is_reminded_of_once(world, smtp_server):
    visit = a_visit(world)
    outbox.owe_due(now=at("2026-03-07 14:29"))
    move(visit, "2026-03-10 13:30")

    outbox.run(now=at("2026-03-07 14:30"))

    assert [mail["Subject"] for mail in smtp_server.received] == ["Harbour: see you on Tue 10 Mar 2026, 13:30"]
    assert states() == [("visit_reminder", "dropped"), ("visit_reminder", "sent")]


# --- Maintenance --------------------------------------------------------------------------------------------------


def test_maintenance_is_reminded_of_before_and_when_its_window_opens(world, smtp_server):
    a_cycle(world, "2026-06-01")
    agree(world)

    days = [date(2026, 5, 1) + n * DAY for n in range(60)]
    sent = [day for day in days if outbox.run(now=at(f"{day} 09:00"))["sent"]]

    assert sent == [date(2026, 5, 4), date(2026, 6, 1)]
    assert {mail["Subject"] for mail in smtp_server.received} == {"Harbour: time for your next visit"}


def test_an_overridden_due_date_is_reminded_of_anew(world, smtp_server):
    cycle = a_cycle(world, "2026-06-01")
    agree(world)
    outbox.run(now=at("2026-06-01 09:00"))

    maintenance.override(cycle=cycle, due_on=date(2026, 8, 3), reason="healing", by=world.desk, now=NOW)

    assert outbox.run(now=at("2026-06-02 09:00"))["sent"] == 0
    assert outbox.run(now=at("2026-08-03 09:00"))["sent"] == 1


def test_a_due_date_moved_by_a_day_just_before_its_reminder_left_is_reminded_of_once(world, smtp_server):
    a_cycle(world, "2026-06-01")
    agree(world)
    outbox.owe_due(now=at("2026-06-01 08:00"))
    Maintenance.objects.update(overridden_on=date(2026, 5, 31))

    outbox.run(now=at("2026-06-01 09:00"))

    assert states() == [("maintenance", "dropped"), ("maintenance", "sent")]


@pytest.mark.parametrize(
    "prevent",
    [
        pytest.param(lambda world: agree(world, granted=False, given_at=NOW + MINUTE), id="consent withdrawn"),
        pytest.param(lambda world: type(world.patient).objects.update(email=""), id="no address"),
        pytest.param(
            lambda world: (
                type(world.patient).objects.filter(pk=world.patient.pk).update(**merged_into(world.a_patient()))
            ),
            id="merged",
        ),
        pytest.param(lambda world: Maintenance.objects.update(state="booked"), id="booked"),
        pytest.param(
            lambda world: Maintenance.objects.update(state="deferred", deferred_until=date(2026, 9, 1)), id="deferred"
        ),
        pytest.param(
            lambda world: Maintenance.objects.update(state="declined", settled_at=NOW, settled_by=world.desk),
            id="declined",
        ),
        pytest.param(lambda world: Maintenance.objects.update(overridden_on=date(2026, 9, 1)), id="due another day"),
        pytest.param(lambda world: ReminderStep.objects.update(active=False), id="taken off the ladder"),
    ],
)
@pytest.mark.parametrize("owed_before", [pytest.param(True, id="owed before"), pytest.param(False, id="not yet owed")])
def test_what_is_not_due_any_more_is_not_sent(world, smtp_server, prevent, owed_before):
    a_cycle(world, "2026-06-01")
    agree(world)
    if owed_before:
        assert outbox.owe_due(now=at("2026-06-01 09:00")) == 1
    prevent(world)

    outbox.run(now=at("2026-06-01 09:01"))

    assert smtp_server.received == []
    assert states() == ([("maintenance", "dropped")] if owed_before else [])


def test_recall_needs_a_yes_and_a_yes_within_the_time_counts(world, smtp_server):
    a_cycle(world, "2026-06-01")

    assert outbox.run(now=at("2026-06-01 09:00")) == {}
    agree(world)
    assert outbox.run(now=at("2026-06-03 09:00"))["sent"] == 1


def test_messages_about_visits_go_unless_the_patient_said_no(world, smtp_server):
    silent, no = world.patient, world.a_patient()
    agree(world, no, purpose="service", granted=False)
    for patient in (silent, no):
        visit = a_visit(world, patient=patient)
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)

    outbox.run(now=NOW)
    outbox.run(now=at("2026-03-07 14:30"))

    assert smtp_server.recipients() == [silent.email] * 2


# --- Notices ------------------------------------------------------------------------------------------------------


def test_a_booking_is_confirmed_once_however_often_it_is_asked_for(world, smtp_server):
    visit = a_visit(world)
    for _again in range(3):
        outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)

    outbox.run(now=NOW)

    assert [mail["Subject"] for mail in smtp_server.received] == [
        "Harbour: your visit on Tue 10 Mar 2026, 14:30 is booked"
    ]


def test_a_whole_series_is_confirmed_in_one_mail(world, smtp_server):
    series = world.a_series()
    starts = ["2026-03-10 14:30", "2026-04-14 14:30", "2026-05-19 14:30"]
    for session, start in zip(series.sessions.all(), starts, strict=True):
        a_visit(world, start, session=session)
    outbox.owe_confirmation(patient=world.patient, series=series, counts_from="request", now=NOW)

    outbox.run(now=NOW)

    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: your visits are booked"
    for said in ("Tue 10 Mar 2026, 14:30", "Tue 14 Apr 2026, 14:30", "Tue 19 May 2026, 14:30"):
        assert said in mail.get_content()


def test_a_confirmation_says_what_is_true_when_it_leaves(world, smtp_server):
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    move(visit, "2026-03-11 10:00")

    outbox.run(now=NOW)

    assert smtp_server.received[0]["Subject"] == "Harbour: your visit on Wed 11 Mar 2026, 10:00 is booked"


def test_of_a_visit_moved_twice_only_the_last_time_is_said_and_a_move_back_is_said_too(world, smtp_server):
    visit = a_visit(world)
    for start in ("2026-03-11 10:00", "2026-03-10 14:30"):
        move(visit, start)
        outbox.owe_change(appointment=visit, now=NOW)
    outbox.run(now=NOW)
    for start in ("2026-03-11 10:00", "2026-03-10 14:30"):
        move(visit, start)
        outbox.owe_change(appointment=visit, now=NOW)
        outbox.run(now=NOW)

    assert [mail["Subject"] for mail in smtp_server.received] == [
        f"Harbour: your visit is now on {start}"
        for start in ("Tue 10 Mar 2026, 14:30", "Wed 11 Mar 2026, 10:00", "Tue 10 Mar 2026, 14:30")
    ]


def test_a_visit_cancelled_before_its_confirmation_left_is_only_cancelled(world, smtp_server):
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    cancel(visit)
    outbox.owe_cancellation(appointment=visit, now=NOW)

    outbox.run(now=NOW)

    assert states() == [("confirmation", "dropped"), ("cancellation", "sent")]
    assert smtp_server.received[0]["Subject"] == "Harbour: your visit on Tue 10 Mar 2026, 14:30 is cancelled"


def test_notices_go_at_night_too_because_somebody_waits_for_them(world, smtp_server):
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)

    outbox.run(now=at("2026-03-02 23:00"))

    assert len(smtp_server.received) == 1


def test_owing_costs_one_insert(world, django_assert_num_queries):
    visit = a_visit(world)

    with django_assert_num_queries(1):
        outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    with django_assert_num_queries(1):
        outbox.owe_change(appointment=visit, now=NOW)


def test_nothing_is_owed_for_a_visit_that_has_begun(world):
    visit = a_visit(world)

    outbox.owe_cancellation(appointment=visit, now=visit.starts_at)

    assert states() == []


# --- When the provider says no ------------------------------------------------------------------------------------


def owed(world, count: int = 1) -> list[Message]:
    for number in range(count):
        patient = world.a_patient(given_name=f"Patient {number}")
        visit = a_visit(world, patient=patient)
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)
    return list(Message.objects.order_by("pk"))


def test_a_refused_address_fails_with_the_providers_words_and_stops_nobody(world, smtp_server):
    first, refused, last = owed(world, 3)
    smtp_server.refuses[refused.patient.email] = "550 5.1.1 no such mailbox"

    outcomes = outbox.run(now=NOW)

    assert outcomes == {"sent": 2, "failed": 1}
    refused.refresh_from_db()
    assert refused.reason == "550 5.1.1 no such mailbox"
    assert smtp_server.recipients() == [first.patient.email, last.patient.email]


def test_a_mail_put_off_is_tried_again_ever_later_and_then_fails(world, smtp_server):
    [message] = owed(world)
    smtp_server.refuses[message.patient.email] = "451 4.7.1 try later"
    now, waits = NOW, []
    for _attempt in range(5):
        outbox.run(now=now)
        message.refresh_from_db()
        waits.append((message.not_before - now) / MINUTE)
        assert outbox.run(now=message.not_before - timedelta(seconds=2)) == {}
        now = message.not_before
    outbox.run(now=now)

    message.refresh_from_db()
    assert [minutes <= wait <= minutes * 1.3 for wait, minutes in zip(waits, (1, 5, 15, 30, 60), strict=True)] == [
        True
    ] * 5, waits
    assert (message.state, message.reason, message.attempts) == ("failed", "451 4.7.1 try later", 6)


def test_a_mail_put_off_once_is_sent_later_under_the_same_id(world, smtp_server):
    [message] = owed(world)
    answers = ["451 4.3.0 busy", "250 OK"]
    smtp_server.answer = lambda mail: answers.pop(0)
    outbox.run(now=NOW)

    outbox.run(now=NOW + 2 * MINUTE)

    message.refresh_from_db()
    assert (message.state, message.handed_over) == ("sent", 1)
    assert str(message.message_id) in smtp_server.received[0]["Message-ID"]


def test_while_no_mail_server_answers_everything_waits_and_nothing_is_used_up(world, smtp_server):
    messages_owed = owed(world, 3)
    smtp_server.stop()

    assert outbox.run(now=NOW) == {"held": 3}
    assert outbox.run(now=NOW + timedelta(seconds=30)) == {}
    assert set(Message.objects.values_list("state", "attempts", "handed_over")) == {("pending", 0, 0)}

    smtp_server.start()
    assert outbox.run(now=NOW + 2 * MINUTE) == {"sent": len(messages_owed)}


def test_a_patient_whose_text_cannot_be_made_stops_nobody(world, smtp_server, monkeypatch, caplog):
    broken = owed(world, 3)[1]
    words = messages.words

    def fail_for_one(message, about, **rest):
        if message.pk == broken.pk:
            raise KeyError("Patient 1")
        return words(message, about, **rest)

    monkeypatch.setattr(messages, "words", fail_for_one)

    assert outbox.run(now=NOW) == {"sent": 2, "failed": 1}
    broken.refresh_from_db()
    assert broken.reason == "It has no text (KeyError)."
    assert "Patient 1" not in caplog.text


def test_a_patient_of_whom_nobody_can_tell_what_is_true_stops_nobody(world, smtp_server, monkeypatch, caplog):
    broken = owed(world, 3)[1]
    what_is_true = recheck._what_is_true

    def fail_for_one(message, facts, now):
        if message.pk == broken.pk:
            raise OverflowError("Patient 1")
        return what_is_true(message, facts, now)

    monkeypatch.setattr(recheck, "_what_is_true", fail_for_one)

    assert outbox.run(now=NOW) == {"sent": 2, "failed": 1}
    broken.refresh_from_db()
    assert broken.reason == "It could not be looked at again (OverflowError)."
    assert "Patient 1" not in caplog.text
    # Put right, it is sent from the desk's list.
    monkeypatch.undo()
    outbox.retry(message=broken, now=NOW + MINUTE)
    assert outbox.run(now=NOW + MINUTE) == {"sent": 1}


@pytest.mark.parametrize("address", ["no at sign", "a@example.com, b@example.com", "a@example.com\nBcc: b@example.com"])
def test_an_address_that_is_none_or_several_fails_and_stops_nobody(world, smtp_server, address):
    bad = owed(world, 2)[0]
    type(bad.patient).objects.filter(pk=bad.patient_id).update(email=address)

    assert outbox.run(now=NOW) == {"sent": 1, "failed": 1}
    assert len(smtp_server.received) == 1
    bad.refresh_from_db()
    assert (bad.reason, bad.attempts) == ("The address is not valid.", 0)


def test_a_lost_answer_is_followed_by_one_more_mail_and_then_by_doubt(world, smtp_server, monkeypatch):
    [message] = owed(world)
    handed_over = []

    def lose(self, mail):
        handed_over.append(mail.extra_headers["Message-ID"])
        raise delivery.Unclear("The answer was lost.")

    monkeypatch.setattr(delivery.Mailer, "send", lose)
    for minutes in range(0, 30, 2):
        outbox.run(now=NOW + minutes * MINUTE)

    message.refresh_from_db()
    assert message.state == "unknown"
    assert handed_over == [f"<{message.message_id}@localhost>"] * 2


def test_a_text_message_without_a_gateway_fails_with_a_plain_reason(world):
    ReminderStep.objects.create(subject="appointment", offset_days=-2, channel="sms", stale_after_days=1)
    a_visit(world, patient=world.a_patient(email="", phone="+447700900123"))

    assert outbox.run(now=at("2026-03-08 14:30")) == {"owed": 1, "failed": 1}
    assert Message.objects.get().reason == "No gateway for text messages is configured."


# --- When a process dies ------------------------------------------------------------------------------------------


def left_by_a_dead_process(message: Message, *, handed_over: int, channel: str = "email") -> None:
    Message.objects.filter(pk=message.pk).update(
        state="sending",
        token=message.message_id,
        lease_until=NOW + ledger.LEASE,
        handed_over=handed_over,
        channel=channel,
    )


@pytest.mark.parametrize(
    ("channel", "handed_over", "becomes", "received"),
    [
        pytest.param("email", 0, "sent", 1, id="never handed over"),
        pytest.param("email", 1, "sent", 1, id="a mail is sent again"),
        pytest.param("email", 2, "unknown", 0, id="a mail is not sent a third time"),
        pytest.param("sms", 1, "unknown", 0, id="a text message is not sent again"),
    ],
)
def test_what_a_dead_process_held_is_taken_up_when_its_lease_is_over(
    world, smtp_server, channel, handed_over, becomes, received
):
    [message] = owed(world)
    left_by_a_dead_process(message, handed_over=handed_over, channel=channel)

    assert outbox.run(now=NOW + ledger.LEASE - MINUTE) == {}
    outbox.run(now=NOW + ledger.LEASE + MINUTE)

    assert (states(), len(smtp_server.received)) == ([("confirmation", becomes)], received)


def test_what_may_have_arrived_is_never_called_not_sent(world, smtp_server):
    [message] = owed(world)
    left_by_a_dead_process(message, handed_over=1)
    cancel(message.appointment)

    outbox.run(now=NOW + ledger.LEASE + MINUTE)

    message.refresh_from_db()
    assert (message.state, message.reason) == ("unknown", "The visit was cancelled.")


def test_a_process_whose_messages_were_taken_up_by_another_hands_nothing_over(world, smtp_server, monkeypatch):
    owed(world, 2)
    words = messages.words

    def be_slow(message, about, **rest):
        Message.objects.filter(state="sending").update(token="00000000-0000-0000-0000-000000000001")
        return words(message, about, **rest)

    monkeypatch.setattr(messages, "words", be_slow)

    assert outbox.dispatch_due(now=NOW) == {"lost": 2}
    assert smtp_server.received == []


# --- What the database refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "name"),
    [
        pytest.param({"handed_over": 3}, "message_handed_over_at_most_twice", id="a third mail"),
        pytest.param(
            {"channel": "sms", "handed_over": 2}, "message_handed_over_at_most_twice", id="a second text message"
        ),
        pytest.param({"state": "sending"}, "message_lease_while_sending", id="sending without a lease"),
        pytest.param({"state": "sent"}, "message_settling_dated", id="sent at no time"),
        pytest.param({"state": "failed", "settled_at": NOW}, "message_refusal_has_a_reason", id="failed for no reason"),
        pytest.param({"state": "lost"}, "message_(state_known|settling_dated)", id="an unknown state"),
        pytest.param({"not_before": NOW + 99 * DAY}, "message_times_in_order", id="not before after not after"),
    ],
)
def test_the_database_refuses(world, values, name):
    [message] = owed(world)

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(**values)


def test_the_same_thing_cannot_be_said_twice(world):
    [message] = owed(world)

    message.pk, message.message_id = None, uuid.uuid4()
    message._state.adding = True

    with pytest.raises(IntegrityError, match="message_said_once"), transaction.atomic():
        message.save()


def test_no_reminder_at_the_hour_of_the_visit(steps):
    with pytest.raises(IntegrityError, match="reminder_step_before_the_visit"), transaction.atomic():
        ReminderStep.objects.create(subject="appointment", offset_days=0, stale_after_days=1)


# --- What it costs ------------------------------------------------------------------------------------------------


def queries_of(work) -> int:
    with CaptureQueriesContext(connection) as queries:
        work()
    return len([q for q in queries.captured_queries if "SAVEPOINT" not in q["sql"]])


def test_a_group_of_mails_costs_one_query_and_a_batch_a_handful(world, smtp_server):
    owed(world, 5)
    few = queries_of(lambda: outbox.dispatch_due(now=NOW))
    owed(world, 3 * dispatch.GROUP)
    many = queries_of(lambda: outbox.dispatch_due(now=NOW))

    # That one group was sent is noted with the next being handed over.
    assert many - few == 2
    # One of them looks for what else waits for these patients and is said in the same mail.
    assert few <= 12
    assert smtp_server.connections == 2, "one for each batch"


def test_what_is_sent_slowly_is_noted_each_second(world, smtp_server, monkeypatch):
    owed(world, 3)
    noted = []

    def look(mail):
        noted.append(Message.objects.filter(state="sent").count())

    monkeypatch.setattr(delivery.Mailer, "send", lambda self, mail: look(mail))
    monkeypatch.setattr(ledger, "NOTE_EVERY", timedelta(0))

    assert outbox.dispatch_due(now=NOW) == {"sent": 3}
    assert noted == [0, 1, 2]


def test_what_was_looked_at_too_long_ago_is_given_back_as_if_it_had_not_been_taken(world, smtp_server, monkeypatch):
    owed(world, 3)
    send = delivery.Mailer.send

    def send_slowly(self, mail):
        send(self, mail)
        monkeypatch.setattr(ledger.Clock, "now", lambda clock: NOW + ledger.FRESH + timedelta(seconds=1))

    monkeypatch.setattr(delivery.Mailer, "send", send_slowly)

    assert outbox.dispatch_due(now=NOW) == {"sent": 1, "released": 2}
    assert sorted(Message.objects.values_list("state", "attempts", "handed_over")) == [
        ("pending", 0, 0),
        ("pending", 0, 0),
        ("sent", 1, 1),
    ]


def test_text_messages_are_handed_over_one_by_one(world, smtp_server, monkeypatch, settings):
    owed(world, 3)
    settings.SMS_URL = "json://localhost/{to}"
    type(world.patient).objects.update(phone="+447700900123", first_channel="sms")
    marked = []

    def look(**sms):
        marked.append(Message.objects.filter(handed_over=1).count())

    monkeypatch.setattr(delivery, "send_sms", look)

    assert outbox.dispatch_due(now=at("2026-03-02 12:00")) == {"sent": 3}
    assert marked == [1, 2, 3]


def test_more_than_a_batch_asks_one_other_worker_to_help(world, smtp_server, monkeypatch):
    asked = []
    monkeypatch.setattr(wake, "after_commit", lambda: asked.append(1))
    owed(world, 5)
    asked.clear()
    outbox.run(now=NOW)
    assert asked == []

    owed(world, 2 * dispatch.BATCH)
    asked.clear()
    outbox.run(now=NOW)
    assert asked == [1]


def test_dropping_and_putting_off_costs_the_same_for_many(world):
    def prepare(count):
        for number in range(count):
            visit = a_visit(world, f"2026-03-10 {10 + number % 8}:{number:02}", patient=world.a_patient())
            if number % 2:
                cancel(visit)

    def cost(day):
        return queries_of(lambda: outbox.dispatch_due(now=at(day)))

    prepare(4)
    outbox.owe_due(now=at("2026-03-07 09:01"))
    Appointment.objects.filter(pk__in=Appointment.objects.values("pk")[:1]).update(status="arrived")
    few = cost("2026-03-07 09:01")
    Message.objects.all().delete()
    prepare(40)
    outbox.owe_due(now=at("2026-03-07 09:01"))

    assert Message.objects.count() > 20
    assert cost("2026-03-07 09:01") <= few


def test_owing_costs_a_few_queries_for_any_number(world, steps):
    for _patient in range(20):
        a_visit(world, patient=world.a_patient())

    # The ladder; and for each step the lock and the statement.
    assert queries_of(lambda: outbox.owe_due(now=at("2026-03-07 14:30"))) <= 1 + 2 * len(steps)
    assert Message.objects.count() == 20


# --- One message a day, three a week ------------------------------------------------------------------------------


def test_several_visits_are_reminded_of_in_one_message(world, smtp_server):
    a_visit(world, "2026-03-10 14:30")
    a_visit(world, "2026-03-10 16:30")

    assert outbox.run(now=at("2026-03-07 16:30")) == {"owed": 2, "sent": 1, "joined": 1}
    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: see you soon"
    for said in ("14:30", "16:30"):
        assert f"Tue 10 Mar 2026, {said}" in mail.get_content()
    joined = Message.objects.get(state="dropped")
    assert (joined.said_with.state, joined.reason) == ("sent", "Said together with another message.")


def test_a_second_reminder_of_the_day_waits_for_the_next_morning(world, smtp_server):
    a_visit(world, "2026-03-10 14:30")
    a_visit(world, "2026-03-10 16:30")

    sent = [outbox.run(now=at(f"2026-03-07 {clock}"))["sent"] for clock in ("14:30", "16:30", "18:00")]

    assert sent == [1, 0, 0]
    assert outbox.run(now=at("2026-03-08 09:00"))["sent"] == 1


def test_a_visit_that_the_daily_one_would_leave_untold_is_told_with_it(world, smtp_server):
    a_visit(world, "2026-03-10 10:00")
    a_visit(world, "2026-03-10 13:00")
    a_visit(world, "2026-03-11 09:30")

    hours = ["2026-03-09 10:00", "2026-03-09 13:00", "2026-03-10 09:00", "2026-03-10 09:30", "2026-03-11 07:00"]
    sent = [outbox.run(now=at(hour))["sent"] for hour in hours]

    assert sent == [1, 0, 1, 0, 0]
    said = smtp_server.received[-1].get_content()
    for visit in ("Tue 10 Mar 2026, 13:00", "Wed 11 Mar 2026, 09:30"):
        assert visit in said


def test_what_could_wait_for_its_own_day_is_not_told_ahead(world, smtp_server):
    a_visit(world, "2026-03-10 10:00")
    a_visit(world, "2026-03-11 14:00")

    sent = [outbox.run(now=at(hour))["sent"] for hour in ("2026-03-09 10:00", "2026-03-10 13:59", "2026-03-10 14:00")]

    assert sent == [1, 0, 1]


def test_only_what_the_hour_kept_back_is_missed(world, smtp_server):
    a_visit(world)
    gone = a_visit(world, patient=world.a_patient())
    outbox.owe_due(now=at("2026-03-07 14:30"))
    Message.objects.filter(patient=world.patient).update(not_after=at("2026-03-07 14:35"))
    cancel(gone)

    outbox.dispatch_due(now=at("2026-03-07 14:40"))

    assert dict(Message.objects.values_list("reason", "missed")) == {
        "Its time has passed.": True,
        "The visit was cancelled.": False,
    }


def test_maintenance_gives_way_to_a_visit_on_the_same_day(world, smtp_server):
    a_visit(world, "2026-03-10 14:30", treatment=Treatment.objects.create(name="Consultation"))
    a_cycle(world, "2026-03-07")
    agree(world)

    assert outbox.run(now=at("2026-03-07 09:00")) == {"owed": 2, "postponed": 2}
    assert outbox.run(now=at("2026-03-07 14:30"))["sent"] == 1
    assert outbox.run(now=at("2026-03-08 09:00"))["sent"] == 1
    assert ["see you" in mail["Subject"] for mail in smtp_server.received] == [True, False]


def test_a_patient_gets_three_reminders_in_a_week_and_no_more(world, smtp_server):
    agree(world)
    for day in range(2, 7):
        a_cycle(world, f"2026-03-{day:02}")

    days = [day for day in range(2, 20) if outbox.run(now=at(f"2026-03-{day:02} 09:00"))["sent"]]

    assert days[:3] == [2, 3, 4]
    assert len(days) == 4
    assert days[3] >= 9, "the two that were left, in one"
    assert "next visits" in smtp_server.received[-1].get_content()


def test_notices_are_not_counted_because_somebody_waits_for_them(world, smtp_server):
    visit = a_visit(world, "2026-03-10 14:30")
    outbox.run(now=at("2026-03-07 14:30"))
    for start in ("15:00", "16:00", "17:00"):
        move(visit, f"2026-03-10 {start}")
        outbox.owe_change(appointment=visit, now=at("2026-03-07 15:00"))
        outbox.run(now=at("2026-03-07 15:00"))

    assert len(smtp_server.received) == 4


def test_what_was_said_with_another_is_said_by_itself_when_that_one_is_dropped(world, smtp_server):
    first = a_visit(world, "2026-03-10 14:30")
    a_visit(world, "2026-03-10 16:30")
    smtp_server.refuses["amal@example.com"] = "451 later"
    outbox.run(now=at("2026-03-07 16:30"))
    cancel(first)
    smtp_server.refuses.clear()

    for minutes in (10, 20):
        outbox.run(now=at("2026-03-07 16:30") + minutes * MINUTE)

    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: see you on Tue 10 Mar 2026, 16:30"


def test_a_confirmation_that_waited_until_the_reminder_says_both_and_a_change_too(world, smtp_server):
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    move(visit, "2026-03-10 15:00")
    outbox.owe_change(appointment=visit, now=NOW)

    assert outbox.run(now=at("2026-03-07 15:00")) == {"owed": 1, "sent": 1, "joined": 2}
    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: your visit on Tue 10 Mar 2026, 15:00 is booked"
    assert outbox.run(now=at("2026-03-09 15:00"))["sent"] == 1, "the next step is due as ever"


def test_tried_again_it_still_says_what_it_says_for_the_others(world, smtp_server):
    a_visit(world, "2026-03-10 14:30")
    a_visit(world, "2026-03-10 16:30")
    smtp_server.refuses["amal@example.com"] = "451 later"
    outbox.run(now=at("2026-03-07 16:30"))
    smtp_server.refuses.clear()

    outbox.run(now=at("2026-03-07 16:40"))

    assert [mail["Subject"] for mail in smtp_server.received] == ["Harbour: see you soon"]


# --- What stops a recall, and what does not -----------------------------------------------------------------------


def test_an_unrelated_visit_does_not_stop_a_recall(world, smtp_server):
    a_cycle(world, "2026-06-01")
    agree(world)
    a_visit(world, "2026-06-20 10:00", treatment=Treatment.objects.create(name="Consultation"))

    assert outbox.run(now=at("2026-06-01 09:00"))["sent"] == 1


@pytest.mark.parametrize("of", ["no series", "a new series"])
def test_a_visit_of_the_same_treatment_stops_a_recall_however_it_was_booked(world, smtp_server, of):
    a_cycle(world, "2026-06-01")
    agree(world)
    session = world.a_series().sessions.first() if of == "a new series" else None
    a_visit(world, "2026-06-20 10:00", session=session)

    assert outbox.run(now=at("2026-06-01 09:00"))["sent"] == 0
    assert Message.objects.get().reason == "A visit of this treatment is booked."


def test_when_such_a_visit_is_cancelled_the_recall_resumes_at_the_next_step(world, smtp_server):
    ReminderStep.objects.create(subject="maintenance", offset_days=28, stale_after_days=7)
    a_cycle(world, "2026-06-01")
    agree(world)
    visit = a_visit(world, "2026-07-20 10:00")
    sent = []
    for day in [date(2026, 5, 30) + n * DAY for n in range(40)]:
        if day == date(2026, 6, 3):
            cancel(visit)
        if outbox.run(now=at(f"{day} 09:00"))["sent"]:
            sent.append(day)

    assert sent == [date(2026, 6, 29)]


def test_what_was_attended_of_the_same_treatment_stops_no_later_recall(world, smtp_server):
    a_cycle(world, "2026-06-01")
    agree(world)
    a_visit(world, "2026-05-20 10:00", status="fulfilled")

    assert outbox.run(now=at("2026-06-01 09:00"))["sent"] == 1


@pytest.mark.parametrize(
    "cancelled",
    [
        pytest.param(date(2026, 6, 20), id="long after a step"),
        pytest.param(date(2026, 6, 3), id="soon after a step that came while it was booked"),
        pytest.param(date(2026, 6, 1), id="on the day of a step"),
    ],
)
def test_cancelling_resumes_at_the_next_step_and_repeats_none(world, smtp_server, steps, cancelled):
    ReminderStep.objects.create(subject="maintenance", offset_days=28, stale_after_days=7)
    cycle = a_cycle(world, "2026-06-01")
    agree(world)
    days = [date(2026, 5, 1) + n * DAY for n in range(70)]
    sent = []
    for day in days:
        if day == date(2026, 5, 20):
            maintenance.mark_booked(cycle=cycle)
        if day == cancelled:
            maintenance.mark_unbooked(cycle=cycle, remind_from=cancelled + DAY)
        if outbox.run(now=at(f"{day} 09:00"))["sent"]:
            sent.append(day)

    assert sent == [date(2026, 5, 4), date(2026, 6, 29)]


@pytest.mark.parametrize("how", ["cancelled", "missed"])
def test_a_visit_that_does_not_take_place_leaves_a_cycle_put_off_as_it_was_and_makes_up_for_no_step(
    world, smtp_server, how
):
    cycle = a_cycle(world, "2026-06-01")
    agree(world)
    maintenance.defer(cycle=cycle, until=date(2026, 9, 1), reason="travelling")
    visit = a_booked(world, "2026-05-29 10:00", maintenance=cycle)
    then = at("2026-05-29 12:00")
    if how == "cancelled":
        booking.cancel(appointment=visit, reason="ill", by=world.desk, now=then)
    else:
        booking.no_show(appointment=visit, by=world.desk, now=then)

    cycle.refresh_from_db()
    assert (cycle.state, cycle.deferred_until, cycle.remind_from) == (
        "deferred",
        date(2026, 9, 1),
        date(2026, 5, 30),
    )
    outbox.run(now=at("2026-06-01 09:00"))
    assert not Message.objects.filter(kind="maintenance").exists()


def test_a_cancellation_that_is_taken_back_leaves_it_booked_and_a_later_one_counts_from_its_own_day(world, smtp_server):
    cycle = a_cycle(world, "2026-06-01")
    agree(world)
    maintenance.defer(cycle=cycle, until=date(2026, 9, 1), reason="travelling")
    visit = a_booked(world, "2026-06-10 10:00", maintenance=cycle)
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)
    undo.undo(appointment=visit, by=world.desk, now=NOW)

    cycle.refresh_from_db()
    assert (cycle.state, cycle.deferred_until) == ("booked", date(2026, 9, 1))
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=at("2026-06-03 10:00"))
    cycle.refresh_from_db()
    assert (cycle.state, cycle.remind_from) == ("deferred", date(2026, 6, 4))


def test_after_a_year_without_a_visit_it_lapses_and_owes_nothing(world, smtp_server):
    cycle = a_cycle(world, "2026-06-01")
    put_off = a_cycle(world, "2026-06-01")
    maintenance.defer(cycle=put_off, until=date(2026, 9, 1), reason="travelling")
    agree(world)

    assert outbox.run(now=at("2027-06-01 09:00"))["lapsed"] == 0
    assert outbox.run(now=at("2027-06-02 09:00")) == {"lapsed": 1}
    assert outbox.run(now=at("2027-09-02 09:00")) == {"lapsed": 1}
    for row in (cycle, put_off):
        row.refresh_from_db()
        assert (row.state, row.deferred_until) == ("lapsed", None)
    assert smtp_server.received == []


# --- One that fails stops no other --------------------------------------------------------------------------------


def test_a_step_that_fails_stops_no_other_and_nothing_that_waits(world, smtp_server, caplog):
    """The terms of a course were changed by hand into something that the statement cannot read."""
    outbox.owe_confirmation(patient=world.patient, appointment=a_visit(world), counts_from="request", now=NOW)
    ReminderStep.objects.create(subject="aftercare", offset_days=2, stale_after_days=1)
    patient = world.a_patient()
    series = world.a_series(patient)
    a_visit(world, "2026-03-02 07:00", patient=patient, session=series.sessions.first(), status="fulfilled")
    odd = [{"when": "after", "offset": 1.5, "unit": "hour", "text": "canary", "action": "do"}]
    Series.objects.filter(pk=series.pk).update(terms_json={**series.terms_json, "care": odd})
    a_visit(world, "2026-03-05 10:00", patient=world.a_patient())

    outcomes = outbox.run(now=at("2026-03-04 10:00"))

    assert (outcomes["owed"], outcomes["sent"]) == (1, 2)
    assert operations.standing(now=at("2026-03-04 10:00")).trouble_at == at("2026-03-04 10:00")
    assert "DataError" in caplog.text
    assert "canary" not in caplog.text


def test_what_cannot_lapse_stops_nothing_that_waits(world, smtp_server, monkeypatch):
    outbox.owe_confirmation(patient=world.patient, appointment=a_visit(world), counts_from="request", now=NOW)

    def fail(**_now):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(maintenance, "lapse_overdue", fail)

    assert outbox.run(now=NOW)["sent"] == 1
