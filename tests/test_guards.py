"""Each constraint of the database, broken once: a row that it alone keeps out. So are triggers that refuse.

What is added to a model without a line here fails. Those of a protocol and its rows are tried in
treatments/test_protocol_constraints.py.
"""

import re
from contextlib import suppress
from datetime import time

import pgtrigger
import pytest
from django.db import DataError, IntegrityError, connection, transaction

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
    Sending,
    Site,
    WorkingHours,
    WorklistNote,
)
from patients.models import Consent, Patient
from tests.rows import DAY, HOUR, make
from tests.treatments import test_protocol_constraints as protocols
from tests.world import NOW, TODAY, merged_into
from treatments.models import (
    Maintenance,
    ProtocolVersion,
    Series,
    Session,
)

pytestmark = pytest.mark.django_db


def desk(world):
    return world.desk


def patient(world):
    return world.patient


def a(model):
    return lambda world: make(model, world)


def merged(world):
    return make(Patient, world, **merged_into(world.patient))


# Kept out by themselves.
REFUSED = [
    (
        Patient,
        "patient_not_merged_into_itself",
        {"id": 999, "merged_into_id": 999, "merged_at": NOW, "merged_by": desk},
    ),
    (Patient, "patient_merge_recorded", {"merged_into": patient}),
    (Patient, "patient_merge_recorded", {"merged_at": NOW}),
    (Patient, "patient_merged_in_one_step", {"merged_into": merged, "merged_at": NOW, "merged_by": desk}),
    (Patient, "patient_has_a_name", {"given_name": ""}),
    (Patient, "patient_channel_known", {"first_channel": "post"}),
    (Consent, "consent_purpose_known", {"purpose": "fun"}),
    (Consent, "consent_channel_known", {"channel": "post"}),
    (Series, "series_state_known", {"state": "lost"}),
    (Series, "series_completion_dated", {"state": "completed"}),
    (Series, "series_completion_dated", {"completed_on": TODAY}),
    (Series, "series_stop_recorded", {"state": "stopped"}),
    (Series, "series_stop_recorded", {"stopped_reason": "moved"}),
    (Session, "session_numbers_start_at_one", {"number": 0}),
    (Session, "session_state_known", {"state": "lost", "recorded_at": NOW, "recorded_by": desk}),
    (Session, "session_attendance_dated_or_known_not_to_be", {"attended_on": TODAY}),
    (Session, "session_attendance_dated_or_known_not_to_be", {"day_unknown": True}),
    (
        Session,
        "session_attendance_dated_or_known_not_to_be",
        {"state": "attended", "recorded_at": NOW, "recorded_by": desk},
    ),
    (Session, "session_outcome_recorded", {"state": "skipped"}),
    (Session, "session_outcome_recorded", {"reason": "ill"}),
    (Session, "session_add_ons_as_agreed", {"add_ons": ["Peel"]}),
    (Session, "session_add_ons_as_agreed", {"add_ons": ["PRP", "PRP"]}),
    (Maintenance, "maintenance_cycles_start_at_one", {"cycle": 0}),
    (Maintenance, "maintenance_state_known", {"state": "lost"}),
    (
        Maintenance,
        "maintenance_calculated_in_order",
        {"calculated_from": TODAY + DAY, "calculated_by": TODAY},
    ),
    (Maintenance, "maintenance_calculated_in_order", {"calculated_from": TODAY}),
    (Maintenance, "maintenance_calculated_in_order", {"calculated_by": TODAY}),
    (Maintenance, "maintenance_override_recorded", {"overridden_on": TODAY}),
    (Maintenance, "maintenance_override_recorded", {"override_reason": "healed slowly"}),
    (
        Maintenance,
        "maintenance_override_recorded",
        {"overridden_on": TODAY, "overridden_at": NOW, "overridden_by": desk},
    ),
    (Maintenance, "maintenance_scheduled_has_a_date", {"state": "scheduled"}),
    (Maintenance, "maintenance_deferral_dated", {"state": "deferred"}),
    (Maintenance, "maintenance_deferral_dated", {"deferred_until": TODAY}),
    (Maintenance, "maintenance_attendance_dated", {"state": "attended", "settled_at": NOW}),
    (Maintenance, "maintenance_attendance_dated", {"attended_on": TODAY}),
    (Maintenance, "maintenance_settling_recorded", {"state": "declined"}),
    (Maintenance, "maintenance_settling_recorded", {"settled_at": NOW}),
    (ProtocolVersion, "protocolversion_starts_at_one", {"version": 0}),
    (ProtocolVersion, "protocolversion_origin_known", {"origin": "found"}),
    (OpeningHours, "opening_hours_not_empty", {"closes": time(9)}),
    (OpeningHours, "opening_hours_weekday_known", {"weekday": 7}),
    (Closure, "closure_not_empty", {"ends_at": NOW}),
    (Resource, "resource_kind_known", {"kind": "garden"}),
    (Resource, "resource_device_kind_for_devices_only", {"kind": "device"}),
    (Resource, "resource_device_kind_for_devices_only", {"device_kind": lambda world: world.pens[0].device_kind}),
    (Resource, "resource_account_for_practitioners_only", {"user": desk}),
    (WorkingHours, "working_hours_not_empty", {"ends": time(9)}),
    (WorkingHours, "working_hours_weekday_known", {"weekday": 7}),
    (WorkingHours, "working_hours_validity_in_order", {"valid_from": TODAY, "valid_until": TODAY - DAY}),
    (Absence, "absence_not_empty", {"ends_at": NOW}),
    (Appointment, "appointment_not_empty", {"starts_at": NOW, "ends_at": NOW}),
    (Appointment, "appointment_status_known", {"status": "lost"}),
    (
        Appointment,
        "appointment_for_session_or_maintenance",
        {"session": a(Session), "maintenance": a(Maintenance)},
    ),
    (Appointment, "appointment_cancellation_has_a_reason", {"status": "cancelled"}),
    (Appointment, "appointment_cancellation_has_a_reason", {"cancel_reason": "ill"}),
    (Appointment, "appointment_window_override_recorded", {"outside_window_reason": "asked"}),
    (Appointment, "appointment_window_override_recorded", {"outside_window_by": desk}),
    (Claim, "claim_not_empty", {"starts_at": NOW, "ends_at": NOW}),
    (CalendarFeed, "calendar_feed_keeps_no_secret", {"digest": "a secret"}),
    (ImportFile, "import_file_kind_known", {"kind": "recipes"}),
    (ReminderStep, "reminder_step_subject_known", {"subject": "birthday"}),
    (ReminderStep, "reminder_step_channel_known", {"channel": "post"}),
    (ReminderStep, "reminder_step_before_the_visit", {"offset_days": 0}),
    (
        ReminderStep,
        "reminder_step_before_care_begins",
        {"subject": "pre_care", "offset_days": 1, "stale_after_days": None},
    ),
    (ReminderStep, "reminder_step_after_the_visit", {"subject": "aftercare"}),
    (ReminderStep, "reminder_step_says_when_it_is_too_late", {"stale_after_days": None}),
    (ReminderStep, "reminder_step_says_when_it_is_too_late", {"subject": "pre_care"}),
    (ReminderStep, "reminder_step_three_of_maintenance", {"subject": "maintenance", "offset_days": 99}),
    (Message, "message_kind_known", {"kind": "poem"}),
    (Message, "message_purpose_known", {"purpose": "fun"}),
    (Message, "message_channel_known", {"channel": "post"}),
    (Message, "message_times_in_order", {"not_after": NOW - HOUR}),
    (Message, "message_handed_over_at_most_twice", {"handed_over": 3}),
    (Message, "message_handed_over_at_most_twice", {"channel": "sms", "handed_over": 2}),
    (Message, "message_lease_while_sending", {"state": "sending"}),
    (Message, "message_lease_while_sending", {"lease_until": NOW}),
    (Message, "message_settling_dated", {"state": "sent"}),
    (Message, "message_settling_dated", {"settled_at": NOW}),
    (Message, "message_settling_dated", {"state": "lost"}),
    (Message, "message_refusal_has_a_reason", {"state": "failed", "settled_at": NOW}),
    (Message, "message_arrived_only_if_it_was_sent", {"delivered_at": NOW}),
    (Message, "message_missed_is_not_sent", {"missed": True}),
    (Message, "message_said_with_another_is_not_sent_itself", {"said_with": a(Message)}),
    (Sending, "sending_is_one_row", {"id": 2}),
    (Sending, "sending_pause_recorded", {"paused_at": NOW}),
    (Sending, "sending_held_mails_ask", {"mails_held_since": NOW}),
    (MessageTemplate, "message_template_kind_known", {"kind": "poem"}),
    (MessageTemplate, "message_template_subject_for_mail_alone", {"subject": ""}),
    (MessageTemplate, "message_template_subject_for_mail_alone", {"channel": "sms"}),
    (ReminderLink, "reminder_link_expires", {"expires_at": NOW}),
    (ReminderLink, "reminder_link_keeps_no_secret", {"digest": "a secret"}),
    (CallRequest, "call_request_done_by_somebody", {"done_at": NOW}),
    (CallRequest, "call_request_comes_from_something", {"message": None}),
    (ScreeningAnswer, "screening_answer_effect_known", {"effect": "shrug"}),
    (ScreeningAnswer, "screening_answer_to_a_question", {"question": ""}),
    (ScreeningAnswer, "screening_answer_good_from_its_day", {"good_until": TODAY - DAY}),
    (EarlierWish, "earlier_wish_closing_recorded", {"closed_at": NOW}),
    (EarlierWish, "earlier_wish_closing_recorded", {"closed_reason": "desk"}),
    (
        EarlierWish,
        "earlier_wish_closing_recorded",
        {"closed_at": NOW, "closed_by": desk, "closed_reason": "whim"},
    ),
    (EarlierWish, "earlier_wish_weekdays_known", {"weekdays": [7]}),
    (EarlierWish, "earlier_wish_times_in_order", {"earliest_time": time(12), "latest_time": time(11)}),
    (EarlierWish, "earlier_wish_notice_possible", {"notice_hours": 337}),
    (EarlierWish, "earlier_wish_waits_since_it_was_noted", {"waiting_since": NOW + DAY}),
    (EarlierOffer, "earlier_offer_ends_before_its_time", {"expires_at": NOW}),
    (EarlierOffer, "earlier_offer_ends_before_its_time", {"expires_at": NOW + 9999 * DAY}),
    (EarlierOffer, "earlier_offer_declined_after_it_was_made", {"declined_at": NOW - HOUR}),
    (FreedTime, "freed_time_of_a_resource_or_a_site", {"site": None}),
    (FreedTime, "freed_time_of_a_resource_or_a_site", {"resource": lambda world: world.rooms[0]}),
    (WorklistNote, "worklist_note_about_one_thing", {"call": None}),
    (WorklistNote, "worklist_note_about_one_thing", {"message": a(Message)}),
    (WorklistNote, "worklist_note_outcome_known", {"outcome": "shouted"}),
    (WorklistNote, "worklist_note_later_says_when", {"outcome": "snoozed"}),
]


