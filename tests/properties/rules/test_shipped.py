"""The shipped rules before the analysis: thousands of boxes, too many for a test that is to take no time."""

from router.catalogue.analyse import analyse
from tests.unit.catalogue.shandong import shandong

NOW = 1_789_693_200_000


def test_the_shipped_rules_are_clean() -> None:
    """But for one function that units hold and nothing sends to: a hint."""
    assert [(f.level, f.code) for f in analyse(shandong(), NOW)] == [("hint", "not_named")]
