#!/bin/sh
# Build the site of docs/ into site/; a warning, such as a link that leads nowhere, is an error. Needs no network once
# .venv/docs is installed.
set -eu
cd "$(dirname "$0")/.."

sh local/install.sh docs
# Material announces on every build that it will not support MkDocs 2; requirements-docs.in has the version it supports.
NO_MKDOCS_2_WARNING=1 .venv/docs/bin/python -m mkdocs build --quiet --strict --clean
echo "Built site/index.html"
