// SPDX-License-Identifier: Apache-2.0
// Random programs of fixed numbers against the sequential oracle; `xhal-conform fuzz` runs as many as one likes.
#include "programs/execute.h"
#include "programs/gates.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kPrograms = 8;
constexpr uint32_t kOps = 80;

Cases series() { return grid({{"series", {1, 2, 3}}, {"threads", {1, 3}}}); }
Cases rotations() { return grid({{"series", {1, 2, 3, 4}}}); }

// The numbers stand for themselves, whatever the run's seed is: what fails fails again. Only a challenge has programs of its own.
uint64_t seed_of(Context& t, uint64_t i) {
  return t.settings().challenged ? oracle::random_word(t.seed(), i) : t.number("series") * 1000 + i;
}

void saw(Context& t, const programs::Verdict& verdict) {
  for (const auto& memory : verdict.got) t.recorder().saw(std::as_bytes(std::span(memory)));
}

XHAL_TEST_P(program, contents, series, .clauses = {"XHAL-STREAM-1", "XHAL-EVENT-14", "XHAL-MEMORY-18"},
            .observes =
                "random programs over streams, events, memory and whatever else the device claims: every "
                "byte that they leave is the "
                "sequential oracle's") {
  programs::Executor executor(t.session(), t.patience());
  const programs::World world = programs::world_of(t.session());
  for (uint64_t i = 0; i < kPrograms; ++i) {
    const auto program =
        programs::generate(world, {seed_of(t, i), kOps, static_cast<uint32_t>(t.number("threads"))});
    const programs::Verdict verdict = executor.run(program);
    saw(t, verdict);
    // Contents do not tell which of the rules was broken that they follow from.
    EXPECT_CLAUSE("XHAL-STREAM-1", verdict.same, "program {}: {}", program.seed, verdict.text);
    EXPECT_CLAUSE("XHAL-EVENT-14", verdict.same, "program {}: {}", program.seed, verdict.text);
    ASSERT_CLAUSE("XHAL-MEMORY-18", verdict.same, "program {}: {}", program.seed, verdict.text);
  }
}

XHAL_TEST_P(program, held_producers, rotations, .clauses = {"XHAL-EVENT-3", "XHAL-EVENT-4", "XHAL-EVENT-14"},
            .observes =
                "random programs, run once for each wait that they need, with the stream held shut that the "
                "wait is for: every byte is "
                "the sequential oracle's") {
  programs::Executor executor(t.session(), t.patience());
  const programs::World world = programs::world_of(t.session());
  const bool holds = programs::can_hold(t.session());
  if (!holds) t.note("no stream can be held while others go on, as declared: values alone tell");
  const auto program = programs::generate(world, {seed_of(t, 500), kOps, 1});
  const auto expected = programs::expected_contents(program);
  for (const auto& wait : programs::necessary_waits(program)) {
    const auto rotated = holds ? programs::gated(world, program, wait) : program;
    if (!rotated) continue;
    const programs::Verdict verdict = executor.run(*rotated, expected);
    saw(t, verdict);
    const bool same = verdict.same;
    EXPECT_CLAUSE("XHAL-EVENT-3", same, "program {}, wait {}: {}", program.seed, wait.wait, verdict.text);
    EXPECT_CLAUSE("XHAL-EVENT-4", same, "program {}, wait {}: {}", program.seed, wait.wait, verdict.text);
    ASSERT_CLAUSE("XHAL-EVENT-14", same, "program {}, wait {}: {}", program.seed, wait.wait, verdict.text);
  }
}

}  // namespace
}  // namespace xhal::conformance
