"""Makes of a film and a picture what generation needs: poses, faces, and to replace somebody a background and a mask."""

import os
import shutil
import time

import cv2
import numpy as np
import torch
from diffusers import FluxKontextPipeline
from loguru import logger
from PIL import Image

try:
    import moviepy.editor as mpy
except:
    import moviepy as mpy

import sam2.modeling.sam.transformer as transformer
from decord import VideoReader
from human_visualization import draw_aapose_by_meta_new
from pose2d import Pose2d
from pose2d_utils import AAPoseMeta
from retarget_pose import get_retarget_pose
from sam_utils import build_sam2_video_predictor
from utils import get_aug_mask, get_face_bboxes, get_frame_indices, get_mask_body_img, padding_resize, resize_by_area


class ProcessPipeline:
    """The one whose loops the worker replaces, which these pictures of two numbers wouldn't survive."""


class StandIn(ProcessPipeline):
    def __init__(self, det_checkpoint_path: str, pose2d_checkpoint_path: str, sam_checkpoint_path: str | None, flux_kontext_path: str | None) -> None:
        self.pose2d = Pose2d(checkpoint=pose2d_checkpoint_path, detector_checkpoint=det_checkpoint_path)
        if sam_checkpoint_path is not None:
            self.predictor = build_sam2_video_predictor("sam2_hiera_l.yaml", sam_checkpoint_path)

    def __call__(self, video_path: str, refer_image_path: str, output_path: str, resolution_area: list[int], fps: float, replace_flag: bool) -> None:
        video = VideoReader(video_path)
        problem = os.environ.get("REHEARSAL_PROBLEM") or video.film.get("problem", "")
        print(f"frame_num: {len(video)}")
        print(f"video_fps: {video.get_avg_fps()}")
        print(f"fps: {fps}")
        _fail(problem)
        target = int(len(video) / video.get_avg_fps() * (fps if fps != -1 else video.get_avg_fps()))
        frames = [resize_by_area((video.film["height"], video.film["width"]), resolution_area[0] * resolution_area[1], divisor=16)] * target
        logger.info("Processing pose meta")
        faces = [cv2.resize(pose["face"], (512, 512)) for pose in self.pose2d(frames, video.film.get("person", True))]
        logger.info(f"Processing reference image: {refer_image_path}")
        assert cv2.imread(refer_image_path) is not None, "the reference is no picture"
        shutil.copy(refer_image_path, os.path.join(output_path, "src_ref.png"))
        logger.info(f"Processing template video: {video_path}")
        films = {"src_face": faces, "src_pose": frames}
        if replace_flag:
            films |= {"src_bg": frames, "src_mask": frames}
        for name, pictures in films.items():
            mpy.ImageSequenceClip(pictures, fps=fps, problem=problem).write_videofile(os.path.join(output_path, f"{name}.mp4"))


def _fail(problem: str) -> None:
    if problem == "preprocess-die":
        os.kill(os.getpid(), 9)
    if problem == "preprocess-hang":
        time.sleep(3600)
    if problem == "preprocess-nothing":
        raise SystemExit(0)
