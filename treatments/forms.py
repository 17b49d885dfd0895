"""Protocols as they are typed: the template itself, its overrides, and the rows that may belong to one of them.

The words of a refusal are mostly those of the models' constraints; a form says at which field they stand. What several
rows say together (who matches the same case, which override a row is for) is judged by the formsets.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import CheckConstraint
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from treatments import matching
from treatments.matching import Case, Clash
from treatments.models.choices import CountKind, Group, Severity, Unit
from treatments.services.series import MOST_SESSIONS
from treatments.terms import DIARY_STEP

# The id of the list of suggestions that every "only for" field shares.
OVERRIDE_NAMES = "override-names"
LEAST_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 30}

COUNT_AND_SPACING = {
    "has_at_least_one_session": "session_min",
    "fixed_count_is_one_number": "session_min",
    "range_runs_upwards": "session_max",
    "count_in_words_has_words": "session_text",
    "numbers_only_where_counted": "session_kind",
    "typical_count_in_range": "session_typical",
    "spacing_whole_or_empty": "spacing_unit",
    "sessions_on_different_days": "spacing_min",
    "spacing_in_order": "spacing_ideal",
}


class Lines(forms.CharField):
    """A list of words, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if any(len(line) > 60 for line in value):
            raise ValidationError(_("Each line has at most 60 characters."))


class PlacedForm(forms.ModelForm):
    """Shows what a constraint refuses at a field. `places` has the constraints' names, without the model's."""

    places: ClassVar[dict[str, str]] = {}

    def add_error(self, field: str | None, error: Any) -> None:
        if field is not None or not isinstance(error, ValidationError) or not hasattr(error, "error_dict"):
            super().add_error(field, error)
            return
        for name, errors in error.error_dict.items():
            for each in errors:
                place = self._place(each) if name == NON_FIELD_ERRORS else name
                super().add_error(place if place in self.fields else None, each)

    def _place(self, error: ValidationError) -> str | None:
        for constraint in self._meta.model._meta.constraints:
            if isinstance(constraint, CheckConstraint) and constraint.get_violation_error_message() == error.message:
                return self.places.get(constraint.name.partition("_")[2])
        return None


