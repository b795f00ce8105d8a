"""What a grant document looks like, for people and editors: its JSON Schema, and why one is none.

INVARIANT: it takes what `core.decode` takes, and refuses what that refuses; only `core.decode` is ever enforced. It is
given decoded values, never bytes: pydantic's own JSON parser takes duplicate keys and NaN.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cortex_policy.core.decode import to_whole_number
from cortex_policy.schema.grant_document_problems import find_non_grant_problem_or_none, make_problem_of_model_error
from cortex_policy.schema.problems import MAX_PROBLEMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.problems import UnlocatedProblem


def _to_integer(value: object) -> object:
    """Return the integer that a JSON number like `30.0` means; anything else unchanged."""
    number = to_whole_number(value)
    return value if number is None else number


class RateDocument(BaseModel):
    """The rate of a grant."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="allow", title="Rate")

    per_minute: Annotated[int, BeforeValidator(_to_integer)] = Field(
        alias="perMinute",
        ge=1,
        description="How many calls of each action are allowed in any 60 seconds, over all processes of one user.",
    )


class GrantDocument(BaseModel):
    """Lets one tool do some actions, on some paths, so often. Unknown keys are kept, and mean nothing."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="allow", title="Grant")

    tool: str = Field(
        min_length=1,
        description="The name of the tool. With the action it names the budget: two grants of one tool share their "
        "budgets.",
    )
    actions: list[str] = Field(
        description="The actions that are allowed. They are compared exactly, with their case.",
    )
    rate: RateDocument = Field(description="How often the actions are allowed.")
    args: dict[str, Any] = Field(
        default={}, description="What the arguments of a call must look like: a declaration for each."
    )
    data_class: Literal["public", "internal", "sensitive"] = Field(
        default="internal",
        alias="dataClass",
        description="The class of the data that the tool touches. A call for sensitive data may need the approval of "
        "a human, as the setting `sensitive` says.",
    )
    fs_scope: list[str] = Field(
        default=[],
        alias="fsScope",
        description="Path prefixes, relative to the root. Each path of a call must be in one of them; `[]` allows any "
        "path.",
    )


def find_problems_of_refused_document(document: Any) -> "tuple[UnlocatedProblem, ...]":
    """Return all errors of a value that is not a grant, or one problem if it was never meant as a grant."""
    other = find_non_grant_problem_or_none(document)
    if other is not None:
        return (other,)
    try:
        GrantDocument.model_validate({key: _cut_after_reported_elements(value) for key, value in document.items()})
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        return tuple(make_problem_of_model_error(document, dict(one)) for one in errors)
    message = "the model takes what the decoder refuses"
    raise AssertionError(message)


def _cut_after_reported_elements(value: Any) -> Any:
    """Return an array of strings up to the last wrong element that is reported: each error takes a KiB."""
    if not isinstance(value, list):
        return value
    wrong = [index for index, part in enumerate(value) if not isinstance(part, str)]
    return value[: wrong[MAX_PROBLEMS - 1] + 1] if len(wrong) > MAX_PROBLEMS else value


def make_grant_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a grant: the original's, and a `tool` must not be empty."""
    schema = GrantDocument.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        for described in part["properties"].values():
            described.pop("title", None)  # the key once more, in other letters
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
