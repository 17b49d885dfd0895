"""Parts of a protocol in words, and how two of them differ. No database and no clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from treatments.documents import Document, Override
from treatments.models import choices
from treatments.terms import (
    AddOn,
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Phase,
    ScreeningQuestion,
    SessionCount,
    Spacing,
    Terms,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed; None on the side where it is not there at all."""

    what: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return _("added %(what)s: %(after)s") % {"what": self.what, "after": self.after}
        if self.after is None:
            return _("removed %(what)s: %(before)s") % {"what": self.what, "before": self.before}
        return f"{self.what} {self.before} → {self.after}"


def not_said() -> str:
    return _("not said")


def so_many(low: int, high: int, unit: str) -> str:
    """So many units, in the plural that goes with the higher number."""
    number = f"{low}" if low == high else f"{low}–{high}"
    words = {
        "hour": ngettext("%s hour", "%s hours", high),
        "day": ngettext("%s day", "%s days", high),
        "week": ngettext("%s week", "%s weeks", high),
        "month": ngettext("%s month", "%s months", high),
    }
    return words[unit] % number


def count(value: SessionCount | None) -> str:
    if value is None:
        return not_said()
    label = {"open_ended": _("open-ended"), "unknown": not_said(), "words": ""}.get(value.kind)
    if label is None:
        label = f"{value.min}" if value.min == value.max else f"{value.min}–{value.max}"
    if value.typical is not None:
        label = _("%(number)s, typically %(typical)d") % {"number": label, "typical": value.typical}
    return _and_text(label, value.text)


def spacing(value: Spacing | None) -> str:
    if value is None:
        return not_said()
    words = so_many(value.min, value.max, value.unit)
    if value.ideal is not None:
        words = _("%(range)s, ideally %(ideal)d") % {"range": words, "ideal": value.ideal}
    if value.tolerance_days is not None:
        words += " " + ngettext("± %d day", "± %d days", value.tolerance_days) % value.tolerance_days
    return words


def phase(value: Phase) -> str:
    takes = [
        *([_("practitioner")] if value.practitioner else []),
        *([_("room")] if value.room else []),
        *([value.device_kind] if value.device_kind else []),
    ]
    words = _("%(name)s, %(minutes)d minutes (%(takes)s)") % {
        "name": value.name,
        "minutes": value.minutes,
        "takes": ", ".join(takes),
    }
    return _("%s, numbing") % words if value.numbing else words


def add_on(value: AddOn) -> str:
    parts = [value.name, _label(choices.Role, value.role).lower()]
    if value.route is not None:
        parts.append(value.route)
    if value.extra_minutes is not None:
        parts.append(ngettext("%d minute more", "%d minutes more", value.extra_minutes) % value.extra_minutes)
    if value.device_kind is not None:
        parts.append(_("with %s") % value.device_kind)
    return ", ".join(parts)


def maintenance(value: MaintenanceRule) -> str:
    parts = []
    if value.kind in ("every", "other_treatment"):
        parts.append(_every(value))
    elif value.kind != "per_year":
        parts.append(_label(choices.RuleKind, value.kind).lower())
    if value.times_per_year is not None:
        times = ngettext("%d time a year", "%d times a year", value.times_per_year) % value.times_per_year
        parts.append(_("at least %s") % times if value.at_least else times)
    elif value.at_least:
        parts.append(_("or more often"))
    if value.kind == "per_year" and value.min is not None:
        parts.append(_every(value))
    if value.treatment is not None:
        parts.append(value.treatment)
    elif value.kind == "other_treatment":
        parts.append(_("another treatment"))
    return _and_text(", ".join(parts), value.text)


def _every(value: MaintenanceRule) -> str:
    if value.min is not None and value.unit is not None:
        return _("every %s") % so_many(value.min, value.min if value.max is None else value.max, value.unit)
    if value.unit is not None:
        return _("every … %s") % _label(choices.Unit, value.unit)
    return _("no interval said")


