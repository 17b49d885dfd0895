"""What always holds, whatever was done. Each reads the diary as it stands."""

from itertools import pairwise

from hypothesis.stateful import invariant

from clinic import walltime
from clinic.services import recheck
from clinic.services.booking import Visit
from tests.clinic.course_machine.patient import subject
from tests.clinic.course_machine.stage import DONE, Stage
from tests.world import LONDON
from treatments import rules
from treatments.terms import phases_from

NOTICES = ("confirmation", "change", "cancellation")


def day_of(visit):
    return walltime.day_of(visit.starts_at, LONDON)


class Promises(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.attended: dict[int, tuple] = {}

    def the_worker_runs(self) -> None:
        news = self.news
        super().the_worker_runs()
        # Also what another mail said of it by the way: a confirmation has the time of a move that waits to be told.
        known = self.back_by_hand | (news - self.news)
        self.back_by_hand = {
            one for one in known if any(self.tells(message, verdict, one) for message, verdict in self.diary.waiting)
        }

    @invariant()
    def claims_are_those_of_the_live_visits(self) -> None:
        wanted, devices = set(), {}
        for claim in self.diary.claims:
            if self.resources[claim.resource_id].kind == "device":
                devices.setdefault(claim.appointment_id, set()).add(claim.resource_id)
        for visit in self.diary.everybodys:
            if visit.status not in ("booked", "arrived", "fulfilled"):
                continue
            phases = phases_from(visit.phases)
            kinds = {kind for phase in phases for kind in phase.device_kinds}
            held = [self.resources[key] for key in devices.get(visit.pk, ())]
            assert sorted(device.device_kind.name for device in held) == sorted(kinds)
            taken = Visit(
                site=self.world.site,
                treatment=self.world.treatment,
                starts_at=visit.starts_at,
                phases=phases,
                practitioner=self.resources.get(visit.practitioner_id),
                room=self.resources.get(visit.room_id),
                devices=tuple(held),
            )
            assert taken.ends_at == visit.ends_at
            wanted |= {(visit.pk, resource.pk, start, end) for resource, start, end in taken.takes()}
        assert {(c.appointment_id, c.resource_id, c.starts_at, c.ends_at) for c in self.diary.claims} == wanted

    @invariant()
    def nothing_overlaps(self) -> None:
        whose = {visit.pk: visit.patient_id for visit in self.diary.everybodys}
        for owner in (lambda claim: ("resource", claim.resource_id), lambda claim: whose[claim.appointment_id]):
            rows = sorted((str(owner(c)), c.starts_at, c.ends_at, c.appointment_id) for c in self.diary.claims)
            for one, other in pairwise(rows):
                if one[0] == other[0] and one[3] != other[3]:
                    assert one[2] <= other[1]

    @invariant()
    def windows_hold_or_somebody_decided_who_may(self) -> None:
        """A session before it that is not booked yet can still be placed, so that the window of the next is open."""
        series, sessions = self.diary.series, self.diary.sessions
        live = {v.session_id: v for v in self.diary.of_course if v.status in ("booked", "arrived")}
        for visit in self.diary.visits:
            # Who may is the manager alone, and nobody else to whom it could be put down.
            assert visit.outside_window_by_id == (self.world.manager.pk if visit.outside_window_reason else None)
        if series.terms.spacing is None:
            return
        anchor = max((s.attended_on for s in sessions.values() if s.attended_on), default=None)
        before = anchor
        for key, session in sessions.items():
            visit = live.get(key)
            if session.state != "planned" or (visit and anchor and day_of(visit) <= anchor):
                # Over, or waiting to be recorded.
                continue
            if visit is not None and before is not None and before != "open":
                window = rules.window_after(series.terms.spacing, before)
                assert day_of(visit) in window or visit.outside_window_reason, (session.number, day_of(visit), window)
            before = day_of(visit) if visit else "open"

    @invariant()
    def sessions_follow_one_another(self) -> None:
        ahead = [v for v in self.diary.of_course if v.status == "booked" and v.starts_at > self.now]
        numbers = [self.diary.sessions[v.session_id].number for v in ahead]
        assert numbers == sorted(numbers)
        assert all(day_of(one) < day_of(other) for one, other in pairwise(ahead))

    @invariant()
    def what_was_attended_does_not_move(self) -> None:
        here = {v.pk: v for v in self.diary.visits if v.status == "fulfilled"}
        self.attended = {key: seen for key, seen in self.attended.items() if key in here}
        for key, visit in here.items():
            of = visit.maintenance or self.diary.sessions.get(visit.session_id)
            stands = (visit.starts_at, of.attended_on if of else day_of(visit))
            assert self.attended.setdefault(key, stands) == stands
            assert stands[1] == day_of(visit)

    @invariant()
    def the_course_and_its_upkeep_agree(self) -> None:
        series, sessions = self.diary.series, self.diary.sessions.values()
        attended = [s.attended_on for s in sessions if s.attended_on]
        done = bool(attended) and all(s.state != "planned" for s in sessions)
        assert (series.state == "completed") is done
        assert series.completed_on == (max(attended) if done else None)
        live = {subject(v): v.status for v in self.diary.visits if v.status in ("booked", "arrived", "fulfilled")}
        for session in sessions:
            status = live.get(("session", session.pk))
            assert (status == "fulfilled") is (session.state == "attended")
        open_cycles = [cycle for cycle in self.diary.cycles if cycle.state != "withdrawn"]
        assert bool(open_cycles) is done
        for cycle in self.diary.cycles:
            status = live.get(("cycle", cycle.pk))
            assert (cycle.state == "booked") is (status in ("booked", "arrived"))
            assert (cycle.state == "attended") is (status == "fulfilled")

    @invariant()
    def what_is_to_be_said_is_true_or_will_not_be_said(self) -> None:
        booked = {v.starts_at for v in self.diary.visits if v.status == "booked"}
        for message, verdict in self.diary.waiting:
            assert not message.maintenance or message.maintenance.state != "withdrawn"
            if not isinstance(verdict, recheck.Send):
                continue
            if message.maintenance:
                assert message.maintenance.state == "scheduled"
            elif message.series_id:
                ahead = {v.starts_at for v in self.diary.of_course if v.status == "booked" and v.starts_at >= self.now}
                assert set(verdict.starts) >= ahead
                assert set(verdict.starts) <= booked
            elif message.kind == "cancellation":
                assert message.appointment.status == "cancelled"
            else:
                assert message.appointment.starts_at in verdict.starts
                assert set(verdict.starts) <= booked

    @invariant()
    def whatever_the_patient_does_not_know_is_to_be_said(self) -> None:
        for one in self.news:
            assert any(self.tells(message, verdict, one) for message, verdict in self.diary.waiting), one

    @invariant()
    def what_was_undone_before_it_was_told_stays_silent(self) -> None:
        for message, verdict in self.diary.waiting:
            if message.kind not in ("change", "cancellation") or isinstance(verdict, recheck.Drop):
                continue
            about = {one for one in self.diary.by_subject if self.tells(message, verdict, one)}
            assert about & (self.news | self.back_by_hand), (message.kind, message.counts_from)

    def tells(self, message, verdict, one) -> bool:
        """Whether it will be sent, and speaks of this visit."""
        if message.kind not in NOTICES or isinstance(verdict, recheck.Drop):
            return False
        visit = self.diary.by_subject.get(one)
        if message.appointment_id:
            return subject(message.appointment) == one
        return visit is not None and visit.session_id and visit.session.series_id == message.series_id

    @invariant()
    def count(self) -> None:
        DONE["steps"] += 1
