#!/bin/sh
# Install PyTorch and what it needs into the environment of an interpreter: docker/torch.sh PYTHON
#
# ACCELERATOR: `cpu` takes the build for CPUs, which is smaller by gigabytes, and only where there is none that for GPUs,
# which works without one too. `cuda` takes a build for GPUs or fails before the download. Empty: what the index gives.
# TORCH_INDEX_URL: the index to look in. Empty: pip's own; for a CPU build then also that of PyTorch's makers, whose
# address uv knows. PyTorch is not in the lock because its builds have the same version but different hashes.
set -eu

python=$1
torch=torch==2.13.0
uv=uv==0.13.9

fail() { echo "$*" >&2; exit 1; }

pip() { # of the environment, or one outside that installs into it
    if "$python" -c 'import pip' 2>/dev/null; then set -- "$python" -m pip "$@"; else set -- env pip "--python=$python" "$@"; fi
    "$@"
}

install() {
    [ -t 1 ] || set -- -q "$@" # on a terminal pip shows its progress
    pip install --disable-pip-version-check --no-input ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$@"
}

offered() { # cuda or cpu: the build that pip would take, by its metadata; nothing if pip finds none
    install -q --dry-run --no-deps --ignore-installed --report - "$1" 2>/dev/null | "$python" -c '
import json, sys
(found,) = json.load(sys.stdin)["install"]
print("cuda" if "nvidia-" in " ".join(found["metadata"].get("requires_dist", [])) else "cpu")' 2>/dev/null || true
}

from_makers() { # the build for CPUs, without what it needs; fails where their index cannot be reached
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    install -q --target "$folder" "$uv" &&
        UV_HTTP_RETRIES=1 "$folder/bin/uv" pip install -q --python "$python" --no-deps --no-cache --torch-backend=cpu "$torch"
}

case ${ACCELERATOR:-} in
    cuda)
        [ "$(offered "$torch")" != cpu ] ||
            fail "a build of PyTorch for CPUs found, expected one for GPUs: set ACCELERATOR=cpu, or TORCH_INDEX_URL to an index with builds for GPUs"
        ;;
    cpu)
        if [ -n "$(offered "$torch+cpu")" ]; then # the name it has where there are several builds
            torch=$torch+cpu
        elif [ -n "${TORCH_INDEX_URL:-}" ] || ! from_makers 2>/dev/null; then
            echo "No build of PyTorch for CPUs was found: taking the one that pip's index gives, which may be larger by gigabytes. To avoid it, set TORCH_INDEX_URL to an index that has builds for CPUs." >&2
        fi
        ;;
    '') ;;
    *) fail "ACCELERATOR of '$ACCELERATOR' found, expected cuda, cpu or nothing" ;;
esac
install "$torch"
