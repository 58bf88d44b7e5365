"""Folding what offices order."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Oversight


def _given(case: Case, e: ev.OrderGiven, at: int) -> Case:
    return case


def _urged(case: Case, e: ev.CaseUrged, at: int) -> Case:
    held = oversight(case)
    more = {"urged": held.urged + 1} if e.unit else {"urged_by_citizen": held.urged_by_citizen + 1}
    return replace(case, oversight=replace(held, **more))


def oversight(case: Case) -> Oversight:
    return case.oversight or Oversight()


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.OrderGiven: _given,
    ev.CaseUrged: _urged,
}
