"""Behaves like Wan's preprocess_data.py; FAKE_PREPROCESS tells how to go wrong."""

import argparse
import os

from process_pipepline import behave, write

parser = argparse.ArgumentParser()
for name in ("--ckpt_path", "--video_path", "--refer_path", "--save_path"):
    parser.add_argument(name)
parser.add_argument("--resolution_area", type=int, nargs=2, default=[1280, 720])
parser.add_argument("--fps", type=int, default=30)
for name, value in (("--iterations", 3), ("--k", 7), ("--w_len", 1), ("--h_len", 1)):
    parser.add_argument(name, type=int, default=value)
for name in ("--replace_flag", "--retarget_flag", "--use_flux"):
    parser.add_argument(name, action="store_true")

if __name__ == "__main__":
    args = parser.parse_args()
    print(vars(args), flush=True)
    assert not (args.retarget_flag and args.replace_flag), "retargeting is for animation"
    assert os.getcwd() == os.path.dirname(os.path.abspath(__file__)), "another working directory"
    det = os.path.join(args.ckpt_path, "det/yolov10m.onnx")
    if not os.path.exists(det):
        raise RuntimeError(f"{det} is not existed!")
    for path in (args.video_path, args.refer_path):
        assert os.path.getsize(path)
    how = os.environ.get("FAKE_PREPROCESS", "")
    behave(how)
    names = ["src_face.mp4", "src_pose.mp4", "src_ref.png"]
    if args.replace_flag and how != "nothing":
        names += ["src_bg.mp4", "src_mask.mp4"]
    if how != "nothing":
        write(args.video_path, args.save_path, names)
