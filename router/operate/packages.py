"""
The guard of our four names: `schemas`, `workflows`, `adapters` and `router` are import names at the top (ADR 0001).

Another wheel may bring a package of the same name (llama-index-workflows brings `workflows`); then its files win or
are mixed with ours, in silence. So each process asks at its start whether the four lie in one folder and are nobody
else's.
"""

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGES = ("adapters", "router", "schemas", "workflows")
DISTRIBUTION = "duokua"


class PackagesMixed(Exception):
    """One of our packages is not ours, or not only ours. The text names each, in Chinese and English."""


def check_packages() -> Path:
    """The folder that holds our four packages. Raises PackagesMixed."""
    owners = importlib.metadata.packages_distributions()
    faults = [*_scattered(places()), *_owned_twice({name: owners.get(name) or () for name in PACKAGES})]
    if faults:
        raise PackagesMixed("\n".join(faults))
    return places()["router"]


def places() -> dict[str, Path]:
    """From which folder each package would be imported."""
    return {name: _place(name) for name in PACKAGES}


def _place(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise PackagesMixed(f"{name}: 找不到，或没有 __init__.py / not found, or without __init__.py")
    return Path(spec.origin).resolve().parent.parent


def _scattered(found: Mapping[str, Path]) -> Iterable[str]:
    home = found["router"]
    return (
        f"{name}: 取自 {place}，而不是 {home} / is taken from {place}, not from {home}"
        for name, place in found.items()
        if place != home
    )


def _owned_twice(owners: Mapping[str, Iterable[str]]) -> Iterable[str]:
    return (
        f"{name}: 也属于 {owner}，请卸载它 / belongs to {owner} as well: uninstall that"
        for name, found in owners.items()
        for owner in found
        if owner != DISTRIBUTION
    )
