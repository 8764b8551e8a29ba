"""The preprocessing for Wan-Animate: a stand-in that is called as the real one is."""

import argparse
import os

from process_pipepline import ProcessPipeline, StandIn  # the real one imports the first


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The preprocessing pipeline for Wan-animate.")
    for name in ("--ckpt_path", "--video_path", "--refer_path", "--save_path"):
        parser.add_argument(name)
    parser.add_argument("--resolution_area", type=int, nargs=2, default=[1280, 720])
    parser.add_argument("--fps", type=int, default=30)
    for name in ("--replace_flag", "--retarget_flag", "--use_flux"):
        parser.add_argument(name, action="store_true")
    for name, value in (("--iterations", 3), ("--k", 7), ("--w_len", 1), ("--h_len", 1)):
        parser.add_argument(name, type=int, default=value)
    return parser.parse_args()


if __name__ == "__main__":
    args = _parse_args()
    print(vars(args))
    assert not args.use_flux or args.retarget_flag, "Image editing with FLUX can only be used when pose retargeting is enabled."
    pipeline = StandIn(
        det_checkpoint_path=os.path.join(args.ckpt_path, "det/yolov10m.onnx"),
        pose2d_checkpoint_path=os.path.join(args.ckpt_path, "pose2d/vitpose_h_wholebody.onnx"),
        sam_checkpoint_path=os.path.join(args.ckpt_path, "sam2/sam2_hiera_large.pt") if args.replace_flag else None,
        flux_kontext_path=os.path.join(args.ckpt_path, "FLUX.1-Kontext-dev") if args.use_flux else None,
    )
    os.makedirs(args.save_path, exist_ok=True)
    pipeline(
        video_path=args.video_path,
        refer_image_path=args.refer_path,
        output_path=args.save_path,
        resolution_area=args.resolution_area,
        fps=args.fps,
        replace_flag=args.replace_flag,
    )
