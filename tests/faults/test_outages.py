"""A mail server that hangs, dies, has enough for now or is away for two days: everything else leaves within minutes."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import F, Max

from clinic import delivery
from clinic.models import Appointment, Message, ReminderStep
from clinic.services import dispatch, ledger, outbox
from tests.clinic.test_outbox import a_cycle, a_visit, agree, cancel, move
from tests.faults.test_dispatch_killed import message_ids
from tests.mail_server import OK
from tests.world import NOW, at

MINUTE = timedelta(minutes=1)
HANDED_OVER_WITHIN = timedelta(minutes=5)
AFTER_AN_OUTAGE = timedelta(minutes=15)
# In these tests a second stands for so many: the mail server's 20 of patience are one.
FASTER = 20


@pytest.fixture
def hurried(settings, monkeypatch):
    settings.EMAIL_TIMEOUT /= FASTER
    monkeypatch.setattr(
        ledger.Clock,
        "now",
        lambda clock: clock._now + FASTER * timedelta(seconds=time.monotonic() - clock._started),
    )


def owed(world, count: int) -> list[Message]:
    for number in range(count):
        patient = world.a_patient(given_name=f"Patient {number}")
        visit = a_visit(world, patient=patient)
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)
    return list(Message.objects.order_by("pk"))


def each_minute(*, until):
    """As beat does, from NOW on; a run that takes longer than a minute holds up the next."""
    now = NOW
    while now < until:
        began = time.monotonic()
        outbox.run(now=now)
        took = FASTER * timedelta(seconds=time.monotonic() - began)
        now += max(MINUTE, took)


@pytest.mark.django_db(transaction=True)
def test_a_mail_over_which_the_server_hangs_holds_up_no_other_for_long(world, smtp_server, hurried):
    hanging, *others = owed(world, 25)
    address, answer = hanging.patient.email, smtp_server.handle_DATA

    async def hang(server, session, envelope):
        if address in envelope.rcpt_tos:
            await asyncio.sleep(30 / FASTER)
        return await answer(server, session, envelope)

    smtp_server.handle_DATA = hang
    each_minute(until=NOW + HANDED_OVER_WITHIN)

    settled = Message.objects.exclude(pk=hanging.pk)
    assert set(settled.values_list("state", "handed_over")) == {("sent", 1)}
    assert settled.aggregate(last=Max("settled_at"))["last"] <= NOW + HANDED_OVER_WITHIN
    hanging.refresh_from_db()
    assert (hanging.state, hanging.handed_over) == ("unknown", 2)
    assert {message_ids(smtp_server)[f"<{message.message_id}@localhost>"] for message in others} == {1}


@pytest.mark.django_db(transaction=True)
def test_a_server_that_hangs_as_a_whole_for_half_a_minute_delays_everything_by_no_more_than_minutes(
    world, smtp_server, hurried
):
    owed(world, 10)
    hung = []

    def hang_once(mail):
        if not hung:
            hung.append(mail)
            # Its only thread: nobody else is answered either.
            time.sleep(30 / FASTER)
        return OK

    smtp_server.answer = hang_once
    each_minute(until=NOW + HANDED_OVER_WITHIN)

    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}
    assert Message.objects.aggregate(last=Max("settled_at"))["last"] <= NOW + HANDED_OVER_WITHIN
    # The one over which it hung may arrive twice, under one Message-ID.
    assert sorted(message_ids(smtp_server).values()) in ([1] * 10, [1] * 9 + [2])


def test_a_server_that_takes_a_mail_and_dies_has_it_twice_at_most_and_the_others_once(world, smtp_server):
    lost, *others = owed(world, 5)
    address, answer = lost.patient.email, smtp_server.handle_DATA

    async def take_and_die(server, session, envelope):
        said = await answer(server, session, envelope)
        if address in envelope.rcpt_tos:
            server.transport.abort()
        return said

    smtp_server.handle_DATA = take_and_die
    each_minute(until=NOW + HANDED_OVER_WITHIN)

    received = message_ids(smtp_server)
    assert received.pop(f"<{lost.message_id}@localhost>") == 2
    assert set(received.values()) == {1}
    assert len(received) == len(others)
    assert Counter(Message.objects.values_list("state", flat=True)) == {"sent": 4, "unknown": 1}


def test_a_server_that_has_enough_for_now_gets_each_mail_once_when_it_is_ready(world, smtp_server):
    owed(world, 10)
    refusing = iter(range(10))
    smtp_server.answer = lambda mail: OK if next(refusing, None) is None else "421 4.7.0 too many messages, slow down"

    each_minute(until=NOW + AFTER_AN_OUTAGE)

    assert set(message_ids(smtp_server).values()) == {1}
    assert Counter(Message.objects.values_list("state", "handed_over")) == {("sent", 1): 10}


def test_after_an_hour_without_a_mail_server_everything_leaves_at_once(world, smtp_server):
    owed(world, 120)
    smtp_server.stop()
    back_at = NOW + 60 * MINUTE
    for minutes in range(60):
        outbox.run(now=NOW + minutes * MINUTE)
    smtp_server.start()

    outbox.run(now=back_at)
    outbox.run(now=back_at + MINUTE)

    assert Counter(Message.objects.values_list("state", "attempts")) == {("sent", 1): 120}
    assert Message.objects.aggregate(last=Max("settled_at"))["last"] <= back_at + AFTER_AN_OUTAGE
    assert set(message_ids(smtp_server).values()) == {1}


# --- A server that answers, and takes nothing -----------------------------------------------------------------------

BUSY = "451 4.3.2 system not accepting messages"


class Moody:
    """Answers each mail by the minute and the address, and counts what it was offered."""

    def __init__(self, smtp_server, mood) -> None:
        self.mood, self.now, self.offered = mood, NOW, []
        smtp_server.answer = self.answer

    def answer(self, mail) -> str:
        self.offered.append((self.now, mail["To"]))
        return self.mood(self.now, mail["To"])

    def each_minute(self, *, until) -> None:
        while self.now < until:
            outbox.run(now=self.now)
            self.now += MINUTE


def no_mail_was_lost(*, by) -> bool:
    return not Message.objects.exclude(state="sent", settled_at__lte=by).exists()


def test_three_hours_of_not_now_to_everything_use_up_no_retries_and_end_within_minutes(world, smtp_server):
    owed(world, 120)
    back_at = NOW + 180 * MINUTE
    server = Moody(smtp_server, lambda now, to: BUSY if now < back_at else OK)
    server.each_minute(until=back_at)

    assert set(Message.objects.values_list("state", flat=True)) == {"pending"}
    assert Message.objects.aggregate(most=Max("attempts"))["most"] == 1
    assert len(server.offered) <= 3 + 180, "one mail a minute asks"
    assert len({to for _at, to in server.offered}) > 5, "and not always the same"

    server.each_minute(until=back_at + AFTER_AN_OUTAGE)
    assert no_mail_was_lost(by=back_at + AFTER_AN_OUTAGE)
    assert set(message_ids(smtp_server).values()) == {1}


def test_it_is_seen_too_where_mails_come_one_at_a_time(world, smtp_server):
    back_at = NOW + 240 * MINUTE
    server = Moody(smtp_server, lambda now, to: BUSY if now < back_at else OK)
    for hour in range(3):
        owed(world, 1)
        server.each_minute(until=NOW + hour * 40 * MINUTE)
    server.each_minute(until=back_at + AFTER_AN_OUTAGE)

    assert no_mail_was_lost(by=back_at + AFTER_AN_OUTAGE)
    assert len(server.offered) < 240


def test_what_is_put_off_for_its_own_address_ends_on_the_desks_list_while_others_go(world, smtp_server):
    full = owed(world, 1)[0]
    address = full.patient.email
    server = Moody(smtp_server, lambda now, to: BUSY if to == address else OK)
    for minutes in range(10, 181, 10):
        owed(world, 1)
        server.each_minute(until=NOW + minutes * MINUTE)

    full.refresh_from_db()
    assert (full.state, full.reason, full.attempts) == ("failed", BUSY, 6)
    assert not Message.objects.exclude(pk=full.pk).exclude(state="sent").exists()


@pytest.mark.parametrize("answer", [BUSY, "421 4.3.2 come back later"])
def test_a_few_addresses_that_are_never_taken_are_no_outage_once_others_go(world, smtp_server, answer):
    full = {message.patient.email for message in owed(world, 3)}
    server = Moody(smtp_server, lambda now, to: answer if to in full else OK)
    server.each_minute(until=NOW + 30 * MINUTE)
    for minutes in range(40, 301, 10):
        others = owed(world, 1)[-1:]
        server.each_minute(until=NOW + minutes * MINUTE)
        [other] = others
        other.refresh_from_db()
        assert other.state == "sent"
        assert other.settled_at <= NOW + (minutes - 10) * MINUTE + HANDED_OVER_WITHIN

    became = Message.objects.filter(patient__email__in=full)
    assert set(became.values_list("state", "reason")) == {("failed", answer)}


def test_a_server_that_takes_a_few_a_minute_gets_them_as_it_takes_them(world, smtp_server):
    owed(world, 60)
    taken = Counter()

    def mood(now, to):
        taken[now] += 1
        return OK if taken[now] <= 10 else "450 4.7.1 too much mail from you"

    server = Moody(smtp_server, mood)
    server.each_minute(until=NOW + AFTER_AN_OUTAGE)

    assert no_mail_was_lost(by=NOW + AFTER_AN_OUTAGE)
    assert max(taken.values()) <= 10 + 3


def test_of_several_processes_one_asks_in_a_minute(world, smtp_server):
    owed(world, 10)
    Moody(smtp_server, lambda now, to: BUSY)
    outbox.run(now=NOW)

    may_ask = [dispatch._claim(uuid4(), NOW + MINUTE, 1)[1].may_ask for _process in range(3)]

    assert may_ask == [True, False, False]


@pytest.mark.parametrize("mails_are_held_by", ["no connection", "not now"])
def test_what_is_held_says_what_it_said_for_others_and_text_messages_go(
    world, smtp_server, settings, monkeypatch, mails_are_held_by
):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-3, channel="email", stale_after_days=1)
    for clock in ("14:30", "16:30"):
        a_visit(world, f"2026-03-10 {clock}")
    settings.SMS_URL = "json://localhost/{to}"
    texted = world.a_patient(phone="+447700900123", first_channel="sms", email="")
    texts = []
    monkeypatch.setattr(delivery, "send_sms", lambda **sms: texts.append(sms["to"]))
    if mails_are_held_by == "no connection":
        smtp_server.stop()
    else:
        smtp_server.answer = lambda mail: "421 not now"
    now = at("2026-03-07 16:30")
    outbox.run(now=now)
    visit = a_visit(world, "2026-03-12 10:00", patient=texted)
    outbox.owe_confirmation(patient=texted, appointment=visit, counts_from="request", now=now)
    outbox.run(now=now + MINUTE)
    assert texts == ["+447700900123"]

    if mails_are_held_by == "no connection":
        smtp_server.start()
    smtp_server.answer = lambda mail: OK
    outbox.run(now=now + 2 * MINUTE)
    [mail] = smtp_server.received
    assert "14:30" in mail.get_content()
    assert "16:30" in mail.get_content()


# --- Everything down for two days -----------------------------------------------------------------------------------

DOWN = timedelta(hours=48)


@pytest.fixture
def ladder_of_the_clinic(db) -> None:
    ReminderStep.objects.all().delete()
    for subject, days, stale in [
        ("appointment", -3, 1),
        ("appointment", -1, 1),
        ("maintenance", -28, 7),
        ("maintenance", 0, 7),
    ]:
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=stale)


def test_after_two_days_down_each_visit_has_one_message_at_most_and_nothing_stale_is_said(
    world, smtp_server, ladder_of_the_clinic
):
    """A visit each hour of the opening times, from before the outage to long after it; some moved, some cancelled."""
    down_at = at("2026-03-04 12:00")
    up_at = down_at + DOWN
    visits = []
    for day in range(2, 16):
        for hour in range(9, 18, 2):
            visits.append(a_visit(world, f"2026-03-{day:02} {hour:02}:00", patient=world.a_patient()))
    a_cycle(world, "2026-03-05")
    agree(world)
    # What was owed in the last minute before it, and what became of it while nothing ran.
    for visit in visits[15::3]:
        outbox.owe_confirmation(patient=visit.patient, appointment=visit, counts_from="r", now=down_at - MINUTE)
    outbox.owe_due(now=down_at)
    cancelled, moved = visits[::7], visits[3::7]
    for visit in cancelled:
        cancel(visit)
    for visit in moved:
        if visit.starts_at > up_at:
            move(visit, f"{visit.starts_at + timedelta(days=1):%Y-%m-%d} 13:00")
            outbox.owe_change(appointment=visit, now=down_at + timedelta(hours=5))

    for minutes in range(0, 60, 5):
        outbox.run(now=up_at + minutes * MINUTE)

    told = Counter(mail["To"] for mail in smtp_server.received)
    assert max(told.values()) == 1
    starts = {visit.patient.email: visit for visit in visits}
    for mail in smtp_server.received:
        if mail["To"] == world.patient.email:
            assert mail["Subject"] == "Harbour: time for your next visit"
            continue
        visit = starts[mail["To"]]
        visit.refresh_from_db()
        assert visit.status == "booked"
        assert visit.starts_at > up_at
        assert f"{visit.starts_at:%H:%M}" in mail["Subject"]
        assert f"{visit.starts_at.day} Mar" in mail["Subject"]
    # Whoever comes within the days of the ladder heard of it.
    soon = Appointment.objects.filter(
        status="booked", starts_at__gt=up_at + timedelta(hours=3), starts_at__lte=up_at + timedelta(days=1)
    )
    assert {visit.patient.email for visit in soon} <= told.keys()
    assert soon.exists()
    assert not Message.objects.filter(state="sent", settled_at__gt=F("not_after")).exists()
