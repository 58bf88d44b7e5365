"""
From plain data to a model, and from pydantic's errors to our faults: all of them at once.

The happy path is one call into pydantic-core. What follows an error may take its time.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from schemas.faults import CODES, Fault, InvalidMessage, fault, plain_name
from schemas.fields import Model

M = TypeVar("M", bound=Model)
Context = Mapping[str, Any]

MAX_FAULTS = 50
"""Nobody reads more, and a hostile message could hold a million."""

_DETAILS: Mapping[str, tuple[str, str]] = {
    "string_type": ("应为文本", "text is expected"),
    "string_too_long": ("最多 {max_length} 个字", "at most {max_length} characters"),
    "string_too_short": ("至少 {min_length} 个字", "at least {min_length} characters"),
    "string_pattern_mismatch": ("格式应为 {pattern}", "the pattern is {pattern}"),
    "too_long": ("最多 {max_length} 项", "at most {max_length} items"),
    "enum": ("可用值 {words}", "one of {words}"),
    "literal_error": ("可用值 {words}", "one of {words}"),
    "bool_type": ("应为 true 或 false", "true or false is expected"),
    "int_type": ("应为整数", "an integer is expected"),
    "float_type": ("应为数字", "a number is expected"),
    "finite_number": ("应为有限的数字", "a finite number is expected"),
    "greater_than_equal": ("不得小于 {ge}", "at least {ge}"),
    "less_than_equal": ("不得大于 {le}", "at most {le}"),
    "tuple_type": ("应为数组", "an array is expected"),
    "dict_type": ("应为对象", "an object is expected"),
    "model_type": ("应为对象", "an object is expected"),
}
"""What pydantic's errors mean to the sender. The words, patterns and limits are the contract's, not the message's."""


def read(model: type[M], data: object, ref: str = "") -> M:
    """`data` as `model`; raises InvalidMessage with pointers below `/data`, and `ref`."""
    try:
        valid: M = model.__pydantic_validator__.validate_python(data)
    except ValidationError as error:
        raise InvalidMessage(faults(error, model, data), ref) from None
    return valid


def faults(error: ValidationError, model: type[Model], data: object, base: str = "/data") -> list[Fault]:
    """The faults behind pydantic's errors, in the order of the fields, at most MAX_FAULTS."""
    found = [
        _fault(item["type"], item["loc"], item.get("ctx", {}), item["input"], model, data, base)
        for item in error.errors(include_url=False)[:MAX_FAULTS]
    ]
    # pydantic asks what fields need of each other only where each is valid by itself
    needed = model.also_needed(data) if isinstance(data, Mapping) else ()
    places = {one.pointer for one in found}
    return found + [fault("missing_field", where) for name in needed if (where := f"{base}/{name}") not in places]


def _fault(
    kind: str, loc: Sequence[Any], ctx: Context, value: object, model: type[BaseModel], data: object, base: str
) -> Fault:
    if kind == "missing":
        return fault("missing_field", pointer([*_resolved(loc[:-1], data), loc[-1]], base))
    where = _resolved(loc, data)
    if kind == "extra_forbidden":
        return fault("unknown_field", pointer(where, base), *suggestion(where[-1], _fields_at(model, where[:-1])))
    if kind in CODES:
        named = [ctx["field"]] if "field" in ctx else []
        return fault(kind, pointer([*where, *named], base), ctx.get("zh", ""), ctx.get("en", ""))
    return fault("bad_value", pointer(where, base), *_details(kind, ctx, value))


def _details(kind: str, ctx: Context, value: object) -> tuple[str, str]:
    words = re.findall(r"'([^']+)'", ctx.get("expected", ""))
    guess_zh, guess_en = suggestion(value, words)
    zh, en = _DETAILS.get(kind, ("", ""))
    return (
        "，".join(filter(None, [zh.format_map({**ctx, "words": "、".join(words)}), guess_zh])),
        "; ".join(filter(None, [en.format_map({**ctx, "words": ", ".join(words)}), guess_en])),
    )


def suggestion(word: object, known: Collection[str]) -> tuple[str, str]:
    """ "Did you mean …" in both languages, naming the nearest of `known`; empty where none is near."""
    near = get_close_matches(word.casefold(), known, 1, 0.6) if isinstance(word, str) and len(word) <= 64 else []
    return (f"是否应为 {near[0]}", f"did you mean {near[0]}") if near else ("", "")


def pointer(loc: Sequence[object], base: str = "") -> str:
    """RFC 6901. A name that is not plain ends it: the pointer then names what holds that member."""
    parts = [base]
    for part in loc:
        if not plain_name(part):
            break
        parts.append(str(part))
    return "/".join(parts)


def _resolved(loc: Sequence[Any], data: object) -> list[Any]:
    """The part of `loc` that names members of `data`: pydantic also puts the branches of a union there."""
    where: list[Any] = []
    for part in loc:
        try:
            data = data[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        where.append(part)
    return where


def _fields_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """The names that the model at `loc` below `model` knows."""
    for part in loc:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = next(_models_in(model.model_fields[part].annotation), None)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
