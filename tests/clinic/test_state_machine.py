"""Any sequence of booking, moving, cancelling, missing, attending and taking back, on the real database.

200 courses in a run of the tests; COURSES=1000 makes it a thousand.
"""

import os
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clinic import walltime
from clinic.models import Appointment, Claim, Message
from clinic.services import booking, course, outbox, recheck, ripple, undo
from clinic.services.booking import Visit
from clinic.services.course import Order
from clinic.services.ripple import Change
from patients.errors import Refused
from tests.world import LONDON, NOW, World, a_clinic
from treatments import rules
from treatments.models import Maintenance, Series
from treatments.terms import Phase

COURSES = int(os.environ.get("COURSES", "200"))
FOLLOWING = st.sampled_from(["only", "shift", "replan", "unbook"])
DAYS = st.integers(-10, 24)


class Clinic(RuleBasedStateMachine):
    """One course in one clinic, and others who book there too. Refusals are answers; what they leave is checked."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        # As the tests' own outer transaction is: services may still ask for one of their own.
        self.atomic._from_testcase = True
        self.atomic.__enter__()
        self.now: datetime = NOW
        self.moved = False
        self.attended: dict[int, tuple[datetime, date]] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(first=st.integers(0, 7))
    def book_a_series(self, first: int) -> None:
        left = course.new_course(patient=self.world.patient, choice=self.world.choice())
        order = Order(site=self.world.site, first_day=self.today + timedelta(days=first))
        proposal = course.propose(course=left, order=order, now=self.now)
        self.series = course.book_new(
            patient=self.world.patient,
            choice=self.world.choice(),
            order=course.settled(proposal),
            by=self.world.desk,
            now=self.now,
            key=uuid4(),
        )

    # What happens

    @property
    def today(self) -> date:
        return walltime.day_of(self.now, LONDON)

    def visits(self, *states: str) -> list[Appointment]:
        found = Appointment.objects.filter(session__series=self.series, status__in=states)
        return list(found.select_related("site", "patient", "session__series").order_by("starts_at", "pk"))

    def one(self, number: int, *states: str) -> Appointment | None:
        found = self.visits(*states)
        return found[number % len(found)] if found else None

    def due(self, *states: str) -> Appointment | None:
        """The next visit, once it has begun."""
        appointment = self.one(0, *states)
        if appointment is not None:
            self.now = max(self.now, appointment.starts_at)
        return appointment

    def change(self, appointment: Appointment, change: Change, following: str, manager: bool) -> None:
        ripple.carry_out(
            appointment=appointment,
            change=change,
            following=following if following in change.offers else "replan",
            outside_reason="asked for it" if manager else "",
            by=self.world.manager if manager else self.world.desk,
            now=self.now,
            key=uuid4(),
        )

    @rule(which=st.integers(0, 3), days=DAYS, hour=st.integers(9, 16), following=FOLLOWING, manager=st.booleans())
    def move(self, which: int, days: int, hour: int, following: str, manager: bool) -> None:
        if (appointment := self.one(which, "booked")) is None:
            return
        day = walltime.day_of(appointment.starts_at, LONDON) + timedelta(days=days)
        try:
            scene = ripple.scene_of(appointment)
            proposal = ripple.options(scene, now=self.now, until=day)
            choice = course.choice_at(proposal, scene.number, day, time(hour))
            self.change(appointment, Change(kind="move", choice=choice), following, manager)
            self.moved = True
        except Refused:
            return

    @rule(which=st.integers(0, 3), following=FOLLOWING, manager=st.booleans())
    def cancel(self, which: int, following: str, manager: bool) -> None:
        if appointment := self.one(which, "booked", "arrived"):
            self.refusable(lambda: self.change(appointment, Change(kind="cancel", reason="ill"), following, manager))

    @rule(forfeit=st.booleans(), following=FOLLOWING, manager=st.booleans())
    def miss(self, forfeit: bool, following: str, manager: bool) -> None:
        if appointment := self.due("booked"):
            missed = Change(kind="no_show", forfeit=forfeit)
            self.refusable(lambda: self.change(appointment, missed, following, manager))

    @rule()
    def arrive(self) -> None:
        if appointment := self.due("booked"):
            self.refusable(lambda: booking.arrive(appointment=appointment, by=self.world.desk, now=self.now))

    @rule()
    def attend(self) -> None:
        if appointment := self.due("booked", "arrived"):
            self.refusable(lambda: booking.attend(appointment=appointment, by=self.world.desk, now=self.now))

    @rule(days=st.integers(-6, 3), following=FOLLOWING, manager=st.booleans())
    def attend_on_another_day(self, days: int, following: str, manager: bool) -> None:
        if appointment := self.due("booked", "arrived"):
            day = min(self.today, walltime.day_of(appointment.starts_at, LONDON) + timedelta(days=days))
            then = ripple.place_then(ripple.scene_of(appointment), day, time(10), practitioner=None, room=None)
            attended = Change(kind="attended", choice=then)
            self.refusable(lambda: self.change(appointment, attended, following, manager))

    @precondition(lambda self: self.visits("arrived", "fulfilled", "cancelled", "no_show") or self.moved)
    @rule(which=st.integers(0, 5))
    def take_back(self, which: int) -> None:
        appointment = self.one(which, "booked", "arrived", "fulfilled", "cancelled", "no_show")

        def undone() -> None:
            undo.undo(appointment=appointment, by=self.world.desk, now=self.now)
            self.attended = {
                pk: seen for pk, seen in self.attended.items() if Appointment.objects.get(pk=pk).status == "fulfilled"
            }

        self.refusable(undone)

    @precondition(lambda self: self.visits("cancelled", "no_show"))
    @rule(manager=st.booleans())
    def book_what_is_left(self, manager: bool) -> None:
        def book() -> None:
            series = Series.objects.get(pk=self.series.pk)
            order = Order(site=self.world.site, first_day=self.today)
            proposal = course.propose(course=course.rest_of(series), order=order, now=self.now)
            course.book_rest(
                series=series,
                order=replace(course.settled(proposal), wishes=order.wishes),
                by=self.world.manager if manager else self.world.desk,
                now=self.now,
                key=uuid4(),
                outside_reason="asked for it" if manager else "",
            )

        self.refusable(book)

    @precondition(lambda self: self.visits("cancelled"))
    @rule(which=st.integers(0, 3), person=st.integers(0, 1))
    def another_takes_the_time(self, which: int, person: int) -> None:
        """Somebody else books where a visit of this course was."""
        gone = self.one(which, "cancelled")
        if gone.starts_at < self.now:
            return
        visit = Visit(
            site=self.world.site,
            treatment=self.world.treatment,
            starts_at=gone.starts_at,
            phases=tuple(Phase.from_json(phase) for phase in gone.phases),
            practitioner=self.world.practitioners[person],
            room=self.world.rooms[person],
            devices=(self.world.pens[person],),
        )
        rival = self.world.a_patient()
        self.refusable(lambda: booking.book(patient=rival, visit=visit, by=self.world.desk, now=self.now, key=uuid4()))

    @rule(minutes=st.sampled_from([2, 6, 9 * 24 * 60]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def refusable(self, act) -> None:
        try:
            act()
        except Refused:
            return

    # What always holds

    @invariant()
    def claims_are_those_of_the_live_visits(self) -> None:
        wanted = set()
        for appointment in Appointment.objects.live().select_related("practitioner", "room", "site", "treatment"):
            held = {claim.resource for claim in appointment.claims.select_related("resource__device_kind")}
            devices = tuple(resource for resource in held if resource.kind == "device")
            visit = Visit(
                site=appointment.site,
                treatment=appointment.treatment,
                starts_at=appointment.starts_at,
                phases=tuple(Phase.from_json(phase) for phase in appointment.phases),
                practitioner=appointment.practitioner,
                room=appointment.room,
                devices=devices,
            )
            assert len(devices) == 1
            wanted |= {(appointment.pk, resource.pk, start, end) for resource, start, end in visit.takes()}
        assert set(Claim.objects.values_list("appointment", "resource", "starts_at", "ends_at")) == wanted

    @invariant()
    def nothing_overlaps(self) -> None:
        for owner in ("resource", "appointment__patient"):
            rows = sorted(Claim.objects.values_list(owner, "starts_at", "ends_at", "appointment"))
            for one, other in pairwise(rows):
                if one[0] == other[0] and not (owner != "resource" and one[3] == other[3]):
                    assert one[2] <= other[1]

    @invariant()
    def windows_hold_or_somebody_decided(self) -> None:
        if not hasattr(self, "series"):
            return
        spacing = self.series.terms.spacing
        sessions = {s.pk: s for s in self.series.sessions.all()}
        live = {a.session_id: a for a in self.visits("booked", "arrived", "fulfilled")}
        days = {
            pk: s.attended_on or walltime.day_of(live[pk].starts_at, LONDON)
            for pk, s in sessions.items()
            if s.attended_on or pk in live
        }
        for pk, appointment in live.items():
            if appointment.status == "fulfilled":
                continue
            number, day = sessions[pk].number, days[pk]
            before = [other for other in days if days[other] < day]
            open_before = any(
                s.state == "planned" and s.number < number and s.pk not in live for s in sessions.values()
            )
            later_attended = any(s.attended_on and s.attended_on >= day for s in sessions.values())
            if not before or open_before or later_attended:
                continue
            window = rules.window_after(spacing, max(days[other] for other in before))
            assert day in window or appointment.outside_window_reason, (number, day, window)

    @invariant()
    def sessions_follow_one_another(self) -> None:
        ahead = (
            [(a.session.number, a.starts_at) for a in self.visits("booked") if a.starts_at > self.now]
            if hasattr(self, "series")
            else []
        )
        assert [number for number, _start in sorted(ahead, key=lambda pair: pair[1])] == sorted(n for n, _s in ahead)

    @invariant()
    def what_was_attended_does_not_move(self) -> None:
        if not hasattr(self, "series"):
            return
        for appointment in self.visits("fulfilled"):
            now = (appointment.starts_at, appointment.session.attended_on)
            assert self.attended.setdefault(appointment.pk, now) == now
            assert walltime.day_of(appointment.starts_at, LONDON) == appointment.session.attended_on

    @invariant()
    def the_course_and_its_upkeep_agree(self) -> None:
        if not hasattr(self, "series"):
            return
        series = Series.objects.get(pk=self.series.pk)
        sessions = list(series.sessions.all())
        attended = [s.attended_on for s in sessions if s.attended_on]
        done = bool(attended) and all(s.state != "planned" for s in sessions)
        assert (series.state == "completed") is done
        assert series.completed_on == (max(attended) if done else None)
        for session in sessions:
            live = session.appointments.live().first()
            assert live is None or (live.status == "fulfilled") is (session.state == "attended")
            assert session.state != "attended" or live is not None
        states = set(Maintenance.objects.filter(series=series).values_list("state", flat=True))
        assert states <= ({"scheduled"} if done else {"withdrawn"})
        assert states or not done

    @invariant()
    def what_is_to_be_said_is_true_or_will_not_be_said(self) -> None:
        pending = list(
            Message.objects.filter(state="pending").select_related(
                "patient", "step", "appointment__site", "maintenance", "series"
            )
        )
        for key, verdict in recheck.verdicts(pending, now=self.now).items():
            message = next(message for message in pending if message.pk == key)
            if not isinstance(verdict, recheck.Send):
                continue
            if message.maintenance:
                assert message.maintenance.state == "scheduled"
            elif message.series_id:
                ahead = [a.starts_at for a in self.visits("booked") if a.starts_at >= self.now]
                assert list(verdict.starts) == ahead
            else:
                appointment = Appointment.objects.get(pk=message.appointment_id)
                # Changes that go at the same time are one message, and every time in it is one that holds.
                others = {*verdict.starts} - {appointment.starts_at}
                assert appointment.starts_at in verdict.starts
                assert others <= {visit.starts_at for visit in self.visits("booked")}
                assert not others or message.kind == "change"
                assert (appointment.status == "cancelled") is (message.kind == "cancellation")
        assert not any(m.maintenance and m.maintenance.state == "withdrawn" for m in pending)

    @rule()
    def remind(self) -> None:
        outbox.owe_due(now=self.now)


@pytest.mark.slow
@pytest.mark.django_db
def test_whatever_happens_the_promises_hold(django_db_blocker):
    Clinic.world = a_clinic()
    run_state_machine_as_test(
        Clinic,
        settings=settings(
            max_examples=COURSES,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
