// SPDX-License-Identifier: Apache-2.0
// A program for what a test cannot see from inside: the end of a process, and the first instance of one.
//   destroyed         the instance is destroyed in main; static destructors and exit handlers then use its handles
//   kept              it is not; they destroy it
//   thread            a thread goes on calling while the process ends
//   mistyped          variables with a typing error are warned of, once a process
//   mistyped_ignored  and not at all when the environment is ignored
//   mistyped_path     the variable of a driver that was given by its path is known, also when the driver refuses what it says
//   layers            sixteen different layers are possible in a process
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "clause.hpp"
#include "xhal/xhal.h"

namespace {

int g_unexpected = 0;

void expect(bool good, const char* what) {
  if (good) return;
  std::printf("unexpected: %s\n", what);
  ++g_unexpected;
}

// Whoever runs last tells the result. Static objects of a program are destroyed in the reverse order of their construction: this one,
// made first, ends after all others.
struct Verdict {
  ~Verdict() {
    if (g_unexpected == 0) std::printf("probe: all answers as expected\n");
    std::fflush(stdout);
    if (g_unexpected != 0) std::_Exit(1);
  }
} g_verdict;

xhal_result_t g_answer = XHAL_SUCCESS;  // of calls on handles at the end of the process
xhal_instance_t g_instance = nullptr;
xhal_device_t g_device = nullptr;
xhal_stream_t g_stream = nullptr;
xhal_event_t g_event = nullptr;

void use_handles(const char* when) {
  if (g_stream == nullptr) return;
  expect(xhal_stream_query(g_stream) == g_answer, when);
  xhal_stream_t stream = nullptr;
  expect(xhal_stream_create(g_device, nullptr, &stream) == g_answer, when);
  if (stream != nullptr) expect(xhal_stream_destroy(stream) == g_answer, when);
  if (g_answer != XHAL_SUCCESS) {
    xhal_error_t error = {};
    error.struct_size = sizeof(error);
    expect(xhal_error_get_last(&error) == XHAL_SUCCESS && error.code == g_answer, when);
    expect(std::strcmp(error.entry, "xhal_stream_create") == 0, when);
  }
}

// Destroyed after main, before g_verdict.
struct LateUser {
  ~LateUser() {
    use_handles("in a static destructor");
    if (g_event != nullptr)
      expect(xhal_event_destroy(g_event) == g_answer, "event destroy in a static destructor");
    if (g_stream != nullptr)
      expect(xhal_stream_destroy(g_stream) == g_answer, "stream destroy in a static destructor");
    if (g_instance != nullptr)
      expect(xhal_instance_destroy(g_instance) == g_answer, "instance destroy in a static destructor");
    g_answer = XHAL_ERROR_INVALID_HANDLE;
    use_handles("after the last destroy");
    if (g_instance != nullptr) expect(xhal_instance_destroy(g_instance) == g_answer, "a second destroy");
  }
} g_late_user;

bool is_good(xhal_result_t result, const char* what) {
  if (result == XHAL_SUCCESS) return true;
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  std::printf("unexpected: %s: %s\n", what, error.text);
  return false;
}

bool make_handles() {
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "fake";
  uint32_t count = 0;
  return is_good(xhal_instance_create(&desc, &g_instance), "create") &&
         xhal_instance_get_devices(g_instance, 1, &g_device, &count) == XHAL_INCOMPLETE &&
         is_good(xhal_stream_create(g_device, nullptr, &g_stream), "stream") &&
         is_good(xhal_event_create(g_device, nullptr, &g_event), "event");
}

std::vector<std::string> warnings_of_an_instance(uint32_t flags) {
  std::vector<std::string> warnings;
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.flags = flags;
  desc.drivers = "";
  desc.log_user = &warnings;
  desc.log = [](void* user, uint32_t level, const char*, const char* text) {
    if (level == XHAL_LOG_WARNING) static_cast<std::vector<std::string>*>(user)->push_back(text);
  };
  xhal_instance_t instance = nullptr;
  expect(xhal_instance_create(&desc, &instance) == XHAL_SUCCESS, "create");
  expect(xhal_instance_destroy(instance) == XHAL_SUCCESS, "destroy");
  return warnings;
}

void probe_variables(bool ignored) {
  XHAL_CLAUSE("XHAL-LOADER-51");
  setenv("XHAL_DRIVRES", "fake", 1);
  setenv("XHAL_FAKE", "devices=2", 1);  // known: a driver of this name is there
  setenv("XHAL_FIRST", "limit=1", 1);   // known: a layer
  setenv("XHAL_LAYER_PATH", HAL_TEST_ROOTS "/good/share/xhal/layers.d", 1);
  if (ignored) {
    expect(warnings_of_an_instance(XHAL_INSTANCE_IGNORE_ENVIRONMENT).empty(),
           "a warning although the environment is ignored");
    return;
  }
  const std::vector<std::string> first = warnings_of_an_instance(0);
  expect(first.size() == 1, "not exactly one warning");
  for (const std::string& text : first) {
    std::printf("warning: %s\n", text.c_str());
    expect(text.find("XHAL_DRIVRES") != std::string::npos, "the variable is not named");
    expect(text.find("XHAL_DRIVERS") != std::string::npos, "the one that was meant is not named");
  }
  expect(warnings_of_an_instance(0).empty(), "a second warning in one process");
}

void probe_variables_of_a_path() {
  XHAL_CLAUSE("XHAL-LOADER-51");
  setenv("XHAL_DRIVER_PATH", "", 1);
  setenv("XHAL_NAMELESS", "no_such_option=1", 1);
  setenv("XHAL_NAMELES", "no_such_option=1", 1);
  std::vector<std::string> warnings;
  const char* path = HAL_TEST_ROOTS "/pathed/lib/xhal/driver_nameless.so";
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "";
  desc.driver_paths = &path;
  desc.driver_path_count = 1;
  desc.log_user = &warnings;
  desc.log = [](void* user, uint32_t level, const char*, const char* text) {
    if (level == XHAL_LOG_WARNING) static_cast<std::vector<std::string>*>(user)->push_back(text);
  };
  xhal_instance_t instance = nullptr;
  // A mere look negotiates nothing: which variables are read is not known, and the one warning is kept for who knows.
  desc.flags = XHAL_INSTANCE_DISCOVER_ONLY;
  expect(xhal_instance_create(&desc, &instance) == XHAL_SUCCESS, "discovery");
  expect(xhal_instance_destroy(instance) == XHAL_SUCCESS, "destroy");
  expect(warnings.empty(), "a warning by who cannot know");
  desc.flags = 0;
  expect(xhal_instance_create(&desc, &instance) == XHAL_ERROR_INVALID_ARGUMENT, "the option is not refused");
  expect(warnings.size() == 1, "not exactly one warning");
  for (const std::string& text : warnings) {
    std::printf("warning: %s\n", text.c_str());
    expect(text.find("variable XHAL_NAMELES is set") != std::string::npos,
           "the mistyped variable is not named");
    expect(text.find("XHAL_NAMELESS") != std::string::npos, "the one that was meant is not named");
  }
}

// The driver answers 7, and each of these layers appends a 0.
uint32_t way_through(const std::string& layers) {
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "fake";
  desc.layers = layers.c_str();
  xhal_instance_t instance = nullptr;
  xhal_device_t device = nullptr;
  uint32_t count = 0;
  uint32_t digits = 0;
  if (!is_good(xhal_instance_create(&desc, &instance), "create")) return 0;
  expect(xhal_instance_get_devices(instance, 1, &device, &count) == XHAL_INCOMPLETE, "devices");
  expect(xhal_device_has_feature(device, 255, &digits) == XHAL_SUCCESS, "has_feature");
  expect(xhal_instance_destroy(instance) == XHAL_SUCCESS, "destroy");
  return digits;
}

void expect_refused(const std::string& layers, const char* text) {
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = "fake";
  desc.layers = layers.c_str();
  xhal_instance_t instance = nullptr;
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  expect(xhal_instance_create(&desc, &instance) == XHAL_ERROR_INVALID_ARGUMENT,
         "one layer too many is accepted");
  expect(xhal_error_get_last(&error) == XHAL_SUCCESS && std::strstr(error.text, text) != nullptr, error.text);
}

void probe_layers() {
  XHAL_CLAUSE("XHAL-LAYER-5");
  setenv("XHAL_LAYER_PATH", HAL_TEST_ROOTS "/many/share/xhal/layers.d", 1);
  std::string sixteen = "many1";
  for (int i = 2; i <= 16; ++i) sixteen += ",many" + std::to_string(i);
  expect_refused(sixteen + ",many17", "17 layers are asked for, 16 are possible");
  uint32_t digits = 7;
  for (int i = 0; i < 16; ++i) digits *= 10;  // modulo 2^32, as in the layers
  expect(way_through(sixteen) == digits, "sixteen layers do not all take part");
  expect_refused("many17", "layer 'many17' is one layer too many");
  expect(way_through("many16") == 70, "a layer that has a slot does not keep it");
}

}  // namespace

