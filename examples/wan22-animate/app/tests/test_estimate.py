"""How long jobs take."""

import unittest

import estimate
from estimate import Speed, Work


def work(**changes):
    return Work(**{"frames": 300, "width": 1280, "height": 720, "steps": 20, "overlap": 1, "guided": False, "replaces": False} | changes)


class EstimateTest(unittest.TestCase):
    def test_as_users_report_it(self):
        h100 = estimate.of_card("NVIDIA H100 80GB HBM3")
        self.assertAlmostEqual(h100.step(work()), 13, delta=0.5)
        minutes = estimate.total(work(), h100, True) / 60  # ten seconds: four segments of twenty steps
        self.assertTrue(17 < minutes < 22, minutes)

    def test_cards(self):
        steps = [estimate.of_card(name).step(work()) for name in ("NVIDIA B200", "NVIDIA H100 PCIe", "NVIDIA L40S", "NVIDIA A100 80GB PCIe", "NVIDIA GeForce RTX 4090", "NVIDIA L4")]
        self.assertEqual(steps, sorted(steps))
        for name, peak in (("NVIDIA L40", 181), ("NVIDIA L40S", 362), ("NVIDIA H200", 989), ("NVIDIA RTX 6000 Ada Generation", 364), ("NVIDIA A40", 155)):
            self.assertEqual(estimate.of_card(name).rate, peak * 1e12 * estimate.SHARE, name)

    def test_what_makes_a_job_long(self):
        speed = estimate.of_card("NVIDIA H100")
        base = estimate.sampling(work(), speed)
        self.assertEqual(estimate.sampling(work(steps=40), speed), 2 * base)
        self.assertEqual(estimate.sampling(work(guided=True), speed), 2 * base)
        self.assertLess(estimate.sampling(work(width=832, height=480), speed), base / 2.3)
        self.assertEqual([work(frames=n).segments for n in (5, 77, 78, 153, 154)], [1, 1, 2, 2, 3])
        self.assertEqual([work(frames=n, overlap=5).segments for n in (77, 78, 149, 150)], [1, 2, 2, 3])
        self.assertGreater(estimate.preparing(work(replaces=True)), estimate.preparing(work()))

    def test_what_is_measured_counts(self):
        learned = estimate.of_card("NVIDIA H100").after(work(), 26)
        self.assertAlmostEqual(learned.step(work()), 26)
        self.assertAlmostEqual(learned.step(work(guided=True)), 52)
        self.assertTrue(learned.measured)
        self.assertEqual(learned.after(work(), 0), learned)

    def test_an_unknown_card(self):
        none = estimate.of_card("something new")
        self.assertEqual((none, estimate.total(work(), none, True)), (Speed(), 0))
        self.assertEqual(estimate.timeout(work(), none), estimate.BLIND)
        self.assertGreater(estimate.deadline(work(), none), 4 * estimate.BLIND)

    def test_a_deadline_leaves_room(self):
        for card in ("NVIDIA B200", "NVIDIA L4"):
            speed = estimate.of_card(card)
            self.assertGreater(estimate.deadline(work(), speed), 2.5 * estimate.total(work(), speed, False))
            self.assertGreater(estimate.timeout(work(), speed), 2 * speed.step(work()))
