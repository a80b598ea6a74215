# SPDX-License-Identifier: Apache-2.0
"""Losses by margins, and of sequences without times: values and gradients as the host's, none of it there."""
from __future__ import annotations

import unittest

import torch
import torch.nn.functional as F
from test_operators import DEVICE, INTEGERS, to_device
from test_pooling import ATEN, Pooling

WIDE = (torch.float32, torch.float64)
REDUCTIONS = ("none", "mean", "sum")


class OneClass(Pooling):
    def test_values_and_gradients(self) -> None:
        scores, target, weight = torch.randn(9, 5), torch.randint(0, 5, (9,)), torch.rand(5)
        for dtype in WIDE:
            for reduction in REDUCTIONS:
                for options in ({}, {"p": 2, "margin": 0.4}, {"margin": 3}):
                    for x in (scores, scores.t().contiguous().t(), torch.randn(9, 10)[:, ::2]):
                        self.compare(lambda x: F.multi_margin_loss(x, target.to(x.device), reduction=reduction, **options), x.to(dtype), gradients=True)
                        self.compare(
                            lambda x: F.multi_margin_loss(x, target.to(x.device), weight=weight.to(x), reduction=reduction, **options),
                            x.to(dtype), gradients=True,
                        )  # fmt: skip
                self.compare(lambda x: F.multi_margin_loss(x, target[0].to(x.device), reduction=reduction), scores[0].to(dtype), gradients=True)
                self.compare(lambda x: F.multi_margin_loss(x, target[:1].to(x.device), reduction=reduction), scores[0].to(dtype), gradients=True)

    def test_outputs_that_are_given_and_what_is_wrong(self) -> None:
        scores, target = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
        loss, backward = ATEN.multi_margin_loss, ATEN.multi_margin_loss_backward
        out = torch.zeros(8, device=DEVICE)
        loss.out(scores.to(DEVICE), target.to(DEVICE), 1, 1, None, 0, out=out[::2])
        torch.testing.assert_close(out[::2].cpu(), loss(scores, target, 1, 1, None, 0))
        self.assertEqual(out[1::2].tolist(), [0] * 4)
        self.message(lambda x, t: loss(x, t, 3), scores, target)
        self.message(loss, scores, target[:3])
        self.message(loss, scores[:, :0], target)
        self.message(loss, scores.view(2, 2, 3), target)
        self.message(loss, scores, target.int())
        self.message(lambda x, t, w: loss(x, t, 1, 1, w), scores, target, torch.ones(4))
        self.message(lambda x, t, w: loss(x, t, 1, 1, w), scores, target, torch.ones(3).double())
        self.message(lambda g, x, t: backward(g, x, t, 3, 1), torch.tensor(1.0), scores, target)
        for dtype in (*INTEGERS, torch.float16, torch.bfloat16):
            self.message(loss, scores.to(dtype), target)

    def test_a_target_that_is_no_class_makes_not_a_number(self) -> None:
        scores = torch.randn(3, 4, device=DEVICE).requires_grad_()
        losses = F.multi_margin_loss(scores, torch.tensor([1, 4, -1], device=DEVICE), reduction="none")
        self.assertEqual(losses.isnan().tolist(), [False, True, True])
        losses.sum().backward()
        self.assertEqual(scores.grad.isnan().any(1).tolist(), [False, True, True])


class SeveralClasses(Pooling):
    TARGETS = torch.tensor([[3, 0, -1, 1, 2], [-1, 0, 1, 2, 3], [4, 3, 2, 1, 0], [2, 2, -1, -1, -1]])

    def test_values_and_gradients(self) -> None:
        scores = torch.randn(4, 5)
        for dtype in WIDE:
            for reduction in REDUCTIONS:
                for x, target in ((scores, self.TARGETS), (scores.t().contiguous().t(), self.TARGETS), (scores[0], self.TARGETS[0])):
                    self.compare(lambda x: F.multilabel_margin_loss(x, target.to(x.device), reduction=reduction), x.to(dtype), gradients=True)
        self.compare(lambda x, t: ATEN.multilabel_margin_loss_forward(x, t, 1), scores, self.TARGETS)

    def test_what_is_wrong(self) -> None:
        scores, loss = torch.randn(4, 5), ATEN.multilabel_margin_loss_forward
        self.message(lambda x, t: loss(x, t, 1), scores, self.TARGETS[:3])
        self.message(lambda x, t: loss(x, t, 1), scores[:, :0], self.TARGETS[:, :0])
        self.message(lambda x, t: loss(x, t, 1), scores, self.TARGETS.int())
        self.message(lambda x, t: loss(x, t, 1), scores.half(), self.TARGETS)
        found, _ = loss(to_device(scores), to_device(torch.tensor([[5, -1, -1, -1, -1], [-2] * 5, [0, -1, 9, 9, 9], [-1] * 5])), 0)
        self.assertEqual(found.isnan().tolist(), [True, True, False, False])


