"""Stands in for the extension of prompts, which is imported and not used."""

import dashscope
import torch
from PIL import Image

try:
    from flash_attn import flash_attn_varlen_func
except ModuleNotFoundError:
    flash_attn_varlen_func = None


class DashScopePromptExpander:
    pass


class QwenPromptExpander:
    pass
