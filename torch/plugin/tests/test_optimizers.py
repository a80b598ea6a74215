# SPDX-License-Identifier: Apache-2.0
"""Optimizers: parameters and states after some steps are the host's, and the host waits for none of them."""
from __future__ import annotations

import copy
import itertools
import unittest
from typing import Any

import torch
from graph_case import GraphCase
from test_operators import DEVICE, Native, to_device

ADAMS: tuple[dict[str, Any], ...] = (
    {}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True, "amsgrad": True, "weight_decay": 0.1}, {"betas": (0.5, 0.7), "eps": 1e-3}, {"betas": (0.0, 0.9)},
)  # fmt: skip
SGDS: tuple[dict[str, Any], ...] = (
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, {"momentum": 0.8, "dampening": 0.3, "maximize": True}, {"weight_decay": 0.2},
)  # fmt: skip
CASES = (
    *((torch.optim.Adam, options) for options in ADAMS), *((torch.optim.AdamW, options) for options in ADAMS), *((torch.optim.SGD, options) for options in SGDS),
    (torch.optim.Adagrad, {}), (torch.optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1, "maximize": True, "initial_accumulator_value": 0.2}),
)  # fmt: skip
# More than one item takes, less, one, and nothing.
SIZES = ((33, 70), (5,), (1,), (), (0, 3))


def parameters(dtype: torch.dtype, device: str) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(3)
    return [torch.randn(size, generator=source).to(dtype).to(device).requires_grad_() for size in SIZES]


def take_steps(optimizer: torch.optim.Optimizer, values: list[torch.Tensor], count: int = 4) -> None:
    source = torch.Generator().manual_seed(4)
    for _ in range(count):
        for value in values:
            value.grad = torch.randn(value.shape, generator=source).to(value.dtype).to(value.device)
        optimizer.step()


