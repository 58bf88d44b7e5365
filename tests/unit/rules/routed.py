"""One routing case asked of a catalogue: what the table of cases (tests/data/routing_cases.json) is compared with."""

from typing import Any

import msgspec

from router.catalogue.catalogue import Catalogue
from workflows.facts import RequestView, Target

NOW = 1_789_693_200_000
"""2026-09-18T09:00+08:00"""


def routed(catalogue: Catalogue, channel: str, request: dict[str, Any]) -> dict[str, Any]:
    """Rule, outcome, policy and the units that come of it, as a case of the table writes them."""
    facts, view = catalogue.facts(), msgspec.convert(request, RequestView)
    region = view.place.region if view.place else ""
    excluded = frozenset(subject.unit for subject in view.subject_of_complaint if subject.unit)

    def unit(target: Target, matter: str) -> str:
        found = facts.resolve(target, region, matter, excluded)
        return f"{found.id} {found.name}" if found else "-"

    emergency = facts.emergency(channel, view)
    if emergency:
        return {"emergency": unit(emergency, "")}
    route = facts.route(channel, view, NOW, msgspec.json.encode(request), NOW)
    said: dict[str, Any] = {"rule": route.rule, "outcome": route.outcome, "policy": route.policy}
    if route.outcome == "propose_refusal":
        said["ground"] = route.ground
    if route.outcome == "dispatch":
        said |= {
            part: [unit(t, view.matter_code or "") for t in route.targets if t.part == part]
            for part in ("lead", "assist", "copy")
        }
    if route.outcome == "one_thing":
        said["lead"] = [unit(route.targets[0], "")]
        for stage in route.stages:
            said[f"stage {stage.id}"] = [unit(t, m) for t, m in zip(stage.targets, stage.matters, strict=True)]
    return {key: value for key, value in said.items() if value}
