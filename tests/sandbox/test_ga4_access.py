"""Who gets an access token of the sandbox's Google, and whom its API lets in: every flaw of an assertion is refused."""

from __future__ import annotations

import base64
import json
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.analytics.data_v1beta import types
from google.api_core import exceptions

from sandbox.app import create_app
from sandbox.ga4.access import API_AUDIENCE, TOKEN_AUDIENCE
from sandbox.ga4.grpc_service import serve_grpc
from sandbox.ga4.keyfile import CLIENT_EMAIL, exchanged_at, new_keyfile
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import NOW, Client
from tests.sandbox.ga4_reader import PROPERTY, SCOPE, access_token, over_grpc, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYFILE = new_keyfile("https://sandbox.example/google/token")
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
HOUR = 3600
ASKED = {"metrics": [{"name": "sessions"}], "dateRanges": [{"startDate": "today", "endDate": "today"}]}


@pytest.fixture(scope="module")
def ga4() -> Iterator[Client]:
    with serve(create_app(Settings(first_day=date(2026, 11, 14), frozen_at=NOW, google_keyfile=KEYFILE))) as url:
        yield Client(url)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None, keyfile: str = KEYFILE) -> str:
    """A sound assertion, with these changes to its claims and its header."""
    now = int(time.time())
    info = json.loads(keyfile)
    head = {"alg": "RS256", "typ": "JWT", "kid": json.loads(KEYFILE)["private_key_id"], **(header or {})}
    sound = {"iss": CLIENT_EMAIL, "aud": TOKEN_AUDIENCE, "scope": SCOPE, "iat": now, "exp": now + HOUR}
    told = {name: value for name, value in {**sound, **claims}.items() if value is not None}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (head, told))
    key: Any = load_pem_private_key(info["private_key"].encode(), None)
    return f"{text}.{encoded(key.sign(text.encode(), PKCS1v15(), SHA256()))}"


def exchanged(client: Client, assertion: str, grant: str = GRANT) -> Any:
    form = {"grant_type": grant, "assertion": assertion}
    return client.session.post(f"{client.url}/google/token", data=form, timeout=20)


def test_googles_own_library_gets_a_token_that_is_good_for_an_hour_of_the_sandbox(ga4: Client) -> None:
    token = access_token(ga4.url, KEYFILE)
    assert plain(ga4, token, "runReport", ASKED).status_code == 200
    ga4.admin("POST", "/clock", {"advance_seconds": HOUR - 1})
    assert plain(ga4, token, "runReport", ASKED).status_code == 200
    ga4.admin("POST", "/clock", {"advance_seconds": 1})
    refused = plain(ga4, token, "runReport", ASKED)
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert refused.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_EXPIRED"


def test_a_sound_assertion_is_exchanged_whatever_the_sandboxs_clock_says(ga4: Client) -> None:
    answer = exchanged(ga4, signed({}))
    assert (answer.status_code, answer.json()["expires_in"], answer.json()["token_type"]) == (200, HOUR, "Bearer")
    assert answer.headers["Date"] == exchanged(ga4, "").headers["Date"] != ""
    assert exchanged(ga4, signed({"aud": "https://sandbox.example/google/token"})).status_code == 200
    sandboxs = int(NOW.timestamp())
    assert exchanged(ga4, signed({"iat": sandboxs, "exp": sandboxs + 2 * HOUR})).status_code == 400
    ga4.admin("POST", "/clock", {"freeze": NOW.isoformat()})
    assert exchanged(ga4, signed({"iat": sandboxs, "exp": sandboxs + HOUR})).status_code == 200


FLAWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another account": ({"iss": "someone@sandbox.iam.example"}, {}, "account not found"),
    "no account": ({"iss": None}, {}, "account not found"),
    "another audience": ({"aud": "https://analyticsdata.googleapis.com/"}, {}, "Failed audience check"),
    "no audience": ({"aud": None}, {}, "Failed audience check"),
    "another scope": ({"scope": "https://www.googleapis.com/auth/drive"}, {}, "Invalid OAuth scope"),
    "no scope": ({"scope": None}, {}, "Invalid OAuth scope"),
    "somebody else's rights": ({"sub": "owner@aurora.example"}, {}, "Client is unauthorized"),
    "over": ({"iat": 1_500_000_000, "exp": 1_500_003_600}, {}, "short-lived token"),
    "not yet": ({"iat": 4_000_000_000, "exp": 4_000_003_600}, {}, "short-lived token"),
    "too long": ({"exp": 4_000_000_000}, {}, "short-lived token"),
    "over before it began": ({"exp": 1_500_000_000}, {}, "short-lived token"),
    "no end": ({"exp": None}, {}, "short-lived token"),
    "no beginning": ({"iat": None}, {}, "short-lived token"),
    "an end in words": ({"exp": "tomorrow"}, {}, "short-lived token"),
    "another algorithm": ({}, {"alg": "HS256"}, "Unsupported signature algorithm HS256"),
    "no algorithm": ({}, {"alg": "none"}, "Unsupported signature algorithm none"),
    "another key's name": ({}, {"kid": "0" * 32}, "Invalid JWT Signature"),
}


