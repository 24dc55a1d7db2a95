# A proxy for the engine's socket that allows only the requests needed to run a task; see engine-proxy/haproxy.cfg.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
COPY docker/engine-proxy /etc/engine-proxy
COPY LICENSE NOTICE /usr/share/doc/audioclip4rec/
USER 65534:65534
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/engine-proxy/haproxy.cfg"]
HEALTHCHECK --interval=5s --timeout=5s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:2375/_ping', timeout=4)"]
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AudioCLIP4Rec engine proxy" \
      org.opencontainers.image.description="Filtering proxy for the container engine's socket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
