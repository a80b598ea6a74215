# SPDX-License-Identifier: Apache-2.0
"""Normalisation by layer, group, batch and root mean square: results, statistics and gradients as on the host, and none of it runs there."""
from __future__ import annotations

import copy
import unittest
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch_xhal import _C

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
SHORT = (torch.float16, torch.bfloat16)
DEVICE = torch._C._get_privateuse1_backend_name()


def to_device(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # Layouts are part of what is compared, so views are made again rather than copied densely.
        whole = torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device=DEVICE)
        return whole.copy_(value.detach()).requires_grad_(value.requires_grad)
    return value


class Native(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})

    def close(self, found: Any, expected: Any, **tolerance: float) -> None:
        if not isinstance(expected, torch.Tensor):
            self.assertEqual(found is None, expected is None)
            return
        self.assertEqual(found.device.type, DEVICE)
        torch.testing.assert_close(found.cpu(), expected, equal_nan=True, **tolerance)

    def same(self, function: Callable[..., Any], *inputs: Any, of_gradients: dict[str, float] | None = None, **tolerance: float) -> None:
        """Results and gradients of `function`."""
        on_host = tuple(copy.deepcopy(value) if isinstance(value, torch.Tensor) and value.requires_grad else value for value in inputs)
        on_device = tuple(to_device(value) for value in inputs)
        expected, found = function(*on_host), function(*on_device)
        if isinstance(expected, torch.Tensor):
            expected, found = (expected,), (found,)
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.close(a, b, **tolerance)
            if isinstance(b, torch.Tensor) and b.numel() > 1:
                self.assertEqual(a.stride(), b.stride())
        if expected[0] is not None and expected[0].requires_grad:
            gradient = torch.randn(expected[0].shape).to(expected[0].dtype)
            expected[0].backward(gradient)
            found[0].backward(gradient.to(DEVICE))
            for a, b in zip(on_device, on_host):
                if isinstance(b, torch.Tensor):
                    self.close(a.grad, b.grad, **(of_gradients or tolerance))

    def raises_the_same(self, function: Callable[..., Any], *inputs: Any) -> None:
        with self.assertRaises(Exception) as expected:
            function(*inputs)
        with self.assertRaises(type(expected.exception)) as found:
            function(*(to_device(value) for value in inputs))
        self.assertEqual(str(found.exception).splitlines()[0], str(expected.exception).splitlines()[0])


def parameters(size: tuple[int, ...], dtype: torch.dtype) -> list[torch.Tensor]:
    return [torch.randn(size).to(dtype).requires_grad_() for _ in range(2)]


def tolerances(dtype: torch.dtype) -> dict[str, Any]:
    if dtype in SHORT:
        # The host rounds sums of gradients where it begins and where it ends those of a thread, and statistics between both passes.
        return {"of_gradients": {"rtol": 0.05, "atol": 0.15} if dtype == torch.bfloat16 else {"rtol": 0.01, "atol": 0.02}}
    return {"rtol": 1e-5, "atol": 2e-5} if dtype == torch.float32 else {}


