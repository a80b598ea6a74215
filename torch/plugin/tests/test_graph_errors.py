# SPDX-License-Identifier: Apache-2.0
"""What a capture refuses, and what state that leaves it in."""
import gc
import unittest

import torch
from graph_case import DEVICE, GraphCase


class Errors(GraphCase):
    def test_what_waits_for_the_capture_breaks_it(self) -> None:
        event = torch.Event(DEVICE)
        for call in (self.stream.query, self.stream.synchronize, event.query, event.synchronize,
                     lambda: self.target.copy_(torch.ones(64).pin_memory())):
            graph = torch.accelerator.Graph()
            with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_UNSUPPORTED"):
                with self.stream:
                    graph.capture_begin()
                    event.record(self.stream)
                    call()
            with self.stream:
                with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_INVALIDATED"):
                    self.target.copy_(self.one)
                with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_INVALIDATED"):
                    graph.capture_end()
            self.assertTrue(self.stream.query())
            with self.assertRaisesRegex(RuntimeError, "has not been captured"):
                graph.replay()
            with self.stream, graph:
                self.target.copy_(self.one)
            graph.replay()

    def test_what_needs_the_host_is_refused(self) -> None:
        host = torch.ones(64)
        for call in (lambda: self.one[0].item(), self.one.cpu, lambda: self.target.copy_(host), torch.accelerator.synchronize):
            with self.stream:
                graph = torch.accelerator.Graph()
                graph.capture_begin()
                try:
                    with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_UNSUPPORTED"):
                        call()
                finally:
                    graph.reset()
            self.assertTrue(self.stream.query())

    def test_a_fork_that_is_not_joined(self) -> None:
        graph, forked, fork = torch.accelerator.Graph(), torch.Stream(DEVICE), torch.Event(DEVICE)
        with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_UNJOINED"):
            with self.stream, graph:
                fork.record(self.stream)
                forked.wait_event(fork)
                with forked:
                    self.target.copy_(self.one)
        with forked:
            self.target.copy_(self.one)
        forked.synchronize()
        self.assertEqual(self.target[0].item(), 1)

    def test_calls_out_of_order(self) -> None:
        graph = torch.accelerator.Graph()
        for call in (graph.replay, graph.instantiate, graph.capture_end, graph.pool, lambda: graph.debug_dump("/tmp/none.dot")):
            self.assertRaises(RuntimeError, call)
        graph.reset()
        with self.stream, graph:
            self.target.copy_(self.one)
            with self.assertRaisesRegex(RuntimeError, "is under way"):
                graph.capture_begin()
            with self.assertRaisesRegex(RuntimeError, "has not been captured"):
                graph.replay()
            with self.assertRaisesRegex(RuntimeError, "captures already"):
                torch.accelerator.Graph().capture_begin()
        for call in (graph.capture_end, graph.instantiate):
            self.assertRaises(RuntimeError, call)
        with self.stream, self.assertRaisesRegex(RuntimeError, "reset\\(\\) lets go of it"):
            graph.capture_begin()
        graph.replay()
        self.assertEqual(self.target[0].item(), 1)
        graph.reset()
        self.assertRaises(RuntimeError, graph.replay)

    def test_a_pool_is_filled_by_one_capture_at_a_time(self) -> None:
        graph = torch.accelerator.Graph()
        with self.stream, graph:
            with torch.Stream(DEVICE), self.assertRaisesRegex(RuntimeError, "is being filled by another capture"):
                torch.accelerator.Graph(pool=graph.pool()).capture_begin()
        self.capture(lambda: None, pool=graph.pool())

    def test_a_capture_ends_where_it_began(self) -> None:
        for mode, may_end in (("default", False), ("global", False), ("thread_local", False), ("relaxed", True)):
            graph = torch.accelerator.Graph(capture_error_mode=mode)
            with self.stream:
                graph.capture_begin()
                self.target.copy_(self.one)
            with self.assertRaisesRegex(RuntimeError, "stream is current on which it began"):
                graph.capture_end()

            def end() -> None:
                with self.stream:
                    graph.capture_end()

            error = self.in_thread(end)
            if may_end:
                self.assertIsNone(error)
            else:
                self.assertRegex(str(error), "XHAL_ERROR_CAPTURE_MISMATCH")
                end()
            graph.replay()

    def test_the_global_mode_binds_other_threads(self) -> None:
        self.capture(lambda: self.assertRegex(str(self.in_thread(torch.accelerator.synchronize)), "XHAL_ERROR_CAPTURE_UNSUPPORTED"))

    def test_an_exception_ends_the_capture(self) -> None:
        graph = torch.accelerator.Graph()
        with self.assertRaisesRegex(KeyError, "mine"):
            with self.stream, graph:
                self.target.copy_(self.one)
                raise KeyError("mine")
        self.assertTrue(self.stream.query())
        graph.reset()
        with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_INVALIDATED") as raised:
            with self.stream, graph:
                self.stream.query()
        self.assertRegex(str(raised.exception.__context__), "XHAL_ERROR_CAPTURE_UNSUPPORTED")

    def test_a_capture_that_is_dropped_ends(self) -> None:
        for drop in (lambda graph: graph.reset(), lambda graph: None):
            graph = torch.accelerator.Graph()
            with self.stream:
                graph.capture_begin()
                self.target.copy_(self.one)
                drop(graph)
                del graph
                gc.collect()
            self.assertTrue(self.stream.query())
            self.assertEqual(self.target[0].item(), 0)


if __name__ == "__main__":
    unittest.main()
