"""How much memory preprocessing needs, by the size of its pictures: stand-ins for numpy, OpenCV, sam2 and the detectors count them."""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import preprocess

WIDTH, HEIGHT = 1280, 720
HOST = 8 * 10**9
LIBRARIES = 2 * 10**9
"""Of torch, sam2, onnxruntime and their weights, in the same process; generous."""


class Memory:
    """Counts the bytes of the pictures that are alive."""

    def __init__(self):
        self.now = self.peak = 0

    def picture(self, *shape, size=1):
        self.now += (made := Picture(self, shape, size)).bytes
        self.peak = max(self.peak, self.now)
        return made


class Picture:
    """Behaves like an array as far as preprocessing uses one; whatever is computed from it is as large as its shape says."""

    def __init__(self, memory, shape, size):
        self.memory, self.shape, self.size, self.bytes = memory, shape, size, size
        for side in shape:
            self.bytes *= side

    def __del__(self):
        self.memory.now -= self.bytes

    def made(self, *shape):
        return self.memory.picture(*(shape or self.shape), size=self.size)

    def __mul__(self, _):
        return self.made()

    __rsub__ = __truediv__ = __sub__ = __mul__

    def copy(self):
        return self.made()

    def float(self):
        return self.memory.picture(*self.shape, size=4)

    def cuda(self):
        return self

    def asnumpy(self):
        return self

    def __iter__(self):
        return (View(self, self.shape[1:]) for _ in range(self.shape[0]))

    def __getitem__(self, _):
        return View(self, self.shape)


class View:
    """Part of a picture, all of which it keeps alive."""

    def __init__(self, base, shape):
        self.base, self.shape = base, shape

    def __getattr__(self, name):
        return getattr(self.base, name)

    def __mul__(self, _):
        return self.base.made(*self.shape)

    __rsub__ = __mul__

    def __getitem__(self, _):
        return self


class Reader:
    """A film of 720p."""

    def __init__(self, memory, count):
        self.memory, self.count = memory, count

    def __len__(self):
        return self.count

    def get_avg_fps(self):
        return 30

    def get_frame_timestamp(self, _):
        return (self.count - 1) / 30, self.count / 30

    def get_batch(self, wanted):
        return self.memory.picture(len(wanted), HEIGHT, WIDTH, 3)


class Detector:
    """A detector or the pose model: its frames are changed for it, and what it finds has no size; a Mock would keep its calls."""

    def __init__(self, inputs, found):
        self.inputs, self.found = inputs, found

    def preprocess(self, picture, *_):
        return (picture.made(3, 640, 640), picture, picture)[: self.inputs]

    def __call__(self, *_):
        return self.found


class Points:
    """What the pose model finds in a frame, as sure as it is of the best point."""

    def __init__(self, sure):
        self.sure = sure

    def __getitem__(self, _):
        return SimpleNamespace(max=lambda: self.sure)


class Detectors:
    """The methods and attributes of upstream's ProcessPipeline that the streaming loops call."""

    def __init__(self, memory):
        self.memory = memory
        self.pose2d = SimpleNamespace(detector=Detector(2, [[{"bbox": None}]]), model=Detector(3, Points(0.9)))

    def get_mask(self, frames, _, poses):
        return [self.memory.picture(HEIGHT, WIDTH) for _ in poses]


class Writer:
    """Encodes nothing."""

    counts = {}

    def __init__(self, path, size, fps):
        self.name = Path(path).stem
        Writer.counts[self.name] = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write_frame(self, _):
        Writer.counts[self.name] += 1


