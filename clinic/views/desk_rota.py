"""The rota: who works when, who is away, when the site is open; and the page on which a part of it is changed.

Everybody at the desk may look. A change that leaves booked visits without what they need shows them first; the press
after that stores it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic import walltime
from clinic.forms.rota import AbsenceForm, ClosureForm, OpeningForm, WorkingForm, who_is_at
from clinic.models import Absence, Closure, OpeningHours, ResourceKind, Site, Weekday, WorkingHours
from clinic.permissions import staff_required
from clinic.services import course_view, rota, rota_fit
from clinic.services.rota import Change, Consequences, RotaError, Unseen
from clinic.views.at_site import chosen_site

CHANGE, NOTE_ABSENCE = "clinic.change_rota", "clinic.note_absence"
QUICK = {"today": 0, "tomorrow": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One part of the rota: its form, its rows, and what its page says."""

    name: str
    form: type[forms.Form]
    rows: Callable[[], Any]
    new: Any
    change: Any
    remove: Any
    removed: Any
    permission: str = CHANGE


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="absence",
            form=AbsenceForm,
            rows=lambda: Absence.objects.select_related("resource__site"),
            new=gettext_lazy("Somebody or something is away"),
            change=gettext_lazy("Change an absence"),
            remove=gettext_lazy("Remove this absence"),
            removed=gettext_lazy("The absence is removed."),
            permission=NOTE_ABSENCE,
        ),
        Kind(
            name="closure",
            form=ClosureForm,
            rows=lambda: Closure.objects.select_related("site"),
            new=gettext_lazy("The site is closed"),
            change=gettext_lazy("Change a closure"),
            remove=gettext_lazy("Remove this closure"),
            removed=gettext_lazy("The closure is removed."),
        ),
        Kind(
            name="opening",
            form=OpeningForm,
            rows=lambda: OpeningHours.objects.select_related("site"),
            new=gettext_lazy("Add opening hours"),
            change=gettext_lazy("Change opening hours"),
            remove=gettext_lazy("Remove these opening hours"),
            removed=gettext_lazy("The opening hours are removed."),
        ),
        Kind(
            name="working",
            form=WorkingForm,
            rows=lambda: WorkingHours.objects.select_related("site", "resource__site"),
            new=gettext_lazy("Add working hours"),
            change=gettext_lazy("Change working hours"),
            remove=gettext_lazy("Remove these working hours"),
            removed=gettext_lazy("The working hours are removed."),
        ),
    )
}


# --- Looking ----------------------------------------------------------------------------------------


@staff_required
def show(request: HttpRequest) -> HttpResponse:
    """All that is said of a site from today on, in a constant number of queries."""
    now = timezone.now()
    sites = list(Site.objects.filter(active=True))
    site = chosen_site(request, sites)
    if site is None:
        return render(request, "desk/rota.html", {"sites": sites})
    zone = site.time_zone
    people = list(who_is_at(site))
    away = Absence.objects.filter(resource__in=[one.pk for one in people], ends_at__gt=now)
    closures = site.closures.filter(ends_at__gt=now).order_by("starts_at", "pk")
    unfit = rota_fit.misfits(now=now)
    context = {
        "sites": sites,
        "site": site,
        "may_change": request.user.has_perm(CHANGE),
        "may_note": request.user.has_perm(NOTE_ABSENCE),
        "people": [one for one in people if one.kind == ResourceKind.PRACTITIONER],
        "absences": [
            (row, rota.time_away(row, row.resource.site.time_zone), row.starts_at <= now)
            for row in away.select_related("resource__site").order_by("starts_at", "pk")
        ],
        "closures": [(row, rota.time_away(row, zone)) for row in closures],
        "opening": _by_weekday(site.opening_hours.order_by("weekday", "opens")),
        "working": _by_person(site, now),
        "unfit": len(unfit),
        "worklist": f"{reverse('desk:worklist')}?{urlencode({'tab': 'unfit'})}",
        "year": walltime.day_of(now, zone).year,
    }
    return render(request, "desk/rota.html", context)


def _by_weekday(rows) -> list[tuple[str, list]]:
    found: dict[int, list] = {day: [] for day in Weekday.values}
    for row in rows:
        found[row.weekday].append(row)
    return [(Weekday(day).label, rows) for day, rows in found.items()]


def _by_person(site: Site, now: datetime) -> list[tuple[str, list[tuple[WorkingHours, str]]]]:
    """Everybody who works at the site now or later, with their hours and since when, or until when."""
    today = walltime.day_of(now, site.time_zone)
    rows = WorkingHours.objects.filter(
        Q(valid_until=None) | Q(valid_until__gte=today), site=site, resource__active=True
    ).select_related("resource")
    found: dict[str, list] = {}
    for row in rows.order_by("resource__name", "resource_id", "weekday", "starts", "pk"):
        found.setdefault(row.resource.name, []).append((row, _validity(row, today)))
    return list(found.items())


