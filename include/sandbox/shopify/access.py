"""What a token may do, and the refusals that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from graphql import GraphQLError, GraphQLResolveInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sandbox.shopify.cost import Bucket

Info: TypeAlias = "GraphQLResolveInfo[Any]"


@dataclass(slots=True)
class Grant:
    """What a token may do, and the budget it does it with."""

    scopes: frozenset[str]
    bucket: Bucket


def require(info: Info, grant: Grant, *scopes: str) -> None:
    """Refuse as Shopify does when a scope is missing."""
    for scope in scopes:
        if scope not in grant.scopes:
            required = f"`{scope}` access scope."
            raise GraphQLError(
                f"Access denied for {info.field_name} field. Required access: {required}",
                extensions={
                    "code": "ACCESS_DENIED",
                    "documentation": "https://shopify.dev/api/usage/access-scopes",
                    "requiredAccess": required,
                },
            )


def never_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """No resolver here is asynchronous, and asking each value is slow."""
    return False


def not_simulated(what: str) -> GraphQLError:
    return GraphQLError(f"the sandbox does not simulate {what}", extensions={"code": "NOT_SIMULATED"})


def resolve(source: dict[str, Any], info: Info, **arguments: Any) -> Any:
    """The value of a field in a view; calling it with the arguments when it takes some."""
    try:
        value = source[info.field_name]
    except KeyError:
        raise not_simulated(f"{info.parent_type.name}.{info.field_name}") from None
    return value(info, **arguments) if callable(value) else value
