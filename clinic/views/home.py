from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


def home(request: HttpRequest) -> HttpResponse:
    """Send everybody to where they belong: staff to the desk, patients to their portal."""
    return redirect("desk:home" if request.user.is_staff else "portal:course")
