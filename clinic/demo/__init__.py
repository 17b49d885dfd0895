"""A lifelike clinic for trying out. Nobody in it is real."""

from collections.abc import Callable
from datetime import datetime

# For the demo only: it is printed where the demo starts, and is no secret.
DEMO_PASSWORD = "demo-only-alderbrook"  # noqa: S105

# Role, sign-in e-mail, password; None: signs in by a code sent by e-mail.
ACCOUNTS: list[tuple[str, str, str | None]] = [
    ("receptionist", "reception@example.com", DEMO_PASSWORD),
    ("practitioner", "amara@example.com", DEMO_PASSWORD),
    ("manager", "manager@example.com", DEMO_PASSWORD),
    ("admin", "admin@example.com", DEMO_PASSWORD),
    ("patient", "nina.castellan@example.com", None),
]

SEED = 20260301


def load(*, now: datetime, write: Callable[[str], None]) -> None:
    """Load the clinic once, in one transaction: where a site exists nothing is changed.

    The same `now` gives the same clinic.
    """
    from clinic.demo.loading import load

    load(now=now, write=write)
