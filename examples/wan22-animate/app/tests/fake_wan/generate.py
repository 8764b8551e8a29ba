"""Behaves like Wan's generate.py with --task animate-14B; FAKE_GENERATE tells how to go wrong."""

import argparse
import os
import signal
import sys
import time

import wan  # noqa: F401 (found beside this file, or not at all)

parser = argparse.ArgumentParser()
parser.add_argument("--task")
parser.add_argument("--size", default="1280*720", choices=["1280*720", "720*1280"])
parser.add_argument("--ckpt_dir")
parser.add_argument("--src_root_path")
parser.add_argument("--save_file")
parser.add_argument("--base_seed", type=int, default=-1)
parser.add_argument("--sample_steps", type=int, default=None)
parser.add_argument("--refert_num", type=int, default=77)
parser.add_argument("--replace_flag", action="store_true")
parser.add_argument("--use_relighting_lora", action="store_true")


def load(args):
    """Open what the real one opens."""
    for name in ("models_t5_umt5-xxl-enc-bf16.pth", "config.json"):
        with open(os.path.join(args.ckpt_dir, name), "rb") as file:
            file.read()


def sources(args):
    """Read what preprocessing left."""
    names = ["src_pose.mp4", "src_face.mp4", "src_ref.png"]
    for name in names + (["src_bg.mp4", "src_mask.mp4"] if args.replace_flag else []):
        with open(os.path.join(args.src_root_path, name), "rb") as file:
            assert file.read()


def sample(args, how):
    """Show a bar a clip, as tqdm does."""
    print("real frames: 60 target frames: 153", flush=True)
    for _ in range(2):
        for step in range(args.sample_steps + 1):
            sys.stderr.write(f"\r {100 * step // args.sample_steps}%|####      | {step}/{args.sample_steps} [00:01<00:02]")
        sys.stderr.write("\n")
        sys.stderr.flush()
    if how == "hang":
        import subprocess

        child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
        held = subprocess.Popen([sys.executable, "-S", "-c", child])
        with open(os.environ["FAKE_PIDS"], "w") as file:
            file.write(f"{os.getpid()} {held.pid}")
        time.sleep(60)
    if how == "die":
        raise ValueError("something in /opt/Wan2.2/wan/animate.py broke at https://secret.example/?token=abc")
    if how == "oom":
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
    if how == "device":
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if how in ("SIGKILL", "SIGSEGV"):
        os.kill(os.getpid(), signal.Signals[how])


def save_video(path, how):
    """Swallow what goes wrong, as the real one does."""
    content = b"\0\0\0\x18ftypisom\nabout duration=1.9 width=1264 height=704 fps=30 sound=0\n" + b"\0" * 2000
    try:
        if how == "save-error":
            raise RuntimeError("cannot write /tmp/x.mp4")
        if how == "save-full":
            path = "/dev/full"
        if how == "short":
            content = content[:100]
        if how == "garbage":
            content = b"\0" * 3000
        if how != "nothing":
            with open(path, "wb") as file:
                file.write(content)
    except Exception as e:
        print(f"save_video failed, error: {e}")


if __name__ == "__main__":
    args = parser.parse_args()
    assert args.task == "animate-14B"
    how = os.environ.get("FAKE_GENERATE", "")
    load(args)
    print("Creating WanAnimate", flush=True)
    assert args.refert_num == 1 or args.refert_num == 5, "refert_num should be 1 or 5."
    sources(args)
    sample(args, how)
    save_video(args.save_file, how)
    print("Finished.")
