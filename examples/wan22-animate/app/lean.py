"""Saves GPU memory: blocks keep no more than they need, and some make way for the VAE.

diffusers' block holds up to thirteen tensors of its output's size at once: it keeps float32 sums
next to their terms, norms and rotates whole tensors, and keeps what it no longer needs. This one
does the same arithmetic, to the bit, in place and in pieces: 4 GiB less at 720p. The VAE needs
18 GiB there, for seconds; for that time some of the transformer's blocks leave the card, and
return from a copy in pinned memory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import MethodType
from typing import TYPE_CHECKING

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d
from torch import Tensor, nn

if TYPE_CHECKING:
    from plan import Plan

TOKENS = 512
"""Of a prompt; the picture's precede them."""
PIECE = 4096
"""Tokens to norm and rotate at once."""

Rotary = tuple[Tensor, Tensor]


def fit(transformer: nn.Module, vae: nn.Module, clip: nn.Module, device: torch.device, plan: "Plan") -> None:
    """Make the models follow a plan: what makes way for the VAE, and when CLIP is on the card."""
    slim_vae(vae)
    if plan.parked and device.type == "cuda":
        parking = Parking(transformer, plan.parked)
        vae.encode, vae.decode = parking.around(vae.encode), parking.around(vae.decode)
    if plan.offload_image:
        clip.to("cpu")
        clip.register_forward_pre_hook(lambda *_: clip.to(device) and None)
        clip.register_forward_hook(lambda *_: clip.to("cpu") and None)


def slim(transformer: nn.Module) -> None:
    """Make a transformer's blocks work in place, for inference only; call it before streaming hooks wrap them."""
    for block in transformer.blocks:
        block.forward = MethodType(_forward, block)
    for block in transformer.face_adapter:
        block.forward = MethodType(_face, block)


def _forward(
    block: nn.Module, hidden_states: Tensor, encoder_hidden_states: Tensor, temb: Tensor, rotary_emb: Rotary
) -> Tensor:
    shift, scale, gate, c_shift, c_scale, c_gate = (block.scale_shift_table + temb.float()).chunk(6, dim=1)
    made = _itself(block.attn1, [_shifted(block.norm1, hidden_states, shift, scale)], rotary_emb)
    hidden_states = _gated([made], gate, hidden_states)
    del made
    made = _other(block.attn2, [block.norm2(hidden_states.float()).type_as(hidden_states)], encoder_hidden_states)
    hidden_states = made.add_(hidden_states)
    del made
    return _gated([_fed(block.ffn, [_shifted(block.norm3, hidden_states, c_shift, c_scale)])], c_gate, hidden_states)


def slim_vae(vae: nn.Module) -> None:
    """Make the VAE's convolutions join frames and padding in a single step."""
    for one in vae.modules():
        if isinstance(one, WanCausalConv3d):
            one.forward = MethodType(_convolved, one)


