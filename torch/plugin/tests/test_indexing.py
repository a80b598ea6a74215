# SPDX-License-Identifier: Apache-2.0
"""What indices and masks name, and tensors that become one: as on the host, and nothing of it runs there."""
from __future__ import annotations

import copy
import math
import re
import unittest
import warnings
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch_xhal import _C

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
TYPES = (*FLOATS, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
DEVICE = torch._C._get_privateuse1_backend_name()


def to_device(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(to_device(each) for each in value)
    if not isinstance(value, torch.Tensor):
        return value
    # Layouts are part of what is compared, so views are made again rather than copied densely.
    if 0 in value.stride() and value.numel() > 1:
        narrow = value[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in value.stride())]
        return narrow.to(DEVICE).expand(value.shape)
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device=DEVICE).copy_(value)


def numbers(dtype: torch.dtype, *size: int) -> torch.Tensor:
    return torch.randint(0 if dtype in (torch.uint8, torch.bool) else -9, 10, size).to(dtype)


class Native(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        warnings.simplefilter("ignore")
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})
        warnings.resetwarnings()

    def same(self, function: Callable[..., Any], *inputs: Any) -> None:
        """The result, what became of the inputs, and the error where there is one."""
        host = [value.clone() if isinstance(value, torch.Tensor) and 0 not in value.stride() else value for value in inputs]
        device = [to_device(value) for value in inputs]
        try:
            expected = function(*host)
        except Exception as error:
            text = re.sub(r"\bcpu\b", DEVICE + ":0", str(error).splitlines()[0])
            with self.assertRaises(type(error)) as caught:
                function(*device)
            self.assertEqual(str(caught.exception).splitlines()[0], text)
            return
        found = function(*device)
        for left, right in zip(*([value] if isinstance(value, torch.Tensor) else value for value in (found, expected)), strict=True):
            torch.testing.assert_close(left.cpu(), right, equal_nan=True)
        for left, right in zip(device, host):
            if isinstance(right, torch.Tensor):
                torch.testing.assert_close(left.cpu(), right, equal_nan=True)

    def same_gradients(self, function: Callable[..., Any], *inputs: Any) -> None:
        host = [value.detach().clone().requires_grad_(value.is_floating_point()) for value in inputs]
        device = [to_device(value).requires_grad_(value.is_floating_point()) for value in inputs]
        expected, found = function(*host), function(*device)
        torch.testing.assert_close(found.detach().cpu(), expected.detach())
        gradient = torch.randn(expected.shape).to(expected.dtype)
        expected.backward(gradient)
        found.backward(gradient.to(DEVICE))
        for left, right in zip(device, host):
            if right.requires_grad:
                torch.testing.assert_close(left.grad.cpu(), right.grad)


class Joining(Native):
    def test_layouts_types_and_dimensions(self) -> None:
        for dtype in TYPES:
            whole = numbers(dtype, 4, 6, 5)
            for dim in (0, 1, 2, -1):
                self.same(lambda a, b: torch.cat((a, b, a), dim), whole, whole)
                self.same(lambda a: torch.cat((a.transpose(0, 2)[:, ::2], a.transpose(0, 2)[:, ::2]), dim), whole)
                self.same(lambda a: torch.stack((a, a.flip(0)), dim), whole)
        self.same(lambda a, b: torch.cat((a, torch.tensor([], device=a.device), b)), torch.randn(2, 3), torch.randn(5, 3))
        self.same(lambda a: torch.cat([a] * 40, 1), torch.randn(3, 1))
        self.same(lambda a: torch.cat((a[:0], a[:0])), torch.randn(2, 3))
        self.same(lambda a: (*torch.split(a, 2, 1), *a.chunk(3), *a.unbind(1), torch.hstack((a, a)), torch.block_diag(a, a)), torch.randn(5, 4))

    def test_promotion_outputs_and_memory_formats(self) -> None:
        self.same(lambda a, b, c: torch.cat((a, b, c)), numbers(torch.int32, 3), torch.randn(2).half(), numbers(torch.uint8, 4))
        self.same(lambda a, out: torch.cat((a, a), out=out), torch.randn(3, 4), torch.empty(0))
        self.same(lambda a, out: torch.cat((a, a), out=out.t()), torch.randn(3, 4), torch.zeros(4, 6))
        self.same(lambda a, out: torch.cat((a, a), out=out), numbers(torch.int64, 3), torch.empty(6))
        self.same(lambda a, out: torch.cat((a, a), out=out), torch.randn(3), torch.empty(6, dtype=torch.int64))
        image = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
        joined = torch.cat((to_device(image), to_device(image)), 1)
        self.assertEqual(joined.stride(), torch.cat((image, image), 1).stride())
        self.same_gradients(lambda a, b: torch.cat((a, b.t(), a), 1), torch.randn(3, 2), torch.randn(5, 3))

    def test_what_does_not_go_together(self) -> None:
        self.same(lambda a, b: torch.cat((a, b)), torch.randn(2, 3), torch.randn(2, 4))
        self.same(lambda a, b: torch.cat((a, b)), torch.randn(2, 3), torch.randn(2))
        self.same(lambda a: torch.cat((a, a), 2), torch.randn(2, 3))
        self.same(lambda a: torch.stack((a, a[:1])), torch.randn(2, 3))
        for pair in ((torch.zeros(2, device=DEVICE), torch.zeros(2)), (torch.zeros(2), torch.zeros(2, device=DEVICE))):
            with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
                torch.cat(pair)


