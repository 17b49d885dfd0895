"""Planning and booking six sessions in a large diary, beside what bare psycopg needs for the same rows.

Floor and ours take turns, and the fastest of each counts: other work on the machine only ever makes them slower.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from psycopg.types.string import TextLoader

from clinic import walltime
from clinic.services import course
from clinic.services.course import Order
from tests.benchmarks.diary import MILLION
from tests.world import NOW, TODAY
from treatments.models import Protocol

SECONDS = 20
MINUTES = "floor(date_part('epoch', starts_at) / 60)::int, ceil(date_part('epoch', ends_at) / 60)::int"
BUSY = f"""
SELECT resource_id, {MINUTES} FROM clinic_claim
WHERE resource_id = ANY(%s::bigint[]) AND starts_at > %s AND starts_at < %s AND ends_at > %s
"""
# In the order in which they are written, so that each finds what it refers to.
BOOKED = {
    "clinic_bookingrequest": "key = %(key)s",
    "treatments_series": "id = %(series)s",
    "treatments_session": "series_id = %(series)s",
    "clinic_appointment": "session_id IN (SELECT id FROM treatments_session WHERE series_id = %(series)s)",
    "clinic_claim": """appointment_id IN (
        SELECT visit.id FROM clinic_appointment AS visit JOIN treatments_session AS session ON session_id = session.id
        WHERE series_id = %(series)s
    )""",
    "clinic_message": "series_id = %(series)s",
}


def fastest(**works: Callable[[], object]) -> dict[str, float]:
    """The least time in seconds that each needs, of as many turns as there is time for."""
    least = dict.fromkeys(works, float("inf"))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            least[name] = min(least[name], time.perf_counter() - begun)
    return least


@pytest.fixture
def compare(figures):
    def within(measured: str, *, floor: float, ours: float, limit: float) -> None:
        ratio = ours / floor
        figures.append((measured, f"{floor * 1000:.1f} ms", f"{ours * 1000:.1f} ms", f"{ratio:.2f}", f"{limit:.1f}"))
        assert ratio <= limit

    return within


@pytest.fixture
def count(figures):
    return lambda measured, queries: figures.append((measured, "", f"{queries} queries", "", ""))


def order_for(clinic) -> Order:
    return Order(site=clinic.world.site, first_day=TODAY)


def propose(clinic, history: str = "million"):
    with clinic.on(history):
        left = course.new_course(patient=clinic.world.patient, choice=clinic.world.choice())
        return lambda: course.propose(course=left, order=order_for(clinic), now=NOW)


def queries_of(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connections["default"]) as queries:
        work()
    return len(queries)


def test_planning_costs_little_more_than_reading_the_diary(clinic, compare, count):
    with clinic.on("million"), clinic.connect("million") as bare:
        plan = propose(clinic)
        proposal = plan()
        keys, bounds = what_was_read(proposal)
        [(claims,)] = bare.execute("SELECT count(*) FROM clinic_claim")
        assert claims >= MILLION
        assert [len(found) for found in everything_of(proposal)] == [10, 6, 4]
        assert all(session.choice for _number, session in proposal)
        explained = "\n".join(line for (line,) in bare.execute(f"EXPLAIN {BUSY}", (keys, *bounds)))
        assert "Index Only Scan using claim_busy_time" in explained
        # In binary, which is the faster form for numbers.
        cursor = bare.cursor(binary=True)

        least = fastest(floor=lambda: cursor.execute(BUSY, (keys, *bounds)).fetchall(), ours=plan)

        count("planning six sessions", queries_of(plan))
        read = cursor.execute(BUSY, (keys, *bounds)).rowcount
    compare(f"planning six sessions; floor: its {read:,} busy periods of {claims:,}", **least, limit=2.0)


def test_planning_costs_the_same_with_ten_times_the_history(clinic, compare):
    works = {history: propose(clinic, history) for history in ("million", "tenfold")}

    def on(history: str) -> Callable[[], object]:
        def work() -> object:
            with clinic.on(history):
                return works[history]()

        return work

    with clinic.connect("tenfold") as bare:
        [(claims,)] = bare.execute("SELECT count(*) FROM clinic_claim")
    assert claims >= 10 * MILLION
    least = fastest(floor=on("million"), ours=on("tenfold"))
    compare(f"the same among {claims:,} claims; floor: among a million", **least, limit=1.2)


def test_booking_costs_little_more_than_writing_the_rows(clinic, compare, count):
    world = clinic.world
    with clinic.on("million"), clinic.connect("million") as bare:
        bare.adapters.register_loader("jsonb", TextLoader)
        order = course.settled(propose(clinic)())
        # The page has read the protocol with its parts before it books, to know what to ask.
        protocol = Protocol.objects.select_related("treatment").with_parts().get(pk=world.protocol.pk)
        choice = replace(world.choice(), protocol=protocol)

        def book(key):
            return course.book_new(patient=world.patient, choice=choice, order=order, by=world.desk, now=NOW, key=key)

        first = uuid4()
        count("booking six sessions", queries_of(lambda: book(first)))
        about = booked_with(bare, first)
        rows = {table: read(bare, table, about) for table in BOOKED}
        assert {table: len(found) for table, (_columns, found) in rows.items()} == {
            "clinic_bookingrequest": 1,
            "treatments_series": 1,
            "treatments_session": 6,
            "clinic_appointment": 6,
            "clinic_claim": 18,
            "clinic_message": 1,
        }
        least = {"floor": float("inf"), "ours": float("inf")}
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            take_back(bare, about)
            begun = time.perf_counter()
            write(bare, rows, world.patient.pk)
            least["floor"] = min(least["floor"], time.perf_counter() - begun)
            take_back(bare, about)
            key = uuid4()
            begun = time.perf_counter()
            book(key)
            least["ours"] = min(least["ours"], time.perf_counter() - begun)
            about = booked_with(bare, key)
            rows = {table: read(bare, table, about) for table in BOOKED}
        take_back(bare, about)
    compare("booking six sessions; floor: the same locks and rows", **least, limit=5.0)


def everything_of(proposal):
    diary = proposal.request.diary
    return diary.practitioners, diary.rooms, [device for found in diary.devices.values() for device in found]


def what_was_read(proposal):
    days, zone = proposal.request.diary.days, proposal.order.site.time_zone
    start = walltime.midnight(days[0].date, zone)
    end = walltime.midnight(days[-1].date + timedelta(days=1), zone)
    keys = [resource.id for found in everything_of(proposal) for resource in found]
    return keys, (start - timedelta(days=1), end, start)


def booked_with(bare: psycopg.Connection, key):
    [(series,)] = bare.execute(
        """
        SELECT DISTINCT series_id
        FROM clinic_bookingrequest, jsonb_array_elements_text(appointments) AS made
        JOIN clinic_appointment AS visit ON visit.id = made::bigint
        JOIN treatments_session AS session ON session.id = session_id
        WHERE key = %s
        """,
        [key],
    )
    return {"key": key, "series": series}


def read(bare: psycopg.Connection, table: str, about):
    cursor = bare.execute(f"SELECT * FROM {table} WHERE {BOOKED[table]}", about)
    return [column.name for column in cursor.description], cursor.fetchall()


def take_back(bare: psycopg.Connection, about) -> None:
    with bare.transaction():
        bare.execute("SET LOCAL session_replication_role = replica")
        for table in reversed(BOOKED):
            bare.execute(f"DELETE FROM {table} WHERE {BOOKED[table]}", about)


def write(bare: psycopg.Connection, rows, patient: int) -> None:
    """The same locks in the same order, and the rows of each table in one statement."""
    with bare.transaction():
        for table, (columns, found) in rows.items():
            if table == "clinic_appointment":
                bare.execute("SELECT id FROM patients_patient WHERE id = %s FOR NO KEY UPDATE", [patient])
                places = [columns.index("practitioner_id"), columns.index("room_id")]
                claims, taken = rows["clinic_claim"]
                used = {row[claims.index("resource_id")] for row in taken} | {row[at] for row in found for at in places}
                bare.execute(
                    "SELECT id, active FROM clinic_resource WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                    [list(used)],
                ).fetchall()
            one = f"({', '.join(['%s'] * len(columns))})"
            bare.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * len(found))}",
                [value for row in found for value in row],
            )
        columns, [row] = rows["clinic_bookingrequest"]
        booked = dict(zip(columns, row, strict=True))
        bare.execute(
            "UPDATE clinic_bookingrequest SET appointments = %s WHERE key = %s", [booked["appointments"], booked["key"]]
        )
