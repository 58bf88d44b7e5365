"""
What comes of a request by the rule that holds for it: the route that workflows.facts.Route describes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from router.catalogue.rows import OneThing
from router.rules.model import Bearer, Match
from workflows.facts import URGENCIES, Joined, Reason, RequestView, Route, Stage, Target

if TYPE_CHECKING:
    from router.catalogue.catalogue import Catalogue

Chain = Callable[[str], tuple[str, ...]]
"""From a code to it and what is above it, nearest first."""


class Routes:
    """Over one catalogue version. A route is a function of the rule, the channel and what it names of the request."""

    def __init__(self, catalogue: "Catalogue", matter_chain: Chain, category_chain: Chain) -> None:
        self._catalogue, self._matter_chain, self._category_chain = catalogue, matter_chain, category_chain

    def of(self, match: Match, adding: tuple[Match, ...], channel: str, request: RequestView) -> Route:
        """By the rule that holds first, and those that add to it."""
        rule, then = match.rule, match.rule.then
        joined = tuple([more for more in adding if then.route or more.rule.then.urgency]) if adding else ()
        said: dict[str, Any] = {
            "rule": rule.id,
            "number": rule.number,
            "why": match.why,
            "policy": self._policy_of(match, channel),
            "urgency": then.urgency,
        }
        if joined:  # of few cases
            said["joined"] = tuple(Joined(rule=m.rule.id, number=m.rule.number, why=m.why) for m in joined)
            said["urgency"] = max((m.rule.then.urgency for m in (match, *joined)), key=("", *URGENCIES).index)
        if then.one_thing:
            package = self._catalogue.one_things[then.one_thing]
            return Route(outcome="one_thing", targets=(_lead(package),), stages=_stages(package), **said)
        if then.propose_refusal:
            refusal = then.propose_refusal
            return Route(
                outcome="propose_refusal",
                ground=refusal.ground,
                basis=refusal.basis,
                where_to_turn=refusal.where_to_turn,
                **said,
            )
        if then.answer:
            return Route(outcome="answer", answer=then.answer, text=self._catalogue.answers[then.answer].text, **said)
        bearers = [*then.route, *(bearer for m in joined for bearer in m.rule.then.route)] if then.route else []
        targets = [self._target(bearer, request) for bearer in bearers]
        if then.triage or None in targets:
            missing = tuple(
                Reason(column="route", value="", cell=b.function)
                for b, t in zip(bearers, targets, strict=True)
                if t is None
            )
            return Route(outcome="triage", **said | {"why": match.why + missing})
        return Route(outcome="dispatch", targets=tuple(target for target in targets if target), **said)

    def _policy_of(self, match: Match, channel: str) -> str:
        """The rule's own, the package's (by name, or `one-thing-<package>`), the channel's, the catalogue's."""
        then, row = match.rule.then, self._catalogue.channels.get(channel)
        package = self._catalogue.one_things.get(then.one_thing)
        named = package and (package.policy or f"one-thing-{package.id}")
        return (
            then.policy
            or (named if named in self._catalogue.policies else "")
            or (row.policy if row else "")
            or self._catalogue.header.default_policy
        )

    def _target(self, bearer: Bearer, request: RequestView) -> Target | None:
        """`@category` and `@matter` become what the request's row (or one above it) names; None where none does."""
        function, role = bearer.function, bearer.role
        if function.startswith("@"):
            named = self.named_by(function, request.appeal_category or "", request.matter_code or "")
            if named is None:
                return None
            function, role = named[0], role or named[1]
        return Target(function=function, role=_role(role or "handle"), level=bearer.level, part=bearer.part)

    def named_by(self, column: str, category: str, matter: str) -> tuple[str, str] | None:
        """The function and role that a category or matter names, itself or inherited from above it."""
        by_matter = column == "@matter"
        table: Any = self._catalogue.matters if by_matter else self._catalogue.categories
        for code in self._matter_chain(matter) if by_matter else self._category_chain(category):
            row = table.get(code)
            if row is not None and row.function:
                return row.function, row.role or "handle"
        return None


def _lead(package: OneThing) -> Target:
    return Target(function=package.lead.function, role=_role(package.lead.role))


def _stages(package: OneThing) -> tuple[Stage, ...]:
    return tuple(
        Stage(
            id=stage.id,
            name=stage.name,
            targets=tuple(
                Target(function=leg.function, role=_role(leg.role), level=_level(leg.level), part=leg.part)
                for leg in stage.legs
            ),
            matters=tuple(leg.matter for leg in stage.legs),
            blocking=tuple(leg.blocking for leg in stage.legs),
        )
        for stage in package.stages
    )


def _role(text: str) -> Any:
    """The loader has checked it."""
    return text


def _level(text: str) -> Any:
    return text
