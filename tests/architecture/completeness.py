"""What a declared channel must have, as functions of a repository's root: each yields one sentence per thing missing.

A sentence begins with the file that it is about. What `make new-channel` writes carries the mark STUB until somebody
has filled it in.
"""

from __future__ import annotations

import ast
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from tributary.declaration import Channel

    Check = Callable[[Path, Channel], Iterator[str]]

STUB = "FILL_IN"
GUIDE = "docs/adding-a-channel.md"
SHARED = (
    "airflow_settings.yaml",
    "include/config/merchants.yaml",
    "include/sandbox/app.py",
    "plugins/tributary/channels/__init__.py",
    "plugins/tributary/local/environment.py",
    "plugins/tributary/provider.py",
    ".env.example",
)
"""Files that every channel adds a few lines to."""
_FIRST_PARTY = ("tributary", "sandbox")


@contextmanager
def imported_from(root: Path) -> Iterator[None]:
    """Imports of the project come from this root inside, and from where they came before outside."""
    before, path = _loaded(), list(sys.path)
    for name in before:
        del sys.modules[name]
    sys.path[:0] = [str(root / "plugins"), str(root / "include")]
    try:
        yield
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.path[:] = path
        sys.modules.update(before)


def _loaded() -> dict[str, Any]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in _FIRST_PARTY}


def missing(root: Path, channel: str, but: Collection[Check] = ()) -> list[str]:
    """Everything that is missing of this channel below this root, by all checks but those."""
    with imported_from(root):
        channels: tuple[Channel, ...] = import_module("tributary.channels").CHANNELS
        declared = next(candidate for candidate in channels if candidate.name == channel)
        checks = (check for check in CHECKS if check not in but)
        return [*nothing_shared_is_a_stub(root), *(one for check in checks for one in check(root, declared))]


def files_of(root: Path, channel: str) -> list[Path]:
    """The files that are this channel's own."""
    patterns = (
        f"plugins/tributary/channels/{channel}/**/*",
        f"include/sandbox/{channel}/**/*",
        f"include/contracts/raw/{channel}_*.yml",
        f"dbt/models/staging/{channel}/**/*",
        f"tests/*/test_{channel}*.py",
    )
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(path for path in found if "__pycache__" not in path.parts and path.suffix != ".gz")


def nothing_is_a_stub(root: Path, channel: Channel) -> Iterator[str]:
    """No file says any more what to put there."""
    for path in files_of(root, channel.name):
        yield from _stubs(root, path)


def every_part_is_there(root: Path, channel: Channel) -> Iterator[str]:
    """The files that each channel has, and that say something."""
    name = channel.name
    wanted = {
        f"plugins/tributary/channels/{name}/BEHAVIOR.md": "how the vendor behaves, and what the channel does about it",
        f"plugins/tributary/channels/{name}/api.py": "one request, its answer, its errors",
        f"plugins/tributary/channels/{name}/refusals.py": "what the vendor's refusals mean, and what to do about each",
        f"plugins/tributary/channels/{name}/diagnosis.py": "what the connection form's Test button says",
        f"include/sandbox/{name}/routes.py": "the vendor's protocol, served and enforced",
        f"dbt/models/staging/{name}/_stg_{name}.yml": "a description of every staging model",
    }
    for file, purpose in wanted.items():
        if not (root / file).is_file() or len((root / file).read_text().split()) < 5:
            yield f"{file}: is missing or empty; it holds {purpose}"


def the_hook_is_one(root: Path, channel: Channel) -> Iterator[str]:
    """The class that the declaration names exists, with what the operators and the Test button call."""
    module, _, name = channel.hook.rpartition(".")
    file = f"plugins/{module.replace('.', '/')}.py"
    if not (root / file).is_file():
        yield f"{file}: is missing; {channel.name} declares its hook as {channel.hook}"
        return
    classes = [node for node in ast.parse((root / file).read_text()).body if isinstance(node, ast.ClassDef)]
    hook = next((node for node in classes if node.name == name), None)
    if hook is None:
        yield f"{file}: has no class {name}, which {channel.name} declares as its hook"
        return
    for method in ("get_conn", "test_connection"):
        if not any(isinstance(node, ast.FunctionDef) and node.name == method for node in hook.body):
            yield f"{file}: {name} has no method {method}"
    if f"conn_type = {channel.conn_type!r}" not in map(ast.unparse, hook.body):
        yield f"{file}: {name}.conn_type is not {channel.conn_type!r}, as declared"


def the_connection_has_a_form(root: Path, channel: Channel) -> Iterator[str]:
    """Airflow's Connections page knows the type, its hook and its fields."""
    file = "plugins/tributary/provider.py"
    kinds = import_module("tributary.provider").get_provider_info()["connection-types"]
    kind = next((kind for kind in kinds if kind["connection-type"] == channel.conn_type), None)
    if kind is None:
        yield f"{file}: has no connection type {channel.conn_type!r}"
    elif kind["hook-class-name"] != channel.hook:
        yield f"{file}: {channel.conn_type!r} names the hook {kind['hook-class-name']}, declared is {channel.hook}"
    elif not kind.get("ui-field-behaviour", {}).get("relabeling"):
        yield f"{file}: the form of {channel.conn_type!r} does not say what its fields are for (ui-field-behaviour)"


