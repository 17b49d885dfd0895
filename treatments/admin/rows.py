"""The rows of a protocol and of a treatment, as they stand below one another in its form."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from treatments import forms
from treatments.models import (
    CareInstruction,
    MaintenanceRule,
    Milestone,
    Override,
    Phase,
    ProtocolAddOn,
    ScreeningQuestion,
)
from treatments.models.choices import Group

# In the address: an empty row of each kind, for browsers without scripts.
EMPTY_ROWS = "rows"


class PartOf:
    """A row is part of what it belongs to: whoever may change or look at that may do the same with its rows."""

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        # Rows are added by a script; without one the page asks for an empty row of each kind.
        return 1 if EMPTY_ROWS in request.GET else 0

    def _may(self, request: HttpRequest, *actions: str) -> bool:
        name = self.parent_model._meta.model_name  # type: ignore[attr-defined]
        return any(request.user.has_perm(f"treatments.{action}_{name}") for action in actions)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "view", "change", "add")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change" if obj else "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change" if obj else "add")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change" if obj else "add")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            # A row has room to add what is missing. An add-on has its minutes and its device there, to be corrected.
            field.widget.can_change_related = field.widget.can_change_related and db_field.name == "add_on"
            field.widget.can_delete_related = field.widget.can_view_related = False
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(field, ModelChoiceField):
            # The rows of one form offer the same choices; they are read once.
            field.choices = list(field.choices)
        return field


class Row(PartOf, admin.TabularInline):
    formset = forms.RowFormSet

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        for field in formset.form.base_fields.values():
            # A cell of a table has no label of its own.
            field.widget.attrs.setdefault("aria-label", str(field.label))
        return formset


class OverrideInline(PartOf, admin.StackedInline):
    model = Override
    form = forms.OverrideForm
    formset = forms.OverrideFormSet
    autocomplete_fields = ["concerns"]
    verbose_name_plural = _("Overrides: for whom something is different")
    fieldsets = [
        (None, {"fields": ["name"]}),
        (_("For whom"), {"fields": ["concerns", ("severity", "area", "depth_min_mm", "depth_max_mm")]}),
        (
            _("What is different"),
            {
                "fields": [
                    "replaces",
                    ("session_kind", "session_min", "session_max", "session_typical", "session_text"),
                    ("spacing_min", "spacing_ideal", "spacing_max", "spacing_unit", "tolerance_days"),
                    "anaesthesia",
                ],
                "description": _(
                    "Phases, add-ons and maintenance of this override stand below, with its name under “only for”."
                ),
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("concerns")


class OnlyFor:
    """Rows that may belong to an override, which replaces `group` by them."""

    group: Group

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("override")  # type: ignore[misc]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        formset.group = self.group
        return formset


class PhaseInline(OnlyFor, Row):
    model = Phase
    form = forms.ProtocolPhaseForm
    group = Group.PHASES
    verbose_name_plural = _("Phases of a visit (none: as the treatment has them)")
    fields = [
        "name",
        "minutes",
        "occupies_practitioner",
        "occupies_room",
        "device_kind",
        "numbing",
        "only_for",
        "position",
    ]


class TreatmentPhaseInline(Row):
    model = Phase
    form = forms.PhaseForm
    fk_name = "treatment"
    verbose_name_plural = _("Phases of a visit")
    fields = ["name", "minutes", "occupies_practitioner", "occupies_room", "device_kind", "numbing", "position"]


class AddOnInline(OnlyFor, Row):
    model = ProtocolAddOn
    form = forms.AddOnForm
    group = Group.ADD_ONS
    verbose_name = _("add-on")
    verbose_name_plural = _("Add-ons")
    fields = ["add_on", "role", "route", "only_for", "position"]


class CareInline(PartOf, admin.StackedInline):
    model = CareInstruction
    form = forms.CareForm
    formset = forms.RowFormSet
    verbose_name_plural = _("Before and after: care")
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("when", "action", "text", "position"),
                    ("offset", "unit", "bound", "offset_text", "repeat_hours"),
                ]
            },
        )
    ]


class MilestoneInline(Row):
    model = Milestone
    form = forms.MilestoneForm
    verbose_name_plural = _("Before and after: milestones")
    fields = ["name", "kind", "min_days", "max_days", "max_months", "position"]


class ScreeningInline(Row):
    model = ScreeningQuestion
    form = forms.ScreeningForm
    verbose_name_plural = _("Before and after: screening questions")
    fields = ["text", "effect", "days_valid", "position"]


class MaintenanceInline(OnlyFor, PartOf, admin.StackedInline):
    model = MaintenanceRule
    form = forms.MaintenanceRuleForm
    formset = forms.RowFormSet
    verbose_name_plural = _("Maintenance")
    group = Group.MAINTENANCE
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("kind", "min", "max", "unit", "times_per_year"),
                    ("treatment", "text"),
                    ("only_for", "position", "at_least"),
                ]
            },
        )
    ]
