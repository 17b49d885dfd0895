"""A year's public holidays of the site's country, to be ticked and closed on in one press."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation

from clinic import walltime
from clinic.forms.rota import HolidaysForm
from clinic.models import Site
from clinic.permissions import staff_required
from clinic.services import rota
from clinic.services.rota import Consequences, Holiday, RotaError, Unseen
from clinic.views.at_site import chosen_site
from clinic.views.desk_rota import CHANGE, answer

YEARS_AHEAD = 2


@staff_required
def offer(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    now = timezone.now()
    site = chosen_site(request, list(Site.objects.filter(active=True)))
    if site is None:
        raise Http404
    this_year = walltime.day_of(now, site.time_zone).year
    years = [str(this_year + n) for n in range(YEARS_AHEAD + 1)]
    asked = request.GET.get("year", "")
    year = int(asked) if asked in years else this_year
    problem, offered = "", []
    try:
        offered = rota.public_holidays(site, year, translation.get_language() or "en")
    except RotaError as refusal:
        problem = str(refusal)
    today = walltime.day_of(now, site.time_zone)
    offered = [one for one in offered if one.day >= today]
    form = HolidaysForm(request.POST if request.method == "POST" else None, offered=offered)
    consequences: Consequences | None = None
    if request.method == "POST" and form.is_valid():
        try:
            found = rota.carry_out(rota.closed_on(site, form.holidays()), seen=request.POST.get("seen", ""), now=now)
            return answer(request, _said(form.holidays()), found, site)
        except Unseen as refusal:
            consequences = refusal.consequences
        except RotaError as refusal:
            form.add_error("days", str(refusal))
    ticked = form.data.getlist("days") if form.is_bound else [one.day.isoformat() for one in offered]
    context = {
        "site": site,
        "year": year,
        "years": years,
        "form": form,
        "problem": problem,
        "offered": [(one, one.day.isoformat() in ticked) for one in offered],
        "consequences": consequences,
        "back": f"{reverse('desk:rota')}?site={site.pk}",
    }
    return render(request, "desk/rota_holidays.html", context, status=422 if form.errors else 200)


def _said(days: list[Holiday]) -> str:
    return translation.ngettext("Closed on %d day.", "Closed on %d days.", len(days)) % len(days)
