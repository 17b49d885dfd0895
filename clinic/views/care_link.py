"""What to do before or after a visit, from the link in a message. Without signing in, cookies or JavaScript."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.views.decorators.http import require_safe

from clinic.services import caring, links
from clinic.services.links import LinkClosed
from clinic.views import portal_care
from clinic.views.portal_care import Care
from clinic.views.reminder_link import page, without_signing_in


@without_signing_in
@require_safe
def care(request: HttpRequest, secret: str) -> HttpResponse:
    """Of the visits that the message told of, with their dates as they are now: before the visit, and after it."""
    now = timezone.now()
    try:
        opened = links.open_(secret, now=now)
    except LinkClosed:
        # The same page for what never was a link, so that nobody learns which are.
        return page(request, "portal/care_link.html", secret, shown=(), site=None)
    visits = caring.visits_of(opened.message)
    if not visits and opened.cycles:
        return redirect("link:due", secret)
    site = visits[0][0].site if visits else opened.site
    with translation.override(opened.patient.language):
        shown = [(visit, _care(portal_care.of_visit(visit, now=now), behind=behind)) for visit, behind in visits]
    return page(request, "portal/care_link.html", secret, opened.patient, shown=shown, site=site)


def _care(whole: Care, *, behind: bool) -> Care:
    """What is behind needs no looking at any more."""
    return Care(before=(), after=whole.after, tell=()) if behind else whole