class CountedAndSpaced(PlacedForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("session_kind") == CountKind.FIXED:
            # One number says it all.
            least, most = data.get("session_min"), data.get("session_max")
            data["session_min"] = most if least is None else least
            data["session_max"] = least if most is None else most
        elif data.get("session_kind") == CountKind.RANGE:
            self._check_order("session_min", "session_max", _("The minimum is above the maximum."))
        if (data.get("session_max") or 0) > MOST_SESSIONS:
            self.add_error("session_max", _("A series has between 1 and %d sessions.") % MOST_SESSIONS)
        if not self._check_order("spacing_min", "spacing_max", _("The minimum is above the maximum.")):
            self._check_order("spacing_min", "spacing_ideal", _("The minimum is above the ideal."))
            self._check_order("spacing_ideal", "spacing_max", _("The ideal is above the maximum."))
        return data

    def _check_order(self, low: str, high: str, words: str) -> bool:
        """Refuse the lower field where it is above the higher; whether it was."""
        least, most = self.cleaned_data.get(low), self.cleaned_data.get(high)
        if least is None or most is None or least <= most:
            return False
        self.add_error(low, words)
        return True


def outruns_the_diary(*, sessions: int | None, spacing: int | None, unit: str) -> str:
    """The refusal of a course whose last session could lie beyond the days that are planned ahead; else empty."""
    if not sessions or not spacing or unit not in LEAST_DAYS:
        return ""
    days = (sessions - 1) * spacing * LEAST_DAYS[Unit(unit)]
    if days <= settings.PLANNING_HORIZON_DAYS:
        return ""
    return _("%(sessions)d sessions so far apart take %(days)d days, and only %(horizon)d days are planned ahead.") % {
        "sessions": sessions,
        "days": days,
        "horizon": settings.PLANNING_HORIZON_DAYS,
    }


class ProtocolForm(CountedAndSpaced):
    areas = Lines(
        label=gettext_lazy("Areas"), required=False, help_text=gettext_lazy("One a line. Empty: no area was named.")
    )
    depends_on = Lines(
        label=gettext_lazy("Depends on"),
        required=False,
        help_text=gettext_lazy(
            "What the number of sessions or the spacing depends on, in words, one a line. Empty: on nothing named."
        ),
    )
    places = {**COUNT_AND_SPACING, "other_treatments_on_different_days": "other_treatments_days"}

    class Meta:
        help_texts = {
            "name": gettext_lazy("What the desk chooses it by."),
            "treatment": gettext_lazy("Its phases are the visit, unless phases are given here."),
            "indications": gettext_lazy("Empty: for no concern in particular."),
            "severity": gettext_lazy("Empty: whatever the severity."),
            "session_kind": gettext_lazy("“Not said”: the desk will ask the clinician."),
            "session_min": gettext_lazy("A fixed number stands here alone."),
            "session_typical": gettext_lazy("What the desk is offered first. Empty: the least."),
            "session_text": gettext_lazy("As the patient is told: “a few”, “consecutive”."),
            "spacing_min": gettext_lazy("Empty, all of it: not said, and the desk will ask the clinician."),
            "spacing_ideal": gettext_lazy("Empty: the middle."),
            "tolerance_days": gettext_lazy("Days earlier or later, where least and most are the same."),
            "other_treatments_days": gettext_lazy("Empty: nobody said that other treatments must wait."),
            "anaesthesia": gettext_lazy("“None” leaves out the numbing. Empty: not said, and numbing is planned."),
            "no_show": gettext_lazy("Empty: not said."),
            "evidence": gettext_lazy("Such as “expert opinion”. Empty: not said."),
            "source_label": gettext_lazy("Where it comes from. Empty: not said."),
            "off_label": gettext_lazy("The product is used other than it was licensed for."),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        refusal = outruns_the_diary(
            sessions=data.get("session_max"), spacing=data.get("spacing_max"), unit=data.get("spacing_unit") or ""
        )
        if refusal:
            self.add_error("spacing_max", refusal)
        return data


class OverrideForm(CountedAndSpaced):
    replaces = forms.MultipleChoiceField(
        label=gettext_lazy("Replaces"),
        choices=Group.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("What is not ticked is as the template says. Ticked and left empty: not said here."),
    )
    places = {
        **COUNT_AND_SPACING,
        "depth_in_order": "depth_min_mm",
        "depth_above_zero": "depth_min_mm",
        "replaces_known_groups": "replaces",
        "says_only_what_it_replaces": "replaces",
    }

    class Meta:
        help_texts = {
            "concerns": gettext_lazy("Any of these. Empty: whatever the concern."),
            "severity": gettext_lazy("Empty: any."),
            "area": gettext_lazy("Empty: any."),
            "depth_min_mm": gettext_lazy("Empty: from nothing."),
            "depth_max_mm": gettext_lazy("Empty: without end."),
        }

    def matches(self) -> matching.Conditions:
        data = self.cleaned_data
        return matching.Conditions(
            concerns=frozenset(data.get("concerns") or ()),
            severity=data.get("severity") or "",
            area=data.get("area") or "",
            depth_min_mm=data.get("depth_min_mm"),
            depth_max_mm=data.get("depth_max_mm"),
        )


class ProtocolFormSet(BaseInlineFormSet):
    def kept(self) -> Iterator[forms.ModelForm]:
        """The forms whose rows there will be: filled in, and not to be deleted."""
        for form in self.forms:
            if hasattr(form, "cleaned_data") and not self._should_delete_form(form):
                if form in self.extra_forms and not form.has_changed():
                    continue
                yield form


class OverrideFormSet(ProtocolFormSet):
    """`doubts` has, once validated, the pairs that only a patient of both kinds would bring to clash."""

    doubts: list[str]

    def clean(self) -> None:
        self.doubts = []
        forms_ = list(self.kept())
        self._check_names(forms_)
        # It would refuse two of one name too, but at no field.
        super().clean()
        for form in forms_:
            self._check_length(form)
            if not form.errors and not form.matches().named:
                form.add_error("concerns", _("Say for whom: a concern, a severity, an area or a needle depth."))
        for clash in matching.clashes([form.matches() for form in forms_]):
            self._refuse(clash, forms_)

    def by_name(self) -> dict[str, forms.ModelForm]:
        """The overrides there will be, by name, and by the name that one had before where that is free."""
        now = {form.cleaned_data["name"]: form for form in self.kept() if form.cleaned_data.get("name")}
        before = {form.initial["name"]: form for form in now.values() if form.initial.get("name")}
        return before | now

    def _check_names(self, forms_: list[forms.ModelForm]) -> None:
        seen = set()
        for form in forms_:
            name = form.cleaned_data.get("name")
            if name in seen:
                form.add_error("name", _("Another override of this protocol has this name."))
            seen.add(name)

    def _check_length(self, form: forms.ModelForm) -> None:
        """The override's numbers together with those that it takes from the template."""
        data, whole = form.cleaned_data, self.instance
        replaces = data.get("replaces") or []
        counted, spaced = Group.SESSIONS in replaces, Group.SPACING in replaces
        if not counted and not spaced:
            return
        refusal = outruns_the_diary(
            sessions=data.get("session_max") if counted else whole.session_max,
            spacing=data.get("spacing_max") if spaced else whole.spacing_max,
            unit=(data.get("spacing_unit") if spaced else whole.spacing_unit) or "",
        )
        if refusal:
            form.add_error("spacing_max" if spaced else "session_max", refusal)

    def _refuse(self, clash: Clash, forms_: list[forms.ModelForm]) -> None:
        first, second = (forms_[place].cleaned_data.get("name") or "…" for place in (clash.first, clash.second))
        words = {"first": first, "second": second, "case": in_words(clash.case)}
        if clash.alike:
            form = forms_[clash.second]
            place = {"depth": "depth_min_mm"}
            kind = next(kind for kind in ("concerns", "area", "severity", "depth") if kind in form.matches().named)
            form.add_error(
                place.get(kind, kind),
                _("“%(first)s” and “%(second)s” fit the same case equally well: %(case)s. Only one can apply.") % words,
            )
        else:
            self.doubts.append(
                _(
                    "“%(first)s” and “%(second)s” both fit %(case)s, and neither goes first: no series can be started "
                    "for such a case. An override for exactly this case would settle it."
                )
                % words
            )


def in_words(case: Case) -> str:
    parts = [case.concern, case.severity and Severity(case.severity).label.lower(), case.area]
    if case.depth_mm is not None:
        parts.append(_("%s mm") % f"{case.depth_mm.normalize():f}")
    return ", ".join(str(part) for part in parts if part)


class RowForm(PlacedForm):
    """A row in its order; without a number it comes last."""

    position = forms.IntegerField(
        label=gettext_lazy("Order"),
        required=False,
        min_value=0,
        max_value=32767,
        help_text=gettext_lazy("Empty: last."),
    )


class OnlyForForm(RowForm):
    """A row that may belong to an override, which it names."""

    only_for = forms.CharField(
        label=gettext_lazy("Only for"),
        required=False,
        widget=forms.TextInput(attrs={"list": OVERRIDE_NAMES, "autocomplete": "off"}),
        help_text=gettext_lazy("The name of an override. Empty: as the template says."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.override_id:
            self.initial["only_for"] = self.instance.override.name
        if "only_for" in self.fields:
            self.fields["only_for"].initial = self.initial.get("only_for")


class RowFormSet(ProtocolFormSet):
    """`overrides` is the formset beside it in the same form. `group` is what an override replaces by such rows."""

    overrides: OverrideFormSet | None = None
    group: Group | None = None

    def clean(self) -> None:
        super().clean()
        forms_ = list(self.kept())
        last = max((form.cleaned_data.get("position") or 0 for form in forms_), default=0)
        for form in forms_:
            if form.cleaned_data.get("position") is None:
                last += 1
                form.cleaned_data["position"] = form.instance.position = last
            self._check_override(form)

    def _check_override(self, form: forms.ModelForm) -> None:
        name = form.cleaned_data.get("only_for")
        if not name or self.overrides is None:
            return
        override = self.overrides.by_name().get(name)
        if override is None:
            form.add_error("only_for", _("This protocol has no override of this name."))
        elif self.group not in (override.cleaned_data.get("replaces") or []):
            form.add_error(
                "only_for",
                _("“%(name)s” does not replace this: tick “%(group)s” there.")
                % {"name": name, "group": Group(self.group).label},
            )

    def _attach(self, form: forms.ModelForm) -> None:
        if self.overrides is None or "only_for" not in form.cleaned_data:
            return
        name = form.cleaned_data["only_for"]
        form.instance.override = self.overrides.by_name()[name].instance if name else None

    def save_new(self, form: forms.ModelForm, commit: bool = True) -> Any:
        self._attach(form)
        return super().save_new(form, commit=commit)

    def save_existing(self, form: forms.ModelForm, obj: Any, commit: bool = True) -> Any:
        self._attach(form)
        return super().save_existing(form, obj, commit=commit)


class PhaseForm(RowForm):
    places = {"takes_time": "minutes", "occupies_something": "occupies_practitioner"}

    def clean_minutes(self) -> int:
        minutes = self.cleaned_data["minutes"]
        if minutes % DIARY_STEP:
            raise ValidationError(_("The diary counts in steps of %d minutes.") % DIARY_STEP)
        return minutes


class ProtocolPhaseForm(PhaseForm, OnlyForForm):
    pass


class AddOnForm(OnlyForForm):
    class Meta:
        help_texts = {"route": gettext_lazy("Such as “injected”. Empty: not said.")}


class MaintenanceRuleForm(OnlyForForm):
    places = {
        "at_least_one_unit": "min",
        "numbers_in_order": "max",
        "number_has_a_unit": "unit",
        "per_year_says_how_often": "times_per_year",
        "at_most_daily": "times_per_year",
        "numbers_only_where_counted": "kind",
    }

    class Meta:
        help_texts = {
            "min": gettext_lazy("Empty: no number was said, and the clinician decides each time."),
            "max": gettext_lazy("Empty: exactly so long."),
            "treatment": gettext_lazy("Empty: nobody named one; it is booked as the series' own."),
            "text": gettext_lazy("As the source says it."),
            "at_least": gettext_lazy("So many times a year at least."),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        least, most = data.get("min"), data.get("max")
        if least is not None and most is not None and least > most:
            self.add_error("min", _("The minimum is above the maximum."))
        return data


class CareForm(RowForm):
    places = {
        "offset_has_a_unit": "unit",
        "bound_has_something_to_bind": "bound",
        "repeats_hourly_at_most": "repeat_hours",
    }

    class Meta:
        help_texts = {
            "offset": gettext_lazy("Empty: no time was said."),
            "bound": gettext_lazy("“Exactly” is one day. Empty: not said."),
            "offset_text": gettext_lazy("Such as “the night before”."),
            "repeat_hours": gettext_lazy("Empty: once."),
        }


class MilestoneForm(RowForm):
    places = {"days_in_order": "min_days"}

    class Meta:
        help_texts = {"kind": gettext_lazy("Empty: another.")}


class ScreeningForm(RowForm):
    places = {"answer_lasts_a_day": "days_valid"}

    class Meta:
        help_texts = {"days_valid": gettext_lazy("Empty: for ever.")}
