"""The key file of a service account, as Google's console downloads it, for a sandbox that trusts its public half."""

from __future__ import annotations

import json
import uuid

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CLIENT_EMAIL = "tributary@sandbox.iam.example"


def new_keyfile(token_uri: str) -> str:
    """A key of its own, and where it is exchanged for access tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "tributary-sandbox",
            "private_key_id": uuid.uuid4().hex,
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "client_email": CLIENT_EMAIL,
            "client_id": "100000000000000000001",
            "token_uri": token_uri,
        }
    )


def exchanged_at(keyfile: str, token_uri: str) -> str:
    """The same key with another place to exchange it at: a test knows the sandbox's address only when it runs."""
    return json.dumps({**json.loads(keyfile), "token_uri": token_uri})
