# SPDX-License-Identifier: Apache-2.0
"""The sweep over PyTorch's databases finds what is planted, and says of nothing more than was seen."""
import io
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch
from gate import nightly

HERE = Path(__file__).resolve().parent.parent / "sweep"
sys.path.insert(0, str(HERE))

# A file that each worker runs first: it replaces kernels. None of these operators has a gradient or is near to what a device has natively.
PLANT = """
import os, signal, time, torch
library = torch.library.Library("aten", "IMPL")
def right(name, *arguments):
    return getattr(torch.ops.aten, name)(*(one.cpu() if isinstance(one, torch.Tensor) else one for one in arguments))
def plant(name, change):
    def kernel(self, *, out):
        result = change(right(name, self), self, out)
        return out if result is None else out.resize_(result.shape).copy_(result)
    library.impl(name + ".out", kernel, "PrivateUse1")
def last_is_wrong(result, self, out):
    if not self.is_contiguous(): result.view(-1)[-1] += 1
    return result
def writes_to_its_input(result, self, out):
    self.zero_()
    return result
def leaves_holes(result, self, out):
    return None if out.numel() and not out.is_contiguous() else result
def refuses(result, self, out):
    raise NotImplementedError("not ever")
def errs(result, self, out):
    raise ValueError("not today")
float32_has_run = False
def remembers(result, self, out):
    global float32_has_run
    float32_has_run |= self.dtype is torch.float32
    return result + 1 if self.dtype is torch.float64 and float32_has_run else result
"""
FAULTS = """
plant("special_airy_ai", lambda result, self, out: result * 1.001)
plant("special_bessel_j0", last_is_wrong)
plant("special_bessel_j1", writes_to_its_input)
plant("special_bessel_y0", leaves_holes)
plant("special_bessel_y1", lambda result, self, out: os.kill(os.getpid(), signal.SIGSEGV))
plant("special_modified_bessel_i0", lambda result, self, out: time.sleep(1000))
plant("special_modified_bessel_i1", refuses)
plant("special_modified_bessel_k0", errs)
plant("special_modified_bessel_k1", lambda result, self, out: result)
plant("special_spherical_bessel_j0", remembers)
def wrong_gradient(grad, self, eps=None):
    return torch.empty_like(self).copy_(right("logit_backward", grad, self, eps) * 1.01)
library.impl("logit_backward", wrong_gradient, "PrivateUse1")
"""
UNIFORM = PLANT + """
def kernel(self, low=0.0, high=1.0, generator=None):
    BODY
    return self.copy_(drawn * (high - low) + low)
library.impl("uniform_", kernel, "PrivateUse1")
"""


