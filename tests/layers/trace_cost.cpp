// SPDX-License-Identifier: Apache-2.0
// What the trace layer costs a call, measured: xhal_trace_cost [CALLS]. A driver that does nothing is under it, so all of the time is
// ours. Not a test: nothing is asserted. Prints the median of 15 rounds, interleaved, in nanoseconds a call.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "traced.hpp"

namespace {

using xhal::trace_test::Folder;
using xhal::trace_test::Instance;

double nanoseconds_a_call(xhal_stream_t stream, int calls, bool submit) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) {
    if (submit) {
      (void)xhal::trace_test::fill(stream);
    } else {
      (void)xhal_stream_query(stream);
    }
  }
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
  return taken.count() / calls;
}

}  // namespace

int main(int argc, char** argv) {
  const int calls = argc > 1 ? std::atoi(argv[1]) : 20000;  // NOLINT(cert-err34-c)
  const Folder folder;
  Instance off({.layers = ""});
  Instance due({.trace = {{"file", folder / "due.json"}}});
  Instance each({.trace = {{"file", folder / "each.json"}, {"flush", "call"}}});
  struct Row {
    const char* name;
    xhal_stream_t stream;
    std::vector<double> query, submit;
  } rows[] = {
      {"off", off.stream(), {}, {}}, {"on", due.stream(), {}, {}}, {"on, flush=call", each.stream(), {}, {}}};
  for (int round = 0; round < 15; ++round) {
    for (Row& row : rows) {
      row.query.push_back(nanoseconds_a_call(row.stream, calls, false));
      row.submit.push_back(nanoseconds_a_call(row.stream, calls, true));
    }
  }
  std::printf("%-16s %18s %18s\n", "trace layer", "xhal_stream_query", "xhal_memory_fill");
  for (Row& row : rows) {
    for (auto* values : {&row.query, &row.submit}) std::ranges::nth_element(*values, values->begin() + 7);
    std::printf("%-16s %15.1f ns %15.1f ns\n", row.name, row.query[7], row.submit[7]);
  }
  const auto bytes = static_cast<double>(std::filesystem::file_size(folder / "due.json"));
  std::printf("file: %.0f bytes for a query and a fill\n", bytes / (15.0 * calls));
  return 0;
}
