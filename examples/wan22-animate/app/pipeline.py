"""The resident pipeline: upstream's sampling (wan/animate.py) on diffusers' parts, film after film.

diffusers has its own pipeline for the model. This one reads a segment's frames when it needs
them and hands them on when they are made, and it follows upstream where the two differ:
OpenCV fits the picture, CLIP sees it stretched instead of cropped, the VAE works in float32
on pixels rounded like the transformer's, and guidance and solver work in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, SchedulerMixin, UniPCMultistepScheduler, WanAnimatePipeline
from torch import Tensor

import lean
import models
import order as orders
import pixels
from errors import JobError, Stopped
from loras import Adapter, Lora
from models import Places
from order import Frames, Look, Order, Segment, Sink, Step, Stop

if TYPE_CHECKING:
    from plan import Plan

TOKENS = 512
"""Of a prompt: diffusers tells text from picture by this length, and makes wrong films with any other."""
CHANNELS = 16
"""Of a latent frame."""

Embed = Callable[[str, Look], Tensor]
"""Returns a prompt's tensor as the text encoder does, padded with zeros to TOKENS rows, and looks as it works."""


def load(places: Places, plan: "Plan", tell: Callable[[str], None], embed: Embed) -> "Pipeline":
    """Return a pipeline with its models placed by the plan; tell receives what is being loaded."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = getattr(torch, plan.dtype) if device.type == "cuda" else torch.float32
    tell("VAE")
    vae = models.vae(places.vae).to(device)
    tell("CLIP")
    # float16, as upstream has it
    clip = models.clip(places.image_encoder, torch.float16 if device.type == "cuda" else dtype).to(device)
    tell("transformer")
    transformer = models.transformer(places.transformer, dtype)
    lean.slim(transformer)
    models.place(transformer, places.merged, device, dtype, plan)
    lean.fit(transformer, vae, clip, device, plan)
    parts = WanAnimatePipeline(
        tokenizer=None, text_encoder=None, vae=vae, scheduler=None, image_processor=None, image_encoder=clip,
        transformer=transformer,
    )  # fmt: skip
    return Pipeline(places, parts, device, dtype, embed)


@dataclass(frozen=True)
class _Job:
    """What the segments of a film share."""

    order: Order
    frames: Frames
    texts: list[Tensor]
    """The prompt, and the negative one if guidance needs it."""
    image: Tensor
    """What CLIP sees in the picture."""
    reference: Tensor
    """The picture as the first latent frame, with its mask."""
    noise: torch.Generator
    """One for all: a segment's noise continues where the previous one's ended."""


@dataclass(frozen=True)
class _Given:
    """The inputs of a segment's sampling."""

    latents: Tensor
    """The picture, and the known parts of the frames to make, with masks: [1, 20, time, h, w]."""
    pose: Tensor
    image: Tensor
    passes: list[tuple[Tensor, Tensor]]
    """Text and faces, and those that guidance leads away from."""


