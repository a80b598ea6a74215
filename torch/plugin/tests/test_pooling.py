# SPDX-License-Identifier: Apache-2.0
"""Pooling: values, indices, gradients and layouts as the host's, none of it there."""
from __future__ import annotations

import copy
import unittest
from typing import Any, Callable

import torch
import torch.nn.functional as F
from test_operators import DEVICE, FLOATS, INTEGERS, Native, to_device
from torch import nn

ATEN = torch.ops.aten
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class Pooling(Native):
    def within(self, value: torch.Tensor) -> dict[str, float]:
        # The host adds some halves in their own precision, and its sums drift.
        return {torch.float16: {"rtol": 0.03, "atol": 0.02}, torch.bfloat16: {"rtol": 0.03, "atol": 0.15}}.get(value.dtype, {})

    def compare(self, function: Callable[..., Any], *inputs: Any, gradients: bool = False) -> None:
        """Results, their layouts and, where they are asked for, gradients."""
        host = [value.detach().requires_grad_(gradients) for value in inputs]
        device = [to_device(value).requires_grad_(gradients) for value in inputs]
        expected, found = function(*host), function(*device)
        expected, found = (value if isinstance(value, tuple) else (value,) for value in (expected, found))
        for left, right in zip(found, expected, strict=True):
            self.assertEqual(left.device.type, DEVICE)
            self.assertEqual(left.stride(), right.stride())
            torch.testing.assert_close(left.cpu(), right, equal_nan=True, **self.within(right))
        if not gradients:
            return
        given = torch.randn(expected[0].shape).to(expected[0].dtype)
        found[0].backward(given.to(DEVICE))
        expected[0].backward(given)
        for left, right in zip(device, host):
            torch.testing.assert_close(left.grad.cpu(), right.grad, **self.within(right))
            self.assertEqual(left.grad.stride(), right.grad.stride())

    def message(self, function: Callable[..., Any], *inputs: Any) -> None:
        with self.assertRaises((RuntimeError, ValueError)) as expected:
            function(*inputs)
        with self.assertRaises(type(expected.exception)) as found:
            function(*(to_device(value) for value in inputs))
        self.assertEqual(str(found.exception).partition("\n")[0], str(expected.exception).partition("\n")[0])


def images(dims: int) -> list[torch.Tensor]:
    sizes = [11, 9, 8][3 - dims :]
    whole = torch.randn(2, 5, *sizes)
    out = [whole, whole[0], whole.transpose(-1, 1)[:, ::2], whole[:0]]
    if dims > 1:
        out.append(whole.contiguous(memory_format=FORMATS[dims + 2]))
    return out


