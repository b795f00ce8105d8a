"""Every single small change of a grant that allows more or less, and whether a case file notices it."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from cortex_policy.core.compare.grants import compare_grants
from cortex_policy.core.compare.verdicts import SAME
from cortex_policy.core.decode import DATA_CLASSES, decode_grant_document
from cortex_policy.core.model import Grant, GrantError
from cortex_policy.manage.cases.model import CaseFile
from cortex_policy.manage.cases.runner import COMPLETENESS_CASE, GrantUnderTest, run_case_file

Document = dict[str, Any]
NEW_ACTIONS = ("push", "mutant")
NEW_SCOPES = ("mutant", "src/mutant")
NEW_DECLARATION = {"type": "string", "maxLength": 9}
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
NUMBERS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
)


class Mutant(NamedTuple):
    """A changed grant, and what was changed; `decides` where it changes which calls are allowed."""

    said: str
    document: Document
    grant: Grant
    decides: bool


def mutants(document: Document, grant_id: str) -> Iterator[Mutant]:
    """Yield each mutant whose meaning differs."""
    old = decode_grant_document(document, grant_id)
    for said, changed in changes(document):
        try:
            new = decode_grant_document(changed, grant_id)
        except GrantError:
            continue
        meaning = compare_grants(old, new)
        if meaning.verdict != SAME:
            fields = {field.field for field in meaning.fields if field.verdict != SAME}
            duties = {"sensitive"} & {old.data_class, new.data_class}
            yield Mutant(said, changed, new, bool(fields - {"tool", "dataClass"} or ("dataClass" in fields and duties)))


def changes(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield (what, changed document) for each single change."""
    yield "tool renamed", document | {"tool": document["tool"] + "x"}
    yield from _actions(document)
    rate = document["rate"]["perMinute"]
    for near in (rate - 1, rate + 1, 2 * rate):
        yield f"rate {near}", document | {"rate": {"perMinute": near}}
    for data_class in DATA_CLASSES:
        yield f"class {data_class}", document | {"dataClass": data_class}
    for said, scopes in lists(document.get("fsScope", []), NEW_SCOPES):
        yield f"scopes {said}", document | {"fsScope": scopes}
    for index, scope in enumerate(document.get("fsScope", [])):
        for near in (scope.rpartition("/")[0], scope[:-1], f"{scope}/mutant", f"{scope}x", scope.upper()):
            yield f"scope {scope} as {near}", document | {"fsScope": replaced(document["fsScope"], index, near)}
    args = document.get("args", {})
    yield "argument declared", document | {"args": args | {"mutant": NEW_DECLARATION}}
    for name, declaration in args.items():
        yield f"argument {name} dropped", document | {"args": {key: args[key] for key in args if key != name}}
        for said, changed in declarations(declaration):
            yield f"argument {name}: {said}", document | {"args": args | {name: changed}}


def _actions(document: Document) -> Iterator[tuple[str, Document]]:
    actions = document["actions"]
    for said, changed in lists(actions, NEW_ACTIONS):
        yield f"actions {said}", document | {"actions": changed}
    for index, action in enumerate(actions):
        for near in (f"{action}x", action[:-1], action.upper()):
            yield f"action {action} as {near}", document | {"actions": replaced(actions, index, near)}


def lists(values: list[Any], more: tuple[Any, ...]) -> Iterator[tuple[str, list[Any]]]:
    """Yield a list without each of its values, and with each of some others."""
    for index, value in enumerate(values):
        yield f"without {value!r}", [*values[:index], *values[index + 1 :]]
    for value in more:
        yield f"with {value!r}", [*values, value]


def replaced(values: list[Any], index: int, value: object) -> list[Any]:
    """Return a list with another value at one place."""
    return [*values[:index], value, *values[index + 1 :]]


def declarations(declaration: object) -> Iterator[tuple[str, object]]:
    """Yield each single change of a declaration."""
    if not isinstance(declaration, dict):
        yield "made one", {}
        return
    for keyword in declaration:
        yield f"no {keyword}", {key: declaration[key] for key in declaration if key != keyword}
        for said, changed in keywords(keyword, declaration[keyword]):
            yield f"{keyword} {said}", declaration | {keyword: changed}
    for keyword, value in (("minLength", 3), ("maximum", 3), ("format", "path"), ("format", "not-path")):
        if keyword not in declaration:
            yield f"with {keyword} {value}", declaration | {keyword: value}


def keywords(keyword: str, value: Any) -> Iterator[tuple[str, object]]:
    """Yield each single change of one keyword's value."""
    if keyword in NUMBERS:
        yield from ((f"{value + step}", value + step) for step in (-1, 1))
    elif keyword == "enum":
        yield from lists(value, ("mutant",))
    elif keyword == "const":
        yield "another", "mutant"
    elif keyword == "pattern":
        wider = (value.removeprefix("^"), value.removesuffix("$"), f"{value}|^[0-9]+$", f"{value}x")
        yield from ((f"{near!r}", near) for near in wider)
    elif keyword == "type":
        words = [value] if isinstance(value, str) else value
        yield from lists(words, tuple(word for word in TYPES if word not in words))
    elif keyword == "items":
        yield from declarations(value)


class Score(NamedTuple):
    """How many mutants there were, and which were not noticed, by cases alone and with `complete` too."""

    total: int
    deciding: int
    by_cases: int
    missed: tuple[Mutant, ...]

    @property
    def missed_deciding(self) -> tuple[Mutant, ...]:
        """The mutants that change which calls are allowed, and that nothing noticed."""
        return tuple(mutant for mutant in self.missed if mutant.decides)


def score(document: Document, grant_id: str, file: CaseFile) -> Score:
    """Run a case file on each mutant of its grant."""
    total = deciding = by_cases = 0
    missed = []
    for mutant in mutants(document, grant_id):
        total, deciding = total + 1, deciding + mutant.decides
        subject = GrantUnderTest(mutant.grant, json.dumps(mutant.document).encode(), grant_id)
        failed = {result.case.name for result in run_case_file(file, subject).failed_cases}
        by_cases += bool(failed - {COMPLETENESS_CASE})
        if not failed:
            missed.append(mutant)
    return Score(total, deciding, by_cases, tuple(missed))
