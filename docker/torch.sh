#!/bin/sh
# Install PyTorch and what it needs into the environment of an interpreter: docker/torch.sh PYTHON
#
# ACCELERATOR: `cpu` takes the build for CPUs, which is smaller by gigabytes, and only where there is none that for GPUs,
# which works without one too. `cuda` takes a build for GPUs or fails before the download. Empty: what the index gives.
# TORCH_INDEX_URL: the index to look in. Empty: pip's own; for a CPU build then also that of PyTorch's makers, whose
# address uv knows. Each build has its own lock, since they have the same version and different hashes; another build than
# these two is refused, unless TORCH_UNVERIFIED is set: then pip takes what it finds under the version, with what it needs.
set -eu

python=$1
locks=${TORCH_LOCKS:-$(dirname "$0")/..}

fail() { echo "$*" >&2; exit 1; }

wanted() { sed -n 's/^\(torch==[^ ;]*\).*/\1/p' "$locks/requirements-$1.txt"; }

pip() { # of the environment, or one outside that installs into it
    if "$python" -c 'import pip' 2>/dev/null; then set -- "$python" -m pip "$@"; else set -- env pip "--python=$python" "$@"; fi
    "$@"
}

install() {
    [ -t 1 ] || set -- -q "$@" # on a terminal pip shows its progress
    pip install --disable-pip-version-check --no-input ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$@"
}

install_locked() { # every file by its hash
    install --no-deps --require-hashes -r "$locks/requirements-$1.txt" ||
        fail "PyTorch was not installed, expected the build whose hashes are in requirements-$1.txt: for another one set TORCH_UNVERIFIED=1, and no hash is asked for"
}

offered() { # cuda or cpu: the build that pip would take, by its metadata; nothing if pip finds none
    install -q --dry-run --no-deps --ignore-installed --report - "$1" 2>/dev/null | "$python" -c '
import json, sys
(found,) = json.load(sys.stdin)["install"]
print("cuda" if "nvidia-" in " ".join(found["metadata"].get("requires_dist", [])) else "cpu")' 2>/dev/null || true
}

from_makers() { # the build for CPUs; fails where their index cannot be reached
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    install -q --target "$folder" --no-deps --require-hashes -r "$locks/requirements-uv.txt" &&
        UV_HTTP_RETRIES=1 "$folder/bin/uv" pip install -q --python "$python" --no-deps --no-cache --torch-backend=cpu --require-hashes -r "$locks/requirements-torch-cpu.txt"
}

# What pip finds under the version, with what it needs: of no known hash.
[ -z "${TORCH_UNVERIFIED:-}" ] || install_locked() { install "$(wanted "$1")"; }

case ${ACCELERATOR:-} in
    cuda)
        [ "$(offered "$(wanted torch)")" != cpu ] ||
            fail "a build of PyTorch for CPUs found, expected one for GPUs: set ACCELERATOR=cpu, or TORCH_INDEX_URL to an index with builds for GPUs"
        install_locked torch
        ;;
    cpu)
        if [ -n "$(offered "$(wanted torch-cpu)")" ]; then # the name it has where there are several builds
            install_locked torch-cpu
        elif [ -n "${TORCH_INDEX_URL:-}" ] || ! from_makers 2>/dev/null; then
            echo "No build of PyTorch for CPUs was found: taking the one that pip's index gives, which may be larger by gigabytes. To avoid it, set TORCH_INDEX_URL to an index that has builds for CPUs." >&2
            install_locked torch
        fi
        ;;
    '')
        if [ "$(offered "$(wanted torch)")" = cpu ] && [ -n "$(offered "$(wanted torch-cpu)")" ]; then install_locked torch-cpu; else install_locked torch; fi
        ;;
    *) fail "ACCELERATOR of '$ACCELERATOR' found, expected cuda, cpu or nothing" ;;
esac
