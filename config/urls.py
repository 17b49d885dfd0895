from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path

from config.health import HealthView

# The admin's own sign-in knows neither the second factor nor the limits on tries.
admin.site.login = secure_admin_login(admin.site.login)


def closed(request: HttpRequest) -> HttpResponse:
    """Addresses are changed with the patient's details, at the desk, so that the two cannot drift apart."""
    raise Http404


urlpatterns = [
    path("healthz", login_not_required(HealthView.as_view()), name="healthz"),
    path("admin/", admin.site.urls),
    path("accounts/email/", closed, name="account_email"),
    path("accounts/", include("allauth.urls")),
    path("", include("clinic.urls")),
]
