"""The blend on the CPU against a plain numpy version, and its guarantees."""

import unittest

import numpy as np
from faceblend_native import CpuBlender, Look, _core, blend_into, open_blender
from faceblend_native.cuda import Unavailable


def images(height, width, seed=0):
    random = np.random.default_rng(seed)
    region = random.integers(0, 256, (height, width, 3), np.uint8)
    patch = random.integers(40, 120, (height, width, 3), np.uint8)
    mask = random.choice(np.array([0, 90, 255, 255], np.uint8), (height, width))
    return region, patch, mask


def reference(region, patch, mask, look):
    """The blend step by step in float64: space, statistics, back, feather, mix."""
    m = look.from_rgb.astype(float)
    under, over = region @ m.T, patch @ m.T
    weight = mask.astype(float)[..., None]
    stats = []
    for image in (under, over):
        mean = (image * weight).sum((0, 1)) / weight.sum()
        stats.append((mean, np.sqrt(((image - mean) ** 2 * weight).sum((0, 1)) / weight.sum())))
    (mean_r, std_r), (mean_p, std_p) = stats
    ratio = np.clip(std_r / std_p, *look.limits.astype(float))
    gain = 1 + look.strength * (ratio - 1)
    matched = (over - mean_p) * gain + mean_p + look.strength * (mean_r - mean_p)
    coloured = np.clip(matched @ np.linalg.inv(m).T, 0, 255)
    blurred = mask.astype(float)
    for axis in (0, 1):
        blurred = np.apply_along_axis(lambda v: np.convolve(v, look.taps, "full"), axis, blurred)
        radius = look.taps.size // 2
        blurred = np.take(blurred, range(radius, radius + mask.shape[axis]), axis)
    alpha = np.minimum(np.clip(2 * blurred - 255, 0, 255), mask)[..., None] / 255
    return region + alpha * (coloured - region)


class CpuTest(unittest.TestCase):
    def test_agrees_with_numpy(self):
        for height, width in ((40, 60), (33, 1), (1, 50), (7, 7)):
            region, patch, mask = images(height, width)
            mask[0, 0] = 255
            if mask.size > 60:
                mask[5:30, :] = 255
            with self.subTest(height=height, width=width):
                got = CpuBlender().blend(region, patch, mask, Look())
                gap = np.abs(got - reference(region, patch, mask, Look()))
                self.assertLess(gap.max(), 0.51)  # half for the rounding, and float32

    def test_takes_the_mean_and_the_spread_of_the_region(self):
        random = np.random.default_rng(1)
        region = random.integers(90, 160, (80, 80, 3), np.uint8)
        patch = random.integers(10, 60, (80, 80, 3), np.uint8)
        got = CpuBlender().blend(region, patch, np.full((80, 80), 255, np.uint8), Look())
        inner = (slice(10, -10), slice(10, -10))
        np.testing.assert_allclose(got[inner].mean((0, 1)), region[inner].mean((0, 1)), atol=1)
        np.testing.assert_allclose(got[inner].std((0, 1)), region[inner].std((0, 1)), rtol=0.08)

    def test_changes_nothing_outside_the_mask(self):
        region, patch, mask = images(50, 50, seed=2)
        got = CpuBlender().blend(region, patch, mask, Look())
        np.testing.assert_array_equal(got[mask == 0], region[mask == 0])

    def test_empty_mask_and_flat_patch(self):
        region, patch, _ = images(20, 20)
        empty = np.zeros((20, 20), np.uint8)
        np.testing.assert_array_equal(CpuBlender().blend(region, patch, empty, Look()), region)
        flat = np.full_like(patch, 9)
        CpuBlender().blend(region, flat, empty + np.uint8(255), Look())

    def test_moments_count_exactly(self):
        region, patch, mask = images(31, 17, seed=3)
        got = _core.moments(region, patch, mask)
        for row, image in zip(got, (region, patch), strict=True):
            w, (r, g, b) = mask.astype(object), np.moveaxis(image.astype(object), -1, 0)
            terms = (1, r, g, b, r * r, r * g, r * b, g * g, g * b, b * b)
            self.assertEqual(row.tolist(), [int((w * t).sum()) for t in terms])

    def test_refuses_what_does_not_fit(self):
        region, patch, mask = images(8, 9)
        blend = CpuBlender().blend
        for arguments in (
            (region[:7], patch, mask), (region, patch[:, :8], mask), (region, patch, mask[:0]),
            (region[..., 0], patch, mask), (region, patch, mask[0]),
        ):  # fmt: skip
            with self.assertRaises(ValueError):
                blend(*(np.ascontiguousarray(a) for a in arguments), Look())
        with self.assertRaises(TypeError):
            blend(region.astype(float), patch, mask, Look())


class BlendIntoTest(unittest.TestCase):
    def test_leaves_the_rest_and_the_original_alone(self):
        picture, _, _ = images(40, 50)
        before = picture.copy()
        _, patch, mask = images(12, 10, seed=4)
        got = blend_into(CpuBlender(), picture, patch, mask, 40, 28, Look())
        np.testing.assert_array_equal(picture, before)
        inside = np.zeros((40, 50), bool)
        inside[28:, 40:] = True
        np.testing.assert_array_equal(got[~inside], picture[~inside])
        want = CpuBlender().blend(picture[28:, 40:].copy(), patch, mask, Look())
        np.testing.assert_array_equal(got[28:, 40:], want)

    def test_refuses_to_reach_beyond(self):
        picture, _, _ = images(40, 50)
        _, patch, mask = images(12, 10)
        for x, y in ((-1, 0), (0, -1), (41, 0), (0, 29)):
            with self.assertRaisesRegex(ValueError, "beyond"):
                blend_into(CpuBlender(), picture, patch, mask, x, y, Look())


class LookTest(unittest.TestCase):
    def test_refuses_nonsense(self):
        f = np.float32
        for name, value in {
            "taps": np.full(4, 0.25, f), "from_rgb": np.ones((3, 3), f), "strength": np.full(3, 2, f),
            "limits": np.array([2, 1], f),
        }.items():  # fmt: skip
            with self.subTest(name), self.assertRaises(ValueError):
                Look(**{name: value})
        for taps in (np.ones(1), np.full(3, np.nan, f), np.ones(3, f)):
            with self.assertRaises(ValueError):
                Look(taps=taps)


class OpenTest(unittest.TestCase):
    def test_cpu_and_unknown(self):
        self.assertEqual(open_blender("cpu")[0].device, "cpu")
        with self.assertRaises(ValueError):
            open_blender("tpu")

    def test_auto_always_finds_one_and_gpu_says_why_not(self):
        blender, why = open_blender("auto")
        if blender.device != "cpu":
            self.assertEqual(why, "")
            return
        self.assertNotEqual(why, "")
        with self.assertRaises(Unavailable):
            open_blender("gpu")


if __name__ == "__main__":
    unittest.main()
