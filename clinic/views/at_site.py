"""At which site the desk works: the one chosen or booked at last, on every page of it."""

from collections.abc import Sequence

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from clinic.models import Resource, Site
from patients.models import Patient

REMEMBERED_SITE = "desk_site"


def chosen_site(request: HttpRequest, sites: Sequence[Site]) -> Site | None:
    """The site asked for, which is remembered; else as `usual_site`. 404 for an unknown one."""
    by_key = {str(site.pk): site for site in sites}
    asked = request.GET.get("site")
    if asked:
        if asked not in by_key:
            raise Http404
        remember(request, by_key[asked])
        return by_key[asked]
    own = Resource.objects.filter(user=request.user).values_list("site", flat=True).first()
    remembered = request.session.get(REMEMBERED_SITE)
    return by_key.get(str(own)) or by_key.get(str(remembered)) or next(iter(sites), None)


def remember(request: HttpRequest, site: Site) -> None:
    request.session[REMEMBERED_SITE] = str(site.pk)


def usual_site(request: HttpRequest) -> Site | None:
    """The practitioner's own site, the one chosen or booked at last, or the first; None before there is one."""
    resource = getattr(request.user, "resource", None)
    sites = Site.objects.filter(active=True)
    if resource:
        return resource.site
    remembered = request.session.get(REMEMBERED_SITE)
    return (sites.filter(pk=remembered).first() if remembered else None) or sites.first()


def default_site(request: HttpRequest) -> Site:
    """As `usual_site`. 404 where there is none."""
    site = usual_site(request)
    if site is None:
        raise Http404(_("There is no site yet. Add one in the administration."))
    return site


def phone_region(request: HttpRequest) -> str:
    """The country whose phone numbers the desk writes without its code; empty where no site says one."""
    site = usual_site(request)
    return site.country.upper() if site else ""


def home_site(patient: Patient) -> Site | None:
    """Where the patient was last, or is to come."""
    last = patient.appointments.filter(site__active=True).select_related("site").order_by("starts_at", "pk").last()
    return last and last.site
