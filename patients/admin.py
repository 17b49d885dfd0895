"""Patients and their consents, to look at. They are changed at the desk, where every rule holds."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients import search, services
from patients.models import Consent, Patient, RecordView

MOST_FOUND = 200


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False


class ConsentInline(ReadOnly, admin.TabularInline):
    model = Consent
    fields = ["purpose", "channel", "granted", "wording", "source", "given_at", "recorded_by"]
    ordering = ["-given_at", "-pk"]

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).select_related("recorded_by")


@admin.register(Patient)
class PatientAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "date_of_birth", "phone", "email", "registered_at"]
    ordering = ["-pk"]
    show_full_result_count = False
    # What is searched is for patients.search to say; the admin only asks whether there is anything.
    search_fields = ["name_folded"]
    search_help_text = _("Name, phone, e-mail or date of birth")
    exclude = ["user", "name_folded"]
    inlines = [ConsentInline]

    def get_search_results(self, request: HttpRequest, queryset, search_term: str):
        if not search_term:
            return queryset, False
        return queryset.filter(pk__in=[patient.pk for patient in search.find(search_term, limit=MOST_FOUND)]), False

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None):
        response = super().changeform_view(request, object_id, form_url, extra_context)
        if isinstance(patient := getattr(response, "context_data", {}).get("original"), Patient):
            services.record_view(patient=patient, page="admin", by=request.user, now=timezone.now())
        return response


@admin.register(Consent)
class ConsentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["patient", "purpose", "channel", "granted", "source", "given_at"]
    list_filter = ["purpose", "channel", "granted"]
    list_select_related = ["patient"]
    ordering = ["-pk"]
    show_full_result_count = False


@admin.register(RecordView)
class RecordViewAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["at", "user", "patient", "page"]
    list_select_related = ["user", "patient"]
    ordering = ["-pk"]
    show_full_result_count = False
