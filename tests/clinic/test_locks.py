"""Whoever reads under a lock waits for a rival who holds it, and decides by what the rival left."""

from datetime import timedelta
from threading import Thread
from time import monotonic, sleep
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from clinic.links import digest
from clinic.models import Message, OpeningHours, ReminderLink, ReminderStep, WorklistHold
from clinic.services import dispatch, links, mail_answers, outbox, rota, sms_answers, worklist
from clinic.services.outbox import NotRetryable
from clinic.services.rota import Change, GoneMeanwhile
from clinic.services.worklist import RowHeld
from patients import services as patients
from patients.models import Consent, Patient
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.rows import make
from tests.world import NOW, TODAY, at, merged_into
from treatments.models import AddOn, ProtocolAddOn, Series, Session
from treatments.services import add_ons
from treatments.services.add_ons import AddOnNotOffered

pytestmark = pytest.mark.django_db(transaction=True)


def beside(first, second, then=lambda: None):
    """What `second` answers or raises, begun after `first`, whose transaction stays open until it waits or has ended.

    And whether it waited. `then` is what the transaction of `first` does last.
    """
    answers = []

    def run():
        try:
            answers.append(second())
        except Exception as error:
            answers.append(error)
        finally:
            connections.close_all()

    rival = Thread(target=run)
    with transaction.atomic():
        first()
        rival.start()
        waited = _waits(rival)
        then()
    rival.join()
    return answers[0], waited


def _waits(rival: Thread) -> bool:
    until = monotonic() + 10
    while rival.is_alive() and monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return True
        sleep(0.02)
    return False


def test_add_ons_are_not_changed_of_a_session_that_is_recorded_in_that_moment(world):
    ProtocolAddOn.objects.create(protocol=world.protocol, add_on=AddOn.objects.create(name="PRP"), role="optional")
    series = world.a_series()

    def record():
        Series.objects.select_for_update(no_key=True).get(pk=series.pk)
        Session.objects.filter(series=series, number=1).update(
            state="attended", attended_on=TODAY, recorded_at=NOW, recorded_by=world.desk
        )

    answer, _waited = beside(record, lambda: add_ons.choose(series=series, add_ons={1: ["PRP"]}))

    assert isinstance(answer, AddOnNotOffered)
    assert Session.objects.get(series=series, number=1).add_ons == []


def test_hours_that_are_removed_in_that_moment_are_not_brought_back(world):
    row = OpeningHours.objects.first()

    answer, _waited = beside(
        OpeningHours.objects.filter(pk=row.pk).delete,
        lambda: rota.carry_out(Change(save=(row,)), seen="", now=NOW),
    )

    assert isinstance(answer, GoneMeanwhile)
    assert not OpeningHours.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    ("channel", "bounced", "arrived"),
    [
        pytest.param(
            "email",
            lambda key: mail_answers.told(key=key, event="bounced", said="550", now=NOW),
            lambda key: mail_answers.told(key=key, event="delivered", said="", now=NOW),
            id="by mail",
        ),
        pytest.param(
            "sms",
            lambda key: sms_answers.delivered(key=key, status="failed", now=NOW),
            lambda key: sms_answers.delivered(key=key, status="delivered", now=NOW),
            id="by text message",
        ),
    ],
)
def test_of_two_answers_about_one_message_the_second_knows_the_first(world, channel, bounced, arrived):
    key = make(Message, world, channel=channel, state="sent", settled_at=NOW).message_id

    answer, _waited = beside(lambda: bounced(key), lambda: arrived(key))

    assert answer is False
    assert Message.objects.get().state == "failed"


@pytest.mark.parametrize("middle_first", [True, False], ids=["the middle goes first", "the middle goes last"])
def test_two_merges_at_once_never_make_a_chain(world, middle_first):
    outer, middle, inner = (world.a_patient() for _ in range(3))
    merges = [
        lambda: Patient.objects.filter(pk=middle.pk).update(**merged_into(inner)),
        lambda: Patient.objects.filter(pk=outer.pk).update(**merged_into(middle)),
    ]

    answer, waited = beside(*(merges if middle_first else reversed(merges)))

    assert answer.__cause__.diag.constraint_name == "patient_merged_in_one_step"
    assert waited


