"""Who may open the desk, and who may change something there."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

View = Callable[..., HttpResponse]

SAFE = ("GET", "HEAD", "OPTIONS")
LOOK, CHANGE = "patients.view_patient", "clinic.change_appointment"


def staff_required(view: View, *, changes: bool = True) -> View:
    """Staff with a role only: others are told that there is no such page, and the unknown are asked to sign in.

    Whose rights do not reach beyond looking may send nothing, but to a view that changes nothing. What takes a right of
    its own the page asks for itself.
    Nothing the desk shows is kept by the browser, so that "back" after signing out shows nobody's record.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise Http404
        needed = CHANGE if changes and request.method not in SAFE else LOOK
        if not request.user.has_perms({LOOK, needed}):
            raise PermissionDenied
        response = view(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    return guarded


class StaffRequired:
    """The same for a class of views; it stands before the view in the list of bases."""

    changes = True

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        return staff_required(super().dispatch, changes=self.changes)(request, *args, **kwargs)
