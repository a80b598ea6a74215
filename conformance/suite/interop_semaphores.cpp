// SPDX-License-Identifier: Apache-2.0
// Semaphores that somebody else made. Only the vendor's own calls can make one, so what a wait and a signal do is seen where the driver
// offers its native probe.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite/interop_support.h"

namespace xhal::conformance {
namespace {

// A timeline of the vendor's, at value 0, and its import. Declare it behind the streams and the memory that its waits concern: it lets them go.
class Timeline {
 public:
  explicit Timeline(Context& t) : t_(t), probe_(need_probe(t)) {
    t.touch(t.session(), 0);
    xhal_external_semaphore_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.fd = -1;
    REQUIRE_OK(need_call(probe_.semaphore_create, "semaphores")(t.device(), &desc, &theirs_));
    const xhal_result_t result = TRACED(xhal_semaphore_import(t.device(), &desc, &handle_));
    const bool open = fcntl(desc.fd, F_GETFD) >= 0;
    if (open) close(desc.fd);
    if (!EXPECT_CLAUSE("XHAL-INTEROP-12", result == XHAL_SUCCESS && handle_ != nullptr, "the import says {}",
                       result_name(result)))
      throw StopTest();
    EXPECT_CLAUSE("XHAL-INTEROP-12", open, "the import closed the caller's descriptor");
  }
  ~Timeline() {
    if (handle_ != nullptr) TRACED(xhal_semaphore_destroy(handle_));
    if (theirs_ == nullptr) return;
    // Whoever still waits is let go first.
    TRACED(probe_.semaphore_signal(t_.device(), theirs_, kHighest));
    TRACED(xhal_device_synchronize(t_.device(), t_.patience()));
    TRACED(probe_.semaphore_destroy(t_.device(), theirs_));
  }
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;
  operator xhal_semaphore_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  xhal_semaphore_t release() { return std::exchange(handle_, nullptr); }

  // By its owner.
  void signal(uint64_t value) {
    Context& t = t_;
    REQUIRE_OK(probe_.semaphore_signal(t.device(), theirs_, value));
  }
  uint64_t value() {
    Context& t = t_;
    uint64_t now = 0;
    REQUIRE_OK(probe_.semaphore_get(t.device(), theirs_, &now));
    return now;
  }

 private:
  static constexpr uint64_t kHighest = 1u << 30;

  Context& t_;
  const xhal_native_probe_t& probe_;
  void* theirs_ = nullptr;
  xhal_semaphore_t handle_ = nullptr;
};

XHAL_TEST(semaphore, wait_holds_until_the_value, .clauses = {"XHAL-INTEROP-12"},
          .observes =
              "a stream waits for 5: nothing behind it happens at 0 and at 4, which the owner signals; at 5 "
              "it does; a wait "
              "for what was reached holds nothing",
          .needs = {XHAL_FEATURE_EXTERNAL_SEMAPHORE}, .may_be_unobservable = true) {
  if (t.synchronous()) Context::not_observable("the device is synchronous: a wait would hold its caller");
  t.prepare(0);
  Stream stream(t);
  Marker before(t);
  Marker behind(t);
  Marker farther(t);
  Timeline timeline(t);
  before.fill_on(t, stream);
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_wait_semaphore(stream, timeline, 5), XHAL_SUCCESS);
  behind.fill_on(t, stream);
  for (const uint64_t value : {0u, 4u}) {
    if (value != 0) timeline.signal(value);
    if (free_work_passes(t)) {
      EXPECT_CLAUSE("XHAL-INTEROP-12", t.eventually([&] { return before.filled(); }),
                    "work before the wait: {}", before.shown());
      EXPECT_CLAUSE("XHAL-INTEROP-12", behind.untouched(), "at {}: {}", value, behind.shown());
    }
    EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_query(stream), XHAL_NOT_READY, "at {}", value);
  }
  timeline.signal(5);
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-INTEROP-12", behind.filled(), "{}", behind.shown());
  for (const uint64_t value : {5u, 3u, 0u})
    EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_wait_semaphore(stream, timeline, value), XHAL_SUCCESS);
  farther.fill_on(t, stream);
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                "values were reached");
  EXPECT_CLAUSE("XHAL-INTEROP-12", farther.filled(), "{}", farther.shown());
}

