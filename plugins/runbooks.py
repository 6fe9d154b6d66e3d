"""The runbooks in Airflow itself, so that a message's link opens one wherever Tributary runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from markdown_it import MarkdownIt

from tributary.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = RUNBOOKS / "README.md"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ margin: 0 auto; max-width: 60rem; padding: 1.5rem; font: 1rem/1.55 system-ui, sans-serif; color: #1c1e21 }}
  pre {{ background: #f4f5f7; padding: .8rem; overflow-x: auto }} code {{ font-size: .9em }}
  table {{ border-collapse: collapse }} td, th {{ border: 1px solid #d5d8dd; padding: .3rem .6rem; text-align: left }}
</style></head><body>{body}</body></html>"""

app = FastAPI(title="Runbooks", openapi_url=None, docs_url=None, redoc_url=None)


@app.get("/")
def index() -> HTMLResponse:
    """All of them, by what one sees."""
    return _page(_title(INDEX), INDEX.read_text())


@app.get("/{name}")
def runbook(name: str) -> HTMLResponse:
    """One of them; they link to each other as files, so a name may end in .md."""
    paths = {path.stem: path for path in RUNBOOKS.glob("*.md")}
    path = paths.get(name.removesuffix(".md"))
    if path is None:
        raise HTTPException(404, f"There is no runbook {name!r}; there are {', '.join(sorted(paths))}.")
    return _page(_title(path), path.read_text())


def _title(path: Path) -> str:
    return path.read_text().partition("\n")[0].removeprefix("# ")


def _page(title: str, markdown: str) -> HTMLResponse:
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return HTMLResponse(PAGE.format(title=escape(title), body=body))


class RunbooksPlugin(AirflowPlugin):
    """Serves them under /runbooks of the api-server."""

    name = "runbooks"
    fastapi_apps = [{"app": app, "url_prefix": "/runbooks", "name": "Runbooks"}]  # noqa: RUF012 -- Airflow's own form
