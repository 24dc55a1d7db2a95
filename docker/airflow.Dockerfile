# The control plane: Airflow with the DAGs and plugins of this project. A container's command selects the component.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim

# The chart library of the history page; with another image than Node's, the page says that it has no charts.
FROM ${NODE_IMAGE} AS charts
WORKDIR /charts
COPY package.json package-lock.json ./
RUN mkdir library && if command -v npm >/dev/null; then \
        npm ci --ignore-scripts --no-audit --no-fund \
        && cp node_modules/uplot/LICENSE node_modules/uplot/dist/uPlot.esm.js node_modules/uplot/dist/uPlot.min.css library/; \
    fi

FROM ${PYTHON_IMAGE} AS packages
COPY requirements.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python=/opt/venv/bin/python install --disable-pip-version-check --no-deps --require-hashes -r /tmp/requirements.txt

FROM ${PYTHON_IMAGE} AS sbom
COPY requirements-sbom.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/sbom \
    && pip --python=/opt/sbom/bin/python install --disable-pip-version-check --no-deps --require-hashes -r /tmp/requirements-sbom.txt
RUN --mount=type=bind,from=packages,source=/opt/venv,target=/opt/venv \
    /opt/sbom/bin/cyclonedx-py environment /opt/venv/bin/python --output-reproducible --of JSON -o /sbom.cdx.json

FROM ${PYTHON_IMAGE}
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin airflow \
    && install -d -o airflow -g 0 -m 0775 /opt/airflow /opt/airflow/logs /run/recsys
COPY --from=packages /opt/venv /opt/venv
COPY --from=sbom /sbom.cdx.json /usr/share/sbom/python.cdx.json
RUN --mount=type=bind,source=docker/sbom.py,target=/tmp/sbom.py \
    python /tmp/sbom.py >/usr/share/sbom/debian.cdx.json
COPY docker/airflow /opt/recsys/bin
COPY plugins /opt/recsys/plugins
COPY --from=charts /charts/library/ /opt/recsys/plugins/recsys/history/library/
COPY dags /opt/recsys/dags
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/recsys/dags /opt/recsys/plugins
ENV PATH=/opt/recsys/bin:/opt/venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/recsys/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/recsys/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/airflow
COPY LICENSE NOTICE /usr/share/doc/audioclip4rec/
USER 50000:0
ENTRYPOINT ["airflow"]
CMD ["version"]
# For the API server; docker-compose.yaml has the health checks of the other components.
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s CMD ["airflow-health", "metadatabase"]
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AudioCLIP4Rec control plane" \
      org.opencontainers.image.description="Apache Airflow with the DAGs that keep the recommender fresh" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
