"""
Training: labelled messages make a model file. The only importer of scikit-learn; the same samples and seed, the same file.

A category with few samples counts as the one above it. How sharply the model may speak, and how loudly keywords beside it,
is measured on messages that a model of the rest has not seen, all of a person's on one side (otherwise it would know their style).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from router.proposals.model import CLASSES, FORMAT, GRAMS, ModelFile
from router.proposals.propose import Proposer
from router.proposals.samples import Sample
from router.proposals.scores import Model
from router.proposals.text import grams, told
from router.rules.naive import lineage

FEW = 8
"""Samples that a class needs."""
FOLDS = 4
RARE = 3
"""In how many messages an n-gram must stand: what one person wrote about themselves is in no model."""
SHARPNESS = np.geomspace(0.1, 4, 25)
LOUDNESS = np.linspace(0, 2, 21)
COARSE = 32_767
Matrix = NDArray[np.float64]


class TooFewSamples(Exception):
    """Not two categories with enough samples."""


def train(samples: Iterable[Sample], parents: Mapping[str, str], keywords: Proposer, seed: int) -> ModelFile:
    """The model of these samples. `keywords`: the dictionary that will stand beside it. Raises TooFewSamples."""
    kept = sorted(_lifted(list(samples), parents))
    texts = [told(sample.title, sample.text) for sample in kept]
    labels = [sample.category for sample in kept]
    if len(set(labels)) < 2:
        raise TooFewSamples
    file = _fitted(texts, labels, seed)
    sharpness, loudness = _measured(kept, texts, labels, keywords, parents, seed)
    return replace(file, sharpness=sharpness, keyword_weight=loudness)


def _lifted(samples: Sequence[Sample], parents: Mapping[str, str]) -> Iterator[Sample]:
    """Each under a class with enough samples: its own category, or the nearest one above; without any it is left out."""
    known = [sample for sample in samples if sample.category in parents]
    classes = {sample.category for sample in known}
    while True:
        counts = Counter(code for sample in known if (code := _class(sample.category, classes, parents)))
        poor = {code for code in classes if counts[code] < FEW}
        if not poor and len(classes) <= CLASSES:
            break
        least = min(poor or classes, key=lambda code: (-len(lineage(parents, code)), counts[code], code))
        classes = classes - {least} | ({parents[least]} if parents[least] else set())
        if not parents[least]:
            known = [sample for sample in known if _class(sample.category, classes | {least}, parents) != least]
    for sample in known:
        yield sample._replace(category=_class(sample.category, classes, parents))


def _class(category: str, classes: set[str], parents: Mapping[str, str]) -> str:
    return next((code for code in lineage(parents, category) if code in classes), "")


def _fitted(texts: Sequence[str], labels: Sequence[str], seed: int) -> ModelFile:
    vectorizer = TfidfVectorizer(analyzer=grams, sublinear_tf=True, min_df=RARE, max_features=GRAMS)
    try:
        counted = vectorizer.fit_transform(texts)
    except ValueError as error:  # no n-gram stands in RARE messages
        raise TooFewSamples from error
    fitted = LogisticRegression(C=30, max_iter=1000, random_state=seed).fit(counted, labels)
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:  # two classes have one row, which speaks for the second
        coefficients, intercepts = np.vstack([0 * coefficients, coefficients]), np.array([0.0, *intercepts])
    step = float(np.abs(coefficients).max()) / COARSE or 1.0
    return ModelFile(
        format=FORMAT,
        classes=tuple(map(str, fitted.classes_)),
        grams=tuple(map(str, vectorizer.get_feature_names_out())),
        idf=vectorizer.idf_.astype("<f4").tobytes(),
        coefficients=np.rint(coefficients.T / step).astype("<i2").tobytes(),
        step=step,
        intercepts=tuple(round(float(value), 6) for value in intercepts),
        sharpness=1.0,
        keyword_weight=0.0,
        samples=dict(sorted(Counter(labels).items())),
        seed=seed,
    )


def _measured(
    samples: Sequence[Sample],
    texts: Sequence[str],
    labels: Sequence[str],
    keywords: Proposer,
    parents: Mapping[str, str],
    seed: int,
) -> tuple[float, float]:
    """The pair under which messages not seen are least surprising (log loss)."""
    said, spoken, right = [], [], []
    for seen, unseen in folds(samples, FOLDS, seed):
        file = _fitted([texts[i] for i in seen], [labels[i] for i in seen], seed)
        model, places = Model(file), {code: place for place, code in enumerate(file.classes)}
        learnt = {above for code in file.classes for above in lineage(parents, code)}
        others = [code for code, parent in parents.items() if not parent and code not in learnt]
        for i in unseen:
            if labels[i] in places:
                learnt_says = list(model.logits(texts[i]))
                said.append(learnt_says + [min(learnt_says)] * len(others))
                spoken.append([keywords.heard(texts[i]).get(code, 0.0) for code in (*file.classes, *others)])
                right.append(places[labels[i]])
    if not right or len({len(row) for row in said}) > 1:
        return 1.0, 1.0
    logits, heard, rows = np.array(said), np.array(spoken), np.arange(len(right))
    losses = {
        (sharp, loud): _log_loss(sharp * logits + loud * heard, rows, right) for sharp in SHARPNESS for loud in LOUDNESS
    }
    sharp, loud = min(losses, key=lambda pair: (round(losses[pair], 9), pair))
    return round(float(sharp), 4), round(float(loud), 4)


def _log_loss(values: Matrix, rows: NDArray[np.int64], right: Sequence[int]) -> float:
    values = values - values.max(axis=1, keepdims=True)
    return float((np.log(np.exp(values).sum(axis=1)) - values[rows, right]).mean())


def folds(samples: Sequence[Sample], count: int, seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Seen and unseen, `count` times: each class in all of them as far as it goes, no person on both sides."""
    labels, who = [sample.category for sample in samples], [sample.who for sample in samples]
    split = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(labels, labels, who)
    return ((seen.tolist(), unseen.tolist()) for seen, unseen in split)
