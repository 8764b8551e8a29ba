"""Orders, and how a film is cut: without torch."""

import unittest
from types import SimpleNamespace

import order
from order import ANIMATION, REPLACEMENT, Order, Segment


class Film(list):
    """Frames that are their numbers; records what was read."""

    def __init__(self, count, height=48, width=64):
        super().__init__(range(count))
        self.count, self.height, self.width = count, height, width
        self.asked = []

    def read(self, kind, start, stop):
        self.asked.append((start, stop))
        return Numbers(self[start:stop])


class Numbers(list):
    """A list that accepts a list of indices, as an array does."""

    def __getitem__(self, at):
        return [list.__getitem__(self, one) for one in at]


def upstream_padded(count, length):
    """Upstream's inputs_padding, as it is in wan/animate.py."""
    at, flip, found = 0, False, []
    while len(found) < length:
        found.append(at)
        at += -1 if flip else 1
        if at in (0, count - 1):
            flip = not flip
    return found


class SegmentsTest(unittest.TestCase):
    def test_are_those_of_upstreams_loop(self):
        for overlap in (1, 5):
            for count in range(6, 400):
                stride = order.CLIP - overlap
                left = (count - overlap) % stride
                target = count + (stride - left if left else 0)
                starts = [start for start in range(0, target, stride) if start + overlap < target]
                pieces = order.segments(count, overlap)
                self.assertEqual([piece.start for piece in pieces], starts, (count, overlap))

    def test_give_each_frame_once(self):
        for overlap in (1, 5):
            for count in range(1, 400):
                pieces = order.segments(count, overlap)
                firsts = [(one.start + one.reused, one.made) for one in pieces]
                given = [at for first, made in firsts for at in range(first, first + made)]
                self.assertEqual(given, list(range(count)), (count, overlap))

    def test_the_first_takes_nothing_over(self):
        self.assertEqual(order.segments(100, 5), [Segment(0, 77, 0, 77), Segment(72, 149, 5, 23)])

    def test_of_a_film_that_upstream_cant_do(self):
        for count in (1, 3, 5):
            self.assertEqual(order.segments(count, 5), [Segment(0, 77, 0, count)])


class FramesTest(unittest.TestCase):
    def test_run_back_and_forth_as_upstreams(self):
        for count in range(2, 90):
            self.assertEqual([order.shown(at, count) for at in range(300)], upstream_padded(count, 300), count)

    def test_of_one_stay(self):
        self.assertEqual([order.shown(at, 1) for at in range(4)], [0, 0, 0, 0])

    def test_are_read_a_segment_at_once_and_no_more(self):
        for count in (1, 2, 30, 77, 78, 100, 153, 160):
            film = Film(count)
            for piece in order.segments(count, 1):
                wanted = [order.shown(at, count) for at in range(piece.start, piece.stop)]
                self.assertEqual(order.read(film, order.POSE, piece), wanted, (count, piece))
            for start, stop in film.asked:
                self.assertLessEqual(stop - start, order.CLIP, (count, start, stop))
                self.assertLessEqual(stop, count)


class ProblemsTest(unittest.TestCase):
    def test_of_upstreams_defaults_are_none(self):
        self.assertEqual(order.problems(Order(ANIMATION, 1), Film(100)), [])
        self.assertEqual(order.problems(Order(REPLACEMENT, 1, relighting=True), Film(1)), [])

    def test_are_told_all_at_once(self):
        wrong = Order("dance", -1, 0, 77, 0.5, 0, "euler", relighting=True)
        found = order.problems(wrong, SimpleNamespace(count=0, height=50, width=64))
        words = "dance", "seed", "0 steps", "refert_num is 77", "cfg", "shift", "euler", "relighting", "no frames", "64x50"
        for word in words:
            self.assertIn(word, "; ".join(found))
        self.assertEqual(len(found), 10)


if __name__ == "__main__":
    unittest.main()
