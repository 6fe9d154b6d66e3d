# Everything a person does with this repository. A Python from 3.11 to 3.13 is all it needs.
# Once there is an environment, its own Python keeps it up to date; PYTHON=... builds it anew on another one.
PYTHON ?= $(or $(wildcard .venv/bin/python),python3)
RUN := .venv/bin/python
BOOTSTRAP = $(PYTHON) plugins/tributary/local/bootstrap.py
COMPILE = $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-strip-extras --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help demo up down celery status logs test lint drill ui explain docs bench new-channel lock env env-dev

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: env ## From nothing to both merchants' figures on the screen; leaves everything running
	@$(RUN) -m tributary.local demo

celery: env-dev ## The demo with two Celery workers and a Redis, in .local-celery; TRIBUTARY_WORKERS=4 takes another number
	@TRIBUTARY_LOCAL=$${TRIBUTARY_LOCAL:-.local-celery} TRIBUTARY_WORKERS=$${TRIBUTARY_WORKERS:-2} $(RUN) -m tributary.local demo

up: env ## Start everything without triggering anything
	@$(RUN) -m tributary.local up

down: .venv/tributary-run ## Stop everything; the data stays
	@$(RUN) -m tributary.local down

status: .venv/tributary-run ## What runs, and how fresh the data is
	@$(RUN) -m tributary.local status || true

logs: .venv/tributary-run ## Follow the logs
	@$(RUN) -m tributary.local logs

test: env-dev ## The whole test suite
	@$(RUN) -m pytest --numprocesses 2 --no-loadscope-reorder

lint: env-dev ## Formatting, types, SQL, YAML and contracts
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m sqlfluff lint dbt
	@$(RUN) -m yamllint --strict .
	@$(RUN) -m tributary.ci.contracts

drill: env-dev ## Through a real Airflow what takes hours: backfills, vendor by vendor, workers that are killed
	@$(RUN) -m pytest drills/test_backfills.py
	@$(RUN) -m pytest drills/test_celery.py
	@$(RUN) -m pytest drills/road

ui: env-dev ## The same forms in a browser, with pictures in .local-drill/pictures (needs Chromium and its driver)
	@$(BOOTSTRAP) ui
	@$(RUN) -m pytest drills/test_ui.py

explain: .venv/tributary-run ## Why an order was credited to whom: make explain ORDER=1042 MERCHANT=aurora
	@$(RUN) -m tributary.local.explain --order="$$ORDER" --merchant="$$MERCHANT" --channel="$$CHANNEL"

docs: env ## Write docs/metrics.md from the models' descriptions
	@$(RUN) -m tributary.local.metrics_page

bench: env ## Speed beside a bare COPY, dlt and DuckDB; QUICK=1 takes four minutes, BENCH="--profile --million" tells more
	@$(BOOTSTRAP) peers
	@PYTHONPATH=include $(RUN) -m bench ingestion $(if $(QUICK),--orders 10000 --runs 1) $(BENCH)
	@PYTHONPATH=include $(RUN) -m bench klaviyo $(if $(QUICK),--events 10000 --runs 1) $(filter-out --profile,$(BENCH))
	@PYTHONPATH=include $(RUN) -m bench marts $(if $(QUICK),--orders 5000) $(filter --million,$(BENCH))
	@PYTHONPATH=include $(RUN) -m bench attribution $(if $(QUICK),--orders 10000 --runs 1) $(filter --million,$(BENCH))
	@PYTHONPATH=include $(RUN) -m bench gate $(if $(QUICK),--orders 5000)

new-channel: env ## Stubs of a new channel: make new-channel NAME=vendor_product
	@$(RUN) -m tributary.local.new_channel '$(NAME)'

lock: env-dev ## Compile requirements*.in into the pinned, hashed requirements*.txt
	@$(COMPILE) requirements-bootstrap.in -o requirements-bootstrap.txt
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-production.in -o requirements-production.txt
	@$(COMPILE) requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) requirements-ui.in -o requirements-ui.txt
	@$(COMPILE) requirements-bench.in -o requirements-bench.txt

env:
	@$(BOOTSTRAP) run

env-dev:
	@$(BOOTSTRAP) dev

# What looks at or stops a running installation must not change the packages under it.
.venv/tributary-run:
	@$(BOOTSTRAP) run
