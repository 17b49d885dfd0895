"""Any sequence of what a clinic does with a course, on the real database: booking, moving, missing, attending, undoing.

200 courses in a run of the tests, the same ones each time, so that a run says what the change did. COURSES=1000 makes
it a thousand others.
"""

import os
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from clinic import walltime
from clinic.models import Absence, Appointment, Resource
from clinic.services import (
    booking,
    course,
    merging,
    outbox,
    portal,
    replanning,
    ripple,
    rota,
    series_version,
    sessions,
    undo,
    visits,
    waiting,
)
from clinic.services.booking import Visit
from clinic.services.course import Order
from clinic.services.ripple import Change
from patients import services as people
from tests.clinic.course_machine.promises import Promises
from tests.clinic.course_machine.stage import DONE, Start
from tests.world import LONDON, NOW, World, a_clinic
from treatments.models import AddOn, Protocol, ProtocolAddOn, Series, Session
from treatments.services import protocols
from treatments.terms import phases_from

COURSES = int(os.environ.get("COURSES", "200"))
STEPS = 10
FOLLOWING = st.sampled_from(["only", "shift", "shift_unbook", "shift_replan", "replan", "unbook"])
DAYS = st.integers(-10, 24)
HOURS = st.integers(9, 16)
# Five weeks apart as the protocol begins, and what it may be changed to.
SPACINGS = st.sampled_from([(4, 5, 6), (3, 4, 5), (5, 6, 8)])
AFTERNOON = time(14)


