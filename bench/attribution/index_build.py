"""Side: the indexes of the touches, and the vacuum that lets them answer alone, as dbt makes them."""

from __future__ import annotations

import json
import sys

import psycopg

from bench.common.side import measured

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    with psycopg.connect(asked["url"], autocommit=True) as conn, measured():
        for statement in (*asked["indexes"], "vacuum intermediate.int_touchpoints"):
            conn.execute(statement)
