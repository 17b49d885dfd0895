"""Where the gateway for text messages calls: with answers of patients, and with what became of a message."""

import json
from contextlib import suppress
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from phonenumber_field.phonenumber import to_python

from clinic.services import sms_answers
from clinic.services.ledger import BeingSent

# The names that gateways give to the same thing.
SENDER = ("from", "From", "msisdn", "originator")
TEXT = ("text", "Body", "body", "message", "content")
STATUS = ("status", "MessageStatus", "SmsStatus")
KEY = ("key", "reference", "client-ref", "custom_string")
LONGEST = 20_000


@login_not_required
@csrf_exempt
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    """An empty yes for whoever knows the secret: a gateway repeats what it thinks was not heard.

    Not yet to news of a message that is being sent at this moment, so that it is told again.
    """
    expected = settings.SMS_HOOK_SECRET
    if not expected or not constant_time_compare(secret, expected):
        raise Http404
    if request.method != "POST":
        return HttpResponse(status=204)
    said, now = _said(request), timezone.now()
    phone = to_python(_first(said, SENDER), region=settings.PHONENUMBER_DEFAULT_REGION)
    if phone and phone.country_code:
        sms_answers.answered(phone=phone.as_e164, text=_first(said, TEXT), now=now)
    try:
        with suppress(ValueError):
            sms_answers.delivered(key=UUID(_first(said, KEY)), status=_first(said, STATUS).lower(), now=now)
    except BeingSent:
        return HttpResponse(status=503)
    return HttpResponse(status=204)


def _said(request: HttpRequest) -> dict[str, object]:
    if request.content_type != "application/json":
        return request.POST.dict()
    body = request.body
    if len(body) > LONGEST:
        return {}
    with suppress(ValueError):
        said = json.loads(body)
        return said if isinstance(said, dict) else {}
    return {}


def _first(said: dict[str, object], names: tuple[str, ...]) -> str:
    found = next((said[name] for name in names if name in said), "")
    # NUL is no text to the database, nor is half a character.
    return found.replace("\0", "").encode("utf-8", "ignore").decode() if isinstance(found, str) else ""
