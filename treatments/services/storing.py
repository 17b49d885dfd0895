"""A protocol's rows as one document, and a document as a protocol's rows."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import CharField, Model, QuerySet

from treatments import documents, terms
from treatments.documents import Document
from treatments.models import (
    AddOn,
    CareInstruction,
    Concern,
    DeviceKind,
    MaintenanceRule,
    Milestone,
    Override,
    Phase,
    Protocol,
    ProtocolAddOn,
    ScreeningQuestion,
    Treatment,
    assembling,
)
from treatments.models.choices import CountKind, Group

# All that document_of() reads.
PARTS = [*assembling.PARTS, "indications"]


def whole(protocols: QuerySet[Protocol]) -> QuerySet[Protocol]:
    """With all that `document` reads, in a constant number of queries."""
    return protocols.select_related("treatment").prefetch_related(*PARTS)


def document(protocol: Protocol) -> Document:
    """What `protocol` says, as it is stored now."""
    return document_of(whole(Protocol.objects.all()).get(pk=protocol.pk))


def document_of(protocol: Protocol) -> Document:
    """What `protocol`, of a queryset that is `whole`, says. Asks the database nothing more."""
    overrides = list(protocol.overrides.all())
    data = {
        **_common(protocol, protocol, None),
        "name": protocol.name,
        "treatment": protocol.treatment.name,
        "indications": sorted(concern.name for concern in protocol.indications.all()),
        "areas": list(protocol.areas),
        "severity": protocol.severity or None,
        "depends_on": list(protocol.depends_on),
        "evidence": protocol.evidence or None,
        "source_label": protocol.source_label or None,
        "off_label": protocol.off_label,
        "no_show": protocol.no_show or None,
        "other_treatments_days": protocol.other_treatments_days,
        "care": [assembling.care_instruction(row) for row in protocol.care_instructions.all()],
        "milestones": [assembling.milestone(row) for row in protocol.milestones.all()],
        "screening": [assembling.screening_question(row) for row in protocol.screening_questions.all()],
        "overrides": [_override(protocol, row) for row in overrides],
    }
    return Document.from_json(data)


def _common(protocol: Protocol, of: Protocol | Override, override: Override | None) -> dict[str, Any]:
    """What a protocol and an override can both say."""

    def rows(found: Iterable[Any]) -> list[Any]:
        return [row for row in found if row.override_id == (override.pk if override else None)]

    return {
        "sessions": assembling.session_count(of),
        "spacing": assembling.spacing(of),
        "anaesthesia": of.anaesthesia or None,
        "phases": [assembling.phase(row) for row in rows(protocol.phases.all())],
        "add_ons": [assembling.add_on(row) for row in rows(protocol.add_ons.all())],
        "maintenance": [assembling.maintenance_rule(row) for row in rows(protocol.maintenance_rules.all())],
    }


def _override(protocol: Protocol, override: Override) -> dict[str, Any]:
    common = _common(protocol, override, override)
    replaced = [str(group) for group in Group.values if group in override.replaces]
    return {
        "name": override.name,
        "concerns": sorted(concern.name for concern in override.concerns.all()),
        "severity": override.severity or None,
        "area": override.area or None,
        "depth_min_mm": override.depth_min_mm,
        "depth_max_mm": override.depth_max_mm,
        "replaces": replaced,
        **common,
        "sessions": common["sessions"] if "sessions" in replaced else None,
    }


@transaction.atomic
def create(said: Document, *, library_key: str | None = None) -> Protocol:
    """A draft that says `said`. What the catalogue does not have yet is added to it; what it has stays as it is."""
    protocol = Protocol(library_key=library_key)
    write(protocol, said)
    return protocol


def clear(protocol: Protocol) -> None:
    """Delete all rows of `protocol`."""
    protocol.overrides.all().delete()
    for rows in ("phases", "add_ons", "maintenance_rules", "care_instructions", "milestones", "screening_questions"):
        getattr(protocol, rows).all().delete()


def write(protocol: Protocol, said: Document) -> None:
    """Let `protocol`, which has no rows yet, say `said`."""
    _set(
        protocol,
        **_columns_of(said),
        name=said.name,
        treatment=Treatment.objects.get_or_create(name=said.treatment)[0],
        areas=list(said.areas),
        severity=said.severity or "",
        depends_on=list(said.depends_on),
        evidence=said.evidence or "",
        source_label=said.source_label or "",
        off_label=said.off_label,
        no_show=said.no_show or "",
        other_treatments_days=said.other_treatments_days,
    )
    protocol.save()
    protocol.indications.set(_concerns(said.indications))
    _write_rows(said, protocol=protocol, override=None)
    _add(CareInstruction, said.care, protocol=protocol)
    _add(Milestone, said.milestones, protocol=protocol)
    _add(ScreeningQuestion, said.screening, protocol=protocol)
    for each in said.overrides:
        override = Override(protocol=protocol, name=each.name, replaces=list(each.replaces))
        _set(
            override,
            **_columns_of(each),
            severity=each.severity or "",
            area=each.area or "",
            depth_min_mm=each.depth_min_mm,
            depth_max_mm=each.depth_max_mm,
        )
        override.save()
        override.concerns.set(_concerns(each.concerns))
        _write_rows(each, protocol=protocol, override=override)


def _columns_of(said: Document | documents.Override) -> dict[str, Any]:
    """Sessions, spacing and anaesthesia as columns; empty where nobody said."""
    count, apart = said.sessions, said.spacing
    return {
        "session_kind": count.kind if count else CountKind.UNKNOWN,
        "session_min": count.min if count else None,
        "session_max": count.max if count else None,
        "session_typical": count.typical if count else None,
        "session_text": (count.text if count else None) or "",
        "spacing_min": apart.min if apart else None,
        "spacing_ideal": apart.ideal if apart else None,
        "spacing_max": apart.max if apart else None,
        "spacing_unit": apart.unit if apart else "",
        "tolerance_days": apart.tolerance_days if apart else None,
        "anaesthesia": said.anaesthesia or "",
    }


def _write_rows(said: Document | documents.Override, *, protocol: Protocol, override: Override | None) -> None:
    owner = {"protocol": protocol, "override": override}
    for position, phase in enumerate(said.phases):
        Phase.objects.create(
            **owner,
            position=position,
            name=phase.name,
            minutes=phase.minutes,
            occupies_practitioner=phase.practitioner,
            occupies_room=phase.room,
            device_kind=_device_kind(phase.device_kind),
            numbing=phase.numbing,
        )
    for position, add_on in enumerate(said.add_ons):
        ProtocolAddOn.objects.create(
            **owner, position=position, add_on=_add_on(add_on), role=add_on.role, route=add_on.route or ""
        )
    for position, rule in enumerate(said.maintenance):
        columns = _columns(MaintenanceRule, rule)
        columns["treatment"] = Treatment.objects.get_or_create(name=rule.treatment)[0] if rule.treatment else None
        MaintenanceRule.objects.create(**owner, position=position, **columns)


def _add(model: type[Model], values: Sequence[terms.Value], *, protocol: Protocol) -> None:
    for position, value in enumerate(values):
        model._default_manager.create(protocol=protocol, position=position, **_columns(model, value))


def _columns(model: type[Model], value: terms.Value) -> dict[str, Any]:
    """The columns of `model` that hold `value`: a word that nobody said is stored empty, a number null."""
    return {
        name: "" if item is None and isinstance(model._meta.get_field(name), CharField) else item
        for name, item in value.to_json().items()
    }


def _concerns(names: Iterable[str]) -> list[Concern]:
    return [Concern.objects.get_or_create(name=name)[0] for name in names]


def _device_kind(name: str | None) -> DeviceKind | None:
    return DeviceKind.objects.get_or_create(name=name)[0] if name else None


def _add_on(value: terms.AddOn) -> AddOn:
    found = AddOn.objects.filter(name=value.name).first()
    return found or AddOn.objects.create(
        name=value.name, extra_minutes=value.extra_minutes, device_kind=_device_kind(value.device_kind)
    )


def _set(row: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