def care(value: CareInstruction) -> str:
    parts = [_label(choices.When, value.when).lower(), _label(choices.Action, value.action).lower()]
    if value.bound is not None:
        parts.append(_label(choices.Bound, value.bound).lower())
    if value.offset is not None and value.unit is not None:
        parts.append(so_many(value.offset, value.offset, value.unit))
    if value.offset_text is not None:
        parts.append(f"“{value.offset_text}”")
    if value.repeat_hours is not None:
        parts.append(ngettext("again after %d hour", "again after %d hours", value.repeat_hours) % value.repeat_hours)
    return f"{value.text} ({', '.join(parts)})"


def milestone(value: Milestone) -> str:
    parts = []
    if value.kind is not None:
        parts.append(_label(choices.MilestoneKind, value.kind).lower())
    if value.min_days is not None:
        parts.append(_("from day %d") % value.min_days)
    if value.max_days is not None:
        parts.append(_("by day %d") % value.max_days)
    if value.max_months is not None:
        parts.append(_("within %s") % so_many(value.max_months, value.max_months, "month"))
    return f"{value.name} ({', '.join(parts)})" if parts else value.name


def question(value: ScreeningQuestion) -> str:
    effect = _label(choices.Effect, value.effect).lower()
    if value.days_valid is None:
        return f"{value.text} ({effect})"
    return f"{value.text} ({effect}, {_('good for %s') % so_many(value.days_valid, value.days_valid, 'day')})"


def case(value: Override) -> str:
    """When an override applies."""
    parts = [", ".join(value.concerns)] if value.concerns else []
    if value.severity is not None:
        parts.append(_label(choices.Severity, value.severity).lower())
    if value.area is not None:
        parts.append(value.area)
    low, high = value.depth_min_mm, value.depth_max_mm
    if low is not None or high is not None:
        parts.append(_depth(low, high))
    return "; ".join(parts) or _("never")


def _depth(low: Decimal | None, high: Decimal | None) -> str:
    def plain(depth: Decimal) -> str:
        return f"{depth.normalize():f}"

    if low is None or high is None:
        return _("from %s mm") % plain(low) if low is not None else _("to %s mm") % plain(high)
    return f"{plain(low)} mm" if low == high else f"{plain(low)}–{plain(high)} mm"


def _and_text(label: str, text: str | None) -> str:
    if text is None:
        return label
    return f"{label} (“{text}”)" if label else f"“{text}”"


def _label(words: type, value: str) -> str:
    return str(words(value).label)


def _word(words: type) -> Callable[[str | None], str]:
    return lambda value: not_said() if value is None else _label(words, value).lower()


def _plain(value: Any) -> str:
    return not_said() if value is None else f"{value}"


def _listed(value: Sequence[Any]) -> str:
    return ", ".join(f"{item}" for item in value) or _("none")


def _groups(value: Sequence[str]) -> str:
    return ", ".join(_label(choices.Group, item).lower() for item in value) or _("nothing")


def _yes(value: bool) -> str:
    return _("yes") if value else _("no")


# What is said in one piece: its label and its words.
SINGLE: dict[str, tuple[Any, Callable[[Any], str]]] = {
    "name": (gettext_lazy("name"), _plain),
    "treatment": (gettext_lazy("treatment"), _plain),
    "indications": (gettext_lazy("indications"), _listed),
    "areas": (gettext_lazy("areas"), _listed),
    "severity": (gettext_lazy("severity"), _word(choices.Severity)),
    "depends_on": (gettext_lazy("depends on"), _listed),
    "evidence": (gettext_lazy("evidence"), _plain),
    "source_label": (gettext_lazy("source"), _plain),
    "off_label": (gettext_lazy("off-label"), _yes),
    "sessions": (gettext_lazy("sessions"), count),
    "spacing": (gettext_lazy("spacing"), spacing),
    "anaesthesia": (gettext_lazy("anaesthesia"), _word(choices.Anaesthesia)),
    "no_show": (gettext_lazy("after a no-show"), _word(choices.NoShow)),
    "other_treatments_days": (gettext_lazy("least days to other treatments"), _plain),
    "replaces": (gettext_lazy("replaces"), _groups),
}
# What is a list of rows: the label of one row, its words, and what makes a row the same row after a change.
ROWS: dict[str, tuple[Any, Callable[[Any], str], Callable[[Any], Any]]] = {
    "phases": (gettext_lazy("phase"), phase, lambda row: row.name),
    "add_ons": (gettext_lazy("add-on"), add_on, lambda row: (row.name, row.role)),
    "maintenance": (gettext_lazy("maintenance"), maintenance, lambda row: (row.kind, row.treatment)),
    "care": (gettext_lazy("care"), care, lambda row: row.text),
    "milestones": (gettext_lazy("milestone"), milestone, lambda row: row.name),
    "screening": (gettext_lazy("question"), question, lambda row: row.text),
}


