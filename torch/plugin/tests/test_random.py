# SPDX-License-Identifier: Apache-2.0
"""Random numbers of the device: the generator's own, whatever the layout, in the ranges and with the refusals of the host. Seeds are fixed, so
that bounds, wide enough for any right generator, hold always or never."""
from __future__ import annotations

import math
import unittest
from typing import Any, Callable

import torch
import torch.nn.functional as F
from graph_case import GraphCase
from test_operators import DEVICE, FLOATS, INTEGERS, Native
from torch_xhal import _C

WORD = 2**32
KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((WORD - 1,) * 4, (WORD - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
)


def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Philox4x32-10 as its paper has it."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = q // WORD ^ b ^ k, q % WORD, p // WORD ^ d ^ m, p % WORD
        k, m = (k + 0x9E3779B9) % WORD, (m + 0xBB67AE85) % WORD
    return a, b, c, d


def generator(seed: int) -> torch.Generator:
    return torch.Generator(DEVICE).manual_seed(seed)


def empty(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(size, dtype=dtype, device=DEVICE)


class Numbers(Native):
    def test_words_are_those_that_are_published(self) -> None:
        for counter, key, words in KNOWN:
            self.assertEqual(philox(counter, key), words)
        for seed in (0, 1, 2**63 + 5, 2**64 - 1):
            for offset in (0, 4, 2**34 + 8, 2**64 - 4):
                of = generator(seed)
                of.set_offset(offset)
                found = empty(2050, dtype=torch.int64).random_(-(2**63), None, generator=of).cpu().tolist()
                step = offset // 4
                for block in (0, 1, 1024):
                    words = philox((step % WORD, step // WORD, block, 0), (seed % WORD, seed // WORD))
                    with self.subTest(seed=seed, offset=offset, block=block):
                        self.assertEqual([value % 2**64 for value in found[2 * block : 2 * block + 2]], [words[0] + words[1] * WORD, words[2] + words[3] * WORD])

    def test_an_element_s_number_depends_on_seed_offset_and_place_alone(self) -> None:
        fills: tuple[Callable[[torch.Tensor, torch.Generator], Any], ...] = (
            lambda x, g: x.uniform_(2, 5, generator=g), lambda x, g: x.normal_(1, 2, generator=g), lambda x, g: x.exponential_(generator=g),
            lambda x, g: x.log_normal_(generator=g), lambda x, g: x.cauchy_(generator=g), lambda x, g: x.geometric_(0.2, generator=g),
            lambda x, g: x.bernoulli_(0.4, generator=g), lambda x, g: x.random_(generator=g), lambda x, g: x.random_(7, 200, generator=g),
        )  # fmt: skip
        for number, fill in enumerate(fills):
            for dtype in FLOATS:
                with self.subTest(number=number, dtype=dtype):
                    long, short = empty(1003, dtype=dtype), empty(770, dtype=dtype)
                    fill(long, generator(3))
                    fill(short, generator(3))
                    torch.testing.assert_close(long[:770].cpu(), short.cpu(), rtol=1e-6 if dtype == torch.float32 else 0, atol=1e-6)
                    gaps = torch.full((770, 3), -7.0, dtype=dtype, device=DEVICE)
                    fill(gaps[:, 1], generator(3))
                    torch.testing.assert_close(gaps[:, 1].cpu(), short.cpu(), rtol=1e-6, atol=1e-6)
                    self.assertTrue((gaps[:, ::2].cpu() == -7).all())
                    turned = empty(70, 11, dtype=dtype)
                    fill(turned.t(), generator(3))
                    torch.testing.assert_close(turned.cpu().flatten(), short.cpu(), rtol=1e-6, atol=1e-6)

    def test_more_dimensions_than_a_launch_has(self) -> None:
        whole = torch.zeros((2, 3) * 5, device=DEVICE)
        part = whole[:, ::2, :, ::2, :, ::2, :, ::2, :, ::2]
        for fill in (lambda x: x.uniform_(1, 2), lambda x: x.random_(1, 5), lambda x: x.bernoulli_(1.0), lambda x: x.bernoulli_(torch.ones(2, device=DEVICE))):
            fill(whole.zero_()[:, ::2, :, ::2, :, ::2, :, ::2, :, ::2])
            self.assertEqual(int((whole.cpu() != 0).sum()), part.numel())
            self.assertTrue((part.cpu() != 0).all())

    def test_seeds_and_states_repeat_numbers(self) -> None:
        torch.manual_seed(11)
        first, second = torch.rand(9, device=DEVICE).cpu(), torch.rand(9, device=DEVICE).cpu()
        self.assertFalse((first == second).any())
        torch.manual_seed(11)
        self.assertEqual(torch.rand(9, device=DEVICE).cpu().tolist(), first.tolist())
        state = torch.xhal.get_rng_state()
        self.assertEqual(torch.rand(9, device=DEVICE).cpu().tolist(), second.tolist())
        third = torch.randn(5, device=DEVICE).cpu().tolist()
        torch.xhal.set_rng_state(state)
        torch.rand(9, device=DEVICE)
        self.assertEqual(torch.randn(5, device=DEVICE).cpu().tolist(), third)

    def test_what_is_empty_draws_nothing(self) -> None:
        of = generator(1)
        for call in (lambda: empty(0, 3).uniform_(generator=of), lambda: empty(0).normal_(generator=of), lambda: empty(0).bernoulli_(0.5, generator=of),
                     lambda: torch.randperm(0, device=DEVICE, generator=of)):  # fmt: skip
            self.assertEqual(call().numel(), 0)
        self.assertEqual(of.get_offset(), 0)
        self.assertEqual(empty().uniform_(2, 3).dim(), 0)

    def test_factories(self) -> None:
        like = empty(40, 3)
        for found in (torch.rand(40, 3, device=DEVICE), torch.rand_like(like), torch.randn(40, 3, device=DEVICE), torch.randn_like(like),
                      torch.randint(9, (40, 3), device=DEVICE), torch.randint_like(like, 2, 9), torch.normal(0.0, 1.0, (40, 3), device=DEVICE)):  # fmt: skip
            self.assertEqual((found.shape, found.device.type), ((40, 3), DEVICE))
            self.assertGreater(len(found.cpu().unique()), 5)
        self.assertEqual(torch.randint(3, 9, (50,), device=DEVICE, dtype=torch.uint8).cpu().unique().tolist(), [3, 4, 5, 6, 7, 8])


class Distributions(Native):
    n = 100_000

    def drawn(self, fill: Callable[[torch.Tensor], Any], dtype: torch.dtype = torch.float32, n: int = n) -> torch.Tensor:
        torch.manual_seed(5)
        out = empty(n, dtype=dtype)
        fill(out)
        return out.cpu().double()

    def assert_mean(self, values: torch.Tensor, mean: float, deviation: float) -> None:
        """Within six deviations of the mean of so many."""
        self.assertLess(abs(values.mean().item() - mean), 6 * deviation / math.sqrt(len(values)) + 1e-12)

    def assert_shares(self, values: torch.Tensor, probabilities: torch.Tensor) -> None:
        """Chi-square of integers from 0 on; beyond this bound once in a million."""
        counts = values.long().bincount(minlength=len(probabilities))
        self.assertEqual(len(counts), len(probabilities))
        expected = probabilities.double() * len(values)
        freedom = len(probabilities) - 1
        self.assertLess(((counts - expected) ** 2 / expected).sum().item(), freedom + 5 * math.sqrt(2 * freedom) + 25)

    def test_uniform(self) -> None:
        for dtype in FLOATS:
            for low, high in ((0, 1), (-3, 5), (100, 101)):
                with self.subTest(dtype=dtype, low=low, high=high):
                    values = self.drawn(lambda x: x.uniform_(low, high), dtype)
                    self.assertTrue(((values >= low) & (values < high)).all())
                    if (low, dtype) == (100, torch.bfloat16) or (low, dtype) == (100, torch.float16):
                        continue  # a few numbers only
                    coarse = torch.finfo(dtype).eps * (high - low)
                    self.assertLess(abs(values.mean().item() - (low + high) / 2), 6 * (high - low) / math.sqrt(12 * self.n) + coarse)
                    self.assert_shares(((values - low) / (high - low) * 64).floor(), torch.full((64,), 1 / 64))
        self.assertTrue((self.drawn(lambda x: x.uniform_(2, 2)) == 2).all())
        self.assertGreater(len(self.drawn(lambda x: x.uniform_(), torch.float64).unique()), 99_990, "53 digits repeat themselves hardly ever")
        top = self.drawn(lambda x: x.uniform_(1, 1 + 2**-23), n=4099)
        self.assertTrue((top == 1).all(), "the end is no number of the interval")

    def test_normal(self) -> None:
        edges = torch.linspace(-3, 3, 31, dtype=torch.float64)
        below = torch.special.ndtr(edges)
        shares = torch.diff(torch.cat([torch.zeros(1), below, torch.ones(1)]))
        for dtype in FLOATS:
            with self.subTest(dtype=dtype):
                values = self.drawn(lambda x: x.normal_(2, 3), dtype)
                self.assertTrue(values.isfinite().all())
                self.assertLess(abs(values.mean().item() - 2), 6 * 3 / math.sqrt(self.n) + 1e-3)
                self.assertLess(abs(values.var().item() - 9), 6 * 9 * math.sqrt(2 / self.n) + 1e-2)
                if dtype in (torch.float32, torch.float64):
                    self.assert_shares(torch.bucketize((values - 2) / 3, edges), shares)
        pairs = self.drawn(lambda x: x.normal_()).view(-1, 2)
        self.assertLess(abs((pairs[:, 0] * pairs[:, 1]).mean().item()), 6 / math.sqrt(self.n / 2))
        self.assertTrue((self.drawn(lambda x: x.normal_(4, 0)) == 4).all())

    def test_other_distributions(self) -> None:
        for dtype in FLOATS:
            with self.subTest(dtype=dtype):
                slack = 3 * torch.finfo(dtype).eps if dtype in (torch.float16, torch.bfloat16) else 0.0
                values = self.drawn(lambda x: x.exponential_(2), dtype)
                self.assertTrue((values > 0).all())
                self.assertLess(abs(values.mean().item() - 0.5), 6 * 0.5 / math.sqrt(self.n) + slack)
                self.assertLess(abs((values > 1).double().mean().item() - math.exp(-2)), 0.006)
                values = self.drawn(lambda x: x.log_normal_(0.3, 0.5), dtype)
                self.assertLess(abs(values.log().mean().item() - 0.3), 6 * 0.5 / math.sqrt(self.n) + slack)
                self.assertLess(abs(values.log().std().item() - 0.5), 0.01)
                values = self.drawn(lambda x: x.cauchy_(1, 2), dtype)
                quarter, middle, third = values.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
                self.assertLess(max(abs(quarter + 1), abs(middle - 1), abs(third - 3)), 0.1)
        for dtype in (*FLOATS, *INTEGERS, torch.uint8):
            with self.subTest(dtype=dtype):
                values = self.drawn(lambda x: x.geometric_(0.3), dtype)
                shares = torch.tensor([0.3 * 0.7**k for k in range(12)])
                self.assertGreaterEqual(values.min().item(), 1)
                self.assert_shares((values - 1).clamp(max=12), torch.cat([shares, 1 - shares.sum(0, keepdim=True)]))

    def test_the_largest_word(self) -> None:
        """One that is found here: as a number it rounds to 1, whose logarithm is 0."""
        n, offset = 463_832, 36

        def last(fill: Callable[[torch.Tensor, torch.Generator], Any]) -> float:
            of = generator(0)
            of.set_offset(offset)
            out = empty(n)
            fill(out, of)
            return out[-1].item()

        words = philox((offset // 4, 0, (n - 1) // 4, 0), (0, 0))
        self.assertGreater(words[(n - 1) % 4], WORD - 128)
        smallest = last(lambda x, g: x.exponential_(generator=g))
        self.assertTrue(0 < smallest < 1e-30, smallest)
        self.assertEqual(last(lambda x, g: x.geometric_(0.5, generator=g)), 1)
        self.assertTrue(1e6 < last(lambda x, g: x.cauchy_(generator=g)) < float("inf"))
        self.assertLess(last(lambda x, g: x.uniform_(generator=g)), 1)
        self.assertEqual(last(lambda x, g: x.bernoulli_(1.0, generator=g)), 1)

    def test_bernoulli(self) -> None:
        for dtype in (*FLOATS, *INTEGERS, torch.uint8, torch.bool):
            with self.subTest(dtype=dtype):
                values = self.drawn(lambda x: x.bernoulli_(0.3), dtype)
                self.assertEqual(values.unique().tolist(), [0, 1])
                self.assert_mean(values, 0.3, math.sqrt(0.21))
                self.assertTrue((self.drawn(lambda x: x.bernoulli_(1.0), dtype, 500) == 1).all())
                self.assertTrue((self.drawn(lambda x: x.bernoulli_(0.0), dtype, 500) == 0).all())
        p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
        for dtype in FLOATS:
            for target in (torch.float32, torch.bool, torch.int64, torch.float64, torch.bfloat16):
                with self.subTest(dtype=dtype, target=target):
                    torch.manual_seed(2)
                    means = empty(10_000, 5, dtype=target).bernoulli_(p.to(dtype).to(DEVICE)).cpu().double().mean(0)
                    self.assertLess((means - p).abs().max().item(), 0.03)
                    self.assertEqual((means[0].item(), means[4].item()), (0, 1))
        turned = torch.rand(60, 50, generator=torch.Generator().manual_seed(1)).to(DEVICE).t()
        out = torch.bernoulli(turned.round()).cpu()
        torch.testing.assert_close(out, turned.cpu().round())

    def test_integers(self) -> None:
        for dtype in (*INTEGERS, torch.uint8, torch.float32, torch.float64, torch.float16, torch.bfloat16):
            with self.subTest(dtype=dtype):
                self.assert_shares(self.drawn(lambda x: x.random_(3, 20), dtype) - 3, torch.full((17,), 1 / 17))
                self.assert_shares(self.drawn(lambda x: x.random_(64), dtype), torch.full((64,), 1 / 64))
        for dtype, most in ((torch.uint8, 255), (torch.int8, 127), (torch.bool, 1), (torch.bfloat16, 256)):
            values = self.drawn(lambda x: x.random_(), dtype)
            self.assertEqual((values.min().item(), values.max().item()), (0, most))
        for dtype, digits in ((torch.int16, 15), (torch.int32, 31), (torch.int64, 63), (torch.float16, 11), (torch.float32, 24), (torch.float64, 53)):
            with self.subTest(dtype=dtype):
                values = self.drawn(lambda x: x.random_(), dtype)
                self.assertTrue((values >= 0).all() and (values <= 2.0**digits).all())
                self.assert_mean(values / 2.0**digits, 0.5, 0.3)
        wide = empty(self.n, dtype=torch.int64).random_(-(2**62), 2**62 + 2**61).cpu()
        self.assertTrue((wide >= -(2**62)).all() and (wide < 2**62 + 2**61).all())
        self.assert_shares(((wide.double() + 2.0**62) / 2.0**59).floor(), torch.full((20,), 1 / 20))
        self.assertLess(empty(self.n, dtype=torch.int64).random_(-5, None).cpu().min().item(), 2**57)

    def test_tensors_of_parameters(self) -> None:
        torch.manual_seed(4)
        mean, deviation = torch.tensor([-5.0, 0.0, 7.0], device=DEVICE), torch.tensor([[1.0], [3.0]], device=DEVICE)
        values = torch.normal(mean.expand(20_000, 3), 2.0).cpu()
        self.assertLess((values.mean(0) - mean.cpu()).abs().max().item(), 0.1)
        out = empty(3, 20_000).t()
        torch.normal(mean.expand(20_000, 3), 2.0, out=out)
        self.assertLess((out.cpu().std(0) - 2).abs().max().item(), 0.1)
        with self.without("aten::min"):
            values = torch.normal(mean.expand(9_000, 2, 3), deviation.expand(9_000, 2, 3)).cpu()
            self.assertLess((values.std(0) - deviation.cpu()).abs().max().item(), 0.2)
            values = torch.normal(1.5, deviation.expand(9_000, 2, 3)).cpu()
            self.assertLess((values.mean(0) - 1.5).abs().max().item(), 0.2)

    def without(self, *names: str) -> Any:
        """What other families of operators may not have kernels for yet is not counted here."""
        test = self

        class Uncounted:
            def __enter__(self) -> None:
                pass

            def __exit__(self, *_: Any) -> None:
                test.assertLessEqual(set(_C.fallback_counts()), set(names))
                _C.reset_fallback_counts()

        return Uncounted()

    def test_permutations(self) -> None:
        for n in (1, 2, 100, 4096, 4097, 20_000):
            torch.manual_seed(n)
            found = torch.randperm(n, device=DEVICE).cpu()
            self.assertEqual(found.sort().values.tolist(), list(range(n)))
            if n > 2:
                # The ranks have no correlation with the places.
                places = torch.arange(n).double()
                self.assertLess(abs(torch.corrcoef(torch.stack([places, found.double()]))[0, 1].item()), 6 / math.sqrt(n))
                self.assertLess((found == torch.arange(n)).sum().item(), 12)
        torch.manual_seed(1)
        orders: dict[tuple[int, ...], int] = {}
        for _ in range(1200):
            order = tuple(torch.randperm(3, device=DEVICE).cpu().tolist())
            orders[order] = orders.get(order, 0) + 1
        self.assertEqual(len(orders), 6)
        self.assertLess(sum((count - 200) ** 2 / 200 for count in orders.values()), 5 + 30)
        # Where the first element of many goes to, by the shuffle of many buckets.
        first = torch.stack([(torch.randperm(4200, device=DEVICE).cpu() == 0).nonzero()[0, 0] for _ in range(400)])
        self.assert_shares((first.double() / 4200 * 8).floor(), torch.full((8,), 1 / 8))
        for dtype in (torch.int32, torch.uint8, torch.float16, torch.float64, torch.bfloat16):
            self.assertEqual(sorted(torch.randperm(50, device=DEVICE, dtype=dtype).cpu().tolist()), list(range(50)))
        gaps = torch.zeros(60, dtype=torch.int64, device=DEVICE)
        torch.randperm(30, out=gaps[::2])
        self.assertEqual(sorted(gaps[::2].cpu().tolist()), list(range(30)))
        self.assertFalse(gaps[1::2].cpu().any())
        same = [torch.randperm(5000, device=DEVICE, generator=generator(9)).cpu() for _ in range(2)]
        self.assertTrue(torch.equal(*same))

    def test_categories(self) -> None:
        weights = torch.tensor([[1.0, 0, 3, 4, 0], [0, 0, 0, 0.1, 0], [2, 2, 2, 2, 2]])
        for dtype in FLOATS:
            with self.subTest(dtype=dtype):
                torch.manual_seed(3)
                found = torch.multinomial(weights.to(dtype).to(DEVICE), 30_000, True).cpu()
                self.assertEqual(found[0].unique().tolist(), [0, 2, 3])
                self.assert_shares(found[0].where(found[0] == 0, found[0] - 1).clamp(max=2), torch.tensor([1 / 8, 3 / 8, 4 / 8]))
                self.assertTrue((found[1] == 3).all())
                self.assert_shares(found[2], torch.full((5,), 0.2))
        self.assertEqual(torch.multinomial(weights[0].to(DEVICE), 7, True).shape, (7,))
        out = torch.zeros(3, 8, dtype=torch.int64, device=DEVICE).t()
        torch.multinomial(weights[2].expand(8, 5).to(DEVICE), 3, True, out=out)
        with self.without("aten::min", "aten::max", "aten::aminmax.out", "aten::topk.values"):
            torch.manual_seed(3)
            drawn = torch.stack([torch.multinomial(weights[0].to(DEVICE), 1).cpu() for _ in range(300)])
            self.assertEqual(drawn.unique().tolist(), [0, 2, 3])
            found = torch.multinomial(weights[[0, 2]].to(DEVICE), 3).cpu()
            self.assertEqual(found[0].sort().values.tolist(), [0, 2, 3])
            self.assertEqual(len(found[1].unique()), 3)

    def test_dropout(self) -> None:
        for dtype in FLOATS:
            for n in (3, 4, 30_001):
                with self.subTest(dtype=dtype, n=n):
                    torch.manual_seed(6)
                    x = torch.arange(1, n + 1).to(dtype).to(DEVICE).requires_grad_()
                    y, mask = torch.native_dropout(x, 0.25, True)
                    kept = mask.cpu()
                    expected = x.detach().cpu() * kept * (1 / 0.75)
                    torch.testing.assert_close(y.detach().cpu(), expected)
                    if n > 4:
                        self.assert_mean(kept.double(), 0.75, 0.44)
                        self.assert_mean((kept[1:] & kept[:-1]).double(), 0.5625, 0.6)
                    y.backward(torch.full_like(y, 3))
                    torch.testing.assert_close(x.grad.cpu(), (3 * kept / 0.75).to(dtype))
        x = torch.randn(20, 30, 4, generator=torch.Generator().manual_seed(1)).to(DEVICE)
        for view in (x.transpose(0, 2), x[:, ::2], x[0, 0, :1].expand(50), x.permute(1, 2, 0)[3], x[..., :0]):
            y, mask = torch.native_dropout(view, 0.5, True)
            self.assertEqual((y.shape, y.stride()), (view.shape, torch.empty_like(view).stride()))
            torch.testing.assert_close(y.cpu(), view.cpu() * mask.cpu() * 2)
            g = torch.ones_like(view).transpose(0, -1).contiguous().transpose(0, -1)
            torch.testing.assert_close(torch.ops.aten.native_dropout_backward(g, mask.bool(), 2.0).cpu(), mask.cpu() * 2.0)
        for p, kept in ((0.0, 1.0), (1.0, 0.0)):
            y, mask = torch.native_dropout(x, p, True)
            torch.testing.assert_close(y.cpu(), x.cpu() * kept)
            self.assertTrue((mask.cpu() == bool(kept)).all())
        y, mask = torch.native_dropout(x, 0.5, False)
        self.assertTrue(torch.equal(y.cpu(), x.cpu()) and mask.cpu().all())
        module = torch.nn.Dropout(0.5).to(DEVICE)
        self.assertNotEqual((module(x) == 0).sum().item(), 0)
        self.assertTrue(torch.equal(module.eval()(x).cpu(), x.cpu()))
        self.assertEqual(sorted(F.dropout2d(torch.ones(1, 8, 2, 2, device=DEVICE), 0.5).flatten(2).cpu().sum(-1).unique().tolist()), [0, 8])
        twice = x.clone().requires_grad_()
        torch.manual_seed(1)
        (slope,) = torch.autograd.grad(F.dropout(twice, 0.5).sin().sum(), twice, create_graph=True)
        slope.sum().backward()
        self.assertEqual(twice.grad.shape, x.shape)


class Refusals(Native):
    def test_as_on_the_host(self) -> None:
        calls: tuple[Callable[[str], Any], ...] = (
            lambda d: torch.ones(3, device=d).uniform_(2, 1), lambda d: torch.ones(3, device=d).normal_(0, -1), lambda d: torch.ones(3, device=d).exponential_(0),
            lambda d: torch.ones(3, device=d).geometric_(1.0), lambda d: torch.ones(3, device=d).cauchy_(0, 0), lambda d: torch.ones(3, device=d).log_normal_(0, 0),
            lambda d: torch.ones(3, device=d).bernoulli_(2), lambda d: torch.ones(3, device=d).random_(5, 5), lambda d: torch.ones(3, device=d, dtype=torch.int8).random_(0, 300),
            lambda d: torch.ones(3, device=d).half().uniform_(0, 1e6), lambda d: torch.ones(3, device=d).expand(4, 3).uniform_(),
            lambda d: torch.ones(3, device=d).expand(4, 3).bernoulli_(0.5), lambda d: torch.ones(4, 5, device=d).bernoulli_(torch.rand(3, device=d)),
            lambda d: torch.bernoulli(torch.tensor([0.5, 2.0], device=d)), lambda d: torch.bernoulli(torch.tensor([float("nan")], device=d)),
            lambda d: torch.ones(3, dtype=torch.int64, device=d).exponential_(), lambda d: torch.ones(3, dtype=torch.int32, device=d).uniform_(),
            lambda d: torch.ones(3, dtype=torch.int64, device=d).cauchy_(), lambda d: torch.ones(3, dtype=torch.int32, device=d).random_(-(2**63), None),
            lambda d: torch.randperm(-1, device=d), lambda d: torch.randperm(300, dtype=torch.int8, device=d), lambda d: torch.randperm(5000, dtype=torch.half, device=d),
            lambda d: torch.randperm(5, dtype=torch.bool, device=d), lambda d: torch.native_dropout(torch.ones(3, device=d), -1.0, True),
            lambda d: torch.native_dropout(torch.ones(3, device=d), 2.0, True), lambda d: torch.native_dropout(torch.ones(3, dtype=torch.int64, device=d), 0.5, True),
            lambda d: torch.multinomial(torch.ones(2, 2, 2, device=d), 1), lambda d: torch.multinomial(torch.ones(3, device=d), 4),
            lambda d: torch.multinomial(torch.ones(3, device=d), 0), lambda d: torch.multinomial(torch.ones(3, dtype=torch.int64, device=d), 1),
            lambda d: torch.multinomial(torch.tensor([-1.0, 2], device=d), 3, True), lambda d: torch.multinomial(torch.tensor([math.inf, 2], device=d), 3, True),
            lambda d: torch.multinomial(torch.zeros(2, device=d), 3, True), lambda d: torch.multinomial(torch.zeros(2, 0, device=d), 3, True),
        )  # fmt: skip
        for number, call in enumerate(calls):
            with self.subTest(number=number):
                with self.assertRaises((RuntimeError, NotImplementedError)) as host:
                    call("cpu")
                with self.assertRaises(type(host.exception)) as found:
                    call(DEVICE)
                # Its kernels have the host in their names.
                expected = str(host.exception).split("\n")[0].split("  (Could")[0].replace("_cpu", "")
                self.assertEqual(str(found.exception).split("\n")[0], expected)

    def test_a_generator_of_another_device(self) -> None:
        for call in (lambda g: empty(3).uniform_(generator=g), lambda g: torch.rand(3, device=DEVICE, generator=g), lambda g: torch.randn(3, device=DEVICE, generator=g)):
            with self.assertRaisesRegex(RuntimeError, "Expected a 'xhal' (device type for generator|generator device) but found 'cpu'|Expected a .* generator"):
                call(torch.Generator())
        with self.assertRaisesRegex(RuntimeError, "generator device but found 'cpu'"):
            torch.randperm(5, device=DEVICE, generator=torch.Generator())
        with self.assertRaisesRegex(RuntimeError, "Expected a 'cpu' device type for generator but found 'xhal'"):
            torch.rand(3, generator=generator(1))


class Graphs(GraphCase):
    def test_a_replay_draws_anew_and_as_without_a_graph(self) -> None:
        calls: tuple[Callable[[torch.Generator | None], torch.Tensor], ...] = (
            lambda g: empty(1001).uniform_(generator=g), lambda g: empty(1001).normal_(generator=g), lambda g: empty(33, dtype=torch.float64).exponential_(generator=g),
            lambda g: empty(33, dtype=torch.int64).random_(generator=g), lambda g: empty(501).bernoulli_(0.5, generator=g),
            lambda g: torch.bernoulli(torch.full((501,), 0.5, device=DEVICE), generator=g), lambda g: torch.randperm(100, device=DEVICE, generator=g),
            lambda g: torch.randperm(5000, device=DEVICE, generator=g), lambda g: torch.multinomial(torch.ones(50, device=DEVICE), 100, True, generator=g),
        )  # fmt: skip
        for number, call in enumerate(calls):
            with self.subTest(number=number):
                call(None)
                of = generator(21)
                expected = [call(of).cpu().tolist() for _ in range(3)]
                held: list[torch.Tensor] = []
                of.manual_seed(21)
                graph = self.capture(lambda: held.append(call(of)))
                found = []
                for _ in range(3):
                    graph.replay()
                    torch.accelerator.synchronize()
                    found.append(held[0].cpu().tolist())
                self.assertEqual(found, expected)
                self.assertNotEqual(found[0], found[1])

    def test_each_draw_of_a_graph_has_numbers_of_its_own(self) -> None:
        def draw() -> list[torch.Tensor]:
            return [empty(100).uniform_(), empty(50, dtype=torch.float64).normal_(), empty(100).uniform_(), F.dropout(torch.ones(64, device=DEVICE), 0.5)]

        draw()
        torch.manual_seed(9)
        expected = [[value.cpu().tolist() for value in draw()] for _ in range(2)]
        held: list[torch.Tensor] = []
        torch.manual_seed(9)
        graph = self.capture(lambda: held.extend(draw()))
        for values in expected:
            graph.replay()
            torch.accelerator.synchronize()
            self.assertEqual([value.cpu().tolist() for value in held], values)
            self.assertNotEqual(values[0], values[2])

    def test_dropout(self) -> None:
        x = torch.ones(403, device=DEVICE)
        F.dropout(x, 0.5)
        torch.manual_seed(8)
        expected = [F.dropout(x, 0.5).cpu().tolist() for _ in range(2)]
        held: list[torch.Tensor] = []
        torch.manual_seed(8)
        graph = self.capture(lambda: held.append(F.dropout(x, 0.5)))
        for values in expected:
            graph.replay()
            torch.accelerator.synchronize()
            self.assertEqual(held[0].cpu().tolist(), values)


if __name__ == "__main__":
    unittest.main()
