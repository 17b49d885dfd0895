"""A whole protocol as one value: what is exported, imported, kept as a version and compared.

Empty means that nobody said: None, or an empty tuple. What a clinic decides for itself is left out: whether a protocol
is published, which version it is, and whether a clinician has confirmed it. The parts are those of treatments.terms.
"""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from decimal import Decimal
from itertools import combinations
from typing import Any, Literal, NamedTuple, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _

from treatments import terms
from treatments.terms import (
    AddOn,
    Anaesthesia,
    CareInstruction,
    MaintenanceRule,
    Milestone,
    NoShow,
    Phase,
    ScreeningQuestion,
    SessionCount,
    Spacing,
    Value,
)

Severity = Literal["mild", "moderate", "severe"]
Group = Literal["sessions", "spacing", "anaesthesia", "add_ons", "maintenance", "phases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Value):
    """What is different where all the conditions hold; `replaces` says which groups it takes from here."""

    name: str
    concerns: tuple[str, ...] = ()
    severity: Severity | None = None
    area: str | None = None
    depth_min_mm: Decimal | None = None
    depth_max_mm: Decimal | None = None
    replaces: tuple[Group, ...] = ()
    sessions: SessionCount | None = None
    spacing: Spacing | None = None
    anaesthesia: Anaesthesia | None = None
    phases: tuple[Phase, ...] = ()
    add_ons: tuple[AddOn, ...] = ()
    maintenance: tuple[MaintenanceRule, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # By name, because a class with slots is made anew and super() would look for the first one.
        data = Value.to_json(self)
        return data | {key: _number(data[key]) for key in ("depth_min_mm", "depth_max_mm")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Value):
    """Everything that a protocol says, in the order of a course."""

    name: str
    treatment: str
    indications: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    severity: Severity | None = None
    depends_on: tuple[str, ...] = ()
    evidence: str | None = None
    source_label: str | None = None
    off_label: bool = False
    sessions: SessionCount
    spacing: Spacing | None = None
    phases: tuple[Phase, ...] = ()
    anaesthesia: Anaesthesia | None = None
    no_show: NoShow | None = None
    other_treatments_days: int | None = None
    add_ons: tuple[AddOn, ...] = ()
    care: tuple[CareInstruction, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    screening: tuple[ScreeningQuestion, ...] = ()
    maintenance: tuple[MaintenanceRule, ...] = ()
    overrides: tuple[Override, ...] = ()


def _number(depth: Decimal | None) -> int | float | None:
    """One way to write each depth: 0.6 and not 0.60, 1 and not 1.0."""
    if depth is None:
        return None
    return int(depth) if depth == int(depth) else float(depth)


def kept(data: Mapping[str, Any]) -> Document:
    """The document that `to_json` wrote. What it did not know yet is empty; raises TermsError for anything else."""
    overrides = [
        row
        | {key: None if row.get(key) is None else Decimal(str(row[key])) for key in ("depth_min_mm", "depth_max_mm")}
        for row in data.get("overrides", [])
    ]
    return Document.from_json({**data, "overrides": overrides})


def renamed(document: Document, name: str) -> Document:
    return replace(document, name=name)


class Problem(NamedTuple):
    """What is wrong, and where: "overrides[2].spacing.min"."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


# How far a text, a number and a list may go; treatments.schema says the same to other programs.
LONGEST: dict[tuple[str, str], int] = {
    ("Document", "name"): 200,
    ("Document", "areas"): 60,
    ("Document", "depends_on"): 60,
    ("Document", "evidence"): 200,
    ("Document", "source_label"): 200,
    ("Override", "area"): 60,
    ("SessionCount", "text"): 200,
    ("MaintenanceRule", "text"): 300,
    ("CareInstruction", "text"): 300,
    ("ScreeningQuestion", "text"): 300,
}
LONGEST_ELSEWHERE = 120
LARGEST_NUMBER = 32767
# Everything else counts from 0.
FROM_ONE = {
    ("Document", "other_treatments_days"),
    ("SessionCount", "min"),
    ("SessionCount", "max"),
    ("SessionCount", "typical"),
    ("Spacing", "min"),
    ("Spacing", "ideal"),
    ("Spacing", "max"),
    ("Phase", "minutes"),
    ("MaintenanceRule", "min"),
    ("MaintenanceRule", "max"),
    ("MaintenanceRule", "times_per_year"),
    ("CareInstruction", "repeat_hours"),
    ("ScreeningQuestion", "days_valid"),
}
MOST_SESSIONS = 60
LARGEST: dict[tuple[str, str], int] = {
    ("SessionCount", "min"): MOST_SESSIONS,
    ("SessionCount", "max"): MOST_SESSIONS,
    ("SessionCount", "typical"): MOST_SESSIONS,
    ("MaintenanceRule", "times_per_year"): 365,
}
LEAST_DAYS = {"day": 1, "week": 7, "month": 30}
DEEPEST_MM = Decimal("99.99")
MOST_ROWS = 200
# Names of the same thing twice in a list say nothing twice.
ONCE = {("Document", "indications"), ("Override", "concerns"), ("Override", "replaces")}
# NUL cannot be stored, and half a character cannot be written.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

T = TypeVar("T", bound=Value)


def read(data: object, kind: type[T], *, path: str = "") -> tuple[T | None, list[Problem]]:
    """`data` as a value of `kind`, or everything that is wrong with it."""
    problems: list[Problem] = []
    value = _object(kind, data, path, problems)
    if not problems and isinstance(value, Document):
        problems += contradictions(value, path=path)
    return (None, problems) if problems else (typing.cast(T, value), [])


def _object(kind: type, data: object, path: str, problems: list[Problem]) -> object:
    if not isinstance(data, Mapping):
        problems.append(Problem(path, _("must be an object, not %s") % shown(data)))
        return None
    known = {field.name: field for field in fields(kind)}
    for key in data:
        if key not in known:
            problems.append(Problem(_join(path, shorten(str(key))), _("is not known here")))
    values, hints = {}, terms._annotations(kind)
    for name, field in known.items():
        if name in data:
            values[name] = _value(hints[name], data[name], _join(path, name), problems, (kind.__name__, name))
        elif field.default is MISSING:
            problems.append(Problem(_join(path, name), _("is missing")))
    return None if problems else kind(**values)


def _value(kind: Any, data: object, path: str, problems: list[Problem], at: tuple[str, str]) -> object:
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        (kind,) = (choice for choice in choices if choice is not types.NoneType)
        return _value(kind, data, path, problems, at)
    if is_dataclass(kind):
        return _object(typing.cast(type, kind), data, path, problems)
    if origin is tuple:
        return _list(choices[0], data, path, problems, at)
    refusal = _refusal(kind, choices, data, at)
    if refusal:
        problems.append(Problem(path, refusal))
        return None
    return Decimal(str(data)) if kind is Decimal else data


def _list(kind: Any, data: object, path: str, problems: list[Problem], at: tuple[str, str]) -> object:
    if not isinstance(data, list):
        problems.append(Problem(path, _("must be a list, not %s") % shown(data)))
        return None
    if len(data) > MOST_ROWS:
        problems.append(Problem(path, _("has more than %d entries") % MOST_ROWS))
        return None
    items = tuple(_value(kind, item, f"{path}[{i}]", problems, at) for i, item in enumerate(data))
    if at in ONCE and not problems and len(set(items)) < len(items):
        problems.append(Problem(path, _("names the same twice")))
    return items


def _refusal(kind: Any, choices: tuple[Any, ...], data: object, at: tuple[str, str]) -> str | None:
    """Why `data` is not a word, number or text as it should be here."""
    if typing.get_origin(kind) is Literal:
        known = isinstance(data, str) and data in choices
        return None if known else _("must be one of %(words)s, not %(data)s") % _words(choices, data)
    # Compared exactly, because True is an int to isinstance.
    if kind is bool and type(data) is not bool:
        return _("must be true or false, not %s") % shown(data)
    if kind is int:
        lowest, largest = int(at in FROM_ONE), LARGEST.get(at, LARGEST_NUMBER)
        if type(data) is not int:
            return _("must be a whole number, not %s") % shown(data)
        if not lowest <= data <= largest:
            return _("must be a whole number from %(lowest)d to %(largest)d, not %(data)s") % {
                "lowest": lowest,
                "largest": largest,
                "data": shown(data),
            }
    if kind is Decimal:
        if type(data) not in (int, float, Decimal):
            return _("must be a number, not %s") % shown(data)
        depth = Decimal(str(data))
        if not 0 < depth <= DEEPEST_MM or depth != round(depth, 2):
            return _("must be a depth above 0 and below 100 mm with at most two decimals, not %s") % shown(data)
    if kind is str:
        longest = LONGEST.get(at, LONGEST_ELSEWHERE)
        if not isinstance(data, str):
            return _("must be text, not %s") % shown(data)
        if UNSTORABLE.search(data):
            return _("holds a character that cannot be stored")
        if not data.strip():
            return _("must be text, or null where nobody said anything")
        if len(data) > longest:
            return _("must have at most %d characters") % longest
    return None


def _words(choices: tuple[Any, ...], data: object) -> dict[str, str]:
    return {"words": ", ".join(choices), "data": shown(data)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def shown(data: object) -> str:
    """What was found, short enough for a sentence and free of what cannot be shown."""
    if data is None:
        return "null"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, Mapping):
        return _("an object")
    if isinstance(data, list):
        return _("a list")
    return shorten(f"'{data}'" if isinstance(data, str) else str(data))


def shorten(text: str) -> str:
    text = UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def contradictions(document: Document, *, path: str = "") -> list[Problem]:
    """Where a document that is well formed contradicts itself."""
    found = list(_said_together(document, path))
    found += _outruns(document.sessions, document.spacing, _join(path, "spacing.max"))
    names = [override.name for override in document.overrides]
    for i, override in enumerate(document.overrides):
        at = _join(path, f"overrides[{i}]")
        if override.name in names[:i]:
            found.append(Problem(_join(at, "name"), _("is the name of another override of this protocol")))
        if _above(override.depth_min_mm, override.depth_max_mm):
            found.append(Problem(_join(at, "depth_min_mm"), _("must not be above depth_max_mm")))
        for group in ("sessions", "spacing", "anaesthesia"):
            if getattr(override, group) is not None and group not in override.replaces:
                found.append(Problem(_join(at, group), _("is not among what this override replaces")))
        if "sessions" in override.replaces and override.sessions is None:
            found.append(Problem(_join(at, "sessions"), _("is replaced, so it must be given")))
        found += _said_together(override, at)
        if "sessions" in override.replaces or "spacing" in override.replaces:
            count = override.sessions if "sessions" in override.replaces else document.sessions
            spacing = override.spacing if "spacing" in override.replaces else document.spacing
            found += _outruns(count, spacing, _join(at, "spacing.max" if override.spacing else "sessions.max"))
    found += _add_ons_told_apart(document, path)
    for first, second in ambiguous(document.overrides):
        at = _join(path, f"overrides[{document.overrides.index(second)}]")
        found.append(Problem(at, _("“%(second)s” fits the same case equally well as “%(first)s”; only one can apply")
                             % {"first": first.name, "second": second.name}))  # fmt: skip
    return found


def _add_ons_told_apart(document: Document, path: str) -> Iterator[Problem]:
    """A clinic has one add-on of a name, so that it takes one time and one device."""
    known: dict[str, tuple[int | None, str | None]] = {}
    parts: list[tuple[Document | Override, str]] = [(document, path)]
    parts += [(row, _join(path, f"overrides[{i}]")) for i, row in enumerate(document.overrides)]
    for part, at in parts:
        for i, add_on in enumerate(part.add_ons):
            says = (add_on.extra_minutes, add_on.device_kind)
            if known.setdefault(add_on.name, says) != says:
                yield Problem(_join(at, f"add_ons[{i}]"), _("takes another time or device than the same add-on before"))


def _said_together(of: Document | Override, path: str) -> Iterator[Problem]:
    """Numbers and words that only make sense together, in what a protocol and an override have in common."""
    if of.sessions:
        yield from _prefixed(_count(of.sessions), _join(path, "sessions"))
    if of.spacing:
        yield from _prefixed(_spacing(of.spacing), _join(path, "spacing"))
    for i, phase in enumerate(of.phases):
        if not (phase.practitioner or phase.room or phase.device_kind):
            yield Problem(_join(path, f"phases[{i}]"), _("takes neither a practitioner nor a room nor a device"))
    for i, rule in enumerate(of.maintenance):
        yield from _prefixed(_rule(rule), _join(path, f"maintenance[{i}]"))
    if isinstance(of, Document):
        for i, care in enumerate(of.care):
            yield from _prefixed(_care(care), _join(path, f"care[{i}]"))
        for i, milestone in enumerate(of.milestones):
            if _above(milestone.min_days, milestone.max_days):
                yield Problem(_join(path, f"milestones[{i}].min_days"), _("must not be above max_days"))


def _prefixed(problems: Iterator[tuple[str, str]], path: str) -> Iterator[Problem]:
    for name, message in problems:
        yield Problem(_join(path, name), message)


def _above(low: Any, high: Any) -> bool:
    return low is not None and high is not None and low > high


def _count(count: SessionCount) -> Iterator[tuple[str, str]]:
    numbers = (count.min, count.max)
    if count.kind == "fixed" and (None in numbers or count.min != count.max):
        yield "min", _("must be given and the same as max, because the number is fixed")
    elif count.kind == "range" and (None in numbers or not _above(count.max, count.min)):
        yield "min", _("must be given and below max, because it is a range")
    elif count.kind not in ("fixed", "range") and any(n is not None for n in (*numbers, count.typical)):
        yield "kind", _("must be fixed or range where numbers are given")
    elif count.typical is not None and (_above(count.min, count.typical) or _above(count.typical, count.max)):
        yield "typical", _("must lie between min and max")
    if count.kind == "words" and count.text is None:
        yield "text", _("must say the number in words")


def _spacing(spacing: Spacing) -> Iterator[tuple[str, str]]:
    if spacing.min > spacing.max:
        yield "min", _("must not be above max")
    elif spacing.ideal is not None and not spacing.min <= spacing.ideal <= spacing.max:
        yield "ideal", _("must lie between min and max")


def _outruns(count: SessionCount | None, spacing: Spacing | None, path: str) -> Iterator[Problem]:
    """A course whose last session could lie beyond the days that are planned ahead."""
    if count is None or count.max is None or spacing is None:
        return
    days = (count.max - 1) * spacing.max * LEAST_DAYS[spacing.unit]
    if days > settings.PLANNING_HORIZON_DAYS:
        yield Problem(
            path,
            _("%(sessions)d sessions so far apart take %(days)d days, and only %(horizon)d days are planned ahead.")
            % {"sessions": count.max, "days": days, "horizon": settings.PLANNING_HORIZON_DAYS},
        )


def _rule(rule: MaintenanceRule) -> Iterator[tuple[str, str]]:
    if rule.max is not None and rule.min is None:
        yield "min", _("must be given where max is")
    elif _above(rule.min, rule.max):
        yield "min", _("must not be above max")
    if rule.min is not None and rule.unit is None:
        yield "unit", _("must be day, week or month where a number is given")
    if rule.kind == "per_year" and rule.times_per_year is None:
        yield "times_per_year", _("must be given where the rule is so many times a year")
    counted = (rule.min, rule.max, rule.unit, rule.times_per_year)
    if rule.kind in ("home_care", "individual", "none", "unspecified") and any(n is not None for n in counted):
        yield "kind", _("must be another where numbers are given")


def _care(care: CareInstruction) -> Iterator[tuple[str, str]]:
    if (care.offset is None) != (care.unit is None):
        yield "offset", _("must be given with its unit, or neither of them")
    if care.bound is not None and care.offset is None and care.offset_text is None:
        yield "bound", _("needs an offset or an offset_text")


def ambiguous(overrides: tuple[Override, ...]) -> list[tuple[Override, Override]]:
    """Pairs that name the same kinds of condition and can hold for the same case, so that neither goes first.

    Those that name different kinds, such as a concern and an area, leave only a few cases in doubt, and a further
    override can settle these.
    """
    return [
        (first, second)
        for first, second in combinations(overrides, 2)
        if _named(first) == _named(second) and any(_named(first)) and _meet(first, second)
    ]


def _named(override: Override) -> tuple[bool, ...]:
    depth = override.depth_min_mm is not None or override.depth_max_mm is not None
    return bool(override.concerns), bool(override.severity), bool(override.area), depth


def _meet(a: Override, b: Override) -> bool:
    apart = (
        (a.concerns and b.concerns and not set(a.concerns) & set(b.concerns))
        or (a.severity and b.severity and a.severity != b.severity)
        or (a.area and b.area and a.area != b.area)
        or _above(a.depth_min_mm, b.depth_max_mm)
        or _above(b.depth_min_mm, a.depth_max_mm)
    )
    return not apart
