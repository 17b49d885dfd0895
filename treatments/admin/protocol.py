"""Protocol templates, as a clinician reads them: in the order of a course, with what they do beside them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from treatments import forms
from treatments.admin import rows
from treatments.admin.looking import ONLY_LOOK, CaseForm, Look, look, typed
from treatments.admin_versions import VersionsMixin
from treatments.models import Protocol, Series, Treatment
from treatments.models.choices import RuleKind


class OnlyLooking:
    """Sent to look at: checked as ever, and never good enough to be stored."""

    def is_valid(self) -> bool:
        super().is_valid()  # type: ignore[misc]
        return False


# The parts of the form in the order of a course: the name of a fieldset, or the rows that stand there.
SPACING, VISIT = gettext_lazy("Spacing"), gettext_lazy("A visit")
ORDER: list[Any] = [
    gettext_lazy("What for"),
    gettext_lazy("Sessions"),
    SPACING,
    VISIT,
    rows.PhaseInline,
    rows.OverrideInline,
    rows.AddOnInline,
    rows.CareInline,
    rows.MilestoneInline,
    rows.ScreeningInline,
    rows.MaintenanceInline,
    gettext_lazy("Evidence and status"),
]


@admin.register(Protocol)
class ProtocolAdmin(VersionsMixin, admin.ModelAdmin):
    form = forms.ProtocolForm
    change_form_template = "admin/treatments/protocol/change_form.html"
    list_display = ["name", "treatment", "status", "version", "running", "to_be_confirmed"]
    list_filter = ["status", "confirmed_by_clinician", "treatment", "off_label"]
    list_select_related = ["treatment"]
    search_fields = ["name", "treatment__name", "indications__name", "overrides__concerns__name"]
    search_help_text = gettext_lazy("Name, treatment or concern")
    autocomplete_fields = ["indications"]
    save_on_top = False
    # Overrides first, because rows that are for one of them are stored after it.
    inlines = [rows.OverrideInline, *(part for part in ORDER if isinstance(part, type) and part != rows.OverrideInline)]
    fieldsets = [
        (ORDER[0], {"fields": ["name", "treatment", "indications", ("areas", "severity")]}),
        (
            ORDER[1],
            {
                "fields": [
                    ("session_kind", "session_min", "session_max", "session_typical"),
                    ("session_text", "depends_on"),
                ]
            },
        ),
        (
            SPACING,
            {
                "fields": [
                    ("spacing_min", "spacing_ideal", "spacing_max", "spacing_unit", "tolerance_days"),
                    "other_treatments_days",
                ]
            },
        ),
        (VISIT, {"fields": [("anaesthesia", "no_show")]}),
        (
            ORDER[-1],
            {
                "fields": [
                    ("evidence", "source_label"),
                    ("off_label", "confirmed_by_clinician", "status"),
                ]
            },
        ),
    ]
    # What only apps above this one can know of a treatment. Each gives sentences; none refuses.
    further_warnings: list[Callable[[Treatment], Iterable[str]]] = []

    class Media:
        css = {"all": ["css/admin.css"]}
        js = ["js/admin_protocol.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Protocol]:
        running = (
            Series.objects.under_way()
            .filter(protocol=OuterRef("pk"))
            .order_by("-protocol_version")
            .values("protocol_version")
            .annotate(n=Count("pk"))
            .values(data=JSONObject(version=F("protocol_version"), n=F("n")))
        )
        return super().get_queryset(request).annotate(running_series=ArraySubquery(running))

    @admin.display(description=gettext_lazy("running series"))
    def running(self, protocol: Any) -> str:
        return ", ".join(
            _("%(n)d on version %(version)d") % {"n": row["n"], "version": row["version"]}
            for row in protocol.running_series
        )

    @admin.display(description=gettext_lazy("to be confirmed"))
    def to_be_confirmed(self, protocol: Protocol) -> str:
        return "" if protocol.confirmed_by_clinician else _("yes")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (OnlyLooking, form), {}) if ONLY_LOOK in request.POST else form

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:
        formsets, inlines = super()._create_formsets(request, obj, change)
        overrides = next(formset for formset in formsets if isinstance(formset, forms.OverrideFormSet))
        for formset in formsets:
            if isinstance(formset, forms.RowFormSet):
                formset.overrides = overrides
        return formsets, inlines

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        for warning in self.warnings(form.instance, formsets):
            messages.warning(request, warning)

    def warnings(self, protocol: Protocol, formsets: Sequence[Any]) -> list[str]:
        """What is no contradiction and still worth a look."""
        found = [doubt for formset in formsets for doubt in getattr(formset, "doubts", [])]
        for formset in formsets:
            if formset.model is rows.MaintenanceInline.model and formset.is_bound:
                for row in formset.kept():
                    if row.instance.kind == RuleKind.EVERY and row.instance.min is None:
                        found.append(_("“Every …” without a number: a to-do for the desk after each series."))
        if protocol.treatment_id:
            for check in self.further_warnings:
                found += check(protocol.treatment)
        return list(dict.fromkeys(found))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        data = request.POST if request.method == "POST" else request.GET
        only_look = ONLY_LOOK in data
        inlines = {type(inline.opts): inline for inline in context["inline_admin_formsets"]}
        by_name = {str(fieldset.name): fieldset for fieldset in context["adminform"]}
        context |= {
            "parts": [
                {"rows": inlines[part]} if isinstance(part, type) else {"fieldset": by_name[str(part)]}
                for part in ORDER
                if not isinstance(part, type) or part in inlines
            ],
            "look": self._look(request, context, CaseForm(data)),
            "only_look": ONLY_LOOK,
            # The form needs the width.
            "is_nav_sidebar_enabled": False,
            "override_list": forms.OVERRIDE_NAMES,
            "empty_rows": rows.EMPTY_ROWS,
        }
        response = super().render_change_form(request, context, add, change, form_url, obj)
        if request.htmx and only_look:  # type: ignore[attr-defined]
            response.template_name = "admin/treatments/protocol/_preview.html"
        return response

    def _look(self, request: HttpRequest, context: dict[str, Any], case: CaseForm) -> Look:
        form = context["adminform"].form
        formsets = [inline.formset for inline in context["inline_admin_formsets"]]
        if not form.is_bound:
            if context["original"] is None:
                return Look(case=case)
            return look(context["original"], case, warnings=self.warnings(context["original"], formsets))
        if refusals := _refusals(form, formsets):
            return Look(case=case, refusals=refusals)
        return look(typed(form, formsets), case, warnings=self.warnings(form.instance, formsets))


def _refusals(form: Any, formsets: Sequence[Any]) -> list[str]:
    """What keeps the preview from being computed. A template that has no name yet can still be looked at."""
    found = _errors_of(form, without=["name"])
    for formset in formsets:
        found += formset.non_form_errors()
        for row in formset.forms:
            found += [f"{capfirst(formset.model._meta.verbose_name)}, {error}" for error in _errors_of(row)]
    return list(dict.fromkeys(found))


def _errors_of(form: Any, *, without: Sequence[str] = ()) -> list[str]:
    return [
        f"{form.fields[name].label}: {error}" if name in form.fields else str(error)
        for name, errors in form.errors.items()
        if name not in without
        for error in errors
    ]
