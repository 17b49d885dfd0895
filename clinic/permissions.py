"""Who may open the desk."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

View = Callable[..., HttpResponse]


def staff_required(view: View) -> View:
    """Staff only: others are told that there is no such page, and the unknown are asked to sign in.

    Nothing the desk shows is kept by the browser, so that "back" after signing out shows nobody's record.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise Http404
        response = view(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    return guarded


class StaffRequired:
    """The same for a class of views; it stands before the view in the list of bases."""

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        return staff_required(super().dispatch)(request, *args, **kwargs)
