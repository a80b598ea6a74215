# SPDX-License-Identifier: Apache-2.0
"""What the sweep takes for the same as the CPU's, and what not; and that the documents say what the table says."""
import argparse
import io
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent / "sweep"
DOCS = Path(__file__).resolve().parents[3] / "docs"
sys.path.insert(0, str(HERE))

from sweep.__main__ import is_as_before  # noqa: E402
from sweep.choice import choice_of  # noqa: E402
from sweep.compare import Tolerance, difference  # noqa: E402
from sweep.exact import FACTOR, UNITS, unlike_exact  # noqa: E402
from sweep.native import listed, native, of_operators, write_documents  # noqa: E402
from sweep.table import Changes, Line, changes, read_table, summary  # noqa: E402

CPU = torch.device("cpu")


class Exact(unittest.TestCase):
    """Numbers of about 1, so that a unit is an epsilon."""

    def setUp(self) -> None:
        self.generator = torch.Generator().manual_seed(1)

    def drawn(self, count: int = 2000) -> torch.Tensor:
        return 1 + torch.rand(count, generator=self.generator, dtype=torch.float64) / 2

    def verdict(self, ours: torch.Tensor, theirs: torch.Tensor, exact: torch.Tensor, dtype: torch.dtype) -> str | None:
        return unlike_exact(ours.to(dtype), theirs.to(dtype), exact, Tolerance())

    def test_some_numbers_may_be_as_far_off_as_the_bound_says_and_no_further(self) -> None:
        for dtype in (torch.float16, torch.bfloat16):
            exact = self.drawn()
            unit = torch.finfo(dtype).eps
            most = UNITS + FACTOR * ((exact.to(dtype).double() - exact).abs() / (unit * exact)).max().item()
            for off, is_right in ((0.0, True), (most - 1, True), (most + 2, False)):
                ours = exact.clone()
                ours[7] = exact[7].to(dtype).double() + off * unit * exact[7]
                self.assertEqual(self.verdict(ours, exact, exact, dtype) is None, is_right, (dtype, off))

    def test_all_numbers_a_little_off_are_wrong(self) -> None:
        for dtype in (torch.float16, torch.bfloat16):
            exact = self.drawn()
            unit = torch.finfo(dtype).eps
            self.assertIn("overall", self.verdict(exact * (1 + 2 * unit), exact, exact, dtype) or "")
            self.assertIsNotNone(self.verdict(exact * (1 + 12 * unit), exact, exact, dtype))

    def test_it_is_as_near_as_the_cpu_is(self) -> None:
        noise = torch.randn(2, 2000, generator=self.generator, dtype=torch.float64)
        # PyTorch's own tolerance of float32 is some 80 units, of float16 one.
        for dtype, off in ((torch.float16, 20), (torch.float32, 200)):
            exact = self.drawn()
            unit = torch.finfo(dtype).eps * off
            theirs = exact + noise[0] * unit
            self.assertIsNone(self.verdict(exact + noise[1] * unit, theirs, exact, dtype))
            self.assertIsNotNone(self.verdict(exact + noise[1] * 3.5 * unit, theirs, exact, dtype))
            self.assertIn("overall", self.verdict(exact + noise[1].sign() * 2.5 * unit, theirs, exact, dtype) or "")

    def test_what_cancels_is_judged_by_the_cpu_s_errors(self) -> None:
        exact = torch.zeros(500, dtype=torch.float64)
        noise = torch.randn(2, 500, generator=self.generator, dtype=torch.float64) * 1e-3
        self.assertIsNone(self.verdict(noise[0], noise[1], exact, torch.float16))
        self.assertIsNotNone(self.verdict(noise[0] * 5, noise[1], exact, torch.float16))
        self.assertIsNotNone(self.verdict(noise[0], exact, exact, torch.float16))

    def test_what_is_not_finite(self) -> None:
        exact = torch.tensor([1e6, 1.0, 2.0], dtype=torch.float64)
        half = exact.to(torch.float16)
        self.assertIsNone(self.verdict(half, half, exact, torch.float16))
        for number, wrong in ((0, 65504.0), (0, -torch.inf), (0, torch.nan), (1, torch.nan), (2, torch.inf)):
            ours = half.clone()
            ours[number] = wrong
            self.assertIsNotNone(self.verdict(ours, half, exact, torch.float16), (number, wrong))
        # It overflows on the CPU in between, and may do so here.
        theirs = torch.tensor([torch.inf, torch.inf, 2.0])
        self.assertIsNone(self.verdict(theirs, theirs, exact, torch.float16))
        self.assertIsNone(self.verdict(half, theirs, exact, torch.float16))

    def test_complex_numbers(self) -> None:
        exact = torch.complex(self.drawn(), self.drawn())
        theirs = exact.to(torch.complex64)
        ours = theirs.clone()
        ours[3] *= 1 + 1e-5
        self.assertIsNotNone(self.verdict(ours, theirs, exact, torch.complex64))
        self.assertIsNone(self.verdict(theirs * (1 + 1e-7), theirs, exact, torch.complex64))

    def test_nothing_but_double_decides_and_only_for_narrower_types(self) -> None:
        one, other = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([1.0, 2.001], dtype=torch.float64)
        self.assertIsNotNone(difference([one], [other], Tolerance(), CPU, exact=lambda: [one]))
        half, wrong = other.half(), torch.tensor([1.0, 2.25]).half()
        self.assertIsNone(difference([half], [wrong], Tolerance(), CPU, exact=lambda: [other]))
        self.assertIsNotNone(difference([half], [wrong], Tolerance(), CPU, exact=lambda: None))
        self.assertIsNotNone(difference([half], [wrong], Tolerance(), CPU, exact=lambda: [other, other]))
        self.assertIsNotNone(difference([half[:1]], [wrong], Tolerance(), CPU, exact=lambda: [other[:1]]))
        # Whole numbers are as the CPU's, or as in double.
        whole = torch.tensor([3])
        self.assertIsNotNone(difference([whole], [whole + 1], Tolerance(), CPU, exact=lambda: [whole + 2]))
        self.assertIsNone(difference([whole], [whole + 1], Tolerance(), CPU, exact=lambda: [whole]))


