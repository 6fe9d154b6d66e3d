"""In which groups Airflow draws tables: never two that wait for each other, which it refuses to show."""

from __future__ import annotations

from graphlib import TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from tributary.warehouse.model_docs import Model, Project


def model(name: str, folder: str, *reads: str, is_table: bool = True) -> Model:
    return Model(name, name, folder, True, is_table, "", (), (), reads)


def project(*models: Model) -> Project:
    return Project({model.unique_id: model for model in models}, "")


def test_a_table_is_drawn_in_its_folder() -> None:
    shop = project(
        model("orders", "core"), model("revenue", "metrics", "orders"), model("view", "core", is_table=False)
    )
    assert shop.groups() == {"orders": "core", "revenue": "metrics"}


def test_what_is_read_through_a_view_is_not_waited_for() -> None:
    shop = project(
        model("orders", "core"),
        model("known_orders", "core", "orders", is_table=False),
        model("clicks", "attribution", "known_orders"),
        model("customers", "core", "clicks"),
        model("cohorts", "attribution", "customers", "orders"),
    )
    assert shop.tables_read(shop.models["clicks"]) == []
    assert shop.tables_read(shop.models["cohorts"]) == ["customers", "orders"]
    assert shop.groups()["customers"] == "core"
    assert shop.groups()["cohorts"] == "attribution_after_core"


def test_a_table_that_waits_for_a_later_folder_is_drawn_after_it() -> None:
    shop = project(
        model("orders", "core"),
        model("clicks", "attribution", "orders"),
        model("customers", "core", "clicks"),
        model("baskets", "core", "customers"),
        model("cohorts", "metrics", "customers"),
    )
    assert shop.groups() == {
        "orders": "core",
        "clicks": "attribution",
        "customers": "core_after_attribution",
        "baskets": "core_after_attribution",
        "cohorts": "metrics",
    }


@st.composite
def projects(draw: st.DrawFn) -> Project:
    models: list[Model] = []
    for number in range(draw(st.integers(1, 12))):
        reads = draw(st.sets(st.sampled_from([m.unique_id for m in models]))) if models else set()
        models.append(model(f"m{number}", draw(st.sampled_from("abc")), *reads, is_table=draw(st.booleans())))
    return project(*models)


@given(projects())
def test_groups_never_wait_for_each_other(shop: Project) -> None:
    groups = shop.groups()
    assert groups.keys() == {table.unique_id for table in shop.tables}
    waits: dict[str, set[str]] = {group: set() for group in groups.values()}
    for table in shop.tables:
        waits[groups[table.unique_id]] |= {groups[parent] for parent in shop.tables_read(table)}
        waits[groups[table.unique_id]] -= {groups[table.unique_id]}
    assert set(TopologicalSorter(waits).static_order()) == set(groups.values())