def differences(before: Document | Terms, after: Document | Terms) -> list[Difference]:
    """What changed from one to the other, in the order of a course. Empty exactly where the two are equal."""
    found = _differences(before, after)
    if isinstance(before, Document) and isinstance(after, Document):
        found += _overrides(before.overrides, after.overrides)
    return found


def _differences(before: Any, after: Any) -> list[Difference]:
    found: list[Difference] = []
    for name in type(after).__dataclass_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name in SINGLE:
            label, words = SINGLE[name]
            found.append(Difference(str(label), words(old), words(new)))
        elif name in ROWS:
            found += _rows(name, old, new)
    return found


def _rows(name: str, old: Sequence[Any], new: Sequence[Any]) -> list[Difference]:
    label, words, same = ROWS[name]
    label = str(label)
    found: list[Difference] = []
    removed, added = [], []
    for _tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if _tag != "equal":
            removed += old[i:j]
            added += new[k:m]
    moved = [row for row in removed if row in added]
    for row in list(removed):
        twin = next((other for other in added if same(other) == same(row) and other != row), None)
        if row in moved or twin is None:
            continue
        found.append(Difference(label, words(row), words(twin)))
        removed.remove(row)
        added.remove(twin)
    found += [Difference(label, words(row), None) for row in removed if row not in moved]
    found += [Difference(label, None, words(row)) for row in added if row not in moved]
    if not found or moved:
        first = _("order of %s") % label
        found.append(Difference(first, "; ".join(map(words, old)), "; ".join(map(words, new))))
    return found


def _overrides(old: Sequence[Override], new: Sequence[Override]) -> list[Difference]:
    before, after = {row.name: row for row in old}, {row.name: row for row in new}
    label = _("override")
    found = [Difference(label, f"“{name}”: {override(row)}", None) for name, row in before.items() if name not in after]
    for name, row in after.items():
        if name not in before:
            found.append(Difference(label, None, f"“{name}”: {override(row)}"))
            continue
        # When it applies is said as one.
        inside = _differences(replace(before[name], severity=row.severity), row)
        if case(before[name]) != case(row):
            inside.insert(0, Difference(_("applies to"), case(before[name]), case(row)))
        found += [Difference(f"“{name}”: {each.what}", each.before, each.after) for each in inside]
    if old != new and not found:
        found.append(Difference(_("order of %s") % label, "; ".join(before), "; ".join(after)))
    return found


def override(value: Override) -> str:
    """An override in one line: when it applies, and what then."""
    says = []
    for group in value.replaces:
        if group in SINGLE:
            label, words = SINGLE[group]
            says.append(f"{label} {words(getattr(value, group))}")
        else:
            label, words, _same = ROWS[group]
            says.append(f"{label}: {'; '.join(map(words, getattr(value, group))) or _('none')}")
    return f"{case(value)} – {'. '.join(says) or _('replaces nothing')}"


def contents(document: Document) -> list[tuple[str, list[str]]]:
    """All that a document says, as label and lines; what nobody said is left out."""
    found: list[tuple[str, list[str]]] = []
    for name in type(document).__dataclass_fields__:
        value = getattr(document, name)
        if value is None or value == () or value is False:
            continue
        if name in SINGLE:
            label, words = SINGLE[name]
            found.append((str(label), [words(value)]))
        elif name in ROWS:
            label, words, _same = ROWS[name]
            found.append((str(label), [words(row) for row in value]))
        else:
            found.append((_("override"), [f"“{row.name}”: {override(row)}" for row in value]))
    return found