# Kept out beside another row, with which it has the named fields in common.
REFUSED_TWICE = [
    (Patient, "patients_patient_user_id_key", "user", {"user": desk}),
    (Patient, "patient_reference_once", "reference", {"reference": "P-1"}),
    (Series, "series_reference_once", "reference", {"reference": "C-1"}),
    (Session, "session_number_once_a_series", "series", {}),
    (Maintenance, "maintenance_cycle_once", "series", {}),
    (ProtocolVersion, "protocol_version_once", "version", {}),
    (Site, "clinic_site_name_key", "name", {}),
    (OpeningHours, "opening_hours_no_overlap", "site", {}),
    (Resource, "resource_name_once_a_site", "name", {}),
    (Resource, "clinic_resource_user_id_key", "user", {"kind": "practitioner", "user": desk}),
    (WorkingHours, "working_hours_no_overlap", "resource", {}),
    (Appointment, "appointment_patient_in_one_place", "starts_at ends_at", {}),
    (Appointment, "appointment_one_live_a_session", "session", {"session": a(Session)}),
    (
        Appointment,
        "appointment_one_live_a_cycle",
        "maintenance",
        {"maintenance": a(Maintenance)},
    ),
    (Appointment, "clinic_appointment_uid_key", "uid", {}),
    (Claim, "claim_no_overlap", "starts_at ends_at", {}),
    (CalendarFeed, "clinic_calendarfeed_patient_id_key", "patient", {}),
    (CalendarFeed, "clinic_calendarfeed_digest_key", "digest", {}),
    (ImportFile, "clinic_importfile_uploaded_by_id_key", "uploaded_by", {}),
    (ReminderStep, "reminder_step_once", "offset_days", {}),
    (Message, "message_said_once", "counts_from", {}),
    (Message, "clinic_message_message_id_key", "message_id", {}),
    (MessageTemplate, "message_template_once", "language", {}),
    (ReminderLink, "clinic_reminderlink_digest_key", "digest", {}),
    (CallRequest, "call_request_one_waiting", "patient", {}),
    (EarlierWish, "earlier_wish_one_open_a_visit", "appointment", {}),
    (EarlierOffer, "earlier_offer_one_open_a_wish", "wish", {}),
    (EarlierOffer, "earlier_offer_same_time_once", "wish starts_at", {"declined_at": NOW}),
    (EarlierOffer, "clinic_earlieroffer_message_id_key", "message", {}),
]

