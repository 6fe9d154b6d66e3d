"""An order and everything that can happen to it: one reducer serves simulated and injected events alike.

All amounts are cents. A line's `quantity`, taxes and discount allocations never change once ordered; edits take units
away in `removed`, refunds in `refunded`. What an event asks for is clipped to what is still possible, and an event that
cannot do anything leaves the order untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.business.money import rounded, share, split
from sandbox.clock import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sandbox.business.merchants import Merchant, Product, Region, Source

PPM = 1_000_000


@dataclass(slots=True)
class TaxLine:
    title: str
    rate: int
    amount: int


@dataclass(slots=True)
class Allocation:
    """The part of a discount that a line bears; `index` names the order's discount."""

    index: int
    amount: int


@dataclass(slots=True)
class Discount:
    """A discount of the order: a percentage in ppm, or an amount."""

    title: str
    code: bool
    percent: int
    amount: int
    target: str = "LINE_ITEM"
    selection: str = "ALL"


@dataclass(slots=True)
class Line:
    id: int
    product: Product
    unit_price: int
    quantity: int
    allocations: list[Allocation]
    taxes: list[TaxLine]
    duty: int = 0
    removed: int = 0
    refunded: int = 0

    @property
    def kept(self) -> int:
        """Units that edits left in the order, returned ones included."""
        return self.quantity - self.removed

    @property
    def current(self) -> int:
        return self.kept - self.refunded

    @property
    def price(self) -> int:
        return self.unit_price * self.kept

    @property
    def all_discounts(self) -> int:
        return sum(allocation.amount for allocation in self.allocations)

    @property
    def discount(self) -> int:
        return share(self.all_discounts, self.kept, self.quantity)

    @property
    def tax(self) -> int:
        return share(sum(tax.amount for tax in self.taxes), self.kept, self.quantity)

    def returned(self, units: int) -> tuple[int, int]:
        """Discounted price and tax of the first `units` returned: totals that grow, so that parts make up the whole."""
        return share(self.price - self.discount, units, self.kept), share(self.tax, units, self.kept)


@dataclass(slots=True)
class Shipping:
    id: int
    title: str
    original: int
    allocations: list[Allocation]
    taxes: list[TaxLine]
    removed: bool = False
    refunded: int = 0
    refunded_tax: int = 0

    @property
    def discounted(self) -> int:
        return self.original - sum(allocation.amount for allocation in self.allocations)

    @property
    def tax(self) -> int:
        return sum(tax.amount for tax in self.taxes)


@dataclass(slots=True)
class Transaction:
    id: int
    kind: str
    status: str
    amount: int
    gateway: str
    at: datetime
    parent: int | None = None


@dataclass(slots=True)
class RefundLine:
    id: int
    line: Line
    quantity: int
    subtotal: int
    tax: int
    restock: str


@dataclass(slots=True)
class RefundShipping:
    id: int
    shipping: Shipping
    subtotal: int
    tax: int


@dataclass(slots=True)
class Adjustment:
    """What was suggested less what was paid: negative when the merchant gave more."""

    id: int
    amount: int
    reason: str


@dataclass(slots=True)
class Refund:
    id: int
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    note: str | None
    lines: list[RefundLine]
    shipping: list[RefundShipping]
    duties: list[tuple[Line, int]]
    adjustments: list[Adjustment]
    transactions: list[Transaction]

    @property
    def money(self) -> int:
        """What the customer really got back."""
        return sum(t.amount for t in self.transactions if t.kind == "REFUND" and t.status == "SUCCESS")

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines) + sum(line.tax for line in self.shipping)

    @property
    def duty(self) -> int:
        return sum(amount for _, amount in self.duties)


@dataclass(slots=True)
class Visit:
    id: int
    at: datetime
    source: Source
    landing_page: str
    referrer: str | None


@dataclass(slots=True)
class Person:
    """A shopper; `customer_id` is what the shop knows once an account exists."""

    customer_id: int
    first_name: str
    last_name: str
    email: str
    registered_at: datetime | None = None


