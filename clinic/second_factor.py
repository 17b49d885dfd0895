"""Staff who still owe a second factor are led to set one up, whatever page they ask for, and get nothing else."""

from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect

from clinic.services import second_factor

SET_UP = "mfa_activate_totp"
# The pages that setting it up leads through, and the way out.
OPEN = {
    SET_UP,
    "account_reauthenticate",
    "account_request_reauthentication_code",
    "account_confirm_reauthentication_code",
    "account_logout",
}


class LeadToSetUp:
    """Patients are not concerned, nor what is open without signing in."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view, args, kwargs) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.user.is_staff:
            return None
        # The pages that set it up read it too: they say why one is there.
        request.owes_second_factor = second_factor.owes_one(request.user)
        if request.resolver_match.view_name in OPEN or not request.owes_second_factor:
            return None
        return HttpResponseClientRedirect(reverse(SET_UP)) if request.htmx else redirect(SET_UP)


class MFAAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _("The clinic asks everybody who works here for a second factor."),
        "cannot_generate_recovery_codes": _("Set up the second factor first."),
        "incorrect_code": _("This code is not correct. Look at it again, and type it as it stands there."),
        "unverified_email": _("Confirm your e-mail address first: sign in again, and a link comes by e-mail."),
    }

    def can_delete_authenticator(self, authenticator) -> bool:
        """While it is required nobody of the staff takes off their own; an admin does, where a phone is lost."""
        return not (authenticator.user.is_staff and second_factor.is_required())
