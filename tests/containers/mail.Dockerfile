# Stands for the mail catcher where its image cannot be had: the same ports, the same health command, two of its addresses.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir aiosmtpd==1.4.6
COPY mailpit.py /mailpit
RUN chmod 0755 /mailpit
USER 65534:65534
ENTRYPOINT ["/mailpit"]