@dataclass(slots=True)
class Event:
    """Something that happens to an order, visible from `at` on."""

    at: datetime
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Order:
    id: int
    number: int
    merchant: Merchant
    region: Region
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    lines: list[Line]
    shipping: list[Shipping]
    discounts: list[Discount]
    tip: int = 0
    person: Person | None = None
    customer_id: int | None = None
    email: str | None = None
    source_name: str = "web"
    test: bool = False
    tags: tuple[str, ...] = ()
    visits: list[Visit] = field(default_factory=list)
    true_source: Source | None = None
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    fulfilled_at: datetime | None = None
    edited: bool = False
    voided: bool = False
    expired: bool = False
    original_total: int = 0
    last_child: int = 0
    version: int = 0

    def child_id(self) -> int:
        """The next id for something that belongs to this order."""
        self.last_child += 1
        return self.id * 1000 + self.last_child

    # What the order is worth, before returns and after edits.

    @property
    def duties(self) -> int:
        return sum(line.duty for line in self.lines)

    @property
    def line_tax(self) -> int:
        return sum(line.tax for line in self.lines)

    @property
    def tax(self) -> int:
        return self.line_tax + sum(s.tax for s in self.shipping if not s.removed)

    @property
    def subtotal(self) -> int:
        return sum(line.price - line.discount for line in self.lines)

    @property
    def shipping_total(self) -> int:
        return sum(s.discounted for s in self.shipping if not s.removed)

    @property
    def total(self) -> int:
        taxes = 0 if self.merchant.taxes_included else self.tax
        return self.subtotal + self.shipping_total + taxes + self.duties + self.tip

    @property
    def returned(self) -> int:
        """What left the order with its returns: goods, shipping, their taxes and duties, paid back or not."""
        value = 0
        for refund in self.refunds:
            value += sum(line.subtotal for line in refund.lines) + sum(line.subtotal for line in refund.shipping)
            value += refund.duty + (0 if self.merchant.taxes_included else refund.tax)
        return value

    # What was paid.

    @property
    def received(self) -> int:
        return sum(t.amount for t in self.transactions if t.status == "SUCCESS" and t.kind in ("SALE", "CAPTURE"))

    @property
    def refunded(self) -> int:
        return sum(refund.money for refund in self.refunds)

    @property
    def financial_status(self) -> str:
        if self.voided:
            return "VOIDED"
        if self.expired:
            return "EXPIRED"
        received, refunded = self.received, self.refunded
        if refunded:
            return "REFUNDED" if refunded >= received else "PARTIALLY_REFUNDED"
        if received >= self.total:
            return "PAID"
        if received:
            return "PARTIALLY_PAID"
        return "AUTHORIZED" if any(t.kind == "AUTHORIZATION" for t in self.transactions) else "PENDING"


def ordered_line(
    order_id: int, number: int, merchant: Merchant, region: Region, product: Product, price: int, quantity: int
) -> Line:
    """A line before discounts and taxes."""
    return Line(order_id * 1000 + 900 + number, product, price, quantity, [], [])


def tax_goods(merchant: Merchant, region: Region, line: Line) -> None:
    """Levy the region's taxes on what the line costs after all its discounts."""
    rates = region.reduced_rates if line.product.reduced_rate else region.rates
    if line.product.taxable:
        base = line.unit_price * line.quantity - line.all_discounts
        line.taxes = levy(base, rates, merchant.taxes_included)


def levy(base: int, rates: tuple[tuple[str, int], ...], included: bool) -> list[TaxLine]:
    """Taxes on `base`, or those contained in it."""
    whole = PPM + sum(rate for _, rate in rates) if included else PPM
    return [TaxLine(title, rate, rounded(base * rate, whole)) for title, rate in rates]


def discount_order(order: Order, discount: Discount) -> None:
    """Spread an order-level discount over the lines by what they cost after line discounts."""
    weights = [line.unit_price * line.quantity - line.all_discounts for line in order.lines]
    amount = min(sum(weights), discount.amount or rounded(sum(weights) * discount.percent, PPM))
    index = len(order.discounts)
    order.discounts.append(discount)
    for line, part in zip(order.lines, split(amount, weights), strict=True):
        if part:
            line.allocations.append(Allocation(index, part))


def discount_line(order: Order, line: Line, discount: Discount) -> None:
    """Take a percentage off one line."""
    line.allocations.append(
        Allocation(len(order.discounts), rounded(line.unit_price * line.quantity * discount.percent, PPM))
    )
    order.discounts.append(discount)


