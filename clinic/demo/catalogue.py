"""What the demo clinic does: its visits phase by phase, and complete protocols of its own beside the built-in ones."""

from datetime import datetime
from typing import Any

from clinic.demo.places import CONSULTATION, HYDRAFACIAL, NEEDLING, PEN, RF, RF_NEEDLING, SKIN_CARE
from treatments import library
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
)
from treatments.models.choices import ProtocolStatus
from treatments.services import protocols

# Name, minutes, takes the practitioner, takes a device of this kind. Every phase takes the room.
VISITS: dict[str, list[tuple[str, int, bool, str | None]]] = {
    NEEDLING: [("Numbing", 30, False, None), ("Needling", 45, True, PEN), ("Recovery", 15, False, None)],
    RF_NEEDLING: [("Numbing", 45, False, None), ("RF needling", 60, True, RF), ("Recovery", 15, False, None)],
    HYDRAFACIAL: [("Hydrafacial", 45, True, None)],
    SKIN_CARE: [("Skin care", 60, True, None)],
    CONSULTATION: [("Consultation", 30, True, None)],
}

ACNE, REJUVENATION, FINE_LINES = "Acne scars, 6 sessions", "Rejuvenation, 4 sessions", "Fine lines, 3 sessions"
GLOW, TIGHTENING, STRETCH_MARKS = "Glow course", "RF tightening, 3 sessions", "Stretch marks, 4 sessions"

# Treatment, sessions, (least, ideal, most, unit, tolerance), upkeep, concerns.
PROTOCOLS: dict[str, tuple[str, int, tuple[int, int, int, str, int | None], list[dict[str, Any]], list[str]]] = {
    ACNE: (
        NEEDLING,
        6,
        (4, 5, 6, "week", None),
        [{"kind": "every", "min": 6, "max": 7, "unit": "month"}],
        ["acne scars"],
    ),
    REJUVENATION: (
        NEEDLING,
        4,
        (1, 1, 1, "month", 4),
        [
            {"kind": "every", "min": 12, "unit": "month"},
            {"kind": "home_care", "text": "Sun protection and retinoid at home"},
        ],
        ["overall rejuvenation", "rough texture"],
    ),
    FINE_LINES: (
        NEEDLING,
        3,
        (4, 4, 5, "week", None),
        [{"kind": "every", "min": 3, "max": 4, "unit": "month"}],
        ["fine lines"],
    ),
    GLOW: (
        HYDRAFACIAL,
        3,
        (2, 2, 3, "week", None),
        [{"kind": "individual", "text": "Decided together after the third visit"}],
        ["dull skin"],
    ),
    TIGHTENING: (
        RF_NEEDLING,
        3,
        (4, 5, 6, "week", None),
        [{"kind": "per_year", "times_per_year": 2, "at_least": True}],
        ["skin laxity"],
    ),
    STRETCH_MARKS: (
        NEEDLING,
        4,
        (4, 6, 8, "week", None),
        [{"kind": "none", "text": "Nothing to keep up"}],
        ["stretch marks"],
    ),
}

BEFORE_AND_AFTER = [
    ("before", "avoid", "No retinoids or peels", 5, "day", "at_least"),
    ("before", "avoid", "No sunbathing or tanning beds", 14, "day", "at_least"),
    ("before", "do", "Come with clean skin, without make-up", None, "", ""),
    ("after", "avoid", "No make-up", 24, "hour", "at_least"),
    ("after", "avoid", "No sport, sauna or swimming", 3, "day", "at_least"),
    ("after", "do", "Use sun protection every day", 4, "week", "at_least"),
    ("after", "ask", "Call if redness lasts longer than five days", None, "", ""),
]
QUESTIONS = [
    ("Have you taken isotretinoin in the last six months?", "stop", 180),
    ("Do you have a cold sore or an infection where you will be treated?", "stop", 1),
    ("Are you pregnant or breastfeeding?", "ask", 30),
    ("Do you take medicines that thin the blood?", "inform", 180),
]
MILESTONES = [("Redness has settled", 1, 3, None), ("First change to be seen", 28, 42, None), ("Result", None, None, 6)]


