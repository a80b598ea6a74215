// SPDX-License-Identifier: Apache-2.0
// What is known of a device without using it: plain bytes, since a helper process may have asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/calls.hpp"
#include "device/vendors.hpp"
#include "xhal/base.h"

namespace xhal::opencl {

// How device memory is addressed, best first.
enum class MemoryPath : uint32_t {
  kNone = 0,    // the device is not offered
  kUsm = 1,     // cl_intel_unified_shared_memory
  kSvm = 2,     // shared virtual memory, fine-grained buffers
  kBuffers = 3  // plain buffers, addresses of ours
};
const char* name_of(MemoryPath path);

struct DeviceFacts {
  uint32_t platform;  // in the loader's order
  uint32_t place;     // among the platform's devices
  char platform_name[128];
  char platform_vendor[64];
  char platform_version[128];
  char name[128];
  char vendor[64];
  char driver_version[64];
  char language[64];  // "OpenCL C 1.2"
  char il[256];       // "SPIR-V_1.0 SPIR-V_1.1"
  uint8_t uuid[16];
  uint8_t has_uuid;  // else made of names and places
  uint8_t has_fp16;
  uint8_t has_fp64;
  uint8_t has_event_timing;
  uint8_t has_program_scope_variables;
  MemoryPath path;
  cl_device_type type;
  cl_device_svm_capabilities svm;
  uint64_t memory_bytes;
  uint64_t max_allocation_bytes;
  uint64_t local_bytes;
  uint64_t profiling_resolution_ns;
  uint64_t max_group_items;
  uint64_t max_group_size[3];
  uint64_t max_argument_bytes;
  uint32_t units;
  uint32_t vector_width;  // items of 32 bits
  uint32_t address_bits;
  uint32_t quirks;  // bits of quirks.hpp
};

// Of all devices of all platforms, those of kNone included. Loads the vendors' drivers. SUCCESS, or an error with a reason; no platform
// is no error.
xhal_result_t gather_facts(const Calls& calls, std::vector<DeviceFacts>& out, std::string& why);

// How the devices are looked for.
struct Search {
  std::string loader = kUsualLoader;
  // A vendor's driver that compiles something of its own while it is loaded takes seconds; one that hangs is given up.
  uint32_t timeout_s = 60;
};

struct Listed {
  std::vector<DeviceFacts> devices;
  std::vector<std::string> left_out;  // platforms that crash or hang, a text each
  VendorFolder folder;  // of the others, for this process's own loader; empty where none is left out
};

// The same without any trace in this process: in a helper process, unless this process has opened the loader before. Platforms that end or
// stop the helper are found by asking for each alone, and are left out.
xhal_result_t facts_of_all(const Search& search, Listed& out, std::string& why);

}  // namespace xhal::opencl
