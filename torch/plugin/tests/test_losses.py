# SPDX-License-Identifier: Apache-2.0
"""Losses and the gradients beside them: as on the host, and none of them runs there."""
from __future__ import annotations

import copy
import unittest
from typing import Any

import torch
import torch.nn.functional as F
from test_norms import DEVICE, FLOATS, SHORT, Native, to_device

REDUCTIONS = ("none", "mean", "sum")


def tolerance(dtype: torch.dtype) -> dict[str, float]:
    # The host adds up in 16 bits.
    return {torch.bfloat16: {"rtol": 0.03, "atol": 0.02}, torch.float16: {"rtol": 0.005, "atol": 0.005}}.get(dtype, {})


class Likelihood(Native):
    def test_types_weights_and_what_is_ignored(self) -> None:
        for dtype in FLOATS:
            for rows, classes in ((7, 5), (300, 33)):
                x = torch.randn(rows, classes).to(dtype)
                target = torch.randint(0, classes, (rows,))
                target[::4] = 1
                for value in (x, torch.cat((x, x), 1)[:, ::2]):
                    for weight, ignored in ((None, -100), (torch.rand(classes * 2)[::2].to(dtype), -100), (torch.rand(classes).to(dtype), 1)):
                        for reduction in REDUCTIONS:
                            if dtype in SHORT and rows == 300 and reduction != "none":
                                continue
                            with self.subTest(dtype=dtype, rows=rows, strides=value.stride(), ignored=ignored, reduction=reduction):
                                self.same(lambda x, t, w: F.nll_loss(x, t, w, ignore_index=ignored, reduction=reduction),
                                          value.detach().requires_grad_(), target, weight, **tolerance(dtype))  # fmt: skip

    def test_one_element_bytes_and_none(self) -> None:
        for reduction in REDUCTIONS:
            self.same(lambda x, t: F.nll_loss(x, t, reduction=reduction), torch.randn(5).requires_grad_(), torch.tensor(3))
            self.same(lambda x, t: F.nll_loss(x, t, reduction=reduction), torch.randn(4, 5).requires_grad_(), torch.tensor([0, 4, 2, 2], dtype=torch.uint8))
            self.same(lambda x, t: F.nll_loss(x, t, reduction=reduction), torch.randn(0, 5).requires_grad_(), torch.zeros(0, dtype=torch.int64))
            self.same(lambda x, t: F.nll_loss(x, t, reduction=reduction), torch.randn(0, 5, 2, 2).requires_grad_(), torch.zeros(0, 2, 2, dtype=torch.int64))
        # Nothing that counts.
        self.same(lambda x, t: F.nll_loss(x, t, ignore_index=2), torch.randn(3, 5).requires_grad_(), torch.tensor([2, 2, 2]))

    def test_maps(self) -> None:
        for dtype in FLOATS:
            x = torch.randn(3, 4, 5, 6).to(dtype)
            target = torch.randint(0, 4, (3, 5, 6))
            for value in (x, x.contiguous(memory_format=torch.channels_last)):
                for weight in (None, torch.rand(4).to(dtype)):
                    for reduction in REDUCTIONS:
                        self.same(lambda x, t, w: F.nll_loss(x, t, w, ignore_index=2, reduction=reduction),
                                  # The host has no gradient of channels that lie last.
                                  value.detach().requires_grad_(value.is_contiguous()), target, weight, **tolerance(dtype))  # fmt: skip
        self.same(lambda x, t: F.nll_loss(x, t), torch.randn(2, 4, 7).requires_grad_(), torch.randint(0, 4, (2, 7)))
        self.same(lambda x, t: F.nll_loss(x, t), torch.randn(2, 4, 2, 3, 2).requires_grad_(), torch.randint(0, 4, (2, 2, 3, 2)))

    def test_sums_of_weights_and_outputs_that_are_given(self) -> None:
        aten = torch.ops.aten
        x, maps, weight = torch.randn(6, 5), torch.randn(2, 5, 3, 2), torch.rand(5)
        target, target_maps = torch.randint(0, 5, (6,)), torch.randint(0, 5, (2, 3, 2))
        for reduction in (0, 1, 2):
            for w in (weight, None):
                self.same(lambda x, t, w: aten.nll_loss_forward(x, t, w, reduction, 2), x, target, w)
                self.same(lambda x, t, w: aten.nll_loss2d_forward(x, t, w, reduction, 2), maps, target_maps, w)
                self.same(lambda x, t, w: aten.nll_loss_forward.output(x, t, w, reduction, 2, output=x.new_empty(0), total_weight=x.new_empty(0)), x, target, w)
                self.same(lambda x, t, w: aten.nll_loss2d_forward.output(x, t, w, reduction, 2, output=x.new_empty(0), total_weight=x.new_empty(0)), maps, target_maps, w)
        gaps = torch.full((5, 12), 7.0)
        host, device = gaps.clone()[:, ::2].t(), to_device(gaps)[:, ::2].t()
        total = torch.tensor(6.0)
        for out, on in ((host, "cpu"), (device, DEVICE)):
            aten.nll_loss_backward.grad_input(torch.tensor(2.0).to(on), x.to(on), target.to(on), None, 1, 2, total.to(on), grad_input=out)
        torch.testing.assert_close(device.cpu(), host)

    def test_a_class_that_is_none_spoils_the_loss_and_touches_nothing_else(self) -> None:
        # The host raises; a device could not without waiting for each launch.
        for wrong in (5, -1, 1 << 60, -(1 << 63)):
            x = torch.randn(3, 5).to(DEVICE).requires_grad_()
            loss = F.nll_loss(x, torch.tensor([0, wrong, 4]).to(DEVICE), torch.ones(5).to(DEVICE), reduction="none")
            self.assertEqual(loss.isnan().tolist(), [False, True, False])
            loss.sum().backward()
            self.assertEqual(x.grad.isnan().cpu().any(1).tolist(), [False, True, False])
            self.assertTrue(F.nll_loss(x, torch.tensor([0, wrong, 4]).to(DEVICE)).isnan().item())
            self.assertTrue(F.nll_loss(torch.zeros(3, 0).to(DEVICE), torch.tensor([0, wrong, 4]).to(DEVICE)).isnan().item())
            maps = torch.randn(1, 5, 1, 2).to(DEVICE)
            self.assertTrue(F.nll_loss(maps, torch.tensor([[[wrong, 0]]]).to(DEVICE)).isnan().item())

    def test_cross_entropy(self) -> None:
        x = torch.randn(9, 17).to(DEVICE).requires_grad_()
        F.cross_entropy(x, torch.tensor([2, 4] * 4 + [-100]).to(DEVICE)).backward()
        self.assertFalse(x.grad[8].any().item())
        for dtype in (torch.float32, torch.float64):
            x = torch.randn(9, 17).to(dtype)
            for options in ({}, {"reduction": "sum"}, {"ignore_index": 3}):
                self.same(lambda x, t: F.cross_entropy(x, t, **options), x.detach().requires_grad_(), torch.randint(0, 17, (9,)))
            self.same(lambda x, t: F.cross_entropy(x, t), x.detach().requires_grad_(), torch.rand(9, 17).to(dtype))
            self.same(lambda x, t: F.cross_entropy(x, t), torch.randn(2, 6, 3, 4).to(dtype).requires_grad_(), torch.randint(0, 6, (2, 3, 4)))

    def test_errors_are_the_hosts(self) -> None:
        x, target = torch.randn(2, 3), torch.tensor([0, 2])
        maps, target_maps = torch.randn(2, 3, 1, 1), torch.ones(2, 1, 1, dtype=torch.int64)
        for arguments in (
            (x, target.int()), (x, target, torch.ones(3).double()), (x.long(), target), (x, target[:1]), (x, target, torch.ones(2)), (maps, target_maps.int()),
            (maps, target_maps.byte()), (maps.long(), target_maps), (maps, target_maps[:1]), (maps, target_maps, torch.ones(2)),
        ):  # fmt: skip
            self.raises_the_same(F.nll_loss, *arguments)
        for arguments in ((x.to(DEVICE), target), (x.to(DEVICE), target.to(DEVICE), torch.ones(3)), (maps.to(DEVICE), target_maps)):
            with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
                F.nll_loss(*arguments)


