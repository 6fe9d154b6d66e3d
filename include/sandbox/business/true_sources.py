"""Where each order of a merchant really came from, in the words of the business, and the way that led to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business import tiktok_truth, truth
from sandbox.business.email_model import ulid
from sandbox.business.merchants import DIRECT, Source
from sandbox.clock import iso

if TYPE_CHECKING:
    from sandbox.business.order import Order, Person, Visit
    from sandbox.business.tiktok_order import TikTokOrder
    from sandbox.shop import Shop

MEANT: dict[str | None, str | None] = {
    "Facebook": "facebook",
    "herbst%20neu": "herbst neu",
    "{{campaign.name}}": None,
}
"""What links got wrong -> what was meant; of a template that nobody filled, that is not known."""
OTHERWISE = {"pos": Source("pos", "none"), "tiktok": Source("tiktok_shop", "native")}
"""What brought the orders that no visit led to: the till, and TikTok Shop itself."""


def true_sources(shop: Shop) -> list[dict[str, Any]]:
    """Every order that there is, of the shop and of TikTok Shop; a sale that both tell of counts as TikTok's."""
    copies = {order.mirror.id for order in shop.tiktok.orders if order.mirror is not None}
    own = [_of_shop(order, order.id in copies) for order in shop.orders.values()]
    return own + [_of_tiktok(order) for order in shop.tiktok.orders]


def _of_shop(order: Order, is_copy: bool) -> dict[str, Any]:
    source = order.true_source or OTHERWISE.get(order.source_name)
    # Visits before the deciding one may be of the same source, later ones never are.
    deciding = next((visit for visit in reversed(order.visits) if visit.source is source), None)
    return {
        "id": str(order.id),
        "sales_channel": "shopify",
        "is_counted": truth.is_counted(order) and not is_copy,
        "person": _key(order, order.person) if order.person else None,
        "placed_at": iso(order.processed_at),
        **meant(source),
        "decided_at": iso(deciding.at) if deciding else None,
        "visits": [{"occurred_at": iso(visit.at), **_way(visit)} for visit in order.visits],
    }


def _of_tiktok(order: TikTokOrder) -> dict[str, Any]:
    return {
        "id": str(order.id),
        "sales_channel": "tiktok_shop",
        "is_counted": tiktok_truth.is_counted(order),
        "person": order.user_id,
        "placed_at": iso(order.created_at),
        **meant(OTHERWISE["tiktok"]),
        "decided_at": iso(order.created_at),
        "visits": [],
    }


def meant(source: Source | None) -> dict[str, str | None]:
    """Source, medium and campaign as whoever made the link wanted them; nothing of an order placed from outside."""
    words = (source.source, source.medium, source.campaign) if source else (None, None, None)
    return dict(zip(("source", "medium", "campaign"), (MEANT.get(word, word) for word in words), strict=True))


def _way(visit: Visit) -> dict[str, Any]:
    return {**meant(visit.source), "is_direct": visit.source is DIRECT}


def _key(order: Order, person: Person) -> str:
    """The person's id at Klaviyo, with or without an account at either; people of shops without Klaviyo get one too."""
    return ulid(order.merchant.merchant_id, person.email.strip().lower())
