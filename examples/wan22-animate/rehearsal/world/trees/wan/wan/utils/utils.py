"""Writes films, and says no more than a line where that fails."""

import argparse
import logging
import os

import imageio
import torch
import torchvision


def str2bool(value: str | bool) -> bool:
    if isinstance(value, bool):
        return value
    if value.lower() not in ("yes", "true", "t", "y", "1", "no", "false", "f", "n", "0"):
        raise argparse.ArgumentTypeError("Boolean value expected (True/False)")
    return value.lower() in ("yes", "true", "t", "y", "1")


def save_video(frames: list[tuple[int, int]], save_file: str, fps: float, fault: str) -> None:
    """As the real one, it leaves the exit code at 0 whatever happens."""
    try:
        if fault == "save":
            raise OSError(32, "Broken pipe")
        writer = imageio.get_writer(save_file, fps=fps, codec="libx264", quality=8)
        for frame in frames:
            writer.append_data(frame)
        writer.close()
        if fault == "empty":
            os.truncate(save_file, 0)
    except Exception as e:
        logging.info(f"save_video failed, error: {e}")


def merge_video_audio(video_path: str, audio_path: str) -> None:
    raise NotImplementedError("of another task")