def _convolved(one: WanCausalConv3d, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
    left, right, top, bottom, front, _ = one._padding
    kept = cache_x.to(x.device) if cache_x is not None and front > 0 else x[:, :, :0]
    front -= kept.shape[2]
    batch, channels, _, height, width = x.shape
    whole = x.new_zeros(
        batch, channels, front + kept.shape[2] + x.shape[2], top + height + bottom, left + width + right
    )
    inner = whole[..., top : top + height, left : left + width]
    inner[:, :, front : front + kept.shape[2]] = kept
    inner[:, :, front + kept.shape[2] :] = x
    return nn.Conv3d.forward(one, whole)


# A tensor that is passed in a list is popped, so that nothing else holds it.


def _shifted(norm: nn.Module, given: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return norm(given.float()).mul_(1 + scale).add_(shift).type_as(given)


def _gated(made: list[Tensor], gate: Tensor, to: Tensor) -> Tensor:
    return (made.pop() * gate).add_(to).type_as(to)


def _fed(ffn: nn.Module, given: list[Tensor]) -> Tensor:
    enter, _, leave = ffn.net
    return leave(torch.ops.aten.gelu_(enter.proj(given.pop()), approximate=enter.approximate))


def _itself(attention: nn.Module, given: list[Tensor], rotary: Rotary) -> Tensor:
    """Attention of the frames to each other."""
    frames = given.pop()
    query = _heads(attention, _rotated(attention.norm_q, attention.to_q(frames), attention.heads, rotary))
    key = _heads(attention, _rotated(attention.norm_k, attention.to_k(frames), attention.heads, rotary))
    value = _heads(attention, attention.to_v(frames))
    del frames
    seen = dispatch_attention_fn(query, key, value).flatten(2, 3)
    del query, key, value
    return attention.to_out[0](seen)


def _other(attention: nn.Module, given: list[Tensor], context: Tensor) -> Tensor:
    """Attention of the frames to picture and prompt."""
    query = _heads(attention, _rotated(attention.norm_q, attention.to_q(given.pop()), attention.heads, None))
    picture, prompt = context[:, :-TOKENS], context[:, -TOKENS:]
    key, value = attention.norm_k(attention.to_k(prompt)), attention.to_v(prompt)
    seen = dispatch_attention_fn(query, _heads(attention, key), _heads(attention, value)).flatten(2, 3)
    key, value = attention.norm_added_k(attention.add_k_proj(picture)), attention.add_v_proj(picture)
    seen += dispatch_attention_fn(query, _heads(attention, key), _heads(attention, value)).flatten(2, 3)
    del query
    return attention.to_out[0](seen)


def _face(block: nn.Module, hidden_states: Tensor, encoder_hidden_states: Tensor) -> Tensor:
    """Attention of each frame to the face of its time."""
    motion, times = block.pre_norm_kv(encoder_hidden_states), encoder_hidden_states.shape[1]
    key = block.norm_k(block.to_k(motion).unflatten(-1, (block.heads, -1))).flatten(0, 1)
    value = block.to_v(motion).unflatten(-1, (block.heads, -1)).flatten(0, 1)
    query = _heads(block, block.to_q(block.pre_norm_q(hidden_states)))
    query = _rotated(block.norm_q, query, block.heads, None).unflatten(1, (times, -1)).flatten(0, 1)
    seen = dispatch_attention_fn(query, key, value).flatten(2, 3)
    del query
    return block.to_out(seen.unflatten(0, (-1, times)).flatten(1, 2))


def _heads(attention: nn.Module, given: Tensor) -> Tensor:
    return given.unflatten(2, (attention.heads, -1))


def _rotated(norm: nn.Module, given: Tensor, heads: int, rotary: Rotary | None) -> Tensor:
    """Norm tokens, and rotate them by position; each is independent, so in pieces and in place."""
    for start in range(0, given.shape[1], PIECE):
        piece = slice(start, start + PIECE)
        normed = norm(given[:, piece])
        if rotary is not None:
            cos, sin = (one[:, piece] for one in rotary)
            cos, sin = cos[..., 0::2], sin[..., 1::2]
            first, second = normed.unflatten(2, (heads, -1, 2)).unbind(-1)
            turned = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1)
            normed = turned.flatten(2).type_as(given)
        given[:, piece] = normed
    return given


class Parking:
    """Takes a transformer's first blocks off the card while something else needs the memory."""

    def __init__(self, transformer: nn.Module, count: int) -> None:
        self._weights = [weight for block in transformer.blocks[:count] for weight in block.parameters()]
        self._copies = [weight.data.cpu().pin_memory() for weight in self._weights]
        self._device = transformer.device

    def around(self, work: Callable) -> Callable:
        """Wrap work so that it has the memory."""

        @wraps(work)
        def having(*given: object, **more: object) -> object:
            with self.room():
                return work(*given, **more)

        return having

    @contextmanager
    def room(self) -> Iterator[None]:
        """Free the memory, then restore the blocks; they don't change, so they needn't be copied off."""
        for weight, copy in zip(self._weights, self._copies, strict=True):
            weight.data = copy
        try:
            yield
        finally:
            for weight, copy in zip(self._weights, self._copies, strict=True):
                weight.data = copy.to(self._device, non_blocking=True)
