"""Tenants never meet: in no figure, before no reader; and nobody's name, address or number stands in a mart.

Each of these is also seen to fail: with every comparison of merchants taken out alone, with the policies of a mart
gone, with the masks of free texts opened.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.dbt.planted import PEOPLE, TENANTS, TRACE, email, plant
from tests.dbt.test_joins import joins_without_merchant
from tributary.channels import CHANNELS
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.merchants import Merchant, apply_merchants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from dbt.contracts.graph.nodes import ModelNode
    from psycopg import Connection

    from tests.dbt.conftest import Dbt

COMPARISON = re.compile(r"\b\w+\.merchant_id\s*=\s*\w+\.merchant_id\b")
MASKED = "'[contact]'"
Rows = Counter[str]
Place = tuple["ModelNode", re.Match[str]]


@pytest.fixture(scope="module")
def marts(conn: Connection, dbt: Dbt, dbt_target: Path) -> list[str]:
    """Every mart, built and published for both tenants together."""
    zones = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin"}
    began = date(2026, 1, 1)
    apply_merchants(conn, [Merchant(one, one, zones[one], TENANTS[one][0], False, began, {}) for one in TENANTS])
    plant(conn, *TENANTS)
    build = open_build(conn, "build", CHANNELS, everything=True)
    conn.commit()
    assert build is not None
    assert dbt("run").success
    manifest = dbt_target / "build" / "manifest.json"
    for merchant_id in TENANTS:
        publish(conn, build.build_id, "build", merchant_id, manifest)
        conn.commit()
    return [model.name for model in read_marts(manifest)]


@pytest.fixture(scope="module")
def models(dbt: Dbt, marts: list[str]) -> list[ModelNode]:
    """Every model that a mart needs, in the order of dependence, as dbt compiles it for this build."""
    compiled = dbt("compile", "--select", "+path:models/marts")
    assert compiled.success
    nodes = {r.node.unique_id: r.node for r in compiled.result.results if r.node.resource_type == "model"}
    ordered: dict[str, ModelNode] = {}

    def visit(unique_id: str) -> None:
        if unique_id in nodes and unique_id not in ordered:
            for parent in nodes[unique_id].depends_on.nodes:
                visit(parent)
            ordered[unique_id] = nodes[unique_id]

    for unique_id in nodes:
        visit(unique_id)
    return [*ordered.values()]


@pytest.fixture
def passing(conn: Connection) -> Iterator[Connection]:
    """The warehouse, as it was before when the test is over."""
    conn.execute("set local jit = off")
    yield conn
    conn.rollback()


def rows(conn: Connection, relation: sql.Composable, merchant_id: str) -> Rows:
    """A tenant's rows of a table, as JSON."""
    query = sql.SQL("select to_jsonb(one)::text from {} as one where merchant_id = %s")
    return Counter(row for (row,) in conn.execute(query.format(relation), (merchant_id,)).fetchall())


def rebuild(conn: Connection, models: Sequence[ModelNode], schema: str, code: Mapping[str, str] = {}) -> None:
    """Make all models anew in a schema of their own, some of them from other SQL than dbt's."""
    conn.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    for model in models:
        text = in_schema(schema, models, code.get(model.name, model.compiled_code))
        kind = "view" if model.config.materialized == "view" else "table"
        conn.execute(f'create {kind} "{schema}"."{model.name}" as {typed(model, text)}')


def in_schema(schema: str, models: Sequence[ModelNode], code: str) -> str:
    """The same query of what was made in that schema."""
    for model in models:
        code = code.replace(str(model.relation_name), f'"{schema}"."{model.name}"')
    return code


def typed(model: ModelNode, code: str) -> str:
    """The query of a model with the types of its contract, which a mart has."""
    columns = [f'"{column.name}"::{column.data_type}' for column in model.columns.values() if column.data_type]
    return f"select {', '.join(columns)} from ({code}) as built" if model.config.contract.enforced else code