class Largest(Pooling):
    WINDOWS = (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": 2, "stride": 3, "dilation": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True},
    )

    def test_values_indices_and_gradients(self) -> None:
        for dims, function in ((1, F.max_pool1d), (2, F.max_pool2d), (3, F.max_pool3d)):
            for window in self.WINDOWS:
                for i, value in enumerate(images(dims)):
                    for dtype in FLOATS[:3:2] + FLOATS[1:2] if i == 0 else FLOATS[:1]:
                        with self.subTest(dims=dims, window=window, image=i, dtype=dtype):
                            self.compare(lambda x: function(x, return_indices=True, **window), value.to(dtype), gradients=True)

    def test_images_that_repeat(self) -> None:
        for function in (lambda x: F.max_pool2d(x, 3, 2, 1), lambda x: F.avg_pool2d(x, 3, 2, 1), lambda x: F.adaptive_max_pool2d(x, 3)):
            self.compare(lambda x: function(x.expand(2, 3, 9, 8)).contiguous(), torch.randn(2, 1, 9, 8), gradients=True)

    def test_windows_that_differ_along_dimensions(self) -> None:
        value = torch.randn(2, 3, 12, 10)
        self.compare(lambda x: F.max_pool2d(x, (4, 1), (1, 3), (2, 0), (1, 2), return_indices=True), value, gradients=True)
        value = torch.randn(2, 8, 9, 10)
        self.compare(lambda x: F.max_pool3d(x, (1, 2, 4), (3, 1, 2), (0, 1, 2), return_indices=True), value, gradients=True)

    def test_all_types(self) -> None:
        value = torch.randint(0, 100, (2, 3, 8, 8))
        for dtype in (*INTEGERS, torch.uint8, *FLOATS):
            for stride in (1, 2, 3):
                with self.subTest(dtype=dtype, stride=stride):
                    self.compare(lambda x: F.max_pool2d(x, 3, stride, 1, return_indices=True), value.to(dtype))
                    self.compare(lambda x: F.max_pool3d(x, 3, stride, 1, return_indices=True), value.to(dtype))
        self.message(lambda x: F.max_pool2d(x, 2), value.bool())

    def test_equal_ones_and_what_is_beyond_numbers(self) -> None:
        nan, inf = float("nan"), float("inf")
        row = torch.tensor([[[[nan, 1.0, nan, 2.0, inf, 3.0, 3.0, 1.0, -inf, -inf, -inf, -inf]]]])
        for dtype in FLOATS:
            for size, stride in ((2, 2), (3, 1), (4, 3)):
                with self.subTest(dtype=dtype, size=size):
                    self.compare(lambda x: F.max_pool2d(x, (1, size), (1, stride), return_indices=True), row.to(dtype))
                    self.compare(lambda x: F.adaptive_max_pool2d(x, (1, size), return_indices=True), row.to(dtype))
        least = torch.full((1, 1, 4, 4), torch.iinfo(torch.int64).min)
        self.compare(lambda x: F.max_pool2d(x, 2, return_indices=True), least)

    def test_adaptive(self) -> None:
        for dims, function in ((1, F.adaptive_max_pool1d), (2, F.adaptive_max_pool2d), (3, F.adaptive_max_pool3d)):
            for size in (1, 3, 7, 13):
                for i, value in enumerate(images(dims)):
                    for dtype in FLOATS if i == 0 and size == 3 else FLOATS[:1]:
                        with self.subTest(dims=dims, size=size, image=i, dtype=dtype):
                            self.compare(lambda x: function(x, size, return_indices=True), value.to(dtype), gradients=True)

    def test_outputs_that_are_given(self) -> None:
        value = torch.randn(2, 3, 6, 6)
        expected = ATEN.max_pool2d_with_indices(value, [2])
        for size in ((0,), (2, 3, 3, 3)):
            out, indices = torch.empty(size, device=DEVICE), torch.empty(size, dtype=torch.long, device=DEVICE)
            if len(size) == 4:
                out, indices = out.transpose(2, 3), indices.transpose(0, 1).contiguous().transpose(0, 1)
            ATEN.max_pool2d_with_indices.out(value.to(DEVICE), [2], out=out, indices=indices)
            torch.testing.assert_close((out.cpu(), indices.cpu()), expected)
        wrong = torch.empty(0, dtype=torch.double)
        places = torch.empty(0, dtype=torch.long)
        for operator in (ATEN.max_pool2d_with_indices, ATEN.max_pool3d_with_indices):
            self.message(lambda x, o, i: operator.out(x, [2], out=o, indices=i), value, wrong, places)
            self.message(lambda x, o, i: operator.out(x, [2], out=o, indices=i), value, torch.empty(0), wrong)

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        value = torch.randn(1, 2, 4, 4)
        for function in (F.max_pool2d, F.max_pool3d):
            for window in ((9,), (2, 0), (2, 2, 3), (2, 2, -1), ([2, 2, 2, 2],), (2, [1, 1, 1, 1])):
                with self.subTest(function=function.__name__, window=window):
                    self.message(lambda x: function(x, *window), value)
            self.message(lambda x: function(x, 2), torch.randn(2, 2))
        self.message(lambda x: F.max_pool3d(x, 2), torch.randn(1, 0, 4, 4, 4))
        x, g = torch.randn(1, 2, 4, 4, 4), torch.randn(1, 2, 2, 2, 2)
        backward = ATEN.max_pool3d_with_indices_backward
        window = ([2] * 3, [2] * 3, [0] * 3, [1] * 3, False)
        self.message(lambda x, g, i: backward(g, x, *window, i), x, g, g)
        self.message(lambda x, g, i: backward(g, x, *window, i), x, g[:, :, :1], g.long())
        self.message(lambda x, g, i: backward(g, x, *window, i), x, g.double(), g.long())


