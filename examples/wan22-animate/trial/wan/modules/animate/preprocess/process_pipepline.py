"""Upstream's module of that name, on a machine without a GPU.

Each replacement says what it stands for; all else is upstream's. UPSTREAM is the directory with its package wan.
"""

import functools
import importlib.util
import os
import sys
import types

import torch

HERE = os.path.join(os.environ.get("UPSTREAM", "/opt/Wan2.2"), "wan/modules/animate/preprocess")
sys.path.insert(0, HERE)


class OnCPU(types.ModuleType):
    """torch, where every device is the CPU."""

    device = staticmethod(lambda *_: torch.device("cpu"))

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


torch.Tensor.cuda = lambda self, *_, **__: self  # moves frames to the card

import sam_utils  # noqa: E402
import video_predictor  # noqa: E402

video_predictor.torch = OnCPU("torch")  # it names the device of its state
sam_utils.build_sam2_video_predictor = functools.partial(  # upstream's is the large configuration, on the card
    lambda build, _, weights: build(
        "sam2_hiera_t.yaml", weights, device="cpu", hydra_overrides_extra=["++model.image_size=256"]
    ),
    sam_utils.build_sam2_video_predictor,
)


def with_frames(init: object) -> object:
    """Add what the image's commit does and PyPI's release of upstream doesn't (Wan2.2 pull request 158)."""

    def made(self: object, *args: object, **options: object) -> dict:
        state = init(self, *args, **options)
        state.setdefault("frames_tracked_per_obj", {})
        return state

    return made


video_predictor.SAM2VideoPredictor.init_state_v2 = with_frames(video_predictor.SAM2VideoPredictor.init_state_v2)

spec = importlib.util.spec_from_file_location(__name__, os.path.join(HERE, "process_pipepline.py"))
sys.modules[__name__] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[__name__])