def ship(order: Order, title: str, price: int, free: Discount | None = None) -> None:
    """Add a shipping line, given away when `free` names the discount."""
    allocations = []
    if free is not None and price:
        allocations.append(Allocation(len(order.discounts), price))
        order.discounts.append(free)
    line = Shipping(order.child_id(), title, price, allocations, [])
    if order.region.taxes_shipping:
        line.taxes = levy(line.discounted, order.region.rates, order.merchant.taxes_included)
    order.shipping.append(line)


def apply(order: Order, event: Event) -> bool:
    """Let the event happen; False when it cannot, and then nothing changed."""
    if order.cancelled_at is not None and event.kind not in ("refund", "settle", "move"):
        return False
    if not _REACTIONS[event.kind](order, event):
        return False
    order.updated_at = event.at
    order.version += 1
    return True


def _pay(order: Order, event: Event) -> bool:
    amount = min(event.data.get("amount", order.total), order.total - order.received)
    if order.voided or order.expired or amount < 0 or (amount == 0 and order.received):
        return False
    pending = next((t for t in order.transactions if t.status == "PENDING"), None)
    gateway = pending.gateway if pending else event.data.get("gateway", "shopify_payments")
    parent = pending.id if pending else None
    order.transactions.append(Transaction(order.child_id(), "SALE", "SUCCESS", amount, gateway, event.at, parent))
    return True


def _await_payment(order: Order, event: Event) -> bool:
    gateway = event.data.get("gateway", "Bank Deposit")
    order.transactions.append(Transaction(order.child_id(), "SALE", "PENDING", order.total, gateway, event.at))
    return True


def _authorize(order: Order, event: Event) -> bool:
    order.transactions.append(
        Transaction(order.child_id(), "AUTHORIZATION", "SUCCESS", order.total, "shopify_payments", event.at)
    )
    return True


def _capture(order: Order, event: Event) -> bool:
    held = next((t for t in order.transactions if t.kind == "AUTHORIZATION"), None)
    if held is None or order.received or order.voided or order.expired:
        return False
    amount = min(held.amount, order.total)
    order.transactions.append(
        Transaction(order.child_id(), "CAPTURE", "SUCCESS", amount, held.gateway, event.at, held.id)
    )
    if order.total > amount:
        order.transactions.append(
            Transaction(order.child_id(), "SALE", "SUCCESS", order.total - amount, held.gateway, event.at)
        )
    return True


def _void(order: Order, event: Event) -> bool:
    if order.received or order.voided:
        return False
    held = next((t for t in order.transactions if t.kind == "AUTHORIZATION"), None)
    if held is not None:
        order.transactions.append(Transaction(order.child_id(), "VOID", "SUCCESS", 0, held.gateway, event.at, held.id))
    order.voided = True
    return True


def _expire(order: Order, event: Event) -> bool:
    if order.received or order.voided or order.expired:
        return False
    order.expired = True
    return True


def _fulfil(order: Order, event: Event) -> bool:
    if order.fulfilled_at is not None or order.financial_status in ("VOIDED", "EXPIRED"):
        return False
    order.fulfilled_at = event.at
    return True


def _edit(order: Order, event: Event) -> bool:
    """Take out units that were not refunded, drop the shipping line, add a line."""
    if order.voided or order.expired:
        return False
    changed = False
    for number, units in event.data.get("remove", ()):
        line = order.lines[number % len(order.lines)]
        units = min(units, line.current)
        if units > 0 and sum(other.current for other in order.lines) > units:
            line.removed += units
            changed = True
    for item in event.data.get("add", ()):
        product = order.merchant.product(item["sku"])
        line = ordered_line(
            order.id,
            len(order.lines),
            order.merchant,
            order.region,
            product,
            item.get("price", product.price),
            item.get("quantity", 1),
        )
        tax_goods(order.merchant, order.region, line)
        order.lines.append(line)
        changed = True
    if event.data.get("remove_shipping"):
        for shipping in order.shipping:
            changed = changed or not shipping.removed
            shipping.removed = True
    order.edited = order.edited or changed
    return changed


def _refund(order: Order, event: Event) -> bool:
    if not order.received and "amount" not in event.data:
        return False
    return _give_back(order, event, restock="RETURN" if order.fulfilled_at else "NO_RESTOCK")


