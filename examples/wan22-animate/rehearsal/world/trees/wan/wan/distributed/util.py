"""Stands in for what several GPUs need."""

import torch
import torch.distributed


def init_distributed_group() -> None:
    raise NotImplementedError("a rehearsal has one process")
