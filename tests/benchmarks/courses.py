"""A million courses over four years, written in bulk, as they stand after so long: each with a visit, the cycles of
its upkeep, and what was said of them. Rows lie in the order in which they came to be, not in that in which they
are due.

A day brings some 680 visits, and some 2,000 cycles come due.
"""

from datetime import timedelta

import psycopg

from tests.benchmarks.diary import INDEXES
from tests.world import NOW, TODAY, World
from treatments.models import CareInstruction, Milestone

SERIES = 1_000_000
# The same patient comes once a year.
PATIENTS = 250_000
DAYS_BACK, DAYS_AHEAD = 1_380, 80

CARE = [
    {"when": "before", "action": "avoid", "text": "Retinoids", "offset": 7, "unit": "day"},
    {"when": "after", "action": "avoid", "text": "Make-up", "offset": 48, "unit": "hour", "bound": "at_least"},
    {"when": "after", "action": "avoid", "text": "Saunas", "offset": 3, "unit": "day", "bound": "at_least"},
]

# One in eight did not come. Neighbours in time are no neighbours among the patients.
COURSES = """
CREATE TEMP TABLE course AS
SELECT
    n, 1000 + n * 7919 %% %(patients)s AS patient, starts_at,
    CASE WHEN starts_at > %(now)s THEN 'booked' WHEN n %% 8 = 0 THEN 'no_show' ELSE 'fulfilled' END AS status
FROM
    generate_series(10::bigint, 9 + %(series)s) AS n,
    LATERAL (
        SELECT date_trunc('minute', %(first)s + n::float * %(days)s / %(series)s * interval '1 day') AS starts_at
    ) AS times
"""

