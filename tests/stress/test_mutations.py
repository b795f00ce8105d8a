"""Whatever is done to a grant, every part says the same of it."""

from mutations import run


def test_mutated_grants_raise_no_unexpected_error() -> None:
    """A few of the hundred thousand that are examined by hand."""
    seen = run(1_500, 2026)
    assert seen["nothing"]
    assert len(seen) > 30
