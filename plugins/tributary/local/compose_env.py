"""Writes what docker-compose.yaml wants to know and nobody should have to make up.

python -m tributary.local.compose_env >> .env           random values for every secret of the installation
python -m tributary.local.compose_env --demo > demo.env the same, and the sandbox in place of all vendors
"""

from __future__ import annotations

import argparse
import base64
import secrets
import shlex
import sys

from tributary.local.environment import new_private_key, vendors

# The service's name is its address in compose's network.
SANDBOX, SANDBOX_GRPC = "http://sandbox:8090", "http://sandbox:8091"
PASSWORDS = ("POSTGRES", "METADATA", "WAREHOUSE", "REDIS", "ADMIN")


def new_secrets() -> dict[str, str]:
    """A new value for each secret; the passwords stand in URLs, so they are made of what needs no escaping there."""
    return {
        **{f"{name}_PASSWORD": secrets.token_urlsafe(24) for name in PASSWORDS},
        "API_SECRET_KEY": secrets.token_urlsafe(32),
        "FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "JWT_SECRET": secrets.token_urlsafe(64),
    }


def main() -> None:
    """Print the file."""
    parser = argparse.ArgumentParser(prog="python -m tributary.local.compose_env", description=new_secrets.__doc__)
    parser.add_argument(
        "--demo", action="store_true", help="also let the sandbox of the profile `demo` be every vendor"
    )
    env = new_secrets()
    if parser.parse_args().demo:
        env |= {"TRIBUTARY_ENV_FILE": "demo.env"} | vendors(SANDBOX, SANDBOX_GRPC, new_private_key())
    sys.stdout.write("".join(f"{name}={shlex.quote(value)}\n" for name, value in env.items()))


if __name__ == "__main__":
    main()
