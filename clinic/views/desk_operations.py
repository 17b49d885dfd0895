"""For the people who keep the sending running: how it stands, what would go out, and the switch that stops it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clinic.permissions import View, staff_required
from clinic.services import dry_run, operations

OPERATE = "clinic.operate_sending"


def operator_required(view: View) -> View:
    """Staff who may operate the sending; other staff are told that they may not."""

    def allowed(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(OPERATE):
            raise PermissionDenied
        return view(request)

    return staff_required(allowed)


@operator_required
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    standing = operations.standing(now=now)
    context = {
        "standing": standing,
        "settled": sorted(standing.settled.items()),
        "failure_percent": None if standing.failure_rate is None else round(100 * standing.failure_rate, 1),
        "next_day": operations.kinds_in_words(dry_run.next_day(now=now)),
        "now": now,
    }
    return render(request, "desk/operations.html", context)


@operator_required
@require_safe
def dry(request: HttpRequest) -> HttpResponse:
    """What would go out now, and why not."""
    now = timezone.now()
    lines, due = dry_run.now_due(now=now)
    going = [line for line in lines if line.goes]
    held = [line for line in lines if not line.goes]
    context = {"going": going, "held": held, "due": due, "shown": len(lines), "now": now}
    return render(request, "desk/operations_dry_run.html", context)


@operator_required
@require_POST
def pause(request: HttpRequest) -> HttpResponse:
    operations.pause(by=request.user, now=timezone.now())
    return redirect("desk:operations")


@operator_required
@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    operations.resume()
    return redirect("desk:operations")
