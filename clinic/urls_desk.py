"""The front desk's pages."""

from django.urls import path

from clinic.views import desk_series

app_name = "desk"

urlpatterns = [
    path("patients/<int:pk>/series/new/", desk_series.new, name="series-new"),
    path("series/<int:pk>/book/", desk_series.rest, name="series-book"),
]
