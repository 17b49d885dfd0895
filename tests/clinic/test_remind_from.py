"""A course that came from another system: what was due there sets off nothing here, and what comes is reminded of."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from clinic.models import Message, ReminderStep
from clinic.services import outbox, recheck, worklist_rows
from tests.clinic.test_outbox import a_cycle, agree
from tests.world import LONDON, NOW, at
from treatments.models import Maintenance

CAME = date(2026, 3, 2)
FIRST = CAME + timedelta(days=1)


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    return [
        ReminderStep.objects.create(subject="maintenance", offset_days=days, stale_after_days=stale)
        for days, stale in [(-28, 20), (0, 7), (28, 7)]
    ]


@pytest.mark.parametrize(
    ("due", "reminded"),
    [
        pytest.param("2026-05-04", ["2026-04-06", "2026-05-04", "2026-06-01"], id="due later: every step"),
        pytest.param("2026-03-30", ["2026-03-30", "2026-04-27"], id="the first step was that day"),
        pytest.param("2026-03-31", ["2026-03-03", "2026-03-31", "2026-04-28"], id="the first step is the next day"),
        pytest.param("2026-03-20", ["2026-03-20", "2026-04-17"], id="between the first step and the day"),
        pytest.param("2026-02-28", ["2026-03-28"], id="overdue: only what is still to come"),
        pytest.param("2026-01-31", [], id="overdue beyond the last step: nothing, ever"),
    ],
)
def test_no_step_whose_day_lies_before_is_sent_and_every_later_one_is(world, smtp_server, due, reminded):
    Maintenance.objects.filter(pk=a_cycle(world, due).pk).update(remind_from=FIRST)
    agree(world)

    days = [CAME + timedelta(days=n) for n in range(120)]
    sent = [f"{day}" for day in days if outbox.run(now=at(f"{day} 09:00"))["sent"]]

    assert sent == reminded


def test_what_was_owed_before_the_day_was_set_is_not_sent(world):
    cycle = a_cycle(world, "2026-03-02")
    agree(world)
    outbox.owe_due(now=NOW)
    Maintenance.objects.filter(pk=cycle.pk).update(remind_from=FIRST)

    message = Message.objects.select_related("patient", "step", "appointment__site", "maintenance").get()
    verdict = recheck.verdicts([message], now=at("2026-03-02 10:00"))[message.pk]

    assert verdict == recheck.Drop("Its day had passed before this maintenance was reminded of.")


@pytest.mark.parametrize(
    ("due", "said"),
    [
        pytest.param("2026-02-28", "reminder by e-mail, Sat 28 Mar", id="the next step that will go"),
        pytest.param("2026-01-31", "none: no reminder is left", id="none"),
    ],
)
def test_the_worklist_says_which_reminder_is_next(world, due, said):
    Maintenance.objects.filter(pk=a_cycle(world, due).pk).update(remind_from=FIRST)
    agree(world)

    page = worklist_rows.page(
        worklist_rows.TABS["overdue"], worklist_rows.Filters(), by=world.desk, zone=LONDON, now=NOW, unfit={}
    )

    assert [row.next_step for row in page.rows] == [said]


def test_what_is_long_overdue_stands_on_the_worklist_for_a_year_before_it_lapses(world, smtp_server):
    """Else everything that the former system let lie for more than a year would be gone unseen in the first minute."""
    cycle = a_cycle(world, "2024-06-01")
    Maintenance.objects.filter(pk=cycle.pk).update(remind_from=FIRST)

    assert outbox.run(now=NOW) == {}
    counts = worklist_rows.counts(worklist_rows.Filters(), zone=LONDON, now=NOW, unfit={})
    assert counts["overdue"] == 1
    assert outbox.run(now=at("2027-03-03 09:00")) == {}
    assert outbox.run(now=at("2027-03-04 09:00")) == {"lapsed": 1}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"state": "attended"}, id="attended without a day"),
        pytest.param({"state": "planned", "day_unknown": True}, id="planned on a day unknown"),
        pytest.param(
            {"state": "attended", "attended_on": CAME, "day_unknown": True}, id="on a day that is known and unknown"
        ),
    ],
)
def test_the_database_refuses_a_session_without_a_day_unless_it_says_so(world, values):
    session = world.a_series().sessions.first()
    recorded = {"recorded_at": NOW, "recorded_by": world.desk} if values["state"] == "attended" else {}

    with pytest.raises(IntegrityError, match="session_attendance_dated_or_known_not_to_be"), transaction.atomic():
        type(session).objects.filter(pk=session.pk).update(**values, **recorded)


def test_the_database_refuses_a_second_course_of_one_reference(world):
    first, second = world.a_series(), world.a_series()
    type(first).objects.filter(pk=first.pk).update(reference="C-1")

    with pytest.raises(IntegrityError, match="series_reference_once"), transaction.atomic():
        type(first).objects.filter(pk=second.pk).update(reference="C-1")
