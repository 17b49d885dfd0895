"""Who may open a page of the portal, and in which language it speaks."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import translation
from django.utils.cache import add_never_cache_headers

from clinic.models import Appointment, Site
from patients.models import Patient

View = Callable[..., HttpResponse]


def patient_required(view: View) -> View:
    """The view is given the signed-in patient; 404 for everybody who is none. It speaks the patient's language.

    Nothing is kept by the browser: "back" after signing out shows nobody's course.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        patient = get_object_or_404(Patient.objects.current(), user=request.user)
        with translation.override(patient.language):
            response = view(request, patient, *args, **kwargs)
            response.headers["Content-Language"] = translation.get_language()
        add_never_cache_headers(response)
        return response

    return guarded


def own_visit(patient: Patient, pk: int) -> Appointment:
    """A visit of this patient, 404 for any other."""
    return get_object_or_404(
        patient.appointments.select_related(
            "patient",
            "site",
            "treatment",
            "practitioner",
            "room",
            "session__series__protocol",
            "maintenance__series__protocol",
            "maintenance__treatment",
        ),
        pk=pk,
    )


def phone_link(site: Site | None) -> str:
    """The number as a phone dials it."""
    return "".join(c for c in site.phone if c.isdigit() or c == "+") if site else ""


def usual_site(patient: Patient) -> Site | None:
    """Whom to call: the site the patient went to last, else the clinic's first."""
    latest = patient.appointments.select_related("site").order_by("-starts_at", "-pk").first()
    return latest.site if latest else Site.objects.filter(active=True).first()
