"""What a clinic can do: treatments with their visits, kinds of device, concerns, add-ons."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from treatments.admin.rows import TreatmentPhaseInline
from treatments.models import AddOn, Concern, DeviceKind, MaintenanceRule, Phase, Protocol, ProtocolAddOn, Treatment


class NameStays:
    """The name is read-only once it is used: what was agreed with patients keeps names, not keys."""

    def is_used(self, obj: Any) -> bool:
        raise NotImplementedError

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        return [*fields, "name"] if obj and self.is_used(obj) else fields

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj and self.is_used(obj):
            kwargs["help_texts"] = {"name": _("In use: protocols and running series know it by this name.")}
        return super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]


@admin.register(Treatment)
class TreatmentAdmin(NameStays, admin.ModelAdmin):
    list_display = ["name", "active"]
    list_filter = ["active"]
    search_fields = ["name"]
    fields = ["name", "description", "active"]
    inlines = [TreatmentPhaseInline]

    def is_used(self, obj: Treatment) -> bool:
        rules = MaintenanceRule.objects.filter(treatment=obj)
        return Protocol.objects.filter(treatment=obj).exists() or rules.exists()


@admin.register(DeviceKind)
class DeviceKindAdmin(NameStays, admin.ModelAdmin):
    search_fields = ["name"]

    def is_used(self, obj: DeviceKind) -> bool:
        return Phase.objects.filter(device_kind=obj).exists() or AddOn.objects.filter(device_kind=obj).exists()


@admin.register(Concern)
class ConcernAdmin(admin.ModelAdmin):
    search_fields = ["name"]


@admin.register(AddOn)
class AddOnAdmin(NameStays, admin.ModelAdmin):
    list_display = ["name", "extra_minutes", "device_kind"]
    list_select_related = ["device_kind"]
    search_fields = ["name"]

    def is_used(self, obj: AddOn) -> bool:
        return ProtocolAddOn.objects.filter(Q(add_on=obj)).exists()
