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
                    "client_id": _text("Client id", "For a Dev Dashboard app, instead of an access token."),
                    "client_secret": _secret(
                        "Client secret", "The same app's; exchanged for a token that lives 24 hours."
                    ),
                    "api_version": _text(
                        "API version",
                        "Optional: another version of the Admin API, such as 2027-01.",
                        pattern="^\\d{4}-(01|04|07|10)$",
                    ),
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
                    "refresh_token": _secret(
                        "Refresh token",
                        "What the seller's authorisation of the app brought; those that follow it are kept in the "
                        "warehouse. After a new authorisation, put in the new one.",
                    ),
                    "access_token": _secret(
                        "Access token", "Only to try a shop without a refresh token: it lasts a week."
                    ),
                    "shop_id": _text(
                        "Shop id",
                        "Only where the authorisation covers several shops; Test lists them.",
                        pattern="^\\d+$",
                    ),
                    "requests_per_second": _text(
                        "Requests a second",
                        "How fast analytics are asked for, such as 0.5; 1 if empty.",
                        pattern="^\\d*\\.?\\d+$",
                    ),
                    "api_host": _text("API host", "Optional: another host than https://open-api.tiktokglobalshop.com."),
                    "auth_host": _text(
                        "Authorisation host", "Optional: another host than https://auth.tiktok-shops.com."
                    ),
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
                    "business_id": _text("Business id", "The open_id that came with the account's authorisation."),
                    "refresh_token": _secret(
                        "Refresh token",
                        "What the account's authorisation of the app brought; those that follow it are kept in the "
                        "warehouse. After a new authorisation, put in the new one.",
                    ),
                    "api_host": _text("API host", "Optional: another host than https://business-api.tiktok.com."),
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
                    "property_id": _text(
                        "Property id",
                        "The digits in Admin > Property details; the service account is a viewer there.",
                        pattern="^\\d+$",
                    ),
                    "transport": _text("Transport", "Optional: grpc instead of rest.", enum=["rest", "grpc", None]),
                    "api_host": _text("API host", "Optional: another host than https://analyticsdata.googleapis.com."),
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
                    "conversion_metric_id": _text(
                        "Conversion metric id",
                        "Optional: the metric whose events are conversions, when several are called Placed Order.",
                    ),
                    "api_host": _text("API host", "Optional: another host than https://a.klaviyo.com."),
                },
            },
            {
                "connection-type": "meta_ads",
                "hook-class-name": "tributary.channels.meta_ads.hook.MetaAdsHook",
                "hook-name": "Meta Ads",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "login", "port", "schema", "extra"],
                    "relabeling": {"password": "Access token"},
                    "placeholders": {"password": "EAA... of a system user, with the permission ads_read"},
                },
                "conn-fields": {
                    "account_ids": _text("Ad accounts", "Their ids, with commas when there are several."),
                    "app_secret": _secret("App secret", "Optional: for an app that requires proof of it."),
                    "api_host": _text("API host", "Optional: another host than https://graph.facebook.com."),
                },
            },
            {
                "connection-type": "google_ads",
                "hook-class-name": "tributary.channels.google_ads.hook.GoogleAdsHook",
                "hook-name": "Google Ads",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema", "extra"],
                    "relabeling": {"login": "OAuth client id", "password": "OAuth client secret"},
                    "placeholders": {"login": "...apps.googleusercontent.com", "password": "GOCSPX-..."},
                },
                "conn-fields": {
                    "refresh_token": _secret("Refresh token", "What the consent of a user of the accounts brought."),
                    "developer_token": _secret("Developer token", "Optional: Google ignores it by now."),
                    "customer_ids": _text("Accounts", "Their customer ids, with commas when there are several."),
                    "login_customer_id": _text(
                        "Manager account", "Only where the accounts are reached through one: its customer id."
                    ),
                    "api_host": _text("API host", "Optional: another host than https://googleads.googleapis.com."),
                    "token_uri": _text(
                        "Token address", "Optional: another address than https://oauth2.googleapis.com/token."
                    ),
                },
            },
            {
                "connection-type": "tiktok_ads",
                "hook-class-name": "tributary.channels.tiktok_ads.hook.TikTokAdsHook",
                "hook-name": "TikTok Ads",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "login", "port", "schema", "extra"],
                    "relabeling": {"password": "Access token"},
                    "placeholders": {"password": "what the advertisers' authorisation of the app brought"},
                },
                "conn-fields": {
                    "advertiser_ids": _text("Ad accounts", "Their advertiser ids, with commas when there are several."),
                    "api_host": _text("API host", "Optional: another host than https://business-api.tiktok.com."),
                },
            },
            {
                "connection-type": "fx",
                "hook-class-name": "tributary.channels.fx.hook.FxHook",
                "hook-name": "Exchange rates",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "password", "port", "schema", "extra"],
                    "relabeling": {"host": "Source"},
                    "placeholders": {
                        "host": "https://data-api.ecb.europa.eu, or a file in the form of its eurofxref-hist.csv"
                    },
                },
            },
        ],
    }


def _text(label: str, description: str, **rules: Any) -> dict[str, Any]:
    """A field of the form; may stay empty."""
    return {"label": label, "schema": {"type": ["string", "null"], **rules}, "description": description}


def _secret(label: str, description: str) -> dict[str, Any]:
    """A field that is kept encrypted and never shown."""
    return _text(label, description, format="password")
