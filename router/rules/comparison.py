"""
Two rule sets side by side: of many requests, how often which decision became which.

Counted in bounded memory; of a request nothing is kept but its case number. The order in which requests come makes no
difference to what is told in the end.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest

from msgspec import Struct

from router.rules.backtest import Outcome, Registered, differing
from router.rules.model import Rule
from router.rules.validity import window

PAIRS = 50_000
"""Pairs of decisions that are told apart; beyond that units are not. 1 KB each at most."""
EXAMPLES = 20
"""That are kept of each move, and that are shown in all."""

Pair = tuple[Outcome, Outcome]


class Comparison:
    """
    The counting. pairs: by both decisions, how many requests. differences: in what they differ (`any`: at all).
    checked, unlike: of how many requests `before` is the very version that decided them, and of how many of these the log
    tells another rule.
    """

    def __init__(self) -> None:
        self.pairs: Counter[Pair] = Counter()
        self.differences: Counter[str] = Counter()
        self.examples: dict[tuple[str, ...], list[tuple[int, str, Pair]]] = {}
        self.checked = self.unlike = 0

    def take(self, asked: Registered, before: Outcome, after: Outcome) -> tuple[str, ...]:
        """Count one request; returns in what the two differ."""
        differences = () if before is after else differing(before, after)
        pair = (before, after)
        if len(self.pairs) >= PAIRS and pair not in self.pairs:
            pair = (_coarse(before), _coarse(after))
        self.pairs[pair] += 1
        if differences:
            self.differences.update(("any", *differences))
            self._keep(asked, (before, after))
        return differences

    def _keep(self, asked: Registered, pair: Pair) -> None:
        """As an example, among the latest of its move."""
        latest = self.examples.setdefault(_move(pair), [])
        latest.append((asked.at, asked.number, pair))
        if len(latest) > EXAMPLES:
            latest.remove(min(latest, key=_age))

    def check(self, asked: Registered, version: int, before: Outcome) -> None:
        """Hold what was decided again by `version` to what the log says it decided."""
        if asked.catalogue == version:
            self.checked += 1
            self.unlike += (asked.rule,) != (before.rules[:1] or ("",))


def _move(pair: Pair) -> tuple[str, ...]:
    """What an example is one of."""
    return tuple(f"{outcome.kind} {outcome.function} {outcome.policy}" for outcome in pair)


def _age(example: tuple[int, str, Pair]) -> tuple[int, str]:
    return example[:2]


def _coarse(outcome: Outcome) -> Outcome:
    """Without what there may be very many of."""
    return Outcome(
        kind=outcome.kind, rules=outcome.rules, function=outcome.function, policy=outcome.policy,
        urgency=outcome.urgency, unit="…" if outcome.unit else "", text="…" if outcome.text else "",
    )  # fmt: skip


# -- what is told ---------------------------------------------------------------------------------------


class Move(Struct, frozen=True, kw_only=True):
    """So many requests go from here to there: a function, a unit, a policy, or in brackets what becomes of them."""

    before: str
    after: str
    count: int


class Example(Struct, frozen=True, kw_only=True):
    """One case that would be decided otherwise, and in what."""

    number: str
    at: int
    differs: tuple[str, ...]
    before: Outcome
    after: Outcome


class Fired(Struct, frozen=True, kw_only=True):
    """
    A rule and how many requests it took part in. change: added | changed | removed, or empty. in_force: whether it
    was at any moment of the time looked at.
    """

    id: str
    number: int
    name: str
    change: str
    before: int
    after: int
    in_force: bool


class Report(Struct, frozen=True, kw_only=True):
    """
    What a comparison comes to. since, until: the time looked at.

    differing: requests that differ in anything; differences: by what. other_rule: the same for everybody, by another
    rule. outcomes, fallback: before and after. functions, units, limits: who loses to whom, most first. met: requests in
    which a rule took part that is not the same in both. changed, silent: those rules, and the rules of the latter set
    that took part in nothing. unreadable: records that could not be read. failed: requests that one of the sets, or both,
    could not decide.
    """

    since: int
    until: int
    requests: int
    differing: int
    differences: Mapping[str, int]
    other_rule: int
    outcomes: Mapping[str, tuple[int, int]]
    fallback: tuple[int, int]
    functions: tuple[Move, ...]
    units: tuple[Move, ...]
    limits: tuple[Move, ...]
    examples: tuple[Example, ...]
    met: int
    changed: tuple[Fired, ...]
    silent: tuple[Fired, ...]
    checked: int
    unlike: int
    unreadable: int = 0
    failed: int = 0

    @property
    def is_quiet(self) -> bool:
        """
        Whether there were requests, all of them read, decided, and as back then; nothing changes for anybody; and if
        rules changed, some request met one of them.
        """
        if self.differing or self.unlike or self.unreadable or self.failed:
            return False
        return self.requests > 0 and (self.met > 0 or not self.changed)


Rules = Mapping[str, Rule]


def report(made: Comparison, before: Rules, after: Rules, since: int, until: int, unreadable: int = 0) -> Report:
    """What `made` comes to; `before` and `after` are the rules of the two sets by id."""
    fired = _fired(made.pairs, before, after, since, until)
    changes = {rule.id for rule in fired if rule.change}
    fallbacks = {rule.id for rule in (*before.values(), *after.values()) if rule.unconditional}
    return Report(
        since=since,
        until=until,
        requests=made.pairs.total(),
        differing=made.differences["any"],
        differences={name: count for name, count in made.differences.items() if name != "any"},
        other_rule=sum(n for (b, a), n in made.pairs.items() if b.rules != a.rules and not differing(b, a)),
        outcomes=_both(made.pairs, lambda outcome: outcome.kind),
        fallback=_both(made.pairs, lambda outcome: str(not fallbacks.isdisjoint(outcome.rules))).get("True", (0, 0)),
        functions=_moves(made.pairs, lambda outcome: outcome.function or f"({outcome.kind})"),
        units=_moves(made.pairs, lambda outcome: outcome.unit or f"({outcome.kind})"),
        limits=_moves(made.pairs, lambda outcome: outcome.policy or "–", "clocks"),
        examples=tuple(_examples(made)),
        met=sum(n for (b, a), n in made.pairs.items() if not changes.isdisjoint(b.rules + a.rules)),
        changed=tuple(rule for rule in fired if rule.change),
        silent=tuple(rule for rule in fired if not rule.after and rule.change != "removed"),
        checked=made.checked,
        unlike=made.unlike,
        unreadable=unreadable,
        failed=sum(n for pair, n in made.pairs.items() if any(outcome.kind == "failed" for outcome in pair)),
    )


def _moves(pairs: Mapping[Pair, int], label: Callable[[Outcome], str], of: str = "") -> tuple[Move, ...]:
    """Where both labels differ, or where `of` is among the differences; most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for (before, after), count in pairs.items():
        labels = label(before), label(after)
        if of in differing(before, after) if of else labels[0] != labels[1]:
            counts[labels] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Move(before=before, after=after, count=count) for (before, after), count in ranked)


