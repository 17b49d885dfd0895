"""The statements behind the worklist: what is open, and not put aside. Each takes its parameters by name.

All give the same columns. They start from a partial index, so that what is settled costs nothing. OFFSET 0 keeps a part
from being merged into the whole: it stays a look-up for each row of the work at hand.
"""

from clinic.models.worklist import SUBJECTS

LIVE = "('booked', 'arrived', 'fulfilled')"


def _not_hidden(subject: str, key: str, since: str = "NULL::timestamptz") -> str:
    """What was put aside stays out of sight; a visit cancelled or missed since, or another answer, brings it back."""
    assert subject in SUBJECTS
    return f"""NOT EXISTS (
        SELECT FROM clinic_worklistnote AS note
        WHERE note.{subject}_id = {key} AND note.hidden_until > %(now)s
            AND note.noted_at >= coalesce({since}, '-infinity')
        OFFSET 0
    )"""


def _not_seen(subject: str, key: str, since: str) -> str:
    """Nobody has noted anything since then; a note that puts the row off counts as long as it does."""
    assert subject in SUBJECTS
    return f"""NOT EXISTS (
        SELECT FROM clinic_worklistnote AS note
        WHERE note.{subject}_id = {key} AND note.noted_at > {since}
            AND coalesce(note.hidden_until, 'infinity') > %(now)s
        OFFSET 0
    )"""


def _last_ended(owner: str, key: str) -> str:
    return f"""LEFT JOIN LATERAL (
        SELECT max(visit.status_at) AS at FROM clinic_appointment AS visit
        WHERE visit.{owner} = {key} AND visit.status IN ('cancelled', 'no_show')
    ) AS ended ON true"""  # noqa: S608


def _no_live(owner: str, key: str) -> str:
    return f"""NOT EXISTS (
        SELECT FROM clinic_appointment AS held WHERE held.{owner} = {key} AND held.status IN {LIVE} OFFSET 0
    )"""


# The next session of each series under way that nobody has booked. Its window counts as treatments.rules says; a first
# session has none, and stands where a first window would end.
TO_BOOK = f"""
SELECT 'session' AS kind, session.id AS key, coalesce(span.closes, counted.day + 28) AS sort, session.id AS tie,
    series.patient_id, series.id AS series_id, NULL::bigint AS maintenance_id, protocol.treatment_id,
    session.number::int AS number,
    (SELECT count(*) FROM treatments_session AS every WHERE every.series_id = series.id)::int AS total,
    span.opens, span.closes, '' AS state, '' AS detail
FROM treatments_series AS series
JOIN treatments_protocol AS protocol ON protocol.id = series.protocol_id
CROSS JOIN LATERAL (
    SELECT open.id, open.number FROM treatments_session AS open
    WHERE open.series_id = series.id AND open.state = 'planned' AND {_no_live("session_id", "open.id")}
    ORDER BY open.number LIMIT 1
) AS session
CROSS JOIN LATERAL (
    SELECT max(coalesce(before.attended_on, (held.starts_at AT TIME ZONE site.time_zone)::date)) AS day
    FROM treatments_session AS before
    LEFT JOIN clinic_appointment AS held ON held.session_id = before.id AND held.status IN {LIVE}
    LEFT JOIN clinic_site AS site ON site.id = held.site_id
    WHERE before.series_id = series.id AND before.number < session.number AND before.state <> 'skipped'
) AS anchor
CROSS JOIN LATERAL (SELECT coalesce(anchor.day, series.started_at::date) AS day) AS counted
CROSS JOIN LATERAL (
    SELECT (said ->> 'min')::int AS min, (said ->> 'max')::int AS max, said ->> 'unit' AS unit,
        CASE WHEN said ->> 'min' = said ->> 'max' THEN coalesce((said ->> 'tolerance_days')::int, 0) ELSE 0 END AS more
    FROM (SELECT series.terms -> 'spacing' AS said) AS terms
) AS spacing
CROSS JOIN LATERAL (
    SELECT greatest((anchor.day + (spacing.min || ' ' || spacing.unit)::interval)::date - spacing.more, anchor.day + 1)
            AS opens,
        (anchor.day + (spacing.max || ' ' || spacing.unit)::interval)::date + spacing.more AS closes
    WHERE anchor.day IS NOT NULL
    UNION ALL SELECT NULL::date, NULL::date WHERE anchor.day IS NULL
) AS span
{_last_ended("session_id", "session.id")}
WHERE series.state = 'active'
    AND (span.opens IS NULL OR span.opens <= %(until)s)
    AND {_not_hidden("session", "session.id", "ended.at")}
"""  # noqa: S608


