"""One patient in one clinic: the clock, the presses of buttons, the worker, and the diary as it stands."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from uuid import uuid4

import pghistory
from django.core import mail
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from clinic import walltime
from clinic.models import Appointment, Claim, Message, Resource
from clinic.services import outbox, recheck
from patients.errors import Refused
from patients.models import Patient as Record
from tests.clinic.course_machine.patient import Patient, Subject, subject
from tests.world import LONDON, World
from treatments.models import Maintenance, Series, Session

# How often each thing was really done, in all courses of a run.
DONE: Counter[str] = Counter()


@dataclass(frozen=True)
class Facts:
    """What a press can change of a visit, and taking it back brings again."""

    status: str
    starts_at: datetime
    ends_at: datetime
    practitioner: int | None
    room: int | None
    reason: str
    decided_by: int | None


@dataclass(frozen=True)
class Press:
    """The visits that one press changed, with what each was before; None where it was booked then.

    `tell`: the patient hears of it by mail; else in person, and so of its being taken back.
    """

    before: Mapping[int, Facts | None]
    undo: bool
    tell: bool


@dataclass(frozen=True)
class Start:
    """Where a course begins to be tried."""

    now: datetime
    series: int
    patient: Patient = field(default_factory=Patient)
    presses: tuple[Press, ...] = ()


class Diary:
    """What is stored at one moment, each part read once."""

    def __init__(self, record: Record, series: int, now: datetime) -> None:
        self.record, self.key, self.now = record, series, now

    @cached_property
    def everybodys(self) -> list[Appointment]:
        rows = Appointment.objects.select_related("session__series", "patient", "site", "maintenance")
        return list(rows.order_by("starts_at", "pk"))

    @cached_property
    def visits(self) -> list[Appointment]:
        """The patient's."""
        return [visit for visit in self.everybodys if visit.patient_id == self.record.pk]

    @cached_property
    def of_course(self) -> list[Appointment]:
        return [visit for visit in self.visits if visit.session_id]

    @cached_property
    def claims(self) -> list[Claim]:
        return list(Claim.objects.all())

    @cached_property
    def series(self) -> Series:
        return Series.objects.get(pk=self.key)

    @cached_property
    def sessions(self) -> dict[int, Session]:
        return {session.pk: session for session in self.series.sessions.order_by("number")}

    @cached_property
    def cycles(self) -> list[Maintenance]:
        return list(Maintenance.objects.filter(series=self.key).order_by("rule", "cycle"))

    @cached_property
    def waiting(self) -> list[tuple[Message, recheck.Verdict]]:
        """What is to be said to the patient, with what would become of it now."""
        about = "patient", "step", "appointment__site", "maintenance", "series"
        messages = list(Message.objects.filter(state="pending", patient=self.record).select_related(*about))
        verdicts = recheck.verdicts(messages, now=self.now) if messages else {}
        return [(message, verdicts[message.pk]) for message in messages]

    @cached_property
    def facts(self) -> dict[int, Facts]:
        return {
            v.pk: Facts(
                v.status,
                v.starts_at,
                v.ends_at,
                v.practitioner_id,
                v.room_id,
                v.outside_window_reason,
                v.outside_window_by_id,
            )
            for v in self.visits
        }

    def live(self, *states: str) -> list[Appointment]:
        return [visit for visit in self.visits if visit.status in states]

    @cached_property
    def by_subject(self) -> dict[Subject, Appointment]:
        """For each thing the patient may expect its live visit, or else the latest that was."""
        latest = sorted(self.visits, key=lambda v: (v.status in ("booked", "arrived", "fulfilled"), v.pk))
        return {subject(visit): visit for visit in latest}

    def is_to_come(self, one: Subject) -> datetime | None:
        """When the patient is booked for it, from now on."""
        visit = self.by_subject.get(one)
        return visit.starts_at if visit and visit.status == "booked" and visit.starts_at > self.now else None


class Stage(RuleBasedStateMachine):
    """What the rules stand on. Each course is taken back as a whole when it has been tried."""

    world: World
    start: Start
    resources: dict[int, Resource]

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        # As the tests' own outer transaction is: services may still ask for one of their own.
        self.atomic._from_testcase = True
        self.atomic.__enter__()
        self.now, self.series, self.patient = self.start.now, self.start.series, self.start.patient
        self.record = self.world.patient
        self.presses = list(self.start.presses)
        # Brought back to a time that the patient knows, other than by taking back, while a message speaks of it.
        self.back_by_hand: set[Subject] = set()
        self.look_again()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def look_again(self) -> None:
        self.diary = Diary(self.record, self.series, self.now)

    @property
    def today(self) -> date:
        return walltime.day_of(self.now, LONDON)

    def one(self, number: int, *states: str) -> Appointment | None:
        found = self.diary.live(*states)
        return found[number % len(found)] if found else None

    # The clock and the worker

    def pass_to(self, moment: datetime) -> None:
        """The worker runs each minute. What it does once all changes may be told, and at `moment`, stands for that."""
        told = self.now + outbox.TO_UNDO
        if self.diary.waiting and told < moment:
            self.now = told
            self.the_worker_runs()
        self.now = max(self.now, moment)
        self.the_worker_runs()

    def the_worker_runs(self) -> None:
        mail.outbox.clear()
        with pghistory.context(worker=str(uuid4())):
            outbox.run(now=self.now)
        self.look_again()
        for letter in mail.outbox:
            if letter.to == [self.record.email]:
                self.patient = self.patient.reads(letter, self.diary.visits)
                DONE["mail read"] += 1

    # Presses

    @contextmanager
    def press(self, what: str, *, tell: bool = True, undo: bool = False) -> Iterator[None]:
        """One press of a button, and as each request of its own in the history. Refusals are answers."""
        before, done = self.diary.facts, False
        with suppress(Refused), pghistory.context(press=str(uuid4())):
            yield
            done = True
        DONE[what if done else f"{what}: refused"] += 1
        self.look_again()
        after = self.diary.facts
        changed = {pk: before.get(pk) for pk in after if after[pk] != before.get(pk)}
        if not changed:
            return
        self.presses.append(Press(changed, undo, tell))
        for visit in self.diary.visits:
            if visit.pk in changed:
                if not tell:
                    self.patient = self.patient.told_in_person(self.diary.by_subject[subject(visit)])
                if not (undo and tell) and not self.is_news(subject(visit)):
                    self.back_by_hand.add(subject(visit))

    def doing(self, what: str, act: Callable[[], object], **values) -> None:
        with self.press(what, **values):
            act()

    def is_news(self, one: Subject) -> bool:
        """Whether the patient still thinks otherwise of it. Who was here, or should have been, knows.

        Nobody need be told that a visit is off at whose very time another is booked: the patient is to come then.
        """
        visit = self.diary.by_subject.get(one)
        if visit is not None and visit.status in ("arrived", "fulfilled", "no_show"):
            return False
        expected, stands = self.patient.at(one, self.now), self.diary.is_to_come(one)
        if stands is None and expected in {other.starts_at for other in self.diary.live("booked")}:
            return False
        return expected != stands

    @property
    def news(self) -> set[Subject]:
        return {one for one in {*self.patient.expects, *self.diary.by_subject} if self.is_news(one)}

    def days_on(self, visit: Appointment, days: int) -> date:
        return walltime.day_of(visit.starts_at, LONDON) + timedelta(days=days)
