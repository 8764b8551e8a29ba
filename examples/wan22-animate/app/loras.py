"""LoRAs: low-rank changes of the transformer's layers, whatever their files call these.

A file has one of two styles: lora_A and lora_B, as in PEFT, or lora_down and lora_up with
alpha, as in Kohya's tools, with diff, diff_b and diff_m for whole changes of a weight, a bias
and a block's modulation. A name that no layer of the transformer has is an error: omitting a
change silently would make other films.

A permanent one is merged into the weights, before these become fp8. A switchable one is an
adapter: it adds to its layers' outputs while it is on.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import StartError

if TYPE_CHECKING:  # sorting names needs no torch
    from torch import Tensor, nn

NAMED = 5
"""Problems that are reported one by one."""

PREFIXES = ("base_model.model.", "diffusion_model.", "transformer.", "model.")

ROLES = {
    "lora_A.weight": "down", "lora_A.default.weight": "down", "lora_down.weight": "down",
    "lora_B.weight": "up", "lora_B.default.weight": "up", "lora_up.weight": "up",
    "alpha": "alpha", "diff": "diff", "diff_b": "diff_b", "diff_m": "diff_m",
}  # fmt: skip
"""The suffixes of keys, and their roles."""

# The original's names, and diffusers'; the tables below are for those in a block.
NAMES = {
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
    "head": "",
}
IN_BLOCK = {
    "self_attn": "attn1", "cross_attn": "attn2", "q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0",
    "k_img": "add_k_proj", "v_img": "add_v_proj", "norm_k_img": "norm_added_k",
    "ffn.0": "ffn.net.0.proj", "ffn.2": "ffn.net.2", "norm3": "norm2",
}  # fmt: skip
IN_FACE = {"linear1_q": "to_q", "linear2": "to_out", "q_norm": "norm_q", "k_norm": "norm_k"}

_KEY = re.compile(rf"(.+)\.({'|'.join(map(re.escape, ROLES))})")
_BLOCK = re.compile(r"(blocks\.\d+)\.(.+)")
_FLAT = re.compile(r"lora_unet_blocks_(\d+)_(self_attn|cross_attn|ffn)_(\w+)")
_FACE = re.compile(r"face_adapter\.fuser_blocks\.(\d+)\.(.+)")


def layer(name: str) -> str:
    """Return what diffusers calls a layer of the transformer, by the original's name or its own."""
    if flat := _FLAT.fullmatch(name):
        name = "blocks.{}.{}.{}".format(*flat.groups())
    if block := _BLOCK.fullmatch(name):
        inner = block[2]
        if inner.startswith(("self_attn.", "cross_attn.")):
            inner = ".".join(IN_BLOCK.get(word, word) for word in inner.split("."))
        return f"{block[1]}.{IN_BLOCK.get(inner, inner)}"
    if face := _FACE.fullmatch(name):
        return f"face_adapter.{face[1]}.{IN_FACE.get(face[2], face[2])}"
    return NAMES.get(name, name)


def place(key: str) -> tuple[str, str]:
    """Return the layer and the role of a key; no role where the key isn't a LoRA's."""
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    found = _KEY.fullmatch(key)
    return (layer(found[1]), ROLES[found[2]]) if found else (key, "")