def test_two_complaints_about_two_mails_are_one_no(world):
    patients.give_consent(
        patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOW
    )
    keys = [make(Message, world).message_id for _ in range(2)]
    complaints = [lambda k=key: mail_answers.told(key=k, event="complained", said="", now=NOW) for key in keys]

    assert beside(*complaints) == (False, True)
    assert Consent.objects.filter(granted=False).count() == 1


def test_stop_sent_twice_is_one_no_of_each_purpose(world):
    Patient.objects.filter(pk=world.patient.pk).update(phone="+447700900123")

    def stop():
        return sms_answers.answered(phone="+447700900123", text="STOP", now=NOW)

    assert beside(stop, stop) == (1, True)
    assert Consent.objects.filter(granted=False).count() == 3


def test_of_two_who_take_a_row_that_was_left_one_has_it(world):
    subject = worklist.subject("message", make(Message, world).pk)
    WorklistHold.objects.create(row=subject.row_id, held_by=world.desk, until=NOW - timedelta(hours=1))
    rival = User.objects.create_user("rival")

    answer, _waited = beside(
        lambda: WorklistHold.objects.select_for_update().get(),
        lambda: worklist.take(subject=subject, by=world.manager, now=NOW),
        then=lambda: WorklistHold.objects.update(held_by=rival, until=NOW + timedelta(minutes=9)),
    )

    assert isinstance(answer, RowHeld)
    assert WorklistHold.objects.get().held_by == rival


def test_two_processes_never_claim_messages_at_the_same_moment(world):
    """So that what one patient is to be told is claimed by one of them, and said together."""
    _answer, waited = beside(dispatch._one_at_a_time, lambda: dispatch._claim(uuid4(), NOW, 1))

    assert waited


def test_a_message_dropped_in_that_moment_is_not_claimed(world):
    make(Message, world)

    answer = beside(
        lambda: outbox.drop(Message.objects.all(), reason="undone", now=NOW),
        lambda: dispatch._claim(uuid4(), NOW, 1)[0],
    )

    assert answer == ([], False)
    assert Message.objects.get().state == "dropped"


def test_a_message_settled_after_its_lease_has_ended_is_not_sent_again(world):
    """Its process was slow and not dead."""
    make(Message, world, state="sending", token=uuid4(), lease_until=NOW - timedelta(seconds=1), handed_over=1)

    answer = beside(
        lambda: Message.objects.update(state="sent", token=None, lease_until=None, settled_at=NOW),
        lambda: dispatch._claim(uuid4(), NOW, 1)[0],
    )

    assert answer == ([], False)
    assert Message.objects.get().state == "sent"


def test_of_two_who_owe_what_has_come_due_one_leaves_it_to_the_other(world):
    ReminderStep.objects.get_or_create(subject="appointment", offset_days=-3, defaults={"stale_after_days": 1})
    a_visit(world)
    due = at("2026-03-07 14:30")

    assert beside(lambda: outbox.owe_due(now=due), lambda: outbox.owe_due(now=due)) == (0, False)
    assert Message.objects.count() == 1


def test_a_message_settled_by_hand_in_that_moment_is_not_sent_again(world):
    message = make(Message, world, state="failed", settled_at=NOW, reason="550")

    answer, _waited = beside(
        lambda: outbox.settle_by_hand(message=message, arrived=True, now=NOW),
        lambda: outbox.retry(message=message, now=NOW),
    )

    assert isinstance(answer, NotRetryable)
    assert Message.objects.get().state == "sent"


SECRET = "a" * 24


@pytest.fixture
def link(world):
    agree(world)
    message = make(Message, world, kind="maintenance", maintenance=a_cycle(world))
    return make(ReminderLink, world, message=message, digest=digest(SECRET))


def test_stop_pressed_twice_is_one_no(link):
    def stop():
        return links.stop(SECRET, now=NOW)

    assert beside(stop, stop) == (True, True)
    assert Consent.objects.filter(granted=False).count() == 1


def test_a_fresh_link_asked_for_twice_is_sent_once(link):
    beside(
        lambda: links.send_fresh(SECRET, now=NOW),
        lambda: links.send_fresh(SECRET, now=NOW + timedelta(seconds=1)),
    )

    assert Message.objects.filter(kind="fresh_link").count() == 1