@nightly
@unittest.skipUnless(find_spec("expecttest") and find_spec("numpy"), "torch.testing._internal imports expecttest and numpy")
class Sweep(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.lines: dict[tuple[str, str], dict[str, str]] = {}

    def sweep(self, expected: int, *arguments: str, plant: str = "", known: str = "") -> str:
        """The output; self.lines is the table."""
        table = self.folder / "table.tsv"
        table.unlink(missing_ok=True)
        given = ["--table", str(table), *arguments]
        for name, text in (("setup", plant), ("known", known)):
            if text:
                (self.folder / name).write_text(text)
                given += [f"--{name}", str(self.folder / name)]
        done = subprocess.run([sys.executable, "-m", "sweep", *given], capture_output=True, text=True, timeout=300, cwd=HERE)
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        if table.exists():
            rows = [line.split("\t") for line in table.read_text().splitlines()]
            self.lines = {(row[1], row[2]): dict(zip(rows[0], row)) for row in rows[1:]}
        return done.stdout + done.stderr

    def test_the_cpu_is_like_itself(self) -> None:
        names = "add|sum|sort|linalg.eigh|nn.functional.dropout|bernoulli|empty|normal|multinomial|nn.Linear|nn.Dropout|Adam"
        self.sweep(0, "--device", "cpu", "--operators", names, "--dtypes", "float32", "int64", "complex64", "--jobs", "2")
        self.assertGreater(len(self.lines), 15)
        for line in self.lines.values():
            self.assertEqual((line["forward"], line["fallbacks"], line["reason"]), ("native", "-", "-"))

    def test_what_is_planted_is_found_and_costs_one_pair(self) -> None:
        names = "special.(airy_ai|.*bessel_.*)|logit"
        output = self.sweep(1, "--suite", "op", "--operators", names, "--dtypes", "float16", "float32", "float64", "--seconds", "10",
                            plant=PLANT + FAULTS)

        def line(operator: str, dtype: str = "float32") -> dict[str, str]:
            return self.lines[operator, dtype]

        self.assertEqual(line("special.airy_ai")["forward"], "fail")
        self.assertIn("values", line("special.airy_ai")["reason"])
        self.assertIn("FAIL op special.airy_ai float32", output)
        self.assertEqual((line("special.bessel_j0")["forward"], line("special.bessel_j0")["strided"]), ("native", "fail"))
        self.assertIn("arguments", line("special.bessel_j1")["reason"])
        self.assertEqual(line("special.bessel_y0")["out"], "fail")
        # Intel's runtime adds words of its own to a crash.
        self.assertRegex(line("special.bessel_y1")["reason"], "^forward: crash: SIGSEGV(: |$)")
        self.assertEqual(line("special.modified_bessel_i0")["reason"], "forward: hang: no answer in 10 seconds")
        self.assertIn("NotImplementedError", line("special.modified_bessel_i1")["reason"])
        self.assertEqual(line("special.modified_bessel_i1")["forward"], "fail")
        self.assertIn("ValueError: not today", line("special.modified_bessel_k0")["reason"])
        self.assertEqual((line("special.modified_bessel_k1")["forward"], line("special.modified_bessel_k1")["fallbacks"]), ("native", "-"))
        self.assertEqual(line("special.spherical_bessel_j0")["forward"], "native")
        self.assertIn("behind other pairs, not alone", line("special.spherical_bessel_j0", "float64")["reason"])
        self.assertNotEqual(line("logit")["forward"], "fail")
        self.assertEqual((line("logit")["gradient"], line("logit", "float16")["gradient"]), ("fail", "fail"))
        # Nothing was planted in it.
        untouched = line("special.scaled_modified_bessel_k0")
        self.assertEqual((untouched["forward"], untouched["fallbacks"]), ("fallback", "special_scaled_modified_bessel_k0.out"))

    def test_entries_excuse_what_they_say_and_no_more(self) -> None:
        known = """
refused = [{text = "not ever", why = "planted"}]
exclude = [
  {operator = "special.airy_ai", dtypes = ["float32"], text = "values", why = "off by a little"},
  {operator = "special.bessel_j1", text = "crash", why = "another fault than it has"},
  {operator = "special.bessel_y1", never_run = true, why = "crashes"},
  {operator = "special.modified_bessel_k1", dtypes = ["float32"], why = "needed by nothing"},
]
"""
        names = "special.(airy_ai|bessel_j1|bessel_y1|modified_bessel_i1|modified_bessel_k1)"
        output = self.sweep(1, "--suite", "op", "--operators", names, "--dtypes", "float32", plant=PLANT + FAULTS, known=known)
        found = {operator.removeprefix("special."): line for (operator, _), line in self.lines.items()}
        self.assertEqual((found["airy_ai"]["forward"], found["airy_ai"]["reason"][-15:]), ("excluded", "off by a little"))
        self.assertEqual(found["bessel_j1"]["forward"], "fail")
        self.assertEqual((found["bessel_y1"]["forward"], found["bessel_y1"]["reason"][-7:]), ("excluded", "crashes"))
        self.assertEqual(found["modified_bessel_i1"]["forward"], "refused")
        self.assertIn("no pair needs this entry any more, remove it: op special.modified_bessel_k1", output)
        self.assertEqual(output.count("remove it"), 1)

    def uniform(self, expected: int, body: str) -> str:
        self.sweep(expected, "--suite", "op", "--operators", "uniform", "--dtypes", "float32", plant=UNIFORM.replace("BODY", body))
        return self.lines["uniform", "float32"]["reason"]

    def test_wrong_random_numbers_are_found(self) -> None:
        seeded = "host = torch.Generator().manual_seed(torch.initial_seed()); drawn = torch.rand(self.shape, generator=host)"
        self.uniform(0, seeded)
        self.assertIn("another distribution", self.uniform(1, seeded + " ** 3"))
        other = "drawn = torch.rand(self.shape, generator=torch.Generator().manual_seed(time.monotonic_ns()))"
        self.assertIn("the same seed draws other numbers", self.uniform(1, other))
        self.assertIn("another seed draws the same numbers", self.uniform(1, "drawn = torch.rand(self.shape, generator=torch.Generator())"))

    def test_a_table_is_compared(self) -> None:
        chosen = ("--suite", "op", "--operators", "special.airy_ai|special.bessel_y0", "--dtypes", "float32")
        native = PLANT + 'plant("special_airy_ai", lambda result, self, out: result)'
        former = self.folder / "former.tsv"
        self.sweep(0, *chosen)
        former.write_text((self.folder / "table.tsv").read_text())
        better = self.sweep(0, *chosen, "--compare", str(former), plant=native)
        self.assertIn("better: op special.airy_ai float32: forward is native, was fallback", better)
        former.write_text((self.folder / "table.tsv").read_text())
        worse = self.sweep(1, *chosen, "--compare", str(former))
        self.assertIn("worse: op special.airy_ai float32: forward is fallback, was native", worse)

    def test_wrong_usage_is_told(self) -> None:
        (self.folder / "no_reason").write_text('[[exclude]]\noperator = "add"\n')
        (self.folder / "no_field").write_text('[[exclude]]\nwhy = "x"\ndtyp = []\n')
        for arguments, text in (
            (("--operators", "nonesuch"), "nothing is chosen"),
            (("--operators", "("), "--operators ("),
            (("--dtypes", "float33"), "no such type: float33"),
            (("--device", "nonesuch"), "no device 'nonesuch'"),
            (("--jobs", "0"), "are above 0"),
            (("--record", str(HERE)), "no such file"),
            (("--record", str(HERE.parents[2] / "docs"), "--sample", "3"), "--record is about all pairs"),
            (("--compare", "/no/such/table"), "no such file"),
            (("--compare", str(HERE / "README.md")), "is no table of this program"),
            (("--known", str(self.folder / "no_reason")), "gives no reason"),
            (("--known", str(self.folder / "no_field")), "has no field dtyp"),
        ):
            code, told = self.here(arguments)
            self.assertEqual(code, 2, told)
            self.assertIn(text, told)

    def here(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        """In this process, for what runs nothing."""
        from sweep.__main__ import main

        told = io.StringIO()
        with redirect_stdout(told), redirect_stderr(told):
            try:
                return main(list(arguments)), told.getvalue()
            except SystemExit as end:
                return int(end.code or 0), told.getvalue()

    def test_the_sample_is_the_same_each_time_for_a_seed(self) -> None:
        def listed(text: str) -> list[str]:
            # Beside them PyTorch warns of what it imports.
            return [line for line in text.splitlines() if line.startswith(("op ", "module ", "optim "))]

        told = self.here(("--list", "--sample", "40", "--seed", "a1"))[1]
        first = listed(told)
        self.assertIn("--sample 40 --seed a1 takes the same pairs again", told)
        self.assertEqual(len(first), 40)
        self.assertEqual(listed(self.sweep(0, "--list", "--sample", "40", "--seed", "a1")), first)
        self.assertLessEqual(set(first), set(listed(self.here(("--list", "--sample", "60", "--seed", "a1"))[1])))
        self.assertLess(len(set(first) & set(listed(self.here(("--list", "--sample", "40", "--seed", "b2"))[1]))), 20)
        self.assertGreater(len(self.here(("--list", "--suite", "op"))[1].splitlines()), 6000)


@unittest.skipUnless(torch.xhal.is_available(), "no device")
class Place(unittest.TestCase):
    def test_arguments_keep_their_form(self) -> None:
        from sweep.place import place

        host = torch.randn(4, 6, dtype=torch.complex64)
        views = (host, host.t(), host[1:, ::2], host[:, :1].expand(4, 5), host.conj(), host.conj().imag, host[2, 3], host[:0])
        for view in views:
            moved = place(view, torch.device("xhal"))
            self.assertEqual(moved.device.type, "xhal")
            self.assertEqual((moved.stride(), moved.storage_offset(), moved.is_conj(), moved.is_neg()),
                             (view.stride(), view.storage_offset(), view.is_conj(), view.is_neg()))
            self.assertTrue(torch.equal(moved.cpu().resolve_conj().resolve_neg(), view.resolve_conj().resolve_neg()))

    def test_one_tensor_stays_one_and_the_original_stays(self) -> None:
        from sweep.place import place

        host = torch.ones(3, requires_grad=True)
        first, second = place([host, host], torch.device("cpu"))
        self.assertIs(first, second)
        self.assertTrue(first.requires_grad and first.is_leaf)
        with torch.no_grad():
            first.zero_()
        self.assertEqual(host.sum().item(), 3)
        self.assertEqual(place({"device": "cpu"}, torch.device("xhal")), {"device": torch.device("xhal")})


if __name__ == "__main__":
    unittest.main()
