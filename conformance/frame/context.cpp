// SPDX-License-Identifier: Apache-2.0
#include "frame/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "frame/check.h"
#include "frame/gate.h"
#include "frame/kernel_pack.h"
#include "frame/random.h"
#include "oracles.h"

namespace xhal::conformance {

namespace {

constexpr uint64_t kServiceLine = 128;
constexpr uint32_t kServiceLines = 32;  // and one more, which is nobody's

// Has the code of the kernel loaded that tests launch first behind what they hold: where the first launch loads it, that launch may wait
// for all that runs. Once for a pack; whatever comes of it is for the tests to find.
void load_code(KernelPack& pack, xhal_stream_t stream, uint32_t* scratch, uint64_t patience_ns) {
  static std::mutex mutex;
  static std::set<std::pair<const KernelPack*, xhal_module_t>> loaded;
  {
    const std::lock_guard lock(mutex);
    if (!loaded.insert({&pack, pack.module()}).second) return;
  }
  constexpr uint64_t kNothing = 0;
  try {
    Launch fold(pack.kernel("xhal_fold_u64"));
    fold.updates(scratch, sizeof(uint64_t)).value(kNothing).value(kNothing);
    note_call("xhal_kernel_launch(stream, xhal_fold_u64, &of_no_cells)  // to have its code loaded");
    if (fold.on(stream) != XHAL_SUCCESS) return;
    note_call("xhal_stream_synchronize(stream, patience)");
    static_cast<void>(xhal_stream_synchronize(stream, patience_ns));
  } catch (const std::runtime_error&) {
    // A kernel that is not found is for the tests to find, too.
  }
}

}  // namespace

Context::Context(const TestCase& test, const RunSettings& settings, const Target& target,
                 std::function<Session&()> shared_session, Recorder& recorder)
    : test_(test),
      settings_(settings),
      target_(target),
      shared_session_(std::move(shared_session)),
      recorder_(recorder),
      seed_(SplitMix(settings.seed ^ hash_text(test.id)).next()) {}

Context::Context(const Context& elsewhere, std::function<Session&()> own_session, Recorder& recorder)
    : Context(elsewhere.test_, elsewhere.settings_, elsewhere.target_, std::move(own_session), recorder) {}

Context::~Context() {
  for (const auto& gate : gates_) gate->open();
  bool idle = true;
  for (const auto& [session, device] : touched_) {
    note_call("xhal_device_synchronize(device, patience)  // end of the test");
    // A poisoned device answers with its failure: then nothing runs any more either.
    if (xhal_device_synchronize(session->device(device), patience()) == XHAL_TIMEOUT) idle = false;
  }
  for (const Service& one : services_) {
    xhal_stream_destroy(one.stream);
    if (idle) xhal_memory_free(session().device(one.device), one.block);
  }
  if (idle) {
    for (auto action = at_end_.rbegin(); action != at_end_.rend(); ++action) (*action)();
  } else {
    // The device may still write there: leaking is the only safe thing, and the worker ends after such a test.
    for (auto& block : host_blocks_) static_cast<void>(block.release());
  }
}

const std::string& Context::text(std::string_view parameter) const {
  for (const Parameter& one : test_.parameters.parameters) {
    if (one.name == parameter) return one.value;
  }
  throw std::logic_error(fmt::format("the test asks for a parameter '{}' that it does not have", parameter));
}

uint64_t Context::number(std::string_view parameter) const { return std::stoull(text(parameter)); }

// A test's threads may be the first to ask, several at once.
Session& Context::session() {
  const std::lock_guard lock(session_mutex_);
  return shared_session_();
}

KernelPack& Context::pack(size_t device) {
  std::string why;
  KernelPack* pack = session().kernels(device, &why);
  if (pack == nullptr) inconclusive(why);
  touch(session(), device);
  return *pack;
}

xhal_kernel_t Context::kernel(const std::string& name, size_t device) {
  KernelPack& from = pack(device);
  if (std::string why = from.why_absent(name); !why.empty()) not_observable(std::move(why));
  return from.kernel(name);
}

std::string Context::kernel_name(const std::string& name, size_t device) {
  return pack(device).name_of(name);
}

bool Context::has_kernels(size_t device) {
  return claims(XHAL_FEATURE_KERNEL, device) && session().kernels(device) != nullptr;
}

std::vector<uint8_t> Context::random_bytes(size_t count, uint64_t which) const {
  std::vector<uint8_t> out(count);
  oracle::fill_random(std::span(out), seed_ + which);
  return out;
}

std::vector<uint32_t> Context::random_u32(size_t count, uint64_t which) const {
  std::vector<uint32_t> out(count);
  oracle::fill_random(std::span(out), seed_ + which);
  return out;
}

std::vector<uint64_t> Context::random_u64(size_t count, uint64_t which) const {
  std::vector<uint64_t> out(count);
  oracle::fill_random(std::span(out), seed_ + which);
  return out;
}

std::span<uint8_t> Context::host_bytes(size_t count, uint8_t value) {
  host_blocks_.push_back(std::make_unique<std::vector<uint8_t>>(count, value));
  return *host_blocks_.back();
}

Context::Service& Context::service(size_t device) {
  for (Service& one : services_) {
    if (one.device == device) return one;
  }
  Context& t = *this;
  touch(session(), device);
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_PINNED;
  desc.size = (kServiceLines + 1) * kServiceLine;
  void* block = nullptr;
  REQUIRE_MEMORY(xhal_memory_allocate(t.device(device), &desc, &block), block);
  std::memset(block, 0, (kServiceLines + 1) * kServiceLine);
  xhal_stream_t stream = nullptr;
  REQUIRE_OK(xhal_stream_create(t.device(device), nullptr, &stream));
  services_.push_back({device, stream, static_cast<uint32_t*>(block), 0, 1});
  if (has_kernels(device)) {
    auto* const scratch = static_cast<uint32_t*>(block) + kServiceLines * (kServiceLine / sizeof(uint32_t));
    load_code(*session().kernels(device), stream, scratch, patience());
  }
  return services_.back();
}

std::pair<uint32_t*, uint32_t*> Context::gate_words(size_t device) {
  Service& mine = service(device);
  if (mine.lines_used + 2 > kServiceLines)
    throw std::logic_error("the test has more gates than the frame has words for");
  const auto line = [&] { return mine.block + mine.lines_used++ * (kServiceLine / sizeof(uint32_t)); };
  uint32_t* first = line();
  return {first, line()};
}

void Context::write(void* destination, const void* source, size_t bytes, size_t device) {
  Context& t = *this;
  xhal_stream_t stream = service(device).stream;
  REQUIRE_OK(xhal_memory_copy(stream, destination, source, bytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

void Context::read(void* destination, const void* source, size_t bytes, size_t device) {
  Context& t = *this;
  xhal_stream_t stream = service(device).stream;
  // Into a block that outlives the copy whatever happens, then to where the test wants it.
  const std::span<uint8_t> block = host_bytes(bytes);
  REQUIRE_OK(xhal_memory_copy(stream, block.data(), source, bytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  recorder_.saw(std::as_bytes(block));
  if (bytes > 0) std::memcpy(destination, block.data(), bytes);
}

bool Context::eventually(const std::function<bool()>& condition) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience());
  for (unsigned looks = 0; !condition(); ++looks) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    if (looks > 64) std::this_thread::yield();
  }
  return true;
}

bool Context::witness(const Gate& gate) {
  Context& t = *this;
  if (!gate.shut()) return false;
  const bool forced = std::ranges::any_of(gates_, [](const auto& one) { return one->forced.load(); });
  if (!gate.held() && !forced) {
    note(
        "the gate was opened by the test, before calls that may wait for their stream, as declared: results "
        "alone tell");
    return false;
  }
  const bool is_independent = claims(XHAL_FEATURE_CROSS_STREAM_PROGRESS, gate.device());
  if (gate.is_host_function() && properties(gate.device()).host_function_blocks != XHAL_BLOCKS_NONE) {
    note(
        "a blocked host function may stop other streams, as declared: absence while a stream is held shows "
        "nothing");
    return false;
  }
  if (!is_independent && !gate.is_host_function()) {
    note(
        "the device does not claim cross_stream_progress: absence while a stream is held shows nothing, "
        "results alone tell");
    return false;
  }
  Service& mine = service(gate.device());
  const uint32_t expected = ++mine.witnesses;
  REQUIRE_OK(xhal_memory_fill(mine.stream, mine.block, expected, sizeof(expected), sizeof(expected)));
  note_call("xhal_stream_synchronize(witness, patience)");
  const xhal_result_t result =
      xhal_stream_synchronize(mine.stream, is_independent ? patience() : patience() / 8);
  // The function by itself stops nobody, but what waits behind it may.
  if (!is_independent && result == XHAL_TIMEOUT && gate.held()) {
    note("the device does not claim cross_stream_progress, and a free stream waited: results alone tell");
    return false;
  }
  const uint32_t seen = result == XHAL_SUCCESS ? *static_cast<volatile uint32_t*>(mine.block) : 0;
  if (result != XHAL_SUCCESS || seen != expected || !gate.held()) {
    inconclusive(fmt::format(
        "no witness: work on a free stream did not finish while another was held ({}); see XHAL-STREAM-3",
        result_name(result)));
  }
  return true;
}

void Context::forget(Session& session) {
  std::erase_if(touched_, [&session](const auto& entry) { return entry.first == &session; });
}

}  // namespace xhal::conformance
