"""Where the mail service calls: with what arrived, what came back, and who complained."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from clinic.services import mail_answers
from clinic.services.ledger import BeingSent

LONGEST = 1_000_000

logger = logging.getLogger(__name__)


@login_not_required
@csrf_exempt
def receive(request: HttpRequest) -> HttpResponse:
    """Yes to whoever knows the name and the password, also for mails that are not known: a service repeats the rest.

    There is no such page while no service is configured. What cannot be read is refused, and nothing of it is kept.
    Not yet to news of a mail that is being sent at this moment, so that it is told again.
    """
    view = _view()
    if request.method != "POST":
        # Some services ask so whether anybody is there.
        return HttpResponse(status=200 if request.method == "HEAD" else 405)
    try:
        view.run_validators(request)
        if len(request.body) > LONGEST:
            return HttpResponse(status=413)
        events = view.parse_events(request)
        news = [_news(event) for event in events]
    except SuspiciousOperation:
        return HttpResponse(status=403)
    except Exception as error:
        # Another's notation, read by another's code: whatever is wrong with it is the sender's. Its words stay out of
        # the log, because they name the patient.
        logger.warning("The mail service sent what cannot be read: %s", type(error).__name__)
        return HttpResponse(status=400)
    now = timezone.now()
    too_early = False
    for keys, kind, said in news:
        try:
            for key in keys:
                if mail_answers.told(key=key, event=kind, said=said, now=now):
                    break
        except BeingSent:
            too_early = True
    return HttpResponse(status=503 if too_early else 200)


def _view() -> Any:
    """The one that reads the notation of the service that is configured. Raises Http404 where there is none."""
    if not settings.MAIL_HOOK or not settings.ANYMAIL["WEBHOOK_SECRET"]:
        raise Http404
    try:
        from anymail.urls import urlpatterns
    except ImportError:
        raise Http404 from None
    name = f"{settings.MAIL_HOOK}_tracking_webhook"
    found = next((pattern.callback for pattern in urlpatterns if pattern.name == name), None)
    if found is None:
        raise Http404
    return found.view_class()


def _news(event: Any) -> tuple[list[UUID], str, str]:
    """Which mails it may be about, what became of it, and in which words."""
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    keys = [*_keys([metadata.get("message"), event.message_id])]
    said = event.mta_response or event.description
    return keys, str(event.event_type), said if isinstance(said, str) else ""


def _keys(texts: Iterable[object]) -> Iterable[UUID]:
    for text in texts:
        if isinstance(text, str):
            with suppress(ValueError):
                yield UUID(text.strip("<> ").partition("@")[0])