def forget(conn: Connection, merchant_id: str) -> None:
    """Leave nothing of a tenant but what is built already."""
    tables = conn.execute(
        """
        select format('%I.%I', table_schema, table_name)
        from information_schema.columns inner join information_schema.tables using (table_schema, table_name)
        where
            column_name = 'merchant_id' and table_type = 'BASE TABLE'
            and (table_schema in ('raw', 'ops', 'marts') or table_name = 'scope')
        """
    ).fetchall()
    assert len(tables) > 40
    for (table,) in tables:
        conn.execute(f"delete from {table} where merchant_id = %s", (merchant_id,))


def differences(conn: Connection, marts: Sequence[str], schema: str, merchant_id: str) -> dict[str, Rows]:
    """The rows of a tenant that another schema has of a mart, and the build that dbt made has not, or the reverse."""
    found = {}
    for mart in marts:
        built, other = (rows(conn, sql.Identifier(place, mart), merchant_id) for place in ("build", schema))
        assert built, f"{mart}: it would hold of nothing"
        if built != other:
            found[mart] = (built - other) + (other - built)
    return found


@pytest.mark.parametrize(("merchant_id", "other"), [("aurora", "nordlicht"), ("nordlicht", "aurora")])
def test_no_row_depends_on_another_tenant(
    passing: Connection, marts: list[str], models: list[ModelNode], merchant_id: str, other: str
) -> None:
    forget(passing, other)
    rebuild(passing, models, "alone")
    assert differences(passing, marts, "alone", merchant_id) == {}
    assert [mart for mart in marts if rows(passing, sql.Identifier("alone", mart), other)] == []


def test_a_leak_would_be_seen_in_the_marts(passing: Connection, marts: list[str], models: list[ModelNode]) -> None:
    [touchpoints] = [model.compiled_code for model in models if model.name == "int_touchpoints"]
    leaking = touchpoints.replace("candidates.merchant_id = named.merchant_id", "true")
    assert leaking != touchpoints
    rebuild(passing, models, "leaking", {"int_touchpoints": leaking})
    reached = {mart for merchant_id in TENANTS for mart in differences(passing, marts, "leaking", merchant_id)}
    assert reached >= {"fct_attributed_orders", "fct_channel_daily"}


# What these find of another tenant, a comparison further on drops again.
CAUGHT_LATER = {
    ("int_shopify__customer_orders", "candidates.merchant_id = accounts.merchant_id"),
    ("int_shopify__customer_orders", "candidates.merchant_id = addresses.merchant_id"),
}


def test_it_is_noticed_when_a_comparison_of_merchants_is_missing(passing: Connection, models: list[ModelNode]) -> None:
    places = [(model, found) for model in models for found in COMPARISON.finditer(model.compiled_code)]
    assert len(places) > 50
    rebuild(passing, models, "all_days")
    places = unnoticed(passing, models, "all_days", places)
    # A build of some days looks up the rest; each tenant has days of its own in it.
    passing.execute("delete from build.scope where (date_day - '2026-01-01') % 6 <> (merchant_id > 'm')::int")
    rebuild(passing, models, "some_days")
    places = unnoticed(passing, models, "some_days", places)
    assert {(model.name, found.group()) for model, found in places} - CAUGHT_LATER == set()


def unnoticed(conn: Connection, models: Sequence[ModelNode], schema: str, places: Sequence[Place]) -> list[Place]:
    """The comparisons of two rows' merchants without which a model says the same, each taken out alone."""
    whole = {
        model.name: answer(conn, in_schema(schema, models, model.compiled_code))
        for model in {model.name: model for model, _ in places}.values()
    }

    def without(model: ModelNode, comparison: re.Match[str]) -> Rows:
        code = model.compiled_code
        return answer(conn, in_schema(schema, models, f"{code[: comparison.start()]}true{code[comparison.end() :]}"))

    return [(model, found) for model, found in places if without(model, found) == whole[model.name]]


def answer(conn: Connection, code: str) -> Rows:
    """What a model says; that it fails is an answer, too."""
    try:
        with conn.transaction():
            found = conn.execute(f"select to_jsonb(one)::text from ({code}) as one").fetchall()
    except psycopg.Error as error:
        return Counter([str(error)])
    return Counter(row for (row,) in found)


