"""A URL names a server for budgets, and never holds a password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.budget_server import (
    CLUSTER,
    SENTINEL,
    SINGLE,
    BudgetServer,
    NotAServerError,
    hide_passwords,
    is_budget_server_url,
    parse_budget_server,
)

SECRET = "pa55-w0rd"  # noqa: S105 - looked for in texts


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://cache", BudgetServer(SINGLE, (("cache", 6379),))),
        ("redis://10.0.0.7:6380/3", BudgetServer(SINGLE, (("10.0.0.7", 6380),), database=3)),
        ("redis://[::1]:6380", BudgetServer(SINGLE, (("::1", 6380),))),
        ("redis://[fe80::1]", BudgetServer(SINGLE, (("fe80::1", 6379),))),
        ("redis://agents@cache/", BudgetServer(SINGLE, (("cache", 6379),), user="agents")),
        ("unix:///run/redis/redis.sock", BudgetServer(SINGLE, socket="/run/redis/redis.sock")),
        ("unix://agents@/run/r.sock?db=2", BudgetServer(SINGLE, socket="/run/r.sock", user="agents", database=2)),
        ("rediss://cache", BudgetServer(SINGLE, (("cache", 6379),), is_tls=True)),
        (
            "rediss://cache/1?ssl_ca_certs=/etc/ca.pem",
            BudgetServer(SINGLE, (("cache", 6379),), database=1, is_tls=True, files=(("ssl_ca_certs", "/etc/ca.pem"),)),
        ),
        (
            "redis+sentinel://a,b:26380/main/1",
            BudgetServer(SENTINEL, (("a", 26379), ("b", 26380)), database=1, service="main"),
        ),
        ("rediss+cluster://a:7000,b", BudgetServer(CLUSTER, (("a", 7000), ("b", 6379)), is_tls=True)),
    ],
)
def test_a_url_names_its_server(url: str, server: BudgetServer) -> None:
    """By kind, hosts and ports, socket, user, database, service and files of TLS."""
    assert parse_budget_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}@cache", f"redis://agents:{SECRET}@cache", f"unix://agents:{SECRET}@/run/r.sock",
        f"redis://cache?password={SECRET}", f"unix:///run/r.sock?password={SECRET}", f"rediss://cache?password={SECRET}",
    ],
)  # fmt: skip
def test_a_url_with_a_password_is_refused_and_never_shown(url: str) -> None:
    """It would be on the process list, in histories, and in what `config list` prints."""
    assert not is_budget_server_url(url)
    assert SECRET not in hide_passwords(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "cache", "redis:cache", "redis://", "redis:///0", "http://cache", "redis://cache:0", "redis://cache:65536", "redis://cache:",
        "redis://cache:x", "redis://cache/x", "redis://cache/-1", "redis://cache/99999", "redis://a,b", "redis://ca che", "redis://cache\n",
        "redis://cache#x", "redis://cache?db=1", "redis://cache?ssl_cert_reqs=none", "rediss://cache?ssl_cert_reqs=none",
        "rediss://cache?ssl_ca_certs=ca.pem", "rediss://cache?ssl_ca_certs=/a&ssl_ca_certs=/b", "unix://run/r.sock", "unix:///r?db=x", "unix:///r?ssl_ca_certs=/a",
        "redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel://a//0", "redis+sentinel://a,/main", "redis+cluster://a/1", "redis://[::1", "redis://[::1]x",
        "redis://[cache]", f"redis://{'a' * 3000}", "redis://\uff11", "redis://cache:\uff16",
    ],
)  # fmt: skip
def test_any_other_text_names_no_server(url: str) -> None:
    """An option that would weaken TLS neither."""
    with pytest.raises(NotAServerError):
        parse_budget_server(url)


@given(st.text() | st.text(alphabet="redis+sentinl:/@?&=,.[]0123456789"))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """And what is accepted has one password-free reading."""
    for url in (text, f"redis://{text}", f"unix://{text}"):
        if is_budget_server_url(url):
            assert ":" not in url.partition("://")[2].rpartition("@")[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"redis://u:{SECRET}@cache/1", "redis://***@cache/1"), (f'password = "{SECRET}"', "password =***"),
        (f"x?password={SECRET}", "x?password=***"), ('password_file = "/etc/p"', 'password_file = "/etc/p"'), ("redis://cache", "redis://cache"),
        (f"PASSWORD={SECRET}", "PASSWORD=***"), ("the password", "the password"),
        (f"redis:{SECRET}@cache", "***@cache"), (f'url = "redis:/u:{SECRET}@cache"', 'url = "***@cache"'), (f"redis://u:a@{SECRET}@cache", "redis://***@cache"),
        (f'budgets.secret = "{SECRET}"', "budgets.secret =***"), (f"{{passwd = '{SECRET}'}}", "{passwd =***"), ("", ""), ("@", "@"),
    ],
)  # fmt: skip
def test_what_is_printed_hides_passwords(text: str, shown: str) -> None:
    """In URLs, in their options and in lines of settings; the name of a file is none."""
    assert hide_passwords(text) == shown
