"""What a mistyped command line is told: one line, and where to look."""

import pytest

from cortex_policy.cli.app import run_typer

SAID = [
    ("chck git tree", "cortex-policy: no such command 'chck'. Did you mean 'check'?"),
    ("stamp wrte", "cortex-policy stamp: no such command 'wrte'. Did you mean 'write'?"),
    ("list --jsn", "cortex-policy list: no such option: --jsn. Did you mean '--json'?"),
    ("check git tree --explian", "cortex-policy check: no such option: --explian. Did you mean '--explain'?"),
    ("check git", "cortex-policy check: missing argument 'ACTION'"),
    ("check git tree --cost 0", "cortex-policy check: invalid value: --cost takes an integer of at least 1"),
    ("show \x1b[31m git", "cortex-policy show: got unexpected extra argument(s) (git)"),
    (
        "diff git git --fail-on same",
        "cortex-policy diff: invalid value for '--fail-on': 'same' is not one of 'widened'",
    ),
    ("diff git git --json --markdown", "cortex-policy diff: invalid value: --json and --markdown cannot be combined"),
    ("test --fail-under nan", "cortex-policy test: invalid value for '--fail-under': nan is no number"),
    ("set git --rate 3 --wait NaN", "cortex-policy set: invalid value for '--wait': nan is no number"),
    ("stamp wait --timeout nan", "cortex-policy stamp wait: invalid value for '--timeout': nan is no number"),
    ("--root", "cortex-policy: no such option: --root"),
]


@pytest.mark.parametrize(("line", "said"), SAID)
def test_a_usage_error_is_told(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lower case, with the nearest word where there is one, and 2."""
    assert run_typer(line.split(" ")) == 2
    first, hint = capsys.readouterr().err.splitlines()
    assert first == said
    assert hint == f"hint: see `{said.partition(':')[0]} --help`"


@pytest.mark.parametrize("line", ["", "stamp"])
def test_a_group_alone_shows_its_help(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr and with 2: nothing was asked of it."""
    assert run_typer(line.split()) == 2
    assert capsys.readouterr().err.startswith("Usage: ")