def upstream(memory, count):
    """Return stand-ins for upstream's module and for those that are imported where they are needed."""
    resized = lambda picture, size, *_: memory.picture(*size, 3)  # noqa: E731
    as_large = lambda picture, *_, **__: memory.picture(*picture.shape)  # noqa: E731
    moved = SimpleNamespace(from_humanapi_meta=lambda pose: pose)
    module = SimpleNamespace(
        cv2=SimpleNamespace(imread=lambda _: memory.picture(1000, 1000, 3), resize=resized, cvtColor=as_large, COLOR_BGR2RGB=4),
        np=SimpleNamespace(zeros_like=as_large, stack=lambda parts, axis: memory.picture(*parts[0].shape, len(parts))),
        VideoReader=lambda _: Reader(memory, count), get_frame_indices=lambda count, *_: list(range(count)), AAPoseMeta=moved,
        draw_aapose_by_meta_new=lambda picture, _: picture, get_face_bboxes=lambda *_, **__: (0, 9, 0, 9),
        resize_by_area=as_large, padding_resize=lambda picture, *size: memory.picture(*size, 3),
        get_retarget_pose=lambda first, own, poses, *_: poses, get_mask_body_img=lambda picture, mask, **_: (picture, as_large(mask)),
        get_aug_mask=lambda mask, **_: as_large(mask),
    )  # fmt: skip
    pose = {"keypoints_face": mock.MagicMock()}
    numpy = SimpleNamespace(concatenate=lambda points, _: points)
    utils = SimpleNamespace(load_pose_metas_from_kp2ds_seq=lambda points, width, height: [pose] * len(points))
    return module, {"numpy": numpy, "pose2d_utils": utils, "moviepy.video.io.ffmpeg_writer": SimpleNamespace(FFMPEG_VideoWriter=Writer)}


class MemoryTest(unittest.TestCase):
    def peak(self, count, sure=None, **flags):
        """Return the bytes of the pictures that are alive at once, of a film of so many frames."""
        memory = Memory()
        module, others = upstream(memory, count)
        made = type("Streamed", (preprocess.Streaming, Detectors), {"upstream": module})(memory)
        if sure:
            made.pose2d.model = lambda *_: Points(sure())
            made.pose2d.model.preprocess = lambda frame, _: (frame, frame, frame)
        given = {"retarget_flag": False, "replace_flag": False, "use_flux": False, "iterations": 1, "k": 19, "w_len": 1, "h_len": 1}
        Writer.counts = {}
        with mock.patch.dict(sys.modules, others), mock.patch("shutil.copy"):
            made("film.mp4", "picture.png", "out", [WIDTH, HEIGHT], 30, **given | flags)
        self.assertEqual(memory.now, 0, "it keeps pictures")
        (written,) = set(Writer.counts.values())
        self.assertIn(written, (count - 1, count))  # as moviepy rounds
        self.assertEqual(len(Writer.counts), 4 if flags.get("replace_flag") else 2)
        return memory.peak

    def test_does_not_grow_with_the_film(self):
        for flags in ({}, {"retarget_flag": True}, {"replace_flag": True}, {"replace_flag": True, "iterations": 0}):
            with self.subTest(flags):
                self.assertEqual(self.peak(1600, **flags), self.peak(800, **flags))

    def test_thirty_seconds_of_720p(self):
        for flags in ({"retarget_flag": True}, {"replace_flag": True}):
            self.assertLess(self.peak(900, **flags), HOST - LIBRARIES)

    def test_a_film_without_a_person(self):
        for flags in ({}, {"retarget_flag": True}, {"replace_flag": True}):
            with self.subTest(flags):
                with self.assertRaisesRegex(SystemExit, "no person was found in the film"):
                    self.peak(100, sure=lambda: 0.4, **flags)
                self.assertNotIn("src_pose", Writer.counts)
                points = iter([0.4] * 99 + [0.5] + [0.4])  # the last frame has one; then comes the picture
                self.peak(100, sure=lambda points=points: next(points), **flags)

    def test_what_sam2_sees_is_made_when_it_looks(self):
        peaks = []
        for count in (50, 100):
            memory = Memory()
            frames = [memory.picture(HEIGHT, WIDTH, 3) for _ in range(count)]
            utils = SimpleNamespace(_load_img_v2_as_tensor=lambda frame, size, memory=memory: (memory.picture(3, size, size), None))
            torch = SimpleNamespace(tensor=mock.MagicMock())
            with mock.patch.dict(sys.modules, {"torch": torch, "sam_utils": utils}):
                images, height, width = preprocess.tracked(frames, 1024, True)
                self.assertEqual((len(images), height, width), (count, HEIGHT, WIDTH))
                before = memory.now
                for at in range(count):
                    images[at]
            peaks.append(memory.peak - before)
            self.assertEqual(memory.now, before)
        self.assertEqual(*peaks)


if __name__ == "__main__":
    unittest.main()
