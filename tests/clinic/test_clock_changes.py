"""Sending over both clock changes, in five zones: each reminder once, at its hour, never at night."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clinic.models import Message, ReminderStep
from clinic.services import outbox
from tests.clinic.test_outbox import a_cycle, agree
from tests.clinic.test_outbox import a_visit as visit_at
from tests.world import NOW
from treatments.models import CareInstruction

# The day on which the clocks go forward, and the one on which they go back. Lord Howe's go by half an hour.
CHANGES = [
    pytest.param(zone, day, id=f"{zone} {day}")
    for zone, days in {
        "Europe/London": ("2026-03-29", "2026-10-25"),
        "America/New_York": ("2027-03-14", "2026-11-01"),
        "Australia/Sydney": ("2026-10-04", "2026-04-05"),
        "Pacific/Auckland": ("2026-09-27", "2026-04-05"),
        "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    }.items()
    for day in days
]
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_over_a_clock_change_each_reminder_goes_once_at_its_hour(world, smtp_server, zone, day):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-1, stale_after_days=1)
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)
    type(world.site).objects.update(time_zone=zone)
    there = ZoneInfo(zone)
    changes = datetime.fromisoformat(day).replace(tzinfo=there)
    # Two visits of which one is reminded of on the day of the change itself, and one that is reminded of before it.
    on_the_day = changes + timedelta(hours=10)
    after = on_the_day + timedelta(days=1)
    for start in (on_the_day, after):
        visit = visit_at(
            world, f"{start:%Y-%m-%d %H:%M}", patient=world.a_patient(), booked_at=NOW - timedelta(days=30)
        )
        type(visit).objects.filter(pk=visit.pk).update(
            starts_at=start.astimezone(ZoneInfo("UTC")), ends_at=start.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)
        )
    agree(world, given_at=NOW)
    a_cycle(world, day)
    sent = {}

    now = (changes - timedelta(days=1)).astimezone(ZoneInfo("UTC"))
    while now < after:
        outbox.run(now=now)
        for message in Message.objects.filter(state="sent").exclude(pk__in=sent):
            sent[message.pk] = (message.kind, f"{now.astimezone(there):%Y-%m-%d %H:%M}")
        now += HALF_AN_HOUR

    the_day_before = f"{changes - timedelta(days=1):%Y-%m-%d}"
    assert sorted(sent.values()) == [
        ("maintenance", f"{day} 09:00"),
        ("visit_reminder", f"{the_day_before} 10:00"),
        ("visit_reminder", f"{day} 10:00"),
    ]
    assert Message.objects.exclude(state="sent").count() == 0
    assert len(smtp_server.received) == 3


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_over_a_clock_change_care_goes_once_and_not_sooner_than_said(world, smtp_server, zone, day):
    ReminderStep.objects.all().delete()
    for subject, days, stale in (("pre_care", -1, None), ("aftercare", 2, 1)):
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=stale)
    hours = {"offset": 48, "unit": "hour"}
    for position, when in enumerate(("before", "after"), start=1):
        CareInstruction.objects.create(
            protocol=world.protocol, position=position, when=when, action="avoid", text="No make-up", **hours
        )
    type(world.site).objects.update(time_zone=zone)
    there, utc = ZoneInfo(zone), ZoneInfo("UTC")
    changes = datetime.fromisoformat(day).replace(tzinfo=there)
    # One visit ended on the day before the change; the other is the day after it, and its care began on the day before.
    ended = (changes - timedelta(days=1) + timedelta(hours=12)).astimezone(utc)
    ahead = (changes + timedelta(days=2) + timedelta(hours=12)).astimezone(utc)
    for start, status in ((ended - timedelta(hours=1), "fulfilled"), (ahead, "booked")):
        patient = world.a_patient()
        visit = visit_at(
            world, patient=patient, session=world.a_series(patient).sessions.first(), booked_at=NOW - timedelta(days=30)
        )
        type(visit).objects.filter(pk=visit.pk).update(
            starts_at=start, ends_at=start + timedelta(hours=1), status=status
        )
    sent = {}

    now = (changes - timedelta(days=2)).astimezone(utc)
    while now < ended + timedelta(hours=60):
        outbox.run(now=now)
        for message in Message.objects.filter(state="sent").exclude(pk__in=sent):
            sent[message.pk] = (message.kind, now)
        now += HALF_AN_HOUR

    assert sorted((kind, at) for kind, at in sent.values()) == [
        # 48 hours by the clock of instants, whatever the clocks of the wall did.
        ("aftercare", ended + timedelta(hours=48)),
        # The care begins at noon two days before, on the day of the change; it is told in the morning before that.
        ("pre_care", (changes - timedelta(days=1) + timedelta(hours=9)).astimezone(utc)),
    ]
