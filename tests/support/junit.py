"""Whether Jenkins takes a report: what checks that takes half a second to load, for those who ask alone."""

from functools import cache
from pathlib import Path
from typing import Any


def validate_as_jenkins(report: Any) -> None:
    """Raise an error for a report that does not have the schema of Jenkins."""
    _schema().validate(report)


@cache
def _schema() -> Any:
    from xmlschema import XMLSchema  # noqa: PLC0415 - see above

    return XMLSchema(Path(__file__).parents[1] / "cli/output/problems/jenkins-junit.xsd")
