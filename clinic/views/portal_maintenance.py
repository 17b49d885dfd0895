"""Book the next maintenance from the portal: the free times in the days in which it is due."""

from datetime import date, timedelta
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.forms.portal import BookForm
from clinic.services import cautions, course_view, portal
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import NoVisitLength
from clinic.views import portal_care
from clinic.views.portal_page import patient_required, phone_link, usual_site
from patients.errors import Refused
from patients.models import Patient
from treatments.models import Maintenance, MaintenanceState


@patient_required
def book(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    """Free times, later ones on request; with one of them in the address a question; by POST it is booked."""
    cycle = get_object_or_404(
        Maintenance.objects.exclude(state=MaintenanceState.WITHDRAWN).select_related(
            "series__patient", "series__protocol__treatment", "treatment"
        ),
        series__patient=patient,
        pk=pk,
    )
    site = usual_site(patient)
    now = timezone.now()
    form = BookForm(request.POST or None)
    try:
        if site is None:
            raise NotBookable(_("This maintenance cannot be booked here.") + " " + portal.please_call(site))
        if request.method == "POST":
            if not form.is_valid():
                raise TimeTaken(_("This page is out of date. Please choose again."), [0])
            return _booked(request, cycle=cycle, patient=patient, site=site, form=form, now=now)
        first_day = _day(request.GET.get("from", ""))
        times = portal.maintenance_times(cycle=cycle, patient=patient, site=site, first_day=first_day, now=now)
    except TimeTaken as refusal:
        messages.warning(request, str(refusal))
        return redirect("portal:maintenance-book", pk=pk)
    except NoVisitLength:
        messages.warning(request, _("This maintenance cannot be booked here.") + " " + portal.please_call(site))
        return redirect("portal:course")
    except Refused as refusal:
        messages.warning(request, str(refusal))
        return redirect("portal:course")
    asked = request.GET.get("to", "")
    chosen = next((time for time in times if str(time.choice.start) == asked), None)
    if asked and chosen is None:
        messages.warning(request, _("This time is not free any more. Please choose another one."))
    context = {
        "cycle": cycle,
        "site": site,
        "zone": site.time_zone,
        "times": times,
        "due": _due(cycle),
        "later_from": _later_from(times, site),
        "from": first_day,
        "please_call": portal.please_call(site),
    }
    if chosen is not None:
        asks = cautions.of_cycle(cycle, site=site, starts_at=chosen.starts_at, now=now)
        context |= {"cautions": asks, "said": portal_care.said(asks.begun), "phone_link": phone_link(site)}
        context |= {"chosen": chosen, "form": BookForm(initial={"key": uuid4(), "to": chosen.choice.start})}
        return render(request, "portal/maintenance_confirm.html", context)
    return render(request, "portal/maintenance_book.html", context)


def _booked(request: HttpRequest, *, cycle, patient, site, form, now) -> HttpResponse:
    appointment = portal.book_maintenance(
        cycle=cycle,
        patient=patient,
        site=site,
        minutes=form.cleaned_data["to"],
        by=request.user,
        now=now,
        key=form.cleaned_data["key"],
    )
    messages.success(request, _("Booked: %s.") % course_view.at(appointment))
    return redirect("portal:visit", pk=appointment.pk)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def _due(cycle: Maintenance) -> str:
    if cycle.due_from is None:
        return ""
    if cycle.due_by is None or cycle.due_by == cycle.due_from:
        return _("on %s") % course_view.in_words(cycle.due_from)
    return _("between %(first)s and %(last)s") % {
        "first": course_view.in_words(cycle.due_from),
        "last": course_view.in_words(cycle.due_by),
    }


def _later_from(times, site) -> date | None:
    if not times:
        return None
    return walltime.day_of(times[-1].starts_at, site.time_zone) + timedelta(days=1)
