"""The demo clinic loads whatever the day: apart from test_demo_data, because that module has it loaded already."""

from datetime import UTC, datetime

import pytest

from clinic.demo import load
from patients.models import Patient

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(datetime(2026, 12, 25, 3, 0, tzinfo=UTC), id="Christmas night"),
        pytest.param(datetime(2028, 2, 29, 23, 30, tzinfo=UTC), id="leap day, already tomorrow in Berlin"),
    ],
)
def test_it_loads_on_any_day(now):
    load(now=now, write=str)

    assert Patient.objects.count() == 300
