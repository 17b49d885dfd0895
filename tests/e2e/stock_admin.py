"""The admin exactly as Django ships it, on our models: what axe finds there is not ours to mend."""

from django.contrib import admin
from django.urls import include, path

from treatments.models import Concern, Override, Phase, Protocol, Treatment


class StockSite(admin.AdminSite):
    name = "stock"


site = StockSite(name="stock")


class PhaseInline(admin.TabularInline):
    model = Phase
    extra = 1


class OverrideInline(admin.StackedInline):
    model = Override
    extra = 1
    autocomplete_fields = ["concerns"]


@admin.register(Protocol, site=site)
class ProtocolAdmin(admin.ModelAdmin):
    # By name, because ours would be found first.
    change_form_template = "admin/change_form.html"
    change_list_template = "admin/change_list.html"
    inlines = [PhaseInline, OverrideInline]
    autocomplete_fields = ["indications"]
    list_filter = ["status"]
    search_fields = ["name"]


@admin.register(Concern, site=site)
class ConcernAdmin(admin.ModelAdmin):
    search_fields = ["name"]


site.register(Treatment)

urlpatterns = [path("stock/", site.urls), path("", include("config.urls"))]
