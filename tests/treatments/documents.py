"""Documents for tests: one that says everything, and strategies that say anything an import takes."""

from decimal import Decimal
from typing import get_args

from hypothesis import strategies as st

from treatments import documents, terms
from treatments.documents import Document, Override
from treatments.terms import (
    AddOn,
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Phase,
    ScreeningQuestion,
    SessionCount,
    Spacing,
)

FULL = Document(
    name="Scars, our way",
    treatment="Microneedling",
    indications=("acne scars", "surgical scars"),
    areas=("cheeks", "chin"),
    severity="moderate",
    depends_on=("skin type",),
    evidence="expert opinion",
    source_label="our own",
    off_label=True,
    sessions=SessionCount("range", 4, 6, 5, "or until content"),
    spacing=Spacing(4, 5, 6, "week", 3),
    phases=(
        Phase("Numbing", 30, False, True, None, True),
        Phase("Treatment", 45, True, True, "Needling pen", False),
    ),
    anaesthesia="topical",
    no_show="repeat",
    other_treatments_days=14,
    add_ons=(AddOn("PRP", "recommended", "injected", 15, "Centrifuge"),),
    care=(CareInstruction("after", "avoid", "Sun", 72, "hour", "at_least", "three days", 2),),
    milestones=(Milestone("final result", 1, 30, 2, "result"),),
    screening=(ScreeningQuestion("Pregnant?", "stop", 30),),
    maintenance=(
        MaintenanceRule("every", 6, 12, "month", None, False, "Microneedling", "or so"),
        MaintenanceRule("per_year", times_per_year=2, at_least=True),
    ),
    overrides=(
        Override(
            name="Deep needling",
            concerns=("acne scars",),
            depth_min_mm=Decimal("1.5"),
            depth_max_mm=Decimal("2.5"),
            replaces=("sessions", "spacing", "anaesthesia", "maintenance"),
            sessions=SessionCount("fixed", 3, 3),
            spacing=Spacing(1, None, 1, "month"),
            anaesthesia="regional",
            maintenance=(MaintenanceRule("individual", text="by result"),),
        ),
        Override(name="Mild", severity="mild", replaces=("spacing", "add_ons")),
    ),
)
BARE = Document(name="Bare", treatment="Microneedling", sessions=SessionCount("unknown"))

# Letters that JSON escapes, that need four bytes, that combine, and that separate lines.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00") | st.sampled_from('"\\/<>&\n\r\t\u2028é😀'),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip())


def maybe(strategy):
    return st.none() | strategy