def test_no_model_joins_without_the_merchant_in_a_build_of_some_days_either(models: list[ModelNode]) -> None:
    assert {model.name: joins for model in models if (joins := joins_without_merchant(model.compiled_code))} == {}


READERS = {
    "tributary_reader_aurora": {"aurora"},
    "tributary_reader_nordlicht": {"nordlicht"},
    "test_tenants_nobody": set(),
    "tributary_reader": set(TENANTS),
}


@pytest.fixture
def readers(passing: Connection) -> Connection:
    """With one who may read marts, but is no merchant's reader."""
    passing.execute("create role test_tenants_nobody nologin in role tributary_merchant_reader")
    return passing


def seen_by(conn: Connection, role: str, mart: str) -> set[str]:
    """Whose rows a role finds in a mart."""
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        query = sql.SQL("select distinct merchant_id from {}").format(sql.Identifier("marts", mart))
        return {merchant_id for (merchant_id,) in conn.execute(query).fetchall()}


def test_a_reader_sees_its_own_rows_in_every_mart(readers: Connection, marts: list[str]) -> None:
    assert marts
    for role, own in READERS.items():
        assert {mart: seen_by(readers, role, mart) for mart in marts} == dict.fromkeys(marts, own), role


def test_without_the_security_of_a_mart_they_see_more_or_nothing(readers: Connection, marts: list[str]) -> None:
    for mart in marts:
        table = sql.Identifier("marts", mart)
        with readers.transaction(force_rollback=True):
            readers.execute(sql.SQL("drop policy own_merchant on {}").format(table))
            assert seen_by(readers, "tributary_reader_aurora", mart) == set()
            readers.execute(sql.SQL("alter table {} disable row level security").format(table))
            assert seen_by(readers, "test_tenants_nobody", mart) == set(TENANTS)


OPENED = """
select role.name || ' ' || namespace.nspname || '.' || relation.relname
from unnest(%s::text[]) as role (name)
cross join pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    relation.relkind in ('r', 'v', 'm')
    and namespace.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'marts', 'audit')
    and has_schema_privilege(role.name, namespace.oid, 'usage')
    and has_any_column_privilege(role.name, relation.oid, 'select')
"""


def opened(conn: Connection) -> list[str]:
    """What else than marts these roles may read."""
    return [found for (found,) in conn.execute(OPENED, ([*READERS],)).fetchall()]


def test_readers_find_nothing_below_marts(readers: Connection, marts: list[str]) -> None:
    assert opened(readers) == []
    readers.execute("grant usage on schema staging to tributary_reader")
    readers.execute("grant select on staging.stg_klaviyo__profiles to tributary_reader")
    assert opened(readers) == ["tributary_reader staging.stg_klaviyo__profiles"]


def test_raw_is_keyed_by_merchant(passing: Connection, marts: list[str]) -> None:
    def keyed_otherwise() -> set[str]:
        return {
            table
            for table, first in passing.execute(
                """
                select relation.relname, attribute.attname
                from pg_class as relation
                left join pg_index as key on key.indrelid = relation.oid and key.indisprimary
                left join pg_attribute as attribute
                    on attribute.attrelid = relation.oid and attribute.attnum = key.indkey[0]
                where relation.relnamespace in ('raw'::regnamespace, 'marts'::regnamespace) and relation.relkind = 'r'
                """
            ).fetchall()
            if first != "merchant_id"
        }

    assert keyed_otherwise() == set()
    passing.execute(
        "alter table raw.shopify_orders drop constraint shopify_orders_pkey, add primary key (record_id, merchant_id)"
    )
    assert keyed_otherwise() == {"shopify_orders"}


# What vendors count has no room for a person.
IMPERSONAL = {
    "fx_rates",
    "ga4_days",
    "klaviyo_days",
    "tiktok_shop_shop_performance",
    "tiktok_shop_statement_transactions",
    "tiktok_shop_video_details",
}
FILLED = """
select relname from pg_class
where relnamespace = 'raw'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0
"""


