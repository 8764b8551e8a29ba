#!/usr/bin/env python3
"""Measures the models' GPU memory next to plan.py's figures: real sizes, random weights, no network.

measure.py                        on the first GPU, as the worker would plan for it
measure.py --device cpu --tiny    the same steps, with models of a few kilobytes
measure.py --pack FILE.pyz        writes this script with its dependencies except torch, for a machine
                                  that has only torch: python3 FILE.pyz

Needs torch, diffusers and transformers of requirements.txt, or a pack of them.
"""

import argparse
import importlib.metadata
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import plan
from plan import GIB, Card, Want

MODULES = ("measure", "plan", "lean", "models", "loras", "embed", "order", "errors")
PACKED = ("diffusers", "transformers", "accelerate", "safetensors", "tokenizers", "huggingface-hub")
NEVER = re.compile(r"torch|triton|nvidia-|numpy$|hf-xet$|setuptools$")
"""Distributions that a machine with torch has, or that nothing here needs."""
MAIN = """import runpy, sys, tempfile, zipfile
with tempfile.TemporaryDirectory() as directory:
    zipfile.ZipFile(sys.argv[0]).extractall(directory)
    sys.path.insert(0, directory + "/app")
    sys.path.append(directory + "/site")  # behind what the machine has itself
    runpy.run_module("measure", run_name="__main__")
"""

REAL = {
    "transformer": {"added_kv_proj_dim": plan.DIM},
    "clip": {
        "hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16, "intermediate_size": 5120,
        "patch_size": 14,
    },
    "vae": {},
    "text": {"vocab_size": 256384, "d_model": 4096, "d_kv": 64, "num_heads": 64, "d_ff": 10240, "num_layers": 24},
    "face": 512, "context": 4096,
}  # fmt: skip
TINY = {
    "transformer": {
        "num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 32, "ffn_dim": 32, "num_layers": 5,
        "image_dim": 16, "added_kv_proj_dim": 24, "rope_max_seq_len": 64,
        "motion_encoder_channel_sizes": {"4": 16, "8": 16, "16": 16}, "motion_encoder_size": 16, "motion_style_dim": 8,
        "motion_dim": 4, "motion_encoder_dim": 16, "face_encoder_hidden_dim": 16, "face_encoder_num_heads": 2,
    },
    "clip": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "patch_size": 14,
    },
    "vae": {"base_dim": 3, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1},
    "text": {"vocab_size": 300, "d_model": 16, "d_kv": 4, "num_heads": 4, "d_ff": 24, "num_layers": 2},
    "face": 16, "context": 32,
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Measure, or pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--tiny", action="store_true", help="models of a few kilobytes")
    parser.add_argument("--size", default="1280x720", help="size of the film (%(default)s)")
    parser.add_argument(
        "--steps", type=int, default=3, help="steps of the transformer; the first isn't counted (%(default)s)"
    )
    parser.add_argument("--precision", choices=("auto", "bf16", "fp8"), default="auto")
    parser.add_argument("--stream", action="store_true", help="stream blocks from pinned memory")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="write this script with its dependencies and exit")
    options = parser.parse_args(arguments)
    if options.pack:
        return pack(options.pack)
    width, height = map(int, options.size.split("x"))
    return Measuring(options, width, height).run()


