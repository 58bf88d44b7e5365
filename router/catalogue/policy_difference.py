"""What differs between the time limits of two catalogues: limit by limit, and for whom."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from router.catalogue.catalogue import Catalogue
from workflows.policies import ClockTemplate, Policy

SAID = frozenset({"id", "clocks"})
"""What is not compared as a field of its own."""


class Limit(Struct, frozen=True, kw_only=True):
    """
    One thing that a policy says otherwise.

    clock: `case finish`, `task triage low_score`, or empty where it is the policy's own `field`. before, after: as in the file;
    empty: not there, of a clock's `budget` that the clock as a whole came or went.
    """

    clock: str
    field: str
    before: Any
    after: Any


class PolicyChange(Struct, frozen=True, kw_only=True):
    """
    A policy that came, went or says something else. Running cases keep the dues they have.

    Who is routed by it in the later catalogue (of one that went: in the earlier): the catalogue's default or its emergencies,
    channels, packages and rules, by id.
    """

    id: str
    name: str
    change: Literal["added", "changed", "removed"]
    limits: tuple[Limit, ...]
    default: bool = False
    emergency: bool = False
    channels: tuple[str, ...] = ()
    one_things: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


def compare_policies(before: Catalogue, after: Catalogue) -> tuple[PolicyChange, ...]:
    """Every policy that differs, in the order of the files."""
    return tuple(
        _change(key, old, new, before if new is None else after)
        for key in dict.fromkeys((*before.policies, *after.policies))
        if (old := before.policies.get(key)) != (new := after.policies.get(key))
    )


def _change(key: str, old: Policy | None, new: Policy | None, where: Catalogue) -> PolicyChange:
    packages, named = where.one_things.values(), new or old
    return PolicyChange(
        id=key,
        name=named.name if named else "",
        change="added" if old is None else "removed" if new is None else "changed",
        limits=tuple(_limits(_written(old), _written(new))),
        default=where.header.default_policy == key,
        emergency=where.header.emergency_policy == key,
        channels=tuple(row.id for row in where.channels.values() if row.policy == key),
        one_things=tuple(row.id for row in packages if (row.policy or f"one-thing-{row.id}") == key),
        rules=tuple(rule.id for rule in where.rules.values() if rule.then.policy == key),
    )


def _limits(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Limit]:
    for clock in dict.fromkeys((*old, *new)):
        mine, others = old.get(clock, {}), new.get(clock, {})
        if clock and not (mine and others):
            yield Limit(clock=clock, field="budget", before=mine.get("budget", ""), after=others.get("budget", ""))
            continue
        for field in dict.fromkeys((*mine, *others)):
            if mine.get(field) != others.get(field):
                yield Limit(clock=clock, field=field, before=mine.get(field, ""), after=others.get(field, ""))


def _written(policy: Policy | None) -> dict[str, dict[str, Any]]:
    """Each clock by its name, and under the empty name what the policy says itself."""
    if policy is None:
        return {}
    plain = msgspec.to_builtins(policy)
    own = {field: value for field, value in plain.items() if field not in SAID}
    clocks = {_clock(template): msgspec.to_builtins(template) for template in policy.clocks}
    return {"": own} | clocks


def _clock(template: ClockTemplate) -> str:
    return " ".join(part for part in (template.of, template.kind, template.reason) if part)