class CrossEntropyOfTwo(Native):
    def test_types_weights_and_layouts(self) -> None:
        for dtype in FLOATS:
            x, target = torch.rand(7, 90).to(dtype), torch.rand(7, 90).to(dtype)
            x[0, :2] = torch.tensor([0.0, 1.0])
            for value, other in ((x, target), (x.t(), target.t()), (x[:, ::3], target[:, :30]), (x[:0], target[:0])):
                for weight in (None, torch.rand(value.shape[1]).to(dtype)):
                    for reduction in REDUCTIONS:
                        with self.subTest(dtype=dtype, strides=value.stride(), reduction=reduction):
                            if dtype in SHORT:
                                value = value.clamp(0.05, 0.9)
                            self.same(lambda x, t, w: F.binary_cross_entropy(x, t, w, reduction=reduction),
                                      value.detach().requires_grad_(), other, weight, **tolerance(dtype))  # fmt: skip

    def test_dimensions_of_one_outputs_and_logits(self) -> None:
        aten = torch.ops.aten
        self.same(lambda x, t: aten.binary_cross_entropy(x, t), torch.rand(2, 1, 3), torch.rand(2, 3))
        self.same(lambda x, t: aten.binary_cross_entropy(x, t, None, 0), torch.rand(2, 3), torch.rand(3))
        self.same(lambda x, t: torch.ops.aten.binary_cross_entropy.out(x, t, None, 0, out=x.new_empty(2, 3)), torch.rand(2, 3), torch.rand(2, 3))
        self.same(lambda x, t: aten.binary_cross_entropy_backward.grad_input(t, x, t, None, 1, grad_input=x.new_empty(2, 3)), torch.rand(2, 3), torch.rand(2, 3))
        self.same(lambda x, t: F.binary_cross_entropy_with_logits(x, t), torch.randn(2, 3).requires_grad_(), torch.rand(2, 3))
        found = F.binary_cross_entropy(torch.tensor([2.0, -1.0, float("nan"), 0.5]).to(DEVICE), torch.ones(4).to(DEVICE), reduction="none")
        self.assertEqual(found.isnan().tolist(), [True, True, True, False])

    def test_errors_are_the_hosts(self) -> None:
        x = torch.rand(2, 3)
        for arguments in ((x.long(), x.long(), None, 0), (x, x.double(), None, 0), (x, torch.rand(2), None, 0)):
            self.raises_the_same(torch.ops.aten.binary_cross_entropy, *arguments)
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
            F.binary_cross_entropy(x.to(DEVICE), x)


