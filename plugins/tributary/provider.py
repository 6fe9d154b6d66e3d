"""What Airflow is told about Tributary: connection types and the forms of its Connections page."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata; Airflow reads the forms from here without importing a hook."""
    return {
        "package-name": "tributary",
        "name": "Tributary",
        "description": "Sales and marketing channels as streams into one warehouse.",
        "connection-types": [
            {
                "connection-type": "shopify",
                "hook-class-name": "tributary.channels.shopify.hook.ShopifyHook",
                "hook-name": "Shopify",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "port", "schema", "extra"],
                    "relabeling": {"host": "Shop domain", "password": "Admin API access token"},
                    "placeholders": {
                        "host": "my-shop.myshopify.com",
                        "password": "shpat_... (leave empty when the app has a client id and secret)",
                    },
                },
                "conn-fields": {
                    "client_id": {
                        "label": "Client id",
                        "schema": {"type": ["string", "null"]},
                        "description": "For a Dev Dashboard app, instead of an access token.",
                    },
                    "client_secret": {
                        "label": "Client secret",
                        "schema": {"type": ["string", "null"], "format": "password"},
                        "description": "The same app's; exchanged for a token that lives 24 hours.",
                    },
                    "api_version": {
                        "label": "API version",
                        "schema": {"type": ["string", "null"], "pattern": "^\\d{4}-(01|04|07|10)$"},
                        "description": "Optional: another version of the Admin API, such as 2027-01.",
                    },
                },
            }
        ],
    }
