"""Finding what is due to be said among a million courses, beside bare index scans of the same visits and cycles.

What is measured is the finding and not the writing: all that is due at this moment has been owed, so that each
statement reads what it would, looks each of it up in what was said, and adds nothing. So it is each minute, but for the
few that have come due since the minute before. The floor reads by the same index, and between the same bounds, the keys
of those among which the statement looks.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import connection

from clinic.models import Message
from clinic.services import outbox
from tests.benchmarks import courses
from tests.own_postgres import own_postgres
from tests.world import NOW, a_clinic

SECONDS = 20
AT_MOST = 3.0
BOOKED = "SELECT id FROM clinic_appointment WHERE status = 'booked' AND"
ATTENDED = "SELECT id FROM clinic_appointment WHERE status = 'fulfilled' AND"
RESULT_ON = "treatments_result_on(terms, completed_on)"
SCANS = {
    "maintenance": """
        SELECT id FROM treatments_maintenance
        WHERE state = 'scheduled' AND due_from > %(after)s AND due_from <= %(until)s
    """,
    "visit_reminder": f"{BOOKED} starts_at > %(after)s AND starts_at <= %(until)s",
    "pre_care": f"{BOOKED} starts_at > %(now)s + %(last_word)s AND starts_at <= %(until)s",
    "aftercare": f"{ATTENDED} ends_at > %(after)s AND ends_at <= %(until)s",
    "result": f"""
        SELECT id FROM treatments_series
        WHERE state = 'completed' AND {RESULT_ON} > %(after)s AND {RESULT_ON} <= %(until)s
    """,
}
# What the statements may read one by one, and nothing else of what grows.
INDEXES = {
    "maintenance_scheduled_due",
    "appointment_booked",
    "appointment_attended",
    "series_result_on",
    "message_by_step",
    "message_said_once",
}


@pytest.fixture(scope="module")
def bare(figures, django_test_environment, django_db_blocker) -> Iterator[psycopg.Connection]:
    """A connection to where all that is due at NOW has been owed."""
    with own_postgres() as server, django_db_blocker.unblock(), server.in_use(), server.connect() as bare:
        courses.fill(bare, a_clinic())
        began = time.perf_counter()
        owed = outbox.owe_due(now=NOW)
        took = time.perf_counter() - began
        figures.append((f"owing {owed:,} messages at once", "", f"{took:.1f} s", "", ""))
        bare.execute("VACUUM (ANALYZE) clinic_message")
        yield bare


def statements(now: datetime = NOW) -> list[tuple[str, str, dict]]:
    """What owes all that is due then: the kind, the statement and its values."""
    found = []

    def note(execute, sql, params, many, context):
        if "INSERT INTO clinic_message" in sql:
            [kind] = [kind for kind in SCANS if f"'{kind}'," in sql]
            found.append((kind, sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        outbox.owe_due(now=now)
    return found


def plan(node: dict) -> Iterator[dict]:
    yield node
    for below in node.get("Plans", []):
        yield from plan(below)


def test_what_is_due_is_found_in_three_times_a_bare_index_scan(bare, figures):
    cursor = psycopg.ClientCursor(bare)
    said = Message.objects.count()

    works = statements()
    assert {kind for kind, _sql, _values in works} == SCANS.keys()
    least = defaultdict(lambda: float("inf"))
    looked_at = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        looked_at = 0
        for place, (kind, sql, values) in enumerate(works):
            begun = time.perf_counter()
            looked_at += len(cursor.execute(SCANS[kind], values).fetchall())
            least["floor", place] = min(least["floor", place], time.perf_counter() - begun)
            begun = time.perf_counter()
            cursor.execute(sql, values)
            least["ours", place] = min(least["ours", place], time.perf_counter() - begun)
            assert cursor.rowcount == 0
    assert Message.objects.count() == said

    floor, ours = (sum(least[who, place] for place in range(len(works))) for who in ("floor", "ours"))
    figures.append(
        (
            f"finding what is due among {courses.SERIES:,} courses; floor: scans of the {looked_at:,} in question",
            f"{floor * 1000:.1f} ms",
            f"{ours * 1000:.1f} ms",
            f"{ours / floor:.2f}",
            f"{AT_MOST:.1f}",
        )
    )
    assert ours / floor <= AT_MOST


def test_nothing_is_read_whole_and_no_history_is(bare):
    cursor = psycopg.ClientCursor(bare)
    for kind, sql, values in statements():
        [([explained],)] = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}", values).fetchall()
        for node in plan(explained["Plan"]):
            if node["Node Type"] == "Seq Scan":
                assert node["Relation Name"] in ("clinic_site", "treatments_protocol"), kind
            if node.get("Actual Rows", 0) > 100:
                assert "Index Name" not in node or node["Index Name"] in INDEXES, (kind, node)


def test_where_nothing_is_due_nothing_is_looked_at(bare, figures):
    long_after = NOW + timedelta(days=800)
    took = float("inf")
    for _turn in range(5):
        began = time.perf_counter()
        assert outbox.owe_due(now=long_after) == 0
        took = min(took, time.perf_counter() - began)
    figures.append(("the same on a day on which nothing is due", "", f"{took * 1000:.1f} ms", "", ""))
    cursor = psycopg.ClientCursor(bare)
    for kind, _sql, values in statements(long_after):
        assert cursor.execute(SCANS[kind], values).fetchall() == []