def traces(conn: Connection, *schemas: str) -> set[tuple[str, str]]:
    """The tables and columns in which something planted stands, plainly or as a digest that anyone can make."""
    tables = conn.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema = any(%s) and table_type = 'BASE TABLE'",
        ([*schemas],),
    ).fetchall()
    assert tables
    addresses = [email(person) for person in range(PEOPLE)]
    digests = conn.execute(
        "select string_agg(md5(one) || '|' || encode(sha256(one::bytea), 'hex'), '|') from unnest(%s::text[]) as one",
        (addresses,),
    ).fetchone()
    assert digests
    found = set()
    for schema, table in tables:
        query = sql.SQL(
            "select distinct field.key from {} as one cross join jsonb_each_text(to_jsonb(one)) as field "
            "where field.value ~* %s"
        ).format(sql.Identifier(schema, table))
        found |= {(table, column) for (column,) in conn.execute(query, (f"{TRACE}|{digests[0]}",)).fetchall()}
    return found


def test_no_person_stands_in_any_column_of_a_mart(passing: Connection, marts: list[str]) -> None:
    assert traces(passing, "build", "marts") == set()
    # It was there to be found, wherever a vendor tells of people or lets people write.
    told = {table for (table,) in passing.execute(FILLED).fetchall()}
    assert told - {table for table, _ in traces(passing, "raw")} <= IMPERSONAL
    # And it is found: in a column, and as a digest.
    passing.execute("update marts.fct_ad_spend set campaign_name = %s", (email(1).upper(),))
    passing.execute("update build.fct_orders set customer_key = md5(%s)", (email(1),))
    assert traces(passing, "build", "marts") == {("fct_ad_spend", "campaign_name"), ("fct_orders", "customer_key")}


# What people write, and vendors pass on.
FREE_TEXTS = {
    ("dim_customers", "first_campaign"),
    ("dim_customers", "first_medium"),
    ("dim_customers", "first_source"),
    ("dim_products", "product_name"),
    ("dim_products", "product_type"),
    ("dim_products", "sku"),
    ("dim_products", "variant_name"),
    ("dim_products", "vendor"),
    ("fct_ad_spend", "account_name"),
    ("fct_ad_spend", "campaign_name"),
    ("fct_attributed_orders", "campaign"),
    ("fct_attributed_orders", "medium"),
    ("fct_attributed_orders", "source"),
    ("fct_attribution_credits", "campaign"),
    ("fct_attribution_credits", "medium"),
    ("fct_attribution_credits", "source"),
    ("fct_attribution_ledger", "campaign"),
    ("fct_attribution_ledger", "medium"),
    ("fct_attribution_ledger", "source"),
    ("fct_customer_journeys", "first_medium"),
    ("fct_customer_journeys", "first_source"),
    ("fct_customer_journeys", "last_medium"),
    ("fct_customer_journeys", "last_source"),
    ("fct_email_campaigns", "campaign_or_flow_name"),
    ("fct_email_campaigns", "message_name"),
    ("fct_order_lines", "product_name"),
    ("fct_order_lines", "sku"),
    ("fct_orders", "order_name"),
    ("fct_tiktok_videos", "title"),
    ("fct_touchpoints", "campaign"),
    ("fct_touchpoints", "medium"),
    ("fct_touchpoints", "referrer_domain"),
    ("fct_touchpoints", "source"),
    ("fct_touchpoints", "utm_campaign"),
    ("fct_touchpoints", "utm_medium"),
    ("fct_touchpoints", "utm_source"),
    ("fct_website_sessions", "campaign"),
    ("fct_website_sessions", "landing_page"),
    ("fct_website_sessions", "medium"),
    ("fct_website_sessions", "source"),
}


def test_without_the_masks_of_free_texts_people_would_stand_there(
    passing: Connection, marts: list[str], models: list[ModelNode]
) -> None:
    unmasked = {model.name: model.compiled_code.replace(MASKED, r"'\&'") for model in models}
    rebuild(passing, models, "unmasked", unmasked)
    assert {found for found in traces(passing, "unmasked") if found[0] in marts} == FREE_TEXTS
