"""The marketing channels that visits, spend and orders belong to, in the words of the marts."""

from __future__ import annotations

AD_PLATFORMS = ("meta_ads", "google_ads", "tiktok_ads", "microsoft_ads")
PAID = (*AD_PLATFORMS, "paid_other")
MARKETING_CHANNELS = (
    *PAID,
    "organic_search",
    "organic_social",
    "email",
    "sms",
    "push",
    "referral",
    "affiliate",
    "tiktok_shop",
    "direct",
    "other",
)
