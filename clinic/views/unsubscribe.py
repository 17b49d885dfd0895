"""No reminders of maintenance any more: from the link in a mail, or at one press in the mail program (RFC 8058)."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from clinic.services import links
from clinic.views.reminder_link import page, without_signing_in


@without_signing_in
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, secret: str) -> HttpResponse:
    """GET shows what would end; POST ends it, from wherever it comes, and answers there and then.

    A mail program sends no cookies, signs in nowhere and follows no redirect.
    """
    done = request.method == "POST"
    if done:
        # What never was a link gets the same answer, so that nobody learns which are.
        links.stop(secret, now=timezone.now())
    link = links.find(secret)
    patient = link.message.patient if link else None
    done = done or (patient is not None and links.has_stopped(patient))
    return page(request, "portal/unsubscribe.html", secret, patient, done=done)