def _both(pairs: Mapping[Pair, int], label: Callable[[Outcome], str]) -> dict[str, tuple[int, int]]:
    """By label, how many before and after."""
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for pair, count in pairs.items():
        for side, outcome in zip(counts, pair, strict=True):
            side[label(outcome)] += count
    return {name: (counts[0][name], counts[1][name]) for name in sorted(counts[0] | counts[1])}


def _examples(made: Comparison) -> Iterator[Example]:
    """The latest of each move in turn, the greatest move first, so that no move hides another."""
    weight: Counter[tuple[str, ...]] = Counter()
    for pair, count in made.pairs.items():
        weight[_move(pair)] += count
    ranked = sorted(made.examples, key=lambda move: (-weight[move], move))
    newest = (sorted(made.examples[move], key=_age, reverse=True) for move in ranked)
    turns = (one for turn in zip_longest(*newest) for one in turn if one)
    for _, (at, number, (before, after)) in zip(range(EXAMPLES), turns, strict=False):
        yield Example(number=number, at=at, differs=differing(before, after), before=before, after=after)


def _fired(pairs: Mapping[Pair, int], before: Rules, after: Rules, since: int, until: int) -> list[Fired]:
    """Every rule of both sets, by number."""
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for pair, count in pairs.items():
        for side, outcome in zip(counts, pair, strict=True):
            side.update(dict.fromkeys(outcome.rules, count))
    rules = dict(before) | dict(after)
    return [
        Fired(
            id=id_, number=rule.number, name=rule.name, change=_change(before.get(id_), after.get(id_)),
            before=counts[0][id_], after=counts[1][id_], in_force=_in_force(rule, since, until),
        )
        for id_, rule in sorted(rules.items(), key=lambda item: (item[1].number, item[0]))
    ]  # fmt: skip


def _change(before: Rule | None, after: Rule | None) -> str:
    if before is None or after is None:
        return "removed" if after is None else "added"
    return "" if before == after else "changed"


def _in_force(rule: Rule, since: int, until: int) -> bool:
    start, end = window(rule)
    return start < until and since < end


__all__ = ["Comparison", "Example", "Fired", "Move", "Report", "report"]
