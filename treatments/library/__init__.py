"""The built-in templates, one data file each, and their loader.

A file says what its source says and no more; a key that is null or missing says nothing. The parts are written as
the JSON of treatments.terms. What an override has under "replaces" it replaces, be it by nothing.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import CharField, Model, Q

from treatments import terms
from treatments.models import (
    AddOn,
    CareInstruction,
    Concern,
    DeviceKind,
    MaintenanceRule,
    Milestone,
    Override,
    Protocol,
    ProtocolAddOn,
    Treatment,
)
from treatments.models.choices import ProtocolStatus

FILES = Path(__file__).parent


def templates() -> list[dict[str, Any]]:
    """The templates as they are written, in the order of their keys. Fractions are Decimal."""
    return [json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal) for path in sorted(FILES.glob("*.json"))]


@transaction.atomic
def load() -> list[Protocol]:
    """Publish each template that was not loaded before, and give back those.

    A template is loaded once and is the clinic's own from then on: it is never changed again, nor is a protocol of
    the same name that the clinic had before.
    """
    return [
        _create(template)
        for template in templates()
        if not Protocol.objects.filter(Q(library_key=template["key"]) | Q(name=template["name"])).exists()
    ]


def _create(template: dict[str, Any]) -> Protocol:
    protocol = Protocol.objects.create(
        name=template["name"],
        library_key=template["key"],
        treatment=_treatment(template["treatment"]),
        status=ProtocolStatus.PUBLISHED,
        areas=template["areas"],
        severity=template["severity"] or "",
        depends_on=template["depends_on"],
        evidence=template["evidence"],
        **_fields(template),
    )
    protocol.indications.set(_concerns(template["indications"]))
    _add_rows(template, protocol=protocol, override=None)
    for position, data in enumerate(template["care"]):
        care = terms.CareInstruction.from_json(data)
        CareInstruction.objects.create(protocol=protocol, position=position, **_columns(CareInstruction, care))
    for position, data in enumerate(template["milestones"]):
        milestone = terms.Milestone.from_json(data)
        Milestone.objects.create(protocol=protocol, position=position, **_columns(Milestone, milestone))
    for data in template["overrides"]:
        when, replaces = data["when"], data["replaces"]
        override = Override.objects.create(
            protocol=protocol,
            name=data["name"],
            severity=when.get("severity", ""),
            area=when.get("area", ""),
            depth_min_mm=when.get("depth_min_mm"),
            depth_max_mm=when.get("depth_max_mm"),
            replaces=list(replaces),
            **_fields(replaces),
        )
        override.concerns.set(_concerns(when.get("concerns", [])))
        _add_rows(replaces, protocol=protocol, override=override)
    return protocol


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    """The columns of the groups that `data` has; the others keep their empty defaults."""
    columns: dict[str, Any] = {"anaesthesia": data.get("anaesthesia") or ""}
    if (sessions := data.get("sessions")) is not None:
        count = terms.SessionCount.from_json(sessions)
        columns |= {
            "session_kind": count.kind,
            "session_min": count.min,
            "session_max": count.max,
            "session_typical": count.typical,
            "session_text": count.text or "",
        }
    if (spacing := data.get("spacing")) is not None:
        apart = terms.Spacing.from_json(spacing)
        columns |= {
            "spacing_min": apart.min,
            "spacing_ideal": apart.ideal,
            "spacing_max": apart.max,
            "spacing_unit": apart.unit,
            "tolerance_days": apart.tolerance_days,
        }
    return columns


def _add_rows(data: dict[str, Any], *, protocol: Protocol, override: Override | None) -> None:
    for position, row in enumerate(data.get("add_ons", [])):
        add_on = terms.AddOn.from_json(row)
        ProtocolAddOn.objects.create(
            protocol=protocol,
            override=override,
            position=position,
            add_on=_add_on(add_on),
            role=add_on.role,
            route=add_on.route or "",
        )
    for position, row in enumerate(data.get("maintenance", [])):
        rule = terms.MaintenanceRule.from_json(row)
        columns = _columns(MaintenanceRule, rule)
        columns["treatment"] = _treatment(rule.treatment) if rule.treatment else None
        MaintenanceRule.objects.create(protocol=protocol, override=override, position=position, **columns)


def _columns(model: type[Model], value: terms.Value) -> dict[str, Any]:
    """The columns of `model` that hold `value`: a word that nobody said is stored empty, a number null."""
    return {
        name: "" if item is None and isinstance(model._meta.get_field(name), CharField) else item
        for name, item in value.to_json().items()
    }


def _treatment(name: str) -> Treatment:
    return Treatment.objects.get_or_create(name=name)[0]


def _concerns(names: list[str]) -> list[Concern]:
    return [Concern.objects.get_or_create(name=name)[0] for name in names]


def _add_on(value: terms.AddOn) -> AddOn:
    kind = DeviceKind.objects.get_or_create(name=value.device_kind)[0] if value.device_kind else None
    return AddOn.objects.get_or_create(
        name=value.name, defaults={"extra_minutes": value.extra_minutes, "device_kind": kind}
    )[0]
