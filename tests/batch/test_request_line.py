"""One line of a batch: what it must and may have, and what it is told otherwise."""

import pytest

from cortex_policy.batch.request_line import MAX_LINE_BYTES, BadRequestError, parse_request_line

CALL = b'"grant": "git", "action": "tree"'


def test_a_line_needs_a_grant_and_an_action_alone() -> None:
    """The rest has defaults."""
    request = parse_request_line(b"{%s}" % CALL)
    assert (request.grant, request.action, request.args, request.cost) == ("git", "tree", {}, 1)
    assert (request.peek, request.has_id) == (False, False)


@pytest.mark.parametrize(("number", "cost"), [(b"2", 2), (b"2.0", 2), (b"3e1", 30), (b"1" + b"0" * 300, 10**18)])
def test_a_cost_is_any_whole_number(number: bytes, cost: int) -> None:
    """One above every budget need not be exact."""
    assert parse_request_line(b'{%s, "cost": %s}' % (CALL, number)).cost == cost


@pytest.mark.parametrize("value", [b"null", b"0", b'"x"', b'{"a": [1]}'])
def test_an_id_may_be_anything(value: bytes) -> None:
    """Null too, which is not the same as none."""
    assert parse_request_line(b'{%s, "id": %s}' % (CALL, value)).has_id


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "the line is not JSON"),
        (b"{", "the line is not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "the line is not a JSON object"),
        (b"null", "the line is not a JSON object"),
        (b"{}", "`grant` is missing"),
        (b'{"grant": "git"}', "`action` is missing"),
        (b'{"grant": 1, "action": "tree"}', "`grant` must be a string"),
        (b'{"grant": "git", "action": null}', "`action` must be a string"),
        (b'{%s, "args": []}' % CALL, "`args` must be an object"),
        (b'{%s, "cost": 0}' % CALL, "`cost` must be an integer of at least 1"),
        (b'{%s, "cost": -1}' % CALL, "`cost` must be an integer of at least 1"),
        (b'{%s, "cost": 1.5}' % CALL, "`cost` must be an integer of at least 1"),
        (b'{%s, "cost": true}' % CALL, "`cost` must be an integer of at least 1"),
        (b'{%s, "cost": null}' % CALL, "`cost` must be an integer of at least 1"),
        (b'{%s, "peek": 1}' % CALL, "`peek` must be true or false"),
        (b'{%s, "peek": null}' % CALL, "`peek` must be true or false"),
        (b'{%s, "grant": "other"}' % CALL, "duplicate key `grant`"),
        (b'{%s, "args": {"path": "a", "path": "b"}}' % CALL, "duplicate key `path`"),
        (b'{%s, "args": {"path": "\\ud800"}}' % CALL, "lone surrogate"),
        (b"[" * 100_000, "nested deeper"),
        (b" " * (MAX_LINE_BYTES + 1), "larger than"),
    ],
)
def test_a_wrong_line_is_refused_with_its_error(line: bytes, why: str) -> None:
    """Nothing is guessed: a call that was not meant would be counted."""
    with pytest.raises(BadRequestError, match=why) as raised:
        parse_request_line(line)
    assert raised.value.exit_code == 2


def test_a_wrong_member_is_named_with_the_right_one_and_the_id_is_kept() -> None:
    """So that the answer finds its request."""
    with pytest.raises(BadRequestError, match="unknown member `peak`") as raised:
        parse_request_line(b'{%s, "peak": true, "id": 7}' % CALL)
    assert (raised.value.hint, raised.value.has_id, raised.value.id) == ("did you mean `peek`?", True, 7)
