# SPDX-License-Identifier: Apache-2.0
"""Convolutions, transposed ones and their gradients: as on the host, and none of it runs there."""
from __future__ import annotations

import itertools
import unittest
from typing import Any

import torch
import torch.nn.functional as F
from torch_xhal import _C

from test_operators import DEVICE

PLAIN = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
SIZES = {1: (11,), 2: (7, 9), 3: (5, 4, 6)}


class Convolution(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})

    def same(self, function: Any, values: tuple[torch.Tensor, ...], tolerance: float = 1e-4, **options: Any) -> torch.Tensor:
        """The result, and every input's gradient."""
        results = []
        for device in ("cpu", DEVICE):
            inputs = [value.detach().to(device) for value in values]
            has_gradient = inputs[0].dtype.is_floating_point
            for value in inputs:
                value.requires_grad_(has_gradient)
            out = function(*inputs, **options)
            gradients: tuple[torch.Tensor, ...] = ()
            if has_gradient:
                weights = torch.arange(out.numel(), dtype=torch.float64).view(out.shape).cos().to(device, out.dtype)
                gradients = torch.autograd.grad(out, inputs, weights)
            results.append((out, *gradients))
        for expected, found in zip(*results, strict=True):
            self.assertEqual(found.device.type, DEVICE)
            torch.testing.assert_close(found.detach().cpu(), expected.detach(), rtol=tolerance, atol=tolerance)
        return results[1][0]

    def test_every_stride_padding_dilation_and_group(self) -> None:
        for dims in (1, 2, 3):
            for groups, stride, padding, dilation, size in itertools.product((1, 2, 4), (1, 2, 3), (0, 1), (1, 2), (1, 3)):
                if (dims == 3 and dilation == 2 and size == 3 and padding == 0) or (size == 1 and dilation == 2):
                    continue
                with self.subTest(dims=dims, groups=groups, stride=stride, padding=padding, dilation=dilation, size=size):
                    values = torch.randn(3, 4, *SIZES[dims]), torch.randn(8, 4 // groups, *(size,) * dims), torch.randn(8)
                    self.same(PLAIN[dims], values, stride=stride, padding=padding, dilation=dilation, groups=groups)

    def test_transposed_ones(self) -> None:
        for dims in (1, 2, 3):
            for groups, stride, padding, dilation, size in itertools.product((1, 2), (1, 2, 3), (0, 1), (1, 2), (1, 3)):
                if size == 1 and dilation == 2:
                    continue
                with self.subTest(dims=dims, groups=groups, stride=stride, padding=padding, dilation=dilation, size=size):
                    values = torch.randn(2, 4, *SIZES[dims]), torch.randn(4, 6 // groups, *(size,) * dims), torch.randn(6)
                    self.same(TRANSPOSED[dims], values, stride=stride, padding=padding, output_padding=stride - 1 if stride > 1 else 0,
                              dilation=dilation, groups=groups)  # fmt: skip

    def test_each_dimension_has_its_own(self) -> None:
        values = torch.randn(2, 3, 9, 12), torch.randn(5, 3, 2, 4), torch.randn(5)
        self.same(F.conv2d, values, stride=(2, 3), padding=(1, 2), dilation=(3, 1))
        values = torch.randn(2, 3, 5, 4, 6), torch.randn(3, 5, 2, 1, 3), torch.randn(5)
        self.same(F.conv_transpose3d, values, stride=(1, 3, 2), padding=(1, 0, 2), output_padding=(0, 2, 1), dilation=(2, 1, 1))

    def test_types(self) -> None:
        for dtype, tolerance in ((torch.float64, 1e-10), (torch.float16, 2e-2), (torch.bfloat16, 1e-1)):
            with self.subTest(dtype=dtype):
                values = tuple(value.to(dtype) for value in (torch.randn(2, 4, 8, 8), torch.randn(6, 2, 3, 3), torch.randn(6)))
                self.same(F.conv2d, values, tolerance, padding=1, groups=2)
                self.same(F.conv_transpose2d, (values[0], torch.randn(4, 3, 3, 3).to(dtype)), tolerance, stride=2)
        numbers = torch.randint(-9, 9, (2, 4, 8, 8)), torch.randint(-9, 9, (6, 4, 3, 3)), torch.randint(-9, 9, (6,))
        self.same(F.conv2d, numbers, stride=2)

    def test_complex_ones_run_on_the_host_and_are_counted(self) -> None:
        values = torch.randn(2, 4, 8, 8, dtype=torch.complex64), torch.randn(6, 4, 3, 3, dtype=torch.complex64)
        for function in (F.conv2d, lambda value, weight: F.conv_transpose2d(value, weight.transpose(0, 1))):
            results = []
            for device in ("cpu", DEVICE):
                inputs = [value.to(device).requires_grad_() for value in values]
                out = function(*inputs)
                results.append((out, *torch.autograd.grad(out, inputs, torch.ones_like(out))))
            for expected, found in zip(*results, strict=True):
                torch.testing.assert_close(found.detach().cpu(), expected.detach(), rtol=1e-4, atol=1e-4)
        self.assertNotEqual(_C.fallback_counts(), {})
        _C.reset_fallback_counts()

    def test_more_members_than_columns_are_kept_of(self) -> None:
        # 9 * 8 * 128 * 128 * 4 bytes a member: four passes.
        values = torch.randn(13, 8, 128, 128), torch.randn(4, 8, 3, 3), torch.randn(4)
        self.same(F.conv2d, values, 2e-3, padding=1)

    def test_layouts(self) -> None:
        weight = torch.randn(6, 4, 3, 3)
        for value in (torch.randn(2, 8, 8, 4).permute(0, 3, 1, 2), torch.randn(4, 2, 8, 16)[:, :, :, ::2].transpose(0, 1), torch.randn(4, 8, 8)):
            self.same(F.conv2d, (value, weight.transpose(2, 3)), padding=1)
        channels_last = torch.randn(2, 4, 8, 8).to(memory_format=torch.channels_last).to(DEVICE)
        out = F.conv2d(channels_last, weight.to(DEVICE))
        self.assertTrue(out.is_contiguous(memory_format=torch.channels_last))

    def test_nothing_in_nothing_out(self) -> None:
        self.same(F.conv2d, (torch.zeros(0, 4, 8, 8), torch.randn(6, 4, 3, 3), torch.randn(6)))
        self.same(F.conv_transpose2d, (torch.zeros(0, 4, 8, 8), torch.randn(4, 6, 3, 3), torch.randn(6)))

    def test_what_pytorch_refuses(self) -> None:
        image, weight = torch.randn(1, 4, 8, 8).to(DEVICE), torch.randn(6, 4, 3, 3).to(DEVICE)
        for message, call in (
            ("should be the same", lambda: F.conv2d(image, weight.double())),
            ("same", lambda: F.conv2d(image, weight, torch.ones(6, device=DEVICE, dtype=torch.float64))),
            ("same device|should be the same", lambda: F.conv2d(image, weight.cpu())),
            ("expected input\\[1, 4, 8, 8\\] to have 3 channels", lambda: F.conv2d(image, weight[:, :3])),
            ("Kernel size can't be greater than actual input size", lambda: F.conv2d(image[..., :2], weight)),
            ("negative padding is not supported", lambda: F.conv2d(image, weight, padding=-1)),
        ):
            with self.subTest(message=message), self.assertRaisesRegex(RuntimeError, message):
                call()

    def test_modules(self) -> None:
        for module, value in (
            (torch.nn.Conv2d(4, 8, 3, padding="same", padding_mode="zeros"), torch.randn(2, 4, 9, 9)),
            (torch.nn.Conv1d(4, 4, 5, groups=4, bias=False), torch.randn(2, 4, 30)),
            (torch.nn.ConvTranspose2d(4, 2, 2, stride=2), torch.randn(2, 4, 5, 5)),
        ):
            expected = module(value)
            found = module.to(DEVICE)(value.to(DEVICE))
            torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    unittest.main()
