"""How much a message speaks for each class of a model file, with NumPy."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from router.proposals.model import ModelFile
from router.proposals.text import grams


class Model:
    """A model file, ready to be asked: the same text gives the same scores."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._idf = np.frombuffer(file.idf, dtype="<f4")
        whole = np.frombuffer(file.coefficients, dtype="<i2").reshape(len(file.grams), len(file.classes))
        self._coefficients: NDArray[np.float32] = (whole * file.step).astype("<f4")
        self._intercepts = np.array(file.intercepts)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {gram: place for place, gram in enumerate(self._file.grams)}

    def logits(self, text: str) -> Sequence[float]:
        """For each class, how much a folded text speaks for it."""
        places, counts = self._places, Counter(grams(text))
        known = [(place, count) for gram, count in counts.items() if (place := places.get(gram)) is not None]
        if not known:
            return self._file.intercepts
        where, often = (np.array(column) for column in zip(*known, strict=True))
        weights = (1 + np.log(often)) * self._idf[where]
        weights /= np.sqrt((weights * weights).sum()) or 1.0
        said: list[float] = (weights @ self._coefficients[where] + self._intercepts).tolist()
        return said