def sort(keys: Iterable[str], layers: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Return a file's keys by layer and role; a ValueError lists their problems."""
    found: dict[str, dict[str, str]] = {}
    unknown = []
    for key in keys:
        name, role = place(key)
        if role and name in layers:
            found.setdefault(name, {})[role] = key
        else:
            unknown.append(key)
    problems = [f"{key} has no layer in the transformer" for key in sorted(unknown)]
    problems += [f"{key} lacks its other half" for roles in found.values() if (key := _single(roles))]
    if problems or not found:
        raise ValueError(_shorten(problems) if found or problems else "it changes no layer")
    return found


def _single(roles: Mapping[str, str]) -> str:
    halves = [roles[role] for role in ("down", "up") if role in roles]
    if len(halves) == 1:
        return halves[0]
    return roles["alpha"] if "alpha" in roles and not halves else ""


def _shorten(problems: list[str]) -> str:
    more = len(problems) - NAMED
    return "; ".join(problems[:NAMED]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Change:
    """A LoRA's change of a layer: it adds up @ down to the weight, or whole differences."""

    down: "Tensor | None" = None
    up: "Tensor | None" = None
    """Scaled by alpha / rank."""
    diff: "Tensor | None" = None
    diff_b: "Tensor | None" = None
    diff_m: "Tensor | None" = None

    def problems(self, name: str, module: "nn.Module") -> list[str]:
        """Return what doesn't fit the layer."""
        table = dict(module.named_parameters(recurse=False))
        wanted = (("weight", self.diff), ("bias", self.diff_b), ("scale_shift_table", self.diff_m))
        problems = []
        for target, one in wanted:
            if one is not None and (target not in table or table[target].shape != one.shape):
                problems.append(f"{name} has no {target} of {_by(one.shape)}")
        if self.up is not None:
            weight = table.get("weight")
            made = (self.up.shape[0], self.down.shape[1])
            if weight is None or tuple(weight.shape) != made or self.up.shape[1] != self.down.shape[0]:
                problems.append(f"{name} has no weight of {_by(made)}")
        return problems


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


class Lora:
    """The changes of a file, by diffusers' names of the layers."""

    def __init__(self, path: Path, transformer: "nn.Module", look: Callable[[], None] = lambda: None) -> None:
        """Read a file; look is called before each layer, and may raise an error that ends it."""
        state, alpha = _read(path)
        layers = dict(transformer.named_modules())
        try:
            found = sort(state, layers)
            self.changes = {name: _change(roles, state, alpha, look) for name, roles in found.items()}
            problems = [problem for name, one in self.changes.items() for problem in one.problems(name, layers[name])]
            if problems:
                raise ValueError(_shorten(problems))
        except ValueError as err:
            raise StartError(f"the LoRA {path.name} isn't for this model: {err}") from err

    def merge(self, module: "nn.Module", name: str = "", strength: float = 1.0) -> None:
        """Add the changes to a module of the transformer, which has that name there, on its device."""
        for inner, one in module.named_modules(prefix=name):
            if inner in self.changes:
                _merge(self.changes[inner], one, strength)


def _merge(change: Change, module: "nn.Module", strength: float) -> None:
    targets = [("weight", change.diff), ("bias", change.diff_b), ("scale_shift_table", change.diff_m)]
    if change.up is not None:
        device = module.weight.device
        targets.append(("weight", change.up.float().to(device) @ change.down.float().to(device)))
    for target, added in targets:
        if added is not None:
            parameter = getattr(module, target)
            whole = parameter.data.float() + strength * added.float().to(parameter.device)
            parameter.data = whole.to(parameter.dtype)


class Adapter:
    """A LoRA that adds to its layers' outputs while it is on; it needs no memory but its own."""

    def __init__(
        self, lora: Lora, transformer: "nn.Module", device: "object", dtype: "object",
        look: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Prepare a LoRA, still off; look is called before each layer, and an error of it leaves the layers alone."""
        self.on = False
        layers = dict(transformer.named_modules())
        if odd := [name for name, one in lora.changes.items() if one.up is None or _whole(one)]:
            raise StartError(f"a LoRA that is switched can't have whole changes: {_shorten(sorted(odd))}")
        halves = {}
        for name, one in lora.changes.items():
            look()
            halves[name] = [half.to(device, dtype) for half in (one.down, one.up)]
        for name, (down, up) in halves.items():
            layers[name].register_forward_hook(self._adding(down, up))

    def _adding(self, down: "Tensor", up: "Tensor"):  # noqa: ANN202 (a hook of torch)
        def add(_: object, given: "tuple[Tensor, ...]", made: "Tensor") -> None:
            if self.on:  # in place: a second tensor of a layer's output would be gigabytes
                made.view(-1, up.shape[0]).addmm_(given[0].reshape(-1, down.shape[1]) @ down.T, up.T)

        return add


def _whole(change: Change) -> bool:
    return any(one is not None for one in (change.diff, change.diff_b, change.diff_m))


def _change(
    roles: Mapping[str, str], state: "Mapping[str, Tensor]", alpha: float | None, look: Callable[[], None]
) -> Change:
    look()
    parts = {role: state[key] for role, key in roles.items()}
    own = parts.pop("alpha", None)
    if "up" in parts:
        rank = parts["down"].shape[0]
        scale = (float(own) if own is not None else alpha if alpha is not None else rank) / rank
        parts["up"] = parts["up"].float() * scale
    return Change(**parts)


def _read(path: Path) -> "tuple[dict[str, Tensor], float | None]":
    """Return a file's tensors, which are read when they are used, and the alpha that PEFT keeps next to them."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            mapped = zipfile.is_zipfile(path)  # all files but those of torch before 1.6
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            state = state.get("state_dict", state)
        config = path.with_name("adapter_config.json")
        alpha = json.loads(config.read_bytes()).get("lora_alpha") if config.is_file() else None
    except Exception as err:  # of many types with one meaning
        raise StartError(f"the LoRA {path.name} can't be read: {type(err).__name__}") from err
    return state, alpha
