"""Two records of one patient: find the other, see both side by side, make them one."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.forms.merge import MergeForm
from clinic.permissions import View, staff_required
from clinic.services import merging
from clinic.views import looking
from clinic.views.merged import to_the_kept
from patients import search, services
from patients.errors import Refused
from patients.models import Patient

MERGE = "patients.merge_patient"
MOST_FOUND = 10


def may_merge(view: View) -> View:
    """Staff who may merge; other staff are told that they may not."""
    return staff_required(permission_required(MERGE, raise_exception=True)(view))


@may_merge
def find(request: HttpRequest, pk: int) -> HttpResponse:
    """Who looks like the same person, and a box for anybody else. Asked by POST, so that no name is in an address."""
    patient = get_object_or_404(Patient, pk=pk)
    if patient.merged_into_id is not None:
        return to_the_kept(request, patient)
    typed = search.tidy(request.POST.get("q", ""))
    person = {name: getattr(patient, name) for name in ("given_name", "family_name", "date_of_birth", "phone", "email")}
    found = search.find(typed, limit=MOST_FOUND + 1) if typed else services.duplicates_of(**person)
    looking.note(request, patient)
    context = {"patient": patient, "typed": typed, "found": [other for other in found if other.pk != patient.pk]}
    return render(request, "desk/merge_find.html", context)


@may_merge
def merge(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """What would become of both, before it is done; `pk` is the record that stays."""
    kept, leaves = get_object_or_404(Patient, pk=pk), get_object_or_404(Patient, pk=other)
    for patient in (kept, leaves):
        if patient.merged_into_id is not None:
            messages.info(request, _("There were two records of this patient. They are one now, and this is it."))
            return redirect("desk:patient", patient.merged_into_id)
    if kept == leaves:
        return redirect("desk:patient-merge", pk)
    now = timezone.now()
    form = MergeForm(request.POST or None, kept=kept, other=leaves)
    if request.method == "POST" and form.is_valid():
        try:
            merging.merge(kept=kept, other=leaves, take=form.take(), by=request.user, now=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The two records are one. Nothing of either is lost."))
            return redirect("desk:patient", pk)
    looking.note(request, kept, leaves)
    context = {"kept": kept, "other": leaves, "form": form, "preview": merging.preview(kept=kept, other=leaves)}
    return render(request, "desk/merge.html", context, status=422 if form.errors else 200)