class Measuring:
    """One measurement."""

    def __init__(self, options: argparse.Namespace, width: int, height: int) -> None:
        import torch

        torch.set_grad_enabled(False)
        self.torch, self.options, self.device = torch, options, torch.device(options.device)
        self.cuda = self.device.type == "cuda"
        self.sizes = TINY if options.tiny else REAL
        self.width, self.height = (64, 48) if options.tiny else (width, height)
        self.frames = 5 if options.tiny else plan.FRAMES
        found = torch.cuda.get_device_properties(self.device) if self.cuda else None
        self.card = Card(found.name, found.total_memory) if found else Card("no GPU", 80 * GIB)
        self.plan = plan.plan(self.card, width, height, Want(options.precision, options.stream or None))
        self.dtype = torch.bfloat16 if self.cuda else torch.float32

    def run(self) -> int:
        """Print a row for each moment."""
        import lean

        about = f"{self.card.total / GIB:.1f} GiB; torch {self.torch.__version__}; {self.width}x{self.height}"
        print(f"{self.card.name}, {about}: {self.plan}")
        print(f"{'':12}{'peak, GiB':>12}{'computed':>12}{'seconds':>12}")
        self.prompt()
        transformer, vae, clip = self.transformer(), self.vae(), self.clip()
        lean.fit(transformer, vae, clip, self.device, self.plan)
        self.row("picture", lambda: clip(self.noise(1, 3, 224, 224, dtype=clip.dtype)))
        given = self.given()
        for step in range(self.options.steps):
            self.row("sampling" if step else "(warm up)", lambda: transformer(**given))
        latents = self.latents(vae)
        self.row("decoding", lambda: vae.decode(latents).sample)
        return 0

    def latents(self, vae: object) -> object:
        """Return a segment's latents."""
        film = self.noise(1, 3, self.frames, self.height, self.width, dtype=self.torch.float32)
        return self.row("encoding", lambda: vae.encode(film).latent_dist.mode())

    def row(self, name: str, work: Callable[[], object]) -> object:
        """Do work, and print its peak next to the plan's figure."""
        if self.cuda:
            self.torch.cuda.synchronize()
            self.torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        made = work()
        if self.cuda:
            self.torch.cuda.synchronize()
        seconds = time.monotonic() - started
        peak = f"{self.torch.cuda.max_memory_allocated() / GIB:.2f}" if self.cuda else "—"
        print(f"{name:12}{peak:>12}{self.computed(name):>12}{seconds:>12.2f}", flush=True)
        return made

    def computed(self, name: str) -> str:
        """Return the plan's figure without what isn't measured here: contexts, and the relighting LoRA."""
        sizes = [
            sum(size for part, size in one.parts if part not in ("overhead", "relighting"))
            for one in self.plan.moments
            if one.name == name
        ]
        return f"{sizes[0] / GIB:.2f}" if sizes and not self.options.tiny else "—"

    def noise(self, *shape: int, dtype: object = None) -> object:
        """Return random numbers."""
        return self.torch.randn(*shape, device=self.device, dtype=dtype or self.dtype)

    def filled(self, kind: type, dtype: object, device: object, *given: object, **sizes: object) -> object:
        """Return a module of random weights, all copies of one piece of noise, which is quick."""
        from accelerate import init_empty_weights

        with init_empty_weights(include_buffers=False):
            made = kind(*given, **sizes)
        noise = self.torch.randn(1 << 20, dtype=dtype, device=device) * 0.02
        for module in made.modules():
            for name, weight in module.named_parameters(recurse=False):
                values = noise.repeat(-(-weight.numel() // len(noise)))[: weight.numel()].view(weight.shape)
                setattr(module, name, self.torch.nn.Parameter(values.clone(), requires_grad=False))
        return made.eval()

    def prompt(self) -> None:
        """Measure the text encoder, and release it: a worker needs it for seconds."""
        from transformers import UMT5Config, UMT5EncoderModel

        device = "cpu" if self.plan.offload_text else self.device
        config = UMT5Config(**self.sizes["text"], feed_forward_proj="gated-gelu")
        model = self.filled(UMT5EncoderModel, self.dtype, device, config)
        self.row("prompt", lambda: model(self.torch.zeros(1, 20, dtype=self.torch.long, device=device)))

    def transformer(self) -> object:
        """Return the transformer as the worker has it."""
        from diffusers import WanAnimateTransformer3DModel

        import lean
        import models

        fits = self.cuda and not self.plan.fp8 and not self.plan.streamed
        made = self.filled(
            WanAnimateTransformer3DModel, self.dtype, self.device if fits else "cpu", **self.sizes["transformer"]
        )
        lean.slim(made)
        models.place(made, (), self.device, self.dtype, self.plan)
        return made

    def vae(self) -> object:
        """Return the VAE."""
        from diffusers import AutoencoderKLWan

        return self.filled(AutoencoderKLWan, self.torch.float32, self.device, **self.sizes["vae"])

    def clip(self) -> object:
        """Return CLIP's vision half."""
        from transformers import CLIPVisionConfig, CLIPVisionModel

        dtype = self.torch.float16 if self.cuda else self.dtype
        return self.filled(CLIPVisionModel, dtype, self.device, CLIPVisionConfig(**self.sizes["clip"]))

    def given(self) -> dict:
        """Return the inputs of a step."""
        times, h, w = (self.frames - 1) // 4 + 2, self.height // 8, self.width // 8
        sizes, face = self.sizes["transformer"], self.sizes["face"]
        return {
            "hidden_states": self.noise(1, 36, times, h, w),
            "pose_hidden_states": self.noise(1, 16, times - 1, h, w),
            "timestep": self.torch.tensor([500], device=self.device),
            "encoder_hidden_states": self.noise(1, 512, self.sizes["context"]),
            "encoder_hidden_states_image": self.noise(1, 257, sizes.get("image_dim", plan.PICTURE)),
            "face_pixel_values": self.noise(1, 3, self.frames, face, face),
            "return_dict": False,
        }


def pack(path: Path) -> int:
    """Write a zip that Python can run: this script's modules and the distributions that they need."""
    here = Path(__file__).parent
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("__main__.py", MAIN)
        for name in MODULES:
            archive.write(here / f"{name}.py", f"app/{name}.py")
        for one in sorted(needs(PACKED)):
            for file in importlib.metadata.distribution(one).files or ():
                place = Path(str(file.locate()))
                if ".." not in file.parts and "__pycache__" not in file.parts and place.is_file():
                    archive.write(place, f"site/{file}")
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
    return 0


def needs(names: tuple[str, ...]) -> set[str]:
    """Return distributions and their dependencies, except torch and its own."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found or NEVER.match(name):
            continue
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        found.add(name)
        todo += list(_wanted(lines))
    return found


def _wanted(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if "extra ==" not in line:
            yield re.match(r"[\w.-]+", line)[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
