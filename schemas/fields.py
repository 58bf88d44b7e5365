"""
The kinds of field that the models share: lengths, patterns, and the mark on personal data.

Scalars are strict (no "5" for 5, no "yes" for true); sequences become tuples, so that a model is
immutable throughout. Limits are here in one place: a message that keeps them is below MAX_BYTES.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from schemas.identity import ref_fault
from schemas.vocabulary import PersonalClass

MAX_BYTES = 256 * 1024
"""A record larger than this is refused before it is parsed."""
MAX_TEXT = 10_000
"""Characters of a free text: three times the longest letter of a mayor's mailbox."""


class Model(BaseModel):
    """Base of everything we publish: immutable, no unknown field, and no value of a message in any error text."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        """The optional fields that what is `said` makes necessary and that are not there."""
        return ()


def described(zh: str, en: str, **constraints: Any) -> Any:
    """A field's description in both languages, Chinese first, and its constraints."""
    return Field(description=f"{zh} / {en}", **constraints)


def personal(kind: str, *, purpose: str) -> Any:
    """Mark a field as personal data of a class (`PersonalClass`) that is kept for this purpose only."""
    mark: dict[str, Any] = {"x-personal": {"class": PersonalClass(kind).value, "purpose": purpose}}
    return Field(json_schema_extra=mark)


class PersonalPointer(NamedTuple):
    """Where a model holds personal data; `*` in the pointer stands for any index of an array."""

    pointer: str
    kind: str
    purpose: str


def personal_pointers(model: type[BaseModel]) -> list[PersonalPointer]:
    """Every place of `model` that is marked personal, with class and purpose, in the order of the fields."""
    schema = model.model_json_schema()
    return list(_marked(schema, schema.get("$defs", {}), ""))


def _marked(node: dict[str, Any], defs: dict[str, Any], pointer: str) -> Iterator[PersonalPointer]:
    if "$ref" in node:
        yield from _marked(defs[node["$ref"].rpartition("/")[2]], defs, pointer)
    if mark := node.get("x-personal"):
        yield PersonalPointer(pointer, mark["class"], mark["purpose"])
    for branch in node.get("anyOf", ()):
        yield from _marked(branch, defs, pointer)
    if isinstance(node.get("items"), dict):
        yield from _marked(node["items"], defs, pointer + "/*")
    for name, child in node.get("properties", {}).items():
        yield from _marked(child, defs, f"{pointer}/{name}")


def _usable(text: str) -> str:
    if fault := ref_fault(text):
        raise PydanticCustomError(fault, "not usable as an id")
    return text


Ref = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^\S+$"), AfterValidator(_usable)]
"""A channel's own id. It becomes a record key, so it is printable, has no blank and is no phone or identity number."""
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
CaseId = Annotated[str, Field(pattern=UUID_PATTERN)]
TaskId = CaseId
Region = Annotated[str, Field(pattern=r"^[1-9][0-9]{5}([0-9]{3}([0-9]{3})?)?$")]
"""A code of the administrative divisions: 6 digits, 9 for a town, 12 for a village."""
CODE_PATTERN = r"^\S{1,64}$"
Code = Annotated[str, Field(pattern=CODE_PATTERN)]
UnitId = Code
Name = Annotated[str, Field(min_length=1, max_length=200)]
Line = Annotated[str, Field(max_length=500)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
WrittenText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=2**53)]
