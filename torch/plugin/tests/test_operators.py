# SPDX-License-Identifier: Apache-2.0
"""Operators that have kernels: as on the host, and none of them runs there. The sweep compares them sample by sample; this is its core."""
from __future__ import annotations

import copy
import unittest
import warnings
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch_xhal import _C

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8)
DEVICE = torch._C._get_privateuse1_backend_name()


def to_device(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # Layouts are part of what is compared, so views are made again rather than copied densely.
        whole = torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device=DEVICE)
        return whole.copy_(value)
    return value


class Native(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})

    def same(self, function: Callable[..., Any], *inputs: Any) -> None:
        expected = function(*inputs)
        found = function(*(to_device(value) for value in inputs))
        torch.testing.assert_close(found.cpu(), expected, equal_nan=True)


class Elementwise(Native):
    def test_functions_of_one_input_in_every_layout(self) -> None:
        whole = torch.randn(6, 40)
        special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-40, 88.9, -103.5, 3e38])
        inputs = (whole, whole.t(), whole[:, ::3], whole[2, 3], special, torch.zeros(0, 3))
        for name in (
            "abs acos asin atan asinh ceil cos cosh digamma erf erfc exp exp2 expm1 floor frac lgamma neg reciprocal round sgn "
            "sigmoid sign sin sinc sinh sqrt rsqrt log log10 log1p log2 tan tanh trunc isposinf isneginf signbit logical_not"
        ).split():
            for dtype in FLOATS:
                for value in inputs:
                    # Far from zero the last digits of an angle are nobody's.
                    if value is special and name in ("sin", "cos", "tan", "sinc", "lgamma", "digamma"):
                        continue
                    with self.subTest(name=name, dtype=dtype, size=tuple(value.shape)):
                        self.same(getattr(torch, name), value.to(dtype))

    def test_activations_and_their_gradients(self) -> None:
        value = torch.randn(3, 70) * 3
        for function in (F.relu, F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.silu, F.mish, F.elu, F.celu, F.selu, F.leaky_relu,
                         F.hardtanh, F.hardsigmoid, F.hardswish, F.softplus, F.softshrink, F.hardshrink, F.relu6, torch.tanh,
                         torch.sigmoid, lambda x: F.threshold(x, 0.1, 2.0)):  # fmt: skip
            for dtype in (torch.float32, torch.float64):
                with self.subTest(function=str(function), dtype=dtype):
                    host = value.to(dtype).clone().requires_grad_()
                    device = value.to(dtype).to(DEVICE).requires_grad_()
                    gradient = torch.randn(3, 70).to(dtype)
                    function(host).backward(gradient)
                    function(device).backward(gradient.to(DEVICE))
                    torch.testing.assert_close(device.grad.cpu(), host.grad)

    def test_two_inputs_are_broadcast_and_promoted(self) -> None:
        whole = torch.randn(4, 5, 6)
        pairs = ((whole, torch.randn(6)), (whole.transpose(0, 2), torch.randn(5, 4)), (whole, torch.tensor(2.5)), (whole[:, 1:4:2], whole[:1, ::4]))
        for function in (torch.add, torch.sub, torch.mul, torch.div, torch.maximum, torch.fmin, torch.atan2, torch.hypot, torch.fmod,
                         torch.remainder, torch.floor_divide, torch.logaddexp, torch.copysign, torch.eq, torch.lt, torch.logical_and):  # fmt: skip
            for left, right in pairs:
                for types in ((torch.float32,) * 2, (torch.float64,) * 2, (torch.bfloat16,) * 2, (torch.float32, torch.float16), (torch.int64, torch.float32)):
                    with self.subTest(function=function.__name__, types=types, sizes=(left.shape, right.shape)):
                        self.same(function, (left * 4).to(types[0]), right.to(types[1]))

    def test_integers_wrap_and_divide_as_on_the_host(self) -> None:
        left, right = torch.randint(-100, 100, (5, 30)), torch.randint(1, 9, (30,))
        functions: tuple[Callable[..., Any], ...] = (
            lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a // b, lambda a, b: a % b, lambda a, b: a / b, lambda a, b: a & b,
            lambda a, b: a | b, lambda a, b: a ^ b, lambda a, b: a << b, lambda a, b: a >> b, torch.gcd, torch.lcm, lambda a, b: a.clamp(-3, 5),
            lambda a, b: torch.where(a > b, a, b), lambda a, b: b**2, lambda a, b: ~a, lambda a, b: 7 - a,
        )  # fmt: skip
        for number, function in enumerate(functions):
            for dtype in INTEGERS:
                with self.subTest(number=number, dtype=dtype):
                    self.same(function, left.to(dtype), right.to(dtype))

    def test_outputs_that_are_given_and_inputs_that_are_changed(self) -> None:
        left, right = torch.randn(4, 6), torch.randn(6)
        device = left.to(DEVICE)
        out = torch.empty(0, device=DEVICE)
        torch.add(device, right.to(DEVICE), out=out)
        torch.testing.assert_close(out.cpu(), left + right)
        gaps = torch.zeros(4, 12, device=DEVICE)
        torch.mul(device, 2, out=gaps[:, ::2])
        torch.testing.assert_close(gaps.cpu()[:, ::2], left * 2)
        self.assertFalse(gaps.cpu()[:, 1::2].any())
        device.t().mul_(3).add_(1)
        torch.testing.assert_close(device.cpu(), left * 3 + 1)
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
            device + right
        with self.assertRaisesRegex(RuntimeError, "result type Float can't be cast"):
            torch.ones(4, 6, dtype=torch.int64, device=DEVICE).add_(device)
        with self.assertRaisesRegex(NotImplementedError, "not implemented for 'Float'"):
            device & device

    def test_what_integers_have_not_is_refused(self) -> None:
        numbers = torch.ones(6, dtype=torch.int64, device=DEVICE)
        for function in (F.gelu, F.silu, F.hardswish, lambda x: torch.hypot(x, x), lambda x: torch.lerp(x, x, 0.5), lambda x: torch.softmax(x, 0)):
            with self.subTest(function=str(function)), self.assertRaisesRegex(NotImplementedError, "not implemented for 'Long'"):
                function(numbers)


