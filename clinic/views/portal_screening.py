"""Questions before a visit."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.forms.portal import QuestionsForm
from clinic.models import AppointmentStatus
from clinic.services import portal, screening
from clinic.services.screening import Asked
from clinic.views.portal_page import own_visit, patient_required
from clinic.views.portal_visit import described
from patients.errors import Refused
from patients.models import Patient


@patient_required
def questions(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    visit = own_visit(patient, pk)
    now = timezone.now()
    asked = screening.before(visit, now=now)
    later = [one for one in asked if one.open_from]
    if len(later) == len(asked) or visit.status != AppointmentStatus.BOOKED or visit.ends_at <= now:
        ahead = visit.status == AppointmentStatus.BOOKED and visit.ends_at > now
        messages.info(request, (ahead and _later(asked)) or _("There is nothing to answer before this visit."))
        return redirect("portal:visit", pk=pk)
    form = QuestionsForm(request.POST or None, asked=asked)
    if request.method == "POST" and form.is_valid():
        try:
            state = screening.answer(visit=visit, said=form.said(), by=request.user, now=now)
        except Refused as refusal:
            messages.warning(request, str(refusal))
            return redirect("portal:visit-questions", pk=pk)
        if state.flag:
            messages.warning(request, _flagged(visit))
        else:
            messages.success(request, _("Thank you. Your answers are with the clinic."))
        if rest := _later(asked):
            messages.info(request, rest)
        return redirect("portal:visit", pk=pk)
    return render(request, "portal/visit_questions.html", {**described(visit, now=now), "form": form, "later": later})


def _later(asked: list[Asked]) -> str:
    """From when what cannot be answered yet can be; empty where there is nothing of it."""
    days = [one.open_from for one in asked if one.open_from]
    if not days:
        return ""
    said = ngettext(
        "%(n)d question can be answered from %(day)s.", "%(n)d questions can be answered from %(day)s.", len(days)
    )
    return said % {"n": len(days), "day": date_format(min(days), "WEEKDAY_FORMAT")}


def _flagged(visit) -> str:
    said = _("Thank you. Your practitioner sees the answers before the visit and may call you. The visit stays booked.")
    unsure = _("If you are unsure, ask before you come.")
    return f"{said} {unsure} {portal.please_call(visit.site)}"