def _cycles(where: str, *, day: str = "due.due_from", by: str = "coalesce(due.due_by, due.due_from)") -> str:
    return f"""
SELECT 'maintenance' AS kind, due.id AS key, {day} AS sort, due.id AS tie,
    series.patient_id, due.series_id, due.id AS maintenance_id, due.treatment_id,
    due.cycle::int AS number, NULL::int AS total, {day} AS opens, {by} AS closes, due.state AS state, '' AS detail
FROM treatments_maintenance AS due
JOIN treatments_series AS series ON series.id = due.series_id
{_last_ended("maintenance_id", "due.id")}
WHERE {where} AND {_not_hidden("maintenance", "due.id", "ended.at")}
"""  # noqa: S608


# What was put off counts again from the day until which it was.
AGAIN_FROM = "greatest(due.due_from, due.deferred_until)"
AGAIN_BY = "greatest(due.due_by, due.deferred_until)"
PUT_OFF = "due.state = 'deferred' AND due.deferred_until <= %(today)s AND due.due_from IS NOT NULL"
DUE = (
    _cycles("due.state = 'scheduled' AND due.due_from <= %(until)s AND coalesce(due.due_by, due.due_from) >= %(today)s")
    + "UNION ALL"
    + _cycles(f"{PUT_OFF} AND {AGAIN_BY} >= %(today)s", day=AGAIN_FROM, by=AGAIN_BY)
)
OVERDUE = (
    _cycles("due.state = 'scheduled' AND due.due_from < %(today)s AND coalesce(due.due_by, due.due_from) < %(today)s")
    + "UNION ALL"
    + _cycles(f"{PUT_OFF} AND {AGAIN_BY} < %(today)s", day=AGAIN_FROM, by=AGAIN_BY)
)
TO_DECIDE = (
    _cycles("due.state = 'waiting'", day="due.anchor", by="NULL::date")
    + "UNION ALL"
    + _cycles(
        "due.state = 'deferred' AND due.deferred_until <= %(today)s AND due.due_from IS NULL",
        day="due.anchor",
        by="NULL::date",
    )
)

# What ended without a visit of late, until somebody has seen it.
ENDED = f"""
SELECT 'maintenance' AS kind, due.id AS key, due.settled_at AS sort, due.id AS tie,
    series.patient_id, due.series_id, due.id AS maintenance_id, due.treatment_id,
    due.cycle::int AS number, NULL::int AS total, due.due_from AS opens, NULL::date AS closes,
    due.state AS state, due.reason AS detail
FROM treatments_maintenance AS due
JOIN treatments_series AS series ON series.id = due.series_id
WHERE due.state IN ('declined', 'lapsed') AND due.settled_at >= %(since)s
    AND {_not_seen("maintenance", "due.id", "due.settled_at")}
"""  # noqa: S608

# What failed or is in doubt; and what was not sent of late because no hour was left for it, as long as it would still
# be news, and until somebody has seen it.
MESSAGES = f"""
SELECT 'message' AS kind, message.id AS key, message.settled_at AS sort, message.id AS tie,
    message.patient_id, NULL::bigint AS series_id, message.maintenance_id, NULL::bigint AS treatment_id,
    NULL::int AS number, NULL::int AS total, NULL::date AS opens, NULL::date AS closes,
    message.state AS state, message.reason AS detail
FROM clinic_message AS message
WHERE message.state IN ('failed', 'unknown') AND {_not_hidden("message", "message.id")}
UNION ALL
SELECT 'message' AS kind, message.id AS key, message.settled_at AS sort, message.id AS tie,
    message.patient_id, NULL::bigint AS series_id, message.maintenance_id, NULL::bigint AS treatment_id,
    NULL::int AS number, NULL::int AS total, NULL::date AS opens, NULL::date AS closes,
    message.state AS state, message.reason AS detail
FROM clinic_message AS message
LEFT JOIN clinic_appointment AS visit ON visit.id = message.appointment_id
LEFT JOIN treatments_maintenance AS due ON due.id = message.maintenance_id
WHERE message.missed AND message.settled_at >= %(missed_since)s
    AND (
        visit.id IS NULL
        OR visit.status = 'booked' AND visit.starts_at > %(now)s
        OR visit.status = 'fulfilled' AND message.kind = 'aftercare'
    )
    AND (due.id IS NULL OR due.state = 'scheduled')
    AND NOT EXISTS (
        SELECT FROM clinic_message AS told
        WHERE told.appointment_id = visit.id AND told.state = 'sent' AND told.settled_at > message.settled_at
        OFFSET 0
    )
    AND {_not_seen("message", "message.id", "message.settled_at")}
"""  # noqa: S608

