// SPDX-License-Identifier: Apache-2.0
// Peer access between the devices of the driver.
#include <algorithm>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kCells = 3000;

bool can_reach(Context& t, size_t device, size_t peer) {
  xhal_link_t link{};
  link.struct_size = sizeof(link);
  REQUIRE_OK(xhal_device_get_link(t.device(device), t.device(peer), &link));
  return link.peer_access != 0;
}

struct Pair {
  size_t device;
  size_t peer;
};

// The ordered pairs in which the device under test takes part and which can, or cannot, reach each other.
std::vector<Pair> pairs(Context& t, bool reaching) {
  std::vector<Pair> out;
  for (size_t i = 1; i < t.device_count(); ++i) {
    for (const Pair pair : {Pair{0, i}, Pair{i, 0}}) {
      if (t.claims(XHAL_FEATURE_PEER, pair.device) && can_reach(t, pair.device, pair.peer) == reaching)
        out.push_back(pair);
    }
  }
  return out;
}

// Access for as long as its scope.
class PeerAccess {
 public:
  PeerAccess(Context& t, Pair pair) : device_(t.device(pair.device)), peer_(t.device(pair.peer)) {
    note_call("xhal_device_enable_peer(device, peer)");
    require_ok(t, xhal_device_enable_peer(device_, peer_), "xhal_device_enable_peer(device, peer)",
               XHAL_HERE);
    enabled_ = true;
  }
  ~PeerAccess() { reset(); }
  PeerAccess(PeerAccess&& other) noexcept
      : device_(other.device_), peer_(other.peer_), enabled_(std::exchange(other.enabled_, false)) {}
  PeerAccess& operator=(PeerAccess&&) = delete;
  xhal_result_t reset() {
    if (!std::exchange(enabled_, false)) return XHAL_SUCCESS;
    return TRACED(xhal_device_disable_peer(device_, peer_));
  }

 private:
  xhal_device_t device_;
  xhal_device_t peer_;
  bool enabled_ = false;
};

std::vector<Pair> reaching_pairs(Context& t) {
  auto all = pairs(t, true);
  if (all.empty()) Context::not_observable("no pair of the device's can reach each other, as the links tell");
  return all;
}

