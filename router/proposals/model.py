"""
The trained part: how each n-gram speaks for each class, as a file that holds numbers and cannot run anything.

A linear model (multinomial logistic regression over tf-idf) needs no more than tables to be asked; what made them
(router/proposals/train.py) is not imported here, nor is NumPy: every role reads the catalogue, only intake asks the model
(router/proposals/scores.py).
"""

from array import array
from collections.abc import Mapping

import msgspec
from msgspec import Struct

FORMAT = 1
GRAMS = 50_000
CLASSES = 500
LIMIT = 64 << 20
"""Bytes of a model file"""
GREATEST = 1e6
"""No number of a model is greater: whatever the text, what is reckoned from them stays finite."""


class ModelUnusable(Exception):
    """The file is no model, or one of another format, or its parts do not fit together."""


class ModelFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    classes: category codes. grams: what was counted; idf: float32 for each of them; coefficients: int16 for each gram
    and class, in units of `step`; intercepts: of each class. sharpness, keyword_weight: how much the model and a keyword's
    weight count, found on messages that the model had not seen. samples: of each class, what it was trained on.
    """

    format: int
    classes: tuple[str, ...]
    grams: tuple[str, ...]
    idf: bytes
    coefficients: bytes
    step: float
    intercepts: tuple[float, ...]
    sharpness: float
    keyword_weight: float
    samples: Mapping[str, int]
    seed: int


encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(ModelFile).decode


def read(data: bytes) -> ModelFile:
    """Raises ModelUnusable."""
    if len(data) > LIMIT:
        raise ModelUnusable(f"larger than {LIMIT} bytes")
    try:
        file = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModelUnusable(str(error)) from error
    count, classes = len(file.grams), len(file.classes)
    if file.format != FORMAT:
        raise ModelUnusable(f"format {file.format}, not {FORMAT}")
    if not (2 <= classes <= CLASSES and 1 <= count <= GRAMS) or len(set(file.classes)) < classes:
        raise ModelUnusable("number of classes or n-grams")
    if (len(file.idf), len(file.coefficients), len(file.intercepts)) != (4 * count, 2 * count * classes, classes):
        raise ModelUnusable("tables of different sizes")
    weights = (file.step, file.sharpness, file.keyword_weight, *array("f", file.idf))
    if not all(0 <= weight <= GREATEST for weight in weights):
        raise ModelUnusable(f"a weight that is not from 0 to {GREATEST:.0f}")
    if not all(-GREATEST <= value <= GREATEST for value in file.intercepts):
        raise ModelUnusable(f"an intercept beyond {GREATEST:.0f}")
    return file
