"""Where the address of a record leads that was merged into another."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from patients.models import Patient


def to_the_kept(request: HttpRequest, patient: Patient) -> HttpResponse:
    """The same page of the record that `patient` became; what was pressed is to be pressed there."""
    messages.info(request, _("There were two records of this patient. They are one now, and this is it."))
    page = request.resolver_match.view_name if request.method in ("GET", "HEAD") else "desk:patient"
    return redirect(page, patient.merged_into_id)