XHAL_TEST(semaphore, signal_follows_its_stream, .clauses = {"XHAL-INTEROP-12"},
          .observes =
              "a signal behind a gate: its owner sees the old value and a stream that waits is held; "
              "released: the value, "
              "and the data of the signalling stream in the waiting one",
          .needs = {XHAL_FEATURE_EXTERNAL_SEMAPHORE}, .may_be_unobservable = true) {
  Stream first(t);
  Stream second(t);
  Marker behind(t);
  const auto data = t.random_bytes(100'000);
  const Buffer source = device_memory(t, data.size());
  const Buffer middle = device_memory(t, data.size());
  const Buffer out = device_memory(t, data.size());
  Timeline timeline(t);
  t.write(source, data);
  Gate gate(t, first);
  REQUIRE_OK(xhal_memory_copy(first, middle, source, data.size()));
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_signal_semaphore(first, timeline, 7), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_wait_semaphore(second, timeline, 7), XHAL_SUCCESS);
  REQUIRE_OK(xhal_memory_copy(second, out, middle, data.size()));
  behind.fill_on(t, second);
  if (gate.shut()) {
    EXPECT_CLAUSE("XHAL-INTEROP-12", gate.held(), "a call waited for the signal");
    if (t.witness(gate)) {
      EXPECT_VALUE("XHAL-INTEROP-12", timeline.value(), 0u, "signalled before the work in front of it");
      EXPECT_CLAUSE("XHAL-INTEROP-12", behind.untouched(), "{}", behind.shown());
    }
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_synchronize(second, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-INTEROP-12", behind.filled(), "{}", behind.shown());
  EXPECT_DATA("XHAL-INTEROP-12", data, t.read<uint8_t>(out, data.size()), "written before the signal");
  EXPECT_VALUE("XHAL-INTEROP-12", timeline.value(), 7u);
}

XHAL_TEST(
    semaphore, chain_of_two_streams, .clauses = {"XHAL-INTEROP-12"},
    .observes =
        "twenty steps of one history by two streams in turn, ordered by one timeline alone: the final value",
    .needs = {XHAL_FEATURE_EXTERNAL_SEMAPHORE, XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  constexpr size_t kCells = 500;
  Stream streams[2] = {Stream(t), Stream(t)};
  const Buffer cells = device_memory(t, kCells * 8);
  Timeline timeline(t);
  auto expected = t.random_u64(kCells);
  t.write(cells, expected);
  for (uint64_t step = 0; step < 20; ++step) {
    Stream& stream = streams[step % 2];
    if (step > 0) REQUIRE_OK(xhal_stream_wait_semaphore(stream, timeline, step));
    REQUIRE_OK(fold(t, stream, cells, step, kCells));
    REQUIRE_OK(xhal_stream_signal_semaphore(stream, timeline, step + 1));
    expected = oracle::fold_u64(expected, step, kCells);
  }
  for (Stream& stream : streams)
    EXPECT_RESULT("XHAL-INTEROP-12", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-INTEROP-12", expected, t.read<uint64_t>(cells, kCells));
}

XHAL_TEST(semaphore, destroyed_with_waits, .clauses = {"XHAL-INTEROP-13", "XHAL-INTEROP-12", "XHAL-ABI-4"},
          .observes =
              "destroyed with a wait and a held signal in flight: the destroy returns, the wait holds until "
              "the owner signals, "
              "the signal reaches the owner",
          .needs = {XHAL_FEATURE_EXTERNAL_SEMAPHORE}, .may_be_unobservable = true) {
  if (t.synchronous()) Context::not_observable("the device is synchronous: a wait would hold its caller");
  Stream waiting(t);
  Stream signalling(t);
  Marker behind(t);
  Timeline timeline(t);
  REQUIRE_OK(xhal_stream_wait_semaphore(waiting, timeline, 3));
  behind.fill_on(t, waiting);
  Gate gate(t, signalling);
  REQUIRE_OK(xhal_stream_signal_semaphore(signalling, timeline, 9));
  xhal_semaphore_t gone = timeline.release();
  EXPECT_RESULT("XHAL-INTEROP-13", xhal_semaphore_destroy(gone), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ABI-4", xhal_semaphore_destroy(gone), XHAL_ERROR_INVALID_HANDLE, "destroyed twice");
  EXPECT_RESULT("XHAL-ABI-4", xhal_stream_wait_semaphore(waiting, gone, 1), XHAL_ERROR_INVALID_HANDLE);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-INTEROP-13", gate.held(), "the destroy waited");
  if (t.witness(gate)) {
    EXPECT_CLAUSE("XHAL-INTEROP-13", behind.untouched(), "the wait ended with the handle: {}",
                  behind.shown());
    EXPECT_VALUE("XHAL-INTEROP-13", timeline.value(), 0u, "the signal came with the destroy");
  }
  timeline.signal(3);
  EXPECT_RESULT("XHAL-INTEROP-13", xhal_stream_synchronize(waiting, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-INTEROP-13", behind.filled(), "{}", behind.shown());
  gate.open();
  EXPECT_RESULT("XHAL-INTEROP-13", xhal_stream_synchronize(signalling, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-INTEROP-13", timeline.value(), 9u, "the signal in flight");
}

XHAL_TEST(semaphore, bad_descriptors, .clauses = {"XHAL-INTEROP-12", "XHAL-ABI-14"},
          .observes =
              "no descriptor, a closed one, a pipe and a file as a semaphore, unknown types: codes, and "
              "whether they are open",
          .needs = {XHAL_FEATURE_EXTERNAL_SEMAPHORE}) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) Context::inconclusive("no pipe can be had");
  const int file = memfd_create("file", MFD_CLOEXEC);
  t.at_end([first = ends[0], second = ends[1], file] {
    for (const int one : {first, second, file}) close(one);
  });
  const int closed = dup(file);
  close(closed);
  for (const uint32_t type :
       {0u, uint32_t{XHAL_EXTERNAL_DMA_BUF}, uint32_t{XHAL_EXTERNAL_OPAQUE_FD}, 3u, ~0u}) {
    for (const int fd : {-1, closed, ends[0], file}) {
      xhal_external_semaphore_desc_t desc{};
      desc.struct_size = sizeof(desc);
      desc.type = type;
      desc.fd = fd;
      desc.is_timeline = 1;
      xhal_semaphore_t semaphore = sentinel<xhal_semaphore_s>();
      const xhal_result_t result = TRACED(xhal_semaphore_import(t.device(), &desc, &semaphore));
      EXPECT_CLAUSE("XHAL-INTEROP-12", result == XHAL_ERROR_INVALID_ARGUMENT || result == XHAL_ERROR_IO,
                    "type {}, descriptor {}: {}", type, fd, result_name(result));
      EXPECT_VALUE("XHAL-ABI-14", semaphore, sentinel<xhal_semaphore_s>(), "type {}, descriptor {}", type,
                   fd);
      if (result == XHAL_SUCCESS) TRACED(xhal_semaphore_destroy(semaphore));
    }
  }
  for (const int fd : {ends[0], file})
    EXPECT_CLAUSE("XHAL-INTEROP-12", fcntl(fd, F_GETFD) >= 0, "a refused descriptor was closed");
}

}  // namespace
}  // namespace xhal::conformance
