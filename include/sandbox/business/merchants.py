"""The two merchants of the sandbox: what they sell, where they ship, and how people find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

Rates = tuple[tuple[str, int], ...]
"""Tax titles with their rates in parts per million: 62_500 is 6.25 %."""


@dataclass(frozen=True, slots=True)
class Product:
    """One variant of one product."""

    id: int
    title: str
    sku: str
    price: int
    taxable: bool = True
    reduced_rate: bool = False

    @property
    def variant_id(self) -> int:
        return self.id + 500


@dataclass(frozen=True, slots=True)
class Region:
    """A destination, with the taxes it levies on goods and on shipping."""

    country: str
    province: str
    city: str
    rates: Rates
    reduced_rates: Rates = ()
    taxes_shipping: bool = True
    dutiable: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A way people come to the shop, as its links and referrers look."""

    source: str
    medium: str
    campaign: str | None = None
    referrer: str | None = None
    click_id: str | None = None
    tagged: bool = True


@dataclass(frozen=True, slots=True)
class TikTokSeller:
    """A merchant's account on TikTok Shop, and the constants of its business there."""

    daily_orders: int
    buyers: int
    """How many people there are that buy, some of them again."""
    mirrored: float
    """The share of orders that an app copies into the merchant's Shopify shop."""
    regions: tuple[Region, ...]
    warehouse_id: str


