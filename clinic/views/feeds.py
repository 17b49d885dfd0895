"""Visits for calendar programs: one as a file, or all of them as a private feed."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from clinic import calendar
from clinic.models import CalendarFeed
from clinic.services import feed
from clinic.views.portal_page import own_visit, patient_required, usual_site
from patients.models import Patient

TYPE = "text/calendar; charset=utf-8"
# In the session: the secret of an address that was just made, until it has been shown. It is stored nowhere else.
NEW_ADDRESS = "new_feed_address"


@login_not_required
@require_GET
def private_feed(request: HttpRequest, secret: str) -> HttpResponse:
    """The calendar behind a secret address: calendar programs cannot sign in. 404 for every other address."""
    found = feed.behind(secret)
    if found is None:
        raise Http404
    now = timezone.now()
    with translation.override(found.patient.language):
        entries = feed.entries(found.patient, names_treatment=found.names_treatment, now=now)
        answer = calendar.write(entries, name=_name(found.patient), now=now)
    response = HttpResponse(answer, content_type=TYPE)
    response.headers["Cache-Control"] = "private, no-store"
    # Should the address ever stand on a page that is indexed.
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _name(patient: Patient) -> str:
    site = usual_site(patient)
    return _("Visits at %s") % site.short_name if site else _("Visits")


@patient_required
@require_GET
def visit_file(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """One visit as a file; its title says of the treatment what the patient's feed says."""
    visit = own_visit(patient, pk)
    names_treatment = CalendarFeed.objects.filter(patient=patient, names_treatment=True).exists()
    entry = feed.of_visit(visit, names_treatment=names_treatment)
    answer = calendar.write([entry], name=_name(patient), now=timezone.now())
    # The name of the file names nothing else.
    disposition = f'attachment; filename="visit-{visit.starts_at.astimezone(visit.site.time_zone):%Y-%m-%d}.ics"'
    return HttpResponse(answer, content_type=TYPE, headers={"Content-Disposition": disposition})


@patient_required
def settings(request: HttpRequest, patient: Patient) -> HttpResponse:
    """Make a private address, change what it shows, or end it. A new address is shown once.

    The answer to the press leads to the page that shows it: loaded again, it does not make another.
    """
    if request.method == "POST":
        match request.POST.get("do"):
            case "new":
                request.session[NEW_ADDRESS] = feed.new_address(patient=patient, now=timezone.now())
            case "titles":
                feed.name_treatments(patient=patient, wanted=request.POST.get("names_treatment") == "on")
                messages.success(request, _("Saved. Calendars show it when they look again, within some hours."))
            case "close":
                feed.close(patient=patient)
                messages.success(request, _("The private calendar is closed: its address shows nothing any more."))
        return redirect("portal:calendar")
    context = {"site": usual_site(patient), "feed": CalendarFeed.objects.filter(patient=patient).first()}
    if secret := request.session.pop(NEW_ADDRESS, None):
        address = request.build_absolute_uri(reverse("portal:feed", args=[secret]))
        context |= {"address": address, "webcal": f"webcal://{address.partition('://')[2]}"}
    return render(request, "portal/calendar.html", context)
