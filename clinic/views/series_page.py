"""A question about a course as a whole: what such pages show besides what the change does."""

from django.urls import reverse

from clinic.models import Site
from clinic.services import sessions
from clinic.services.ripple import Outlook
from clinic.views.at_site import default_site
from clinic.views.ripple_page import RipplePage
from treatments import words
from treatments.models import Series


class SeriesPage(RipplePage):
    """It leads back to the patient."""

    series: Series
    title = button = ""

    def site(self) -> Site:
        """Where the course goes on."""
        return sessions.site_of(self.series) or default_site(self.request)

    def context(self, outlook: Outlook | None) -> dict:
        return {
            "series": self.series,
            "patient": self.series.patient,
            "said": words.count(self.series.terms.sessions),
            "here": self.request.path,
            "back": reverse("desk:patient", args=[self.series.patient_id]),
            "title": self.title,
            "button": self.button,
        }
