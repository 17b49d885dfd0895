"""Where a manager requires a second factor of all who work here."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clinic.permissions import View, staff_required
from clinic.services import second_factor

REQUIRE = "clinic.require_second_factor"


def may_require(view: View) -> View:
    """Staff who may require it; other staff are told that they may not."""
    return staff_required(permission_required(REQUIRE, raise_exception=True)(view))


@may_require
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    people = list(second_factor.staff())
    without = [person for person in people if not person.has_second_factor]
    context = {
        "required": second_factor.is_required(),
        "people": people,
        "without": without,
        "owing": request.user in without,
        "decisions": second_factor.decisions(),
    }
    return render(request, "desk/second_factor.html", context)


@may_require
@require_POST
def require(request: HttpRequest) -> HttpResponse:
    return _decide(request, required=True, done=_("From now on everybody who works here needs a second factor."))


@may_require
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    return _decide(request, required=False, done=_("It is left to each. Who has a second factor keeps it."))


def _decide(request: HttpRequest, *, required: bool, done: str) -> HttpResponse:
    try:
        second_factor.decide(required=required, by=request.user, now=timezone.now())
    except second_factor.AlreadySo as refusal:
        messages.info(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("desk:second-factor")
