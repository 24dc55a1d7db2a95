# A proxy for the engine's socket that allows only the requests needed to run a task; see engine-proxy/proxy.py.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
COPY docker/engine-proxy /opt/engine-proxy
RUN --mount=type=bind,source=docker/sbom.py,target=/tmp/sbom.py \
    install -d /usr/share/sbom && python /tmp/sbom.py >/usr/share/sbom/debian.cdx.json
COPY LICENSE NOTICE /usr/share/doc/audioclip4rec/
USER 65534:65534
ENTRYPOINT ["python", "-B", "/opt/engine-proxy/proxy.py"]
HEALTHCHECK --interval=5s --timeout=5s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:2375/_ping', timeout=4)"]
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AudioCLIP4Rec engine proxy" \
      org.opencontainers.image.description="Filtering proxy for the container engine's socket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
