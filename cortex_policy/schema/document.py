"""What a grant document looks like, for people and editors: its JSON Schema, and why one is none.

INVARIANT: it takes what `core.decode` takes, and refuses what that refuses; only `core.decode` is ever enforced. It is
given decoded values, never bytes: pydantic's own JSON parser takes duplicate keys and NaN.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cortex_policy.core.decode import to_whole_number
from cortex_policy.schema.document_errors import finding_for_non_grant, finding_of_error
from cortex_policy.schema.problems import MAX_FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.problems import Finding


def _to_integer(value: object) -> object:
    """Return the integer that a JSON number like `30.0` means; anything else unchanged."""
    number = to_whole_number(value)
    return value if number is None else number


class RateDocument(BaseModel):
    """How often, counted over a sliding minute."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="allow", title="Rate")

    per_minute: Annotated[int, BeforeValidator(_to_integer)] = Field(
        alias="perMinute", ge=1, description="Calls of each action that any 60 seconds may hold."
    )


class GrantDocument(BaseModel):
    """Lets one tool do some actions, on some paths, so often. Unknown keys are kept, and mean nothing."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="allow", title="Grant")

    tool: str = Field(min_length=1, description="The tool's name; with the action it names the budget.")
    actions: list[str] = Field(description="Actions that are allowed: exact, case-sensitive.")
    rate: RateDocument
    args: dict[str, Any] = Field(
        default={}, description="What the arguments of a call must look like: a JSON Schema fragment for each."
    )
    data_class: Literal["public", "internal", "sensitive"] = Field(
        default="internal", alias="dataClass", description="The class of the data it touches."
    )
    fs_scope: list[str] = Field(
        default=[], alias="fsScope", description="Path prefixes, relative to the root; none at all allow any path."
    )


def find_document_errors(document: Any) -> "tuple[Finding, ...]":
    """Return all errors of a value that is no grant, or one finding if it was never meant as a grant."""
    other = finding_for_non_grant(document)
    if other is not None:
        return (other,)
    try:
        GrantDocument.model_validate({key: _shorten(value) for key, value in document.items()})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        return tuple(finding_of_error(document, dict(one)) for one in found)
    message = "the model takes what the decoder refuses"
    raise AssertionError(message)


def _shorten(value: Any) -> Any:
    """Return an array of strings up to the last wrong element that is reported: each error takes a KiB."""
    if not isinstance(value, list):
        return value
    wrong = [index for index, part in enumerate(value) if not isinstance(part, str)]
    return value[: wrong[MAX_FINDINGS - 1] + 1] if len(wrong) > MAX_FINDINGS else value


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a grant: the original's, and a `tool` must not be empty."""
    schema = GrantDocument.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        for described in part["properties"].values():
            described.pop("title", None)  # the key once more, in other letters
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