class Choices(unittest.TestCase):
    given = torch.tensor([[3.0, 1.0, 3.0, 2.0], [5.0, 5.0, 5.0, 0.0]])

    def test_indices_point_at_equal_values(self) -> None:
        choice = choice_of("sort", self.given, (), {})
        theirs = self.given.sort(stable=True)
        other = torch.tensor([[1, 3, 2, 0], [3, 2, 0, 1]])
        self.assertIsNone(choice.result_differs((theirs.values, other), theirs))
        for wrong, text in (([[1, 3, 2, 2], [3, 0, 1, 2]], "twice"), ([[3, 1, 2, 0], [3, 0, 1, 2]], "point at"),
                            ([[1, 3, 2, 4], [3, 0, 1, 2]], "beyond"), ([[1, 3, 2, -1], [3, 0, 1, 2]], "beyond")):
            self.assertIn(text, choice.result_differs((theirs.values, torch.tensor(wrong)), theirs))
        self.assertIn("values are", choice.result_differs((theirs.values + 1e-6, other), theirs))

    def test_gradients_go_to_equal_values(self) -> None:
        choice = choice_of("topk", self.given, (2,), {})
        theirs = torch.tensor([[7.0, 0.0, 8.0, 0.0], [7.0, 8.0, 0.0, 0.0]])
        self.assertIsNone(choice.gradient_differs([torch.tensor([[8.0, 0.0, 7.0, 0.0], [0.0, 7.0, 8.0, 0.0]])], [theirs]))
        for wrong in ([[7.0, 8.0, 0.0, 0.0], [7.0, 8.0, 0.0, 0.0]], [[7.0, 0.0, 8.0, 0.0], [7.0, 7.0, 0.0, 0.0]]):
            self.assertIsNotNone(choice.gradient_differs([torch.tensor(wrong)], [theirs]))

    def test_dimensions(self) -> None:
        for operator, args in (("mode", (0,)), ("kthvalue", (1, 0)), ("mode", (0, True)), ("kthvalue", (2, -2, True))):
            choice = choice_of(operator, self.given, args, {})
            theirs = getattr(torch, operator)(self.given, *args)
            self.assertIsNone(choice.result_differs(theirs, theirs))
            # One row below, and back to the first from the last.
            self.assertIn("point at", choice.result_differs((theirs.values, (theirs.indices + 1) % 2), theirs))
        self.assertIsNone(choice_of("mode", torch.tensor(3.0), (), {}).result_differs(torch.mode(torch.tensor(3.0)), torch.mode(torch.tensor(3.0))))

    def test_what_promises_an_order_is_compared_by_its_indices(self) -> None:
        for operator, args, kwargs in (("sort", (), {"stable": True}), ("argsort", (), {"dim": 0, "stable": True}), ("sort", (0, False, True), {}),
                                       ("median", (), {}), ("cummax", (0,), {})):
            self.assertIsNone(choice_of(operator, self.given, args, kwargs))


