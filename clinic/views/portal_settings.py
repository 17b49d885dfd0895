"""What the clinic may write to the patient, in which language, and the patient's own data as a file."""

import json
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib import messages
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.services import own_data
from clinic.services.course_view import UTC
from clinic.views.portal_page import patient_required
from patients.errors import Refused
from patients.models import Channel, Patient, Purpose


@patient_required
def preferences(request: HttpRequest, patient: Patient) -> HttpResponse:
    if request.method == "POST":
        known = dict(settings.LANGUAGES)
        language = request.POST.get("language", "")
        if language not in known:
            language = patient.language
        first_channel = request.POST.get("first_channel", "")
        if first_channel not in Channel.values:
            first_channel = patient.first_channel
        try:
            own_data.decide(
                patient=patient,
                granted=set(request.POST),
                language=language,
                first_channel=first_channel,
                time_zone=_time_zone(request, patient),
                by=request.user,
                now=timezone.now(),
            )
        except Refused as refusal:
            messages.warning(request, str(refusal))
        else:
            # In the language just chosen.
            with translation.override(patient.language):
                messages.success(request, _("Saved."))
        return redirect("portal:preferences")
    said = own_data.preferences(patient)
    context = {
        "patient": patient,
        "groups": [
            (purpose.label, [preference for preference in said if preference.purpose == purpose]) for purpose in Purpose
        ],
        "channels": Channel.choices,
        "zones": sorted(available_timezones()),
        "zone": str(patient.time_zone or ""),
        # Each in its own words, so that somebody who cannot read this page finds theirs.
        "languages": [(code, translation.get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES],
    }
    return render(request, "portal/preferences.html", context)


def _time_zone(request: HttpRequest, patient: Patient) -> ZoneInfo | None:
    """What was chosen: empty is the clinic's; what makes no sense leaves it as it is."""
    said = request.POST.get("time_zone")
    if said == "":
        return None
    return ZoneInfo(said) if said in available_timezones() else patient.time_zone


@patient_required
def data(request: HttpRequest, patient: Patient) -> HttpResponse:
    """By POST all that is kept, as one file: that it was taken is recorded, so a mere look must not do it."""
    if request.method != "POST":
        return redirect("portal:preferences")
    now = timezone.now()
    kept = own_data.export(patient=patient, by=request.user, now=now)
    day = walltime.day_of(now, patient.time_zone or UTC)
    return HttpResponse(
        json.dumps(kept, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2),
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="my-data-{day:%Y-%m-%d}.json"'},
    )
