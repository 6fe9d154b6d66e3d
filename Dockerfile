# The image of every Airflow process in docker-compose.yaml: pinned requirements, the code, and dbt's manifest.
FROM python:3.12-slim-bookworm

RUN useradd --create-home --uid 50000 airflow
WORKDIR /opt/tributary

# The packages first: they change seldom, the code often.
COPY requirements-bootstrap.txt requirements.txt requirements-production.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-bootstrap.txt \
 && uv pip install --system --no-cache --require-hashes -r requirements.txt -r requirements-production.txt

COPY pyproject.toml airflow_settings.yaml ./
COPY plugins plugins
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index --editable .
COPY include include
COPY dbt dbt
COPY dags dags

# What backfills note down as the version of the code: git is not in the image.
ARG TRIBUTARY_CODE_VERSION

# Everything is set by environment variables; only what is the same in every deployment stands here.
ENV TRIBUTARY_HOME=/opt/tributary \
    TRIBUTARY_CODE_VERSION=${TRIBUTARY_CODE_VERSION} \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__AUTH_MANAGER=tributary.auth.TributaryAuthManager \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/tributary/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/tributary/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__API__INSTANCE_NAME=Tributary \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    AIRFLOW__FAB__CONFIG_FILE=/opt/tributary/include/airflow_home/webserver_config.py \
    DBT_SEND_ANONYMOUS_USAGE_STATS=False \
    SODA_CORE_TELEMETRY_ENABLED=false \
    DO_NOT_TRACK=1 \
    PYTHONUNBUFFERED=1

# dbt reads the connection when it parses but does not connect; at run time Airflow's connection `warehouse` is used.
RUN WAREHOUSE_HOST=unused WAREHOUSE_PORT=5432 WAREHOUSE_USER=unused WAREHOUSE_PASSWORD=unused \
    WAREHOUSE_DATABASE=tributary python -m dbt.cli.main parse --project-dir dbt --profiles-dir dbt --log-path /tmp \
 && mkdir -p /opt/airflow/logs /opt/airflow/config /opt/sandbox \
 && cp include/airflow_home/airflow_local_settings.py /opt/airflow/config/ \
 && chown -R airflow /opt/airflow /opt/sandbox dbt

USER airflow
ENTRYPOINT ["python", "-m"]
CMD ["airflow", "version"]
