"""The real catalogue, loaded once for all tests of a process."""

from functools import cache

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.operate.settings import CHECKOUT


@cache
def shandong() -> Catalogue:
    """What stands in catalog/; immutable, so that tests may share it."""
    return load(CHECKOUT / "catalog")