DIRECT = Source("direct", "none", tagged=False)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop and the constants of its business."""

    merchant_id: str
    name: str
    zone: ZoneInfo
    currency: str
    taxes_included: bool
    id_base: int
    products: tuple[Product, ...]
    regions: tuple[Region, ...]
    region_weights: tuple[int, ...]
    sources: tuple[Source, ...]
    source_weights: tuple[int, ...]
    weekday_orders: tuple[int, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    shipping: tuple[tuple[str, int], ...]
    presentment: tuple[str, int] = field(default=("", 1_000_000))
    """Currency that foreign customers see, and its rate in parts per million."""
    tiktok: TikTokSeller | None = None

    @property
    def domain(self) -> str:
        return f"{self.merchant_id}.myshopify.com"

    @property
    def storefront(self) -> str:
        return f"https://{self.merchant_id}.example"

    def product(self, sku: str) -> Product:
        for product in self.products:
            if product.sku == sku:
                return product
        raise LookupError(f"{self.merchant_id} sells no sku {sku!r}; it sells {[p.sku for p in self.products]}")


def _products(base: int, rows: tuple[tuple[str, str, int], ...], **special: tuple[str, ...]) -> tuple[Product, ...]:
    return tuple(
        Product(
            base + 1000 * number,
            title,
            sku,
            price,
            taxable=sku not in special.get("untaxed", ()),
            reduced_rate=sku in special.get("reduced", ()),
        )
        for number, (title, sku, price) in enumerate(rows)
    )


AURORA = Merchant(
    merchant_id="aurora",
    name="Aurora Outdoor",
    zone=ZoneInfo("America/New_York"),
    currency="USD",
    taxes_included=False,
    id_base=6_100_000_000_000,
    products=_products(
        8_100_000_000_000,
        (
            ("Ridgeline Tent 2P", "AU-TENT-2", 24_999),
            ("Granite Daypack 24L", "AU-PACK-24", 8_950),
            ("Summit Down Jacket", "AU-JACK-DN", 18_900),
            ("Trail Socks 3-Pack", "AU-SOCK-3", 2_799),
            ("Enamel Camp Mug", "AU-MUG-01", 1_495),
            ("Headlamp 400", "AU-LAMP-4", 3_999),
            ("Merino Base Layer", "AU-BASE-M", 7_425),
            ("Trekking Poles", "AU-POLE-2", 6_333),
            ("Water Filter", "AU-FILT-1", 4_447),
            ("Trail Mix Box", "AU-FOOD-1", 1_899),
            ("Map Set Northeast", "AU-MAPS-N", 2_250),
            ("Camp Stove", "AU-STOV-1", 5_995),
        ),
        untaxed=("AU-FOOD-1",),
    ),
    regions=(
        Region("US", "NY", "Albany", (("New York State Tax", 40_000), ("Albany County Tax", 40_000))),
        Region("US", "NY", "New York", (("New York State Tax", 40_000), ("New York City Tax", 48_750))),
        Region("US", "CA", "Oakland", (("California State Tax", 72_500), ("Alameda County Tax", 30_000)), (), False),
        Region("US", "MA", "Boston", (("Massachusetts State Tax", 62_500),), (), False),
        Region("US", "OR", "Portland", ()),
        Region("CA", "ON", "Toronto", (), dutiable=True),
    ),
    region_weights=(14, 26, 24, 16, 12, 8),
    sources=(
        Source("google", "cpc", "brand_us", "https://www.google.com/", "gclid"),
        Source("google", "cpc", None, "https://www.google.com/", "gclid", tagged=False),
        Source("google", "organic", None, "https://www.google.com/", tagged=False),
        Source("facebook", "paid_social", "fall_prospecting", "https://l.facebook.com/", "fbclid"),
        Source("instagram", "social", None, "https://l.instagram.com/", "fbclid", tagged=False),
        Source("tiktok", "paid_social", "spark_fall", "https://www.tiktok.com/", "ttclid"),
        Source("tiktok", "organic_social", "creator_trail", "https://www.tiktok.com/"),
        Source("klaviyo", "email", "weekly_trails"),
        Source("klaviyo", "sms", "flash_sale"),
        Source("outdoorgearlab.example", "referral", None, "https://outdoorgearlab.example/tents", tagged=False),
        DIRECT,
    ),
    source_weights=(18, 4, 16, 12, 4, 8, 6, 14, 3, 5, 22),
    weekday_orders=(40, 38, 37, 41, 47, 55, 52),
    first_names=("Anna", "Ben", "Carla", "Dev", "Ella", "Frank", "Grace", "Hugo", "Iris", "Jack", "Kim", "Liam"),
    last_names=("Ames", "Bell", "Cruz", "Dunn", "Ellis", "Ford", "Gray", "Hart", "Ivers", "Jones", "Knox", "Lowe"),
    shipping=(("Standard", 795), ("Expedited", 1_450), ("Overnight", 2_999)),
    presentment=("CAD", 1_372_500),
    tiktok=TikTokSeller(
        daily_orders=12,
        buyers=200,
        mirrored=0.7,
        regions=(
            Region("US", "NY", "Albany", (("New York State Tax", 40_000), ("Albany County Tax", 40_000))),
            Region(
                "US", "CA", "Oakland", (("California State Tax", 72_500), ("Alameda County Tax", 30_000)), (), False
            ),
            Region("US", "CO", "Denver", (("Colorado State Tax", 29_000), ("Denver City Tax", 51_500))),
            Region("US", "OR", "Portland", ()),
        ),
        warehouse_id="7390000000000000001",
    ),
)

NORDLICHT = Merchant(
    merchant_id="nordlicht",
    name="Nordlicht Wohnen",
    zone=ZoneInfo("Europe/Berlin"),
    currency="EUR",
    taxes_included=True,
    id_base=7_200_000_000_000,
    products=_products(
        8_200_000_000_000,
        (
            ("Lampe Polar", "NO-LAMP-P", 14_900),
            ("Decke Fjord", "NO-DECK-F", 8_990),
            ("Vase Eis", "NO-VASE-E", 3_950),
            ("Kissen Moos", "NO-KISS-M", 2_995),
            ("Teppich Skog", "NO-TEPP-S", 24_900),
            ("Kerze Nacht", "NO-KERZ-N", 1_690),
            ("Buch Hygge", "NO-BUCH-H", 2_400),
            ("Tee Birke", "NO-TEE-B", 799),
            ("Tablett Esche", "NO-TABL-E", 4_449),
            ("Hocker Kiefer", "NO-HOCK-K", 11_990),
            ("Bild Aurora", "NO-BILD-A", 5_933),
            ("Kaffee Nord", "NO-KAFF-N", 1_149),
        ),
        reduced=("NO-BUCH-H", "NO-TEE-B", "NO-KAFF-N"),
    ),
    regions=(
        Region("DE", "BE", "Berlin", (("MwSt", 190_000),), (("MwSt", 70_000),)),
        Region("DE", "BY", "München", (("MwSt", 190_000),), (("MwSt", 70_000),)),
        Region("DE", "HH", "Hamburg", (("MwSt", 190_000),), (("MwSt", 70_000),)),
    ),
    region_weights=(40, 35, 25),
    sources=(
        Source("google", "cpc", "pmax_de", "https://www.google.de/", "gclid"),
        Source("google", "organic", None, "https://www.google.de/", tagged=False),
        Source("bing", "cpc", "lampen", "https://www.bing.com/", "msclkid"),
        Source("Facebook", "paid_social", "herbst%20neu", "https://m.facebook.com/", "fbclid"),
        Source("tiktok", "paid_social", "{{campaign.name}}", "https://www.tiktok.com/", "ttclid"),
        Source("tiktok", "organic_social", None, "https://www.tiktok.com/", tagged=False),
        Source("klaviyo", "email", "newsletter_kw"),
        Source("pinterest", "social", None, "https://www.pinterest.de/", tagged=False),
        DIRECT,
    ),
    source_weights=(20, 18, 5, 12, 8, 5, 14, 4, 20),
    weekday_orders=(42, 40, 38, 39, 36, 44, 54),
    first_names=("Anke", "Bernd", "Clara", "Dirk", "Elif", "Fritz", "Greta", "Hanna", "Ivo", "Jürgen", "Käthe", "Lena"),
    last_names=("Arndt", "Bauer", "Çelik", "Dietz", "Engel", "Fuchs", "Götz", "Haas", "Ihle", "Jung", "Krüger", "Lang"),
    shipping=(("Standard", 490), ("Express", 990)),
)

MERCHANTS = (AURORA, NORDLICHT)