int main(int argc, char** argv) {
  XHAL_CLAUSE("XHAL-ABI-22");
  const std::string mode = argc > 1 ? argv[1] : "";
  setenv("XHAL_DRIVER_PATH", HAL_TEST_ROOTS "/good/share/xhal/drivers.d", 1);
  if (mode == "mistyped" || mode == "mistyped_ignored") {
    probe_variables(mode == "mistyped_ignored");
    return 0;
  }
  if (mode == "mistyped_path") {
    probe_variables_of_a_path();
    return 0;
  }
  if (mode == "layers") {
    probe_layers();
    return 0;
  }
  if (!make_handles()) return 1;
  std::atexit([] { use_handles("in an exit handler"); });
  if (mode == "destroyed") {
    expect(xhal_instance_destroy(g_instance) == XHAL_SUCCESS, "destroy in main");
    g_answer = XHAL_ERROR_INVALID_HANDLE;
  } else if (mode == "thread") {
    static std::atomic<bool> s_started{false};
    std::thread([] {
      // On handles of its own instance, until the process is gone.
      while (true) {
        uint32_t claimed = 0;
        xhal_device_has_feature(g_device, 0, &claimed);
        s_started.store(true);
      }
    }).detach();
    while (!s_started.load()) std::this_thread::yield();
    // Nobody destroys what the thread uses.
    g_stream = nullptr;
    g_event = nullptr;
    g_instance = nullptr;
  } else if (mode != "kept") {
    std::printf("unexpected: mode '%s'\n", mode.c_str());
    return 1;
  }
  return 0;
}
