"""Prompts as tensors: T5's output for a text, and a file that keeps it.

The text encoder is 11.4 GB and always gives the same tensor for the same prompt, so an image
that knows its prompt doesn't need it: where the encoder is, handler.py --embed PROMPT makes
prompt.safetensors, which goes into the app's directory, which Lamina packs by digest. The
tensor is kept at the prompt's length and padded with zeros to 512 rows before use, as upstream
does: diffusers takes that length for granted, and silently makes wrong films with any other.

The encoder's weights are the original's, under transformers' names.
"""

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import order
from errors import InputError, StartError
from order import Look

if TYPE_CHECKING:
    from torch import Tensor, nn

TOKENS = 512
"""Rows of a prompt that the transformer requires."""
FILE = Path(__file__).with_name("prompt.safetensors")
"""The image's own prompt, if it has one."""
REMEMBERED = 20
"""Prompts whose tensors an encoder keeps, 4 MB each at most."""
HEADER = 1 << 20
"""Bytes of a file's header to read at most."""
WEIGHTS = "models_t5_umt5-xxl-enc-bf16.pth"
TOKENIZER = "google/umt5-xxl"

# umt5-xxl; a test uses a smaller one.
SIZES = {"vocab_size": 256384, "d_model": 4096, "d_kv": 64, "num_heads": 64, "d_ff": 10240, "num_layers": 24}

# The original's names of a block's parts, and transformers'.
PARTS = {
    "norm1.weight": "layer.0.layer_norm.weight",
    "norm2.weight": "layer.1.layer_norm.weight",
    "attn.q.weight": "layer.0.SelfAttention.q.weight",
    "attn.k.weight": "layer.0.SelfAttention.k.weight",
    "attn.v.weight": "layer.0.SelfAttention.v.weight",
    "attn.o.weight": "layer.0.SelfAttention.o.weight",
    "pos_embedding.embedding.weight": "layer.0.SelfAttention.relative_attention_bias.weight",
    "ffn.gate.0.weight": "layer.1.DenseReluDense.wi_0.weight",
    "ffn.fc1.weight": "layer.1.DenseReluDense.wi_1.weight",
    "ffn.fc2.weight": "layer.1.DenseReluDense.wo.weight",
}


def going_on() -> None:
    """Look at nothing: no job waits."""


class Prompts:
    """Returns a prompt's tensor: from the image's file if it has the prompt, else from the text encoder."""

    def __init__(self, kept: Path, encoder: "Encoder | None") -> None:
        self._kept = read(kept) if kept.is_file() or not encoder else {}
        self._encoder = encoder

    def __call__(self, prompt: str, look: Look = going_on) -> "Tensor":
        """Return a prompt's tensor with all rows."""
        own = None if self._encoder else own_of(prompt, list(self._kept))
        wanted = clean(prompt) if own is None else own
        if wanted in self._kept:
            return padded(self._kept[wanted])
        if not self._encoder:
            raise InputError(REFUSAL)
        return self._encoder(wanted, look)


REFUSAL = "this worker has no text encoder, only its own prompt: leave out prompt and negative_prompt"


def own_of(prompt: str, kept: list[str]) -> str | None:
    """Return the image's own prompt in place of upstream's, which a job without a prompt has."""
    return dict(zip((order.PROMPT, order.NEGATIVE), kept, strict=False)).get(prompt)


def check(prompt: str, path: Path = FILE) -> None:
    """Raise an InputError for a prompt that an image without the text encoder doesn't know."""
    kept = prompts(path)
    if own_of(prompt, kept) is None and clean(prompt) not in kept:
        raise InputError(REFUSAL)


class Encoder:
    """The text encoder, loaded for the first prompt that needs it."""

    def __init__(self, directory: Path, device: str = "cpu", sizes: dict | None = None) -> None:
        self._directory, self._device, self._sizes = directory, device, sizes or SIZES
        self._model = self._tokenizer = None
        self._known: dict[str, Tensor] = {}

    def __call__(self, prompt: str, look: Look = going_on) -> "Tensor":
        """Return a prompt's tensor with all rows."""
        return padded(self.rows(prompt, look))

    def rows(self, prompt: str, look: Look = going_on) -> "Tensor":
        """Return a prompt's tensor, one row per token."""
        prompt = clean(prompt)
        if prompt not in self._known:
            self._known[prompt] = self._encode(prompt, look)
            if len(self._known) > REMEMBERED:
                self._known.pop(next(iter(self._known)))  # the oldest
        return self._known[prompt]

    def _encode(self, prompt: str, look: Look) -> "Tensor":
        import torch

        if not self._model:
            self._model, self._tokenizer = self._load(look), tokenizer(self._directory)
        ids = self._tokenizer(prompt, max_length=TOKENS, truncation=True, return_tensors="pt").input_ids
        with torch.no_grad(), order.looking(layers(self._model), look):
            # without padding, which nothing reads and whose 512 rows cost most of the time
            return self._model(ids.to(self._device)).last_hidden_state[0].cpu()

    def _load(self, look: Look):  # noqa: ANN202 (transformers is imported there)
        """Return the model on its device, layer by layer: moving a layer is what reads it from the file."""
        model = load(self._directory, self._sizes)
        for module in model.modules():
            if next(module.children(), None) is None:
                look()
                module.to(self._device)
        return model


