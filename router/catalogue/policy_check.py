"""
Whether the numbers and words of a policy make sense: its limits, its extensions, its feedback, its ladders.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from router.catalogue.dates import check_budget, check_hours, check_limits, longer
from router.catalogue.findings import At, Findings
from router.catalogue.reading import Spot
from router.catalogue.rows import ROLES
from workflows.merging import MEMBERS
from workflows.policies import ANSWERED, Extensions, Policy, Repeat, Step
from workflows.submit import TRIAGE_REASONS

Known = Mapping[str, Any]
TURNS = 20
"""How often a rung may be said: each is a mark that the case keeps."""


def check_policy(policy: Policy, spot: Spot, functions: Known, findings: Findings) -> None:
    """Add everything that is wrong to `findings`. functions: those that a rung may name."""
    if not 0 <= policy.answers_from <= 1:
        findings.add("bad_share", spot.at("answers_from"), value=policy.answers_from)
    for i, clock in enumerate(policy.clocks):
        if clock.reason and (clock.of != "task" or clock.reason not in TRIAGE_REASONS):
            findings.add("bad_word", spot.at("clocks", i, "reason"), column="reason", value=clock.reason)
        if clock.due == "working_day" and clock.kind != "statutory":
            findings.add("bad_word", spot.at("clocks", i, "due"), column="due", value=clock.due)
    if policy.join not in ("lead", "all") and not (policy.join.isascii() and policy.join.isdigit()):
        findings.add("bad_word", spot.at("join"), column="join", value=policy.join)
    for field, least in (("levels", 1), ("arbitrate_after", 0)):
        if getattr(policy, field) < least:
            findings.add("bad_word", spot.at(field), column=field, value=str(getattr(policy, field)))
    for limit, at in _policy_limits(policy, spot.at):
        if limit:
            check_budget(limit, at, findings)
    if not 1 <= policy.merge_alone <= MEMBERS:
        findings.add("bad_weight", spot.at("merge_alone"), value=policy.merge_alone, most=MEMBERS)
    for i, (before, rung) in enumerate(pairwise((Repeat(times=1), *policy.repeats))):
        if rung.times <= before.times or not (rung.urgency or rung.notify):
            findings.add("bad_repeats", spot.at("repeats", i), times=rung.times)
    if policy.extensions is not None:
        _extensions(policy, policy.extensions, spot.at("extensions"), findings)
    _feedback(policy, spot, findings)
    _ladders(policy, spot, functions, findings)


def _feedback(policy: Policy, spot: Spot, findings: Findings) -> None:
    """Numbers that mean something, and a time of its own for whoever calls back."""
    callback, said, redo = policy.callback, policy.evaluation, policy.redo
    numbers = (
        [("callback", "percent", callback.percent, 0, 100), ("callback", "attempts", callback.attempts, 1, 10)]
        if callback
        else []
    )
    if said is not None:
        numbers += [("evaluation", "bad", said.bad, 0, 4)]
        numbers += [("evaluation", "silent_grade", said.silent_grade, *((1, 5) if said.silent_after else (0, 0)))]
    if redo is not None:
        numbers += [("redo", "times", redo.times, 1, 9)]
    for section, field, value, least, most in numbers:
        if not least <= value <= most:
            findings.add("bad_number", spot.at(section, field), column=field, value=value, least=least, most=most)
    if callback is not None and not any(clock.kind == "call_back" for clock in policy.clocks):
        findings.add("no_clock", spot.at("callback"), kind="call_back")


def _extensions(policy: Policy, rules: Extensions, at: At, findings: Findings) -> None:
    """Every length up to the most has somebody who decides, within a time of their own, and all are counted alike."""
    lengths = [*(step.up_to for step in rules.approvers), rules.at_most]
    if any(longer(first, second) for first, second in pairwise(lengths)) or lengths[-2:] != [rules.at_most] * 2:
        findings.add("bad_approvers", at, at_most=rules.at_most)
    if not any(clock.kind == "extension_decision" for clock in policy.clocks):
        findings.add("no_decision_clock", at, kind="extension_decision")


def _policy_limits(policy: Policy, at: Callable[..., At]) -> Iterator[tuple[str, At]]:
    if policy.evaluation is not None:
        yield from ((limit, at("evaluation")) for limit in (policy.evaluation.within, policy.evaluation.silent_after))
    yield from ((pause.at_most, at("pauses", i)) for i, pause in enumerate(policy.pauses))
    if policy.extensions is not None:
        yield policy.extensions.at_most, at("extensions")
        yield from (
            (step.up_to, at("extensions", "approvers", i)) for i, step in enumerate(policy.extensions.approvers)
        )
    yield from (
        (limit, at())
        for limit in (policy.return_within, policy.reserve, policy.reopen_window, policy.floor, policy.hangs_within)
    )
    for i, clock in enumerate(policy.clocks):
        yield clock.budget, at("clocks", i, "budget")
        yield from ((warning.before, at("clocks", i, "warn", j)) for j, warning in enumerate(clock.warn))
        yield from ((step.after, at("clocks", i, "ladder", j)) for j, step in enumerate(clock.ladder))


def _ladders(policy: Policy, spot: Spot, functions: Known, findings: Findings) -> None:
    for i, clock in enumerate(policy.clocks):
        for j, warning in enumerate(clock.warn):
            check_hours(warning.quiet, spot.at("clocks", i, "warn", j), findings)
        for j, step in enumerate(clock.ladder):
            _step(step, spot.at("clocks", i, "ladder", j), functions, findings)


def _step(step: Step, at: At, functions: Known, findings: Findings) -> None:
    check_limits(at, findings, step.every, step.acknowledge)
    check_hours(step.quiet, at, findings)
    if (step.who == "role") != bool(step.role):
        findings.add("rung_role", at)
    if step.role:
        function, _, role = step.role.partition(":")
        if function not in functions:
            findings.add("dangling", at, kind="职能", kind_en="function", id=function)
        if (role or "handle") not in ROLES:
            findings.add("bad_role", at, role=role)
    if not 1 <= step.times <= TURNS or (step.times > 1) != bool(step.every):
        findings.add("rung_times", at, limit=TURNS)
    if "acknowledged" in step.until and not step.acknowledge and step.what not in ANSWERED:
        findings.add("rung_unasked", at)
    if (step.what == "redispatch" and step.who != "centre") or (step.what == "raise" and step.who == "unit"):
        findings.add("rung_who", at, what=step.what, who=step.who)
