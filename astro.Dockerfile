# The same project on the Astro Runtime, for the Astro CLI and for Astro:
#     docker build --file astro.Dockerfile --tag tributary-astro .
#     astro dev start --image-name tributary-astro --settings-file settings_local.yaml
# Without `-base` the Runtime would install requirements.txt by itself, and not check its hashes.
ARG RUNTIME=3.3-2-base
FROM astrocrpublic.azurecr.io/runtime:${RUNTIME}

USER root
WORKDIR /usr/local/airflow
COPY requirements-bootstrap.txt requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-bootstrap.txt \
 && uv pip install --system --no-cache --require-hashes -r requirements.txt

COPY pyproject.toml airflow_settings.yaml ./
COPY plugins plugins
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index --editable .
COPY include include
COPY dbt dbt
COPY dags dags

ENV TRIBUTARY_HOME=/usr/local/airflow \
    AIRFLOW__API__INSTANCE_NAME=Tributary \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    DBT_SEND_ANONYMOUS_USAGE_STATS=False \
    SODA_CORE_TELEMETRY_ENABLED=false \
    DO_NOT_TRACK=1

RUN WAREHOUSE_HOST=unused WAREHOUSE_PORT=5432 WAREHOUSE_USER=unused WAREHOUSE_PASSWORD=unused \
    WAREHOUSE_DATABASE=tributary python -m dbt.cli.main parse --project-dir dbt --profiles-dir dbt --log-path /tmp \
 && mkdir -p config && cp include/airflow_home/airflow_local_settings.py config/ \
 && chown -R astro dbt
USER astro
