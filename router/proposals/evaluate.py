"""How good proposals are, on messages that the model has not seen: repeated cross-validation, no person on both sides."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, pstdev
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from router.catalogue.catalogue import Catalogue
from router.proposals.model import ModelFile
from router.proposals.propose import Proposer
from router.proposals.samples import Sample
from router.proposals.train import folds, train
from router.rules.naive import lineage
from workflows.facts import RequestView
from workflows.proposals import Guess, Proposal

FOLDS = 5
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CHANNEL, NOON = "website", 1_789_704_000_000
"""Where and when the messages are taken to come in: a Friday in September 2026"""
Judged = Sequence[tuple[str, Proposal]]
"""The first-level category that is right, and what was proposed."""


def evaluate(samples: Sequence[Sample], catalogue: Catalogue, repeats: int) -> dict[str, Any]:
    """Figures by way of proposing: accuracy with its spread over folds, by class, by threshold, calibration, and routes."""
    parents = {code: row.parent for code, row in catalogue.categories.items()}
    rooted = [(sample, lineage(parents, sample.category)[-1]) for sample in samples if sample.category in parents]
    judged: dict[str, list[Judged]] = defaultdict(list)
    asked: list[Sample] = []
    for seen, unseen in _splits([sample._replace(category=root) for sample, root in rooted], repeats):
        file = train([rooted[i][0] for i in seen], parents, proposer(catalogue, parents, None), 0)
        asked += [rooted[i][0] for i in unseen]
        for way, using in _ways(catalogue, parents, file).items():
            said = [using.propose(rooted[i][0].title, rooted[i][0].text) for i in unseen]
            judged[way].append([(rooted[i][1], _at_the_root(p, parents)) for i, p in zip(unseen, said, strict=True)])
    return {
        "samples": dict(sorted(Counter(root for _, root in rooted).items())),
        "people": len({sample.who for sample, _ in rooted}),
        "folds": FOLDS * repeats,
        "threshold": catalogue.header.proposal_threshold,
        "ways": {way: _figures(parts) for way, parts in judged.items()},
        "routes": _routes(catalogue, asked, [pair for part in judged["both"] for pair in part]),
    }


def _splits(samples: Sequence[Sample], repeats: int) -> Iterator[tuple[list[int], list[int]]]:
    return (split for repeat in range(repeats) for split in folds(samples, FOLDS, repeat))


def proposer(
    catalogue: Catalogue, parents: Mapping[str, str], model: ModelFile | None, *, words: bool = True
) -> Proposer:
    """As the catalogue's own, but with this model."""
    keywords = [(row.keyword, row.category, row.weight) for row in catalogue.keywords.values()] if words else []
    return Proposer(parents, keywords, model, catalogue.header.proposal_threshold, "")


def _at_the_root(said: Proposal, parents: Mapping[str, str]) -> Proposal:
    """The likeliest categories as those of the first level that they stand below."""
    scores: dict[str, float] = defaultdict(float)
    for guess in said.top:
        scores[lineage(parents, guess.category)[-1]] += guess.score
    best = sorted(scores.items(), key=lambda pair: -pair[1])
    return replace(said, top=tuple(Guess(code, score) for code, score in best))


def _ways(catalogue: Catalogue, parents: Mapping[str, str], file: ModelFile) -> dict[str, Proposer]:
    return {
        "dictionary": proposer(catalogue, parents, None),
        "model": proposer(catalogue, parents, replace(file, keyword_weight=0.0), words=False),
        "both": proposer(catalogue, parents, file),
    }


def _figures(parts: Sequence[Judged]) -> dict[str, Any]:
    whole = [pair for part in parts for pair in part]
    shares = [_share([_first(said) == right for right, said in part]) for part in parts]
    return {
        "accuracy": round(mean(shares), 3),
        "spread": round(pstdev(shares), 3),
        "top3": _share([right in [guess.category for guess in said.top] for right, said in whole]),
        "classes": _by_class(whole),
        "thresholds": [_at(whole, threshold) for threshold in THRESHOLDS],
        "calibration": _calibration(whole),
    }


def _first(said: Proposal) -> str:
    return said.top[0].category


def _share(flags: Sequence[bool]) -> float:
    return round(sum(flags) / len(flags), 3) if flags else 0.0


def _by_class(judged: Judged) -> dict[str, dict[str, float]]:
    return {
        code: {
            "recall": _share([_first(said) == code for right, said in judged if right == code]),
            "precision": _share([right == code for right, said in judged if _first(said) == code]),
        }
        for code in sorted({right for right, _ in judged})
    }


def _at(judged: Judged, threshold: float) -> dict[str, float]:
    """Which share a person would see, and how many of the rest are right."""
    taken = [_first(said) == right for right, said in judged if said.top[0].score >= threshold]
    return {"threshold": threshold, "triage": round(1 - len(taken) / len(judged), 3), "right": _share(taken)}


def _calibration(judged: Judged) -> list[dict[str, float]]:
    """What was said, and how often it was so."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for right, said in judged:
        bins[min(int(said.top[0].score * 5), 4)].append((said.top[0].score, _first(said) == right))
    return [
        {"said": round(mean(score for score, _ in pairs), 3), "so": _share([so for _, so in pairs]), "share": round(len(pairs) / len(judged), 3)}
        for _, pairs in sorted(bins.items())
    ]  # fmt: skip


def _routes(catalogue: Catalogue, asked: Sequence[Sample], judged: Judged) -> dict[str, float]:
    """What the rules make of them on an ordinary channel: by the right first-level category, by a wrong one, or without any."""
    facts, became = catalogue.facts(), Counter[str]()
    parents = {code: row.parent for code, row in catalogue.categories.items()}
    for sample, (right, said) in zip(asked, judged, strict=True):
        region = catalogue.header.province
        view = RequestView(appeal_kind="help", appeal_category=said.category or None, received_region=region)
        request = {**msgspec.to_builtins(view), "title": sample.title, "text": sample.text}
        outcome = facts.route(CHANNEL, view, NOON, Raw(msgspec.json.encode(request)), NOON).outcome
        guess = "right" if said.category and lineage(parents, said.category)[-1] == right else "wrong"
        became[f"{outcome}, {guess}" if said.category else outcome] += 1
    return {what: round(count / len(judged), 3) for what, count in became.most_common()}
