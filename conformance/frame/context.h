// SPDX-License-Identifier: Apache-2.0
// What a running test has at hand: its parameters, the device under test, data from the seed, deadlines.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frame/recorder.h"
#include "frame/session.h"
#include "frame/test.h"

namespace xhal::conformance {

class Gate;
class GateState;

// The same for every test of a run.
struct RunSettings {
  uint64_t seed = 0;
  // How long something that must happen may take: calibrated on the device, generous.
  uint64_t patience_ns = 10'000'000'000;
  // uuid of each device in the driver's order, as another process saw them.
  std::vector<std::string> uuids_elsewhere;
  // XHAL_FAULT_SCOPE_x of the device under test, as another process saw it: known before this one asks for anything of the driver.
  uint32_t fault_scope = XHAL_FAULT_SCOPE_STREAM;
  // The run answers a challenge: what is read back has a digest, and nothing in it is the same in every run.
  bool challenged = false;
};

class Context {
 public:
  Context(const TestCase& test, const RunSettings& settings, const Target& target,
          std::function<Session&()> shared_session, Recorder& recorder);
  // The same case in another process of the test, with that process's session and recorder.
  Context(const Context& elsewhere, std::function<Session&()> own_session, Recorder& recorder);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // ---- The case ----
  [[nodiscard]] const std::string& text(std::string_view parameter) const;
  [[nodiscard]] uint64_t number(std::string_view parameter) const;
  // Of this test in this run; every piece of data comes from it.
  [[nodiscard]] uint64_t seed() const { return seed_; }
  [[nodiscard]] const RunSettings& settings() const { return settings_; }
  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] uint64_t patience() const { return settings_.patience_ns; }

  // ---- Who is judged ----
  // Shared by the tests of a process, opened by the first that asks.
  Session& session();
  xhal_instance_t instance() { return session().instance(); }
  xhal_driver_t driver() { return session().driver(); }
  xhal_device_t device(size_t i = 0) { return session().device(i); }
  size_t device_count() { return session().device_count(); }
  const xhal_device_properties_t& properties(size_t i = 0) { return session().properties(i); }
  bool claims(uint32_t feature, size_t i = 0) { return session().claims(feature, i); }
  bool synchronous(size_t i = 0) { return properties(i).is_synchronous != 0; }

  // ---- Kernels ----
  // A kernel of the pack. Leaves the test as inconclusive where the device loads none of the pack's images, and where the image was made
  // without the kernel; as not observed where that is one which it may lack.
  xhal_kernel_t kernel(const std::string& name, size_t device = 0);
  KernelPack& pack(size_t device = 0);
  // What the loaded image calls a kernel, or a global variable, of the pack.
  std::string kernel_name(const std::string& name, size_t device = 0);
  // True where a gate or a check may use kernels although the test does not need them.
  bool has_kernels(size_t device = 0);

  // ---- Data ----
  [[nodiscard]] std::vector<uint8_t> random_bytes(size_t count, uint64_t which = 0) const;
  [[nodiscard]] std::vector<uint32_t> random_u32(size_t count, uint64_t which = 0) const;
  [[nodiscard]] std::vector<uint64_t> random_u64(size_t count, uint64_t which = 0) const;
  // Pageable host memory that lives until the device is done with all that the test submitted.
  std::span<uint8_t> host_bytes(size_t count, uint8_t value = 0);
  // Puts data into memory, or gets it, on a stream of the frame's, and waits. For what a test needs and does not judge.
  void write(void* destination, const void* source, size_t bytes, size_t device = 0);
  void read(void* destination, const void* source, size_t bytes, size_t device = 0);
  template <class T>
  void write(void* destination, const std::vector<T>& source, size_t device = 0) {
    write(destination, source.data(), source.size() * sizeof(T), device);
  }
  template <class T>
  std::vector<T> read(const void* source, size_t count, size_t device = 0) {
    std::vector<T> out(count);
    read(out.data(), source, count * sizeof(T), device);
    return out;
  }

  // ---- Waiting ----
  // Until the condition holds; false when patience ran out. Yields the processor between looks.
  [[nodiscard]] bool eventually(const std::function<bool()>& condition) const;
  // Asks a later submission on a stream of its own to finish while the gate is shut. True: it did, so what has not happened now is
  // held, not late. False: the device claims neither that streams progress independently nor that a blocked host function leaves others
  // alone, so absence shows nothing (noted). Inconclusive when it claims it and the witness did not come.
  bool witness(const Gate& gate);
  // Makes what witness() and read() need, so that nothing is created or allocated while a gate is shut.
  void prepare(size_t device) { service(device); }
  // Two pinned words for a gate, a cache line apart, zero.
  std::pair<uint32_t*, uint32_t*> gate_words(size_t device);

  // ---- Saying what was seen ----
  Recorder& recorder() { return recorder_; }
  void note(std::string text) { recorder_.note(std::move(text)); }
  void substitute(std::string why) { recorder_.substitute(std::move(why)); }
  [[noreturn]] static void inconclusive(std::string why) { throw Inconclusive{std::move(why)}; }
  [[noreturn]] static void not_observable(std::string why) { throw NotObservable{std::move(why)}; }

  // ---- For the frame's own objects ----
  void touch(Session& session, size_t device) { touched_.insert({&session, device}); }
  void keep(std::shared_ptr<GateState> gate) { gates_.push_back(std::move(gate)); }
  // An object that lives until the device is done with all that the test submitted: what host functions write to.
  template <class T>
  T& kept() {
    T* object = new T();
    at_end([object] { delete object; });
    return *object;
  }
  // Done when the test has ended and the device is done.
  void at_end(std::function<void()> action) { at_end_.push_back(std::move(action)); }
  // A private session that ends is no longer waited for.
  void forget(Session& session);

 private:
  // The frame's own stream and pinned block of a device of the shared session. The block's first line is the witness's.
  struct Service {
    size_t device;
    xhal_stream_t stream;
    uint32_t* block;
    uint32_t witnesses;
    uint32_t lines_used;
  };
  Service& service(size_t device);

  const TestCase& test_;
  const RunSettings& settings_;
  const Target& target_;
  std::mutex session_mutex_;
  std::function<Session&()> shared_session_;
  Recorder& recorder_;
  uint64_t seed_;
  std::set<std::pair<Session*, size_t>> touched_;
  std::deque<Service> services_;
  std::vector<std::shared_ptr<GateState>> gates_;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> host_blocks_;
  std::vector<std::function<void()>> at_end_;
};

}  // namespace xhal::conformance
