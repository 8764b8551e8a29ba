"""Wan2.2's own preprocessing, without all of a film's frames in memory.

    preprocess.py SCRIPT [ITS ARGUMENTS]

Upstream's loops keep each kind of picture of the whole film, 12 GB for 30 s at 720p, and sam2's
frames as floats, 5 GB on the card. These call the same functions with the same values, but read
frames when they are needed, and encode pictures when they are made: the files are the same, byte
for byte. A film that shows nobody is an error here; upstream makes black poses of it.
"""

import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

TRACKED = 400
"""Frames that upstream gives to sam2 at once: with the next ones it begins anew."""
READ = 32
"""Frames to decode at once."""
DRAWN = 0.5
"""Confidence from which upstream draws a point."""
FACE_SIDE = 512


def main(arguments: list[str]) -> None:
    """Run upstream's script with the loops of this file."""
    script = Path(arguments[0])
    sys.path[0] = str(script.parent)  # its modules are imported from its own directory, as if it had been started
    upstream = import_module("process_pipepline")
    upstream.ProcessPipeline = type("Streamed", (Streaming, upstream.ProcessPipeline), {"upstream": upstream})
    import_module("video_predictor").load_video_frames_v2 = tracked
    sys.argv = arguments
    runpy.run_path(str(script), run_name="__main__")


class Streaming:
    """Upstream's ProcessPipeline with loops that stream: a mixin, since upstream is imported late."""

    upstream: object
    """Its module, with all that it imports."""

    def __call__(
        self, video_path: str, refer_image_path: str, output_path: str, resolution_area: list[int], fps: int,
        iterations: int, k: int, w_len: int, h_len: int, retarget_flag: bool, use_flux: bool, replace_flag: bool,
    ) -> None:  # fmt: skip
        """Write the files of a film and a picture."""
        if use_flux:
            raise ValueError("editing pictures with FLUX is not supported")
        self._area = resolution_area[0] * resolution_area[1]
        shutil.copy(refer_image_path, Path(output_path, "src_ref.png"))
        picture = self.upstream.cv2.imread(refer_image_path)[..., ::-1]
        film = Film(self.upstream, video_path, fps)
        with Videos(Path(output_path), fps, len(film)) as out:
            if replace_flag:
                self._replace(film, out, lambda mask: self._grown(mask, iterations, k, w_len, h_len))
            else:
                self._animate(film, self._resized(picture), out, retarget_flag)

    def _replace(self, film: "Film", out: "Videos", grown: object) -> None:
        for frames, points in self._found(film, TRACKED, self._resized):
            poses = metas(points, frames[0])[-len(frames) :]
            for frame, pose in zip(frames, poses, strict=True):
                out.write("src_face", self._face(frame, pose))
                meta = self.upstream.AAPoseMeta.from_humanapi_meta(pose)
                out.write("src_pose", self.upstream.draw_aapose_by_meta_new(self.upstream.np.zeros_like(frame), meta))
            masks = self.get_mask(frames, TRACKED, poses)
            while masks:
                frame, mask = frames.pop(0), grown(masks.pop(0))
                out.write("src_bg", frame * (1 - mask[:, :, None]))
                out.write("src_mask", self.upstream.np.stack([mask * 255] * 3, axis=2))

    def _animate(self, film: "Film", picture: "np.ndarray", out: "Videos", retarget: bool) -> None:
        for frames, points in self._found(film, READ, lambda frame: frame):
            for frame, pose in zip(frames, metas(points, frames[0])[-len(frames) :], strict=True):
                out.write("src_face", self._face(frame, pose))
            first = frames[0]
        poses = metas(points, first)
        if retarget:
            own = metas([self._points(picture)], picture)[0]
            drawn = self.upstream.get_retarget_pose(metas(points[:1], first)[0], own, poses, None, None)
        else:
            drawn = (self.upstream.AAPoseMeta.from_humanapi_meta(pose) for pose in poses)
        black = self.upstream.np.zeros_like(picture if retarget else first)
        for meta in drawn:
            made = self.upstream.draw_aapose_by_meta_new(black.copy(), meta)
            out.write("src_pose", made if retarget else self.upstream.padding_resize(made, *picture.shape[:2]))

    def _found(self, film: "Film", count: int, change: object) -> Iterator[tuple[list, list]]:
        """Yield the next frames, and the points in all until then."""
        points, seen = [], False
        for start in range(0, len(film), count):
            frames = [change(frame) for frame in film.read(start, start + count)]
            points += [self._points(frame) for frame in frames]
            seen = seen or any(found[..., 2].max() >= DRAWN for found in points[start:])
            if not seen and len(points) >= len(film):  # upstream takes any points for a person, and draws nothing
                raise SystemExit("no person was found in the film")
            yield frames, points

    def _points(self, frame: "np.ndarray") -> "np.ndarray":
        """Return what Pose2d finds in a frame, before it becomes a pose."""
        frame = self.upstream.cv2.cvtColor(frame, self.upstream.cv2.COLOR_BGR2RGB)
        detector, model = self.pose2d.detector, self.pose2d.model
        small, size = detector.preprocess(frame)
        person = detector(small[None], size[None])[0][0]["bbox"]
        small, center, scale = model.preprocess(frame, person)
        return model(small[None], center[None], scale[None])

    def _resized(self, frame: "np.ndarray") -> "np.ndarray":
        return self.upstream.resize_by_area(frame, self._area, divisor=16)

    def _face(self, frame: "np.ndarray", pose: dict) -> "np.ndarray":
        points = pose["keypoints_face"][:, :2]
        left, right, top, bottom = self.upstream.get_face_bboxes(points, scale=1.3, image_shape=frame.shape[:2])
        return self.upstream.cv2.resize(frame[top:bottom, left:right], (FACE_SIDE, FACE_SIDE))

    def _grown(self, mask: "np.ndarray", iterations: int, k: int, w_len: int, h_len: int) -> "np.ndarray":
        if not iterations:
            return mask
        _, mask = self.upstream.get_mask_body_img(mask[:, :, None], mask, iterations=iterations, k=k)
        return self.upstream.get_aug_mask(mask, w_len=w_len, h_len=h_len)


