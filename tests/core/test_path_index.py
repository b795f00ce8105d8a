"""Sets of paths answer as a look at each of them would."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.engine import find_matching_scope
from cortex_policy.core.path_index import PathIndex

PATHS = st.lists(st.sampled_from(["a", "b", "a-", "a0", "a.b", "é"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(PATHS), PATHS)
def test_a_set_answers_as_each_of_its_paths(paths: list[str], asked: str) -> None:
    """What covers a path, what lies in it, and which lie in no other."""
    found = PathIndex(paths)
    assert found.covers(asked) == (find_matching_scope(tuple(paths), asked) is not None)
    assert found.count_below(asked) == len({path for path in paths if find_matching_scope((asked,), path) is not None})
    assert found.contains(asked) == (asked in paths)
    assert len(found) == len(set(paths))
    others = tuple(path for path in paths if path != asked)
    assert found.is_outermost(asked) == (asked in paths and find_matching_scope(others, asked) is None)
