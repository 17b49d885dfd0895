"""One use-case, one transaction, tried again where the database asks for it."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _
from psycopg import errors

from patients.errors import Refused

P = ParamSpec("P")
T = TypeVar("T")

# Only what the database itself calls worth another try: a deadlock, a serialization failure, a lock not had in time.
PASSING = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
TRIES = 4
PAUSE_SECONDS = 0.05


class TooBusy(Refused):
    """Others were working on the same records all the while."""


def whole(work: Callable[P, T]) -> Callable[P, T]:
    """Run `work` in a transaction of its own: all of it is stored, or nothing.

    After a passing failure it is run again, three times at most, with a little chance in the pause so that rivals do
    not meet again. Raises TooBusy when that did not help, and RuntimeError inside another transaction.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic(durable=True):
                    return work(*args, **kwargs)
            except OperationalError as error:
                if not isinstance(error.__cause__, PASSING):
                    raise
                if attempt == TRIES:
                    raise TooBusy(_("Others are changing the same records just now. Please try again.")) from error
                time.sleep(PAUSE_SECONDS * attempt * (1 + random.random()))  # noqa: S311 - chance, not a secret
        raise AssertionError("unreachable")

    return run
