// SPDX-License-Identifier: Apache-2.0
// The scenarios in OpenCL's words. Below xhal's own OpenCL driver: the same device in the same process, with the memory that the driver takes, so that
// what differs is xhal. Else, where peers are wanted: PoCL or whatever other platform of the processor there is.
#pragma once

#include <memory>

#include "bench/lanes/no_reference.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {

class OpenClLane {
 public:
  static constexpr const char* kName = kOpenClReference;
  explicit OpenClLane(Bench& bench);
  ~OpenClLane();
  static bool applies(const Bench& bench);
  static bool can_be_held(const Bench& bench);
  static bool runs_host_functions(const Bench& bench);

  void prepare_launch(Bench& bench, int arguments);
  // Commands have times from here on.
  void prepare_timing(Bench& bench);

  void launch();
  // With other arguments than the last time, each of them.
  void launch_changed();
  void synchronize();
  void synchronize_second();
  void record();
  bool query_event();
  void synchronize_event();
  void wait_event();
  // This lane waits for what the other one has recorded.
  void wait_for_event_of(OpenClLane& other);
  void host_function(xhal_host_fn function, void* user);
  void copy(void* to, const void* from, uint64_t size);
  void fill(void* to, uint64_t pattern, uint32_t width, uint64_t size);

  // Of xhal's kinds.
  void* allocate(uint32_t kind, uint64_t size);
  void release(void* pointer);
  void create_and_destroy_stream();
  void load_and_destroy(const xhal_module_desc_t& image);
  // Loads an image whose kernels look_up() then names.
  void prepare_lookup(const xhal_module_desc_t& image);
  void look_up(const char* kernel);

  // Keeps what is submitted from running, by an event of the user's.
  class Hold {
   public:
    explicit Hold(OpenClLane& lane);
    ~Hold() { let_go(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    void let_go();

   private:
    OpenClLane& lane_;
    void* event_ = nullptr;
  };
  [[nodiscard]] Hold hold(Bench&) { return Hold(*this); }

 private:
  struct Objects;
  std::unique_ptr<Objects> objects_;
};

}  // namespace xhal::bench
