"""Which patients look like those of a file: the search of a registration, for thousands of persons in one statement."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from django.db import connection, transaction

from patients.models import Patient


class Wanted(Protocol):
    line: int
    reference: str
    given_name: str
    family_name: str
    date_of_birth: date | None
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Alike:
    """Who has the same reference, and who else may be the same person, by name then key."""

    same_reference: Patient | None = None
    similar: tuple[Patient, ...] = ()


# Each part is one join of all lines with all patients by what is equal, never by one thing or another: that would
# compare each with each. What very many share (a clinic's own number, a made-up name)
# gives the first twenty, so that the answer stays of bounded size.
SIMILAR = """
WITH said AS MATERIALIZED (
    SELECT line, patients_fold(given || ' ' || family) AS name, patients_fold(family || ' ' || given) AS swapped,
        born, phone, email
    FROM unnest(%(line)s::int[], %(given)s::text[], %(family)s::text[], %(born)s::date[], %(phone)s::text[],
        %(email)s::text[]) AS of(line, given, family, born, phone, email)
),
names AS (SELECT name FROM said UNION SELECT swapped FROM said),
named AS (
    SELECT patient.name_folded AS name, (array_agg(patient.id ORDER BY patient.id))[:20] AS ids
    FROM patients_patient AS patient JOIN names ON names.name = patient.name_folded
    WHERE patient.merged_into_id IS NULL GROUP BY patient.name_folded
),
mails AS (SELECT DISTINCT email FROM said WHERE email <> ''),
mailed AS (
    SELECT mails.email, (array_agg(patient.id ORDER BY patient.id))[:20] AS ids
    FROM patients_patient AS patient JOIN mails ON mails.email = lower(patient.email)
    WHERE patient.merged_into_id IS NULL AND patient.email <> '' GROUP BY mails.email
),
phones AS (SELECT DISTINCT phone FROM said WHERE phone <> ''),
called AS (
    SELECT phones.phone, (array_agg(patient.id ORDER BY patient.id))[:20] AS ids
    FROM patients_patient AS patient JOIN phones ON phones.phone = patient.phone
    WHERE patient.merged_into_id IS NULL GROUP BY phones.phone
)
SELECT line, unnest(ids) AS patient, true AS by_name FROM said JOIN named ON named.name = said.name
UNION ALL
SELECT line, unnest(ids), true FROM said JOIN named ON named.name = said.swapped
UNION ALL
SELECT line, unnest(ids), false FROM said JOIN mailed ON mailed.email = said.email
UNION ALL
SELECT line, unnest(ids), false FROM said JOIN called ON called.phone = said.phone
UNION ALL
SELECT line, patient.id, false FROM said
JOIN patients_patient AS patient
    ON patient.date_of_birth = said.born AND similarity(patient.name_folded, said.name) >= 0.3
WHERE patient.merged_into_id IS NULL
"""


def alike(wanted: Sequence[Wanted]) -> dict[int, Alike]:
    """By line, who is here already or may be. A record that was merged stands for the one it was merged into."""
    by_reference = _by_reference({one.reference for one in wanted if one.reference})
    similar = _similar(wanted)
    found = Patient.objects.in_bulk({key for keys in similar.values() for key, _by_name in keys})
    return {one.line: Alike(by_reference.get(one.reference), _those(one, similar[one.line], found)) for one in wanted}


def _by_reference(references: set[str]) -> dict[str, Patient]:
    found = Patient.objects.filter(reference__in=references).select_related("merged_into")
    return {patient.reference: patient.merged_into or patient for patient in found}


def _similar(wanted: Sequence[Wanted]) -> dict[int, set[tuple[int, bool]]]:
    found: dict[int, set[tuple[int, bool]]] = defaultdict(set)
    if not wanted:
        return found
    values: dict[str, list[Any]] = {
        "line": [one.line for one in wanted],
        "given": [one.given_name for one in wanted],
        "family": [one.family_name for one in wanted],
        "born": [one.date_of_birth for one in wanted],
        "phone": [one.phone for one in wanted],
        "email": [one.email.lower() for one in wanted],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # Just after an import the planner still believes the table empty, and would compare each with each.
        cursor.execute("SELECT set_config('enable_nestloop', 'off', true)")
        cursor.execute(SIMILAR, values)
        for line, patient, by_name in cursor.fetchall():
            found[line].add((patient, by_name))
        cursor.execute("SELECT set_config('enable_nestloop', 'on', true)")
    return found


def _those(one: Wanted, keys: set[tuple[int, bool]], found: dict[int, Patient]) -> tuple[Patient, ...]:
    """Who of these it may be: not somebody of the same name who is known to be born on another day."""
    otherwise = {key for key, by_name in keys if not by_name}
    kept = [
        patient
        for key in {key for key, _by_name in keys}
        if (patient := found.get(key)) is not None and (key in otherwise or _may_be(one, patient))
    ]
    kept.sort(key=lambda patient: (patient.name_folded, patient.pk))
    return tuple(kept)


def _may_be(one: Wanted, patient: Patient) -> bool:
    return None in (one.date_of_birth, patient.date_of_birth) or one.date_of_birth == patient.date_of_birth