ROWS = {
    "patients_patient": """
        INSERT INTO patients_patient (
            id, given_name, family_name, email, phone, language, first_channel, notes, reference, registered_at,
            registered_by_id
        )
        SELECT n, 'Patient', n::text, 'p' || n || '@example.com', '', 'en-gb', 'email', '', '', %(now)s, %(by)s
        FROM generate_series(1000, 999 + %(patients)s) AS n
    """,
    "patients_consent": """
        INSERT INTO patients_consent (patient_id, purpose, channel, granted, wording, source, given_at)
        SELECT n, 'recall', 'email', true, 'Yes', 'desk', %(now)s
        FROM generate_series(1000, 999 + %(patients)s) AS n
    """,
    "treatments_series": """
        INSERT INTO treatments_series (
            id, patient_id, protocol_id, protocol_version, terms, severity, area, decision_note, state, started_at,
            started_by_id, completed_on, stopped_reason, reference
        )
        SELECT
            n, patient, %(protocol)s, 1, %(terms)s, '', '', '',
            CASE status WHEN 'fulfilled' THEN 'completed' ELSE 'active' END,
            starts_at - interval '30 days', %(by)s,
            CASE status WHEN 'fulfilled' THEN starts_at::date END, '', ''
        FROM course ORDER BY n
    """,
    "treatments_session": """
        INSERT INTO treatments_session (
            id, series_id, number, state, attended_on, day_unknown, recorded_at, recorded_by_id, reason, add_ons
        )
        SELECT
            n, n, 1, CASE status WHEN 'fulfilled' THEN 'attended' ELSE 'planned' END,
            CASE status WHEN 'fulfilled' THEN starts_at::date END, false,
            CASE status WHEN 'fulfilled' THEN starts_at END,
            CASE status WHEN 'fulfilled' THEN %(by)s END, '', '{}'
        FROM course ORDER BY n
    """,
    # A year after the one before, give or take: attended but for the last, or not yet.
    "treatments_maintenance": """
        INSERT INTO treatments_maintenance (
            series_id, rule, cycle, treatment_id, state, anchor, calculated_from, calculated_by, override_reason,
            attended_on, settled_at, settled_by_id, reason
        )
        SELECT
            n, 0, cycle, %(treatment)s, CASE WHEN past THEN 'attended' ELSE 'scheduled' END, due - 330, due, due + 60,
            '', CASE WHEN past THEN due END, CASE WHEN past THEN due END, CASE WHEN past THEN %(by)s END, ''
        FROM
            course,
            generate_series(1, 4) AS cycle,
            LATERAL (SELECT starts_at::date + cycle * 365 + (n * 31 %% 29)::integer) AS dues (due),
            LATERAL (SELECT due < %(today)s - 60) AS times (past)
        WHERE status = 'fulfilled' AND due - 365 < %(today)s - 60
        ORDER BY starts_at::date + (cycle - 1) * 365, n
    """,
    "clinic_appointment": """
        INSERT INTO clinic_appointment (
            id, patient_id, site_id, treatment_id, session_id, starts_at, ends_at, phases, status, status_at,
            status_by_id, cancel_reason, booked_at, booked_by_id, outside_window_reason, uid, sequence
        )
        SELECT
            n, patient, %(site)s, %(treatment)s, n, starts_at, starts_at + interval '75 minutes', '[]', status,
            least(starts_at, %(now)s), %(by)s, '', booked_at, %(by)s, '', gen_random_uuid(), 0
        FROM course, LATERAL (SELECT starts_at - (7 + n * 37 %% 90) * interval '1 day' AS booked_at) AS times
        ORDER BY booked_at
    """,
    # That the course was booked, and the first reminder of each visit and cycle, until yesterday.
    "clinic_message": """
        INSERT INTO clinic_message (
            patient_id, kind, purpose, channel, step_id, appointment_id, maintenance_id, series_id, counts_from,
            owed_at, not_before, not_after, state, attempts, handed_over, message_id, settled_at, reason
        )
        SELECT
            patient, kind, purpose, 'email', step, visit, cycle, series, counts_from, said_at, said_at,
            said_at + interval '1 day', 'sent', 1, 1, gen_random_uuid(), said_at, ''
        FROM (
            SELECT
                patient, 'confirmation' AS kind, 'service' AS purpose, NULL::bigint AS step, NULL::bigint AS visit,
                NULL::bigint AS cycle, n AS series, n::text AS counts_from, starts_at - interval '100 days' AS said_at
            FROM course
            UNION ALL
            SELECT patient, 'visit_reminder', 'service', step.id, n, NULL, NULL,
                to_char(starts_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), starts_at + offset_days * interval '1 day'
            FROM course, clinic_reminderstep AS step WHERE step.subject = 'appointment' AND offset_days = -3
            UNION ALL
            SELECT patient, 'maintenance', 'recall', step.id, NULL, due.id, NULL,
                to_char(due_from, 'YYYY-MM-DD'), due_from + offset_days * interval '1 day' + interval '9 hours'
            FROM treatments_maintenance AS due, course, clinic_reminderstep AS step
            WHERE n = series_id AND step.subject = 'maintenance' AND offset_days = -28
        )
        WHERE said_at < %(now)s - interval '1 day'
        ORDER BY said_at
    """,
}


def fill(database: psycopg.Connection, world: World) -> None:
    """Write all of it, as it stands at NOW."""
    for position, row in enumerate(CARE, start=1):
        CareInstruction.objects.create(protocol=world.protocol, position=position, **row)
    Milestone.objects.create(protocol=world.protocol, name="Result", max_days=90, kind="result")
    about = {
        "series": SERIES,
        "patients": PATIENTS,
        "days": DAYS_BACK + DAYS_AHEAD,
        "first": NOW - timedelta(days=DAYS_BACK),
        "now": NOW,
        "today": TODAY,
        "by": world.desk.pk,
        "site": world.site.pk,
        "treatment": world.treatment.pk,
        "protocol": world.protocol.pk,
        "terms": psycopg.types.json.Jsonb(world.a_series().terms_json),
    }
    for setting in ("statement_timeout = 0", "maintenance_work_mem = '1GB'", "work_mem = '1GB'"):
        database.execute(f"SET {setting}")
    # Neither events nor foreign keys row by row; whatever is written here fits.
    database.execute("SET session_replication_role = replica")
    cursor = psycopg.ClientCursor(database)
    cursor.execute(COURSES, about)
    for table, statement in ROWS.items():
        database.execute(INDEXES, {"table": table, "ready": False})
        cursor.execute(statement, about)
        database.execute(INDEXES, {"table": table, "ready": True})
        database.execute(f"VACUUM (FULL) {table}")
        database.execute(f"VACUUM (ANALYZE) {table}")
    database.execute("DROP TABLE course")
