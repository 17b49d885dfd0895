"""Which care before and after a visit, and which final result, has come due: the statements that owe it.

As those that owe reminders: the bounds are computed before and the bare column is compared, so that an index finds the
few that are due; each of those few looks up what else there is to know.
"""

from datetime import datetime, timedelta

from django.db import connection

from clinic import ladder
from clinic.models import ReminderStep
from clinic.models.outbox import StepSubject, said_of
from clinic.services.already_said import DAYS, SAID, said_between
from clinic.services.reaching import REACH_FOR_SERVICE, reaching

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def statement(step: ReminderStep, closes_days: int, *, now: datetime) -> tuple[str, dict[str, object]]:
    """What owes the messages of a step, and its values. It may find some before their hour: they wait for it."""
    values = reaching(step) | {"now": now, "days": step.offset_days, "closes": closes_days}
    match step.subject:
        case StepSubject.PRE_CARE:
            # A day in another zone, and another for the hour of the visit.
            values["slack"] = 2 - step.offset_days
            values["last_word"] = ladder.LAST_WORD
            values["until"] = now + (_longest_lead() + 2 - step.offset_days) * DAY
            # The day on the site's clock may be another.
            values |= said_between((now - DAY).date(), (values["until"] + DAY).date())
            return OWE_PRE_CARE, values
        case StepSubject.AFTERCARE:
            values["after"] = now - closes_days * DAY
            values["until"] = now - step.offset_days * DAY
            values["hours"] = 24 * step.offset_days
            # Of the last second the edition is said too, which comes after it.
            values |= said_between(said_of(values["after"]), said_of(values["until"] + SECOND))
            return OWE_AFTERCARE, values
    values["after"] = now.date() - closes_days * DAY
    values["until"] = (now + ladder.EARLIEST_ZONE).date() - step.offset_days * DAY
    values |= said_between(values["after"], values["until"])
    return OWE_RESULT, values


def _longest_lead() -> int:
    """How many days before a visit its care begins at most, in any course."""
    with connection.cursor() as cursor:
        cursor.execute(LONGEST_LEAD)
        found = cursor.fetchone()
    return min(found[0], MOST_LEAD) if found else 0


# Further ahead nobody is told of anything.
MOST_LEAD = 366
LONGEST_LEAD = """
SELECT treatments_care_lead(terms) FROM treatments_series WHERE treatments_care_lead(terms) IS NOT NULL
ORDER BY treatments_care_lead(terms) DESC LIMIT 1
"""

COLUMNS = """
INSERT INTO clinic_message (
    patient_id, kind, purpose, channel, step_id, {about}, counts_from, owed_at, not_before, not_after,
    state, attempts, handed_over, message_id, reason
)
"""

# The terms that a visit follows: those of its course, unless its upkeep is another treatment.
TERMS = """
CROSS JOIN LATERAL (
    SELECT series.id, series.terms
    FROM treatments_series AS series
    JOIN treatments_protocol AS protocol ON protocol.id = series.protocol_id
    WHERE series.id = coalesce(
            (SELECT series_id FROM treatments_session WHERE id = visit.session_id),
            (SELECT series_id FROM treatments_maintenance WHERE id = visit.maintenance_id)
        )
        AND (visit.maintenance_id IS NULL OR protocol.treatment_id = visit.treatment_id)
    OFFSET 0
) AS course
"""

# A change that the desk may still take back is told first: else its mail would come after this one.
OWE_PRE_CARE = f"""
{COLUMNS.format(about="appointment_id")}
SELECT
    patient.id, 'pre_care', 'service', reach.channel, %(step)s, visit.id, start.said,
    %(now)s, %(now)s, visit.starts_at - %(last_word)s,
    'pending', 0, 0, gen_random_uuid(), ''
FROM clinic_appointment AS visit
CROSS JOIN LATERAL (
    SELECT to_char(visit.starts_at AT TIME ZONE site.time_zone, 'YYYY-MM-DD') AS said
    FROM clinic_site AS site WHERE site.id = visit.site_id
) AS start
{TERMS}
CROSS JOIN LATERAL (SELECT * FROM patients_patient WHERE id = visit.patient_id OFFSET 0) AS patient
{REACH_FOR_SERVICE}
WHERE visit.status = 'booked'
    AND visit.starts_at > %(now)s + %(last_word)s
    AND visit.starts_at <= %(until)s
    AND visit.starts_at <= %(now)s + make_interval(days => treatments_care_lead(course.terms) + %(slack)s)
    AND patient.merged_into_id IS NULL
    AND (visit.id, start.said) NOT IN ({SAID.format(about="appointment_id", what="counts_from")})
    AND NOT EXISTS (
        SELECT FROM clinic_message AS notice
        WHERE (notice.appointment_id = visit.id OR notice.series_id = course.id)
            AND notice.kind = 'change' AND notice.state = 'pending' AND notice.not_before > %(now)s
        OFFSET 0
    )
ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of this file

# An attendance that was taken back and recorded again is told of again, unless it was told of before.
OWE_AFTERCARE = f"""
{COLUMNS.format(about="appointment_id")}
SELECT
    patient.id, 'aftercare', 'service', reach.channel, %(step)s, visit.id, ended.said || ' #' || visit.sequence,
    %(now)s, %(now)s, visit.ends_at + make_interval(days => %(closes)s),
    'pending', 0, 0, gen_random_uuid(), ''
FROM clinic_appointment AS visit
CROSS JOIN LATERAL (SELECT to_char(visit.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS said) AS ended
{TERMS}
CROSS JOIN LATERAL (SELECT * FROM patients_patient WHERE id = visit.patient_id OFFSET 0) AS patient
{REACH_FOR_SERVICE}
WHERE visit.status = 'fulfilled'
    AND visit.ends_at > %(after)s
    AND visit.ends_at <= %(until)s
    AND EXISTS (
        SELECT FROM jsonb_array_elements(course.terms->'care') AS care
        WHERE care->>'when' = 'after'
            AND (
                %(hours)s = 0
                OR (care->>'offset')::integer
                    * CASE care->>'unit' WHEN 'hour' THEN 1 WHEN 'day' THEN 24 WHEN 'week' THEN 168 END = %(hours)s
            )
        OFFSET 0
    )
    AND patient.merged_into_id IS NULL
    AND (visit.id, ended.said) NOT IN (
        {SAID.format(about="appointment_id", what="split_part(counts_from, ' ', 1)")} AND state <> 'dropped'
    )
    AND (visit.id, ended.said || ' #' || visit.sequence) NOT IN (
        {SAID.format(about="appointment_id", what="counts_from")}
    )
ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of this file

OWE_RESULT = f"""
{COLUMNS.format(about="series_id")}
SELECT
    patient.id, 'result', 'service', reach.channel, %(step)s, course.id, due_on.said,
    %(now)s, %(now)s, (due_on.day + %(closes)s)::timestamp AT TIME ZONE 'UTC',
    'pending', 0, 0, gen_random_uuid(), ''
FROM {DAYS}
CROSS JOIN LATERAL (
    SELECT id, patient_id FROM treatments_series
    WHERE state = 'completed' AND treatments_result_on(terms, completed_on) = due_on.day
    OFFSET 0
) AS course
CROSS JOIN LATERAL (SELECT * FROM patients_patient WHERE id = course.patient_id OFFSET 0) AS patient
{REACH_FOR_SERVICE}
WHERE patient.merged_into_id IS NULL
    AND (course.id, due_on.said) NOT IN ({SAID.format(about="series_id", what="counts_from")})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of this file