def layers(model: "nn.Module") -> "list[nn.Module]":
    """Return the layers of a model that may work on the CPU, where a block takes seconds."""
    from torch import nn

    return [one for one in model.modules() if isinstance(one, nn.Linear)]


def clean(prompt: str) -> str:
    """Return a prompt as upstream cleans it."""
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(prompt)))
    return re.sub(r"\s+", " ", text).strip()


def padded(rows: "Tensor") -> "Tensor":
    """Return rows padded with zeros to the transformer's length."""
    import torch

    if rows.dim() != 2 or not 0 < rows.shape[0] <= TOKENS:
        raise StartError(f"a prompt's tensor is {tuple(rows.shape)}: it must have 1 to {TOKENS} rows")
    return torch.cat([rows, rows.new_zeros(TOKENS - rows.shape[0], rows.shape[1])])


def renamed(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Return the original's weights under transformers' names; a StartError for a key that has none."""
    named, unknown = {}, []
    for key, tensor in state.items():
        block = re.fullmatch(r"blocks\.(\d+)\.(.+)", key)
        if block and block[2] in PARTS:
            named[f"encoder.block.{block[1]}.{PARTS[block[2]]}"] = tensor
        elif key == "token_embedding.weight":
            named["shared.weight"] = named["encoder.embed_tokens.weight"] = tensor
        elif key == "norm.weight":
            named["encoder.final_layer_norm.weight"] = tensor
        else:
            unknown.append(key)
    if unknown:
        raise StartError(
            f"the text encoder's file has {len(unknown)} weights of another model: {sorted(unknown)[0]}"
        )
    return named


def load(directory: Path, sizes: dict):  # noqa: ANN201 (torch is imported here)
    """Return the text encoder in bfloat16, like its file; the weights stay in the file until they are used."""
    import torch
    from transformers import UMT5Config, UMT5EncoderModel

    path = directory / WEIGHTS
    try:
        state = renamed(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
        with torch.device("meta"):
            model = UMT5EncoderModel(UMT5Config(**sizes, dropout_rate=0.0, feed_forward_proj="gated-gelu"))
        model.load_state_dict(state, strict=True, assign=True)
    except (OSError, RuntimeError) as err:
        raise StartError(f"the text encoder {path.name} can't be loaded: {str(err).splitlines()[0]}") from err
    return model.eval()


def tokenizer(directory: Path):  # noqa: ANN201 (transformers is imported here)
    """Return the text encoder's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory / TOKENIZER)


def save(path: Path, kept: "dict[str, Tensor]") -> None:
    """Write prompts and their tensors, the positive one first, as safetensors: whose own writer has no stable order."""
    import torch

    names = {torch.bfloat16: "BF16", torch.float32: "F32"}
    header: dict[str, dict] = {"__metadata__": {f"prompt.{at}": prompt for at, prompt in enumerate(kept)}}
    content = b""
    for at, rows in enumerate(kept.values()):
        data = rows.contiguous().view(torch.uint8).numpy().tobytes()
        place = [len(content), len(content) + len(data)]
        header[f"prompt.{at}"] = {"dtype": names[rows.dtype], "shape": list(rows.shape), "data_offsets": place}
        content += data
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


def prompts(path: Path) -> list[str]:
    """Return the prompts of a file, from its header; a StartError tells what is wrong with it."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            names = json.loads(file.read(min(size, HEADER)))["__metadata__"]
    except OSError as err:
        raise StartError(
            f"{path.name} can't be read ({err.strerror}): make it with handler.py --embed where a text encoder is"
        ) from err
    except (ValueError, KeyError, TypeError) as err:
        raise StartError(f"{path.name} holds no prompt: make it with handler.py --embed") from err
    return [names[name] for name in sorted(names) if name.startswith("prompt.")]


def read(path: Path) -> "dict[str, Tensor]":
    """Return the prompts of a file and their tensors."""
    names = prompts(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        kept = {prompt: tensors[f"prompt.{at}"] for at, prompt in enumerate(names)}
    except (SafetensorError, KeyError) as err:
        raise StartError(f"{path.name} is damaged: make it again with handler.py --embed") from err
    for rows in kept.values():
        padded(rows)
    return kept


def make(prompt: str, encoder: Encoder, path: Path) -> str:
    """Write a prompt, and the negative one with it; return what was written."""
    kept = {clean(text): encoder.rows(text) for text in (prompt or order.PROMPT, order.NEGATIVE)}
    save(path, kept)
    return ", ".join(f"{rows.shape[0]} rows of {rows.shape[1]}" for rows in kept.values())
