"""
The likeliest category of a message, as deep in the tree as it is sure enough.

Both parts speak in the same unit: log odds. The model gives them for its classes, keywords add their weights to the
category they name; one softmax over all classes makes probabilities. A category is as likely as all below it together;
within a class that the model does not divide further, keywords do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp

from router.proposals.dictionary import Dictionary, Keyword
from router.proposals.model import ModelFile
from router.proposals.text import told
from router.rules.naive import lineage
from workflows.proposals import Guess, Proposal

TOP = 3
LOUDNESS = 0.6
"""How much a weight counts where no model was trained beside it: words that stand together say much the same."""


class Proposer:
    """Proposes by the keywords and the model of one catalogue version. `parents`: the tree of categories."""

    def __init__(
        self,
        parents: Mapping[str, str],
        keywords: Iterable[Keyword],
        model: ModelFile | None,
        threshold: float,
        version: str,
    ) -> None:
        self._lines = {code: lineage(parents, code) for code in parents}
        self._dictionary = Dictionary(keywords)
        self._logits = _logits_of(model) if model else None
        self.threshold, self.version = threshold, version
        learnt = model.classes if model else ()
        spoken_for = {above for code in learnt for above in self._lines[code]}
        roots = [code for code, parent in parents.items() if not parent and code not in spoken_for]
        self._classes = (*learnt, *roots)
        self._learnt = len(learnt)
        self._sharpness, self._loudness = (model.sharpness, model.keyword_weight) if model else (1.0, LOUDNESS)

    def knows(self, category: str) -> bool:
        """Whether it is a category of this catalogue."""
        return category in self._lines

    def propose(self, title: str, text: str) -> Proposal:
        """Pure: the same message, the same proposal, to the last digit."""
        folded = told(title, text)
        heard = self.heard(folded)
        likely = dict(zip(self._classes, self._probabilities(folded, heard), strict=True))
        top = sorted(likely.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
        return self.judged("model" if self._logits else "dictionary", self.version, top, self._divided(likely, heard))

    def heard(self, folded: str) -> Mapping[str, float]:
        """What keywords say, for each category: its own and those below it together."""
        return self._rising(self._dictionary.evidence(folded))

    def judged(self, by: str, version: str, top: Sequence[tuple[str, float]], likely: Mapping[str, float]) -> Proposal:
        """The deepest category that is sure enough, on the way down where the greatest weight lies."""
        mass = self._rising(likely)
        category, score = "", 0.0
        while True:
            below = [
                (share, code)
                for code, share in mass.items()
                if self._lines[code][1:2] == ((category,) if category else ())
            ]
            best = max(below, key=lambda pair: (pair[0], pair[1]), default=(0.0, ""))
            if best[0] < self.threshold:
                break
            score, category = best
        guesses = tuple(Guess(code, round(min(share, 1.0), 4)) for code, share in top)
        return Proposal(
            by=by, version=version, threshold=self.threshold, top=guesses, category=category, score=round(min(score, 1.0), 4),
        )  # fmt: skip

    def _rising(self, values: Mapping[str, float]) -> dict[str, float]:
        """What stands at a category or anywhere below it, together."""
        risen: dict[str, float] = {}
        for code, value in values.items():
            for above in self._lines.get(code, ()):
                risen[above] = risen.get(above, 0.0) + value
        return risen

    def _probabilities(self, folded: str, heard: Mapping[str, float]) -> list[float]:
        logits = [self._sharpness * value for value in self._logits(folded)] if self._logits else []
        unseen = min(
            logits, default=0.0
        )  # what nobody has labelled yet is no likelier than the least likely of the rest
        logits += [unseen] * (len(self._classes) - self._learnt)
        said = [
            logit + self._loudness * heard.get(code, 0.0) for logit, code in zip(logits, self._classes, strict=True)
        ]
        most = max(said)
        odds = [exp(value - most) for value in said]
        total = sum(odds)
        return [value / total for value in odds]

    def _divided(self, likely: Mapping[str, float], heard: Mapping[str, float]) -> dict[str, float]:
        """Of each class, the parts that keywords give to what stands below it; the rest stays with it."""
        shares = dict(likely)
        deeper = sorted((len(line), code, line) for code in heard if (line := self._lines[code]))
        below: dict[str, list[str]] = {}
        for _, code, line in deeper:
            if len(line) > 1:
                below.setdefault(line[1], []).append(code)
        waiting = list(likely)
        while waiting:
            above = waiting.pop()
            children = [code for code in below.get(above, ()) if code not in likely]
            odds = [exp(min(self._loudness * heard[code], 50.0)) - 1 for code in children]
            whole, total = shares[above], 1 + sum(odds)
            shares[above] = whole / total
            shares |= {code: whole * part / total for code, part in zip(children, odds, strict=True)}
            waiting += children
        return shares


def _logits_of(model: ModelFile) -> Callable[[str], Sequence[float]]:
    """Only a process that has a model to ask pays for NumPy."""
    from router.proposals.scores import Model

    return Model(model).logits
