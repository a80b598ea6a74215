// SPDX-License-Identifier: Apache-2.0
#include "bench/command/limits_command.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "bench/command/console.hpp"
#include "bench/command/machine.hpp"
#include "bench/limits/limits.hpp"
#include "bench/runner/measure.hpp"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::bench {
namespace {

using conformance::print;

struct Limit {
  std::string name;
  std::string what;
  Row row;
  uint64_t bytes = 0;  // of a unit that moves memory
};

Limit limit_of(Side side, std::string what) {
  Limit out;
  out.name = side.name;
  out.what = std::move(what);
  out.row.sides.push_back(std::move(side));
  return out;
}

Limit memcpy_of(uint64_t bytes, int threads) {
  struct Blocks {
    std::vector<std::byte> from, to;
  };
  auto blocks = std::make_shared<std::vector<Blocks>>();
  for (int i = 0; i < threads; ++i)
    blocks->push_back(
        {std::vector<std::byte>(bytes, std::byte{1}), std::vector<std::byte>(bytes, std::byte{2})});
  // A thread of its own for each pair; the first is the caller's.
  Side side{fmt::format("memcpy/size={},threads={}", bytes, threads),
            [blocks, threads, bytes](uint64_t units) {
              const double ns = raw_parallel(threads, [&](int thread) {
                Blocks& mine = (*blocks)[static_cast<size_t>(thread)];
                for (uint64_t i = 0; i < units; ++i) {
                  std::memcpy(mine.to.data(), mine.from.data(), bytes);
                  mine.from[i % bytes] = mine.to[(i + 1) % bytes];
                }
              });
              return ns / static_cast<double>(units);
            },
            1, 10'000};
  Limit out = limit_of(std::move(side), "bytes moved, all threads together");
  out.bytes = bytes * static_cast<uint64_t>(threads);
  return out;
}

std::vector<Limit> all_limits() {
  std::vector<Limit> out;
  out.push_back(limit_of(indirect_call_limit(), "a call through a pointer"));
  out.push_back(limit_of(load_limit(), "an acquire load of a word that nobody changes"));
  out.push_back(limit_of(lock_limit(), "an uncontended mutex, locked and unlocked"));
  out.push_back(limit_of(malloc_limit(64), "64 bytes, allocated and freed"));
  out.push_back(
      limit_of(ring_limit(Reader::kRuns, Until::kHanded), "a 64-byte slot handed to a thread that takes it"));
  out.back().name = "ring/until=handed";
  out.push_back(limit_of(ring_limit(Reader::kRuns, Until::kTaken), "the same, until it is taken"));
  out.back().name = "ring/until=taken";
  out.push_back(limit_of(spin_limit(), "a word there and back, both threads spinning"));
  out.push_back(limit_of(futex_limit(), "a word there and back, both threads asleep"));
  for (const int threads : {1, 2}) {
    for (const uint64_t bytes : {uint64_t{64} << 10, uint64_t{1} << 20, uint64_t{64} << 20})
      out.push_back(memcpy_of(bytes, threads));
  }
  return out;
}

double gigabytes(const Limit& limit, double ns) { return static_cast<double>(limit.bytes) / ns; }

int limits(const LimitsOptions& options) {
  std::vector<Limit> all = all_limits();
  nlohmann::json rows = nlohmann::json::array();
  const bool is_json = options.format == "json";
  if (!is_json) print(stdout, "{:<34} {:>9} {:>9} {:>9}\n", "limit", "p5", "median", "p99");
  for (const Limit& limit : all) {
    Plan plan;
    plan.seconds = options.seconds / static_cast<double>(all.size());
    const Percentiles times = percentiles(measure(limit.row, plan).ns.front());
    rows.push_back({{"name", limit.name},
                    {"what", limit.what},
                    {"bytes", limit.bytes},
                    {"p5_ns", times.p5},
                    {"p50_ns", times.p50},
                    {"p99_ns", times.p99}});
    if (is_json) continue;
    const std::string speed =
        limit.bytes == 0 ? "" : fmt::format("{:.3g} GB/s; ", gigabytes(limit, times.p50));
    print(stdout, "{:<34} {:>9} {:>9} {:>9}  {}{}\n", limit.name, value_text(times.p5, "ns"),
          value_text(times.p50, "ns"), value_text(times.p99, "ns"), speed, limit.what);
  }
  if (is_json) {
    const nlohmann::json report = {
        {"schema", "xhal-bench-limits/1"}, {"machine", machine_state()}, {"limits", rows}};
    print(stdout, "{}\n", report.dump(1));
  }
  return ending::kExitOk;
}

}  // namespace

int run_limits(const LimitsOptions& options) {
  return conformance::ended([&] { return limits(options); });
}

}  // namespace xhal::bench
