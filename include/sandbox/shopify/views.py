"""An order and its parts as the Admin API's objects: plain dictionaries in the schema's own field names.

A callable value is a field that takes arguments. A field that is missing here is one the sandbox does not simulate; it
is refused by name rather than answered with null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business.merchants import DIRECT
from sandbox.business.money import rounded, share, vendor_text
from sandbox.business.order import (
    PPM,
    Allocation,
    Discount,
    Line,
    Order,
    Refund,
    RefundLine,
    Shipping,
    TaxLine,
    Transaction,
    Visit,
)
from sandbox.clock import iso
from sandbox.shopify.pages import listed
from sandbox.shopify.shop_views import customer
from sandbox.shopify.values import MoneyBag, View, gid, instant, money

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sandbox.shop import Shop

SELLING_CHANNELS = {"web": "Online Store", "pos": "POS", "tiktok": "TikTok"}


class OrderView:
    """Builds the view of one order in its present state."""

    def __init__(self, order: Order, shop: Shop, now: Callable[[], datetime], journey_delay: timedelta) -> None:
        self._order = order
        self._shop = shop
        self._now = now
        self._journey_delay = journey_delay
        self._merchant = order.merchant
        foreign, rate = order.merchant.presentment
        self._presentment = (foreign, rate) if order.region.dutiable else (order.merchant.currency, PPM)

    def bag(self, cents: int) -> MoneyBag:
        return MoneyBag(cents, self._merchant.currency, *self._presentment)

    def build(self) -> View:
        order, bag = self._order, self.bag
        lines = {line.id: self._line(line) for line in order.lines}
        shipping = [self._shipping(s) for s in order.shipping]
        kept_shipping = [view for view, s in zip(shipping, order.shipping, strict=True) if not s.removed]
        transactions = [self._transaction(t) for t in order.transactions]
        for refund in order.refunds:
            transactions += [self._transaction(t) for t in refund.transactions]
        refunds = [self._refund(refund, lines) for refund in order.refunds]
        duties = order.duties
        duties_left = duties - sum(refund.duty for refund in order.refunds)
        line_discounts = sum(line.discount for line in order.lines)
        shipping_discounts = sum(a.amount for s in order.shipping if not s.removed for a in s.allocations)
        returned_goods = sum(r.subtotal for refund in order.refunds for r in refund.lines)
        returned_shipping = sum(r.subtotal for refund in order.refunds for r in refund.shipping)
        returned_tax = sum(refund.tax for refund in order.refunds)
        current_discounts = sum(share(line.all_discounts, line.current, line.quantity) for line in order.lines)
        open_amount = 0 if order.voided or order.expired or order.cancelled_at else order.total - order.received
        pos, web = order.source_name == "pos", order.source_name == "web"
        number = order.customer_id
        return {
            "__typename": "Order",
            "id": gid("Order", order.id),
            "legacyResourceId": str(order.id),
            "name": f"#{order.number}",
            "number": order.number,
            "createdAt": iso(order.created_at),
            "processedAt": iso(order.processed_at),
            "updatedAt": iso(order.updated_at),
            "cancelledAt": instant(order.cancelled_at),
            "cancelReason": order.cancel_reason,
            "closedAt": None,
            "closed": False,
            "confirmed": True,
            "test": order.test,
            "edited": order.edited,
            "tags": list(order.tags),
            "note": None,
            "poNumber": None,
            "email": order.email,
            "phone": None,
            "customer": (lambda info: customer(self._shop, number)) if number else None,
            "customerLocale": "de-DE" if self._merchant.taxes_included else "en-US",
            "sourceName": order.source_name,
            "sourceIdentifier": None,
            "attribution": {"handle": order.source_name, "displayName": SELLING_CHANNELS[order.source_name]},
            "cartToken": f"c{order.id:x}" if web else None,
            "checkoutToken": f"k{order.id:x}" if web else None,
            "currencyCode": self._merchant.currency,
            "presentmentCurrencyCode": self._presentment[0],
            "taxesIncluded": self._merchant.taxes_included,
            "taxExempt": False,
            "dutiesIncluded": False,
            "estimatedTaxes": False,
            "displayFinancialStatus": order.financial_status,
            "displayFulfillmentStatus": "FULFILLED" if order.fulfilled_at else "UNFULFILLED",
            "returnStatus": "RETURNED" if any(refund.lines for refund in order.refunds) else "NO_RETURN",
            "fullyPaid": order.received >= order.total,
            "unpaid": not order.received,
            "refundable": order.received > order.refunded,
            "paymentGatewayNames": sorted({t.gateway for t in order.transactions}),
            "subtotalLineItemsQuantity": sum(line.kept for line in order.lines),
            "currentSubtotalLineItemsQuantity": sum(line.current for line in order.lines),
            # before returns, after edits
            "totalPriceSet": bag(order.total),
            "subtotalPriceSet": bag(order.subtotal),
            "totalDiscountsSet": bag(line_discounts + shipping_discounts),
            "cartDiscountAmountSet": bag(self._order_discounts()),
            "totalTaxSet": bag(order.tax),
            "totalShippingPriceSet": bag(order.shipping_total),
            "totalTipReceivedSet": bag(order.tip),
            "originalTotalPriceSet": bag(order.original_total),
            "originalTotalDutiesSet": bag(duties) if duties else None,
            "originalTotalAdditionalFeesSet": None,
            # after returns
            "currentTotalPriceSet": bag(max(0, order.total - order.returned)),
            "currentSubtotalPriceSet": bag(max(0, order.subtotal - returned_goods)),
            "currentTotalDiscountsSet": bag(current_discounts + shipping_discounts),
            "currentTotalTaxSet": bag(max(0, order.tax - returned_tax)),
            "currentShippingPriceSet": bag(order.shipping_total - returned_shipping),
            "currentTotalDutiesSet": bag(duties_left) if duties else None,
            "currentTotalAdditionalFeesSet": None,
            # payments
            "totalReceivedSet": bag(order.received),
            "totalRefundedSet": bag(order.refunded),
            "totalRefundedShippingSet": bag(returned_shipping),
            "netPaymentSet": bag(order.received - order.refunded),
            "totalOutstandingSet": bag(open_amount),
            "totalCapturableSet": bag(order.total if order.financial_status == "AUTHORIZED" else 0),
            "refundDiscrepancySet": bag(sum(a.amount for refund in order.refunds for a in refund.adjustments)),
            "totalCashRoundingAdjustment": {"paymentSet": bag(0), "refundSet": bag(0)},
            "taxLines": self._order_taxes(),
            "discountCode": next((d.title for d in order.discounts if d.code), None),
            "discountCodes": [discount.title for discount in order.discounts if discount.code],
            "discountApplications": listed([self._application(n) for n in range(len(order.discounts))]),
            "lineItems": listed(list(lines.values())),
            "shippingLine": kept_shipping[0] if kept_shipping else None,
            "shippingLines": lambda info, includeRemovals=False, **page: listed(  # noqa: N803 (the vendor's name)
                shipping if includeRemovals else kept_shipping
            )(info, **page),
            "refunds": lambda info, first=None: refunds[:first],
            "transactions": lambda info, first=None, **_: transactions[:first],
            "transactionsCount": {"count": len(transactions), "precision": "EXACT"},
            "shippingAddress": None if pos else self._address(),
            "displayAddress": None if pos else self._address(),
            "customerJourneySummary": (lambda info: self._journey()) if web else None,
        }

    def _order_discounts(self) -> int:
        spread = {index for index, discount in enumerate(self._order.discounts) if discount.selection == "ALL"}
        return sum(a.amount for line in self._order.lines for a in line.allocations if a.index in spread)

    def _order_taxes(self) -> list[View]:
        """The order's taxes by title and rate, so that they add up to its total tax."""
        totals: dict[tuple[str, int], int] = {}
        order = self._order
        for line in order.lines:
            left = line.tax
            for number, tax in enumerate(line.taxes):
                last = number == len(line.taxes) - 1
                amount = left if last else min(left, share(tax.amount, line.kept, line.quantity))
                totals[tax.title, tax.rate] = totals.get((tax.title, tax.rate), 0) + amount
                left -= amount
        for shipping in order.shipping:
            for tax in shipping.taxes if not shipping.removed else ():
                totals[tax.title, tax.rate] = totals.get((tax.title, tax.rate), 0) + tax.amount
        return [self._tax(TaxLine(title, rate, amount)) for (title, rate), amount in totals.items()]

    def _tax(self, tax: TaxLine) -> View:
        return {
            "title": tax.title,
            "rate": tax.rate / PPM,
            "ratePercentage": tax.rate / 10_000,
            "priceSet": self.bag(tax.amount),
            "channelLiable": False,
            "source": "Shopify",
        }

    def _allocation(self, allocation: Allocation) -> View:
        return {
            "allocatedAmountSet": self.bag(allocation.amount),
            "discountApplication": self._application(allocation.index),
        }

    def _application(self, index: int) -> View:
        discount: Discount = self._order.discounts[index]
        value = {"__typename": "PricingPercentageValue", "percentage": discount.percent / 10_000}
        return {
            "__typename": "DiscountCodeApplication" if discount.code else "AutomaticDiscountApplication",
            "index": index,
            "code": discount.title,
            "title": discount.title,
            "allocationMethod": "ACROSS" if discount.selection == "ALL" else "EACH",
            "targetSelection": discount.selection,
            "targetType": discount.target,
            "value": value if discount.percent else money(discount.amount, self._merchant.currency),
        }

    def _line(self, line: Line) -> View:
        bag = self.bag
        spread = {index for index, discount in enumerate(self._order.discounts) if discount.selection == "ALL"}
        own_discount = sum(a.amount for a in line.allocations if a.index not in spread)
        price = line.unit_price * line.quantity
        return {
            "__typename": "LineItem",
            "id": gid("LineItem", line.id),
            "name": line.product.title,
            "title": line.product.title,
            "variantTitle": None,
            "vendor": self._merchant.name,
            "sku": line.product.sku,
            "quantity": line.quantity,
            "currentQuantity": line.current,
            "refundableQuantity": line.current,
            "nonFulfillableQuantity": line.removed + line.refunded,
            "unfulfilledQuantity": 0 if self._order.fulfilled_at else line.current,
            "taxable": line.product.taxable,
            "requiresShipping": True,
            "isGiftCard": False,
            **self._sold(line),
            "originalUnitPriceSet": bag(line.unit_price),
            "originalTotalSet": bag(price),
            "discountedTotalSet": lambda info, withCodeDiscounts=False: bag(  # noqa: N803 (the vendor's name)
                price - (line.all_discounts if withCodeDiscounts else own_discount)
            ),
            "discountedUnitPriceSet": bag(rounded(price - own_discount, line.quantity)),
            "discountedUnitPriceAfterAllDiscountsSet": bag(rounded(price - line.all_discounts, line.quantity)),
            "totalDiscountSet": bag(own_discount),
            "discountAllocations": [self._allocation(a) for a in line.allocations],
            "taxLines": lambda info, first=None: [self._tax(tax) for tax in line.taxes[:first]],
            "duties": [self._duty(line)] if line.duty else [],
            "customAttributes": [],
        }

    def _sold(self, line: Line) -> View:
        """The line's product and variant as they are now, if they still are."""
        product = self._shop.products.get(line.product.id)
        if product is None:
            return {"product": None, "variant": None}
        variant = product.variants[0]
        brief = {"id": gid("Product", product.id), "legacyResourceId": str(product.id), "title": product.title}
        return {
            "product": brief,
            "variant": {
                "id": gid("ProductVariant", variant.id),
                "legacyResourceId": str(variant.id),
                "title": variant.title,
                "sku": variant.sku,
                "price": vendor_text(variant.price),
                "product": brief,
            },
        }

    def _duty(self, line: Line) -> View:
        return {
            "__typename": "Duty",
            "id": gid("Duty", line.id),
            "countryCodeOfOrigin": "US",
            "harmonizedSystemCode": "630622",
            "price": self.bag(line.duty),
            "taxLines": [],
        }

    def _shipping(self, shipping: Shipping) -> View:
        current = 0 if shipping.removed else shipping.discounted - shipping.refunded
        return {
            "id": gid("ShippingLine", shipping.id),
            "title": shipping.title,
            "code": shipping.title,
            "custom": False,
            "source": "shopify",
            "isRemoved": shipping.removed,
            "originalPriceSet": self.bag(shipping.original),
            "discountedPriceSet": self.bag(shipping.discounted),
            "currentDiscountedPriceSet": self.bag(current),
            "discountAllocations": [self._allocation(a) for a in shipping.allocations],
            "taxLines": [self._tax(tax) for tax in shipping.taxes],
        }

    def _transaction(self, transaction: Transaction) -> View:
        parent = transaction.parent
        return {
            "__typename": "OrderTransaction",
            "id": gid("OrderTransaction", transaction.id),
            "kind": transaction.kind,
            "status": transaction.status,
            "amountSet": self.bag(transaction.amount),
            "gateway": transaction.gateway,
            "formattedGateway": transaction.gateway.replace("_", " ").title(),
            "createdAt": iso(transaction.at),
            "processedAt": iso(transaction.at),
            "test": self._order.test,
            "errorCode": "GENERIC_ERROR" if transaction.status == "FAILURE" else None,
            "manualPaymentGateway": transaction.gateway in ("manual", "Bank Deposit", "cash"),
            "parentTransaction": {"id": gid("OrderTransaction", parent)} if parent else None,
            "fees": self._fees(transaction),
        }

    def _fees(self, transaction: Transaction) -> list[View]:
        paid = transaction.kind in ("SALE", "CAPTURE") and transaction.status == "SUCCESS"
        if not paid or transaction.gateway != "shopify_payments":
            return []
        currency = self._merchant.currency
        return [
            {
                "id": gid("TransactionFee", transaction.id),
                "type": "processing_fee",
                "rate": "0.029",
                "rateName": "Domestic",
                "flatFeeName": "per transaction",
                "flatFee": money(30, currency),
                "amount": money(rounded(transaction.amount * 29, 1000) + 30, currency),
                "taxAmount": money(0, currency),
            }
        ]

    def _refund(self, refund: Refund, lines: dict[int, View]) -> View:
        shipping = [
            {
                "id": gid("RefundShippingLine", line.id),
                "shippingLine": self._shipping(line.shipping),
                "subtotalAmountSet": self.bag(line.subtotal),
                "taxAmountSet": self.bag(line.tax),
            }
            for line in refund.shipping
        ]
        adjustments = [
            {
                "id": gid("OrderAdjustment", adjustment.id),
                "amountSet": self.bag(adjustment.amount),
                "taxAmountSet": self.bag(0),
                "reason": adjustment.reason,
            }
            for adjustment in refund.adjustments
        ]
        return {
            "__typename": "Refund",
            "id": gid("Refund", refund.id),
            "legacyResourceId": str(refund.id),
            "createdAt": iso(refund.created_at),
            "processedAt": iso(refund.processed_at),
            "updatedAt": iso(refund.updated_at),
            "note": refund.note,
            "totalRefundedSet": self.bag(refund.money),
            "order": {"id": gid("Order", self._order.id), "legacyResourceId": str(self._order.id)},
            "refundLineItems": listed([self._refund_line(line, lines) for line in refund.lines]),
            "refundShippingLines": listed(shipping),
            "orderAdjustments": listed(adjustments),
            "duties": [
                {"amountSet": self.bag(amount), "originalDuty": self._duty(line)} for line, amount in refund.duties
            ],
            "transactions": listed([self._transaction(t) for t in refund.transactions]),
            "return": None,
        }

    def _refund_line(self, refunded: RefundLine, lines: dict[int, View]) -> View:
        return {
            "id": gid("RefundLineItem", refunded.id),
            "quantity": refunded.quantity,
            "restockType": refunded.restock,
            "restocked": refunded.restock != "NO_RESTOCK",
            "priceSet": self.bag(rounded(refunded.subtotal, refunded.quantity)),
            "subtotalSet": self.bag(refunded.subtotal),
            "totalTaxSet": self.bag(refunded.tax),
            "lineItem": lines[refunded.line.id],
            "location": None,
        }

    def _address(self) -> View:
        person, region = self._order.person, self._order.region
        return {
            "id": gid("MailingAddress", self._order.id),
            "firstName": person.first_name if person else None,
            "lastName": person.last_name if person else None,
            "city": region.city,
            "province": region.province,
            "provinceCode": region.province,
            "country": region.country,
            "countryCode": region.country,
            "countryCodeV2": region.country,
        }

    def _journey(self) -> View:
        """The visits, once Shopify has attributed them; becoming ready does not make the order look newer."""
        order = self._order
        ready = self._now() - order.created_at >= self._journey_delay
        visits = [self._visit(visit) for visit in order.visits] if ready else []
        first = order.visits[0].at if visits else None
        return {
            "ready": ready,
            "momentsCount": {"count": len(visits), "precision": "EXACT"} if ready else None,
            "moments": listed(visits),
            "firstVisit": visits[0] if visits else None,
            "lastVisit": visits[-1] if visits else None,
            "daysToConversion": max(0, (order.processed_at - first).days) if first else None,
            "customerOrderIndex": None,
        }

    def _visit(self, visit: Visit) -> View:
        source = visit.source
        tagged = source.tagged and source is not DIRECT
        return {
            "__typename": "CustomerVisit",
            "id": gid("CustomerVisit", visit.id),
            "occurredAt": iso(visit.at),
            "landingPage": visit.landing_page,
            "referrerUrl": visit.referrer,
            "source": "direct" if source is DIRECT else source.source,
            "sourceType": None,
            "sourceDescription": None,
            "referralCode": None,
            "marketingEvent": None,
            "utmParameters": {
                "source": source.source,
                "medium": source.medium,
                "campaign": source.campaign,
                "content": None,
                "term": None,
            }
            if tagged
            else None,
        }