ELSEWHERE = {name: protocols.test_the_database_refuses for _model, name, _fields, _id in protocols.REFUSED} | {
    "phase_of_an_override_is_of_its_protocol": protocols.test_a_phase_of_an_override_is_of_a_protocol,
    # What the foreign keys over two columns point at.
    "override_belongs_to_its_protocol": (protocols.test_a_row_of_an_override_belongs_to_the_protocol_of_that_override),
    "override_name_unique_in_protocol": protocols.test_the_name_of_an_override_is_unique_in_its_protocol,
    "treatments_protocol_name_key": protocols.test_the_name_of_a_protocol_is_unique,
    "treatments_protocol_library_key_key": protocols.test_a_library_key_is_unique_where_there_is_one,
    **dict.fromkeys(
        (f"treatments_{model}_name_key" for model in ("treatment", "devicekind", "concern", "addon")),
        protocols.test_a_name_in_the_catalogue_is_unique,
    ),
    **dict.fromkeys(
        (f"{model}_override_of_same_protocol" for model in ("phase", "maintenancerule", "protocoladdon")),
        protocols.test_a_row_of_an_override_belongs_to_the_protocol_of_that_override,
    ),
}

RAISED = re.compile(r"CONSTRAINT = '(\w+)'")
# But for what Django adds by itself: foreign keys, numbers that are not negative, pairs of many-to-many.
CONSTRAINTS = """
SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE relname ~ '^(patients|treatments|clinic)_' AND contype IN ('c', 'u', 'x', 'f')
    AND conname !~ '(_check|_uniq)$|_fk_'
UNION
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relname ~ '^(patients|treatments|clinic)_' AND indisunique AND NOT indisprimary
    AND indexrelid::regclass::text !~ '_uniq$'
"""


