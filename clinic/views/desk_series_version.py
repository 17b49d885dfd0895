"""Move a series to the current version of its protocol: first what changes, then the press, also for its visits."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.permissions import staff_required
from clinic.services import ripple, series_version
from clinic.services.ripple import Change, Outlook
from clinic.views.ripple_page import CHANGES
from clinic.views.series_page import SeriesPage
from treatments.models import Series
from treatments.services.moving import NotMovable

MAY_MOVE = "treatments.move_series_version"


@staff_required
def move(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm(MAY_MOVE):
        raise PermissionDenied
    series = get_object_or_404(Series, pk=pk)
    try:
        return _Page(request, series.pk).answer()
    except NotMovable as refusal:
        messages.info(request, str(refusal))
        return redirect("desk:patient", series.patient_id)


class _Page(SeriesPage):
    template = "desk/series_version.html"
    title, button = gettext_lazy("Move to the current version"), gettext_lazy("Move the series")
    changes = CHANGES | {"dropped": gettext_lazy("No longer part of the course")}

    def __init__(self, request: HttpRequest, pk: int) -> None:
        self.pk = pk
        super().__init__(request)

    def read(self) -> None:
        """Raises NotMovable where there is nothing to move to."""
        found = Series.objects.select_related("patient", "protocol__treatment", "concern")
        self.series = get_object_or_404(found, pk=self.pk)
        self.preview = series_version.preview(self.series, now=self.now)
        self.scene = ripple.scene_of_series(self.series, site=self.site())

    def possible(self) -> bool:
        return not self.preview.refusal

    def change(self) -> Change:
        return series_version.as_change(self.preview.move)

    @property
    def _is_booked(self) -> bool:
        return bool(self.scene.course.booked)

    def must_be_seen(self, outlook: Outlook) -> bool:
        return self._is_booked

    def choices(self, outlook: Outlook) -> list[tuple[str, str]]:
        words = {"only": _("Leave the visits where they are"), "replan": _("Plan the visits again")}
        found = super().choices(outlook) if self._is_booked else []
        return [(value, words.get(value, said)) for value, said in found]

    def carry_out(self, outlook: Outlook, **shown) -> None:
        series_version.move(
            series=self.series,
            version=self._shown_version,
            site=self.scene.site,
            released=self.shown_released(),
            **shown,
        )

    @property
    def _shown_version(self) -> int:
        """The version that the page showed; 0, which none has, for anything else."""
        shown = self.posted.get("version", "")
        return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 10 else 0

    def done(self, outlook: Outlook) -> HttpResponse:
        said = _("The series is on version %d now.") % self.preview.move.version
        said += self.with_it(outlook) or " " + _("Appointments stay where they are.")
        messages.success(self.request, said)
        return redirect("desk:patient", self.series.patient_id)

    def context(self, outlook: Outlook | None) -> dict:
        return super().context(outlook) | {
            "preview": self.preview,
            "is_booked": self._is_booked,
            "tells": bool(outlook and outlook.news),
        }
