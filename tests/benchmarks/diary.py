"""Ten sites and the years of their diaries, written in bulk; the first site is the one that is measured.

They are as busy as clinics are: nine visits a weekday for each practitioner, room and device, on average. A thinner
diary would have fewer busy periods to read, so it would make the fixed costs of a plan weigh more, and its planning
less, than they do where somebody waits for it.
"""

from datetime import date, time, timedelta

import psycopg
from django.db import connection, transaction

from clinic.models import OpeningHours, Resource, Site, WorkingHours
from patients.models import Patient
from tests.world import NOW, TODAY, World
from treatments.models import DeviceKind

SITES = 10
PRACTITIONERS, ROOMS, DEVICES_OF_A_KIND = 10, 6, 2
PATIENTS = 50_000
DAYS_AHEAD = 365
# A weekday brings some 1,790 claims at the ten sites together.
DAYS_BACK = 430
TENFOLD_DAYS_BACK = 10 * (DAYS_AHEAD + DAYS_BACK) - DAYS_AHEAD
MILLION = 1_000_000

# Seven pairs of visits a day in each room, back to back from nine to a quarter to six. A pair takes as long as one
# visit of the course that is planned, and every fifth is left out: that is where the course finds its time. Numbing
# takes the room alone; then comes a practitioner, and in four of the six rooms a device is used.
VISITS = """
CREATE TEMP TABLE visit AS
SELECT
    nextval(pg_get_serial_sequence('clinic_appointment', 'id')) AS id,
    1 + turn %% %(patients)s AS patient,
    site.id AS site,
    site.rooms[room + 1] AS room,
    site.practitioners[1 + (room + slot + day) %% %(practitioners)s] AS practitioner,
    site.devices[room + 1] AS device,
    begins AT TIME ZONE 'Europe/London' AS starts_at,
    (begins + minutes * interval '1 minute') AT TIME ZONE 'Europe/London' AS ends_at
FROM
    generate_series(0, %(days)s - 1) AS day,
    generate_series(0, 13) AS slot,
    (
        SELECT
            site_id AS id,
            row_number() OVER (ORDER BY site_id) - 1 AS place,
            array_agg(id ORDER BY id) FILTER (WHERE kind = 'room') AS rooms,
            array_agg(id ORDER BY id) FILTER (WHERE kind = 'practitioner') AS practitioners,
            array_agg(id ORDER BY id) FILTER (WHERE kind = 'device') AS devices
        FROM clinic_resource GROUP BY site_id
    ) AS site,
    generate_series(0, %(rooms)s - 1) AS room,
    -- Rising with time, so that nobody is in two places.
    LATERAL (SELECT ((day * 14 + slot) * %(sites)s + site.place) * %(rooms)s + room AS turn) AS turns,
    LATERAL (SELECT ((day * 7 + slot / 2) * %(sites)s + site.place) * %(rooms)s + room AS pair) AS pairs,
    LATERAL (
        SELECT
            date %(first)s + day + time '09:00' + slot / 2 * interval '75 minutes' + slot %% 2 * interval '40 minutes',
            40 - slot %% 2 * 5
    ) AS times (begins, minutes)
WHERE extract(isodow FROM date %(first)s + day) < 6 AND hashint8(pair + %(days)s) & 1023 < 819
ORDER BY day, slot
"""

APPOINTMENTS = """
INSERT INTO clinic_appointment (
    id, patient_id, site_id, treatment_id, practitioner_id, room_id, starts_at, ends_at, phases, status, status_at,
    status_by_id, cancel_reason, booked_at, booked_by_id, outside_window_reason, uid, sequence
)
SELECT
    id, patient, site, %(treatment)s, practitioner, room, starts_at, ends_at, '[]',
    CASE WHEN starts_at < %(now)s THEN 'fulfilled' ELSE 'booked' END, %(now)s,
    %(by)s, '', %(now)s, %(by)s, '', gen_random_uuid(), 0
FROM visit
"""

CLAIMS = """
INSERT INTO clinic_claim (appointment_id, resource_id, starts_at, ends_at)
SELECT id, resource, begins, ends_at
FROM visit, LATERAL (VALUES
    (practitioner, starts_at + interval '10 minutes'),
    (room, starts_at),
    (device, starts_at + interval '10 minutes')
) AS taken (resource, begins)
WHERE resource IS NOT NULL
"""