def rows(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


def words(kind):
    return st.sampled_from(get_args(kind))


@st.composite
def counts(draw):
    kind = draw(words(terms.CountKind))
    text = draw(TEXT if kind == "words" else maybe(TEXT))
    if kind not in ("fixed", "range"):
        return SessionCount(kind, text=text)
    low = draw(st.integers(1, 6))
    high = low if kind == "fixed" else low + draw(st.integers(1, 4))
    return SessionCount(kind, low, high, draw(maybe(st.integers(low, high))), text)


@st.composite
def spacings(draw):
    low, ideal, high = sorted(draw(st.tuples(*[st.integers(1, 40)] * 3)))
    unit = draw(words(terms.Unit))
    low, ideal, high = (1, 1, 1) if unit == "month" else (min(low, 6), min(ideal, 6), min(high, 6))
    return Spacing(low, draw(maybe(st.just(ideal))), high, unit, draw(maybe(st.integers(0, 9))))


@st.composite
def phases(draw):
    takes = draw(st.tuples(st.booleans(), st.booleans(), maybe(TEXT)).filter(any))
    return Phase(draw(TEXT), draw(st.integers(1, 32767)), *takes, draw(st.booleans()))


@st.composite
def rules(draw):
    kind = draw(words(terms.RuleKind))
    common = {"at_least": draw(st.booleans()), "treatment": draw(maybe(TEXT)), "text": draw(maybe(TEXT))}
    if kind in ("home_care", "individual", "none", "unspecified"):
        return MaintenanceRule(kind, **common)
    low, high = sorted(draw(st.tuples(st.integers(1, 99), st.integers(1, 99))))
    numbers = draw(
        st.sampled_from([{}, {"unit": "month"}, {"min": low, "unit": "day"}, {"min": low, "max": high, "unit": "week"}])
    )
    times = draw(st.integers(1, 365) if kind == "per_year" else maybe(st.integers(1, 365)))
    return MaintenanceRule(kind, times_per_year=times, **numbers, **common)


@st.composite
def cares(draw):
    offset, unit = draw(st.just((None, None)) | st.tuples(st.integers(0, 32767), words(terms.CareUnit)))
    offset_text = draw(maybe(TEXT))
    bound = None if offset is None and offset_text is None else draw(maybe(words(terms.Bound)))
    repeat = draw(maybe(st.integers(1, 99)))
    return CareInstruction(
        draw(words(terms.When)), draw(words(terms.Action)), draw(TEXT), offset, unit, bound, offset_text, repeat
    )


@st.composite
def milestones(draw):
    low, high = draw(maybe(st.integers(0, 9))), draw(maybe(st.integers(9, 99)))
    return Milestone(draw(TEXT), low, high, draw(maybe(st.integers(0, 9))), draw(maybe(words(terms.MilestoneKind))))


def add_ons(names):
    """Add-ons of one name take the same everywhere, as in one clinic's catalogue."""
    catalogue = st.sampled_from([(name, 5 * i or None, name if i % 2 else None) for i, name in enumerate(names)])
    return st.builds(
        lambda add_on, role, route: AddOn(add_on[0], role, route, add_on[1], add_on[2]),
        catalogue,
        words(terms.Role),
        maybe(TEXT),
    )


def names(draw, strategy):
    return tuple(sorted(draw(st.sets(strategy, max_size=3))))


@st.composite
def overrides(draw, name, of):
    replaces = draw(st.sets(words(documents.Group)))
    low, high = sorted(draw(st.tuples(*[st.integers(1, 9999)] * 2)))
    return Override(
        name=name,
        concerns=names(draw, TEXT),
        severity=draw(maybe(words(documents.Severity))),
        area=draw(maybe(TEXT)),
        depth_min_mm=draw(maybe(st.just(Decimal(low) / 100))),
        depth_max_mm=draw(maybe(st.just(Decimal(high) / 100))),
        replaces=tuple(group for group in get_args(documents.Group) if group in replaces),
        sessions=draw(counts()) if "sessions" in replaces else None,
        spacing=draw(maybe(spacings())) if "spacing" in replaces else None,
        anaesthesia=draw(maybe(words(terms.Anaesthesia))) if "anaesthesia" in replaces else None,
        phases=draw(rows(phases())),
        add_ons=draw(rows(add_ons(of))),
        maintenance=draw(rows(rules())),
    )


@st.composite
def whole_documents(draw):
    """Any document that contradicts itself nowhere, with all its parts."""
    known = draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))
    built = Document(
        name=draw(TEXT),
        treatment=draw(TEXT),
        indications=names(draw, TEXT),
        areas=draw(rows(TEXT)),
        severity=draw(maybe(words(documents.Severity))),
        depends_on=draw(rows(TEXT)),
        evidence=draw(maybe(TEXT)),
        source_label=draw(maybe(TEXT)),
        off_label=draw(st.booleans()),
        sessions=draw(counts()),
        spacing=draw(maybe(spacings())),
        phases=draw(rows(phases())),
        anaesthesia=draw(maybe(words(terms.Anaesthesia))),
        no_show=draw(maybe(words(terms.NoShow))),
        other_treatments_days=draw(maybe(st.integers(1, 99))),
        add_ons=draw(rows(add_ons(known))),
        care=draw(rows(cares())),
        milestones=draw(rows(milestones())),
        screening=draw(rows(st.builds(ScreeningQuestion, TEXT, words(terms.Effect), maybe(st.integers(1, 99))))),
        maintenance=draw(rows(rules())),
        overrides=tuple(draw(overrides(name, known)) for name in draw(st.lists(TEXT, max_size=3, unique=True))),
    )
    # Two that fit the same case are no valid protocol: the later ones go.
    kept = []
    for override in built.overrides:
        if not documents.ambiguous((*kept, override)):
            kept.append(override)
    return documents.replace(built, overrides=tuple(kept))