def the_installation_knows_it(root: Path, channel: Channel) -> Iterator[str]:
    """There is a pool to run in, a connection to run with, and a merchant to run for."""
    settings = _settings(root)
    if channel.pool not in {pool["pool_name"] for pool in settings["pools"]}:
        yield f"airflow_settings.yaml: has no pool {channel.pool!r}"
    if channel.conn_type not in {connection["conn_type"] for connection in settings["connections"]}:
        yield f"airflow_settings.yaml: has no connection of type {channel.conn_type!r}"
    readers = [merchant for merchant in _merchants(root) if channel.name in merchant.channels]
    if not readers:
        yield f"include/config/merchants.yaml: no merchant has the channel {channel.name}"
    kinds = {connection["conn_id"]: connection["conn_type"] for connection in settings["connections"]}
    for merchant in readers:
        connection = merchant.channels[channel.name]
        if kinds.get(connection) != channel.conn_type:
            yield (
                f"airflow_settings.yaml: has no connection {connection!r} of type {channel.conn_type!r}, which "
                f"{merchant.merchant_id} uses"
            )


def its_variables_are_listed(root: Path, channel: Channel) -> Iterator[str]:
    """What its connections take from the environment is listed for whoever has to set it."""
    for connection in _settings(root)["connections"]:
        if connection["conn_type"] == channel.conn_type:
            for variable in re.findall(r"\$\{(\w+)", str(connection)):
                if not re.search(rf"\b{variable}\b", (root / ".env.example").read_text()):
                    yield f".env.example: does not name {variable}, which {connection['conn_id']} takes"


def every_raw_table_is_covered(root: Path, channel: Channel) -> Iterator[str]:
    """Each stream and child has its contract, its staging model with a description, and its dbt source."""
    folder = f"dbt/models/staging/{channel.name}"
    sources = _described(root, folder, "sources")
    models = _described(root, folder, "models")
    for stream in channel.streams:
        for name in (stream.name, *stream.children):
            table = f"{channel.name}_{name}"
            contract = f"include/contracts/raw/{table}.yml"
            yield from _contract(root, contract, f"raw.{table} is never judged")
            model = f"stg_{channel.name}__{name}"
            if not (root / folder / f"{model}.sql").is_file():
                yield f"{folder}/{model}.sql: is missing; nothing types what raw.{table} holds"
            if not models.get(model):
                yield f"{folder}/_stg_{channel.name}.yml: does not describe {model}"
            if not sources.get(table):
                yield f"{folder}/_sources.yml: does not describe the source raw.{table}"