class Documents(unittest.TestCase):
    def setUp(self) -> None:
        self.table = read_table(DOCS / "results" / "torch" / "operators-sim.tsv")

    def test_the_table_has_no_failure_and_all_reasons(self) -> None:
        self.assertGreater(len(self.table), 6000)
        for line in self.table.values():
            self.assertNotIn("fail", line.verdicts, str(line))
            if {"refused", "excluded"} & set(line.verdicts):
                self.assertGreater(len(line.reason), 20, str(line))
            if "fallback" in line.verdicts:
                self.assertNotEqual(line.fallbacks, "-", str(line))

    def test_the_list_of_native_operators_is_the_table_s(self) -> None:
        names = listed(DOCS / "torch.md")
        self.assertEqual(len(names), len(set(names)))
        held = set(native(self.table.values()))
        self.assertEqual((set(names) - held, held - set(names)), (set(), set()), "scripts/torch.sh sweep --record docs writes both")
        self.assertLess(len(names), len(of_operators(self.table.values())))
        self.assertEqual({"mul", "mm", "sum", "nn.functional.conv2d"} - set(names), set())

    @unittest.skipUnless(find_spec("expecttest") and find_spec("numpy"), "torch.testing._internal imports expecttest and numpy")
    def test_a_record_writes_the_documents(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            docs = Path(folder)
            (docs / "results" / "torch").mkdir(parents=True)
            for name in ("torch.md", "results/torch/README.md"):
                (docs / name).write_text((DOCS / name).read_text())
            lines = list(self.table.values())
            write_documents(lines, docs, "sim", 1)
            self.assertEqual((docs / "torch.md").read_text(), (DOCS / "torch.md").read_text())
            counts = (docs / "results/torch/README.md").read_text()
            self.assertIn(summary(lines), counts)
            self.assertIn(summary(lines), (DOCS / "results/torch/README.md").read_text())
            write_documents(lines[:3], docs, "sim", 1)
            self.assertEqual(listed(docs / "torch.md"), native(lines[:3]))
            self.assertIn("3 pairs over `sim`", (docs / "results/torch/README.md").read_text())
            with self.assertRaisesRegex(ValueError, "counts over nonesuch"):
                write_documents(lines, docs, "nonesuch", 1)

    def test_what_is_better_must_be_recorded(self) -> None:
        better, worse, new, gone = (Changes([], ["x"], [], []), Changes(["x"], [], [], []), Changes([], [], ["x"], []), Changes([], [], [], ["x"]))
        for found, is_whole, record, expected in (
            (better, True, None, False), (better, False, None, True), (better, True, DOCS, True),
            (worse, True, None, False), (worse, False, None, False), (worse, True, DOCS, True),
            (new, True, None, False), (new, False, None, True), (gone, True, None, False), (gone, False, None, True),
            (Changes([], [], [], []), True, None, True),
        ):
            with redirect_stdout(io.StringIO()) as told:
                self.assertEqual(is_as_before(argparse.Namespace(record=record, compare="x"), found, is_whole), expected, (found, is_whole))
            self.assertEqual("--record" in told.getvalue(), found not in (worse, Changes([], [], [], [])) and record is None)

    def test_one_fallback_is_enough_not_to_be_native(self) -> None:
        line = next(line for line in self.table.values() if str(line.pair) == "op mul float32")
        for verdict in ("fallback", "refused", "excluded", "fail"):
            other = Line(line.pair, (*line.verdicts[:-1], verdict), "mul.out")
            lines = {**self.table, line.pair: other}
            self.assertEqual(set(native(self.table.values())) - set(native(lines.values())), {"mul"})

    def test_changes(self) -> None:
        pair = next(iter(self.table))
        former = {pair: Line(pair, ("native", "fallback", "-", "-", "refused"))}
        found = changes([Line(pair, ("fallback", "native", "native", "-", "-"))], former, [pair])
        self.assertEqual([text.split(": ")[1] for text in found.worse], ["forward is fallback, was native", "strided is -, was refused"])
        self.assertEqual([text.split(": ")[1] for text in found.better], ["gradient is native, was fallback", "out is native, was -"])
        self.assertEqual(changes([], former, []).gone, [str(pair)])


if __name__ == "__main__":
    unittest.main()
