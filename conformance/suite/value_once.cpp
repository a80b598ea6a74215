// SPDX-License-Identifier: Apache-2.0
// Value writes against somebody who writes the same words.
#include <algorithm>
#include <chrono>
#include <thread>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(
    value, write_happens_once, .clauses = {"XHAL-VALUE-2"},
    .observes =
        "up to 200,000 words, as many as a fast device writes at once, each written once by a stream and "
        "overwritten by a host thread as soon as it sees that: the thread's values when the stream is done",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  constexpr size_t kWords = 200'000;
  constexpr auto kEnough = std::chrono::milliseconds(250);
  constexpr uint32_t kOfTheStream = 2;
  constexpr uint32_t kOfTheHost = 3;
  Stream stream(t);
  const Buffer memory = pinned_memory(t, kWords * sizeof(uint32_t));
  auto* const words = memory.as<uint32_t>();
  std::fill_n(words, kWords, uint32_t{1});
  // Many words in a row, so that the thread often looks at the one that is being written.
  std::atomic<size_t> overwritten{0};
  std::atomic<bool> over{false};
  std::thread other([&] {
    for (size_t i = 0; i < kWords; ++i) {
      while (load(&words[i]) != kOfTheStream) {
        if (over) return;
        std::this_thread::yield();
      }
      store(&words[i], kOfTheHost);
      overwritten = i + 1;
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  size_t written = 0;
  size_t batch = 500;
  xhal_result_t result = XHAL_SUCCESS;
  while (written < kWords && result == XHAL_SUCCESS && std::chrono::steady_clock::now() - begin < kEnough) {
    for (size_t i = 0; i < batch && written < kWords && result == XHAL_SUCCESS; ++i, ++written)
      result = TRACED(xhal_stream_write_value(stream, &words[written], kOfTheStream, sizeof(uint32_t)));
    batch *= 2;
    if (result == XHAL_SUCCESS) result = TRACED(xhal_stream_synchronize(stream, t.patience()));
  }
  EXPECT_VALUE("XHAL-VALUE-2", result_name(result), result_name(XHAL_SUCCESS), "writes and synchronises");
  EXPECT_CLAUSE("XHAL-VALUE-2", t.eventually([&] { return overwritten == written; }),
                "the host does not see write {} of {}", overwritten.load(), written);
  over = true;
  other.join();
  const auto again = std::count(words, words + written, kOfTheStream);
  EXPECT_VALUE("XHAL-VALUE-2", again, 0, "of {} words were written again after the host had written",
               written);
}

}  // namespace
}  // namespace xhal::conformance
