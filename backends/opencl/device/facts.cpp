// SPDX-License-Identifier: Apache-2.0
#include "device/facts.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "device/quirks.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

template <size_t N>
void put(char (&field)[N], std::string_view text) {
  const size_t length = std::min(text.size(), N - 1);
  std::memcpy(field, text.data(), length);
  field[length] = '\0';
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

template <class Get, class Object>
std::string text_of(Get get, Object object, cl_uint what) {
  size_t size = 0;
  if (get(object, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string out(size, '\0');
  if (get(object, what, size, out.data(), nullptr) != CL_SUCCESS) return {};
  return trimmed(std::move(out));
}

template <class T>
T value_of(const Calls& calls, cl_device_id device, cl_device_info what, T otherwise = {}) {
  T out = otherwise;
  return calls.clGetDeviceInfo(device, what, sizeof(out), &out, nullptr) == CL_SUCCESS ? out : otherwise;
}

bool lists(const std::string& extensions, std::string_view name) {
  for (size_t at = extensions.find(name); at != std::string::npos; at = extensions.find(name, at + 1)) {
    const bool begins = at == 0 || extensions[at - 1] == ' ';
    const size_t end = at + name.size();
    if (begins && (end == extensions.size() || extensions[end] == ' ')) return true;
  }
  return false;
}

// RFC 9562, version 8: a layout of our own. The same in every process, since all of it is the place that the vendor's driver gives.
void make_uuid(DeviceFacts& facts) {
  const std::string name =
      std::string(facts.platform_name) + "/" + facts.name + "/" + std::to_string(facts.place);
  uint64_t halves[2] = {0xcbf29ce484222325u, 0x6c62272e07bb0142u};
  for (uint64_t& half : halves)
    for (const char c : name) half = (half ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::memcpy(facts.uuid, halves, sizeof(facts.uuid));
  facts.uuid[6] = static_cast<uint8_t>((facts.uuid[6] & 0x0f) | 0x80);
  facts.uuid[8] = static_cast<uint8_t>((facts.uuid[8] & 0x3f) | 0x80);
}

MemoryPath path_of(const Calls& calls, cl_device_id device, const std::string& extensions,
                   cl_device_svm_capabilities svm) {
  const bool has_svm_calls = calls.clSVMAlloc != nullptr && calls.clSVMFree != nullptr &&
                             calls.clEnqueueSVMMemcpy != nullptr && calls.clEnqueueSVMMemFill != nullptr &&
                             calls.clSetKernelArgSVMPointer != nullptr &&
                             calls.clSetKernelExecInfo != nullptr;
  if (value_of<cl_bool>(calls, device, CL_DEVICE_COMPILER_AVAILABLE) == CL_FALSE) return MemoryPath::kNone;
  if (lists(extensions, "cl_intel_unified_shared_memory") && calls.clSetKernelExecInfo != nullptr)
    return MemoryPath::kUsm;
  if (has_svm_calls && (svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) != 0) return MemoryPath::kSvm;
  return MemoryPath::kBuffers;
}

void gather_device(const Calls& calls, cl_device_id device, DeviceFacts& facts) {
  const auto text = [&](cl_device_info what) { return text_of(calls.clGetDeviceInfo, device, what); };
  const std::string extensions = text(CL_DEVICE_EXTENSIONS);
  put(facts.name, text(CL_DEVICE_NAME));
  put(facts.vendor, text(CL_DEVICE_VENDOR));
  put(facts.driver_version, text(CL_DRIVER_VERSION));
  put(facts.language, text(CL_DEVICE_OPENCL_C_VERSION));
  put(facts.il, text(CL_DEVICE_IL_VERSION));
  facts.type = value_of<cl_device_type>(calls, device, CL_DEVICE_TYPE);
  facts.svm = value_of<cl_device_svm_capabilities>(calls, device, CL_DEVICE_SVM_CAPABILITIES);
  facts.path = path_of(calls, device, extensions, facts.svm);
  facts.has_fp16 = lists(extensions, "cl_khr_fp16") ? 1 : 0;
  facts.has_fp64 = lists(extensions, "cl_khr_fp64") ||
                           value_of<cl_device_fp_config>(calls, device, CL_DEVICE_DOUBLE_FP_CONFIG) != 0
                       ? 1
                       : 0;
  facts.has_program_scope_variables =
      value_of<size_t>(calls, device, CL_DEVICE_MAX_GLOBAL_VARIABLE_SIZE) > 0 ? 1 : 0;
  const auto queue = value_of<cl_command_queue_properties>(calls, device, CL_DEVICE_QUEUE_PROPERTIES);
  facts.has_event_timing = (queue & CL_QUEUE_PROFILING_ENABLE) != 0 ? 1 : 0;
  facts.profiling_resolution_ns = value_of<size_t>(calls, device, CL_DEVICE_PROFILING_TIMER_RESOLUTION);
  facts.memory_bytes = value_of<cl_ulong>(calls, device, CL_DEVICE_GLOBAL_MEM_SIZE);
  facts.max_allocation_bytes = value_of<cl_ulong>(calls, device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  facts.local_bytes = value_of<cl_ulong>(calls, device, CL_DEVICE_LOCAL_MEM_SIZE);
  facts.max_group_items = value_of<size_t>(calls, device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
  size_t sizes[16] = {1, 1, 1};
  calls.clGetDeviceInfo(device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(sizes), sizes, nullptr);
  std::copy_n(sizes, 3, facts.max_group_size);
  facts.max_argument_bytes = value_of<size_t>(calls, device, CL_DEVICE_MAX_PARAMETER_SIZE);
  facts.vector_width = value_of<cl_uint>(calls, device, CL_DEVICE_NATIVE_VECTOR_WIDTH_INT);
  facts.units = value_of<cl_uint>(calls, device, CL_DEVICE_MAX_COMPUTE_UNITS);
  facts.address_bits = value_of<cl_uint>(calls, device, CL_DEVICE_ADDRESS_BITS);
  make_uuid(facts);
  facts.quirks = quirks_of(facts);
  // There the second form of a kernel, which needs a call of the first, is what the path stands on.
  if (facts.path == MemoryPath::kBuffers && (facts.quirks & kNoCalledKernels) != 0)
    facts.path = MemoryPath::kNone;
}

xhal_result_t decoded(const std::vector<unsigned char>& bytes, std::vector<DeviceFacts>& out) {
  if (bytes.size() % sizeof(DeviceFacts) != 0) return XHAL_ERROR_INTERNAL;
  out.resize(bytes.size() / sizeof(DeviceFacts));
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return XHAL_SUCCESS;
}

}  // namespace

const char* name_of(MemoryPath path) {
  switch (path) {
    case MemoryPath::kUsm:
      return "unified memory (cl_intel_unified_shared_memory)";
    case MemoryPath::kSvm:
      return "fine-grained shared virtual memory";
    case MemoryPath::kBuffers:
      return "plain buffers with addresses of this driver's own";
    case MemoryPath::kNone:
      break;
  }
  return "none";
}

xhal_result_t gather_facts(const Calls& calls, std::vector<DeviceFacts>& out, std::string& why) {
  cl_uint count = 0;
  cl_int code = calls.clGetPlatformIDs(0, nullptr, &count);
  if (code == CL_PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && count == 0)) return XHAL_SUCCESS;
  std::vector<cl_platform_id> platforms(count);
  if (code == CL_SUCCESS) code = calls.clGetPlatformIDs(count, platforms.data(), nullptr);
  if (code != CL_SUCCESS) {
    why = "clGetPlatformIDs: " + name_of_error(code);
    return XHAL_ERROR_DRIVER_FAILED;
  }
  for (cl_uint p = 0; p < count; ++p) {
    cl_uint devices = 0;
    // A platform without devices, or one that fails to tell, leaves the others alone.
    if (calls.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 0, nullptr, &devices) != CL_SUCCESS) continue;
    std::vector<cl_device_id> ids(devices);
    if (devices == 0 ||
        calls.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, devices, ids.data(), nullptr) != CL_SUCCESS)
      continue;
    for (cl_uint d = 0; d < devices; ++d) {
      DeviceFacts facts = {};
      const auto text = [&](cl_platform_info what) {
        return text_of(calls.clGetPlatformInfo, platforms[p], what);
      };
      facts.platform = p;
      facts.place = d;
      put(facts.platform_name, text(CL_PLATFORM_NAME));
      put(facts.platform_vendor, text(CL_PLATFORM_VENDOR));
      put(facts.platform_version, text(CL_PLATFORM_VERSION));
      gather_device(calls, ids[d], facts);
      out.push_back(facts);
    }
  }
  return XHAL_SUCCESS;
}

namespace {

// In a helper process, with the loader's own platforms or those of the folder.
xhal_result_t ask_helper(const Search& search, const VendorFolder& folder, std::vector<DeviceFacts>& out) {
  std::vector<unsigned char> bytes;
  const auto ask = [&](std::vector<unsigned char>& answer) {
    std::string text;
    const Calls* const calls = load_calls(search.loader, folder, text);
    if (calls == nullptr) return kit::fail(XHAL_ERROR_UNSUPPORTED, "%s", text.c_str());
    std::vector<DeviceFacts> facts;
    if (const xhal_result_t result = gather_facts(*calls, facts, text); result < 0)
      return kit::fail(result, "%s", text.c_str());
    const auto* const begin = reinterpret_cast<const unsigned char*>(facts.data());
    answer.insert(answer.end(), begin, begin + facts.size() * sizeof(DeviceFacts));
    return xhal_result_t{XHAL_SUCCESS};
  };
  const xhal_result_t result = kit::run_in_helper(ask, search.timeout_s * kSecondNs, bytes);
  return result != XHAL_SUCCESS ? result : decoded(bytes, out);
}

bool went_wrong(xhal_result_t result) { return result == XHAL_ERROR_DRIVER_FAILED || result == XHAL_TIMEOUT; }

std::string told(xhal_result_t result, const Search& search) {
  return result == XHAL_TIMEOUT
             ? "does not answer within " + std::to_string(search.timeout_s) + " s while it is listed"
             : "crashes or fails while it is listed";
}

// The loader loads all platforms or none: each by itself tells which one is to blame, and the others are what is left.
xhal_result_t without_the_bad(const Search& search, xhal_result_t former, Listed& out, std::string& why) {
  std::vector<std::filesystem::path> good;
  for (const std::filesystem::path& entry : vendor_entries()) {
    std::vector<DeviceFacts> ignored;
    const xhal_result_t result = ask_helper(search, VendorFolder({&entry, 1}), ignored);
    if (went_wrong(result))
      out.left_out.push_back("OpenCL's platform " + entry.string() + " " + told(result, search));
    else
      good.push_back(entry);
  }
  if (out.left_out.empty()) {
    why =
        "an OpenCL platform of " + vendor_source() + " " + told(former, search) + ", though none does alone";
    return XHAL_ERROR_DRIVER_FAILED;
  }
  xhal_result_t result = XHAL_ERROR_DRIVER_FAILED;
  if (!good.empty()) {
    out.folder = VendorFolder(good);
    result = ask_helper(search, out.folder, out.devices);
  }
  if (result != XHAL_SUCCESS) {
    for (const std::string& one : out.left_out) why += (why.empty() ? "" : "; ") + one;
    why += good.empty() ? ", and there is no other" : "; without it the others do so too";
    return XHAL_ERROR_DRIVER_FAILED;
  }
  return XHAL_SUCCESS;
}

}  // namespace

xhal_result_t facts_of_all(const Search& search, Listed& out, std::string& why) {
  if (calls_are_loaded()) {
    const Calls* const calls = load_calls(search.loader, why);
    return calls == nullptr ? XHAL_ERROR_UNSUPPORTED : gather_facts(*calls, out.devices, why);
  }
  const xhal_result_t result = ask_helper(search, VendorFolder(), out.devices);
  return went_wrong(result) ? without_the_bad(search, result, out, why) : result;
}

}  // namespace xhal::opencl