class Layer(Native):
    def test_sizes_types_and_layouts_with_and_without_parameters(self) -> None:
        whole = torch.randn(6, 5, 70) * 2 + 1
        for dtype in FLOATS:
            for value in (whole, whole.transpose(0, 1), whole[:, ::2, 3:20], torch.randn(3, 5000), torch.randn(1, 2, 3), torch.randn(33)):
                for depth in range(1, min(value.dim(), 2) + 1):
                    size = tuple(value.shape[-depth:])
                    for which in ((True, True), (True, False), (False, True), (False, False))[:: 1 if dtype == torch.float32 else 3]:
                        with self.subTest(dtype=dtype, size=size, which=which):
                            given = [parameter if wanted else None for parameter, wanted in zip(parameters(size, dtype), which)]
                            x = value.detach().to(dtype).requires_grad_()
                            self.same(lambda x, w, b: torch.native_layer_norm(x, size, w, b, 1e-3), x, *given, **tolerances(dtype))

    def test_many_rows_and_rows_far_from_zero(self) -> None:
        # The gradients of the parameters go through all rows, and distances from a mean are small beside it.
        for value in (torch.randn(3000, 37), torch.randn(40, 300) + 100):
            size = tuple(value.shape[1:])
            self.same(lambda x, w, b: F.layer_norm(x, size, w, b), value.double().requires_grad_(), *parameters(size, torch.float64))
            x, w, b = value.to(DEVICE).requires_grad_(), *(p.detach().to(DEVICE).requires_grad_() for p in parameters(size, torch.float32))
            exact = [tensor.detach().cpu().double().requires_grad_() for tensor in (x, w, b)]
            for tensors in ((x, w, b), exact):
                F.layer_norm(tensors[0], size, *tensors[1:]).square().sum().backward()
            for found, expected in zip((x, w, b), exact):
                torch.testing.assert_close(found.grad.cpu().double(), expected.grad, rtol=1e-4, atol=2e-4)

    def test_parameters_of_f32_with_inputs_of_16_bits(self) -> None:
        for dtype in SHORT:
            x = torch.randn(7, 24).to(dtype)
            w, b = parameters((24,), torch.float32)
            for given in ((w, b), (w, None)):
                self.same(lambda x, w, b: torch.native_layer_norm(x, (24,), w, b, 1e-5), x.requires_grad_(), *given, **tolerances(dtype))
            # Of a bias alone the host has no gradient in two types.
            self.same(lambda x, b: torch.native_layer_norm(x, (24,), None, b, 1e-5), x.detach(), b.detach())

    def test_what_is_empty_or_not_a_number(self) -> None:
        for value in (torch.zeros(0, 3), torch.zeros(3, 0), torch.zeros(2, 0, 3)):
            size = tuple(value.shape[1:])
            self.same(lambda x, w, b: torch.native_layer_norm(x, size, w, b, 1e-5), value.requires_grad_(), *parameters(size, torch.float32))
        spoilt = torch.randn(4, 50)
        spoilt[1, 3] = float("nan")
        self.same(lambda x: torch.native_layer_norm(x, (50,), None, None, 1e-5), spoilt, rtol=1e-5, atol=2e-5)
        spoilt[2, 7] = float("inf")
        self.same(lambda x: F.layer_norm(x, (50,)), spoilt, rtol=1e-5, atol=2e-5)
        self.same(lambda x: torch.native_layer_norm(x, (50,), None, None, 0.0), torch.ones(2, 50))

    def test_only_the_gradients_that_are_wanted(self) -> None:
        x, w, b = torch.randn(5, 20), torch.randn(20), torch.randn(20)
        y, mean, deviation = torch.native_layer_norm(x, (20,), w, b, 1e-5)
        for mask in ((True, False, False), (False, True, False), (False, False, True), (False, True, True)):
            self.same(lambda *t: torch.ops.aten.native_layer_norm_backward(t[0], t[1], [20], *t[2:], mask), y, x, mean, deviation, w, b, rtol=1e-5, atol=2e-5)

    def test_gradients_of_gradients(self) -> None:
        x, w, b = (torch.randn(size, dtype=torch.float64).to(DEVICE).requires_grad_() for size in ((3, 5), (5,), (5,)))
        self.assertTrue(torch.autograd.gradcheck(lambda x, w, b: F.layer_norm(x, (5,), w, b), (x, w, b), nondet_tol=0))
        gradients = [torch.randn(3, 5, dtype=torch.float64).to(DEVICE).requires_grad_()]
        self.assertTrue(torch.autograd.gradgradcheck(lambda x, w, b: F.layer_norm(x, (5,), w, b), (x, w, b), gradients))
        # The checks themselves use what has no kernel.
        _C.reset_fallback_counts()

    def test_errors_are_the_hosts(self) -> None:
        x = torch.randn(4, 6)
        for arguments in (
            (x.long(), (6,), None, None), (x, (5,), None, None), (x, (), None, None), (x, (6,), torch.ones(5), None), (x, (6,), None, torch.ones(5)),
            (x, (6,), torch.ones(6).double(), None), (x, (6,), torch.ones(6), torch.ones(6).double()), (x.bfloat16(), (6,), torch.ones(6).half(), None),
        ):  # fmt: skip
            self.raises_the_same(lambda x, size, w, b: torch.native_layer_norm(x, size, w, b, 1e-5), *arguments)
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device, but found at least two devices"):
            F.layer_norm(x.to(DEVICE), (6,), torch.ones(6))


