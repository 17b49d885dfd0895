"""Questions before a visit."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.forms.portal import QuestionsForm
from clinic.models import AppointmentStatus
from clinic.services import portal, screening
from clinic.views.portal_page import own_visit, patient_required
from clinic.views.portal_visit import described
from patients.errors import Refused
from patients.models import Patient


@patient_required
def questions(request: HttpRequest, patient: Patient, pk: int) -> HttpResponse:
    visit = own_visit(patient, pk)
    now = timezone.now()
    asked = screening.before(visit)
    if not asked or visit.status != AppointmentStatus.BOOKED or visit.ends_at <= now:
        messages.info(request, _("There is nothing to answer before this visit."))
        return redirect("portal:visit", pk=pk)
    form = QuestionsForm(request.POST or None, asked=asked)
    if request.method == "POST" and form.is_valid():
        try:
            state = screening.answer(visit=visit, said=form.said(), by=request.user, now=now)
        except Refused as refusal:
            messages.warning(request, str(refusal))
            return redirect("portal:visit-questions", pk=pk)
        if state in ("stop", "ask"):
            messages.warning(request, _flagged(visit))
        else:
            messages.success(request, _("Thank you. Your answers are with the clinic."))
        return redirect("portal:visit", pk=pk)
    return render(request, "portal/visit_questions.html", {**described(visit, now=now), "form": form})


def _flagged(visit) -> str:
    said = _("Thank you. Your practitioner sees the answers before the visit and may call you. The visit stays booked.")
    unsure = _("If you are unsure, ask before you come.")
    return f"{said} {unsure} {portal.please_call(visit.site)}"
