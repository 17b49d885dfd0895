"""What came of maintenance after the demo's completed series, cycle after cycle."""

from datetime import date, datetime, timedelta

from clinic import walltime
from clinic.demo.courses import DAYS_AHEAD, Courses
from clinic.models import AppointmentStatus, Site
from treatments import rules
from treatments.models import Maintenance, MaintenanceState, Series, Treatment
from treatments.terms import MaintenanceRule

# A cycle that has been due for longer than this has mostly found its end.
LONG_AGO = 25
SOON = 28
OVERRIDE_BECAUSE = ["Agreed at the last visit", "Skin heals slowly, so later", "Wants it before a wedding"]
DECLINED_BECAUSE = ["Patient is content as it is", "Too expensive at the moment", "Goes to a clinic nearer to home"]
DEFERRED_BECAUSE = ["Is abroad until then", "Asked to be reminded later"]


class Upkeep:
    def __init__(self, courses: Courses) -> None:
        self.courses, self.story, self.rng = courses, courses.story, courses.rng

    def keep_up(self, series: Series, site: Site, *, untouched: bool = False) -> None:
        """Every cycle of a completed series up to now; `untouched`: the first cycles, with nothing done about them."""
        assert series.completed_on is not None
        for number, rule in enumerate(self.courses.terms[id(series)].maintenance):
            anchor: date | None = series.completed_on
            cycle = 1
            while anchor is not None and (row := self._open(series, number, rule, cycle, anchor)) is not None:
                self.story.cycles.append(row)
                anchor = None if untouched else self._live(row, site)
                cycle += 1

    def _open(self, series: Series, number: int, rule: MaintenanceRule, cycle: int, anchor: date) -> Maintenance | None:
        state = rules.opens(rule)
        if state is None:
            return None
        due = rules.due(rule, anchor)
        return Maintenance(
            series=series,
            rule=number,
            cycle=cycle,
            treatment=self._treatment(series, rule),
            state=state,
            anchor=anchor,
            calculated_from=due.from_ if due else None,
            calculated_by=due.by if due else None,
        )

    def _treatment(self, series: Series, rule: MaintenanceRule) -> Treatment:
        return self.courses.treatments[rule.treatment] if rule.treatment else series.protocol.treatment

    def _live(self, row: Maintenance, site: Site) -> date | None:
        """What became of it; the day it was attended, if it was."""
        today = self.story.today(site)
        if row.state == MaintenanceState.WAITING:
            luck = self.rng.random()
            if luck < 0.08:
                self._settle(row, MaintenanceState.DECLINED, row.anchor + timedelta(days=self.rng.randint(1, 30)), site)
            elif luck < 0.5:
                self._override(row, row.anchor + timedelta(days=self.rng.randint(50, 170)), site)
        elif self.rng.random() < 0.06:
            self._override(row, row.calculated_by + timedelta(days=self.rng.randint(7, 30)), site)
        if row.state != MaintenanceState.SCHEDULED:
            return None

        from_, by = due_days(row)
        luck = self.rng.random()
        if by < today - timedelta(days=LONG_AGO):
            if luck < 0.76:
                return self._visit(row, site, first=from_, last=by + timedelta(days=12))
            if luck < 0.86:
                self._settle(row, MaintenanceState.DECLINED, by + timedelta(days=self.rng.randint(0, 20)), site)
            elif luck < 0.92:
                self._settle(row, MaintenanceState.LAPSED, by + timedelta(days=self.rng.randint(15, 25)), site)
        elif from_ <= today + timedelta(days=SOON):
            if luck < 0.22 and from_ < today:
                return self._visit(row, site, first=from_, last=today - timedelta(days=1))
            if luck < 0.5:
                return self._visit(
                    row, site, first=max(from_, today + timedelta(days=1)), last=max(by, today) + timedelta(days=21)
                )
            if luck < 0.6:
                row.state = MaintenanceState.DEFERRED
                row.deferred_until = today + timedelta(days=self.rng.randint(10, 60))
                row.reason = self.rng.choice(DEFERRED_BECAUSE)
            elif luck < 0.66 and from_ < today:
                self._settle(row, MaintenanceState.DECLINED, today - timedelta(days=self.rng.randint(0, 5)), site)
        elif from_ <= today + timedelta(days=DAYS_AHEAD - 20) and luck < 0.25:
            return self._visit(row, site, first=from_, last=by + timedelta(days=10))
        return None

    def _visit(self, row: Maintenance, site: Site, *, first: date, last: date) -> date | None:
        story, series = self.story, row.series
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        self.rng.shuffle(days)
        same = row.treatment == series.protocol.treatment
        visit = story.find(
            patient=series.patient,
            site=site,
            days=days,
            treatment=row.treatment,
            phases=self.courses.terms[id(series)].visit if same else self.courses.phases_of(row.treatment),
        )
        if visit is None:
            return None
        day = walltime.day_of(visit.starts_at, site.time_zone)
        booked_on = max(day - timedelta(days=self.rng.randint(3, 30)), row.anchor + timedelta(days=1))
        luck, status = self.rng.random(), None
        if luck < 0.04 and visit.ends_at < story.now:
            status = AppointmentStatus.NO_SHOW
        elif luck < 0.08:
            status = AppointmentStatus.CANCELLED
        appointment = story.hold(
            patient=series.patient,
            visit=visit,
            booked_at=story.at_desk(booked_on, site),
            status=status,
            maintenance=row,
        )
        if appointment.status == AppointmentStatus.FULFILLED:
            row.state, row.attended_on = MaintenanceState.ATTENDED, day
            row.settled_at, row.settled_by = appointment.status_at, appointment.status_by
            return day
        if status is None:
            row.state = MaintenanceState.BOOKED
        return None

    def _override(self, row: Maintenance, day: date, site: Site) -> None:
        at: datetime = self.story.at_desk(row.anchor + timedelta(days=self.rng.randint(0, 14)), site)
        row.state = MaintenanceState.SCHEDULED
        row.overridden_on, row.overridden_at = day, at
        row.overridden_by = self.rng.choice(list(self.story.staff.practitioners.values()))
        row.override_reason = self.rng.choice(OVERRIDE_BECAUSE)

    def _settle(self, row: Maintenance, state: MaintenanceState, day: date, site: Site) -> None:
        row.state = state
        row.settled_at = self.story.at_desk(min(day, self.story.today(site)), site)
        row.settled_by = self.story.desk(site)
        if state == MaintenanceState.DECLINED:
            row.reason = self.rng.choice(DECLINED_BECAUSE)


def due_days(row: Maintenance) -> tuple[date, date]:
    """Due from and by, as the database will say once the row is stored."""
    from_, by = row.overridden_on or row.calculated_from, row.overridden_on or row.calculated_by
    assert from_ is not None
    assert by is not None
    return from_, by
