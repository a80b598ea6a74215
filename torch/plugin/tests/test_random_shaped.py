# SPDX-License-Identifier: Apache-2.0
"""Random numbers of which each element has parameters of its own: Poisson's, binomial and gamma numbers, and samples in a capture. Seeds are
fixed, so that bounds, wide enough for any right generator, hold always or never."""
from __future__ import annotations

import math
import unittest
from typing import Any, Callable

import torch
from graph_case import GraphCase
from test_operators import DEVICE, FLOATS, Native
from test_random import generator

ATEN = torch.ops.aten
WIDE = (torch.float32, torch.float64)


class Shaped(Native):
    n = 500_000

    def drawn(self, draw: Callable[..., torch.Tensor], *parameters: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        given = [torch.full((self.n,), value, dtype=dtype, device=DEVICE) for value in parameters]
        found = draw(*given, generator=generator(5))
        self.assertEqual((found.dtype, found.device.type), (dtype, DEVICE))
        return found.cpu().double()

    def assert_moments(self, values: torch.Tensor, mean: float, variance: float, fourth: float) -> None:
        """Mean and variance within six deviations; `fourth` is the central moment that tells the variance's own."""
        self.assertLess(abs(values.mean().item() - mean), 6 * math.sqrt(variance / len(values)) + 1e-12)
        self.assertLess(abs(values.var().item() - variance), 6 * math.sqrt((fourth - variance**2) / len(values)) + 1e-12)

    def assert_shares(self, values: torch.Tensor, logarithms: torch.Tensor) -> None:
        """Chi-square of integers from 0 on against the logarithms of their probabilities; those that are rare are counted as one."""
        shares = logarithms.double().exp()
        counts = values.long().bincount(minlength=len(shares)).double()
        self.assertEqual(len(counts), len(shares))
        often = shares * len(values) >= 20
        counts = torch.cat([counts[often], counts[~often].sum(0, keepdim=True)])
        shares = torch.cat([shares[often], (1 - shares[often].sum(0, keepdim=True)).clamp(min=1e-12)])
        expected = shares * len(values)
        freedom = len(shares) - 1
        self.assertLess(((counts - expected) ** 2 / expected.clamp(min=1)).sum().item(), freedom + 5 * math.sqrt(2 * freedom) + 25)

    def test_poisson(self) -> None:
        for dtype in WIDE:
            for rate in (1e-3, 0.4, 3.0, 9.99, 10.0, 37.5, 800.0, 1e5):
                with self.subTest(dtype=dtype, rate=rate):
                    values = self.drawn(torch.poisson, rate, dtype=dtype)
                    rate = torch.tensor(rate, dtype=dtype).item()
                    self.assertTrue((values == values.floor()).all() and (values >= 0).all())
                    self.assert_moments(values, rate, rate, rate * (1 + 3 * rate))
                    if rate < 1000:
                        k = torch.arange(int(rate + 12 * math.sqrt(rate) + 12), dtype=torch.float64)
                        self.assert_shares(values, k * math.log(rate) - rate - (k + 1).lgamma())
        for dtype in (torch.float16, torch.bfloat16):
            values = self.drawn(torch.poisson, 4.0, dtype=dtype)
            self.assert_moments(values, 4, 4, 4 * 13)

    def test_binomial(self) -> None:
        for dtype in WIDE:
            for n, p in ((1, 0.3), (7, 0.5), (20, 0.05), (40, 0.6), (25, 0.4), (200, 0.999), (1000, 0.03), (5000, 0.9), (100_000, 0.37)):
                with self.subTest(dtype=dtype, n=n, p=p):
                    values = self.drawn(torch.binomial, n, p, dtype=dtype)
                    p = torch.tensor(p, dtype=dtype).item()
                    variance = n * p * (1 - p)
                    self.assertTrue((values == values.floor()).all() and (values >= 0).all() and (values <= n).all())
                    self.assert_moments(values, n * p, variance, variance * (1 + (3 * n - 6) * p * (1 - p)))
                    if n <= 5000:
                        k = torch.arange(n + 1, dtype=torch.float64)
                        ways = torch.tensor(n + 1.0, dtype=torch.float64).lgamma() - (k + 1).lgamma() - (n - k + 1).lgamma()
                        self.assert_shares(values, ways + k * math.log(p) + (n - k) * math.log1p(-p))

    def test_gamma(self) -> None:
        for dtype in WIDE:
            for shape in (0.05, 0.5, 0.999, 1.0, 1.7, 12.0, 4000.0):
                with self.subTest(dtype=dtype, shape=shape):
                    values = self.drawn(ATEN._standard_gamma, shape, dtype=dtype)
                    shape = torch.tensor(shape, dtype=dtype).item()
                    self.assertTrue((values > 0).all() and values.isfinite().all())
                    self.assert_moments(values, shape, shape, 3 * shape**2 + 6 * shape)
                    # Its distribution function makes the numbers uniform.
                    uniform = torch.special.gammainc(torch.tensor(shape, dtype=torch.float64), values)
                    counts = (uniform * 32).floor().clamp(max=31).long().bincount(minlength=32)
                    self.assertLess(((counts - self.n / 32) ** 2 / (self.n / 32)).sum().item(), 31 + 5 * math.sqrt(62) + 25)

    def test_elements_have_parameters_of_their_own(self) -> None:
        rates = torch.tensor([[0.0, 2.0, 50.0], [7.0, 300.0, math.inf]])
        found = torch.poisson(rates.to(DEVICE).expand(4000, 2, 3)).cpu()
        finite = rates.isfinite()
        self.assertLess(((found.mean(0) - rates) / (rates + 1e-9).sqrt())[finite].abs().max().item(), 0.1)
        self.assertTrue((found[:, 0, 0] == 0).all() and found[:, 1, 2].isinf().all())
        self.assertGreater(len(found[:, 1, 1].unique()), 50)
        turned = torch.tensor([[1.0, 60.0], [9.0, 0.25]]).t()
        found = ATEN._standard_gamma(turned.to(DEVICE).expand(4000, 2, 2)).cpu()
        self.assertLess(((found.mean(0) - turned) / turned.sqrt()).abs().max().item(), 0.1)
        counts, shares = torch.tensor([10.0, 100.0, 3.0]), torch.tensor([[0.5], [0.1], [1.0], [0.0]])
        found = torch.stack([torch.binomial(counts.expand(4, 3).to(DEVICE), shares.to(DEVICE)).cpu() for _ in range(300)])
        self.assertLess((found.mean(0) - counts * shares).abs().max().item(), 1)
        self.assertTrue((found[:, 2] == counts).all() and (found[:, 3] == 0).all())

    def test_no_two_elements_share_numbers(self) -> None:
        for draw, parameters in ((ATEN._standard_gamma, (2.5,)), (ATEN._standard_gamma, (0.5,))):
            values = self.drawn(draw, *parameters, dtype=torch.float64)
            self.assertEqual(len(values.unique()), self.n)

    def test_what_is_no_parameter_makes_not_a_number(self) -> None:
        bad = torch.tensor([-1.0, math.nan, 1.0], device=DEVICE)
        for found in (torch.poisson(bad), ATEN._standard_gamma(bad), torch.binomial(torch.full((3,), 9.0, device=DEVICE), bad * math.nan)):
            self.assertEqual(found.isnan().tolist()[:2], [True, True])

    def test_seeds_repeat_numbers_and_empty_tensors_draw_none(self) -> None:
        draws: tuple[Callable[[torch.Generator, int], torch.Tensor], ...] = (
            lambda g, n: torch.poisson(torch.full((n,), 20.0, device=DEVICE), g),
            lambda g, n: torch.binomial(torch.full((n,), 90.0, device=DEVICE), torch.full((n,), 0.4, device=DEVICE), g),
            lambda g, n: ATEN._standard_gamma(torch.full((n,), 3.0, device=DEVICE), g),
        )
        for draw in draws:
            of = generator(3)
            first, second = draw(of, 200).tolist(), draw(of, 200).tolist()
            self.assertNotEqual(first, second)
            self.assertEqual([draw(of.manual_seed(3), 200).tolist(), draw(of, 200).tolist()], [first, second])
            before = of.get_offset()
            self.assertEqual((draw(of, 0).numel(), of.get_offset()), (0, before))

    def test_gradients_of_gamma(self) -> None:
        """Reparametrised: the mean of the numbers' derivatives by the shape is that of their mean, 1."""
        for shape in (0.7, 3.0, 40.0):
            given = torch.full((20_000,), shape, device=DEVICE, dtype=torch.float64, requires_grad=True)
            torch.manual_seed(6)
            (slope,) = torch.autograd.grad(ATEN._standard_gamma(given).sum(), given)
            self.assertLess(abs(slope.cpu().mean().item() - 1), 0.05)
        self.reset_fallbacks()

    def reset_fallbacks(self) -> None:
        from torch_xhal import _C

        self.assertLessEqual(set(_C.fallback_counts()), {"aten::_standard_gamma_grad"})
        _C.reset_fallback_counts()

    def test_as_on_the_host(self) -> None:
        calls: tuple[Callable[[str], Any], ...] = (
            lambda d: torch.poisson(torch.ones(3, dtype=torch.int64, device=d)),
            lambda d: ATEN._standard_gamma(torch.ones(3, dtype=torch.int32, device=d)),
            lambda d: ATEN._standard_gamma(torch.ones(3, dtype=torch.float16, device=d)),
            lambda d: torch.binomial(torch.ones(3, dtype=torch.int64, device=d), torch.ones(3, device=d)),
            lambda d: torch.binomial(torch.ones(3, device=d), torch.ones(3, dtype=torch.int64, device=d)),
            lambda d: torch.binomial(torch.ones(3, device=d).half(), torch.ones(3, device=d).half()),
            lambda d: torch.binomial(torch.ones(3, device=d), torch.ones(4, device=d)),
            lambda d: torch.binomial(torch.ones(3, device=d), torch.ones(3, dtype=torch.float64, device=d)),
        )
        for number, call in enumerate(calls):
            with self.subTest(number=number):
                with self.assertRaises((RuntimeError, NotImplementedError, ValueError)) as host:
                    call("cpu")
                with self.assertRaises(type(host.exception)) as found:
                    call(DEVICE)
                self.assertEqual(str(found.exception).split("\n")[0], str(host.exception).split("\n")[0])
        with self.assertRaisesRegex(RuntimeError, "found 'cpu'|Expected a .* generator"):
            torch.poisson(torch.ones(3, device=DEVICE), torch.Generator())


class Captured(GraphCase):
    def assert_replays_draw_anew(self, draw: Callable[[torch.Generator], torch.Tensor]) -> None:
        of = generator(21)
        expected = [draw(of).cpu().tolist() for _ in range(3)]
        held: list[torch.Tensor] = []
        of.manual_seed(21)
        graph = self.capture(lambda: held.append(draw(of)))
        found = []
        for _ in range(3):
            graph.replay()
            torch.accelerator.synchronize()
            found.append(held[0].cpu().tolist())
        self.assertEqual(found, expected)
        self.assertNotEqual(found[0], found[1])

    def test_numbers(self) -> None:
        rates, shares = torch.full((300,), 6.0, device=DEVICE), torch.full((300,), 0.3, device=DEVICE)
        self.assert_replays_draw_anew(lambda g: torch.poisson(rates, g))
        self.assert_replays_draw_anew(lambda g: torch.binomial(rates, shares, g))
        self.assert_replays_draw_anew(lambda g: ATEN._standard_gamma(rates, g))

    def test_samples(self) -> None:
        for dtype in FLOATS:
            weights = torch.rand(50, device=DEVICE).to(dtype)
            for count, again in ((1, False), (5, False), (100, True)):
                with self.subTest(dtype=dtype, count=count, again=again):
                    self.assert_replays_draw_anew(lambda g: torch.multinomial(weights.expand(4, 50), count, again, generator=g))

    def test_an_assertion_is_asked_outside_of_captures_alone(self) -> None:
        wrong = torch.zeros((), dtype=torch.bool, device=DEVICE)
        with self.assertRaisesRegex(RuntimeError, "Expected Tensor with single nonzero value|nonzero"):
            ATEN._assert_async(wrong)
        with self.assertRaisesRegex(RuntimeError, "three is two"):
            ATEN._assert_async.msg(wrong, "three is two")
        ATEN._assert_async(~wrong)
        graph = self.capture(lambda: (ATEN._assert_async(wrong), ATEN._assert_async.msg(wrong, "three is two")))
        graph.replay()
        torch.accelerator.synchronize()


if __name__ == "__main__":
    unittest.main()
