"""By which way a patient is written to: as they prefer, where that is possible, else the other way."""

from django.conf import settings
from django.utils.translation import gettext as _

from clinic.models import ReminderStep
from patients.models import Channel, Patient, Purpose

# The way that the patient would have first and that is open: an address, and a yes where one is needed, or else no no.
# A step of one channel asks for that one alone.
REACH = """
CROSS JOIN LATERAL (
    SELECT way.channel
    FROM (VALUES ('email', patient.email), ('sms', patient.phone)) AS way (channel, address)
    WHERE way.address <> ''
        AND (way.channel = %(channel)s OR %(channel)s = 'preferred' AND (way.channel = 'email' OR %(can_text)s))
        AND coalesce(
            (
                SELECT consent.granted
                FROM patients_consent AS consent
                WHERE consent.patient_id = patient.id
                    AND consent.purpose = {purpose}
                    AND consent.channel = way.channel
                ORDER BY consent.given_at DESC, consent.id DESC
                LIMIT 1
            ),
            {unless_said}
        )
    ORDER BY way.channel <> patient.first_channel
    LIMIT 1
) AS reach
"""
# Maintenance is a new sale and needs a yes; messages about booked visits and their care go unless the patient said no.
REACH_FOR_RECALL = REACH.format(purpose="'recall'", unless_said="false")
REACH_FOR_SERVICE = REACH.format(purpose="'service'", unless_said="true")


def reaching(step: ReminderStep) -> dict[str, object]:
    """The values of the statements that owe the messages of a step."""
    return {"step": step.pk, "channel": step.channel, "can_text": bool(settings.SMS_URL)}


def address(patient: Patient, channel: str) -> str:
    return patient.email if channel == Channel.EMAIL else str(patient.phone or "")


def can_be_told(patient: Patient) -> bool:
    """Whether a message about a booked visit would go: there is a way, and the patient has not said no to it."""
    said = {one.channel: one.granted for one in patient.consents.in_force() if one.purpose == Purpose.SERVICE}
    return any(said.get(channel, True) for channel in in_order(patient))


def told_otherwise(patient: Patient) -> str:
    """What is left where a patient cannot be written to, in words; empty where they can."""
    if can_be_told(patient):
        return ""
    if patient.phone:
        return _("Cannot be written to: call %s.") % patient.phone.as_international
    return _("Cannot be written to, and no phone number is noted: tell them when they come.")


def in_order(patient: Patient) -> list[str]:
    """The channels that could be taken, the preferred one first. Whether the patient agreed is not asked here."""
    open_ = [channel for channel in Channel.values if channel == Channel.EMAIL or settings.SMS_URL]
    return sorted((c for c in open_ if address(patient, c)), key=lambda channel: channel != patient.first_channel)