class Sequences(Pooling):
    def check(self, steps: int, members: int, labels: int, input_lengths: list[int], target_lengths: list[int], blank: int = 0, joined: bool = False) -> None:
        width = max(target_lengths) + 1
        targets = torch.randint(0, labels, (members, width))
        targets[targets == blank] = (blank + 1) % labels
        if joined:
            targets = torch.cat([row[:length] for row, length in zip(targets, target_lengths)])
        for dtype in WIDE:
            scores = torch.randn(steps, members, labels).to(dtype)
            for reduction in REDUCTIONS:
                for zero in (False, True):
                    for kind in (torch.int64, torch.int32):
                        with self.subTest(dtype=dtype, reduction=reduction, zero=zero, kind=kind):
                            of = {}
                            for place in ("cpu", DEVICE):
                                x = scores.to(place, copy=True).requires_grad_()
                                losses = F.ctc_loss(
                                    x.log_softmax(-1), targets.to(place, kind), input_lengths, target_lengths, blank, reduction, zero_infinity=zero
                                )
                                losses.backward(torch.arange(1.0, losses.numel() + 1).view(losses.shape).to(losses))
                                of[place] = losses.detach().cpu(), x.grad.cpu()
                            torch.testing.assert_close(of[DEVICE], of["cpu"], rtol=1e-5, atol=1e-5, equal_nan=True)

    def test_values_and_gradients(self) -> None:
        self.check(12, 4, 6, [12, 9, 11, 3], [5, 1, 4, 2])
        self.check(12, 4, 6, [12, 9, 11, 3], [5, 0, 4, 2], blank=3, joined=True)
        self.check(7, 2, 2, [7, 6], [3, 2])

    def test_sequences_that_cannot_be(self) -> None:
        self.check(5, 3, 4, [5, 2, 1], [2, 4, 3])
        self.check(5, 4, 4, [5, 0, 0, 4], [2, 1, 0, 0])

    def test_more_members_than_a_launch_takes(self) -> None:
        members = 70
        self.check(9, members, 5, [5 + i % 5 for i in range(members)], [i % 4 for i in range(members)])
        self.check(9, members, 5, [5 + i % 5 for i in range(members)], [1 + i % 4 for i in range(members)], joined=True)

    def test_lengths_that_are_tensors(self) -> None:
        logarithms, targets = torch.randn(6, 2, 4).log_softmax(-1), torch.tensor([[1, 2, 3], [2, 2, 1]])
        for lengths in (torch.tensor([6, 5]), torch.tensor([6, 5], dtype=torch.int32)):
            self.compare(lambda x, t, a, b: F.ctc_loss(x, t, a, b), logarithms, targets, lengths, lengths // 2)
        self.compare(lambda x, t: F.ctc_loss(x, t, torch.tensor([6, 5]), torch.tensor([3, 2])), logarithms, targets)
        self.compare(lambda x: F.ctc_loss(x[:, 0], torch.tensor([1, 2], device=x.device), torch.tensor(6), torch.tensor(2)), logarithms)

    def test_layouts(self) -> None:
        targets = torch.tensor([[1, 2, 3], [2, 2, 1]])
        logarithms = torch.randn(2, 6, 4).log_softmax(-1).transpose(0, 1)
        expected, alpha = ATEN._ctc_loss(logarithms, targets.t().contiguous().t(), [6, 6], [3, 3])
        found, _ = ATEN._ctc_loss(to_device(logarithms), to_device(targets.t().contiguous().t()), [6, 6], [3, 3])
        torch.testing.assert_close(found.cpu(), expected)

    def test_a_label_that_is_none_makes_not_a_number(self) -> None:
        logarithms = torch.randn(5, 3, 4, device=DEVICE).log_softmax(-1).requires_grad_()
        losses = F.ctc_loss(logarithms, torch.tensor([[1, 2], [4, 1], [-3, 1]], device=DEVICE), [5] * 3, [2] * 3, reduction="none")
        self.assertEqual(losses.isnan().tolist(), [False, True, True])
        losses.sum().backward()
        self.assertEqual(logarithms.grad.isnan().all(-1).all(0).tolist(), [False, True, True])

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        logarithms, targets = torch.randn(4, 2, 3).log_softmax(-1), torch.tensor([[1, 2], [1, 1]])
        loss = ATEN._ctc_loss
        for lengths in (([4, 3], [2, 1], 3), ([4], [2, 1]), ([4, 3], [2]), ([5, 3], [2, 1]), ([4, 3], [3, 1]), ([4, 3], [-1, 1]), ([4, -3], [1, 1])):
            self.message(lambda x, t: loss(x, t, *lengths), logarithms, targets)
        self.message(lambda x, t: loss(x, t, [4, 3], [2, 1]), logarithms[0], targets)
        self.message(lambda x, t: loss(x, t, [4, 3], [2, 1]), logarithms, targets.view(1, 2, 2))
        self.message(lambda x, t: loss(x, t, [4, 3], [2, 1]), logarithms, targets[:1])
        self.message(lambda x, t: loss(x, t, [4, 3], [2, 1]), logarithms, targets.view(-1))
        self.message(lambda x, t: loss(x, t, [], []), logarithms[:, :0], targets[:0])
        self.message(lambda x, t: loss(x, t, [4, 3], [2, 1]), logarithms.half(), targets)
        self.message(lambda x, t, n: loss(x, t, n, n.long()), logarithms, targets, torch.tensor([2.0, 1.0]))


if __name__ == "__main__":
    unittest.main()
