"""Sites, practitioners, rooms and devices, their hours and when they are away. Bookings are there to look at."""

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.models import Absence, Appointment, Claim, Closure, OpeningHours, Resource, Site, WorkingHours


class InTheZoneOfTheSite(admin.ModelAdmin):
    """Times are typed and shown by the wall clock of the site, not by that of the server.

    What has a time is offered once the site is stored, because only then its clock is known.
    """

    timed_inlines: tuple[type[admin.TabularInline], ...] = ()

    def get_inlines(self, request, obj):
        return [*self.inlines, *(self.timed_inlines if obj else ())]

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        stored = self.get_object(request, object_id) if object_id else None
        with timezone.override(self.zone_of(stored) if stored else None):
            response = super().changeform_view(request, object_id, form_url, extra_context)
            # A page is rendered late; its times are to be this site's all the same.
            return response.render() if getattr(response, "is_rendered", True) is False else response


class OpeningHoursInline(admin.TabularInline):
    model = OpeningHours
    extra = 0


class ClosureInline(admin.TabularInline):
    model = Closure
    extra = 0


@admin.register(Site)
class SiteAdmin(InTheZoneOfTheSite):
    list_display = ["name", "short_name", "time_zone", "active"]
    inlines = [OpeningHoursInline]
    timed_inlines = (ClosureInline,)

    def zone_of(self, site: Site):
        return site.time_zone


class WorkingHoursInline(admin.TabularInline):
    model = WorkingHours
    extra = 0


class AbsenceInline(admin.TabularInline):
    model = Absence
    extra = 0


@admin.register(Resource)
class ResourceAdmin(InTheZoneOfTheSite):
    """A practitioner is free only within working hours; rooms and devices whenever the site is open."""

    list_display = ["name", "kind", "site", "device_kind", "active"]
    list_filter = ["kind", "site", "active"]
    list_select_related = ["site", "device_kind"]
    search_fields = ["name"]
    autocomplete_fields = ["user"]
    filter_horizontal = ["treatments"]
    inlines = [WorkingHoursInline]
    timed_inlines = (AbsenceInline,)

    def zone_of(self, resource: Resource):
        return resource.site.time_zone


class ReadOnly:
    """To look at: bookings are changed at the desk."""

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


class ClaimInline(ReadOnly, admin.TabularInline):
    model = Claim
    fields = ["resource", "starts_at", "ends_at"]
    verbose_name_plural = _("claims")


@admin.register(Appointment)
class AppointmentAdmin(ReadOnly, InTheZoneOfTheSite):
    list_display = ["starts_at", "patient", "treatment", "practitioner", "site", "status"]
    list_filter = ["site", "status"]
    list_select_related = ["patient", "treatment", "practitioner", "site"]
    inlines = [ClaimInline]
    show_full_result_count = False

    def zone_of(self, appointment: Appointment):
        return appointment.site.time_zone
