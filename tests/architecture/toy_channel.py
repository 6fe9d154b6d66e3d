"""The least that makes each part of a channel named `toy` whole, in the order of the guide."""

from __future__ import annotations

HOOK = "tributary.channels.toy.hook.ToyHook"

OWN = {
    "plugins/tributary/channels/toy/BEHAVIOR.md": "# How Toy behaves\n\nIt lists its blocks, all at once.\n",
    "include/sandbox/toy/__init__.py": '"""Toy\'s only endpoint."""\n',
    "include/sandbox/toy/routes.py": """
from starlette.responses import JSONResponse
from starlette.routing import Route

class Toy:
    def __init__(self, world):
        self._world = world

    def routes(self):
        return [Route("/toy/items", self.items, methods=["GET"])]

    async def items(self, request):
        return JSONResponse({"items": [{"id": "1", "at": self._world.now().isoformat()}]})
""",
    "plugins/tributary/channels/toy/__init__.py": '"""Toy, through its only endpoint."""\n',
    "plugins/tributary/channels/toy/api.py": """
from datetime import UTC, datetime

import msgspec

from tributary.http import Budget, Request

HOST = "https://toy.example"

def budgets():
    return {"items": Budget(rate=1, capacity=1)}

class ToyApi:
    def __init__(self, client, host, token):
        self._client, self._host, self._token = client, host, token

    def now(self):
        return datetime.now(UTC) + self._client.skew

    def items(self):
        request = Request("GET", f"{self._host}/toy/items", {"X-Token": self._token})
        return self._client.send(request, lambda response: msgspec.json.decode(response.body)["items"], budget="items")
""",
    "plugins/tributary/channels/toy/refusals.py": """
from tributary.http import AuthError

STATUS_REMEDIES = {401: "Put the token into the connection's password."}

def explain(response, retry_after):
    return AuthError("No blocks", where=response.where) if response.body == b"none" else None
""",
    "plugins/tributary/channels/toy/diagnosis.py": """
def diagnose(api):
    return True, f"Connected: it has {len(api.items())} blocks."
""",
    "plugins/tributary/channels/toy/streams.py": """
from datetime import datetime, timedelta

import msgspec

from tributary.declaration import Channel, Page, Record, Stream

def page(items):
    times = [datetime.fromisoformat(item["at"]) for item in items]
    return Page([Record(item["id"], at, at, msgspec.json.encode(item)) for item, at in zip(items, times)])

def changed(api, start, end):
    yield page(api.items())

ITEMS = Stream(
    name="items",
    changed=changed,
    happened=changed,
    by_id=lambda api, ids: iter([page([item for item in api.items() if item["id"] in ids])]),
    replay=lambda api, payload: page([msgspec.json.decode(payload)]),
    cursor="at",
    slice_length=timedelta(days=7),
    look_back=timedelta(hours=1),
    sla=timedelta(hours=6),
    budget="items",
    per_request=100,
)
TOY = Channel(name="toy", conn_type="toy", hook="tributary.channels.toy.hook.ToyHook", schedule="@daily", pool="toy",
              streams=(ITEMS,))
""",
    "plugins/tributary/channels/toy/hook.py": """
from airflow.sdk import BaseHook

from tributary.channels.toy.api import HOST, ToyApi, budgets
from tributary.channels.toy.diagnosis import diagnose
from tributary.http import HttpClient, Redactor

class ToyHook(BaseHook):
    conn_name_attr = "toy_conn_id"
    conn_type = "toy"
    hook_name = "Toy"

    def __init__(self, toy_conn_id):
        self.toy_conn_id = toy_conn_id

    def get_conn(self):
        connection = self.get_connection(self.toy_conn_id)
        client = HttpClient(redact=Redactor([connection.password]), budgets=budgets())
        return ToyApi(client, connection.host or HOST, connection.password)

    def test_connection(self):
        return diagnose(self.get_conn())
""",
    "include/contracts/raw/toy_items.yml": """
dataset: warehouse/${var.database}/${var.schema}/toy_items
variables: {database: null, schema: null, merchant_id: null}
check_attributes: {owner: data, runbook: held-back-merchant}
filter: merchant_id = '${var.merchant_id}'
columns: []
checks:
  - failed_rows:
      name: Every item has its id
      qualifier: item_id
      expression: payload ->> 'id' is null
      attributes:
        remedy: Look at the payload.
""",
    "dbt/models/staging/toy/stg_toy__items.sql": "select * from {{ source('raw', 'toy_items') }}\n",
    "dbt/models/staging/toy/_sources.yml": """
version: 2
sources:
  - name: raw
    config: {loaded_at_query: "{{ read_up_to(this) }}"}
    tables:
      - name: toy_items
        description: One row per merchant and block.
        config: {freshness: {warn_after: {count: 6, period: hour}, error_after: {count: 30, period: hour}}}
""",
    "dbt/models/staging/toy/_stg_toy.yml": """
version: 2
models:
  - name: stg_toy__items
    description: One row per block, as it is now.
""",
    "tests/channels/test_toy.py": "from tributary.channels.toy.streams import TOY\n\nassert TOY\n",
    "tests/sandbox/test_toy.py": "def test_it():\n    assert True\n",
}
"""The channel's own files."""

