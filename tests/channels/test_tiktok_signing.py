"""The signature: the vendor's own example, and agreement with a client that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktok_shop_api.signing import Signer

from tributary.channels.tiktok_shop.signing import signature

SECRET = "e59af819cc"


def test_the_vendors_example() -> None:
    asked = {"app_key": "29a39d", "timestamp": "1623812664"}
    signed = signature(SECRET, "/authorization/202309/shops", asked, None)
    assert signed == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        (
            b'{    "address":"https://partner.tiktokshop.com",    "event_type": "PACKAGE_UPDATE"}',
            "495c39774c04ee06162f20a6bef8edae5b17676229588fe76630bb5166da37d2",
        ),
        (
            b'{"address":"https://partner.tiktokshop.com","event_type":"PACKAGE_UPDATE"}',
            "cd0d6268252f4ba293bf7ea4c0a2873bf9beec600d22530638564ab301435f7a",
        ),
    ],
)
def test_a_body_counts_byte_by_byte(body: bytes, digest: str) -> None:
    asked = {"timestamp": "1696909648", "shop_cipher": "ROW_xkMbgAAAeVAQra0eZWebFQq5aIK", "app_key": "68xu9ks5p4i8"}
    assert signature(SECRET, "/event/202309/webhooks", asked, body) == digest


def test_the_signature_itself_and_the_token_are_not_signed() -> None:
    asked = {"app_key": "29a39d", "timestamp": "1623812664"}
    with_both = asked | {"sign": "anything", "access_token": "TTP_secret"}
    assert signature(SECRET, "/a", with_both, b"{}") == signature(SECRET, "/a", asked, b"{}")


def test_the_files_of_a_multipart_body_are_not_signed() -> None:
    assert signature(SECRET, "/a", {}, b"--x", multipart=True) == signature(SECRET, "/a", {}, None)
    assert signature(SECRET, "/a", {}, b"--x") != signature(SECRET, "/a", {}, None)


WORDS = st.text(st.one_of(st.sampled_from("+/= &%?#_aZ"), st.characters(codec="utf-8")), max_size=12)
KEYS = st.one_of(st.sampled_from(["sign", "access_token", "app_key", "page_token", "video_ids", "Z", "a_"]), WORDS)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@settings(max_examples=1000, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    PATHS,
    st.lists(st.tuples(KEYS, WORDS), max_size=8),
    st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=60).map(str.encode)),
    st.booleans(),
)
def test_an_independent_client_signs_the_same(
    secret: str, path: str, query: list[tuple[str, str]], body: bytes | None, multipart: bool
) -> None:
    content_type = "multipart/form-data; boundary=x" if multipart else "application/json"
    theirs = Signer.sign(path=path, query=query, content_type=content_type, body=body, app_secret=secret)
    assert signature(secret, path, query, body, multipart) == theirs
