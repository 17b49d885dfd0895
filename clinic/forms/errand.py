"""What was being booked when it turned out that the patient is not registered: chosen once, and not lost by it."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http import HttpResponseRedirect as Redirect
from django.urls import reverse

VISIT, SERIES = "visit", "series"
# A visit's choices stand in its address: keys, and a wall clock time.
IN_AN_ADDRESS = {
    **dict.fromkeys(["site", "practitioner", "room", "treatment"], re.compile(r"[0-9]{1,18}")),
    "start": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{4,8}"),
}
# More than any page asks; what is beyond is not carried.
MOST, LONGEST = 200, 500


class SameAgain(Redirect):
    """The browser sends the same form on, so that what says something of the patient's case stands in no address."""

    status_code = 307


@dataclass(frozen=True, slots=True)
class Errand:
    """Where registering leads to, and what was chosen there so far."""

    then: str
    carried: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, posted: QueryDict, *, but_not: set[str]) -> "Errand | None":
        """From a form that was sent; `but_not` are the fields that belong to the registration itself."""
        then = posted.get("then")
        if then not in (VISIT, SERIES):
            return None
        # Registering books nothing, whatever was sent with it.
        own = but_not | {"then", "typed", "anyway", "book", "csrfmiddlewaretoken"}
        pairs = [(name, value) for name, values in posted.lists() if name not in own for value in values]
        if then == VISIT:
            pairs = [(n, value) for n, value in pairs if n in IN_AN_ADDRESS and IN_AN_ADDRESS[n].fullmatch(value)]
        return cls(then, tuple((name, value) for name, value in pairs if len(value) <= LONGEST)[:MOST])

    def address(self, patient: int) -> str:
        """The page to go on with for this patient. A series is sent there as a form, so only its page is named."""
        if self.then == SERIES:
            return reverse("desk:series-new", args=[patient])
        return f"{reverse('desk:visit-new', args=[patient])}?{urlencode(self.carried)}"

    def go_on(self, request: HttpRequest, patient: int) -> HttpResponse:
        return (SameAgain if self.then == SERIES else Redirect)(self.address(patient))
