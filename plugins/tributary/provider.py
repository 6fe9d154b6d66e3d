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
            },
            {
                "connection-type": "tiktok_shop",
                "hook-class-name": "tributary.channels.tiktok_shop.hook.TikTokShopHook",
                "hook-name": "TikTok Shop",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema", "extra"],
                    "relabeling": {"login": "App key", "password": "App secret"},
                    "placeholders": {"login": "as Partner Center shows it"},
                },
                "conn-fields": {
                    "refresh_token": {
                        "label": "Refresh token",
                        "schema": {"type": ["string", "null"], "format": "password"},
                        "description": "What the seller's authorisation of the app brought; those that follow it are "
                        "kept in the warehouse. After a new authorisation, put in the new one.",
                    },
                    "access_token": {
                        "label": "Access token",
                        "schema": {"type": ["string", "null"], "format": "password"},
                        "description": "Only to try a shop without a refresh token: it lasts a week.",
                    },
                    "shop_id": {
                        "label": "Shop id",
                        "schema": {"type": ["string", "null"], "pattern": "^\\d+$"},
                        "description": "Only where the authorisation covers several shops; Test lists them.",
                    },
                    "requests_per_second": {
                        "label": "Requests a second",
                        "schema": {"type": ["string", "null"], "pattern": "^\\d*\\.?\\d+$"},
                        "description": "How fast analytics are asked for, such as 0.5; 1 if empty.",
                    },
                    "api_host": {
                        "label": "API host",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: another host than https://open-api.tiktokglobalshop.com.",
                    },
                    "auth_host": {
                        "label": "Authorisation host",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: another host than https://auth.tiktok-shops.com.",
                    },
                },
            },
            {
                "connection-type": "tiktok_organic",
                "hook-class-name": "tributary.channels.tiktok_organic.hook.TikTokOrganicHook",
                "hook-name": "TikTok (organic)",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema", "extra"],
                    "relabeling": {"login": "Client id", "password": "Client secret"},
                    "placeholders": {"login": "of the app that may use the Accounts API"},
                },
                "conn-fields": {
                    "business_id": {
                        "label": "Business id",
                        "schema": {"type": ["string", "null"]},
                        "description": "The open_id that came with the account's authorisation.",
                    },
                    "refresh_token": {
                        "label": "Refresh token",
                        "schema": {"type": ["string", "null"], "format": "password"},
                        "description": "What the account's authorisation of the app brought; those that follow it are "
                        "kept in the warehouse. After a new authorisation, put in the new one.",
                    },
                    "api_host": {
                        "label": "API host",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: another host than https://business-api.tiktok.com.",
                    },
                },
            },
            {
                "connection-type": "ga4",
                "hook-class-name": "tributary.channels.ga4.hook.Ga4Hook",
                "hook-name": "Google Analytics 4",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "login", "port", "schema", "extra"],
                    "relabeling": {"password": "Key file"},
                    "placeholders": {"password": '{"type": "service_account", ...} as downloaded'},
                },
                "conn-fields": {
                    "property_id": {
                        "label": "Property id",
                        "schema": {"type": ["string", "null"], "pattern": "^\\d+$"},
                        "description": "The digits in Admin > Property details; the service account is a viewer there.",
                    },
                    "transport": {
                        "label": "Transport",
                        "schema": {"type": ["string", "null"], "enum": ["rest", "grpc", None]},
                        "description": "Optional: grpc instead of rest.",
                    },
                    "api_host": {
                        "label": "API host",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: another host than https://analyticsdata.googleapis.com.",
                    },
                },
            },
            {
                "connection-type": "klaviyo",
                "hook-class-name": "tributary.channels.klaviyo.hook.KlaviyoHook",
                "hook-name": "Klaviyo",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "login", "port", "schema", "extra"],
                    "relabeling": {"password": "Private API key"},
                    "placeholders": {"password": "pk_..."},
                },
                "conn-fields": {
                    "conversion_metric_id": {
                        "label": "Conversion metric id",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: the metric whose events are conversions, when several are called "
                        "Placed Order.",
                    },
                    "api_host": {
                        "label": "API host",
                        "schema": {"type": ["string", "null"]},
                        "description": "Optional: another host than https://a.klaviyo.com.",
                    },
                },
            },
        ],
    }
