"""GraphQL documents, parsed and validated against the published schema, with the vendor's words for what is wrong."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from graphql import DocumentNode, GraphQLError, parse, specified_rules, validate

from sandbox.shopify.schema import admin_schema

RULE_CODES = {
    "FieldsOnCorrectTypeRule": "undefinedField",
    "KnownArgumentNamesRule": "argumentNotAccepted",
    "ProvidedRequiredArgumentsRule": "missingRequiredArguments",
    "ValuesOfCorrectTypeRule": "argumentLiteralsIncompatible",
    "ScalarLeafsRule": "selectionMismatch",
    "KnownTypeNamesRule": "undefinedType",
    "NoUndefinedVariablesRule": "variableNotDefined",
    "NoUnusedVariablesRule": "variableNotUsed",
    "VariablesInAllowedPositionRule": "variableMismatch",
    "KnownFragmentNamesRule": "useOfUndefinedFragment",
    "NoUnusedFragmentsRule": "useAndDefineFragment",
}


class Prepared:
    """Parsed and validated documents, the most recent ones."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._kept: OrderedDict[str, tuple[DocumentNode | None, list[dict[str, Any]]]] = OrderedDict()

    def get(self, query: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
        if query not in self._kept:
            self._kept[query] = self._prepare(query)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(query)
        return self._kept[query]

    @staticmethod
    def _prepare(query: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
        try:
            document = parse(query)
        except GraphQLError as unreadable:
            return None, [unreadable.formatted]  # type: ignore[list-item]
        errors = []
        for rule in specified_rules:
            for error in validate(admin_schema(), document, [rule]):
                extensions: dict[str, Any] = {"code": RULE_CODES.get(rule.__name__, "invalid")}
                message = error.message
                missing = re.match(r"Cannot query field '(\w+)' on type '(\w+)'", message)
                if missing:
                    extensions |= {"typeName": missing[2], "fieldName": missing[1]}
                    message = f"Field '{missing[1]}' doesn't exist on type '{missing[2]}'"
                errors.append({**error.formatted, "message": message, "extensions": extensions})
        return (None if errors else document), errors