class Pipeline:
    """Makes one film at a time."""

    def __init__(
        self, places: Places, parts: WanAnimatePipeline, device: torch.device, dtype: torch.dtype, embed: Embed
    ) -> None:
        self._places, self._parts, self._device, self._dtype, self._embed = places, parts, device, dtype, embed
        self._relighting: Adapter | None = None

    @torch.no_grad()
    def run(self, order: Order, frames: Frames, sink: Sink, step: Step, stop: Stop) -> None:
        """Make a film; a stop raises Stopped within a block of the transformer, a few frames of the VAE, or a layer."""
        if found := orders.problems(order, frames):
            raise JobError(f"sampling: {'; '.join(found)}")
        pieces = orders.segments(frames.count, order.refert_num)
        with _stopping(self._parts, self._device, stop) as look:
            self._relight(order.relighting, look)
            job, last = self._begun(order, frames, look), None
            for number, segment in enumerate(pieces, 1):
                told = partial(step, number, len(pieces))
                film, last = self._segment(job, segment, last, told)
                sink(film)

    def _begun(self, order: Order, frames: Frames, look: Look) -> _Job:
        picture = pixels.fitted(frames.reference(), frames.height, frames.width)
        picture = pixels.tensor(picture[None], self._device, self._dtype)
        return _Job(
            order, frames,
            texts=[self._text(prompt, look) for prompt in (order.prompt, order.negative)[: 1 + (order.cfg > 1)]],
            image=self._see(picture[:, :, 0]),
            reference=self._parts.prepare_reference_image_latents(picture, device=self._device),
            noise=torch.Generator(self._device).manual_seed(order.seed),
        )  # fmt: skip

    def _segment(
        self, job: _Job, segment: Segment, last: Tensor | None, told: Callable[[int, int], None]
    ) -> tuple[np.ndarray, Tensor]:
        """Return a segment's new frames, and the last of them as the next segment reuses them."""
        height, width, overlap = job.frames.height, job.frames.width, job.order.refert_num
        noise = self._parts.prepare_latents(
            1, CHANNELS, height, width, orders.CLIP, torch.float32, self._device, job.noise
        )
        known = torch.cat([job.reference, self._known(job, segment, last)], dim=2)
        pose, face = self._pose(job, segment), self._read(job, orders.FACE, segment)
        faces = [face, torch.full_like(face, -1)] if job.order.cfg > 1 else [face]
        given = _Given(known, pose, job.image, list(zip(job.texts, faces, strict=True)))
        film = self._decode(self._sample(job.order, noise, given, told))[:, :, segment.reused :]
        return pixels.frames(film[:, :, : segment.made]), film[:, :, -overlap:].to(self._dtype, copy=True)

    def _sample(self, order: Order, latents: Tensor, given: _Given, told: Callable[[int, int], None]) -> Tensor:
        solver = _solver(order, self._device)
        for number, time in enumerate(solver.timesteps, 1):
            flow, *away = [self._flow(latents, time, given, text, face) for text, face in given.passes]
            for other in away:
                flow = other + order.cfg * (flow - other)
            latents = solver.step(flow, time, latents, return_dict=False)[0]
            told(number, order.steps)
        return latents

    def _flow(self, latents: Tensor, time: Tensor, given: _Given, text: Tensor, face: Tensor) -> Tensor:
        return self._parts.transformer(
            hidden_states=torch.cat([latents, given.latents], dim=1).to(self._dtype),
            timestep=time.expand(1),
            encoder_hidden_states=text,
            encoder_hidden_states_image=given.image,
            pose_hidden_states=given.pose,
            face_pixel_values=face,
            return_dict=False,
        )[0].float()

    def _read(self, job: _Job, kind: str, segment: Segment) -> Tensor:
        make = pixels.mask if kind == orders.MASK else pixels.tensor
        return make(orders.read(job.frames, kind, segment), self._device, self._dtype)

    def _pose(self, job: _Job, segment: Segment) -> Tensor:
        pose = self._parts.prepare_pose_latents(self._read(job, orders.POSE, segment), device=self._device)
        return pose.to(self._dtype)

    def _known(self, job: _Job, segment: Segment, last: Tensor | None) -> Tensor:
        """Return the known parts of the frames to make: the last ones before them, and the person's surroundings."""
        background = mask = None
        if job.order.replaces:
            background, mask = (self._read(job, kind, segment) for kind in (orders.BACKGROUND, orders.MASK))
        return self._parts.prepare_prev_segment_cond_latents(
            last, background, mask,
            segment_frame_length=orders.CLIP, start_frame=segment.start,
            height=job.frames.height, width=job.frames.width, prev_segment_cond_frames=job.order.refert_num,
            task="replace" if job.order.replaces else "animate", device=self._device,
        )  # fmt: skip

    def _see(self, picture: Tensor) -> Tensor:
        clip = self._parts.image_encoder
        seen = clip(pixels.for_clip(picture).to(clip.dtype), output_hidden_states=True)
        return seen.hidden_states[-2].to(self._dtype)

    def _decode(self, latents: Tensor) -> Tensor:
        """Decode latents into a film, without their first frame: it is the picture's."""
        vae = self._parts.vae
        mean, std = (
            torch.tensor(values, device=self._device).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        return vae.decode(latents[:, :, 1:] * std + mean, return_dict=False)[0]

    def _text(self, prompt: str, look: Look) -> Tensor:
        text = self._embed(prompt, look)
        width = self._parts.transformer.config.text_dim
        if tuple(text.shape) != (TOKENS, width):
            raise JobError(f"the prompt's tensor is {tuple(text.shape)}, not {(TOKENS, width)}")
        return text[None].to(self._device, self._dtype)

    def _relight(self, wanted: bool, look: Look) -> None:
        """Switch the relighting adapter; it is loaded for the first job that wants it."""
        transformer = self._parts.transformer
        if wanted and not self._relighting:
            if not self._places.relighting:
                raise JobError("relighting: its LoRA is not in this image")
            lora = Lora(self._places.relighting, transformer, look)
            self._relighting = Adapter(lora, transformer, self._device, self._dtype, look)
        if self._relighting:
            self._relighting.on = wanted


def _solver(order: Order, device: torch.device) -> SchedulerMixin:
    """Return upstream's solver at its first step; diffusers' solvers of these names begin at other noise levels."""
    kinds = {orders.UNIPC: (UniPCMultistepScheduler, 0.999), orders.DPM: (DPMSolverMultistepScheduler, 1)}
    kind, first = kinds[order.solver]
    solver = kind(prediction_type="flow_prediction", use_flow_sigmas=True)
    solver.set_timesteps(order.steps)
    levels = np.linspace(first, 0, order.steps + 1)
    levels = order.shift * levels / (1 + (order.shift - 1) * levels)
    solver.sigmas = torch.from_numpy(levels).float()
    solver.timesteps = torch.from_numpy(levels[:-1] * solver.config.num_train_timesteps).to(device, torch.int64)
    solver.set_begin_index(0)
    return solver


@contextmanager
def _stopping(parts: WanAnimatePipeline, device: torch.device, stop: Stop) -> Iterator[Look]:
    """Call stop before each block of the transformer and each latent frame of the VAE, and in the yielded look."""
    wait = _keeping_up(device)

    def look() -> None:
        wait()
        if stop():
            raise Stopped

    watched = (*parts.transformer.blocks, parts.vae.encoder, parts.vae.decoder)
    try:
        with orders.looking(watched, look):
            yield look
    finally:
        parts.vae.clear_cache()  # of frames, if it was stopped midway


def _keeping_up(device: torch.device) -> Callable[[], None]:
    """Return a function that waits for the block before the last: Python would queue many, and delay a stop."""
    queued: list[torch.cuda.Event] = []

    def wait() -> None:
        if device.type == "cuda":
            queued.append(torch.cuda.current_stream(device).record_event())
            if len(queued) > 1:
                queued.pop(0).synchronize()

    return wait
