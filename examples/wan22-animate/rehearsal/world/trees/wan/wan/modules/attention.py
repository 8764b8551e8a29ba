"""Stands in for attention, which wants flash-attn 2."""

import torch

try:
    import flash_attn

    FLASH_ATTN_2_AVAILABLE = True
except ModuleNotFoundError:
    FLASH_ATTN_2_AVAILABLE = False


def flash_attention() -> None:
    assert FLASH_ATTN_2_AVAILABLE
