"""The desk's pages about patients: find, register, look up, change."""

from copy import copy
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views import View
from django.views.generic import FormView, TemplateView

from clinic.forms.errand import Errand
from clinic.models import AppointmentStatus
from clinic.permissions import StaffRequired
from clinic.services import course_view
from clinic.views import looking
from clinic.views.at_site import phone_region
from clinic.views.merged import to_the_kept
from patients import search, services
from patients.errors import Refused
from patients.forms import ContactForm, RegisterForm
from patients.models import Channel, Patient, Purpose

MOST_FOUND = 20
MOST_MESSAGES = 50
STILL_TO_COME = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)


class PatientSearchView(StaffRequired, View):
    """What was typed, and whom it may mean. While somebody types, htmx asks for the list alone.

    Asked by POST, though it changes nothing, so that no name stands in an address or a line of a log.
    """

    changes = False
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.post(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        typed = search.tidy(request.POST.get("q", ""))
        # One more than is shown says that there are more.
        found = search.find(typed, limit=MOST_FOUND + 1)
        context = {"typed": typed, "found": found[:MOST_FOUND], "more": len(found) > MOST_FOUND}
        template = "desk/_patient_results.html" if request.htmx else "desk/patient_search.html"
        response = render(request, template, context)
        patch_vary_headers(response, ["HX-Request"])
        return response


class PatientNewView(StaffRequired, FormView):
    """Register. What was searched for arrives by POST, so that no name stands in an address.

    So does what was being booked: after registering it goes on with this patient and the same choices.
    """

    form_class = RegisterForm
    template_name = "desk/patient_new.html"

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if "typed" in request.POST or (self.errand and "given_name" not in request.POST):
            initial = search.as_details(request.POST.get("typed", ""))
            return self.render_to_response(self.get_context_data(form=self.form_class(initial=initial, **self.dated)))
        return super().post(request, *args, **kwargs)

    @cached_property
    def errand(self) -> Errand | None:
        return Errand.of(self.request.POST, but_not=set(self.form_class(**self.dated).fields))

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(errand=self.errand, **kwargs)

    @cached_property
    def dated(self) -> dict:
        return {"today": timezone.localdate(), "region": phone_region(self.request)}

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | self.dated

    def form_valid(self, form: RegisterForm) -> HttpResponse:
        if "anyway" not in self.request.POST:
            duplicates = services.duplicates_of(**form.person())
            if duplicates:
                # Where to go on with each of them, once one is chosen.
                for patient in duplicates:
                    patient.leads_to = self.errand.address(patient.pk) if self.errand else ""
                return self.render_to_response(self.get_context_data(form=form, duplicates=duplicates))
        try:
            patient = services.register(by=self.request.user, now=timezone.now(), **form.registration())
        except Refused as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        messages.success(self.request, _("%s is registered.") % patient)
        return self.errand.go_on(self.request, patient.pk) if self.errand else redirect("desk:patient", pk=patient.pk)


class PatientRequired(StaffRequired):
    """The patient of the address; that of a record which was merged into another leads to the other."""

    @cached_property
    def patient(self) -> Patient:
        return get_object_or_404(Patient.objects.select_related("user"), pk=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        # Who may not be here is told so first.
        if request.user.is_authenticated and request.user.is_staff and self.patient.merged_into_id is not None:
            return to_the_kept(request, self.patient)
        return super().dispatch(request, *args, **kwargs)


class PatientView(PatientRequired, TemplateView):
    """One page about a patient."""

    template_name = "desk/patient_detail.html"

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        patient = self.patient
        now = timezone.now()
        looking.note(request, patient)
        appointments = list(
            patient.appointments.select_related(
                "site", "treatment", "practitioner", "room", "session", "maintenance"
            ).order_by("starts_at", "pk")
        )
        zone = course_view.home_zone(patient, appointments)
        past = [visit for visit in appointments if visit.status not in STILL_TO_COME or visit.ends_at < now]
        sent = patient.messages.order_by("-owed_at", "-pk")
        return self.render_to_response(
            {
                "patient": patient,
                "zone": zone,
                "age": _age(patient, timezone.localdate(now, zone)),
                "courses": course_view.courses(patient, appointments=appointments, now=now),
                "upcoming": [visit for visit in appointments if visit.status in STILL_TO_COME and visit.ends_at >= now],
                "past": past[::-1],
                "sent": sent[:MOST_MESSAGES],
                "consents": _consents(patient),
            }
        )


class PatientEditView(PatientRequired, FormView):
    form_class = ContactForm
    template_name = "desk/patient_edit.html"

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        looking.note(request, self.patient)
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict:
        # Checking a form writes to its instance; the page still shows the patient as stored.
        dated = {"today": timezone.localdate(), "region": phone_region(self.request)}
        return super().get_form_kwargs() | dated | {"instance": copy(self.patient)}

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(patient=self.patient, **kwargs)

    def form_valid(self, form: ContactForm) -> HttpResponse:
        try:
            services.change_contact(patient=self.patient, **form.contact())
        except Refused as error:
            form.add_error("email", str(error))
            return self.form_invalid(form)
        messages.success(self.request, _("The changes are kept."))
        return redirect("desk:patient", pk=self.patient.pk)


class PatientActionView(PatientRequired, View):
    """One press on the patient's page: done or refused, and back."""

    http_method_names = ["post"]
    anchor = ""

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            messages.success(request, self.act(self.patient))
        except Refused as error:
            messages.error(request, str(error))
        return redirect(reverse("desk:patient", kwargs={"pk": self.patient.pk}) + self.anchor)

    def act(self, patient: Patient) -> str:
        """Do it; say what was done."""
        raise NotImplementedError


class PatientAccountView(PatientActionView):
    def act(self, patient: Patient) -> str:
        services.create_account(patient=patient, by=self.request.user, now=timezone.now())
        return _("%s can now sign in with a code sent by e-mail.") % patient


class PatientConsentView(PatientActionView):
    anchor = "#consents"

    def act(self, patient: Patient) -> str:
        asked = self.request.POST
        purpose, channel, said = asked.get("purpose"), asked.get("channel"), asked.get("said")
        if purpose not in Purpose.values or channel not in Channel.values or said not in ("yes", "no"):
            raise Http404
        change = services.give_consent if said == "yes" else services.withdraw_consent
        change(
            patient=patient, purpose=purpose, channel=channel, source="desk", by=self.request.user, now=timezone.now()
        )
        return _("Kept: the patient said yes.") if said == "yes" else _("Kept: the patient said no.")


def _age(patient: Patient, today: date) -> int | None:
    born = patient.date_of_birth
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _consents(patient: Patient) -> list[dict]:
    """For each purpose and channel the word in force, or none."""
    said = {(consent.purpose, consent.channel): consent for consent in patient.consents.in_force()}
    return [
        {
            "purpose": purpose,
            "channel": channel,
            "channel_name": channel.label,
            "wording": services.wording(purpose, channel),
            "word": said.get((purpose, channel)),
            "reachable": bool(patient.email if channel == Channel.EMAIL else patient.phone),
        }
        for purpose in Purpose
        for channel in Channel
    ]