class RootMeanSquare(Native):
    def test_sizes_types_and_gradients(self) -> None:
        whole = torch.randn(6, 5, 70) + 1
        for dtype in FLOATS:
            for value in (whole, whole.transpose(0, 1), torch.randn(3, 5000), torch.randn(0, 8)):
                for depth in (1, 2):
                    size = tuple(value.shape[-depth:])
                    for weight in (torch.randn(size).to(dtype).requires_grad_(), None):
                        for epsilon in (None, 1e-3) if dtype == torch.float32 else (None,):
                            with self.subTest(dtype=dtype, size=size, epsilon=epsilon):
                                x = value.detach().to(dtype).requires_grad_()
                                self.same(lambda x, w: F.rms_norm(x, size, w, epsilon), x, weight, **tolerances(dtype))

    def test_one_kernel_a_call(self) -> None:
        x = torch.randn(4, 6).to(DEVICE).requires_grad_()
        self.assertIn("FusedRmsNorm", type(F.rms_norm(x, (6,)).grad_fn).__name__)


class Group(Native):
    def test_sizes_types_and_layouts(self) -> None:
        for dtype in FLOATS:
            for size, groups in (((2, 6, 7), 3), ((3, 4, 5, 6), 2), ((2, 8, 3, 2, 2), 4), ((4, 6), 2), ((1, 5, 300), 1), ((2, 5, 9), 5)):
                base = torch.randn(size).to(dtype) + 1
                layouts = [base, base.transpose(0, 1).contiguous().transpose(0, 1)]
                if base.dim() == 4:
                    layouts.append(base.contiguous(memory_format=torch.channels_last))
                if base.dim() == 5:
                    layouts.append(base.contiguous(memory_format=torch.channels_last_3d))
                for value in layouts:
                    for has_parameters in (True, False) if dtype == torch.float32 else (True,):
                        with self.subTest(dtype=dtype, size=size, strides=value.stride(), has_parameters=has_parameters):
                            given = parameters((size[1],), dtype) if has_parameters else (None, None)
                            self.same(lambda x, w, b: F.group_norm(x, groups, w, b), value.detach().requires_grad_(), *given, **tolerances(dtype))

    def test_statistics_and_what_is_empty(self) -> None:
        # Later releases of the host have gradients of 0 where there is no element in a channel.
        self.same(lambda x: torch.native_group_norm(x, None, None, 3, 6, 0, 3, 1e-5), torch.zeros(3, 6, 0))
        for x in (torch.randn(3, 6, 4), torch.zeros(0, 6, 4)):
            w, b = parameters((6,), torch.float32)
            self.same(lambda x, w, b: torch.native_group_norm(x, w, b, x.size(0), 6, x.size(2), 3, 1e-5), x.requires_grad_(), w, b)
        for dtype in SHORT:
            w, b = parameters((6,), torch.float32)
            self.same(lambda x, w, b: torch.native_group_norm(x, w, b, 3, 6, 4, 3, 1e-5), torch.randn(3, 6, 4).to(dtype).requires_grad_(), w, b, **tolerances(dtype))

    def test_errors_are_the_hosts(self) -> None:
        x = torch.randn(2, 6, 4)
        for arguments in ((x.long(), 2, None, None), (x, 4, None, None), (x, 0, None, None), (x, 2, torch.ones(5), None),
                          (x, 2, torch.ones(6).double(), None), (x, 2, torch.ones(6), torch.ones(6).double())):  # fmt: skip
            self.raises_the_same(F.group_norm, *arguments)
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
            F.group_norm(x.to(DEVICE), 2, torch.ones(6))


