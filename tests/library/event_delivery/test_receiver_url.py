"""Which URLs events may be sent to."""

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.library.event_delivery.receiver_url import ReceiverUrl, parse_receiver_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://bus.example.org", ReceiverUrl("https", "bus.example.org", 443, "/", "", "https://bus.example.org")),
        (
            "https://Bus.example.org:8443/a/b?key=1",
            ReceiverUrl("https", "bus.example.org", 8443, "/a/b?key=1", "", "https://Bus.example.org:8443/a/b"),
        ),
        ("http://127.0.0.1:80/", ReceiverUrl("http", "127.0.0.1", 80, "/", "", "http://127.0.0.1:80/")),
        ("https://bus/a@b", ReceiverUrl("https", "bus", 443, "/a@b", "", "https://bus/a@b")),
        ("http://localhost/e", ReceiverUrl("http", "localhost", 80, "/e", "", "http://localhost/e")),
        ("http://[::1]:9/", ReceiverUrl("http", "::1", 9, "/", "", "http://[::1]:9/")),
        (
            "http+unix://%2Frun%2Fbus.sock/e",
            ReceiverUrl("http+unix", "localhost", 0, "/e", "/run/bus.sock", "http+unix://%2Frun%2Fbus.sock/e"),
        ),
    ],
)
def test_https_anywhere_and_http_on_this_host(text: str, url: ReceiverUrl) -> None:
    """The query may be a secret: messages have none of it."""
    assert parse_receiver_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "bus", "//bus/", "ftp://bus/", "file:///etc/passwd", "http://bus.example.org/", "http://10.0.0.1/",
        "http://127.0.0.1.example.org/", "http://0.0.0.0/", "http://[::]/", "https://user:secret@bus/", "https://@bus/",
        "https://bus/a b", "https://bus/\r\nX: y", "https://bus/é", "https://bus/#part", "https:///x", "https://bus:x/",
        "https://bus:99999/", "https://bus\\@evil/", "https://bus%00/", "https://" + "a" * 64 + ".org/",
        "http+unix:///run/bus.sock", "http+unix://run/bus", "http+unix://%2Fa%00b/", "https://[::1", "https://bus/\x7f",
        "https://bus:0/", "https://user:secret@bus:x/", "https://user:se#secret@bus/", "https://user:secret@/",
        "https://user:secret@bus/\r\n", "https://bus/#secret",
    ],
)  # fmt: skip
def test_any_other_url_is_refused(text: str) -> None:
    """Events contain arguments, and a URL in a message no password."""
    with pytest.raises(UsageError) as caught:
        parse_receiver_url(text)
    assert "secret" not in str(caught.value)