class Selecting(Native):
    def test_rows_and_elements_of_every_type(self) -> None:
        index, small = torch.tensor([2, 0, 4, 4, 1]), torch.tensor([3, 3, 0], dtype=torch.int32)
        for dtype in TYPES:
            whole = numbers(dtype, 6, 5, 7)
            for dim in (0, 1, 2):
                self.same(lambda a, i: a.index_select(dim, i), whole, index)
                self.same(lambda a, i: a.transpose(0, 2)[::2].index_select(1, i), whole, small)
                self.same(lambda a, i: a[1:, 1:].index_select(dim, i), whole, small)
                where = torch.randint(0, whole.size(dim), (5, 4, 3))
                self.same(lambda a, i: a.gather(dim, i), whole, where)
                self.same(lambda a, i: a.transpose(0, 1).gather(1, i.t()), whole[0], where[0, :, :].clamp(max=4))
            self.same(lambda a, i: a.take(i), whole, torch.tensor([[0, -1], [77, 209]]))
            self.same(lambda a, i: a.t().take(i), whole[0], torch.tensor([3, -35]))
        self.same(lambda a, i: a.index_select(0, i), torch.tensor(3.5), torch.tensor([0, 0]))
        self.same(lambda a, i: a.gather(0, i), torch.tensor(3.5), torch.tensor(0))
        self.same(lambda a, i: a.index_select(1, i), torch.randn(3, 4), index[:0])
        self.same(lambda a, i: torch.take_along_dim(a, i, 1), torch.randn(3, 4), torch.tensor([[1, 2]]))
        self.same(lambda a, i, out: torch.index_select(a, 0, i, out=out), torch.randn(5, 4), index, torch.empty(0))
        self.same(lambda a, i, out: torch.gather(a, 0, i, out=out[:, ::2]), torch.randn(5, 4), torch.randint(0, 5, (3, 4)), torch.zeros(3, 8))

    def test_by_tensors_masks_and_what_is_left_out(self) -> None:
        rows, columns = torch.tensor([[0, -1], [3, 2]]), torch.tensor([1, -2])
        functions: tuple[Callable[..., Any], ...] = (
            lambda a, r, c: a[r], lambda a, r, c: a[:, c], lambda a, r, c: a[r, c], lambda a, r, c: a[r, :, c], lambda a, r, c: a[..., c],
            lambda a, r, c: a[None, r, 1:, None, c], lambda a, r, c: a[r, c, c.int()], lambda a, r, c: a[c.cpu()], lambda a, r, c: a[r.t(), c[:1]],
            lambda a, r, c: a[a > 0], lambda a, r, c: a[a[:, :, 0] > 0], lambda a, r, c: a[:, a[0, :, 0] > 0, c[:1]], lambda a, r, c: a[[]],
            lambda a, r, c: a[r[:0]], lambda a, r, c: a.transpose(0, 2)[c, :, r[:, 0]], lambda a, r, c: a[1:, ::2][c], lambda a, r, c: a[a > 99],
        )  # fmt: skip
        for number, function in enumerate(functions):
            for dtype in (torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
                with self.subTest(number=number, dtype=dtype):
                    self.same(function, numbers(dtype, 4, 5, 6), rows, columns)
            with self.subTest(number=number):
                self.same_gradients(lambda a, r, c: function(a, r, c) * 1, torch.randn(4, 5, 6).double(), rows, columns)
        self.same(lambda a, i, out: torch.ops.aten.index.Tensor_out(a, [i], out=out), torch.randn(4, 3), columns, torch.empty(0))

    def test_more_dimensions_than_a_launch_has(self) -> None:
        value = torch.randn(2, 3, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2)
        order = (11, 1, 10, 3, 9, 5, 8, 7, 6, 4, 2, 0)
        index, where = torch.tensor([2, 0]), torch.randint(0, 2, value.permute(order).shape)
        self.same(lambda a, i: a.permute(order)[:, i], value, index)
        self.same(lambda a, i: a.permute(order).gather(0, i), value, where)
        self.same(lambda a, i: a.permute(order).scatter_add_(0, i, i.float()), value, where)
        self.same(lambda a: a.permute(order).masked_fill(a > 0, 3), value)
        self.same(lambda a: torch.nonzero(a.permute(order) > 1), value)

    def test_gradients(self) -> None:
        value, index = torch.randn(6, 5), torch.tensor([2, 0, 4, 4, 1, 4])
        for dtype in (torch.float32, torch.float64):
            self.same_gradients(lambda a, i: a.index_select(1, i), value.to(dtype), index[:3])
            self.same_gradients(lambda a, i: a.gather(1, i.expand(6, 6)), value.to(dtype), index)
            self.same_gradients(lambda a, i: a.take(i), value.to(dtype), index)
            self.same_gradients(lambda a, i, b: a.scatter(0, i[:3, None].expand(3, 5), b), value.to(dtype), torch.tensor([3, 1, 0]), torch.randn(3, 5).to(dtype))
            self.same_gradients(lambda a, i, b: a.index_add(0, i, b, alpha=2), value.to(dtype), index, torch.randn(6, 5).to(dtype))
            self.same_gradients(lambda a, b: a.masked_fill(a > 0, b), value.to(dtype), torch.tensor(2.0).to(dtype))
            self.same_gradients(lambda a: a.masked_select(a > 0), value.to(dtype))
            self.same_gradients(lambda a, b: a.masked_scatter(a > 0, b), value.to(dtype), torch.randn(30).to(dtype))


class Writing(Native):
    def test_to_places_that_indices_name(self) -> None:
        index, where = torch.tensor([4, 0, 2]), torch.stack([torch.randperm(6)[:3] for _ in range(4)]).t()
        for dtype in TYPES:
            whole = numbers(dtype, 6, 5)
            functions: tuple[Callable[..., Any], ...] = (
                lambda a, i, w, b: a.index_copy_(0, i, b), lambda a, i, w, b: a.t().index_copy_(1, i, b.t()), lambda a, i, w, b: a.index_fill_(1, i, 1),
                lambda a, i, w, b: a.index_fill(0, -1 - i, b[0, 0]), lambda a, i, w, b: a.scatter_(0, w, b), lambda a, i, w, b: a.scatter(0, w, 1),
                lambda a, i, w, b: a.index_put_((i,), b), lambda a, i, w, b: a.index_put((i, i), b[0, :3]), lambda a, i, w, b: a.put_(i, b[:, 0]),
                lambda a, i, w, b: a.t().put_(-1 - i, b[:, 1]), lambda a, i, w, b: torch.index_copy(a, 0, i, b), lambda a, i, w, b: a[:, 1].scatter_(0, i, b[:, 0]),
            )  # fmt: skip
            for number, function in enumerate(functions):
                with self.subTest(number=number, dtype=dtype):
                    self.same(function, whole, index, where, numbers(dtype, 3, 5))

        def assign(a: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
            a[i] = 7
            a[a < 0] = 1.5
            a[:, i] = a[:, i] * 2
            a[i, 1] = a[2, i]
            a[a > 9] = a[a > 9] - 5
            return a

        self.same(assign, torch.randn(6, 5) * 9, index)
        self.same(lambda a, i: a.index_fill_(0, i, 2), torch.tensor(3.5), torch.tensor([0]))
        self.same(lambda a, i, b: a.index_copy_(0, i, b), torch.tensor(3.5), torch.tensor([0]), torch.tensor([2.0]))

    def test_sums_and_the_like_of_repeated_places(self) -> None:
        for count in (7, 3000):
            index = torch.randint(0, 5, (count,))
            for dtype in TYPES:
                # In 16 bits the sum of many is in what order it is made.
                values = numbers(dtype, count, 3) if dtype.itemsize != 2 or count == 7 else numbers(torch.int8, count, 3).sign().to(dtype)
                whole = numbers(dtype, 5, 3)
                functions: tuple[Callable[..., Any], ...] = (
                    lambda a, i, b: a.index_add_(0, i, b), lambda a, i, b: a.scatter_add_(0, i[:, None].expand_as(b), b), lambda a, i, b: a[:, 1].scatter_add_(0, i, b[:, 0]),
                    lambda a, i, b: a.index_put_((i,), b, accumulate=True), lambda a, i, b: a.index_put_((i, i % 3), b[:, 2], accumulate=True),
                    lambda a, i, b: a.put_(i, b[:, 1], accumulate=True), lambda a, i, b: a.view(-1)[1:].scatter_add_(0, i, b[:, 0]),
                )  # fmt: skip
                for number, function in enumerate(functions):
                    with self.subTest(number=number, dtype=dtype, count=count):
                        self.same(function, whole, index, values)
                if dtype == torch.bool:
                    continue
                for reduce in ("sum", "prod", "mean", "amax", "amin"):
                    for include in (True, False):
                        signs = values.sign() if reduce == "prod" else values
                        with self.subTest(reduce=reduce, include=include, dtype=dtype, count=count):
                            self.same(lambda a, i, b: a.scatter_reduce_(0, i[:, None].expand_as(b), b, reduce, include_self=include), whole, index, signs)
                            self.same(lambda a, i, b: a[:, 0].scatter_reduce(0, i, b[:, 0], reduce, include_self=include), whole, index, signs)
                            if reduce != "sum":
                                self.same(lambda a, i, b: a.index_reduce_(0, i, b, reduce, include_self=include), whole, index, signs)
                            # The host counts 1-D's in the type, where 257 is not a number of bfloat16.
                            if reduce != "sum" and (reduce, dtype, count) != ("mean", torch.bfloat16, 3000):
                                self.same(lambda a, i, b: a[:, 0].index_reduce(0, i, b[:, 0], reduce, include_self=include), whole, index, signs)
                self.same(lambda a, i, b: a.scatter_(0, i[:, None].expand_as(b), b.sign(), reduce="multiply"), whole, index, values)
                self.same(lambda a, i: a.scatter_(0, i[:, None], 1, reduce="add"), whole, index)
        self.same(lambda a, i, b: a.index_add(0, i, b, alpha=3), torch.randn(5), torch.tensor([1, 1], dtype=torch.int32), torch.randn(2))
        special = torch.tensor([float("nan"), 1.0, 2.0])
        self.same(lambda a, b, i: a.scatter_reduce(0, i, b, "amax"), torch.randn(3), special, torch.tensor([0, 0, 2]))
        self.same(lambda a, b, i: b.scatter_reduce(0, i, a, "amin"), torch.randn(3), special, torch.tensor([0, 0, 2]))

    def test_the_last_value_stays_where_order_matters(self) -> None:
        index, values = torch.randint(0, 7, (4000,)), torch.randn(4000)
        torch.use_deterministic_algorithms(True)
        try:
            self.same(lambda a, i, b: a.index_put_((i,), b), torch.zeros(7), index, values)
            sums = [torch.zeros(7, device=DEVICE).scatter_add_(0, index.to(DEVICE), values.to(DEVICE)).tolist() for _ in range(3)]
            self.assertEqual(sums[0], sums[1])
            self.assertEqual(sums[0], torch.zeros(7).scatter_add_(0, index, values).tolist())
        finally:
            torch.use_deterministic_algorithms(False)

    def test_an_index_beyond_the_end_touches_nothing(self) -> None:
        for wrong in (5, -1, -6, 1 << 40, -(1 << 40)):
            index = torch.tensor([1, wrong], device=DEVICE)
            whole = torch.arange(28.0, device=DEVICE).view(7, 4)
            inner = whole[1:6]
            with self.subTest(wrong=wrong):
                self.assertEqual(inner.index_select(0, index)[1].tolist(), [0] * 4)
                self.assertEqual(inner[:, 0].gather(0, index).tolist(), [8, 0])
                self.assertEqual(inner.t().index_select(1, index)[:, 1].tolist(), [0] * 4)
                self.assertEqual(F.embedding(index, inner.contiguous())[1].tolist(), [0] * 4)
                before = whole.cpu()
                inner[:, 0].scatter_add_(0, index[1:], whole[0, 1:2])
                inner[:, 0].scatter_(0, index[1:], 99)
                inner.index_add_(0, index[1:], whole[:1])
                inner.index_copy_(0, index[1:], whole[:1])
                if wrong != -1:
                    inner.index_put_((index[1:],), whole[:1])
                    inner.index_put_((index[1:], index[1:]), whole[0, 0], accumulate=True)
                    inner.index_fill_(0, index[1:], 99)
                    self.assertEqual(inner[index, index].tolist(), [9, 0])
                    self.assertEqual(inner[index, index[:1]].tolist(), [9, 0])
                self.assertEqual(whole.tolist(), before.tolist())

    def test_errors_are_those_of_the_host(self) -> None:
        whole, index = torch.randn(4, 5), torch.tensor([1, 2])
        functions: tuple[Callable[..., Any], ...] = (
            lambda a, i: a.index_select(2, i), lambda a, i: a.index_select(0, i.float()), lambda a, i: a.index_select(0, i.view(1, 2)),
            lambda a, i: a.gather(0, i), lambda a, i: a.gather(0, i.view(1, 2).float()), lambda a, i: a.scatter(0, i.view(1, 2), a.double()),
            lambda a, i: a[i, i, i], lambda a, i: a[i.float()], lambda a, i: a[i, i.repeat(2)[:3]], lambda a, i: a[torch.ones(5, dtype=torch.bool, device=a.device)],
            lambda a, i: a.index_put_((i,), a.double()), lambda a, i: a.index_put_((i,), a), lambda a, i: a.index_put_((i,), a, accumulate=True),
            lambda a, i: a.index_put_((i,), a.double(), accumulate=True), lambda a, i: a.index_add_(0, i, a), lambda a, i: a.index_add_(0, i, a[:2].double()),
            lambda a, i: a.index_copy_(0, i, a), lambda a, i: a.index_fill_(0, i.int(), 1), lambda a, i: a.index_fill_(0, i, a), lambda a, i: a.take(i.int()),
            lambda a, i: a.put_(i, a), lambda a, i: a.masked_fill_(i, 1), lambda a, i: a.masked_fill_(a > 0, a), lambda a, i: a.masked_fill_(i > 0, 1),
            lambda a, i: a.int().masked_fill_(a > 0, 1 << 40), lambda a, i: a.masked_select(i), lambda a, i: a.masked_scatter_(a > -99, a[0]),
            lambda a, i: a.masked_scatter_(a > 0, a.double()), lambda a, i: torch.bincount(a), lambda a, i: torch.bincount(-i), lambda a, i: torch.bincount(i, a[0]),
            lambda a, i: torch.bincount(i, minlength=-1), lambda a, i: a.expand(3, 4, 5).scatter_(0, i.view(1, 1, 2), 1), lambda a, i: torch.nonzero(a, out=a),
            lambda a, i: torch.index_select(a, 0, i, out=a), lambda a, i: torch.index_select(a, 0, i, out=i), lambda a, i: a[:0][i], lambda a, i: a.scatter_reduce(0, i, a, "sum"),
            lambda a, i: a.scatter_reduce(0, i.view(1, 2), a, "max"), lambda a, i: a.index_reduce(0, i, a[:2], "sum"),
        )  # fmt: skip
        for number, function in enumerate(functions):
            with self.subTest(number=number):
                self.same(function, whole, index)
        device = whole.to(DEVICE)
        for function in (lambda: device.index_select(0, index), lambda: device.gather(0, index.view(1, 2)), lambda: device.scatter_add_(0, index.view(1, 2).to(DEVICE), whole),
                         lambda: device.masked_fill_(whole > 0, 1), lambda: device.masked_select(whole > 0),
                         lambda: F.embedding(index, device)):  # fmt: skip
            with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device, but found at least two devices"):
                function()
        with self.assertRaisesRegex(RuntimeError, "self, index and source expected to be in the same device"):
            device.index_add_(0, index.to(DEVICE), whole[:2])
        with self.assertRaisesRegex(RuntimeError, "indices should be either on"):
            whole[index.to(DEVICE)]


class Masks(Native):
    def test_fills_selections_and_positions(self) -> None:
        mask = torch.rand(6, 1, 7) > 0.6
        for dtype in TYPES:
            whole = numbers(dtype, 6, 5, 7)
            functions: tuple[Callable[..., Any], ...] = (
                lambda a, m: a.masked_fill(m, 1), lambda a, m: a.masked_fill_(m, 1), lambda a, m: a.transpose(0, 2).masked_fill_(m.transpose(0, 2), 0),
                lambda a, m: a.masked_fill(m, a[0, 0, 0]), lambda a, m: a[:, ::2, 1:].masked_fill_(m[:, :, 1:], 1), lambda a, m: a.masked_select(m),
                lambda a, m: a.transpose(0, 2).masked_select(m.transpose(0, 2)), lambda a, m: a[0, 0].masked_select(m), lambda a, m: a.nonzero(), lambda a, m: a.t().nonzero() if a.dim() == 2 else a.transpose(0, 1).nonzero(),
                lambda a, m: torch.where(a), lambda a, m: torch.argwhere(a), lambda a, m: a.count_nonzero(), lambda a, m: a.count_nonzero((0, 2)),
                lambda a, m: a.masked_scatter(m, a.flip(1)), lambda a, m: a.transpose(0, 1).masked_scatter_(m.transpose(0, 1), a.flatten().flip(0)),
            )  # fmt: skip
            for number, function in enumerate(functions):
                with self.subTest(number=number, dtype=dtype):
                    self.same(function, whole, mask)
        self.same(lambda a: (a.nonzero(), a[0].nonzero(), (a > 99).nonzero(), a[:0].nonzero()), torch.tensor([-0.0, 0.0, float("nan"), 1e-40]))
        self.same(lambda a, m: (a.masked_select(m), a[:0].masked_select(m[:0]), a.masked_fill(m[0], 2)), torch.randn(3), torch.tensor([True, False, True]))
        self.same(lambda a, m, out: torch.masked_select(a, m, out=out[::2]), torch.randn(4), torch.tensor([True, False, True, True]), torch.zeros(6))
        self.same(lambda a, out: torch.nonzero(a, out=out.t()), torch.tensor([[1, 0, 2]]), torch.zeros(2, 2, dtype=torch.int64))

    def test_many_blocks_keep_their_order(self) -> None:
        for count in (255, 257, 1_200_000):
            mask = torch.rand(count) > 0.9
            self.same(lambda m: m.nonzero(), mask)
            self.same(lambda a, m: a[m], torch.randn(count), mask)
            self.same(lambda a, m: a.masked_scatter(m, a), torch.randn(count), mask)

    def test_counts_and_repetitions(self) -> None:
        value = torch.randint(0, 9, (5000,))
        for dtype in (torch.int64, torch.int32, torch.uint8):
            self.same(lambda a: (torch.bincount(a), torch.bincount(a, minlength=20), torch.bincount(a[:0], minlength=3)), value.to(dtype))
            self.same(lambda a, w: torch.bincount(a, w), value.to(dtype), torch.randn(5000).double())
        for dtype in (torch.int64, torch.int32):
            self.same(lambda a, r: (a.repeat_interleave(r, 0), torch.repeat_interleave(r), torch.repeat_interleave(r, output_size=6), torch.repeat_interleave(r[:0])),
                      torch.randn(4, 3), torch.tensor([1, 0, 3, 2]).to(dtype))  # fmt: skip
        self.same(lambda r: torch.repeat_interleave(r), torch.tensor([1, -1]))
        self.same(lambda a: (a.repeat(2, 3), a.tile(3), a.repeat_interleave(2)), torch.randn(3, 2))


class Embeddings(Native):
    def test_gradients_of_rows_that_come_again(self) -> None:
        tokens = torch.randint(0, 9, (4, 50))
        for dtype in FLOATS:
            for options in ({}, {"padding_idx": 3}, {"scale_grad_by_freq": True}, {"padding_idx": 0, "scale_grad_by_freq": True}):
                for width in (1, 33, 70):
                    with self.subTest(dtype=dtype, options=options, width=width):
                        weight = numbers(torch.int8, 10, width).to(dtype)
                        for kind in (torch.int64, torch.int32):
                            results = []
                            for device in ("cpu", DEVICE):
                                # In 16 bits the host rounds each sum; the device rounds the last.
                                leaf = weight.to(device, torch.float32 if device == "cpu" and dtype.itemsize == 2 else dtype, copy=True).requires_grad_()
                                out = F.embedding(tokens.to(device, kind), leaf, **options)
                                out.backward(torch.linspace(-1, 1, out.numel()).view_as(out).to(dtype).to(out))
                                results += [out.detach().cpu().to(dtype), leaf.grad.cpu().to(dtype)]
                            torch.testing.assert_close(results[2:], results[:2])
        # Of floats, too, the sum is the same each time.
        gradient, index = torch.randn(3000, 40).to(DEVICE), torch.randint(0, 4, (3000,)).to(DEVICE)
        sums = [torch.ops.aten.embedding_dense_backward(gradient, index, 4, -1, False).cpu() for _ in range(3)]
        self.assertTrue(torch.equal(sums[0], sums[1]) and torch.equal(sums[1], sums[2]))
        self.same(lambda g, i: torch.ops.aten.embedding_dense_backward(g, i, 4, -1, False), torch.randn(0, 3), torch.zeros(0, dtype=torch.int64))


class Attention(torch.nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inputs, self.outputs, self.heads = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width), heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        query, key, value = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in self.inputs(x).chunk(3, -1))
        mask = torch.ones(length, length, device=x.device).tril() == 0
        scores = (query @ key.transpose(-1, -2) / math.sqrt(width / self.heads)).masked_fill(mask, float("-inf"))
        return self.outputs((torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, length, width))


class Language(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = torch.nn.Embedding(31, 24, padding_idx=0), torch.nn.Embedding(20, 24)
        self.layers = torch.nn.ModuleList(Attention(24, 4) for _ in range(2))

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        x = self.tokens(text) + self.positions(torch.arange(text.size(1), device=text.device))
        for layer in self.layers:
            x = x + layer(x)
        scores = torch.log_softmax(x @ self.tokens.weight.t(), -1)
        last = scores[torch.arange(text.size(0), device=text.device), -1]
        return -scores[:, :-1].gather(2, text[:, 1:, None]).mean() - last[:, 1].mean()


class Models(Native):
    def test_a_small_language_model_learns_as_on_the_host(self) -> None:
        whole, text = Language(), torch.randint(0, 31, (5, 20))
        results: list[list[torch.Tensor]] = []
        for device in ("cpu", DEVICE):
            model = copy.deepcopy(whole).to(device)
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            found = []
            for _ in range(4):
                optimizer.zero_grad()
                loss = model(text.to(device))
                loss.backward()
                optimizer.step()
                found.append(loss.detach().cpu())
            results.append([*found, *(parameter.grad.cpu() for parameter in model.parameters())])
        torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    unittest.main()