def batch_layouts(size: tuple[int, ...]) -> list[torch.Tensor]:
    base = torch.randn(size) * 2 + 1
    layouts = [base, base.transpose(0, 1).contiguous().transpose(0, 1), torch.randn(*size[:-1], size[-1] * 2)[..., ::2]]
    if base.dim() == 4:
        layouts.append(base.contiguous(memory_format=torch.channels_last))
    if base.dim() == 5:
        layouts.append(base.contiguous(memory_format=torch.channels_last_3d))
    return layouts


class Batch(Native):
    def test_sizes_types_and_layouts_in_training_and_evaluation(self) -> None:
        for dtype in FLOATS:
            for size in ((6, 3), (5, 37), (4, 3, 7), (3, 20, 4, 5), (2, 5, 2, 3, 4), (2, 4, 1, 1)):
                for value in batch_layouts(size)[: 2 if dtype in SHORT else 9]:
                    for is_training in (True, False):
                        with self.subTest(dtype=dtype, size=size, strides=value.stride(), is_training=is_training):
                            self.batch_norm(value.to(dtype), size[1], dtype, is_training)

    def batch_norm(self, value: torch.Tensor, channels: int, dtype: torch.dtype, is_training: bool, **of: Any) -> None:
        mean, variance = torch.randn(channels).to(dtype), torch.rand(channels).to(dtype) + 0.5
        w, b = parameters((channels,), dtype)
        moved = []

        def function(x: torch.Tensor, w: Any, b: Any, mean: Any, variance: Any) -> Any:
            mean, variance = mean.clone(), variance.clone()
            moved.append((mean, variance))
            return torch.native_batch_norm(x, w, b, mean, variance, is_training, 0.3, 1e-4)

        # Without density the host rounds to 16 bits after each step.
        rounded = {torch.float16: {"rtol": 0.01, "atol": 0.01}, torch.bfloat16: {"rtol": 0.05, "atol": 0.05}}.get(dtype, {})
        self.same(function, value.detach().requires_grad_(), w, b, mean, variance, **{**tolerances(value.dtype), **rounded})
        for found, expected in zip(moved[1], moved[0]):
            self.close(found, expected, **({} if dtype == torch.float64 else {"rtol": 1e-2, "atol": 1e-2} if dtype in SHORT else {"rtol": 1e-5, "atol": 1e-5}))

    def test_parameters_of_f32_with_inputs_of_16_bits(self) -> None:
        for dtype in SHORT:
            for size in ((6, 5), (3, 4, 6, 2)):
                for is_training in (True, False):
                    self.batch_norm(torch.randn(size).to(dtype), size[1], torch.float32, is_training)

    def test_modules(self) -> None:
        for module, size in ((torch.nn.BatchNorm1d(17), (4, 17)), (torch.nn.BatchNorm1d(3), (4, 3, 5)), (torch.nn.BatchNorm2d(20), (2, 20, 5, 4)),
                             (torch.nn.BatchNorm3d(2), (3, 2, 2, 3, 4)), (torch.nn.BatchNorm2d(4, affine=False), (2, 4, 3, 3)),
                             (torch.nn.BatchNorm2d(4, momentum=None), (2, 4, 3, 3)), (torch.nn.BatchNorm2d(4, track_running_stats=False), (2, 4, 3, 3)),
                             (torch.nn.InstanceNorm2d(4, affine=True, track_running_stats=True), (2, 4, 3, 3))):  # fmt: skip
            on_device = copy.deepcopy(module).to(DEVICE)
            for is_training in (True, True, False):
                module.train(is_training), on_device.train(is_training)
                x = torch.randn(size, requires_grad=True)
                y = x.detach().to(DEVICE).requires_grad_()
                gradient = torch.randn(size)
                module(x).backward(gradient)
                on_device(y).backward(gradient.to(DEVICE))
                self.close(y.grad, x.grad, rtol=1e-5, atol=1e-5)
            for (name, found), expected in zip(on_device.state_dict().items(), module.state_dict().values()):
                self.close(found, expected, rtol=1e-5, atol=1e-5)
            for found, expected in zip(on_device.parameters(), module.parameters()):
                self.close(found.grad, expected.grad, rtol=1e-5, atol=2e-5)

    def test_all_forms(self) -> None:
        x, w, b, mean, variance = torch.randn(5, 3, 4), torch.randn(3), torch.randn(3), torch.randn(3), torch.rand(3) + 1
        aten = torch.ops.aten
        gaps = torch.zeros(6)[::2]
        forms: tuple[Callable[..., Any], ...] = (
            lambda x, w, b, m, v: aten._native_batch_norm_legit(x, w, b, m, v, True, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._native_batch_norm_legit(x, w, None, m, v, False, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._native_batch_norm_legit.no_stats(x, w, b, True, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._native_batch_norm_legit_functional(x, w, b, m, v, True, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._native_batch_norm_legit_no_training(x, w, b, m, v, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._batch_norm_with_update(x, w, b, m, v, 0.1, 1e-5),
            lambda x, w, b, m, v: aten._batch_norm_no_update(x, w, b, m, v, 0.1, 1e-5),
            lambda x, w, b, m, v: torch.batch_norm_update_stats(x, m, v, 0.1),
            lambda x, w, b, m, v: torch.batch_norm_update_stats(x, None, None, 0.1),
            lambda x, w, b, m, v: aten._native_batch_norm_legit.out(x, w, b, m, v, True, 0.1, 1e-5, out=x.new_empty(0), save_mean=x.new_empty(0), save_invstd=x.new_empty(0)),
            lambda x, w, b, m, v: aten.native_batch_norm.out(x, w, b, m, v, True, 0.1, 1e-5, out=x.new_empty(60, 2).t()[0].view(5, 3, 4), save_mean=w.new_empty(0), save_invstd=w.new_empty(3)),
        )  # fmt: skip
        for number, form in enumerate(forms):
            for m, v in ((mean, variance), (gaps + mean, gaps + variance)):
                with self.subTest(number=number):
                    host, device = (m.clone(), v.clone()), (to_device(m), to_device(v))
                    expected = form(x, w, b, *host)
                    found = form(*(to_device(value) for value in (x, w, b)), *device)
                    for a, e in (*zip(found, expected), *zip(device, host)):
                        self.close(a, e, rtol=1e-5, atol=1e-5)

    def test_only_the_gradients_that_are_wanted(self) -> None:
        for x in (torch.randn(5, 18, 4), torch.randn(5, 18)):
            w, mean, variance, gradient = torch.randn(18), torch.randn(18), torch.rand(18) + 1, torch.randn(x.shape)
            for mask in ((True, False, False), (False, True, False), (False, False, True), (True, True, False)):
                for is_training in (True, False):
                    for weight in (w, None):
                        self.same(lambda *t: torch.ops.aten.native_batch_norm_backward(t[0], t[1], t[2], t[3], t[4], t[3], t[4], is_training, 1e-5, mask),
                                  gradient, x, weight, mean, variance, rtol=1e-5, atol=3e-5)  # fmt: skip

    def test_many_elements_a_channel(self) -> None:
        for value in (torch.randn(70000, 17) + 30, torch.randn(7, 2, 9000) + 30):
            found = torch.native_batch_norm(value.to(DEVICE), None, None, None, None, True, 0.1, 1e-5)
            expected = torch.native_batch_norm(value.double(), None, None, None, None, True, 0.1, 1e-5)
            for a, e in zip(found, expected):
                torch.testing.assert_close(a.cpu().double(), e, rtol=1e-5, atol=1e-5)

    def test_steps_of_several_processes(self) -> None:
        for dtype in (torch.float32, torch.bfloat16):
            x, gradient = (torch.randn(6, 5, 4).to(dtype).to(DEVICE) for _ in range(2))
            w, b = torch.randn(5).to(DEVICE), torch.randn(5).to(DEVICE)
            whole = torch.native_batch_norm(x.float(), w, b, None, None, True, 0.1, 1e-5)
            running = [torch.zeros(5, device=DEVICE), torch.ones(5, device=DEVICE)]
            expected_running = [tensor.clone() for tensor in running]
            torch.native_batch_norm(x.float(), w, b, *expected_running, True, 0.1, 1e-5)
            parts = [torch.batch_norm_stats(part, 1e-5) for part in (x[:2], x[2:])]
            rows = [torch.stack([part[i].cpu() for part in parts]).to(DEVICE) for i in (0, 1)]
            counts = torch.tensor([8.0, 16.0]).to(DEVICE)
            mean, inverse = torch.batch_norm_gather_stats_with_counts(x, *rows, *running, 0.1, 1e-5, counts)
            for a, e in zip((mean, inverse, *running), (*whole[1:], *expected_running)):
                torch.testing.assert_close(a.cpu(), e.cpu(), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(torch.batch_norm_elemt(x, w, b, mean, inverse, 1e-5).cpu(), whole[0].cpu().to(dtype), rtol=2e-2 if dtype in SHORT else 1e-4, atol=1e-4)
            expected = torch.ops.aten.native_batch_norm_backward(gradient.float(), x.float(), w, None, None, mean, inverse, True, 1e-5, (True, True, True))
            sums = torch.batch_norm_backward_reduce(gradient, x, mean, inverse, w, True, True, True)
            for a, e in zip(sums[2:], expected[1:]):
                torch.testing.assert_close(a.cpu(), e.cpu(), rtol=1e-4, atol=1e-4)
            out = torch.batch_norm_backward_elemt(gradient, x, mean, inverse, w, *sums[:2], counts.int())
            torch.testing.assert_close(out.cpu(), expected[0].cpu().to(dtype), rtol=2e-2 if dtype in SHORT else 1e-4, atol=1e-3 if dtype in SHORT else 1e-5)

    def test_errors_are_the_hosts(self) -> None:
        x = torch.randn(4, 2)
        for arguments in ((x.long(), None, None, None, None, True), (x, None, torch.ones(2).double(), None, None, True), (x[:0], None, None, None, None, True),
                          (x, torch.ones(2), torch.ones(2).double(), None, None, True), (x[0], None, None, None, None, True), (x, None, None, torch.ones(2), None, True)):  # fmt: skip
            self.raises_the_same(lambda *a: torch.native_batch_norm(*a, 0.1, 1e-5), *arguments)
        for weight, mean in ((torch.ones(3), torch.ones(2)), (None, torch.ones(3))):
            self.raises_the_same(lambda *a: torch.nn.functional.batch_norm(*a), x, mean, torch.ones(2), weight)
        with self.assertRaisesRegex(RuntimeError, "running_mean must be defined in evaluation mode"):
            torch.native_batch_norm(x.to(DEVICE), None, None, None, None, False, 0.1, 1e-5)
        with self.assertRaisesRegex(RuntimeError, "weight should contain 2 elements not 3"):
            torch.native_batch_norm(x.to(DEVICE), torch.ones(3, device=DEVICE), None, None, None, True, 0.1, 1e-5)
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
            torch.native_batch_norm(x.to(DEVICE), torch.ones(2), None, None, None, True, 0.1, 1e-5)


class Moments(Native):
    def test_variance_or_deviation_with_the_mean(self) -> None:
        for function in (torch.var_mean, torch.std_mean):
            for dtype in (torch.float32, torch.float64):
                for options in ({}, {"dim": 1}, {"dim": (0, 2), "correction": 0}, {"dim": -1, "keepdim": True}):
                    self.same(lambda x: function(x, **options), torch.randn(4, 5, 6).to(dtype))


if __name__ == "__main__":
    unittest.main()