class Copies(Native):
    def test_every_pair_of_types_in_both_layouts(self) -> None:
        types = (torch.bool, torch.uint8, *INTEGERS, *FLOATS, torch.complex64, torch.complex128)
        for source in types:
            value = (torch.rand(3, 5) * 20).to(source)
            for destination in types:
                with self.subTest(source=source, destination=destination), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self.same(lambda x: x.to(destination), value)
                    self.same(lambda x: x.t().to(destination), value)

    def test_conjugates_and_negatives(self) -> None:
        value = torch.randn(4, 3, dtype=torch.complex64)
        self.same(lambda x: x.conj().t().contiguous(), value)
        self.same(lambda x: x.conj().imag.clone(), value)
        self.same(lambda x: torch.empty_like(x).conj().copy_(x), value)

    def test_more_dimensions_than_a_launch_has(self) -> None:
        value = torch.randn(2, 1, 2, 1, 2, 2, 1, 2, 2, 2, 2, 2, 2)
        order = (12, 1, 11, 3, 10, 5, 9, 7, 8, 6, 4, 2, 0)
        self.same(lambda x: x.permute(order).contiguous(), value)
        self.same(lambda x: x.permute(order) + 1, value)


class Products(Native):
    def test_layouts_batches_and_types(self) -> None:
        functions: tuple[Callable[..., Any], ...] = (
            lambda a, b, c, x, y: a @ b, lambda a, b, c, x, y: b.t() @ a.t(), lambda a, b, c, x, y: a[:, ::2] @ b[::2],
            lambda a, b, c, x, y: torch.addmm(c, a, b, beta=2, alpha=3), lambda a, b, c, x, y: torch.addmm(c[0], a, b),
            lambda a, b, c, x, y: x @ y, lambda a, b, c, x, y: x @ y[0], lambda a, b, c, x, y: torch.baddbmm(x @ y, x, y, beta=-1),
            lambda a, b, c, x, y: a @ b[:, 0], lambda a, b, c, x, y: torch.dot(a[0], b[:, 0]), lambda a, b, c, x, y: a[:, :0] @ b[:0],
        )  # fmt: skip
        for dtype in (*FLOATS, torch.int64, torch.int32):
            inputs = [torch.randint(-4, 5, size).to(dtype) for size in ((7, 19), (19, 33), (7, 33), (5, 4, 6), (5, 6, 3))]
            for number, function in enumerate(functions):
                with self.subTest(dtype=dtype, number=number):
                    self.same(function, *inputs)

    def test_an_output_in_another_order(self) -> None:
        left, right = torch.randn(7, 19), torch.randn(19, 33)
        out = torch.empty(33, 7, device=DEVICE).t()
        torch.mm(left.to(DEVICE), right.to(DEVICE), out=out)
        torch.testing.assert_close(out.cpu(), left @ right)


    def test_operands_of_two_types_are_refused(self) -> None:
        left, right = torch.ones(3, 3, device=DEVICE), torch.ones(3, 3, dtype=torch.float16, device=DEVICE)
        for call in (lambda: left @ right, lambda: torch.bmm(left[None], right[None]), lambda: torch.baddbmm(left[None], left[None], right[None])):
            with self.assertRaisesRegex(RuntimeError, "expected m1 and m2 to have the same dtype|expected scalar type"):
                call()


