from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from config.health import HealthView

urlpatterns = [
    path("healthz", login_not_required(HealthView.as_view()), name="healthz"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("clinic.urls")),
]