# Ten million rows held against the exclusion constraint one by one take many minutes. So the indexes rest while rows
# are loaded and are built anew with the table; that nothing overlaps is seen in one pass.
INDEXES = "UPDATE pg_index SET indisready = %(ready)s WHERE indrelid = %(table)s::regclass AND NOT indisprimary"

OVERLAPS = """
SELECT count(*)
FROM (SELECT starts_at < lag(ends_at) OVER (PARTITION BY resource_id ORDER BY starts_at) AS lost FROM clinic_claim)
WHERE lost
"""


def extend(world: World) -> None:
    """Make of the small clinic one with ten practitioners, six rooms and two pairs of devices; and nine like it."""
    second_kind = DeviceKind.objects.create(name="LED panel")
    kinds = [world.pens[0].device_kind, second_kind]
    others = range(2, SITES + 1)
    sites = [world.site, *(Site(name=f"Site {n}", short_name=f"{n}", time_zone="Europe/London") for n in others)]
    Site.objects.bulk_create(sites[1:])
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=day, opens=time(9), closes=time(18)) for site in sites[1:] for day in range(5)
    )
    wanted = [
        *(("practitioner", f"Practitioner {n}", None) for n in range(PRACTITIONERS)),
        *(("room", f"Room {n}", None) for n in range(1, ROOMS + 1)),
        *(("device", f"{kind.name} {n}", kind) for kind in kinds for n in range(DEVICES_OF_A_KIND)),
    ]
    for site in sites:
        have = {kind: list(site.resources.filter(kind=kind)) for kind in ("practitioner", "room", "device")}
        fresh = []
        for kind, name, device_kind in wanted:
            if have[kind] and (kind != "device" or device_kind == kinds[0]):
                have[kind].pop()
            else:
                fresh.append(Resource(kind=kind, name=f"{name} at {site.pk}", site=site, device_kind=device_kind))
        people = [resource for resource in Resource.objects.bulk_create(fresh) if resource.kind == "practitioner"]
        for person in people:
            person.treatments.add(world.treatment)
        WorkingHours.objects.bulk_create(
            WorkingHours(resource=person, site=site, weekday=day, starts=time(9), ends=time(18))
            for person in people
            for day in range(5)
        )
    with transaction.atomic():
        with connection.cursor() as cursor:
            # An event for each of so many patients takes longer than a statement may.
            cursor.execute("SET LOCAL session_replication_role = replica")
        Patient.objects.bulk_create(
            (
                Patient(given_name="Patient", family_name=f"{n}", registered_at=NOW, registered_by=world.desk)
                for n in range(PATIENTS)
            ),
            batch_size=5_000,
        )


def fill(database: psycopg.Connection, world: World, *, first: date, days: int) -> None:
    """Write the visits of so many days at all sites, as they would stand in the diary after so long."""
    tables = {"clinic_appointment": APPOINTMENTS, "clinic_claim": CLAIMS}
    about = {"patients": PATIENTS, "practitioners": PRACTITIONERS, "sites": SITES, "rooms": ROOMS}
    values = {"treatment": world.treatment.pk, "by": world.desk.pk, "now": NOW}
    for setting in ("statement_timeout = 0", "maintenance_work_mem = '1GB'", "work_mem = '1GB'"):
        database.execute(f"SET {setting}")
    # Neither events nor foreign keys row by row; whatever is written here fits.
    database.execute("SET session_replication_role = replica")
    psycopg.ClientCursor(database).execute(VISITS, {**about, "first": first, "days": days})
    for table, statement in tables.items():
        database.execute(INDEXES, {"table": table, "ready": False})
        database.execute(statement, values)
        database.execute(INDEXES, {"table": table, "ready": True})
        database.execute(f"VACUUM (FULL) {table}")
        # Planning reads the index alone only where the pages are known to be visible to everybody.
        database.execute(f"VACUUM (ANALYZE) {table}")
    database.execute("DROP TABLE visit")
    [(overlaps,)] = database.execute(OVERLAPS)
    assert overlaps == 0


def a_year_ahead_and_one_behind(database: psycopg.Connection, world: World) -> None:
    fill(database, world, first=TODAY - timedelta(days=DAYS_BACK), days=DAYS_BACK + DAYS_AHEAD)


def nine_times_as_much_before(database: psycopg.Connection, world: World) -> None:
    first = TODAY - timedelta(days=TENFOLD_DAYS_BACK)
    fill(database, world, first=first, days=TENFOLD_DAYS_BACK - DAYS_BACK)
