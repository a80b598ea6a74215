# SPDX-License-Identifier: Apache-2.0
"""The compatibility check: what it sees, its verdicts and exit codes, its files. Each program in a process of its own."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

# Far from what any device has natively, and with a backward of its own.
GRID = """
import torch
picture = torch.ones(1, 1, 3, 3).to("xhal").requires_grad_()
grid = torch.zeros(1, 2, 2, 2).to("xhal")
found = torch.nn.functional.grid_sample(picture, grid, align_corners=False)
"""
BACKWARD = GRID + """
found.backward(torch.ones(1, 1, 2, 2).to("xhal"))
"""
MODEL = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 4)
        self.line = torch.nn.Linear(4, 2)
    def forward(self, index, more=None):
        out = self.line(self.table(index))
        return {"out": out if more is None else out + more}
class Broken(Net):
    def forward(self, index):
        raise ValueError("not today")
def examples():
    return {"index": torch.tensor([1, 4]), "more": torch.ones(2)}
number = 3
net = Net()
"""


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attributes if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


class Check(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_check(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "torch_xhal.check", *arguments], capture_output=True, text=True, timeout=120,
                              cwd=self.folder, env={**os.environ, **environment})

    def check(self, program: str, expected: int, *arguments: str, **environment: str) -> dict[str, Any]:
        (self.folder / "program.py").write_text(program)
        done = self.run_check("--json", "result.json", "program.py", *arguments, **environment)
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        self.output = done.stdout
        self.errors = done.stderr
        result = json.loads((self.folder / "result.json").read_text())
        self.assertEqual(result["exit_code"], expected)
        return {**result, "operators": {one["name"]: one for one in result["operators"]}}

    def test_counts_are_those_of_the_plugin(self) -> None:
        result = self.check(BACKWARD + "from torch_xhal import _C; import json; print('counts ' + json.dumps(_C.fallback_counts()))", 1)
        line = next(line for line in self.output.splitlines() if line.startswith("counts "))
        counts = json.loads(line.removeprefix("counts "))
        self.assertIn("aten::grid_sampler_2d", counts)
        self.assertEqual({name: one["fallbacks"] for name, one in result["operators"].items() if one["fallbacks"]}, counts)

    def test_operators_of_autograds_threads_are_seen(self) -> None:
        self.assertNotIn("aten::grid_sampler_2d_backward", self.check(GRID, 1)["operators"])
        self.assertEqual(self.check(BACKWARD, 1)["operators"]["aten::grid_sampler_2d_backward"]["calls"], 1)

    def test_what_a_fallback_does_is_not_counted_beside_it(self) -> None:
        operators = self.check(GRID, 1)["operators"]
        self.assertEqual((operators["aten::_copy_from"]["calls"], operators["aten::_copy_from"]["verdict"]), (2, "native"))
        self.assertEqual(operators["aten::grid_sampler_2d"]["verdict"], "fallback")

    def test_native_programs_pass(self) -> None:
        result = self.check("import torch; print(torch.arange(6.0).to('xhal').view(2, 3).cpu())", 0)
        self.assertEqual(result["verdict"], "native")
        self.assertEqual({one["verdict"] for one in result["operators"].values()}, {"native"})
        self.assertIn("check: NATIVE", self.output.splitlines()[-1])

    def test_programs_of_the_host_are_told_apart(self) -> None:
        self.assertEqual(self.check("import torch; torch.ones(3) + 1", 5)["operators"], {})

    def test_missing_operators_are_named(self) -> None:
        result = self.check(GRID, 3, TORCH_XHAL_FALLBACK="error")
        self.assertEqual(result["operators"]["aten::grid_sampler_2d"]["verdict"], "missing")
        self.assertIn("aten::grid_sampler_2d", self.output.splitlines()[-1])
        self.assertIn("Traceback", self.errors)

    def test_a_missing_operator_that_the_program_survives_is_still_missing(self) -> None:
        indented = "".join(f"    {line}\n" for line in GRID.strip().splitlines())
        result = self.check(f"try:\n{indented}except NotImplementedError: pass", 3, TORCH_XHAL_FALLBACK="error")
        self.assertEqual(result["operators"]["aten::grid_sampler_2d"]["verdict"], "missing")
        self.assertEqual(result["error"], "")

    def test_errors_of_the_user_are_no_missing_operators(self) -> None:
        result = self.check("import torch; torch.empty(3, device='xhal').view(2, 2)", 4)
        self.assertIn("RuntimeError: shape", result["error"])
        self.assertNotIn("missing", {one["verdict"] for one in result["operators"].values()})
        self.check("import torch\ndef abstract(): raise NotImplementedError('later')\nabstract()", 4)

    def test_how_a_script_ends(self) -> None:
        self.assertEqual(self.check("import sys, torch; torch.empty(1, device='xhal'); sys.exit(7)", 4)["error"], "the script ended with exit code 7")
        self.check("import sys, torch; torch.empty(1, device='xhal'); sys.exit()", 0)
        self.assertIn("SyntaxError", self.check("def", 4)["error"])

    def test_a_script_has_its_arguments_and_its_folder(self) -> None:
        (self.folder / "beside.py").write_text("value = 5")
        self.check("import sys, beside, torch; torch.empty(1, device='xhal'); print(sys.argv, __name__, beside.value)", 0, "--json", "x", "-h")
        self.assertIn("['program.py', '--json', 'x', '-h'] __main__ 5", self.output)

    def test_models(self) -> None:
        (self.folder / "nets.py").write_text(MODEL)
        for target, inputs in (("nets:Net", "2:int64"), ("nets:net", "nets:examples")):
            done = self.run_check("--input", inputs, "--json", "result.json", target)
            self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
            names = [one["name"] for one in json.loads((self.folder / "result.json").read_text())["operators"]]
            self.assertTrue(any("embedding_dense_backward" in name for name in names), names)
        done = self.run_check("--input", "2:int64", "--no-backward", "--eval", "nets:Net")
        self.assertNotIn("backward", done.stdout)
        done = self.run_check("--input", "2:int64", "nets:Broken")
        self.assertEqual(done.returncode, 4)
        self.assertIn("ValueError: not today", done.stdout.splitlines()[-1])

    def test_wrong_usage_is_one_line(self) -> None:
        (self.folder / "nets.py").write_text(MODEL)
        (self.folder / "program.py").write_text("pass")
        cases = (
            (("none.py",), "no such file: none.py"),
            (("nets:Net", "--input", "2"), "options stand before the model: --input 2"),
            (("--input", "2", "none:Net"), "no module named 'none'"),
            (("--input", "2", "nets:None"), "module 'nets' has no 'None'"),
            (("--input", "2", "nets:number"), "nets:number"),
            (("nets:Net",), "say what it is called with"),
            (("--input", "2y3", "nets:Net"), "--input 2y3: a shape and a type"),
            (("--input", "2:sandwich", "nets:Net"), "--input 2:sandwich: a shape and a type"),
            (("--input", "2", "program.py"), "are for a model"),
            (("--json", "no/such/folder.json", "program.py"), "cannot write no/such/folder.json"),
        )
        for arguments, text in cases:
            done = self.run_check(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), (arguments, done))
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)
        done = self.run_check("program.py", XHAL_DRIVERS="nonesuch")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no device: xhal_instance_create", done.stderr)

    def test_the_page_needs_nothing_else(self) -> None:
        (self.folder / "a<b>.py").write_text(GRID)
        done = self.run_check("--wait", "--html", "page.html", "a<b>.py")
        self.assertEqual(done.returncode, 1, done.stderr)
        text = (self.folder / "page.html").read_text()
        page = Page(text)
        self.assertEqual((page.open, page.links), ([], []))
        self.assertNotIn("a<b>", text)
        self.assertIn("aten::grid_sampler_2d", page.cells)
        self.assertNotIn("//", text)


if __name__ == "__main__":
    unittest.main()