SHARED = {
    "include/sandbox/app.py": (
        ("from sandbox.slack import Slack\n", "from sandbox.slack import Slack\nfrom sandbox.toy.routes import Toy\n"),
        ("    routes = [", "    routes = [*Toy(world).routes(), "),
    ),
    "plugins/tributary/provider.py": (
        (
            '"connection-types": [',
            f'''"connection-types": [
                {{"connection-type": "toy", "hook-class-name": "{HOOK}", "hook-name": "Toy",
                  "ui-field-behaviour": {{"relabeling": {{"password": "Token"}}}}}},''',
        ),
    ),
    "airflow_settings.yaml": (
        (
            "  connections:\n",
            "  connections:\n    - {conn_id: toy_aurora, conn_type: toy, conn_password: '${TOY_AURORA_TOKEN}'}\n",
        ),
        ("  pools:\n", "  pools:\n    - {pool_name: toy, pool_slot: 1, pool_description: One request at a time}\n"),
    ),
    "include/config/merchants.yaml": (("channels:\n", "channels:\n      toy: {connection: toy_aurora}\n"),),
}
"""What is pasted into shared files: the first of one text becomes the other."""

VARIABLES = {
    ".env.example": (("#SLACK_TOKEN", "#TOY_AURORA_TOKEN=\n#SLACK_TOKEN"),),
}
"""What its connection takes from the environment; nothing misses them as long as there is no connection."""

_TOY = "plugins/tributary/channels/toy"
_HOOK = f"{_TOY}/hook.py"
_SETTINGS = "airflow_settings.yaml"
BREACHES = (
    (
        f"{_TOY}/streams.py",
        "per_request=100",
        "per_request=0",
        f"{_TOY}/streams.py: a request of items brings 0 records",
    ),
    (_HOOK, "class ToyHook", "class Other", f"{_HOOK}: has no class ToyHook"),
    (_HOOK, "def test_connection", "def tested", f"{_HOOK}: ToyHook has no method test_connection"),
    (_HOOK, 'conn_type = "toy"', 'conn_type = "other"', f"{_HOOK}: ToyHook.conn_type is not 'toy'"),
    ("plugins/tributary/provider.py", HOOK, f"{HOOK}s", "plugins/tributary/provider.py: 'toy' names the hook"),
    ("plugins/tributary/provider.py", '"relabeling": {"password": "Token"}', "", "the form of 'toy' does not say"),
    (_SETTINGS, "conn_id: toy_aurora", "conn_id: other", f"{_SETTINGS}: has no connection 'toy_aurora' of type 'toy'"),
    (_SETTINGS, "pool_name: toy", "pool_name: other", f"{_SETTINGS}: has no pool 'toy'"),
    (".env.example", "TOY_AURORA_TOKEN", "OTHER", ".env.example: does not name TOY_AURORA_TOKEN"),
    ("include/contracts/raw/toy_items.yml", "checks:", "others:", "checks nothing; raw.toy_items is never judged"),
    ("include/contracts/raw/toy_items.yml", "owner: data, ", "", "names no owner; nobody is asked to look"),
    ("include/contracts/raw/toy_items.yml", "held-back-merchant", "other", "its runbook is 'other', and docs/runbooks"),
    (
        "dbt/models/staging/toy/_sources.yml",
        "- name: toy_items",
        "- name: other",
        "does not describe the source raw.toy",
    ),
    (
        "dbt/models/staging/toy/_sources.yml",
        "error_after: {count: 30",
        "error_after: {count: 31",
        "error_after of toy_items is {'count': 31, 'period': 'hour'}, declared is {'count': 30, 'period': 'hour'}",
    ),
    ("dbt/models/staging/toy/_sources.yml", "read_up_to(this)", "now()", "does not ask read_up_to(this) how far"),
    ("docs/adding-a-channel.md", "<channel>/streams.py", "<channel>/rivers.py", f"{_TOY}/rivers.py: is missing; docs/"),
)
"""In a file, the second text in place of the first is noticed with these words."""