class Averages(Pooling):
    WINDOWS = (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
        {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True},
        {"kernel_size": 3, "stride": 4, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    )

    def test_values_and_gradients(self) -> None:
        for dims, function in ((1, F.avg_pool1d), (2, F.avg_pool2d), (3, F.avg_pool3d)):
            for window in (*self.WINDOWS, *({**window, "divisor_override": 5} for window in self.WINDOWS[1:4] if dims > 1)):
                for i, value in enumerate(images(dims)):
                    for dtype in FLOATS[: 4 if dims < 3 else 2] if i == 0 else FLOATS[:1]:
                        with self.subTest(dims=dims, window=window, image=i, dtype=dtype):
                            self.compare(lambda x: function(x, **window), value.to(dtype), gradients=True)

    def test_whole_numbers(self) -> None:
        value = torch.randint(-100, 100, (2, 3, 6, 6))
        self.compare(lambda x: F.avg_pool2d(x, 3, 2, 1), value)
        self.compare(lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=-4), value)
        self.message(lambda x: F.avg_pool2d(x, 2), value.int())
        self.message(lambda x: F.avg_pool3d(x, 2), value.int())
        self.message(lambda x: F.adaptive_avg_pool2d(x, 2), value)

    def test_half_precision_in_three_dimensions(self) -> None:
        # The host has none.
        value = torch.randn(2, 3, 4, 6, 6)
        for dtype in (torch.float16, torch.bfloat16):
            found = F.avg_pool3d(value.to(dtype).to(DEVICE), 3, 2, 1).cpu()
            torch.testing.assert_close(found, F.avg_pool3d(value.to(dtype).float(), 3, 2, 1).to(dtype))

    def test_adaptive(self) -> None:
        for dims, function in ((1, F.adaptive_avg_pool1d), (2, F.adaptive_avg_pool2d), (3, F.adaptive_avg_pool3d)):
            for size in (1, 3, 7, 13):
                for i, value in enumerate(images(dims)):
                    for dtype in FLOATS if i == 0 and size == 3 else FLOATS[:1]:
                        with self.subTest(dims=dims, size=size, image=i, dtype=dtype):
                            self.compare(lambda x: function(x, size), value.to(dtype), gradients=True)
        self.compare(lambda x: F.adaptive_avg_pool2d(x, (0, 2)), torch.randn(1, 2, 3, 3))

    def test_outputs_that_are_given(self) -> None:
        value = torch.randn(2, 3, 6, 6)
        for operator, arguments in ((ATEN.avg_pool2d, (2,)), (ATEN.adaptive_avg_pool2d, ([4, 3],)), (ATEN.avg_pool3d, (2,))):
            expected = operator(value, *arguments)
            for out in (torch.empty(0, device=DEVICE), torch.empty(expected.shape[::-1], device=DEVICE).permute(3, 2, 1, 0)):
                operator.out(value.to(DEVICE), *arguments, out=out)
                torch.testing.assert_close(out.cpu(), expected)
            self.message(lambda x, o: operator.out(x, *arguments, out=o), value, torch.empty(0, dtype=torch.double))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        value = torch.randn(1, 2, 4, 4)
        for function in (F.avg_pool2d, F.avg_pool3d):
            for window in ((9,), (2, 0), (2, 2, 3), ([2, 2, 2, 2],), (2, 2, 0, False, True, 0)):
                with self.subTest(function=function.__name__, window=window):
                    self.message(lambda x: function(x, *window), value)
        for dims, operator in ((2, ATEN._adaptive_avg_pool2d), (3, ATEN._adaptive_avg_pool3d)):
            size = [2] * dims
            self.message(lambda x: operator(x, size), torch.randn(2, 2))
            self.message(lambda x: operator(x, [2]), torch.randn(1, 2, *[4] * dims))
            self.message(lambda x: operator(x, size), torch.randn(1, 2, *[0] * dims))
        for dims, operator in ((2, ATEN._adaptive_avg_pool2d_backward), (3, ATEN._adaptive_avg_pool3d_backward)):
            value = torch.randn(1, 2, *[4] * dims)
            for gradient in (torch.randn(2, 2), torch.randn(1, 2, *[0] * dims), torch.randn(1, 2, *[2] * dims).double()):
                self.message(lambda x, g: operator(g, x), value, gradient)
            with self.assertRaisesRegex(RuntimeError, r"Expected a tensor of dimension"):
                operator(torch.randn(1, 3, *[2] * dims).to(DEVICE), value.to(DEVICE))


class Training(Native):
    def test_a_network_learns_as_on_the_host(self) -> None:
        host = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
        )
        device = copy.deepcopy(host).to(DEVICE)
        value, target = torch.randn(6, 1, 12, 12), torch.randn(6, 3)
        losses: dict[str, list[float]] = {}
        for name, model in (("host", host), ("device", device)):
            at = next(model.parameters()).device
            optimizer = torch.optim.SGD(model.parameters(), lr=0.05, foreach=False)
            losses[name] = []
            for _ in range(5):
                optimizer.zero_grad()
                loss = F.mse_loss(model(value.to(at)), target.to(at))
                loss.backward()
                optimizer.step()
                losses[name].append(loss.item())
        torch.testing.assert_close(torch.tensor(losses["device"]), torch.tensor(losses["host"]))
        self.assertLess(losses["host"][-1], losses["host"][0])


if __name__ == "__main__":
    unittest.main()
