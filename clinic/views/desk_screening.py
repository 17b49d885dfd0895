"""Questions before a visit, answered at the desk with a patient who does not answer them in the portal."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.forms.portal import QuestionsForm
from clinic.models import Appointment, AppointmentStatus
from clinic.permissions import staff_required
from clinic.services import course_view, screening
from clinic.views import looking
from patients.errors import Refused

AHEAD = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)


@staff_required
def questions(request: HttpRequest, pk: int) -> HttpResponse:
    """What is open now; where nothing is, what was answered may be answered anew. Kept as said to whoever asked."""
    now = timezone.now()
    visit = get_object_or_404(
        Appointment.objects.select_related(
            "patient", "site", "treatment", "session__series", "maintenance__series__protocol"
        ),
        pk=pk,
    )
    asked = screening.before(visit, now=now)
    if visit.status not in AHEAD or all(one.open_from for one in asked):
        messages.info(request, _("There is nothing to answer before this visit now."))
        return redirect("desk:appointment", pk)
    form = QuestionsForm(request.POST or None, asked=asked)
    if request.method == "POST" and form.is_valid():
        try:
            state = screening.answer(visit=visit, said=form.said(), by=request.user, now=now)
        except Refused as refusal:
            messages.warning(request, str(refusal))
            return redirect("desk:appointment-questions", pk)
        said = _("Kept: what %s answered.") % visit.patient
        if state.flag:
            messages.warning(request, f"{said} {_('An answer needs a look before the visit.')}")
        else:
            messages.success(request, said)
        return redirect("desk:appointment", pk)
    looking.note(request, visit.patient)
    context = {"visit": visit, "when": course_view.at(visit), "form": form}
    return render(request, "desk/questions.html", context, status=422 if form.errors else 200)
