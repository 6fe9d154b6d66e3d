"""The shops on TikTok that the account may promote, or may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.business.ads_plans import Account

STORES = {"7495000000000000001": ("Aurora Outdoor", True), "7495000000000000002": ("Aurora Outlet", False)}
"""The shop's id -> its name, and whether it can have GMV Max campaigns."""
BUSINESS_CENTER = "7390000000000000009"


def stores(account: Account) -> dict[str, Any]:
    """GET /gmv_max/store/list/, which has no pages."""
    return {
        "store_list": [
            {
                "store_id": store,
                "store_name": name,
                "store_code": f"USLC{store[-6:]}",
                "store_role": "AD_PROMOTION",
                "store_status": "ACTIVE",
                "is_gmv_max_available": available,
                "is_owner_bc": True,
                "store_authorized_bc_id": BUSINESS_CENTER,
                "store_authorized_bc_info": {
                    "bc_id": BUSINESS_CENTER,
                    "bc_name": "Aurora",
                    "bc_profile_image": "",
                    "user_role": "ADMIN",
                },
                "targeting_region_codes": ["US"],
                "thumbnail_url": "",
                "exclusive_authorized_advertiser_info": {
                    "advertiser_id": account.account_id,
                    "advertiser_name": account.name,
                    "advertiser_status": "STATUS_ENABLE" if account.status == "active" else "STATUS_DISABLE",
                }
                if available
                else {},
            }
            for store, (name, available) in STORES.items()
        ]
    }