class Optimizers(Native):
    def same_steps(self, kind: Any, options: dict[str, Any], dtype: torch.dtype, how: dict[str, bool], tolerance: float | None = None) -> None:
        host, found = parameters(dtype, "cpu"), parameters(dtype, DEVICE)
        lr = options.get("lr", 0.05)
        there = {**options, "lr": lr.to(DEVICE) if isinstance(lr, torch.Tensor) else lr}
        # Between the operators of a step 16 bits lose what fused steps keep.
        is_narrow = dtype in (torch.float16, torch.bfloat16) and kind in (torch.optim.Adam, torch.optim.AdamW)
        on_host = kind(host, **{**options, "lr": lr}, **({"fused": True} if is_narrow else {"foreach": False}))
        on_device = kind(found, **there, **how)
        take_steps(on_host, host)
        take_steps(on_device, found)
        close = {} if tolerance is None else {"rtol": tolerance, "atol": tolerance}
        for value, expected in zip(found, host):
            torch.testing.assert_close(value.detach().cpu(), expected.detach(), **close)
            for name, state in on_host.state[expected].items():
                if isinstance(state, torch.Tensor):
                    torch.testing.assert_close(on_device.state[value][name].cpu(), state, check_dtype=False, **close)

    def test_fused_steps(self) -> None:
        for kind, options in CASES:
            for dtype, tolerance in ((torch.float32, None), (torch.float64, None), (torch.bfloat16, 0.03), (torch.float16, 0.006)):
                if dtype == torch.float16 and kind is not torch.optim.SGD:
                    options = {"eps": 1e-3, **options}  # the default is nothing to 16 bits
                with self.subTest(kind=kind.__name__, options=options, dtype=dtype):
                    self.same_steps(kind, options, dtype, {"fused": True}, tolerance)

    def test_rates_that_are_tensors(self) -> None:
        for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
            for rate in (torch.tensor(0.03), torch.tensor(0.03, dtype=torch.float64)):
                with self.subTest(kind=kind.__name__, dtype=rate.dtype):
                    self.same_steps(kind, {"lr": rate, "weight_decay": 0.1}, torch.float32, {"fused": True})
        value = torch.ones(4, device=DEVICE)
        torch._fused_sgd_([value], [torch.ones_like(value)], [], weight_decay=0.0, momentum=0.0, lr=torch.tensor(0.25), dampening=0.0, nesterov=False, maximize=False, is_first_step=False)
        torch._fused_adagrad_([value], [torch.zeros_like(value)], [torch.ones_like(value)], [torch.ones((), device=DEVICE)], lr=torch.tensor(0.5, device=DEVICE), lr_decay=0.0, weight_decay=1.0, eps=0.0, maximize=False)
        torch.testing.assert_close(value.cpu(), torch.full((4,), 0.75 - 0.5 * 0.75 / 1.25))

    def test_steps_for_each_and_one_by_one(self) -> None:
        for kind, options in CASES:
            for how in ({"foreach": True}, {"foreach": False}):
                with self.subTest(kind=kind.__name__, options=options, how=how):
                    self.same_steps(kind, options, torch.float32, how)
        for kind in (torch.optim.RMSprop, torch.optim.Adadelta, torch.optim.Adamax, torch.optim.NAdam, torch.optim.RAdam, torch.optim.ASGD):
            with self.subTest(kind=kind.__name__):
                self.same_steps(kind, {}, torch.float32, {"foreach": True}, 1e-5)

    def test_lists(self) -> None:
        """More tensors than a launch takes; and those that cannot go together."""
        source = torch.Generator().manual_seed(8)
        sizes = [*SIZES, (2000,), (3, 4, 5), (1025,), (7, 1), (1024,), (9,)]

        def tensors(number: int) -> list[torch.Tensor]:
            source.manual_seed(number)
            return [torch.rand(size, generator=source) + 0.5 for size in sizes]

        values = [0.5 + number for number in range(len(sizes))]
        calls = (
            lambda a, b, c: torch._foreach_add_(a, 3), lambda a, b, c: torch._foreach_add_(a, b, alpha=0.5), lambda a, b, c: torch._foreach_add(a, b, alpha=2),
            lambda a, b, c: torch._foreach_mul_(a, 0.3), lambda a, b, c: torch._foreach_mul_(a, b[3]), lambda a, b, c: torch._foreach_div_(a, 3),
            lambda a, b, c: torch._foreach_div_(a, values), lambda a, b, c: torch._foreach_lerp_(a, b, 0.3), lambda a, b, c: torch._foreach_lerp_(a, b, 0.8),
            lambda a, b, c: torch._foreach_addcmul_(a, b, c, 0.7), lambda a, b, c: torch._foreach_addcdiv_(a, b, c, 0.7),
            lambda a, b, c: torch._foreach_addcdiv_(a, b, c, values), lambda a, b, c: torch._foreach_sqrt(a), lambda a, b, c: torch._foreach_add_(a, a),
            lambda a, b, c: torch._foreach_add_([a[0], a[0], a[1]], 1.0), lambda a, b, c: torch._foreach_addcmul_(a, a, a, -1),
        )  # fmt: skip
        changes = (lambda x: x, lambda x: x.double(), lambda x: (x * 9).to(torch.int32), lambda x: x.half(), lambda x: torch.stack([x, x], -1)[..., 0], lambda x: x.t() if x.dim() == 2 else x)
        for number, change in ((n, c) for n in range(len(calls)) for c in changes):
            results, states = [], []
            for device in ("cpu", DEVICE):
                lists = [[change(tensor) if device == "cpu" else to_device(change(tensor)) for tensor in tensors(7 + turn)] for turn in range(3)]
                if any(tensor.dtype != torch.float32 for tensor in lists[0]):
                    lists[1][3] = lists[1][3].to(lists[0][0].dtype)
                try:
                    results.append([tensor.cpu() for tensor in calls[number](*lists) or ()])
                except RuntimeError as error:
                    results.append(str(error).split("\n")[0].replace("_kernel", ""))
                states.append([tensor.cpu() for part in lists for tensor in part])
            with self.subTest(number=number, change=changes.index(change)):
                if isinstance(results[0], str):
                    self.assertEqual(results[1], results[0])
                    continue
                torch.testing.assert_close(results[1], results[0])
                torch.testing.assert_close(states[1], states[0])
        with self.assertRaisesRegex(RuntimeError, "Tensor list must have at least one tensor"):
            torch._foreach_add_([], 1.0)
        with self.assertRaisesRegex(RuntimeError, "must have the same number of tensors"):
            torch._foreach_add_([torch.ones(1, device=DEVICE)], [torch.ones(1, device=DEVICE)] * 2)

    def test_layouts(self) -> None:
        """Of parameters, gradients and states."""
        whole = torch.randn(12, 10)
        views = (lambda x: x.t(), lambda x: x[:, ::2], lambda x: x[3], lambda x: x[::3, 1:4])
        for view, kind, transposed in itertools.product(views, (torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad), (False, True)):
            results = []
            for device in ("cpu", DEVICE):
                base = whole.clone().to(device)
                value = view(base).detach().requires_grad_()
                optimizer = kind([value], lr=0.1, **({"momentum": 0.5} if kind is torch.optim.SGD else {}), **({"fused": True} if device == DEVICE else {"foreach": False}))
                for _ in range(3):
                    gradient = torch.linspace(-1, 1, value.numel()).view(value.shape)
                    if transposed:
                        gradient = gradient.flip(-1).t().contiguous().t()
                    value.grad = gradient.to(device)
                    optimizer.step()
                results.append(base.cpu())
            torch.testing.assert_close(results[1], results[0])

    def test_scales_and_steps_that_are_skipped(self) -> None:
        def run(found: float) -> list[torch.Tensor]:
            value, gradient = torch.ones(5, device=DEVICE), torch.full((5,), 8.0, device=DEVICE)
            states = [torch.zeros_like(value) for _ in range(2)]
            torch._fused_adam_([value], [gradient], *([state] for state in states), [], [torch.ones((), device=DEVICE)], lr=0.1, beta1=0.9, beta2=0.99, weight_decay=0.0, eps=1e-8,
                               amsgrad=False, maximize=False, grad_scale=torch.tensor(4.0, device=DEVICE), found_inf=torch.tensor(found, device=DEVICE))  # fmt: skip
            return [tensor.cpu() for tensor in (value, gradient, *states)]

        value, gradient, mean, square = run(0.0)
        torch.testing.assert_close((value, gradient, mean, square), (torch.full((5,), 0.9), torch.full((5,), 2.0), torch.full((5,), 0.2), torch.full((5,), 0.04)))
        value, gradient, mean, square = run(1.0)
        torch.testing.assert_close((value, gradient, mean, square), (torch.ones(5), torch.full((5,), 8.0), torch.zeros(5), torch.zeros(5)))

    def test_gradient_scaler(self) -> None:
        for kind, fused in itertools.product((torch.optim.Adam, torch.optim.SGD), (True, False)):
            histories = []
            for device in ("cpu", DEVICE):
                layer = copy.deepcopy(torch.nn.Linear(4, 3))
                with torch.no_grad():
                    for number, weight in enumerate(layer.parameters()):
                        weight.copy_(torch.linspace(-1, 1, weight.numel()).view(weight.shape) * (number + 1))
                layer = layer.to(device)
                scaler = torch.amp.GradScaler(device, init_scale=2.0**14, growth_interval=2)
                optimizer = kind(layer.parameters(), lr=0.1, fused=fused)
                history = []
                for turn in range(6):
                    optimizer.zero_grad()
                    x = torch.full((2, 4), float("inf") if turn == 3 else 0.5 * turn).to(device)
                    scaler.scale(layer(x).sum()).backward()
                    if turn % 2:
                        scaler.unscale_(optimizer)
                        torch.nn.utils.clip_grad_value_(layer.parameters(), 0.8)
                    scaler.step(optimizer)
                    scaler.update()
                    history += [torch.tensor(scaler.get_scale()), *(weight.detach().cpu().clone() for weight in layer.parameters())]
                histories.append(history)
            with self.subTest(kind=kind.__name__, fused=fused):
                torch.testing.assert_close(histories[1], histories[0])

    def test_gradients_that_are_not_finite(self) -> None:
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            for odd in (float("inf"), float("nan"), -float("inf"), None):
                with self.subTest(dtype=dtype, odd=odd):
                    gradients = [torch.full((2000,), 3.0, dtype=dtype, device=DEVICE), torch.full((3, 8), 5.0, dtype=dtype, device=DEVICE)[:, ::2]]
                    if odd is not None:
                        gradients[1][1, 1] = odd
                    found = torch.zeros(1, device=DEVICE)
                    torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, torch.tensor([0.5], device=DEVICE))
                    self.assertEqual(found.item(), 0.0 if odd is None else 1.0)
                    self.assertTrue((gradients[0].cpu() == 1.5).all())
                    self.assertEqual((gradients[1].cpu() == 2.5).sum().item(), 12 if odd is None else 11)
        scale, tracker = torch.tensor([3e38], device=DEVICE), torch.zeros(1, dtype=torch.int32, device=DEVICE)
        torch._amp_update_scale_(scale, tracker, torch.zeros(1, device=DEVICE), 2.0, 0.5, 1)
        self.assertEqual((scale.item(), tracker.item()), (torch.tensor(3e38).item(), 0))

    def test_what_does_not_fit_is_refused(self) -> None:
        one, two = torch.ones(2, device=DEVICE), torch.ones(3, device=DEVICE)
        options = dict(weight_decay=0.0, momentum=0.0, lr=0.1, dampening=0.0, nesterov=False, maximize=False, is_first_step=False)
        for call, message in (
            (lambda: torch._fused_sgd_([one], [one, two], [], **options), "expected 1 gradients but found 2"),
            (lambda: torch._fused_sgd_([one], [two], [], **options), "expected a tensor of size"),
            (lambda: torch._fused_sgd_([one], [one.half()], [], **options), "expected scalar type Float but found Half"),
            (lambda: torch._fused_sgd_([one], [one.cpu()], [], **options), "at least two devices"),
            (lambda: torch._fused_sgd_([one.int()], [one.int()], [], **options), "not implemented for 'Int'"),
            (lambda: torch._fused_sgd_([one], [one], [one], **options), "expected 0 momentum buffers"),
            (lambda: torch._fused_sgd_([one], [one], [], **options, grad_scale=one[0].half()), "expected scalar type Float but found Half"),
            (lambda: torch._amp_foreach_non_finite_check_and_unscale_([one], one, one[0]), "found_inf must be a 1-element tensor"),
            (lambda: torch._amp_update_scale_(one[:1], one[:1], one[:1], 2.0, 0.5, 1), "growth_tracker must be an int tensor"),
        ):
            with self.subTest(message=message), self.assertRaisesRegex((RuntimeError, NotImplementedError), message):
                call()


class Graphs(GraphCase):
    def test_fused_steps_replay(self) -> None:
        for kind in (torch.optim.Adam, torch.optim.SGD):
            values = [torch.linspace(-1, 1, 3000).to(DEVICE).requires_grad_() for _ in range(2)]
            for value in values:
                value.grad = torch.linspace(1, 2, 3000).to(DEVICE)
            options = {"capturable": True} if kind is torch.optim.Adam else {"momentum": 0.9}
            captured, eager = (kind([value], lr=0.1, fused=True, **options) for value in values)
            torch.accelerator.synchronize()
            with self.stream:
                captured.step()
            self.stream.synchronize()
            graph = self.capture(captured.step)
            for _ in range(3):
                graph.replay()
            for _ in range(4):
                eager.step()
            torch.accelerator.synchronize()
            self.assertTrue(torch.equal(values[0].cpu(), values[1].cpu()))


if __name__ == "__main__":
    unittest.main()