def _give_back(order: Order, event: Event, restock: str) -> bool:
    """Return units, shipping and duties, and pay back what that makes or what `amount` says."""
    data = event.data
    full = bool(data.get("full"))
    wanted = [(line, line.current) for line in order.lines] if full else []
    wanted += [(order.lines[number % len(order.lines)], units) for number, units in data.get("lines", ())]
    lines: list[RefundLine] = []
    duties: list[tuple[Line, int]] = []
    for line, asked in wanted:
        units = min(asked, line.current)
        if units <= 0:
            continue
        line.refunded += units
        due, tax_due = line.returned(line.refunded)
        earlier = [r for refund in order.refunds for r in refund.lines if r.line is line]
        earlier += [r for r in lines if r.line is line]
        subtotal = max(0, due - sum(r.subtotal for r in earlier))
        tax = max(0, tax_due - sum(r.tax for r in earlier))
        lines.append(RefundLine(order.child_id(), line, units, subtotal, tax, restock))
        if line.duty and line.current == 0:
            duties.append((line, line.duty))
    shipping: list[RefundShipping] = []
    if full or data.get("shipping"):
        for ship_line in order.shipping:
            left, tax_left = ship_line.discounted - ship_line.refunded, ship_line.tax - ship_line.refunded_tax
            if ship_line.removed or left <= 0:
                continue
            part = 1 if full or data["shipping"] == "all" else 2
            subtotal, tax = rounded(left, part), rounded(tax_left, part)
            ship_line.refunded += subtotal
            ship_line.refunded_tax += tax
            shipping.append(RefundShipping(order.child_id(), ship_line, subtotal, tax))
    suggested = sum(r.subtotal for r in lines) + sum(r.subtotal for r in shipping) + sum(d for _, d in duties)
    if not order.merchant.taxes_included:
        suggested += sum(r.tax for r in lines) + sum(r.tax for r in shipping)
    paid = order.received - order.refunded
    owed = min(suggested, paid) if order.received else 0
    amount = data["amount"] if "amount" in data else max(0, owed - data.get("withheld", 0))
    if not lines and not shipping and amount <= 0:
        return False
    adjustments = []
    if order.received and amount != suggested:
        reason = "REFUND_DISCREPANCY" if data.get("status", "SUCCESS") == "SUCCESS" else "PENDING_REFUND_DISCREPANCY"
        adjustments.append(Adjustment(order.child_id(), suggested - amount, reason))
    source = next((t for t in order.transactions if t.status == "SUCCESS" and t.kind in ("SALE", "CAPTURE")), None)
    processed_at = parse_instant(data["processed_at"]) if "processed_at" in data else event.at
    transactions = []
    if amount > 0:
        transactions.append(
            Transaction(
                order.child_id(),
                "REFUND",
                data.get("status", "SUCCESS"),
                amount,
                source.gateway if source else "manual",
                processed_at,
                source.id if source else None,
            )
        )
    order.refunds.append(
        Refund(
            order.child_id(),
            event.at,
            processed_at,
            event.at,
            data.get("note"),
            lines,
            shipping,
            duties,
            adjustments,
            transactions,
        )
    )
    return True


def _settle(order: Order, event: Event) -> bool:
    """A refund's pending payment comes through, or fails for good."""
    for refund in order.refunds:
        for transaction in refund.transactions:
            if transaction.status == "PENDING":
                transaction.status = event.data.get("status", "SUCCESS")
                refund.updated_at = event.at
                return True
    return False


def _cancel(order: Order, event: Event) -> bool:
    """Cancel with everything back: paid money is refunded, unpaid orders are voided."""
    unpaid = not order.received
    _give_back(order, Event(event.at, "refund", {"full": True, "note": "cancelled"}), restock="CANCEL")
    if unpaid:
        _void(order, event)
    order.cancelled_at = event.at
    order.cancel_reason = event.data.get("reason", "CUSTOMER")
    return True


def _touch(order: Order, event: Event) -> bool:
    """Something this model does not hold changed, as a note would: the order only looks newer."""
    return True


def _move(order: Order, event: Event) -> bool:
    """The order belongs to another time than was said first, as imports get corrected."""
    processed_at = parse_instant(event.data["processed_at"])
    moved = processed_at != order.processed_at
    order.processed_at = processed_at
    return moved


_REACTIONS: dict[str, Callable[[Order, Event], bool]] = {
    "pay": _pay,
    "await_payment": _await_payment,
    "authorize": _authorize,
    "capture": _capture,
    "void": _void,
    "expire": _expire,
    "fulfil": _fulfil,
    "edit": _edit,
    "refund": _refund,
    "settle": _settle,
    "cancel": _cancel,
    "touch": _touch,
    "move": _move,
}
