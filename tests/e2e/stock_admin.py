"""The admin exactly as Django ships it, on our models: what axe finds there is not ours to mend."""

from django.contrib import admin
from django.urls import include, path

from treatments.models import Concern, Override, Phase, Treatment

site = admin.AdminSite(name="stock")


class PhaseInline(admin.TabularInline):
    model = Phase
    fk_name = "treatment"
    extra = 1


@admin.register(Treatment, site=site)
class TreatmentAdmin(admin.ModelAdmin):
    inlines = [PhaseInline]
    list_filter = ["active"]
    search_fields = ["name"]


@admin.register(Override, site=site)
class OverrideAdmin(admin.ModelAdmin):
    autocomplete_fields = ["concerns"]


@admin.register(Concern, site=site)
class ConcernAdmin(admin.ModelAdmin):
    search_fields = ["name"]


urlpatterns = [path("stock/", site.urls), path("", include("config.urls"))]