def dbt_knows_how_old_it_may_be(root: Path, channel: Channel) -> Iterator[str]:
    """Each stream's dbt source is judged by the age that its declaration allows."""
    file = f"dbt/models/staging/{channel.name}/_sources.yml"
    if not (root / file).is_file():
        return
    raw = [one for one in yaml.safe_load((root / file).read_text())["sources"] if one["name"] == "raw"]
    if not all("read_up_to(this)" in one.get("config", {}).get("loaded_at_query", "") for one in raw):
        yield f"{file}: the source raw does not ask read_up_to(this) how far it was read (loaded_at_query)"
    told = {
        table["name"]: table.get("config", {}).get("freshness", {}) for one in raw for table in one.get("tables", [])
    }
    for stream in channel.streams:
        table = f"{channel.name}_{stream.name}"
        declared = {"warn_after": stream.sla, "error_after": stream.blocks_after}
        for limit, age in declared.items():
            wanted = {"count": age // timedelta(hours=1), "period": "hour"}
            if told.get(table, {}).get(limit) != wanted:
                yield f"{file}: {limit} of {table} is {told.get(table, {}).get(limit)}, declared is {wanted}"


def its_calls_can_be_counted(root: Path, channel: Channel) -> Iterator[str]:
    """A backfill's plan says how many calls each stream takes."""
    for stream in channel.streams:
        if stream.per_request < 1:
            file = f"plugins/tributary/channels/{channel.name}/streams.py"
            yield f"{file}: a request of {stream.name} brings {stream.per_request} records (per_request): at least 1"


def the_sandbox_serves_it(root: Path, channel: Channel) -> Iterator[str]:
    """The sandbox's app has routes of the channel's folder."""
    settings = import_module("sandbox.world").Settings(first_day=datetime.now(UTC).date())
    modules = {route.endpoint.__module__ for route in import_module("sandbox.app").create_app(settings).routes}
    if not any(module.startswith(f"sandbox.{channel.name}.") for module in modules):
        yield f"include/sandbox/app.py: serves no route of include/sandbox/{channel.name}"


def it_is_tested(root: Path, channel: Channel) -> Iterator[str]:
    """Tests import the channel, and others its sandbox or speak to it as its own clients do."""
    texts = [path.read_text() for path in sorted((root / "tests" / "channels").glob("test_*.py"))]
    if not any(f"tributary.channels.{channel.name}" in text for text in texts):
        yield f"tests/channels/test_{channel.name}.py: is missing; no test there imports the channel"
    if not [*(root / "tests" / "sandbox").glob(f"test_{channel.name}*.py")]:
        yield f"tests/sandbox/test_{channel.name}.py: is missing; nothing holds the sandbox to the vendor's rules"


def the_guide_holds_for_it(root: Path, channel: Channel) -> Iterator[str]:
    """Every path in the guide's table exists for the channel: the guide and the channels say the same."""
    patterns = guide_patterns(root)
    if not patterns:
        yield f"{GUIDE}: names no file"
    tables = [name for stream in channel.streams for name in (stream.name, *stream.children)]
    for pattern in patterns:
        for table in tables if "<table>" in pattern else [""]:
            path = pattern.replace("<channel>", channel.name).replace("<table>", table)
            if not any(root.glob(path)):
                yield f"{path}: is missing; {GUIDE} says that every channel has it"


def nothing_shared_is_a_stub(root: Path) -> Iterator[str]:
    """What was pasted into shared files is filled in."""
    for name in SHARED:
        yield from _stubs(root, root / name)


def every_mart_has_a_contract(root: Path) -> Iterator[str]:
    """Nothing is published that was not judged."""
    models = (root / "dbt" / "models" / "marts").rglob("*.sql")
    contracts = (root / "include" / "contracts" / "marts").glob("*.yml")
    for mart in sorted({path.stem for path in (*models, *contracts)}):
        yield from _contract(root, f"include/contracts/marts/{mart}.yml", f"{mart} is published without being judged")


def guide_patterns(root: Path) -> list[str]:
    """The paths in the first column of the guide's table of files."""
    text = (root / GUIDE).read_text() if (root / GUIDE).is_file() else ""
    rows = re.findall(r"^\| \d+ \| (.+?) \|", text, re.MULTILINE)
    return [path for row in rows for path in re.findall(r"`([^`]+)`", row)]


CHECKS: tuple[Check, ...] = (
    nothing_is_a_stub,
    every_part_is_there,
    the_hook_is_one,
    the_connection_has_a_form,
    the_installation_knows_it,
    its_variables_are_listed,
    every_raw_table_is_covered,
    dbt_knows_how_old_it_may_be,
    its_calls_can_be_counted,
    the_sandbox_serves_it,
    it_is_tested,
    the_guide_holds_for_it,
)


def _stubs(root: Path, path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        _, mark, rest = line.partition(STUB)
        if mark:
            told = rest.rstrip("\"')>- ")
            yield f"{path.relative_to(root)}: line {number} is still a stub{told}"


def _contract(root: Path, path: str, otherwise: str) -> Iterator[str]:
    """What a contract lacks for its findings to reach somebody who knows what to do."""
    contract = (yaml.safe_load((root / path).read_text()) or {}) if (root / path).is_file() else {}
    checks = [*(contract.get("checks") or []), *(c for at in contract.get("columns", ()) for c in at.get("checks", ()))]
    if not checks:
        yield f"{path}: is missing or checks nothing; {otherwise}"
        return
    attributes = contract.get("check_attributes") or {}
    if not attributes.get("owner"):
        yield f"{path}: check_attributes names no owner; nobody is asked to look"
    named = {attributes.get("runbook")}
    named |= {
        (body.get("attributes") or {}).get("runbook", attributes.get("runbook")) for c in checks for body in c.values()
    }
    for runbook in sorted(named, key=str):
        if not runbook or not (root / "docs" / "runbooks" / f"{runbook}.md").is_file():
            yield f"{path}: its runbook is {runbook!r}, and docs/runbooks has no such file"


def _settings(root: Path) -> dict[str, list[dict[str, Any]]]:
    loaded: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load((root / "airflow_settings.yaml").read_text())
    return loaded["airflow"]


def _merchants(root: Path) -> list[Any]:
    load = import_module("tributary.warehouse.settings.merchants").load_merchants
    return list(load(root / "include" / "config" / "merchants.yaml"))


def _described(root: Path, folder: str, kind: str) -> dict[str, str]:
    """What the YAML files of a dbt folder describe, by name; of sources, their tables."""
    entries: list[dict[str, Any]] = []
    for path in sorted((root / folder).glob("*.yml")):
        entries += (yaml.safe_load(path.read_text()) or {}).get(kind) or []
    if kind == "sources":
        entries = [table for entry in entries for table in entry.get("tables", [])]
    return {entry["name"]: entry.get("description", "") for entry in entries}