@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_each_flaw_of_what_was_signed_is_refused(ga4: Client, flaw: str) -> None:
    claims, header, message = FLAWS[flaw]
    answer = exchanged(ga4, signed(claims, header))
    assert answer.status_code in (400, 401)
    assert message in answer.json()["error_description"]


def test_each_flaw_of_the_signature_is_refused(ga4: Client) -> None:
    head, claims, signature = signed({}).split(".")
    _, others, _ = signed({"jti": "another"}).split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    anothers = signed({}, keyfile=new_keyfile("https://sandbox.example/google/token"))
    for assertion in (f"{head}.{claims}.{flipped}", f"{head}.{others}.{signature}", f"{head}.{claims}.", anothers):
        answer = exchanged(ga4, assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert answer.json()["error_description"] == "Invalid JWT Signature."
    for assertion in ("", head, f"{head}.{claims}", f"{head}.{claims}.{signature}.x", "a.b.c", f"e30.{claims}.é"):
        answer = exchanged(ga4, assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert exchanged(ga4, signed({}), "authorization_code").json()["error"] == "unsupported_grant_type"


def test_only_a_good_token_is_let_in(ga4: Client) -> None:
    token = access_token(ga4.url, KEYFILE)

    def asked(headers: dict[str, str]) -> tuple[int, str]:
        url = f"{ga4.url}/v1beta/{PROPERTY}/metadata?%24alt=json"
        answer = ga4.session.get(url, headers=headers, timeout=20)
        return answer.status_code, answer.json().get("error", {}).get("status", "")

    assert asked({"Authorization": f"Bearer {token}"}) == (200, "")
    for headers in ({}, {"Authorization": token}, {"Authorization": f"Basic {token}"}):
        assert asked(headers) == (401, "UNAUTHENTICATED")
    assert asked({"Authorization": f"Bearer {token}x"}) == (401, "UNAUTHENTICATED")
    assert ga4.admin("POST", "/ga4/tokens/expire")["expired"] >= 1
    assert asked({"Authorization": f"Bearer {token}"}) == (401, "UNAUTHENTICATED")


def test_what_the_account_signs_for_the_api_is_a_token_too(ga4: Client) -> None:
    subject = {"sub": CLIENT_EMAIL}
    for claims in ({"aud": None, **subject}, {"aud": API_AUDIENCE, "scope": None, **subject}):
        assert plain(ga4, signed(claims), "runReport", ASKED).status_code == 200
    anothers = signed({"aud": None}, keyfile=new_keyfile("https://sandbox.example/google/token"))
    for token in (signed({"scope": None}), signed({"aud": None, "iat": None}), anothers):
        assert plain(ga4, token, "runReport", ASKED).status_code == 401


def test_grpc_checks_the_token_too() -> None:
    app = create_app(Settings(first_day=date(2026, 11, 14), frozen_at=NOW, google_keyfile=KEYFILE))
    asked = types.GetMetadataRequest(name=f"{PROPERTY}/metadata")
    with serve(app) as url, serve_grpc(app) as address:
        assert over_grpc(address, access_token(url, KEYFILE)).get_metadata(asked).metrics
        with pytest.raises(exceptions.Unauthenticated, match="invalid authentication credentials"):
            over_grpc(address, "wrong").get_metadata(asked)
        with pytest.raises(exceptions.Unauthenticated, match="missing required authentication credential"):
            over_grpc(address, "wrong").client.get_metadata(asked)


def test_a_sandbox_without_a_key_says_how_to_give_it_one(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = exchanged(fresh, signed({}))
    assert answer.status_code == 401
    assert "set GA4_AURORA_KEYFILE" in answer.json()["error_description"]
    assert plain(fresh, signed({"aud": None}), "runReport", ASKED).status_code == 401
    monkeypatch.setenv("GA4_AURORA_KEYFILE", KEYFILE)
    assert Settings.from_environment().google_keyfile == KEYFILE
    monkeypatch.setenv("GA4_AURORA_KEYFILE", "")
    assert Settings.from_environment().google_keyfile is None


@pytest.mark.parametrize("keyfile", ["secret", "[]", "{}", '{"private_key": "secret"}', '{"private_key": 7}'])
def test_what_is_no_key_file_is_refused_without_being_told(keyfile: str) -> None:
    with pytest.raises(ValueError, match="GA4_AURORA_KEYFILE holds no service account's key file") as refused:
        create_app(Settings(first_day=date(2026, 11, 14), frozen_at=NOW, google_keyfile=keyfile))
    assert "secret" not in str(refused.value)
    assert json.loads(exchanged_at(KEYFILE, "https://x.example"))["token_uri"] == "https://x.example"