XHAL_TEST(peer, kernels_reach_the_peer, .clauses = {"XHAL-PEER-1"},
          .observes =
              "for every pair with peer access: a kernel folds cells of the peer's memory that was there "
              "before and that came "
              "after the enable; a second one reads the peer's cells and writes its own",
          .needs = {XHAL_FEATURE_PEER, XHAL_FEATURE_KERNEL}, .devices = 2, .may_be_unobservable = true) {
  for (const Pair pair : reaching_pairs(t)) {
    if (!t.has_kernels(pair.device)) continue;
    Stream stream(t, pair.device);
    const auto data = t.random_u64(kCells);
    const Buffer early = device_memory(t, kCells * 8, pair.peer);
    t.write(early, data, pair.peer);
    const PeerAccess access(t, pair);
    const Buffer late = device_memory(t, kCells * 8, pair.peer);
    t.write(late, data, pair.peer);
    const Buffer own = device_memory(t, kCells * 8, pair.device);
    t.write(own, data, pair.device);
    const auto once = oracle::fold_u64(data, 3, kCells);
    for (const Buffer* memory : {&early, &late}) {
      EXPECT_RESULT("XHAL-PEER-1", fold(t, stream, *memory, 3, kCells, pair.device), XHAL_SUCCESS);
      EXPECT_RESULT("XHAL-PEER-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "{} to {}",
                    pair.device, pair.peer);
      EXPECT_DATA("XHAL-PEER-1", once, t.read<uint64_t>(*memory, kCells, pair.peer),
                  "{} to {}, memory that came {}", pair.device, pair.peer,
                  memory == &early ? "before" : "after");
    }
    Launch launch(t.kernel("xhal_fold2_u64", pair.device));
    launch.cover(kCells, small_group(t, pair.device))
        .updates(own, kCells * 8)
        .reads(early, kCells * 8)
        .value(uint64_t{8})
        .value(uint64_t{kCells});
    REQUIRE_OK(launch.on(stream));
    EXPECT_RESULT("XHAL-PEER-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
    EXPECT_DATA("XHAL-PEER-1", oracle::fold2_u64(data, once, 8, kCells),
                t.read<uint64_t>(own, kCells, pair.device), "{} reads {}", pair.device, pair.peer);
  }
}

XHAL_TEST(peer, history_of_two_devices, .clauses = {"XHAL-PEER-1"},
          .observes =
              "kernels of both devices fold the same cells in turn, ordered by events alone, twelve steps: "
              "the final value",
          .needs = {XHAL_FEATURE_PEER, XHAL_FEATURE_KERNEL}, .devices = 2, .may_be_unobservable = true) {
  for (const Pair pair : reaching_pairs(t)) {
    if (!t.has_kernels(pair.device) || !t.has_kernels(pair.peer)) continue;
    Stream near(t, pair.device);
    Stream far(t, pair.peer);
    Event by_near(t, 0, pair.device);
    Event by_far(t, 0, pair.peer);
    const PeerAccess access(t, pair);
    const Buffer cells = device_memory(t, kCells * 8, pair.peer);
    auto expected = t.random_u64(kCells);
    t.write(cells, expected, pair.peer);
    for (uint64_t op = 0; op < 12; op += 2) {
      REQUIRE_OK(fold(t, near, cells, op, kCells, pair.device));
      REQUIRE_OK(xhal_event_record(by_near, near, 0));
      REQUIRE_OK(xhal_stream_wait_event(far, by_near, 0));
      REQUIRE_OK(fold(t, far, cells, op + 1, kCells, pair.peer));
      REQUIRE_OK(xhal_event_record(by_far, far, 0));
      REQUIRE_OK(xhal_stream_wait_event(near, by_far, 0));
      expected = oracle::fold_u64(oracle::fold_u64(expected, op, kCells), op + 1, kCells);
    }
    REQUIRE_OK(xhal_stream_synchronize(near, t.patience()));
    REQUIRE_OK(xhal_stream_synchronize(far, t.patience()));
    EXPECT_DATA("XHAL-PEER-1", expected, t.read<uint64_t>(cells, kCells, pair.peer), "{} and {}", pair.device,
                pair.peer);
  }
}

XHAL_TEST(peer, twice, .clauses = {"XHAL-PEER-2", "XHAL-MEMORY-17"},
          .observes =
              "disable before any enable, enable twice, disable twice, and once around again, for every pair "
              "with peer access: "
              "codes; copies between the two in every state",
          .needs = {XHAL_FEATURE_PEER}, .devices = 2, .may_be_unobservable = true) {
  for (const Pair pair : reaching_pairs(t)) {
    xhal_device_t device = t.device(pair.device);
    xhal_device_t peer = t.device(pair.peer);
    const auto data = t.random_bytes(5000);
    const Buffer here = device_memory(t, data.size(), pair.device);
    const Buffer there = device_memory(t, data.size(), pair.peer);
    Stream stream(t, pair.device);
    const auto copies = [&](const char* when) {
      t.write(here, data, pair.device);
      REQUIRE_OK(xhal_memory_copy(stream, there, here, data.size()));
      REQUIRE_OK(xhal_memory_fill(stream, here, 0, 1, data.size()));
      REQUIRE_OK(xhal_memory_copy(stream, here, there, data.size()));
      REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      EXPECT_DATA("XHAL-MEMORY-17", data, t.read<uint8_t>(here, data.size(), pair.device), "{}", when);
    };
    EXPECT_RESULT("XHAL-PEER-2", xhal_device_disable_peer(device, peer), XHAL_ERROR_ALREADY_DONE,
                  "never enabled");
    copies("never enabled");
    EXPECT_RESULT("XHAL-PEER-2", xhal_device_enable_peer(device, peer), XHAL_SUCCESS, "it was not enabled");
    EXPECT_RESULT("XHAL-PEER-2", xhal_device_disable_peer(device, peer), XHAL_SUCCESS, "it was enabled");
    for (int round = 0; round < 2; ++round) {
      PeerAccess access(t, pair);
      EXPECT_RESULT("XHAL-PEER-2", xhal_device_enable_peer(device, peer), XHAL_ERROR_ALREADY_DONE, "enabled");
      copies("enabled");
      EXPECT_RESULT("XHAL-PEER-2", access.reset(), XHAL_SUCCESS);
      EXPECT_RESULT("XHAL-PEER-2", xhal_device_disable_peer(device, peer), XHAL_ERROR_ALREADY_DONE,
                    "disabled");
      copies("disabled");
    }
  }
}

XHAL_TEST(peer, one_way, .clauses = {"XHAL-PEER-2"},
          .observes = "enabling one direction leaves the other one disabled, where both can reach each other",
          .needs = {XHAL_FEATURE_PEER}, .devices = 2, .may_be_unobservable = true) {
  bool seen = false;
  for (const Pair pair : reaching_pairs(t)) {
    if (!t.claims(XHAL_FEATURE_PEER, pair.peer) || !can_reach(t, pair.peer, pair.device)) continue;
    seen = true;
    const PeerAccess access(t, pair);
    EXPECT_RESULT("XHAL-PEER-2", xhal_device_disable_peer(t.device(pair.peer), t.device(pair.device)),
                  XHAL_ERROR_ALREADY_DONE, "the other direction of {} to {}", pair.device, pair.peer);
  }
  if (!seen) Context::not_observable("no pair can reach each other in both directions");
}

XHAL_TEST(
    peer, pairs_that_cannot, .clauses = {"XHAL-PEER-2"},
    .observes =
        "enable for every pair without peer access, as the links tell, and for a device and itself: codes",
    .needs = {XHAL_FEATURE_PEER}) {
  for (const Pair pair : pairs(t, false)) {
    const xhal_result_t result = TRACED(xhal_device_enable_peer(t.device(pair.device), t.device(pair.peer)));
    EXPECT_VALUE("XHAL-PEER-2", result_name(result), result_name(XHAL_ERROR_UNSUPPORTED), "{} to {}",
                 pair.device, pair.peer);
  }
  const xhal_result_t result = TRACED(xhal_device_enable_peer(t.device(), t.device()));
  EXPECT_CLAUSE("XHAL-PEER-2", result < 0, "a device and itself: {}", result_name(result));
}

}  // namespace
}  // namespace xhal::conformance
