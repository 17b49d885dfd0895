"""What the demo's patients have been told so far, so that a first start owes nobody anything old."""

from datetime import datetime, timedelta

from clinic import ladder
from clinic.demo.story import Story
from clinic.demo.upkeep import due_days
from clinic.models import AppointmentStatus, Message, MessageState, ReminderStep, Site
from clinic.models.outbox import MessageKind, StepSubject, attendance_of, said_of
from clinic.services.caring import course_of
from clinic.services.quiet import quiet_hours
from clinic.walltime import day_of
from patients.models import Consent, Patient, Purpose
from treatments import care, rules

# Older mail is of no interest to anybody.
KEPT = timedelta(days=150)
NOT_AGREED = "The patient has not agreed to this."


class Told:
    def __init__(self, *, story: Story, sites: dict[int, Site], consents: list[Consent]) -> None:
        self.story, self.now, self.sites = story, story.now, sites
        self.said = {(id(c.patient), c.purpose, c.channel): c.granted for c in consents}
        self.messages: list[Message] = []

    def store(self) -> None:
        self._confirmations()
        self._visit_reminders()
        self._maintenance_reminders()
        self._care()
        self._results()
        Message.objects.bulk_create(self.messages)

    def _confirmations(self) -> None:
        of_series = set()
        for appointment in self.story.appointments:
            about = {"appointment": appointment}
            if appointment.session is not None:
                series = appointment.session.series
                if appointment.booked_at - series.started_at < timedelta(minutes=10):
                    if series.pk in of_series:
                        continue
                    of_series.add(series.pk)
                    about = {"series": series}
            not_after = appointment.starts_at if "appointment" in about else appointment.booked_at + timedelta(days=7)
            self._say(
                MessageKind.CONFIRMATION,
                Purpose.SERVICE,
                patient=appointment.patient,
                at=appointment.booked_at,
                not_after=not_after,
                counts_from=str(self.story.uuid()),
                **about,
            )

    def _visit_reminders(self) -> None:
        steps = ReminderStep.objects.filter(subject=StepSubject.APPOINTMENT, active=True)
        closes = ladder.closing_days((step.offset_days, step.stale_after_days) for step in steps)
        for appointment in self.story.appointments:
            if appointment.status == AppointmentStatus.CANCELLED:
                continue
            zone = appointment.site.time_zone
            for step in steps:
                at = ladder.visit_reminder(
                    appointment.starts_at, step.offset_days, zone, now=appointment.booked_at, quiet=quiet_hours()
                )
                until = ladder.keeps_until(appointment.starts_at, closes[step.offset_days])
                before_it_came = appointment.starts_at + timedelta(days=step.offset_days)
                if appointment.booked_at < before_it_came and at <= min(until, self.now):
                    self._say(
                        MessageKind.APPOINTMENT_REMINDER,
                        Purpose.SERVICE,
                        patient=appointment.patient,
                        at=at,
                        not_after=until,
                        step=step,
                        appointment=appointment,
                        counts_from=said_of(appointment.starts_at),
                    )

    def _maintenance_reminders(self) -> None:
        steps = ReminderStep.objects.filter(subject=StepSubject.MAINTENANCE, active=True)
        booked = {}
        for appointment in self.story.appointments:
            if appointment.maintenance is not None:
                booked[id(appointment.maintenance)] = appointment.booked_at
        for row in self.story.cycles:
            if row.calculated_from is None and row.overridden_on is None:
                continue
            from_, _by = due_days(row)
            zone = self.sites[id(row.series.patient)].time_zone
            ended = booked.get(id(row)) or row.settled_at or self.now
            for step in steps:
                at = ladder.day_reminder(
                    from_, step.offset_days, zone, now=self.now - timedelta(days=9999), quiet=quiet_hours()
                )
                # Only what the patient could have been told while it was due and nobody had booked it.
                if at.date() > row.anchor and at <= min(ended, self.now):
                    self._say(
                        MessageKind.MAINTENANCE_REMINDER,
                        Purpose.RECALL,
                        patient=row.series.patient,
                        at=at,
                        not_after=at + timedelta(days=step.stale_after_days),
                        step=step,
                        maintenance=row,
                        counts_from=from_.isoformat(),
                    )

    def _care(self) -> None:
        """What every visit of a course was to be told of by now, before it and after it."""
        steps = list(
            ReminderStep.objects.filter(subject__in=[StepSubject.PRE_CARE, StepSubject.AFTERCARE], active=True)
        )
        for appointment in self.story.appointments:
            course = course_of(appointment)
            if course is None:
                continue
            instructions, zone = course.terms.care, appointment.site.time_zone
            begins = care.first_day(instructions, starts_at=appointment.starts_at, zone=zone)
            for step in steps:
                if (
                    step.subject == StepSubject.PRE_CARE
                    and appointment.status != AppointmentStatus.CANCELLED
                    and begins
                ):
                    at = ladder.day_reminder(
                        begins, step.offset_days, zone, now=appointment.booked_at, quiet=quiet_hours()
                    )
                    until = appointment.starts_at - ladder.LAST_WORD
                    kind, counts_from = MessageKind.PRE_CARE, day_of(appointment.starts_at, zone).isoformat()
                elif step.subject == StepSubject.AFTERCARE and appointment.status == AppointmentStatus.FULFILLED:
                    if not care.speaks_of(instructions, days=step.offset_days):
                        continue
                    ended = max(appointment.ends_at, appointment.status_at)
                    at = ladder.aftercare(appointment.ends_at, step.offset_days, zone, now=ended, quiet=quiet_hours())
                    until = appointment.ends_at + timedelta(days=step.offset_days + step.stale_after_days)
                    kind, counts_from = MessageKind.AFTERCARE, attendance_of(appointment)
                else:
                    continue
                if at <= self.now:
                    about = {"step": step, "appointment": appointment, "counts_from": counts_from}
                    self._say(kind, Purpose.SERVICE, patient=appointment.patient, at=at, not_after=until, **about)

    def _results(self) -> None:
        steps = list(ReminderStep.objects.filter(subject=StepSubject.RESULT, active=True))
        for series in {appointment.session.series for appointment in self.story.appointments if appointment.session}:
            if series.completed_on is None:
                continue
            day = rules.result_on(series.terms.milestones, series.completed_on)
            for step in steps if day else ():
                zone = self.sites[id(series.patient)].time_zone
                at = ladder.day_reminder(
                    day, step.offset_days, zone, now=self.now - timedelta(days=9999), quiet=quiet_hours()
                )
                if at <= self.now:
                    self._say(
                        MessageKind.RESULT,
                        Purpose.SERVICE,
                        patient=series.patient,
                        at=at,
                        not_after=at + timedelta(days=step.stale_after_days),
                        step=step,
                        series=series,
                        counts_from=day.isoformat(),
                    )

    def _say(
        self, kind: MessageKind, purpose: Purpose, *, patient: Patient, at: datetime, not_after: datetime, **about
    ) -> None:
        agreed = self.said.get((id(patient), purpose, "email"), purpose == Purpose.SERVICE)
        # A reminder is not even owed to those who did not agree to it.
        if not patient.email or at < self.now - KEPT or at > not_after or ("step" in about and not agreed):
            return
        message = Message(
            patient=patient,
            kind=kind,
            purpose=purpose,
            channel="email",
            owed_at=at,
            not_before=at,
            not_after=not_after,
            state=MessageState.SENT,
            attempts=1,
            handed_over=1,
            message_id=self.story.uuid(),
            settled_at=min(at + timedelta(seconds=self.story.rng.randint(5, 90)), self.now),
            **about,
        )
        if not agreed:
            message.state, message.reason = MessageState.DROPPED, NOT_AGREED
            message.attempts = message.handed_over = 0
        elif self.story.rng.random() < 0.002:
            message.state, message.reason, message.handed_over = MessageState.FAILED, "550 No such mailbox", 0
        elif self.story.rng.random() < 0.001:
            message.state, message.reason = MessageState.UNKNOWN, "The connection broke before the answer came."
        self.messages.append(message)
