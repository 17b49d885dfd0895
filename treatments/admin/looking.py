"""What a protocol does, shown beside its form: computed from what is typed, and nothing is stored for it.

What is typed becomes model instances that are never saved, with their rows attached as if they had been read. They go
through Protocol.terms_for as stored ones do, so that the preview cannot differ from what the desk gets. A transaction
rolled back at the end would show the same, but would write history and hold locks with every key that is pressed.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms.models import BaseInlineFormSet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from treatments import words
from treatments.models import AmbiguousOverrides, Concern, Override, Protocol
from treatments.models.choices import Severity
from treatments.preview import Preview, Stay, Told, preview

# In what is sent: show the preview, store nothing.
ONLY_LOOK = "_preview"


class CaseForm(forms.Form):
    """Whom the preview is for, and from which day on."""

    date = forms.DateField(
        label=gettext_lazy("First session on"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    concern = forms.ModelChoiceField(
        label=gettext_lazy("Concern"),
        queryset=Concern.objects.order_by("name"),
        required=False,
        empty_label=gettext_lazy("Not said"),
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"), choices=[("", gettext_lazy("Not said")), *Severity.choices], required=False
    )
    area = forms.CharField(label=gettext_lazy("Area"), required=False, max_length=60)
    depth_mm = forms.DecimalField(
        label=gettext_lazy("Needle depth (mm)"), required=False, max_digits=4, decimal_places=2, min_value=0
    )

    def __init__(self, data: Any) -> None:
        # Unbound on a first look, so that today stands in the field.
        asked = any(name.startswith("look-") for name in data)
        super().__init__(data if asked else None, prefix="look", initial={"date": timezone.localdate()})
        self.fields["date"].widget.format = "%Y-%m-%d"

    def asked(self) -> dict[str, Any]:
        return self.cleaned_data if self.is_bound and self.is_valid() else {}


def typed(form: Any, formsets: Sequence[BaseInlineFormSet]) -> Protocol:
    """The protocol as valid forms say it, never saved, with rows that Protocol.terms_for finds already read."""
    protocol = copy(form.instance)
    # Stands for a key: rows are told apart by it, and nothing is ever looked up by it.
    protocol.pk = protocol.pk or 0
    overrides: dict[str, Override] = {}
    read: dict[str, list[Any]] = {}
    for formset in formsets:
        rows = []
        for number, row in enumerate(formset.kept(), start=1):
            instance = copy(row.instance)
            instance.pk = instance.pk or -number
            if isinstance(instance, Override):
                instance._prefetched_objects_cache = {"concerns": list(row.cleaned_data["concerns"])}
                overrides[row.cleaned_data["name"]] = instance
            elif name := row.cleaned_data.get("only_for"):
                instance.override_id = _named(name, formset.overrides, overrides).pk
            elif "only_for" in row.cleaned_data:
                instance.override_id = None
            rows.append(instance)
        if rows and hasattr(rows[0], "position"):
            # As the database would order them: rows of one position by key, and new ones have the latest keys.
            rows.sort(key=lambda row: (row.position, row.pk < 0, abs(row.pk)))
        read[formset.fk.remote_field.get_accessor_name()] = rows
    protocol._prefetched_objects_cache = read
    return protocol


def _named(name: str, formset: Any, overrides: dict[str, Override]) -> Override:
    return overrides[formset.by_name()[name].cleaned_data["name"]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the template of the preview shows: either what the protocol does, or why it cannot be said."""

    case: CaseForm
    refusals: Sequence[str] = ()
    warnings: Sequence[str] = ()
    what: Preview | None = None
    drawing: "Drawing | None" = None
    upkeep: Sequence[tuple[str, str, Any]] = ()
    told: Sequence[tuple[Told, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Who or what a visit takes, and when: boxes as (x, width, label)."""

    name: str
    y: int
    boxes: Sequence[tuple[int, int, str]]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A visit as lanes over time, in units of the drawing."""

    width: int
    height: int
    phases: Sequence[tuple[int, int, Stay]]
    lanes: Sequence[Lane] = field(default=())


def look(protocol: Protocol, case: CaseForm, *, warnings: Sequence[str] = ()) -> Look:
    """The preview of a protocol that contradicts itself nowhere; where it does for this case, that is what it says."""
    asked = case.asked()
    try:
        terms = protocol.terms_for(
            concern=asked.get("concern"),
            severity=asked.get("severity") or None,
            area=asked.get("area") or None,
            depth_mm=asked.get("depth_mm"),
        )
    except AmbiguousOverrides as error:
        return Look(case=case, refusals=[str(error)], warnings=warnings)
    try:
        what = preview(terms, asked.get("date") or timezone.localdate())
    except (OverflowError, ValueError):
        return Look(case=case, refusals=[_("These dates lie beyond what a calendar holds.")], warnings=warnings)
    return Look(
        case=case,
        warnings=warnings,
        what=what,
        drawing=draw(what.stays, what.minutes) if what.stays else None,
        told=[(each, _when(each)) for each in (*what.before, *what.after)],
        upkeep=[(words.maintenance(each.rule), _upkeep_note(each, what), each) for each in what.upkeep],
    )


def _when(told: Told) -> str:
    """From when to when an instruction holds, with the real day where it has one."""
    before = told.instruction.when == "before"
    if told.day is None:
        return (
            capfirst(told.instruction.offset_text)
            if told.instruction.offset_text
            else _("Before")
            if before
            else _("After")
        )
    words_ = {
        "from": _("From %s to the visit"),
        "until": _("From the visit to %s"),
        "until_at_least": _("From the visit at least to %s"),
        "until_at_most": _("From the visit to %s at the latest"),
        "by": _("By %s"),
        "on": _("On %s"),
        "not_before": _("Not before %s"),
    }
    when = words_[told.kind] % date_format(told.day, "D j M Y")
    if told.instruction.unit == "hour" and told.instruction.offset:
        return ngettext("%(when)s (%(n)d hour)", "%(when)s (%(n)d hours)", told.instruction.offset) % {
            "when": when,
            "n": told.instruction.offset,
        }
    return when


def _upkeep_note(upkeep: Any, what: Preview) -> str:
    """What is said instead of dates."""
    if upkeep.cycles:
        return ""
    if upkeep.opens is None:
        return _("Nothing to book.")
    if upkeep.opens == "waiting":
        return _("A to-do for the desk: the clinician decides.")
    if what.completed_on is None:
        return _("Counted from the day of the last session.")
    return _("Not within three years.")


LANE, LABEL, SPAN = 26, 92, 260


def draw(stays: Sequence[Stay], minutes: int) -> Drawing:
    """The phases of a visit side by side, and below them who and what each of them takes."""

    def scale(number: int) -> int:
        return round(number * SPAN / minutes)

    def boxes(takes: Any) -> list[tuple[int, int, str]]:
        return [
            (LABEL + scale(stay.start), scale(stay.start + stay.phase.minutes) - scale(stay.start), stay.phase.name)
            for stay in stays
            if takes(stay.phase)
        ]

    def takes_device(kind: str) -> Any:
        return lambda phase: phase.device_kind == kind

    kinds = dict.fromkeys(stay.phase.device_kind for stay in stays if stay.phase.device_kind)
    wanted: list[tuple[str, Any]] = [
        (_("Practitioner"), lambda phase: phase.practitioner),
        (_("Room"), lambda phase: phase.room),
        *((kind, takes_device(kind)) for kind in kinds),
    ]
    found = [(name, boxes(takes)) for name, takes in wanted]
    lanes = [
        Lane(name=name, y=LANE * (place + 1), boxes=taken)
        for place, (name, taken) in enumerate([each for each in found if each[1]])
    ]
    return Drawing(
        width=LABEL + SPAN,
        height=LANE * (len(lanes) + 1),
        phases=[(LABEL + scale(stay.start), scale(stay.phase.minutes), stay) for stay in stays],
        lanes=lanes,
    )