def load(*, now: datetime) -> None:
    """The built-in protocols, then the clinic's own visits and protocols."""
    library.load(now=now)
    _load_visits()
    serum = AddOn.objects.get_or_create(name="Hyaluronic acid serum")[0]
    lamp = AddOn.objects.get_or_create(name="LED light", defaults={"extra_minutes": 15})[0]
    for name, (treatment, count, spacing, upkeep, concerns) in PROTOCOLS.items():
        least, ideal, most, unit, tolerance = spacing
        needles = treatment in (NEEDLING, RF_NEEDLING)
        protocol = Protocol.objects.create(
            name=name,
            treatment=Treatment.objects.get(name=treatment),
            status=ProtocolStatus.PUBLISHED,
            session_kind="fixed",
            session_min=count,
            session_max=count,
            spacing_min=least,
            spacing_ideal=ideal,
            spacing_max=most,
            spacing_unit=unit,
            tolerance_days=tolerance,
            anaesthesia="topical" if needles else "none",
            no_show="ask",
            evidence="Expert opinion",
            source_label="Alderbrook, house protocol",
            confirmed_by_clinician=True,
        )
        protocol.indications.set([Concern.objects.get_or_create(name=concern)[0] for concern in concerns])
        MaintenanceRule.objects.bulk_create(
            MaintenanceRule(protocol=protocol, position=position, **rule) for position, rule in enumerate(upkeep)
        )
        ProtocolAddOn.objects.create(protocol=protocol, add_on=serum, role="included", route="topical, in session")
        ProtocolAddOn.objects.create(protocol=protocol, add_on=lamp, role="optional", position=1)
        if needles:
            _add_care(protocol)
    _add_severe_acne()
    for protocol in Protocol.objects.filter(versions=None):
        protocols.record_change(protocol=protocol, by=None, now=now)


def _load_visits() -> None:
    kinds = {name: DeviceKind.objects.get_or_create(name=name)[0] for name in (PEN, RF)}
    for name, phases in VISITS.items():
        treatment = Treatment.objects.get_or_create(name=name)[0]
        Phase.objects.bulk_create(
            Phase(
                treatment=treatment,
                position=position,
                name=phase,
                minutes=minutes,
                occupies_practitioner=practitioner,
                occupies_room=True,
                device_kind=kinds[kind] if kind else None,
                numbing=phase == "Numbing",
            )
            for position, (phase, minutes, practitioner, kind) in enumerate(phases)
        )


def _add_care(protocol: Protocol) -> None:
    CareInstruction.objects.bulk_create(
        CareInstruction(
            protocol=protocol, position=n, when=when, action=action, text=text, offset=offset, unit=unit, bound=bound
        )
        for n, (when, action, text, offset, unit, bound) in enumerate(BEFORE_AND_AFTER)
    )
    ScreeningQuestion.objects.bulk_create(
        ScreeningQuestion(protocol=protocol, position=n, text=text, effect=effect, days_valid=days)
        for n, (text, effect, days) in enumerate(QUESTIONS)
    )
    Milestone.objects.bulk_create(
        Milestone(protocol=protocol, position=n, name=name, min_days=least, max_days=most, max_months=months)
        for n, (name, least, most, months) in enumerate(MILESTONES)
    )


def _add_severe_acne() -> None:
    """Deep scars take more sessions, a little further apart."""
    Override.objects.create(
        protocol=Protocol.objects.get(name=ACNE),
        name="Severe scars",
        severity="severe",
        replaces=["sessions", "spacing"],
        session_kind="range",
        session_min=6,
        session_max=8,
        session_typical=7,
        spacing_min=5,
        spacing_ideal=6,
        spacing_max=6,
        spacing_unit="week",
    )