# Who asked to be called, what they wrote, and what the reminder was about from which they asked; `total` is how many
# cycles more.
CALLS = f"""
SELECT 'call' AS kind, call.id AS key, call.asked_at AS sort, call.id AS tie,
    call.patient_id, due.series_id, message.maintenance_id, due.treatment_id, due.cycle::int AS number,
    (SELECT count(*) FROM clinic_message AS too WHERE too.said_with_id = message.id)::int AS total,
    NULL::date AS opens, NULL::date AS closes, '' AS state, call.said AS detail
FROM clinic_callrequest AS call
LEFT JOIN clinic_message AS message ON message.id = call.message_id
LEFT JOIN treatments_maintenance AS due ON due.id = message.maintenance_id
WHERE call.done_at IS NULL AND {_not_hidden("call", "call.id", "call.asked_at")}
"""  # noqa: S608

# Booked visits that rota_fit finds not to fit; those that somebody put aside rest.
UNFIT = f"""
SELECT 'appointment' AS kind, visit.id AS key, visit.starts_at AS sort, visit.id AS tie,
    visit.patient_id, coalesce(session.series_id, due.series_id) AS series_id, visit.maintenance_id, visit.treatment_id,
    coalesce(session.number, due.cycle)::int AS number,
    (SELECT count(*) FROM treatments_session AS every WHERE every.series_id = session.series_id)::int AS total,
    (visit.starts_at AT TIME ZONE site.time_zone)::date AS opens, NULL::date AS closes,
    visit.status AS state, '' AS detail, visit.site_id, site.time_zone AS zone, practitioner.name AS whom
FROM clinic_appointment AS visit
JOIN clinic_site AS site ON site.id = visit.site_id
LEFT JOIN clinic_resource AS practitioner ON practitioner.id = visit.practitioner_id
LEFT JOIN treatments_session AS session ON session.id = visit.session_id
LEFT JOIN treatments_maintenance AS due ON due.id = visit.maintenance_id
WHERE visit.id = ANY(%(unfit)s::bigint[]) AND visit.status = 'booked'
    AND {_not_hidden("appointment", "visit.id")}
"""  # noqa: S608


def _ended(joins: str, where: str, *, subject: str, key: str, owner: str, number: str = "NULL::int") -> str:
    return f"""
SELECT '{subject}' AS kind, {key} AS key, visit.status_at AS sort, visit.id AS tie,
    visit.patient_id, series.id AS series_id, visit.maintenance_id, visit.treatment_id,
    {number} AS number, NULL::int AS total,
    (visit.starts_at AT TIME ZONE site.time_zone)::date AS opens, NULL::date AS closes,
    visit.status AS state, visit.cancel_reason AS detail
FROM clinic_appointment AS visit
JOIN clinic_site AS site ON site.id = visit.site_id
{joins}
WHERE visit.status IN ('cancelled', 'no_show') AND visit.status_at >= %(since)s AND {where}
    AND NOT EXISTS (
        SELECT FROM clinic_appointment AS other
        WHERE {owner}
            AND (
                other.status IN {LIVE}
                OR other.status IN ('cancelled', 'no_show')
                AND (other.status_at, other.id) > (visit.status_at, visit.id)
            )
        OFFSET 0
    )
    AND {_not_hidden(subject, key, "visit.status_at")}
"""  # noqa: S608


CANCELLED = "UNION ALL".join(
    [
        _ended(
            "JOIN treatments_session AS session ON session.id = visit.session_id "
            "JOIN treatments_series AS series ON series.id = session.series_id",
            "session.state = 'planned' AND series.state = 'active'",
            subject="session",
            key="session.id",
            owner="other.session_id = session.id",
            number="session.number::int",
        ),
        _ended(
            "JOIN treatments_maintenance AS due ON due.id = visit.maintenance_id "
            "JOIN treatments_series AS series ON series.id = due.series_id",
            "due.state = 'scheduled'",
            subject="maintenance",
            key="due.id",
            owner="other.maintenance_id = due.id",
            number="due.cycle::int",
        ),
        # A visit of its own counts as booked again once the patient has another one of that treatment.
        _ended(
            "CROSS JOIN (SELECT NULL::bigint AS id) AS series",
            "visit.session_id IS NULL AND visit.maintenance_id IS NULL",
            subject="appointment",
            key="visit.id",
            owner="other.patient_id = visit.patient_id AND other.treatment_id = visit.treatment_id "
            "AND (other.booked_at >= visit.status_at OR other.starts_at >= visit.starts_at) AND other.id <> visit.id",
        ),
    ]
)