class Clinic(Promises):
    """One course in one clinic, and others who book there too. Refusals are answers; what they leave is checked."""

    def who(self, manager: bool):
        return self.world.manager if manager else self.world.desk

    def decides(self, manager: bool) -> dict:
        return {
            "outside_reason": "asked for it" if manager else "",
            "by": self.who(manager),
            "now": self.now,
            "key": uuid4(),
        }

    def comes(self, *states: str) -> Appointment | None:
        """The next visit, once it has begun."""
        if (visit := self.one(0, *states)) is not None and visit.starts_at > self.now:
            self.pass_to(visit.starts_at)
            visit = next(v for v in self.diary.visits if v.pk == visit.pk)
        return visit

    def change(self, visit: Appointment, change: Change, following: str, manager: bool, tell: bool = True) -> None:
        chosen = following if following in change.offers else "replan"
        with self.press(f"{change.kind}, {chosen}", tell=tell):
            ripple.carry_out(appointment=visit, change=change, following=chosen, tell=tell, **self.decides(manager))

    # One visit, and those after it

    @precondition(lambda self: self.diary.live("booked"))
    @rule(
        which=st.integers(0, 3), days=DAYS, hour=HOURS, following=FOLLOWING, manager=st.booleans(), tell=st.booleans()
    )
    def move(self, which: int, days: int, hour: int, following: str, manager: bool, tell: bool) -> None:
        visit = self.one(which, "booked")
        day = self.days_on(visit, days)
        choices = []
        with self.press("looked for another time"):
            scene = ripple.scene_of(visit)
            proposal = ripple.options(scene, now=self.now, until=day)
            choices = [course.choice_at(proposal, scene.number, day, time(hour))]
        for choice in choices:
            self.change(visit, Change(kind="move", choice=choice), following, manager, tell)

    @precondition(lambda self: self.diary.live("booked", "arrived"))
    @rule(which=st.integers(0, 3), following=FOLLOWING, manager=st.booleans(), tell=st.booleans())
    def cancel(self, which: int, following: str, manager: bool, tell: bool) -> None:
        visit = self.one(which, "booked", "arrived")
        self.change(visit, Change(kind="cancel", reason="ill"), following, manager, tell)

    @precondition(lambda self: self.diary.live("booked"))
    @rule(forfeit=st.booleans(), following=FOLLOWING, manager=st.booleans())
    def miss(self, forfeit: bool, following: str, manager: bool) -> None:
        visit = self.comes("booked")
        self.change(visit, Change(kind="no_show", forfeit=forfeit and bool(visit.session_id)), following, manager)

    @precondition(lambda self: self.diary.live("booked"))
    @rule()
    def arrive(self) -> None:
        visit = self.comes("booked")
        self.doing("arrived", lambda: booking.arrive(appointment=visit, by=self.world.desk, now=self.now))

    @precondition(lambda self: self.diary.live("booked", "arrived"))
    @rule()
    def attend(self) -> None:
        visit = self.comes("booked", "arrived")
        self.doing("attended", lambda: booking.attend(appointment=visit, by=self.world.desk, now=self.now))

    @precondition(lambda self: self.diary.live("booked", "arrived"))
    @rule(days=st.integers(-6, 3), following=FOLLOWING, manager=st.booleans())
    def attend_on_another_day(self, days: int, following: str, manager: bool) -> None:
        visit = self.comes("booked", "arrived")
        day = min(self.today, self.days_on(visit, days))
        then = ripple.place_then(ripple.scene_of(visit), day, time(10), practitioner=None, room=None)
        self.change(visit, Change(kind="attended", choice=then), following, manager)

    @precondition(lambda self: self.presses)
    @rule(which=st.integers(0, 5))
    def take_back(self, which: int) -> None:
        """All that one press did, and nothing else, is as it was before."""
        touched = sorted(self.presses[-1].before) if which < 4 else [visit.pk for visit in self.diary.visits]
        key = touched[which % len(touched)]
        last = next((press for press in reversed(self.presses) if key in press.before), None)
        stood = self.diary.facts
        upkeep = [cycle.pk for cycle in self.diary.cycles if cycle.state == "scheduled"]
        to_remind = [message for message, _verdict in self.diary.waiting if message.maintenance_id in upkeep]
        taken_back = []
        with self.press("taken back", undo=True, tell=last is None or last.tell):
            undo.undo(appointment=Appointment.objects.get(pk=key), by=self.world.desk, now=self.now)
            taken_back.append(last)
        for press in taken_back:
            assert press is not None
            assert not press.undo
            for pk, facts in self.diary.facts.items():
                before = press.before.get(pk, stood[pk])
                if before is None:
                    assert facts.status == "cancelled"
                else:
                    assert facts == before
            if to_remind and any(cycle.state == "withdrawn" for cycle in self.diary.cycles):
                DONE["maintenance withdrawn with what was to be said of it"] += 1

    # The course

    @precondition(
        lambda self: (
            self.diary.series.state == "active"
            and any(s.state == "planned" and s.pk not in self.held() for s in self.diary.sessions.values())
        )
    )
    @rule(manager=st.booleans())
    def book_what_is_left(self, manager: bool) -> None:
        with self.press("the rest booked"):
            series = Series.objects.get(pk=self.series)
            order = Order(site=self.world.site, first_day=self.today)
            proposal = course.propose(course=course.rest_of(series), order=order, now=self.now)
            course.book_rest(series=series, order=course.settled(proposal), **self.decides(manager))

    def held(self) -> set[int]:
        return {visit.session_id for visit in self.diary.live("booked", "arrived", "fulfilled")}

    @precondition(lambda self: self.diary.series.state == "active")
    @rule(following=st.sampled_from(["only", "replan"]), manager=st.booleans())
    def add_a_session(self, following: str, manager: bool) -> None:
        number = len(self.diary.sessions) + 1
        with self.press(f"added, {following}"):
            sessions.add(
                series=Series.objects.get(pk=self.series),
                number=number,
                site=self.world.site,
                decision_note="Dr Fourie",
                following=following,
                **self.decides(manager),
            )

    @precondition(lambda self: any(s.state == "planned" for s in self.diary.sessions.values()))
    @rule(which=st.integers(0, 3), following=st.sampled_from(["only", "replan", "unbook"]), manager=st.booleans())
    def drop_a_session(self, which: int, following: str, manager: bool) -> None:
        planned = [key for key, session in self.diary.sessions.items() if session.state == "planned"]
        with self.press(f"dropped, {following}"):
            sessions.drop(
                session=Session.objects.select_related("series").get(pk=planned[which % len(planned)]),
                reason="Enough",
                site=self.world.site,
                following=following,
                **self.decides(manager),
            )

    @precondition(lambda self: any(visit.session_id for visit in self.diary.live("booked")))
    @rule(which=st.integers(0, 3), names=st.sampled_from([(), ("Mask",), ("Lamp", "Mask")]), following=FOLLOWING)
    def choose_add_ons(self, which: int, names: tuple[str, ...], following: str) -> None:
        found = [visit for visit in self.diary.live("booked") if visit.session_id]
        visit = found[which % len(found)]
        stays = []
        with self.press("looked whether there is time for more"):
            stays = [ripple.stay_with(ripple.scene_of(visit), names, now=self.now)]
        for choice in stays:
            self.change(visit, Change(kind="add_ons", choice=choice, add_ons=names), following, manager=False)

    @rule(spacing=SPACINGS, following=st.sampled_from(["only", "replan", "unbook"]), manager=st.booleans())
    def move_to_another_version(self, spacing: tuple[int, int, int], following: str, manager: bool) -> None:
        with self.press(f"version, {following}"):
            protocol = Protocol.objects.get(pk=self.world.protocol.pk)
            protocol.spacing_min, protocol.spacing_ideal, protocol.spacing_max = spacing
            protocol.save()
            protocols.record_change(protocol=protocol, by=self.world.desk, now=self.now)
            series_version.move(
                series=Series.objects.get(pk=self.series),
                version=protocol.version,
                site=self.world.site,
                following=following,
                **self.decides(manager),
            )

    # Other visits

    @precondition(lambda self: any(cycle.state == "scheduled" for cycle in self.diary.cycles))
    @rule(days=st.integers(-3, 20), hour=HOURS, by_patient=st.booleans())
    def book_maintenance(self, days: int, hour: int, by_patient: bool) -> None:
        cycle = next(cycle for cycle in self.diary.cycles if cycle.state == "scheduled")
        self.book_one(max(self.today, cycle.due_from) + timedelta(days=days), hour, cycle, by_patient)

    @rule(days=st.integers(1, 60), hour=HOURS)
    def book_a_single_visit(self, days: int, hour: int) -> None:
        self.book_one(self.today + timedelta(days=days), hour)

    def book_one(self, day, hour: int, cycle=None, by_patient: bool = False) -> None:
        whose = {"patient": self.record, "site": self.world.site}
        press = {"by": self.world.desk, "now": self.now, "key": uuid4()}
        with self.press("maintenance booked" if cycle else "single visit booked"):
            if by_patient:
                minutes = walltime.to_minutes(walltime.instant(day, time(hour), LONDON))
                portal.book_maintenance(cycle=cycle, minutes=minutes, **whose, **press)
                return
            what = {"treatment": self.world.treatment, "maintenance": cycle} | whose
            found = visits.time_at(day=day, clock=time(hour), now=self.now, **what)
            visits.book(choice=found.choice, **what, **press)

    @precondition(lambda self: self.diary.live("booked"))
    @rule(which=st.integers(0, 3), days=st.integers(-6, 6), hour=HOURS)
    def the_patient_moves(self, which: int, days: int, hour: int) -> None:
        visit = self.one(which, "booked")
        start = walltime.instant(self.days_on(visit, days), time(hour), LONDON)
        press = {"sequence": visit.sequence, "by": self.world.desk, "now": self.now, "key": uuid4()}
        move = {"appointment": visit, "minutes": walltime.to_minutes(start)}
        self.doing("moved by the patient", lambda: portal.move(**move, **press))

    @precondition(lambda self: self.diary.live("booked"))
    @rule(which=st.integers(0, 3))
    def the_patient_cancels(self, which: int) -> None:
        visit = self.one(which, "booked")
        press = {"sequence": visit.sequence, "by": self.world.desk, "now": self.now, "key": uuid4()}
        self.doing("cancelled by the patient", lambda: portal.cancel(appointment=visit, reason="", **press))

    @precondition(lambda self: self.presses and self.diary.live("booked"))
    @rule(which=st.integers(0, 3))
    def come_sooner(self, which: int) -> None:
        """The patient asks for an earlier time, and gets what has become free."""
        visit, by = self.one(which, "booked"), {"by": self.world.desk, "now": self.now}
        with self.press("earlier time wished"):
            waiting.note(appointment=visit, notice_hours=0, **by)
        with self.press("moved to an earlier time"):
            [could] = waiting.could_have(waiting.waiting_list(now=self.now), now=self.now)[:1] or [None]
            if could is None:
                raise waiting.NotWaiting("Nothing became free.")
            opening = could.openings[0]
            start = walltime.from_minutes(opening.start)
            waiting.move(wish=could.wish, start=start, practitioner=opening.choice.practitioner, key=uuid4(), **by)

    # Around it

    @precondition(lambda self: self.diary.live("booked"))
    @rule(which=st.integers(0, 3))
    def somebody_is_ill(self, which: int) -> None:
        """Who would have treated the patient is away that day, and what does not fit any more is planned again."""
        visit = self.one(which, "booked")
        day = self.days_on(visit, 0)
        away = Absence(
            resource=self.resources[visit.practitioner_id],
            starts_at=walltime.midnight(day, LONDON),
            ends_at=walltime.midnight(day + timedelta(days=1), LONDON),
            reason="ill",
        )
        lost = []
        with self.press("somebody ill"):
            change = rota.Change(save=(away,))
            seen = rota.look(change, now=self.now)
            rota.carry_out(change, seen=seen.seen, now=self.now)
            lost = [line.appointment for line in seen.lines]
        with self.press("planned again"):
            replanning.replan(keys=lost, by=self.world.desk, now=self.now, key=uuid4())

    @precondition(lambda self: self.diary.live("cancelled"))
    @rule(which=st.integers(0, 3), person=st.integers(0, 1))
    def another_takes_the_time(self, which: int, person: int) -> None:
        """Somebody else books where a visit was."""
        gone = self.one(which, "cancelled")
        if gone.starts_at < self.now:
            return
        visit = Visit(
            site=self.world.site,
            treatment=self.world.treatment,
            starts_at=gone.starts_at,
            phases=phases_from(gone.phases),
            practitioner=self.world.practitioners[person],
            room=self.world.rooms[person],
            devices=(self.world.pens[person],),
        )
        press = {"by": self.world.desk, "now": self.now, "key": uuid4()}
        if all(phase.device_kinds in ((), (self.world.pens[0].device_kind.name,)) for phase in visit.phases):
            rival = self.world.a_patient()
            self.doing("another booked", lambda: booking.book(patient=rival, visit=visit, **press))

    @rule(stays=st.booleans())
    def merge_with_another_record(self, stays: bool) -> None:
        other = self.world.a_patient("Amal", "Ossei")
        kept, gone = (self.record, other) if stays else (other, self.record)
        with self.press("merged"):
            merging.merge(kept=kept, other=gone, take={}, by=self.world.desk, now=self.now)
            self.record = kept
            self.record.refresh_from_db()

    # Time

    @rule(minutes=st.sampled_from([2, 6, 24 * 60, 9 * 24 * 60]))
    def wait(self, minutes: int) -> None:
        self.pass_to(self.now + timedelta(minutes=minutes))

    @precondition(lambda self: any(cycle.state == "scheduled" for cycle in self.diary.cycles))
    @rule(days=st.sampled_from([-28, -24, 0, 3, 28]))
    def maintenance_comes_due(self, days: int) -> None:
        """Months pass; what is owed then has not been sent yet."""
        cycle = next(cycle for cycle in self.diary.cycles if cycle.state == "scheduled")
        moment = walltime.instant(cycle.due_from + timedelta(days=days), AFTERNOON, LONDON)
        if moment > self.now:
            self.pass_to(moment - timedelta(days=2))
            self.now = max(self.now, moment)
            self.remind()

    @rule()
    def remind(self) -> None:
        outbox.owe_due(now=self.now)
        self.look_again()