class Activations(Native):
    def test_log_sigmoid_glu_and_prelu_with_gradients(self) -> None:
        whole = torch.randn(4, 6, 10) * 4
        for dtype in FLOATS:
            for value in (whole, whole.transpose(0, 2), whole[:, ::2, 2:8], whole[:0]):
                x = value.to(dtype)
                self.same(F.logsigmoid, x.detach().requires_grad_(), **tolerance(dtype))
                for dim in range(3):
                    if x.size(dim) % 2 == 0:
                        self.same(lambda x: F.glu(x, dim), x.detach().requires_grad_(), **tolerance(dtype))
                if x.numel() != 0:
                    for weights in (1, x.size(1)):
                        self.same(F.prelu, x.detach().requires_grad_(), torch.rand(weights).to(dtype).requires_grad_(), **({"rtol": 0.05, "atol": 0.1} if dtype in SHORT else {"rtol": 1e-5, "atol": 2e-5}))
        self.same(lambda x: F.glu(x, 1), torch.randn(3, 1400, 2).requires_grad_())

    def test_outputs_that_are_given(self) -> None:
        aten = torch.ops.aten
        x, gradient = torch.randn(3, 8), torch.randn(3, 4)
        self.same(lambda x, g: aten.glu_backward.grad_input(g, x, 1, grad_input=x.new_empty(0)), x, gradient)
        self.same(lambda x: aten.log_sigmoid_forward.output(x, output=x.new_empty(0), buffer=x.new_empty(0))[0], x)
        self.same(lambda x: aten.log_sigmoid_backward.grad_input(x, x, aten.log_sigmoid_forward(x)[1], grad_input=x.new_empty(0)), x)

    def test_errors(self) -> None:
        self.raises_the_same(torch.ops.aten.log_sigmoid_forward, torch.ones(3).long())
        self.raises_the_same(torch.ops.aten.glu_backward, torch.ones(3), torch.ones(5), 0)


class Margins(Native):
    def test_losses_that_are_composed(self) -> None:
        x, y, target = torch.randn(5, 6), torch.randn(5, 6), torch.randint(0, 2, (5, 6)).float() * 2 - 1
        self.same(lambda x, t: F.soft_margin_loss(x, t), x.detach().requires_grad_(), target)
        self.same(lambda x, t: F.hinge_embedding_loss(x, t), x.detach().requires_grad_(), target)
        self.same(lambda x, y, t: F.margin_ranking_loss(x, y, t), x.detach().requires_grad_(), y, target)
        self.same(lambda x, y: F.kl_div(x, y.softmax(1), reduction="batchmean"), x.detach().requires_grad_(), y)
        self.same(lambda x, y: F.poisson_nll_loss(x, y.abs()), x.detach().requires_grad_(), y)
        self.same(lambda x, t: F.multilabel_soft_margin_loss(x, (t + 1) / 2), x.detach().requires_grad_(), target)


class Net(torch.nn.Module):
    """Every normalisation, on rows of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(12, 32), torch.nn.Linear(32, 5)
        self.layer, self.batch = torch.nn.LayerNorm(32), torch.nn.BatchNorm1d(32)
        self.maps, self.group = torch.nn.BatchNorm2d(2), torch.nn.GroupNorm(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.batch(torch.relu(self.layer(self.first(x))))
        x = self.group(self.maps(x.view(-1, 2, 4, 4)).reshape(-1, 4, 8)).reshape(-1, 32)
        return self.last(F.rms_norm(x, (32,)))


class Models(Native):
    def test_a_net_of_every_normalisation_trains_to_the_hosts_loss(self) -> None:
        net = Net()
        inputs, targets = torch.randn(24, 12), torch.randint(0, 5, (24,))
        losses: dict[str, list[float]] = {}
        for device in ("cpu", DEVICE):
            model = copy.deepcopy(net).to(device)
            optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, foreach=False)
            losses[device] = []
            for _ in range(5):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(inputs.to(device)), targets.to(device))
                loss.backward()
                optimizer.step()
                losses[device].append(loss.item())
        self.assertLess(losses["cpu"][-1], losses["cpu"][0] * 0.8)
        for found, expected in zip(losses[DEVICE], losses["cpu"]):
            self.assertAlmostEqual(found, expected, places=4)


if __name__ == "__main__":
    unittest.main()