def _validity(row: WorkingHours, today) -> str:
    begins = course_view.in_words(row.valid_from) if row.valid_from and row.valid_from > today else ""
    ends = course_view.in_words(row.valid_until) if row.valid_until else ""
    if begins and ends:
        return _("from %(first)s to %(last)s") % {"first": begins, "last": ends}
    if begins:
        return _("from %s") % begins
    return _("until %s") % ends if ends else ""


# --- Changing ---------------------------------------------------------------------------------------


@staff_required
def new(request: HttpRequest, kind: str) -> HttpResponse:
    return _Page(request, kind).answer()


@staff_required
def change(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    return _Page(request, kind, pk).answer()


class _Page:
    def __init__(self, request: HttpRequest, kind: str, pk: int | None = None) -> None:
        if kind not in KINDS or (pk is not None and pk >= 2**63):
            raise Http404
        self.request, self.kind, self.now = request, KINDS[kind], timezone.now()
        if not request.user.has_perm(self.kind.permission):
            raise PermissionDenied
        self.row = None if pk is None else self.kind.rows().filter(pk=pk).first()
        # Removed meanwhile, or never there: the rota shows what is.
        self.gone = pk is not None and self.row is None
        self.consequences: Consequences | None = None
        self.removing = False
        self.site = self._site()

    def _site(self) -> Site | None:
        if self.row is not None:
            return self.row.resource.site if self.kind.name == "absence" else self.row.site
        return chosen_site(self.request, list(Site.objects.filter(active=True)))

    def answer(self) -> HttpResponse:
        if self.gone:
            messages.warning(self.request, _("This is not there any more. Somebody may have removed it."))
            return redirect("desk:rota")
        if self.site is None:
            raise Http404
        posted = self.request.POST
        if self.request.method != "POST":
            return self._page(self._form())
        if "remove" in posted and self.row is not None:
            self.removing = True
            return self._done(Change(remove=(self.row,)), self._form())
        form = self._form(self._quick() or posted)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            wanted = form.change()
            if "save" in posted:
                return self._done(wanted, form)
            self.consequences = rota.look(wanted, now=self.now)
        except RotaError as refusal:
            return self._refused(refusal, form)
        return self._page(form)

    def _form(self, data=None) -> forms.Form:
        return self.kind.form(data, site=self.site, row=self.row)

    def _quick(self) -> dict | None:
        """One press for "ill today" or "ill tomorrow"."""
        posted = self.request.POST
        if self.kind.name != "absence" or posted.get("quick") not in QUICK:
            return None
        day = walltime.day_of(self.now, self.site.time_zone) + timedelta(days=QUICK[posted["quick"]])
        return {"resource": posted.get("resource", ""), "first_day": day, "last_day": day, "reason": _("Ill")}

    def _done(self, wanted: Change, form: forms.Form) -> HttpResponse:
        try:
            found = rota.carry_out(wanted, seen=self.request.POST.get("seen", ""), now=self.now)
        except Unseen as refusal:
            self.consequences = refusal.consequences
            return self._page(form)
        except RotaError as refusal:
            return self._refused(refusal, form)
        return answer(self.request, self.kind.removed if self.removing else _("Kept."), found, self.site)

    def _refused(self, refusal: RotaError, form: forms.Form) -> HttpResponse:
        if form.is_bound:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            messages.warning(self.request, str(refusal))
        return self._page(form, status=422)

    def _page(self, form: forms.Form, *, status: int = 200) -> HttpResponse:
        context = {
            "kind": self.kind,
            "title": self.kind.change if self.row else self.kind.new,
            "site": self.site,
            "row": self.row,
            "last_change": rota.last_change(self.row) if self.row else "",
            "form": form,
            "consequences": self.consequences,
            "removing": self.removing,
            "action": self.request.path + (f"?site={self.site.pk}" if self.row is None else ""),
            "back": f"{reverse('desk:rota')}?site={self.site.pk}",
        }
        return render(self.request, "desk/rota_edit.html", context, status=status)


def answer(request: HttpRequest, done: str, found: Consequences, site: Site) -> HttpResponse:
    """Say what was done, and how many visits it leaves; go to them where there are any, else back to the rota."""
    if found.again:
        fit = ngettext("%d booked visit fits again.", "%d booked visits fit again.", found.again) % found.again
        done = f"{done} {fit}"
    if not found.lines:
        messages.success(request, done)
        return redirect(f"{reverse('desk:rota')}?site={site.pk}")
    left = len(found.lines)
    words = ngettext(
        "%d booked visit no longer fits. It is on this list; nothing was cancelled.",
        "%d booked visits no longer fit. They are on this list; nothing was cancelled.",
        left,
    )
    messages.success(request, f"{done} {words % left}")
    return redirect(f"{reverse('desk:worklist')}?{urlencode({'tab': 'unfit'})}")
