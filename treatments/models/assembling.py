"""From the rows of a protocol to its terms: a null and an empty word become None, and nothing is filled in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from treatments import terms as values
from treatments.models.choices import Group

if TYPE_CHECKING:
    from treatments.models.protocol import Override, Protocol, SessionCounted, Spaced
    from treatments.models.protocol_rows import CareInstruction, MaintenanceRule, Phase, ProtocolAddOn

# All that terms() reads; one query each.
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


def terms(protocol: "Protocol", override: "Override | None") -> values.Terms:
    """The terms of `protocol`, with the groups that `override` replaces taken from it.

    Where no phase is given, they are the treatment's: no visit has none.
    """

    def source(group: Group) -> Any:
        return override if override is not None and group in override.replaces else protocol

    def rows(group: Group, of: Iterable[Any]) -> list[Any]:
        owner = source(group)
        wanted = None if owner is protocol else owner.pk
        return [row for row in of if row.override_id == wanted]

    phases = rows(Group.PHASES, protocol.phases.all()) or protocol.treatment.phases.all()
    return values.Terms(
        treatment=protocol.treatment.name,
        sessions=session_count(source(Group.SESSIONS)),
        spacing=spacing(source(Group.SPACING)),
        phases=tuple(phase(row) for row in phases),
        anaesthesia=source(Group.ANAESTHESIA).anaesthesia or None,
        add_ons=tuple(add_on(row) for row in rows(Group.ADD_ONS, protocol.add_ons.all())),
        maintenance=tuple(rule(row) for row in rows(Group.MAINTENANCE, protocol.maintenance_rules.all())),
        care=tuple(care(row) for row in protocol.care_instructions.all()),
        milestones=tuple(
            values.Milestone(row.name, row.min_days, row.max_days, row.max_months) for row in protocol.milestones.all()
        ),
        screening=tuple(
            values.ScreeningQuestion(text=row.text, effect=row.effect, days_valid=row.days_valid)
            for row in protocol.screening_questions.all()
        ),
        depends_on=tuple(protocol.depends_on),
        no_show=protocol.no_show or None,
    )


def session_count(row: "SessionCounted") -> values.SessionCount:
    return values.SessionCount(
        kind=row.session_kind,
        min=row.session_min,
        max=row.session_max,
        typical=row.session_typical,
        text=row.session_text or None,
    )


def spacing(row: "Spaced") -> values.Spacing | None:
    if row.spacing_min is None:
        return None
    return values.Spacing(
        min=row.spacing_min,
        ideal=row.spacing_ideal,
        max=row.spacing_max,
        unit=row.spacing_unit,
        tolerance_days=row.tolerance_days,
    )


def phase(row: "Phase") -> values.Phase:
    return values.Phase(
        name=row.name,
        minutes=row.minutes,
        practitioner=row.occupies_practitioner,
        room=row.occupies_room,
        device_kind=row.device_kind.name if row.device_kind else None,
        numbing=row.numbing,
    )


def add_on(row: "ProtocolAddOn") -> values.AddOn:
    return values.AddOn(
        name=row.add_on.name,
        role=row.role,
        route=row.route or None,
        extra_minutes=row.add_on.extra_minutes,
        device_kind=row.add_on.device_kind.name if row.add_on.device_kind else None,
    )


def rule(row: "MaintenanceRule") -> values.MaintenanceRule:
    return values.MaintenanceRule(
        kind=row.kind,
        min=row.min,
        max=row.max,
        unit=row.unit or None,
        times_per_year=row.times_per_year,
        at_least=row.at_least,
        treatment=row.treatment.name if row.treatment else None,
        text=row.text or None,
    )


def care(row: "CareInstruction") -> values.CareInstruction:
    return values.CareInstruction(
        when=row.when,
        action=row.action,
        text=row.text,
        offset=row.offset,
        unit=row.unit or None,
        bound=row.bound or None,
        offset_text=row.offset_text or None,
        repeat_hours=row.repeat_hours,
    )
