#!/bin/sh
# Whether this machine has a GPU of NVIDIA, for which PyTorch's build for GPUs is worth its size: exit code 0 or 1.
nvidia-smi -L >/dev/null 2>&1 || [ -e /dev/nvidia0 ] || [ -n "$(ls /proc/driver/nvidia/gpus 2>/dev/null)" ]
