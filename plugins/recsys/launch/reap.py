"""`python -m recsys.launch.reap`, before the scheduler starts: remove what is left of this installation's containers.

A process of the scheduler watches each task container. Before the scheduler starts, no container is watched.
"""

from __future__ import annotations

import os
import sys

from docker import APIClient

from recsys.launch.docker import remove_containers


def main() -> int:
    """Remove the containers and print their names."""
    client = APIClient(base_url=os.environ["DOCKER_HOST"], version="auto")
    for name in remove_containers(client, os.environ["RECSYS_TASK_NETWORK"]):
        sys.stdout.write(f"removed task container {name}, left over from a scheduler that was killed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
