# SPDX-License-Identifier: Apache-2.0
"""torch.accelerator.Graph: what is captured, and when it runs. Memory, errors and random numbers have files of their own."""
import re
import unittest

import torch
from gate import Gate
from graph_case import DEVICE, GraphCase, device_of, full, run


class Replays(GraphCase):
    def test_a_capture_runs_nothing_and_a_replay_runs_it_once(self) -> None:
        left, right, between = full(1), full(2), full(0)
        graph = self.capture(lambda: (between.copy_(left), left.copy_(right), right.copy_(between)))
        self.assertEqual((left[0].item(), right[0].item()), (1, 2))
        for expected in ((2, 1), (1, 2), (2, 1)):
            graph.replay()
            self.assertEqual((left[0].item(), right[0].item()), expected)

    def test_a_replay_runs_in_the_order_of_the_current_stream(self) -> None:
        source, target, seen = full(1), full(0), full(0)
        graph = self.capture(lambda: target.copy_(source))
        stream = torch.Stream(DEVICE)
        with Gate(stream):
            with stream:
                graph.replay()
                seen.copy_(target)
            self.give_turns()
            self.assertFalse(stream.query())
            self.assertEqual(target.sum().item(), 0)
            self.assertTrue(self.stream.query(), "the stream of the capture has nothing to do")
        stream.synchronize()
        self.assertEqual(seen[0].item(), 1)

    def test_a_replay_reads_what_memory_holds_then(self) -> None:
        source, target = full(1), full(0)
        graph = self.capture(lambda: target.copy_(source))
        for value in (4.0, 5.0):
            source.copy_(torch.full_like(source, value, device="cpu"))
            graph.replay()
            self.assertEqual(target[0].item(), value)

    def test_replays_of_one_graph_take_turns(self) -> None:
        graph = self.capture(lambda: self.target.copy_(self.one))
        first, second = torch.Stream(DEVICE), torch.Stream(DEVICE)
        with Gate(first):
            with first:
                graph.replay()
            with second:
                graph.replay()
            self.give_turns()
            self.assertFalse(second.query())
        second.synchronize()

    def test_other_streams_work_in_mid_capture(self) -> None:
        other = torch.Stream(DEVICE)

        def body() -> None:
            self.target.copy_(self.one)
            with other:
                self.assertEqual(full(3).cpu()[0].item(), 3)
                self.assertTrue(other.query())

        self.capture(body).replay()
        self.assertEqual(self.target[0].item(), 1)

    def test_a_fork_is_a_part_of_the_graph(self) -> None:
        forked, behind, target = torch.Stream(DEVICE), full(0), full(0)
        graph = torch.accelerator.Graph(keep_graph=True)
        fork, join = torch.Event(DEVICE), torch.Event(DEVICE)
        with self.stream, graph:
            self.target.copy_(self.one)
            fork.record(self.stream)
            forked.wait_event(fork)
            with forked:
                temporary = self.target.clone()
                behind.copy_(temporary)
                join.record(forked)
            target.copy_(self.target)
            self.stream.wait_event(join)
        self.assertEqual(behind[0].item(), 0)
        self.assertTrue(forked.query())
        graph.replay()
        self.assertEqual((behind[0].item(), target[0].item()), (1, 1))
        edges = re.findall(r"(\w+) -> (\w+);", self.dump(graph))
        self.assertIn(2, [len([edge for edge in edges if edge[0] == node]) for node, _ in edges], "two nodes follow the first")

    def test_a_backward_can_be_captured(self) -> None:
        inputs = full(0).requires_grad_()
        graph = self.capture(lambda: inputs.clone().backward(self.one))
        self.one.copy_(torch.full_like(self.one, 5, device="cpu"))
        graph.replay()
        self.assertEqual(inputs.grad[0].item(), 5)

    def test_a_graph_of_another_device_than_the_current_one(self) -> None:
        if torch.accelerator.device_count() < 2:
            self.skipTest("there is one device")
        device = device_of(1)
        source, target, stream = torch.full((64,), 2.0).to(device), torch.zeros(64).to(device), torch.Stream(device)
        graph = torch.accelerator.Graph()
        with stream, graph:
            target.copy_(source.clone())
        self.assertEqual(torch.xhal.current_device(), 0)
        graph.replay()
        self.assertEqual(target.sum().item(), 128)

    def test_what_lives_at_exit_harms_nothing(self) -> None:
        done = run("import torch; a, s, g = torch.ones(9).to('xhal'), torch.Stream('xhal'), torch.accelerator.Graph()\n"
                   "with s, g: b = a.clone()\n"
                   "g.replay(); h = torch.accelerator.Graph()\n"
                   "s.__enter__(); h.capture_begin(); print('done')")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "done"), done.stderr)

    def test_a_device_without_graphs_is_named(self) -> None:
        done = run("import torch\n"
                   "try: torch.accelerator.Graph().capture_begin()\n"
                   "except NotImplementedError as error: print(error)", XHAL_LAYERS="variants", XHAL_VARIANTS="name=without_graph")
        self.assertIn("needs a device with the feature 'graph'", done.stdout, done.stderr)


class Debugging(GraphCase):
    def test_a_dump_is_a_graph_of_dot(self) -> None:
        graph = torch.accelerator.Graph()
        graph.enable_debug_mode()
        with self.stream, graph:
            self.target.copy_(self.one)
            self.target.copy_(self.one)
        for _ in range(2):
            text = self.dump(graph)
            self.assertRegex(text, r'\Adigraph \w+ \{\n(  (\w+ \[label="[^"\n]*"\]|\w+ -> \w+);\n)*\}\s*\Z')
            self.assertEqual((text.count("label="), text.count("->")), (2, 1))
        graph.replay()

    def test_what_is_not_kept_cannot_be_dumped(self) -> None:
        graph = self.capture(lambda: None)
        with self.assertRaisesRegex(RuntimeError, "enable_debug_mode"):
            graph.debug_dump("/tmp/none.dot")

    def test_a_file_that_cannot_be_written_is_told_of(self) -> None:
        graph = self.capture(lambda: None, keep_graph=True)
        with self.assertRaisesRegex(RuntimeError, "cannot write /nonesuch/graph.dot: No such file"):
            graph.debug_dump("/nonesuch/graph.dot")

    def test_a_kept_graph_is_instantiated_when_asked(self) -> None:
        graph = self.capture(lambda: self.target.copy_(self.one), keep_graph=True)
        graph.replay()
        self.assertEqual(self.target[0].item(), 1)
        graph.instantiate()
        self.target.copy_(torch.zeros(64))
        graph.replay()
        self.assertEqual(self.target[0].item(), 1)


if __name__ == "__main__":
    unittest.main()
