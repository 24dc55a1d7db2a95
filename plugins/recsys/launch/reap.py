"""`python -m recsys.launch.reap`, before the scheduler starts: remove what is left of this installation's containers.

A task container is watched by a process of the scheduler. When the scheduler has just started, none is watched.
"""

from __future__ import annotations

import os
import sys

from docker import APIClient

from recsys.launch.docker import remove_containers


def main() -> int:
    """Say what was removed."""
    client = APIClient(base_url=os.environ["DOCKER_HOST"], version="auto")
    for name in remove_containers(client, os.environ["RECSYS_TASK_NETWORK"]):
        sys.stdout.write(f"removed task container {name}, left over from a scheduler that was killed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
