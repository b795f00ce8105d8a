"""Requests over a socket: any bytes are a request, not yet one, or denied."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.hooks.payload import AGENTS
from cortex_policy.hook_server.requests import (
    MAX_HEAD,
    Head,
    RequestError,
    encode_answer_body,
    encode_http_200_response,
    parse_complete_head_or_none,
    require_request_signature,
    sign_answer,
    sign_request,
)

KEY = b"k" * 32
WORDS = (
    b"POST / HTTP/1.1", b"GET / HTTP/1.1", b"POST /process HTTP/1.0", b"\r\n", b"\r\n\r\n", b"Content-Length: 3", b"content-length:",
    b"Transfer-Encoding: chunked", b"Authorization: Bearer x", b"Cortex-Policy-Nonce: ", b"{}", b"9" * 20, b"\0", b"\xff",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS) | st.binary(max_size=20)).map(b"".join))
def test_any_bytes_are_a_head_or_not_yet_or_wrong(data: bytes) -> None:
    """Nothing else is raised, and more bytes behind a head change nothing in it."""
    try:
        found = parse_complete_head_or_none(data)
    except RequestError:
        return
    if found is None:
        assert b"\r\n\r\n" not in data
        return
    again = parse_complete_head_or_none(data + b"more")
    assert again is not None
    assert again[0] == found[0]
    assert again[1] == found[1] + b"more"


@given(st.integers(0, 100))
def test_a_head_that_comes_in_parts_is_not_there_before_its_end(cut: int) -> None:
    """Whatever the parts are."""
    data = b"POST /process HTTP/1.1\r\nContent-Length: 7\r\nAuthorization: Bearer t\r\n\r\n"
    assert parse_complete_head_or_none(data[: min(cut, len(data) - 1)]) is None
    assert parse_complete_head_or_none(data) == (Head("/process", 7, "t", "", ""), b"")


def test_a_head_without_an_end_is_bounded() -> None:
    """By 16 KiB."""
    assert parse_complete_head_or_none(b"x" * MAX_HEAD) is None
    with pytest.raises(RequestError):
        parse_complete_head_or_none(b"x" * (MAX_HEAD + 1))


@given(payload=st.binary(max_size=50), other=st.binary(max_size=50))
def test_a_signature_is_of_one_payload(payload: bytes, other: bytes) -> None:
    """With one nonce and one key, as the documentation writes it; an answer's is another one."""
    nonce = "n" * 32
    signature = sign_request(KEY, nonce, payload)
    assert signature == hmac.digest(KEY, b"request\n" + nonce.encode() + b"\n" + payload, "sha256").hex()
    require_request_signature(KEY, Head("/", len(payload), "", nonce, signature), payload)
    assert sign_answer(KEY, signature, payload) != signature
    wrong = [(KEY, nonce + "n", payload), (b"", nonce, payload), (KEY[1:], nonce, payload)]
    wrong += [(KEY, nonce, other)] if other != payload else []
    for key, given_nonce, given_payload in wrong:
        with pytest.raises(RequestError):
            require_request_signature(key, Head("/", 0, "", given_nonce, signature), given_payload)


@pytest.mark.parametrize("agent", [*AGENTS, ""])
@pytest.mark.parametrize("form", ["/", "/process"])
def test_no_answer_is_empty_and_a_denial_never_says_less_than_no_objection(form: str, agent: str) -> None:
    """Claude Code lets a call run whose hook answers nothing."""
    allowed, denied = encode_answer_body(form, agent, ""), encode_answer_body(form, agent, "why")
    assert allowed == (b"{}\n" if form == "/" else b"0\n{}\n")
    assert b"why" in denied
    assert denied.startswith(b"{" if form == "/" else b"2\n")
    assert encode_http_200_response(denied, "").endswith(b"\r\n\r\n" + denied)
