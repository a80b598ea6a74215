# SPDX-License-Identifier: Apache-2.0
"""Random numbers in graphs. A kernel that draws gets a seed and an offset, in a graph from memory that each replay sets; what it would get
is written into a tensor here: {seed, offset, offset within the graph}."""
import threading
import unittest

import torch
from gate import Gate
from graph_case import DEVICE, GraphCase
from torch_xhal import _C


class Random(GraphCase):
    def setUp(self) -> None:
        super().setUp()
        self.generator = torch.Generator(DEVICE).manual_seed(7)
        self.drawn = self.row()

    def row(self) -> torch.Tensor:
        return torch.zeros(3, dtype=torch.int64).to(DEVICE)

    def draw(self, row: torch.Tensor | None = None, draws: int = 4, generator: torch.Generator | None = None) -> list[int]:
        """Nothing is read in a capture."""
        row = self.drawn if row is None else row
        _C.write_draw(row.data_ptr(), generator or self.generator, draws)
        return [] if self.captures() else row.cpu().tolist()

    def captures(self) -> bool:
        return self.stream == torch.accelerator.current_stream()

    def replay(self, graph: torch.accelerator.Graph, row: torch.Tensor | None = None) -> list[int]:
        graph.replay()
        return (self.drawn if row is None else row).cpu().tolist()

    def test_outside_of_captures_numbers_go_by_value(self) -> None:
        self.assertEqual([self.draw(draws=draws) for draws in (1, 4, 5, 4)], [[7, 0, 0], [7, 0, 4], [7, 0, 8], [7, 0, 16]])

    def test_each_replay_draws_anew(self) -> None:
        graph = self.capture(self.draw)
        self.assertEqual(self.generator.get_offset(), 0, "a capture draws nothing")
        self.assertEqual([self.replay(graph) for _ in range(3)], [[7, 0, 0], [7, 4, 0], [7, 8, 0]])

    def test_a_seed_makes_replays_the_same(self) -> None:
        graph = self.capture(self.draw)
        first = [self.replay(graph) for _ in range(2)]
        self.generator.manual_seed(8)
        self.assertEqual(self.replay(graph), [8, 0, 0])
        self.generator.manual_seed(7)
        self.assertEqual([self.replay(graph) for _ in range(2)], first)

    def test_a_replay_steps_over_all_that_the_graph_draws(self) -> None:
        second = self.row()
        graph = self.capture(lambda: (self.draw(draws=5), self.draw(second, draws=1)))
        self.draw(draws=4)
        self.assertEqual((self.replay(graph), second.cpu().tolist()), ([7, 4, 0], [7, 4, 8]))
        self.assertEqual(self.draw(), [7, 0, 16])
        self.assertEqual(self.replay(graph), [7, 20, 0])

    def test_a_state_is_taken_up_again(self) -> None:
        graph = self.capture(self.draw)
        self.replay(graph)
        state = self.generator.get_state()
        first = self.replay(graph)
        self.generator.set_state(state)
        self.assertEqual(self.replay(graph), first)

    def test_generators_of_one_graph(self) -> None:
        other, second = torch.Generator(DEVICE).manual_seed(9), self.row()
        graph = self.capture(lambda: (self.draw(), self.draw(second, generator=other, draws=8)))
        for turn in range(2):
            self.assertEqual((self.replay(graph), second.cpu().tolist()), ([7, 4 * turn, 0], [9, 8 * turn, 0]))

    def test_graphs_of_one_generator(self) -> None:
        second = self.row()
        graphs = self.capture(self.draw), self.capture(lambda: self.draw(second))
        self.assertEqual((self.replay(graphs[0]), self.replay(graphs[1], second), self.replay(graphs[0])), ([7, 0, 0], [7, 4, 0], [7, 8, 0]))

    def test_the_default_generator(self) -> None:
        graph = self.capture(lambda: self.draw(generator=_C.default_generator(0)))
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            torch.xhal.manual_seed(seed)
            self.assertEqual(self.replay(graph), [seed, 0, 0])

    def test_generators_that_share_their_state(self) -> None:
        graph = self.capture(self.draw)
        same = self.generator.graphsafe_get_state()
        same.manual_seed(11)
        self.assertEqual(self.replay(graph), [11, 0, 0])
        self.generator.graphsafe_set_state(torch.Generator(DEVICE).manual_seed(12).graphsafe_get_state())
        self.assertEqual(self.replay(graph), [11, 4, 0], "the graph draws from the state that it was captured with")
        self.assertEqual(self.draw(), [12, 0, 0])

    def test_replays_of_two_streams_keep_their_numbers(self) -> None:
        former = self.row()
        graph = self.capture(lambda: (former.copy_(self.drawn), self.draw()))
        first, second = torch.Stream(DEVICE), torch.Stream(DEVICE)
        with Gate(first):
            with first:
                graph.replay()
            with second:
                graph.replay()
            self.give_turns()
        second.synchronize()
        self.assertEqual((former.cpu().tolist(), self.drawn.cpu().tolist()), ([7, 0, 0], [7, 4, 0]))

    def test_replays_of_two_threads_keep_their_numbers(self) -> None:
        rows = [self.row() for _ in range(32)]

        def body() -> None:
            for former, later in reversed(list(zip(rows, rows[1:]))):
                later.copy_(former)
            self.draw(rows[0])

        graph = self.capture(body)

        def replay() -> None:
            with torch.Stream(DEVICE) as stream:
                for _ in range(16):
                    graph.replay()
                stream.synchronize()

        errors: list[Exception | None] = []
        threads = [threading.Thread(target=lambda: errors.append(self.in_thread(replay))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [None, None])
        self.assertEqual([row.cpu().tolist() for row in reversed(rows)], [[7, 4 * turn, 0] for turn in range(32)])

    def test_memory_of_the_capture_is_not_where_numbers_lie(self) -> None:
        def body() -> None:
            for _ in range(4):
                self.one.clone()
            self.draw()
            for _ in range(4):
                self.one.clone()

        graph = self.capture(body)
        self.assertEqual([self.replay(graph) for _ in range(2)], [[7, 0, 0], [7, 4, 0]])

    def test_numbers_stay_while_a_replay_waits(self) -> None:
        words: list[int] = []
        graph = self.capture(lambda: words.append(_C.write_draw(self.drawn.data_ptr(), self.generator, 4)))
        stream = torch.Stream(DEVICE)

        def taken() -> list[int]:
            with self.stream:
                blocks = [torch.empty(64, dtype=torch.int64, device=DEVICE) for _ in range(2048)]
            return [block.data_ptr() for block in blocks]

        with Gate(stream):
            with stream:
                graph.replay()
            graph.reset()
            self.assertNotIn(words[0], taken())
        stream.synchronize()
        self.assertIn(words[0], taken())

    def test_memory_of_the_numbers_is_waited_for(self) -> None:
        """Who had it before may still be at work on the stream of the capture."""
        graph, other = torch.accelerator.Graph(), torch.Stream(DEVICE)
        with Gate(self.stream):
            with self.stream:
                graph.capture_begin()
                self.draw()
                graph.capture_end()
            with other:
                graph.replay()
            self.give_turns()
            self.assertFalse(other.query())
        other.synchronize()
        self.assertEqual(self.drawn.cpu().tolist(), [7, 0, 0])

    def test_a_state_is_left_alone_in_a_capture(self) -> None:
        state = self.generator.get_state()
        refused = (lambda: self.generator.manual_seed(8), self.generator.seed, self.generator.initial_seed, self.generator.get_state,
                   self.generator.get_offset, lambda: self.generator.set_offset(4), lambda: self.generator.set_state(state))

        def body() -> None:
            self.draw()
            for call in refused:
                with self.assertRaisesRegex(RuntimeError, "captures a graph"):
                    call()
            self.generator.manual_seed(7)
            with torch.Stream(DEVICE):
                self.generator.get_state()

        graph = self.capture(body)
        self.assertEqual([self.replay(graph) for _ in range(2)], [[7, 0, 0], [7, 4, 0]])

    def test_a_random_graph_is_replayed_in_no_capture(self) -> None:
        inner = self.capture(self.draw)
        with self.assertRaisesRegex(NotImplementedError, "random numbers cannot be replayed in the capture"):
            self.capture(inner.replay)
        self.assertEqual(self.replay(inner), [7, 0, 0])

    def test_a_capture_that_fails_draws_nothing(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "CAPTURE_INVALIDATED"):
            self.capture(lambda: (self.draw(), self.refused(self.stream.query)))
        self.assertEqual(self.draw(), [7, 0, 0])

    def test_a_graph_has_room_for_many_generators(self) -> None:
        generators = [torch.Generator(DEVICE).manual_seed(seed) for seed in range(33)]
        rows = [self.row() for _ in generators]
        graph = self.capture(lambda: [self.draw(row, generator=generator) for row, generator in zip(rows[:32], generators)])
        self.assertEqual([self.replay(graph, row)[0] for row in rows[:32]], list(range(32)))
        with self.assertRaisesRegex(RuntimeError, "at most 32 generators"):
            self.capture(lambda: [self.draw(row, generator=generator) for row, generator in zip(rows, generators)])

    def test_a_generator_of_another_device_is_refused(self) -> None:
        if torch.accelerator.device_count() < 2:
            self.skipTest("there is one device")
        there = torch.Stream("xhal:1")
        generator = torch.Generator("xhal:1")

        def body() -> None:
            self.join_from(there)
            with there, self.assertRaisesRegex(NotImplementedError, "a graph of device 0 cannot draw from a generator of device 1"):
                _C.write_draw(self.drawn.data_ptr(), generator, 4)
            self.join_back(there)

        self.capture(body)


if __name__ == "__main__":
    unittest.main()