def metas(points: list, frame: "np.ndarray") -> list[dict]:
    """Return the poses of points in frames of this one's size; one without a body gets the one before."""
    height, width = frame.shape[:2]
    found = import_module("numpy").concatenate(points, 0)
    return import_module("pose2d_utils").load_pose_metas_from_kp2ds_seq(found, width=width, height=height)


class Film:
    """A film's frames at another rate, which are those that upstream takes."""

    def __init__(self, upstream: object, path: str, fps: int) -> None:
        self._reader = upstream.VideoReader(path)
        count, rate = len(self._reader), self._reader.get_avg_fps()
        expected = int(self._reader.get_frame_timestamp(-1)[-1] * rate + 0.5)
        if abs((count - expected) / count) > 0.1:
            count = expected
        self._indices = upstream.get_frame_indices(count, rate, int(count / rate * fps), fps)

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, start: int, stop: int) -> Iterator["np.ndarray"]:
        """Yield frames, RGB."""
        wanted = self._indices[start:stop]
        for first in range(0, len(wanted), READ):
            yield from self._reader.get_batch(wanted[first : first + READ]).asnumpy()


class Videos(ExitStack):
    """Encodes videos frame by frame, as moviepy does from a list of them."""

    def __init__(self, directory: Path, fps: int, count: int) -> None:
        super().__init__()
        self._directory, self._fps = directory, fps
        self._most = int(sum([1.0 / fps] * count) * fps)  # moviepy's rounding may lose the last one
        self._writers, self._counts = {}, {}

    def write(self, name: str, frame: "np.ndarray") -> None:
        """Append a frame to a video."""
        if name not in self._writers:
            from moviepy.video.io.ffmpeg_writer import FFMPEG_VideoWriter

            writer = FFMPEG_VideoWriter(str(self._directory / f"{name}.mp4"), frame.shape[1::-1], self._fps)
            self._writers[name], self._counts[name] = self.enter_context(writer), 0
        self._counts[name] += 1
        if self._counts[name] <= self._most:
            self._writers[name].write_frame(frame)


def tracked(frames: list, image_size: int, offload_video_to_cpu: bool, **_: object) -> tuple["Images", int, int]:
    """Return sam2's frames, with the height and the width of the film."""
    return Images(frames, image_size), *frames[0].shape[:2]


class Images:
    """Makes sam2's frames when it asks for them, as upstream's load_video_frames_v2 makes all."""

    def __init__(self, frames: list, size: int) -> None:
        torch = import_module("torch")
        self._make, self._frames, self._size = import_module("sam_utils")._load_img_v2_as_tensor, frames, size
        self._mean, self._std = (
            torch.tensor(values)[:, None, None].cuda() for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> "Tensor":
        image = self._make(self._frames[index], self._size)[0].float().cuda()
        return (image - self._mean) / self._std


if __name__ == "__main__":
    main(sys.argv[1:])
