"""Which overrides contradict each other, against every case of a small world."""

from decimal import Decimal
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from treatments.matching import Case, Conditions, best, clashes

DEPTHS = [Decimal(n) / 2 for n in range(1, 5)]
# Between each two depths that a condition may name there is one that none names.
SOME_DEPTHS = [Decimal(n) / 4 for n in range(1, 11)]
CASES = [
    Case(concern=concern, severity=severity, area=area, depth_mm=depth)
    for concern, severity, area, depth in product(
        [None, "scars", "pores"], [None, "mild", "severe"], [None, "face", "neck"], [None, *SOME_DEPTHS]
    )
]


@st.composite
def conditions(draw) -> Conditions:
    low, high = draw(st.none() | st.sampled_from(DEPTHS)), draw(st.none() | st.sampled_from(DEPTHS))
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Conditions(
        concerns=draw(st.frozensets(st.sampled_from(["scars", "pores"]))),
        severity=draw(st.sampled_from(["", "mild", "severe"])),
        area=draw(st.sampled_from(["", "face", "neck"])),
        depth_min_mm=low,
        depth_max_mm=high,
    )


@given(st.lists(conditions(), max_size=4))
def test_a_clash_is_found_exactly_where_some_case_has_two_best(given_):
    in_doubt = {
        (first, second) for case in CASES for first, second in product(best(given_, case), repeat=2) if first < second
    }

    found = clashes(given_)

    assert {(clash.first, clash.second) for clash in found} == in_doubt
    for clash in found:
        assert {clash.first, clash.second} <= set(best(given_, clash.case))
        assert clash.alike == (given_[clash.first].named == given_[clash.second].named)
