"""That somebody looked at a patient's record is kept."""

from django.http import HttpRequest
from django.utils import timezone

from patients.models import Patient
from patients.services import record_view


def note(request: HttpRequest, *patients: Patient) -> None:
    """Keep it, for a page that shows the record of one patient; not for each answer while a form on it is filled in."""
    if request.method == "POST":
        return
    for patient in patients:
        record_view(patient=patient, page=request.resolver_match.view_name, by=request.user, now=timezone.now())
