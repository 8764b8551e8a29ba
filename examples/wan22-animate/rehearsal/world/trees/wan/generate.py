"""Makes films by Wan2.2: a stand-in for its task animate-14B."""

import argparse
import logging
import os
import random
import sys
import warnings

warnings.filterwarnings("ignore")

import torch
import torch.distributed as dist
from PIL import Image

import wan
from wan.configs import MAX_AREA_CONFIGS, SIZE_CONFIGS, SUPPORTED_SIZES, WAN_CONFIGS
from wan.distributed.util import init_distributed_group
from wan.utils.prompt_extend import DashScopePromptExpander, QwenPromptExpander
from wan.utils.utils import merge_video_audio, save_video, str2bool


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Generate a image or video from a text prompt or image using Wan")
    parser.add_argument("--task", default="t2v-A14B", choices=list(WAN_CONFIGS))
    parser.add_argument("--size", default="1280*720", choices=list(SIZE_CONFIGS))
    parser.add_argument("--ckpt_dir")
    parser.add_argument("--offload_model", type=str2bool)
    parser.add_argument("--save_file")
    parser.add_argument("--prompt")
    parser.add_argument("--sample_solver", default="unipc", choices=["unipc", "dpm++"])
    for name in ("--frame_num", "--sample_steps"):
        parser.add_argument(name, type=int)
    for name in ("--sample_shift", "--sample_guide_scale"):
        parser.add_argument(name, type=float)
    parser.add_argument("--base_seed", type=int, default=-1)
    parser.add_argument("--ulysses_size", type=int, default=1)
    parser.add_argument("--src_root_path")
    parser.add_argument("--refert_num", type=int, default=77, help="How many frames used for temporal guidance. Recommended to be 1 or 5.")
    for name in ("--t5_cpu", "--t5_fsdp", "--dit_fsdp", "--convert_model_dtype", "--replace_flag", "--use_relighting_lora"):
        parser.add_argument(name, action="store_true")
    args = parser.parse_args()
    assert args.ckpt_dir is not None, "Please specify the checkpoint directory."
    assert args.task == "animate-14B", f"Unsupport task: {args.task}"
    assert args.size in SUPPORTED_SIZES[args.task], f"Unsupport size {args.size} for task {args.task}"
    if args.base_seed < 0:
        args.base_seed = random.randint(0, sys.maxsize)
    return args


def generate(args: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(levelname)s: %(message)s", handlers=[logging.StreamHandler(stream=sys.stdout)])
    config = WAN_CONFIGS[args.task]
    logging.info(f"Generation job args: {args}")
    logging.info("Creating Wan-Animate pipeline.")
    pipeline = wan.WanAnimate(config=config, checkpoint_dir=args.ckpt_dir, use_relighting_lora=args.use_relighting_lora)
    logging.info("Generating video ...")
    frames, fault = pipeline.generate(
        src_root_path=args.src_root_path,
        replace_flag=args.replace_flag,
        refert_num=args.refert_num,
        sampling_steps=args.sample_steps or config.sample_steps,
    )
    save_file = args.save_file or f"{args.task}_{os.getpid()}.mp4"
    logging.info(f"Saving generated video to {save_file}")
    save_video(frames, save_file, config.sample_fps, fault)
    torch.cuda.synchronize()
    logging.info("Finished.")


if __name__ == "__main__":
    generate(_parse_args())