def test_every_constraint_is_broken_here():
    with connection.cursor() as cursor:
        cursor.execute(CONSTRAINTS)
        stored = {name for (name,) in cursor.fetchall()}
    raised = {name for _model, trigger in pgtrigger.registered() for name in RAISED.findall(str(trigger.func))}

    assert stored | raised == {name for _model, name, *_rest in REFUSED + REFUSED_TWICE} | ELSEWHERE.keys()


def refused(model, name, world, fields):
    """Refused by `name`; and without it taken, or a range that nobody can make: nothing else would have named it."""
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        make(model, world, **fields)
    assert error.value.__cause__.diag.constraint_name == name

    table = model._meta.db_table
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        cursor.execute(f"DROP INDEX IF EXISTS {name}")
        for owner, trigger in pgtrigger.registered():
            if owner is model and name in RAISED.findall(str(trigger.func)):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger.get_pgid(model)}")
    with suppress(DataError), transaction.atomic():
        make(model, world, **fields)


@pytest.fixture(autouse=True)
def three_days_of_maintenance(db):
    """As a migration laid them, unless a test has emptied the tables since."""
    for days in (-28, 0, 28):
        ReminderStep.objects.get_or_create(subject="maintenance", offset_days=days, defaults={"stale_after_days": 7})


@pytest.mark.parametrize(
    ("model", "name", "fields"),
    [pytest.param(*one, id=f"{one[1]}: {', '.join(one[2])}") for one in REFUSED],
)
def test_the_database_refuses(world, model, name, fields):
    refused(model, name, world, fields)


@pytest.mark.parametrize(
    ("model", "name", "common", "fields"), [pytest.param(*one, id=one[1]) for one in REFUSED_TWICE]
)
def test_the_database_refuses_a_second(world, model, name, common, fields):
    first = make(model, world, **fields)

    refused(model, name, world, fields | {field: getattr(first, field) for field in common.split()})