class Reductions(Native):
    def test_of_nothing(self) -> None:
        # What lies in new memory must not show.
        torch.full((64,), 7.0, device=DEVICE)
        for size, dims in (((0,), 0), ((3, 0), 1), ((3, 0, 2), 1)):
            for function in (torch.sum, torch.prod, torch.mean, torch.linalg.vector_norm):
                for dtype in FLOATS:
                    with self.subTest(function=function.__name__, size=size, dtype=dtype):
                        self.same(lambda x: function(x, dim=dims), torch.zeros(size, dtype=dtype))
        self.same(torch.all, torch.zeros(0))
        self.same(torch.any, torch.zeros(0))

    def test_over_any_dimensions(self) -> None:
        value = torch.randn(6, 5, 70)
        for dims in (None, 0, 1, 2, (0, 2), (1, 2)):
            options = {} if dims is None else {"dim": dims}
            for name in ("sum", "mean", "amin", "amax"):
                for dtype in FLOATS:
                    with self.subTest(name=name, dims=dims, dtype=dtype):
                        self.same(lambda x: getattr(torch, name)(x, **options), value.to(dtype))
                        self.same(lambda x: getattr(torch, name)(x.transpose(0, 2), **options), value.to(dtype))
            self.same(lambda x: (x > 0).all(**options), value)
            self.same(lambda x: torch.nansum(torch.where(x > 1, float("nan"), x), **options), value)
            for correction in (0, 1, 4):
                self.same(lambda x: x.var(correction=correction, **options), value)
                self.same(lambda x: x.std(correction=correction, **options), value.double())
            for exponent in (0, 1, 2, 3, float("inf"), -float("inf")):
                self.same(lambda x: torch.linalg.vector_norm(x, exponent, **options), value)
            self.same(lambda x: (x > 2).any(**options), value)
            if not isinstance(dims, tuple):
                self.same(lambda x: x.argmax(**options), value)
                self.same(lambda x: x.argmin(**options), value)

    def test_integers_long_sums_and_what_is_not_a_number(self) -> None:
        numbers = torch.randint(-9, 9, (7, 9))
        for function in (lambda x: x.sum(0), lambda x: x.prod(1), lambda x: x.amax(0), lambda x: x.bool().sum(), lambda x: x.int().argmax(1)):
            self.same(function, numbers)
        self.same(torch.sum, torch.rand(1000003))
        # Of ones the mean is one, whatever their number.
        for count in range(64, 200):
            self.assertEqual(torch.ones(count, device=DEVICE).mean().item(), 1.0)
        spoilt = torch.randn(4, 8)
        spoilt[1, 3] = float("nan")
        self.same(lambda x: x.amax(1), spoilt)
        self.same(lambda x: x.argmin(1), spoilt)
        self.same(lambda x: x.sum(0), torch.zeros(0, 3))

    def test_softmax_and_its_gradient(self) -> None:
        value, gradient = torch.randn(6, 5, 70), torch.randn(6, 5, 70)
        # In 16 bits the host rounds between its steps, and the device does not.
        for function in (F.softmax, F.log_softmax):
            for dim in (0, 1, 2):
                for dtype in (torch.float32, torch.float64):
                    with self.subTest(function=function.__name__, dim=dim, dtype=dtype):
                        host = value.to(dtype).clone().requires_grad_()
                        device = value.to(dtype).to(DEVICE).requires_grad_()
                        function(host, dim).backward(gradient.to(dtype))
                        function(device, dim).backward(gradient.to(dtype).to(DEVICE))
                        torch.testing.assert_close(device.grad.cpu(), host.grad)


class Models(Native):
    def test_a_perceptron_trains_to_the_hosts_loss(self) -> None:
        layers = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 4))
        inputs, targets = torch.randn(64, 8), torch.randn(64, 4)
        losses = []
        for device in ("cpu", DEVICE):
            model = copy.deepcopy(layers).to(device)
            optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
            for _ in range(30):
                optimizer.zero_grad()
                loss = F.mse_loss(model(inputs.to(device)), targets.to(device))
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[0], 0.8)
        self.assertAlmostEqual(losses[0], losses[1], places=4)


if __name__ == "__main__":
    unittest.main()
