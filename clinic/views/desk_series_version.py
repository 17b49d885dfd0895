"""Move a series to the current version of its protocol: first what changes, then the press."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.permissions import staff_required
from clinic.services import series_version
from patients.errors import Refused
from treatments.models import Series

MAY_MOVE = "treatments.move_series_version"


@staff_required
def move(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm(MAY_MOVE):
        raise PermissionDenied
    series = get_object_or_404(Series.objects.select_related("patient", "protocol__treatment", "concern"), pk=pk)
    now = timezone.now()
    if request.method == "POST":
        try:
            series_version.move(series=series, version=_version(request), by=request.user, now=now)
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("desk:series-version", series.pk)
        messages.success(
            request, _("The series is on version %d now. Appointments stay where they are.") % series.protocol.version
        )
        return redirect("desk:patient", series.patient_id)
    try:
        found = series_version.preview(series, now=now)
    except Refused as refusal:
        messages.info(request, str(refusal))
        return redirect("desk:patient", series.patient_id)
    return render(request, "desk/series_version.html", {"series": series, "patient": series.patient, "preview": found})


def _version(request: HttpRequest) -> int:
    """The version that the page showed; 0, which none has, for anything else."""
    shown = request.POST.get("version", "")
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 10 else 0
