"""How courses go at the demo clinic: attended, missed, late, stopped, complete, kept up; and the visits in between."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from clinic import walltime
from clinic.demo import catalogue
from clinic.demo.places import CONSULTATION, HYDRAFACIAL, NEEDLING, RF_NEEDLING, SKIN_CARE
from clinic.demo.story import HOUR, Story
from clinic.models import Appointment, AppointmentStatus, Site
from patients.models import Patient
from treatments import rules
from treatments.models import Concern, Protocol, Series, SeriesState, Session, SessionState, Treatment
from treatments.services.series import Agreed, Choice, agree
from treatments.terms import Phase, Spacing, Terms

DAYS_BACK, DAYS_AHEAD = 365, 120
DECIDED = "Decided by Dr Lindqvist after the consultation"
LATE_BECAUSE = [
    "Patient was travelling",
    "Patient was ill for two weeks",
    "No earlier time suited",
    "Skin needed longer to heal",
]
STOPPED_BECAUSE = ["Patient moved away", "Pregnancy", "Patient is content with the result", "Cost", "Skin reaction"]

# Protocol, how often it is chosen.
CHOSEN = [
    (catalogue.ACNE, 7),
    (catalogue.FINE_LINES, 10),
    (catalogue.GLOW, 7),
    (catalogue.REJUVENATION, 4),
    (catalogue.TIGHTENING, 4),
    (catalogue.STRETCH_MARKS, 2),
    ("Six sessions, then monthly Hydrafacial", 3),
    ("Standard rejuvenation series", 3),
    ("Monthly series with growth-factor serum", 2),
    ("PRP series, yearly upkeep", 2),
    ("Continuous microneedling with PRP", 1),
    ("Series by concern", 2),
    ("Series by depth", 1),
]


@dataclass(frozen=True, slots=True)
class Fate:
    """How a course goes. After `sessions` nothing more is booked; `stopped`: by decision."""

    sessions: int = 99
    stopped: bool = False
    smooth: bool = False
    ahead: bool = True


class Courses:
    def __init__(self, story: Story) -> None:
        self.story, self.rng = story, story.rng
        self.protocols = {protocol.name: protocol for protocol in Protocol.objects.select_related("treatment")}
        self.treatments = {t.name: t for t in Treatment.objects.prefetch_related("phases__device_kind")}
        self.concerns = {concern.name: concern for concern in Concern.objects.all()}
        self._agreed: dict[tuple, Agreed] = {}
        self.terms: dict[int, Terms] = {}

    def phases_of(self, treatment: Treatment) -> tuple[Phase, ...]:
        return tuple(
            Phase(
                name=row.name,
                minutes=row.minutes,
                practitioner=row.occupies_practitioner,
                room=row.occupies_room,
                device_kind=row.device_kind.name if row.device_kind else None,
                numbing=row.numbing,
            )
            for row in self.treatments[treatment.name].phases.all()
        )

    # --- Choosing -------------------------------------------------------------------------------------------------

    def some_protocol(self, *, but_not: set[str]) -> str:
        names, weights = zip(*[(name, weight) for name, weight in CHOSEN if name not in but_not], strict=True)
        return self.rng.choices(names, weights)[0]

    def choice(self, name: str) -> Choice:
        """What the desk chose; where the protocol leaves the number or the spacing open, somebody decided."""
        protocol = self.protocols[name]
        more: dict = {}
        if name == catalogue.ACNE and self.rng.random() < 0.3:
            more = {"severity": "severe", "concern": self.concerns["acne scars"]}
        elif name == "Series by concern":
            more = {"spacing": Spacing(4, 5, 6, "week"), "decision_note": DECIDED}
            if self.rng.random() < 0.5:
                more["concern"] = self.concerns["scarring"]
        elif name == "Series by depth":
            more = {"depth_mm": Decimal("1.0")}
        elif name == "Continuous microneedling with PRP":
            more = {"count": 8, "decision_note": DECIDED}
        elif protocol.name == "PRP series, yearly upkeep" and self.rng.random() < 0.3:
            more = {"area": "under eyes"}
        return Choice(protocol=protocol, **more)

    def agreed(self, choice: Choice) -> Agreed:
        key = (choice.protocol.pk, choice.concern and choice.concern.pk, choice.severity, choice.area, choice.depth_mm)
        if key not in self._agreed:
            self._agreed[key] = agree(choice)
        return self._agreed[key]

    def _some_add_ons(self, agreed: Agreed) -> dict[int, list[str]]:
        """What is chosen for each session, by number: nothing for most courses, for some now and then or always."""
        often = self.rng.choice([0, 0, 0, 0.4, 1])
        names = [add_on.name for add_on in agreed.terms.choosable]
        return {n: [x for x in names if self.rng.random() < often] for n in range(1, agreed.count + 1)}

    # --- A series -------------------------------------------------------------------------------------------------

    def course(self, patient: Patient, site: Site, name: str, *, first: date, fate: Fate) -> Series | None:
        """A whole course, from its first day on, as far as it has come and is booked. None: nothing was free."""
        story, today, choice = self.story, self.story.today(site), self.choice(name)
        agreed = self.agreed(choice)
        add_ons = self._some_add_ons(agreed)
        visit = story.find(
            patient=patient,
            site=site,
            days=[first + timedelta(days=n) for n in range(14)],
            treatment=choice.protocol.treatment,
            phases=agreed.terms.visit_with(add_ons[1]),
        )
        if visit is None:
            return None
        begun = walltime.day_of(visit.starts_at, site.time_zone)
        started_at = story.at_desk(min(begun, today) - timedelta(days=self.rng.randint(2, 12)), site)
        series = Series(
            patient=patient,
            protocol=choice.protocol,
            protocol_version=choice.protocol.version,
            terms_json=agreed.terms.to_json(),
            concern=choice.concern,
            severity=choice.severity,
            area=choice.area,
            depth_mm=choice.depth_mm,
            decision_note=choice.decision_note,
            started_at=started_at,
            started_by=story.desk(site),
        )
        sessions = [Session(series=series, number=n, add_ons=add_ons[n]) for n in add_ons]
        story.series.append(series)
        self.terms[id(series)] = agreed.terms
        story.sessions += sessions
        story.noted(patient, started_at)

        booked_at = started_at + timedelta(minutes=3)
        day, last_day, window = None, None, None
        for session in sessions:
            if session.number > fate.sessions:
                break
            if session.number > 1:
                assert day is not None
                assert agreed.terms.spacing is not None
                window = rules.window_after(agreed.terms.spacing, day)
                visit = None
            kept = self._session(series, session, site, visit, window, booked_at, fate)
            if kept is None:
                break
            day = walltime.day_of(kept.starts_at, site.time_zone)
            if kept.status == AppointmentStatus.FULFILLED:
                session.state, session.attended_on = SessionState.ATTENDED, day
                session.recorded_at, session.recorded_by = kept.status_at, kept.status_by
                last_day = day
        if fate.stopped and last_day is not None:
            self._stop(series, last_day, site)
        elif agreed.terms.sessions.kind != "open_ended" and all(s.state == SessionState.ATTENDED for s in sessions):
            series.state, series.completed_on = SeriesState.COMPLETED, last_day
        return series

    def _session(self, series, session, site, visit, window, booked_at, fate) -> Appointment | None:
        """Its appointment, perhaps at the second attempt; None where it stays to be booked."""
        story, patient, treatment = self.story, series.patient, series.protocol.treatment
        phases, today = self.terms[id(series)].visit_with(session.add_ons), story.today(site)
        late = window is not None and not fate.smooth and self.rng.random() < 0.04
        if visit is None:
            days = self._late_days(window) if late else self._near_ideal(window)
            days = [day for day in days if day < today or fate.ahead]
            visit = story.find(patient=patient, site=site, days=days, treatment=treatment, phases=phases)
            if visit is None:
                return None
        reason = self.rng.choice(LATE_BECAUSE) if late else ""
        day = walltime.day_of(visit.starts_at, site.time_zone)
        luck = 1.0 if fate.smooth else self.rng.random()
        missed = luck < 0.04 and visit.ends_at < story.now
        if not missed and luck > 0.1:
            return story.hold(patient=patient, visit=visit, booked_at=booked_at, session=session, late_reason=reason)

        status = AppointmentStatus.NO_SHOW if missed else AppointmentStatus.CANCELLED
        lost = story.hold(
            patient=patient, visit=visit, booked_at=booked_at, session=session, late_reason=reason, status=status
        )
        if self.rng.random() < 0.1:
            return None
        again = [day + timedelta(days=n) for n in range(5, 26)]
        if window is not None:
            again = sorted(again, key=lambda other: other not in window)
        told = walltime.day_of(lost.status_at, site.time_zone)
        again = [other for other in again if other > told and (other < today or fate.ahead)]
        visit = story.find(patient=patient, site=site, days=again, treatment=treatment, phases=phases)
        if visit is None:
            return None
        outside = window is not None and walltime.day_of(visit.starts_at, site.time_zone) not in window
        return story.hold(
            patient=patient,
            visit=visit,
            booked_at=lost.status_at + timedelta(minutes=10),
            session=session,
            late_reason=self.rng.choice(LATE_BECAUSE) if outside else "",
        )

    def _near_ideal(self, window: rules.Window) -> list[date]:
        wanted = window.ideal + timedelta(days=round(self.rng.gauss(0, 2)))
        days = [window.earliest + timedelta(days=n) for n in range((window.latest - window.earliest).days + 1)]
        return sorted(days, key=lambda day: (abs((day - wanted).days), day))

    def _late_days(self, window: rules.Window) -> list[date]:
        return [window.latest + timedelta(days=n) for n in range(3, 15)]

    def _stop(self, series: Series, last_day: date, site: Site) -> None:
        story = self.story
        stopped_on = min(last_day + timedelta(days=self.rng.randint(3, 20)), story.today(site))
        series.state = SeriesState.STOPPED
        series.stopped_at = max(story.at_desk(stopped_on, site), series.started_at)
        series.stopped_by = story.desk(site)
        series.stopped_reason = self.rng.choice(STOPPED_BECAUSE)

    # --- Visits in between ----------------------------------------------------------------------------------------

    def consultation(self, patient: Patient, site: Site, *, days: list[date]) -> None:
        treatment = self.treatments[CONSULTATION]
        visit = self.story.find(
            patient=patient, site=site, days=days, treatment=treatment, phases=self.phases_of(treatment)
        )
        if visit is not None:
            self.plain(patient, visit)

    def plain(self, patient: Patient, visit) -> None:
        """A visit for no course: most take place, a few are cancelled or missed."""
        luck, status = self.rng.random(), None
        if luck < 0.03 and visit.ends_at < self.story.now:
            status = AppointmentStatus.NO_SHOW
        elif luck > 0.95:
            status = AppointmentStatus.CANCELLED
        ahead = timedelta(days=self.rng.randint(1, 24), hours=self.rng.randint(0, 5))
        known = self.story.since(patient)
        booked_at = min(visit.starts_at, self.story.now) - ahead
        if known is not None and known < visit.starts_at - 2 * HOUR:
            booked_at = max(booked_at, known)
        self.story.hold(patient=patient, visit=visit, booked_at=booked_at, status=status)

    def fill(self, patients: list[tuple[Patient, Site]]) -> None:
        """Give every practitioner a day's work: as good as full until today, thinner the further ahead."""
        for site, agenda in self.story.agendas.items():
            regulars = [patient for patient, at in patients if at == site]
            today = self.story.today(site)
            for day in _days(today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)):
                ahead = max((day - today).days, 0)
                for practitioner in agenda.diary.practitioners:
                    target = self.rng.uniform(0.4, 0.62) if ahead == 0 else 0.62 - 0.5 * ahead / DAYS_AHEAD
                    if day == today:
                        target = 0.7
                    failures = 0
                    while failures < 4 and (full := agenda.fullness(practitioner, day)) is not None and full < target:
                        treatment = self.treatments[self.rng.choices(*FILLERS)[0]]
                        patient = self.rng.choice(regulars)
                        visit = agenda.find(
                            treatment=treatment, phases=self.phases_of(treatment), days=[day], only=practitioner
                        )
                        if visit is None or not self.story.rested(patient, day):
                            failures += 1
                            continue
                        self.plain(patient, visit)


FILLERS = ([HYDRAFACIAL, SKIN_CARE, CONSULTATION, NEEDLING, RF_NEEDLING], [4, 3, 3, 1, 1])


def _days(first: date, last: date) -> Iterator[date]:
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))
