"""`rule`: explain the rules of `validate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, TableOption
from cortex_policy.cli.output.printing import print_json

if TYPE_CHECKING:
    from cortex_policy.schema.rule_catalog import LintRule


def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="A rule or a group; default: all.", show_default=False)
    ] = None,
    *,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """Explain a rule of `validate`, or list all rules.

    $ cortex-policy rule
    $ cortex-policy rule scope-dead
    """
    from cortex_policy.schema.rule_catalog import RULES, expand_code_or_group  # noqa: PLC0415 - no other command needs it

    codes = expand_code_or_group(code) if code is not None else frozenset(one.code for one in RULES)
    rules = [one for one in RULES if one.code in codes]
    if json:
        print_json({"rules": [_rule_to_json(one) for one in rules]})
    elif len(rules) == 1:
        typer.echo(_rule_text(rules[0]))
    else:
        from cortex_policy.cli.output.printing import print_table_or_tsv  # noqa: PLC0415

        print_table_or_tsv(
            ("CODE", "SEVERITY", "WHAT IT FINDS"), [(one.code, one.severity, one.sentence) for one in rules], output
        )


def _rule_text(rule: "LintRule") -> str:
    lines = [f"{rule.code} ({rule.severity}): {rule.sentence}", "", f"Why: {rule.why}."]
    for label, text in (("Found in:", rule.example), ("Fixed:", rule.fixed_example)):
        if text:
            lines += ["", label, *(f"    {line}" for line in text.split("\n"))]
    return "\n".join(lines)


def _rule_to_json(rule: "LintRule") -> dict[str, object]:
    # the JSON member is older than the name of the field
    return {"mended" if name == "fixed_example" else name: getattr(rule, name) for name in rule.__match_args__}