# Where a course begins to be tried


def a_stage(world: World) -> type[Clinic]:
    """The clinic with a course whose three sessions are booked, and a patient who was told so."""
    lamp = Resource.objects.create(kind="device", name="Lamp", site=world.site, device_kind=_offer_add_ons(world))
    people.give_consent(patient=world.patient, purpose="recall", channel="email", source="desk", by=world.desk, now=NOW)
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    left = course.new_course(patient=world.patient, choice=world.choice())
    proposal = course.propose(course=left, order=Order(site=world.site, first_day=NOW.date()), now=NOW)
    series = course.book_new(
        patient=world.patient,
        choice=world.choice(),
        order=course.settled(proposal),
        by=world.desk,
        now=NOW,
        key=uuid4(),
    )
    resources = [lamp, *world.practitioners, *world.rooms, *world.pens]
    by_key = {resource.pk: resource for resource in resources}
    return type("Clinic", (Clinic,), {"world": world, "start": Start(NOW, series.pk), "resources": by_key})


def _offer_add_ons(world: World):
    kind = world.pens[0].device_kind.__class__.objects.create(name="Lamp")
    for position, (name, minutes, needs) in enumerate([("Lamp", 15, kind), ("Mask", 10, None)]):
        add_on = AddOn.objects.create(name=name, extra_minutes=minutes, device_kind=needs)
        ProtocolAddOn.objects.create(protocol=world.protocol, position=position, add_on=add_on, role="optional")
    return kind


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("attended", "due", "share"),
    [
        pytest.param(0, False, 0.5, id="booked"),
        pytest.param(2, False, 0.25, id="the last session is left, outside its window"),
        pytest.param(3, True, 0.25, id="complete, and maintenance is due"),
    ],
)
def test_whatever_happens_the_promises_hold(attended, due, share):
    stage = a_stage(a_clinic())
    before = stage()
    stage.start = lived(before, attended, due)
    run_state_machine_as_test(
        stage,
        settings=settings(
            max_examples=round(COURSES * share),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize="COURSES" not in os.environ,
        ),
    )
    # What was really done, and how often: shown with -s.
    print(dict(sorted(DONE.items())))


def lived(stage: Clinic, attended: int, due: bool) -> Start:
    """The course after so many visits, and when its maintenance is due."""
    stage.the_worker_runs()
    for _visit in range(attended):
        stage.attend()
    if attended == 2:
        stage.move(which=0, days=14, hour=10, following="only", manager=True, tell=True)
    if due:
        stage.maintenance_comes_due(-28)
    start: datetime = stage.now
    stage.atomic.__exit__(None, None, None)
    return Start(start, stage.series, stage.patient, tuple(stage.presses))
