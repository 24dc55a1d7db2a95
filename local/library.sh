#!/bin/sh
# Puts the chart library of the history page, as package-lock.json has it, where the page looks for it. Does nothing when it is
# there. Without npm it says so and ends well: the page then shows its figures in tables alone.
set -eu
cd "$(dirname "$0")/.."

target=plugins/recsys/history/library
wanted=$(cat package-lock.json local/library.sh | sha256sum | cut -d' ' -f1)
[ "$(cat $target/.installed 2>/dev/null)" != "$wanted" ] || exit 0
if ! command -v npm >/dev/null; then
    echo "npm was not found, so the history page has no charts: 'apt-get install npm', then 'make install' again" >&2
    exit 0
fi
npm ci --silent --ignore-scripts --no-audit --no-fund
mkdir -p $target
cp node_modules/uplot/dist/uPlot.esm.js node_modules/uplot/dist/uPlot.min.css node_modules/uplot/LICENSE $target/
echo "$wanted" >$target/.installed
