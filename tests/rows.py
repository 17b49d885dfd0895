"""A good row of each model, beside any other, for tests of what the database refuses."""

from datetime import time, timedelta
from itertools import count

from django.contrib.auth.models import User

from clinic.models import (
    Absence,
    Appointment,
    CalendarFeed,
    CallRequest,
    Claim,
    Closure,
    EarlierOffer,
    EarlierWish,
    FreedTime,
    ImportFile,
    Message,
    MessageTemplate,
    OpeningHours,
    ReminderLink,
    ReminderStep,
    Resource,
    ScreeningAnswer,
    SecondFactorRule,
    Sending,
    Site,
    WorkingHours,
    WorklistNote,
)
from patients.models import Consent, Patient, RecordView
from tests.world import NOW, TODAY
from treatments.models import LibraryText, Maintenance, ProtocolVersion, Series, Session

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
numbers = count(1)


def good(model, world) -> dict:
    """What a row of `model` can say, beside any other row of it."""
    n = next(numbers)
    start = NOW + n * DAY
    hour = {"starts_at": start, "ends_at": start + HOUR}
    by = {"answered_by": world.desk, "answered_at": NOW}
    digest = f"{n:064x}"
    appointment = {
        "patient": world.patient,
        "site": world.site,
        "treatment": world.treatment,
        "status_at": NOW,
        "status_by": world.desk,
        "booked_at": NOW,
        "booked_by": world.desk,
    }
    message = {"patient": world.patient, "kind": "change", "purpose": "service", "channel": "email"}
    values = {
        Patient: lambda: {"given_name": "Zoë", "registered_at": NOW, "registered_by": world.desk},
        Consent: lambda: {
            "patient": world.patient, "purpose": "recall", "channel": "sms", "granted": True, "given_at": NOW
        },
        RecordView: lambda: {"patient": world.patient, "user": world.desk, "at": NOW, "page": "desk:patient"},
        Series: lambda: {
            "patient": world.patient,
            "protocol": world.protocol,
            "protocol_version": 1,
            "terms_json": {"add_ons": [{"name": "PRP", "role": "optional"}]},
            "started_at": NOW,
            "started_by": world.desk,
        },
        Session: lambda: {"series": make(Series, world), "number": 1},
        Maintenance: lambda: {
            "series": make(Series, world),
            "rule": 0,
            "cycle": 1,
            "treatment": world.treatment,
            "state": "waiting",
            "anchor": TODAY,
        },
        ProtocolVersion: lambda: {"protocol": world.protocol, "version": 100 + n, "document": {}, "at": NOW},
        LibraryText: lambda: {"protocol": world.protocol, "document": {}, "taken": True, "at": NOW},
        Site: lambda: {"name": f"Site {n}", "time_zone": "Europe/London"},
        OpeningHours: lambda: {"site": make(Site, world), "weekday": 6, "opens": time(9), "closes": time(12)},
        Closure: lambda: {"site": world.site, "reason": "works"} | hour,
        Resource: lambda: {"kind": "room", "name": f"Room of {n}", "site": world.site},
        WorkingHours: lambda: {
            "resource": make(Resource, world), "site": world.site, "weekday": 6, "starts": time(9), "ends": time(12)
        },
        Absence: lambda: {"resource": world.rooms[0]} | hour,
        Appointment: lambda: appointment | hour,
        Claim: lambda: {"appointment": make(Appointment, world), "resource": world.rooms[0]} | hour,
        CalendarFeed: lambda: {"patient": make(Patient, world), "digest": digest, "address_made_at": NOW},
        ImportFile: lambda: {
            "uploaded_by": User.objects.create(username=f"user{n}"),
            "kind": "patients",
            "name": "a.csv",
            "content": b"",
            "uploaded_at": NOW,
        },
        ReminderStep: lambda: {"subject": "appointment", "offset_days": -100 - n, "stale_after_days": 1},
        Message: lambda: message | {
            "counts_from": str(n), "owed_at": NOW, "not_before": NOW, "not_after": NOW + HOUR
        },
        Sending: lambda: {"id": 1},
        MessageTemplate: lambda: {"kind": "change", "language": str(n), "subject": "Yours", "text": "Words"},
        ReminderLink: lambda: {
            "message": make(Message, world), "digest": digest, "made_at": NOW, "expires_at": NOW + HOUR
        },
        CallRequest: lambda: {"patient": make(Patient, world), "message": make(Message, world), "asked_at": NOW},
        ScreeningAnswer: lambda: {
            "series": make(Series, world), "question": "Well?", "effect": "ask", "yes": True, "answered_on": TODAY
        } | by,
        SecondFactorRule: lambda: {"required": True, "decided_at": NOW, "decided_by": world.desk},
        EarlierWish: lambda: {
            "appointment": make(Appointment, world),
            "sooner_than": NOW,
            "notice_hours": 4,
            "waiting_since": NOW,
            "noted_at": NOW,
            "noted_by": world.desk,
        },
        EarlierOffer: lambda: {
            "wish": make(EarlierWish, world),
            "starts_at": start,
            "made_at": NOW,
            "expires_at": NOW + HOUR,
            "message": make(Message, world),
        },
        FreedTime: lambda: {"site": world.site} | hour,
        WorklistNote: lambda: {
            "patient": world.patient,
            "call": make(CallRequest, world),
            "outcome": "reached",
            "noted_at": NOW,
            "noted_by": world.desk,
        },
    }  # fmt: skip
    return values[model]()


def make(model, world, **fields):
    """A row of `model` that would be good but for `fields`; those that are a function are told the world."""
    fields = {name: value(world) if callable(value) else value for name, value in fields.items()}
    return model.objects.create(**good(model, world) | fields)
