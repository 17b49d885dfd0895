"""What patients decide about messages to them, and all that is kept of them as one file."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction

from clinic.models import CalendarFeed, EarlierOffer, EarlierWish, Message, ScreeningAnswer
from patients import services as patients
from patients.models import Channel, Patient, Purpose
from treatments.models import Maintenance

SOURCE = "portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One thing that the clinic may do, in the patient's words. `possible`: there is an address to do it with."""

    purpose: str
    channel: str
    wording: str
    granted: bool
    possible: bool

    @property
    def name(self) -> str:
        return f"{self.purpose}-{self.channel}"


def preferences(patient: Patient) -> list[Preference]:
    """Every purpose and channel. Messages about booked visits are sent unless the patient said no; others never."""
    said = {(c.purpose, c.channel): c.granted for c in patient.consents.in_force()}
    reachable = {Channel.EMAIL: bool(patient.email), Channel.SMS: bool(patient.phone)}
    return [
        Preference(
            purpose=purpose,
            channel=channel,
            wording=patients.wording(purpose, channel),
            granted=reachable[channel] and said.get((purpose, channel), purpose == Purpose.SERVICE),
            possible=reachable[channel],
        )
        for purpose in Purpose
        for channel in Channel
    ]


@transaction.atomic
def decide(
    *,
    patient: Patient,
    granted: Collection[str],
    language: str,
    first_channel: str,
    time_zone: ZoneInfo | None,
    by: User,
    now: datetime,
) -> int:
    """Record a yes or a no where it differs from what holds; language, channel and time zone.

    Returns how many decisions changed.

    `granted` holds names as of Preference. What is not possible is left as it is.
    """
    changed = [p for p in preferences(patient) if p.possible and p.granted != (p.name in granted)]
    for preference in changed:
        say = patients.withdraw_consent if preference.granted else patients.give_consent
        say(patient=patient, purpose=preference.purpose, channel=preference.channel, source=SOURCE, by=by, now=now)
    said = {"language": language, "first_channel": first_channel, "time_zone": time_zone}
    if any(getattr(patient, name) != value for name, value in said.items()):
        Patient.objects.filter(pk=patient.pk).update(**said)
        for name, value in said.items():
            setattr(patient, name, value)
    return len(changed)


def export(*, patient: Patient, by: User, now: datetime) -> dict[str, Any]:
    """All that is kept about `patient`, as plain values for a file. That it was taken is recorded."""
    patients.record_view(patient=patient, page="portal:data", by=by, now=now)
    return {
        "made_at": now,
        "details": {
            "given_name": patient.given_name,
            "family_name": patient.family_name,
            "date_of_birth": patient.date_of_birth,
            "email": patient.email,
            "phone": str(patient.phone),
            "language": patient.language,
            "first_channel": patient.first_channel,
            "time_zone": str(patient.time_zone) if patient.time_zone else None,
            "notes": patient.notes,
            "registered_at": patient.registered_at,
        },
        "consents": list(
            patient.consents.order_by("given_at", "pk").values(
                "purpose", "channel", "granted", "wording", "source", "given_at"
            )
        ),
        "series": [_series(series) for series in patient.series.select_related("protocol", "concern").order_by("pk")],
        "visits": list(
            patient.appointments.order_by("starts_at", "pk").values(
                "starts_at",
                "ends_at",
                "phases",
                "status",
                "status_at",
                "cancel_reason",
                "booked_at",
                "outside_window_reason",
                "site__name",
                "treatment__name",
                "practitioner__name",
                "room__name",
                "session__number",
                "maintenance__cycle",
            )
        ),
        "wishes_for_an_earlier_time": list(
            EarlierWish.objects.filter(appointment__patient=patient)
            .order_by("noted_at", "pk")
            .values(
                "appointment__starts_at",
                "practitioner__name",
                "weekdays",
                "earliest_time",
                "latest_time",
                "notice_hours",
                "waiting_since",
                "noted_at",
                "closed_at",
                "closed_reason",
            )
        ),
        "offers_of_an_earlier_time": list(
            EarlierOffer.objects.filter(wish__appointment__patient=patient)
            .order_by("made_at", "pk")
            .values("starts_at", "practitioner__name", "made_at", "expires_at", "declined_at")
        ),
        "calls_asked_for": list(patient.call_requests.order_by("asked_at", "pk").values("asked_at", "done_at", "said")),
        "notes_of_the_clinic": list(
            patient.worklist_notes.order_by("noted_at", "pk").values("outcome", "text", "hidden_until", "noted_at")
        ),
        "calendar_feed": CalendarFeed.objects.filter(patient=patient)
        .values("names_treatment", "address_made_at")
        .first(),
        "messages": list(
            Message.objects.filter(patient=patient)
            .order_by("owed_at", "pk")
            .values(
                "kind",
                "purpose",
                "channel",
                "state",
                "appointment__starts_at",
                "owed_at",
                "settled_at",
                "delivered_at",
                "reason",
            )
        ),
        "looks_at_the_record": list(patient.views.order_by("at", "pk").values("at", "page")),
    }


def _series(series) -> dict[str, Any]:
    return {
        "protocol": series.protocol.name,
        "protocol_version": series.protocol_version,
        "concern": series.concern.name if series.concern else None,
        "severity": series.severity,
        "area": series.area,
        "depth_mm": series.depth_mm,
        "decision_note": series.decision_note,
        "state": series.state,
        "started_at": series.started_at,
        "completed_on": series.completed_on,
        "stopped_at": series.stopped_at,
        "stopped_reason": series.stopped_reason,
        "terms": series.terms_json,
        "sessions": list(
            series.sessions.order_by("number").values(
                "number", "state", "attended_on", "day_unknown", "reason", "add_ons"
            )
        ),
        "maintenance": list(
            Maintenance.objects.filter(series=series)
            .order_by("rule", "cycle")
            .values(
                "cycle",
                "treatment__name",
                "state",
                "calculated_from",
                "calculated_by",
                "overridden_on",
                "override_reason",
                "deferred_until",
                "attended_on",
                "reason",
            )
        ),
        "answers_before_visits": list(
            ScreeningAnswer.objects.filter(series=series)
            .order_by("answered_at", "pk")
            .values("question", "yes", "note", "answered_at", "good_until")
        ),
    }
