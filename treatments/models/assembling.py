"""From the rows of a protocol to its terms: a null and an empty word become None, and nothing is filled in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from treatments.models.choices import Group
from treatments.terms import Terms

if TYPE_CHECKING:
    from treatments.models.protocol import Override, Protocol, SessionCounted, Spaced
    from treatments.models.protocol_rows import (
        CareInstruction,
        MaintenanceRule,
        Milestone,
        Phase,
        ProtocolAddOn,
        ScreeningQuestion,
    )

Json = dict[str, Any]

# All that terms() reads; one query for each step of a path.
PARTS = [
    "treatment__phases__device_kind",
    "phases__device_kind",
    "overrides__concerns",
    "maintenance_rules__treatment",
    "add_ons__add_on__device_kind",
    "care_instructions",
    "milestones",
    "screening_questions",
]


def terms(protocol: "Protocol", override: "Override | None") -> Terms:
    """The terms of `protocol`, with the groups that `override` replaces taken from it.

    Where no phase is given, they are the treatment's: no visit has none.
    """

    def source(group: Group) -> Any:
        return override if override is not None and group in override.replaces else protocol

    def rows(group: Group, of: Iterable[Any]) -> list[Any]:
        owner = source(group)
        wanted = None if owner is protocol else owner.pk
        return [row for row in of if row.override_id == wanted]

    # Read as strictly as JSON from elsewhere, so that terms never hold what they could not give back.
    return Terms.from_json(
        {
            "treatment": protocol.treatment.name,
            "sessions": session_count(source(Group.SESSIONS)),
            "spacing": spacing(source(Group.SPACING)),
            "phases": [
                phase(row) for row in rows(Group.PHASES, protocol.phases.all()) or protocol.treatment.phases.all()
            ],
            "anaesthesia": source(Group.ANAESTHESIA).anaesthesia or None,
            "add_ons": [add_on(row) for row in rows(Group.ADD_ONS, protocol.add_ons.all())],
            "maintenance": [maintenance_rule(row) for row in rows(Group.MAINTENANCE, protocol.maintenance_rules.all())],
            "care": [care_instruction(row) for row in protocol.care_instructions.all()],
            "milestones": [milestone(row) for row in protocol.milestones.all()],
            "screening": [screening_question(row) for row in protocol.screening_questions.all()],
            "depends_on": protocol.depends_on,
            "no_show": protocol.no_show or None,
            "other_treatments_days": protocol.other_treatments_days,
        }
    )


def session_count(row: "SessionCounted") -> Json:
    return {
        "kind": row.session_kind,
        "min": row.session_min,
        "max": row.session_max,
        "typical": row.session_typical,
        "text": row.session_text or None,
    }


def spacing(row: "Spaced") -> Json | None:
    if row.spacing_min is None:
        return None
    return {
        "min": row.spacing_min,
        "ideal": row.spacing_ideal,
        "max": row.spacing_max,
        "unit": row.spacing_unit,
        "tolerance_days": row.tolerance_days,
    }


def phase(row: "Phase") -> Json:
    return {
        "name": row.name,
        "minutes": row.minutes,
        "practitioner": row.occupies_practitioner,
        "room": row.occupies_room,
        "device_kind": row.device_kind.name if row.device_kind else None,
        "numbing": row.numbing,
    }


def add_on(row: "ProtocolAddOn") -> Json:
    return {
        "name": row.add_on.name,
        "role": row.role,
        "route": row.route or None,
        "extra_minutes": row.add_on.extra_minutes,
        "device_kind": row.add_on.device_kind.name if row.add_on.device_kind else None,
    }


def maintenance_rule(row: "MaintenanceRule") -> Json:
    return {
        "kind": row.kind,
        "min": row.min,
        "max": row.max,
        "unit": row.unit or None,
        "times_per_year": row.times_per_year,
        "at_least": row.at_least,
        "treatment": row.treatment.name if row.treatment else None,
        "text": row.text or None,
    }


def care_instruction(row: "CareInstruction") -> Json:
    return {
        "when": row.when,
        "action": row.action,
        "text": row.text,
        "offset": row.offset,
        "unit": row.unit or None,
        "bound": row.bound or None,
        "offset_text": row.offset_text or None,
        "repeat_hours": row.repeat_hours,
    }


def milestone(row: "Milestone") -> Json:
    return {
        "name": row.name,
        "min_days": row.min_days,
        "max_days": row.max_days,
        "max_months": row.max_months,
        "kind": row.kind or None,
    }


def screening_question(row: "ScreeningQuestion") -> Json:
    return {"text": row.text, "effect": row.effect, "days_valid": row.days_valid}
