// SPDX-License-Identifier: Apache-2.0
#include "kernels/matrix_library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <map>
#include <memory>

namespace xhal::sim {
namespace {

constexpr char kPackage[] = "libopenblas0-pthread";
// Debian's folders of the builds, before what the system's choice among them is. The serial build comes behind the one with threads: it
// was made without the locks that calls from several threads need.
constexpr const char* kPlaces[] = {
    "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0",
    "/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0",
    "libopenblas.so.0",
};

// What openblas_get_parallel() says.
enum : int { kSerial = 0, kOwnThreads = 1, kOpenMp = 2 };

template <class Function>
Function symbol(void* handle, const char* name) {
  return reinterpret_cast<Function>(dlsym(handle, name));
}

// One thread a call: the simulator's workers are the threads. The library starts its others when it is loaded, so they are ended.
void end_own_threads(void* handle) {
  if (const auto set_threads = symbol<void (*)(int)>(handle, "openblas_set_num_threads")) set_threads(1);
  if (const auto end_threads = symbol<int (*)()>(handle, "blas_thread_shutdown_")) end_threads();
}

std::string path_of(void* handle, const std::string& name) {
  const link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map->l_name == nullptr || *map->l_name == '\0')
    return name;
  return map->l_name;
}

}  // namespace

bool MatrixLibrary::open(const std::string& path, std::string& why) {
  const auto refuse = [&](const std::string& reason) {
    why += (why.empty() ? "" : "; ") + path + ": " + reason;
    if (handle_ != nullptr) dlclose(handle_);
    handle_ = nullptr;
    return false;
  };
  // Who had it loaded before has set its threads for himself.
  void* const others = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (others != nullptr) dlclose(others);
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    const char* const reason = dlerror();
    return refuse(reason != nullptr ? reason : "the system does not load it");
  }
  f32_ = symbol<Gemm<float>>(handle_, "cblas_sgemm");
  f64_ = symbol<Gemm<double>>(handle_, "cblas_dgemm");
  if (f32_ == nullptr || f64_ == nullptr) return refuse("it has no cblas_sgemm and cblas_dgemm");

  const auto get_config = symbol<const char* (*)()>(handle_, "openblas_get_config");
  const auto get_parallel = symbol<int (*)()>(handle_, "openblas_get_parallel");
  const std::string config = get_config != nullptr ? get_config() : "a library with CBLAS's calls";
  if (config.find("USE64BITINT") != std::string::npos) return refuse("its integers have 64 bits");
  const int parallel = get_parallel != nullptr ? get_parallel() : kOwnThreads;
  // Each worker would be a master of OpenMP's threads, and how many is a setting of that worker alone.
  if (parallel == kOpenMp) return refuse("it is built for OpenMP, whose threads cannot be kept out");
  one_at_a_time_ = parallel == kSerial;
  if (parallel == kOwnThreads && others == nullptr) end_own_threads(handle_);
  about_ = config + " of " + path_of(handle_, path) + (one_at_a_time_ ? ", one call at a time" : "");
  return true;
}

MatrixLibrary* MatrixLibrary::find(std::string_view wanted, std::string& why) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, std::unique_ptr<MatrixLibrary>, std::less<>>;
  if (wanted == "none") {
    why = std::string("matrix_library is 'none'; without it package ") + kPackage + " is looked for";
    return nullptr;
  }
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(wanted); found != known.end()) return found->second.get();
  auto library = std::make_unique<MatrixLibrary>();
  std::string reasons;
  bool opened = false;
  if (!wanted.empty()) {
    opened = library->open(std::string(wanted), reasons);
  } else {
    for (const char* const place : kPlaces) {
      opened = library->open(place, reasons);
      if (opened) break;
    }
  }
  if (!opened) {
    why = std::string("there is no library of matrix products that can be used; install ") + kPackage +
          " or name one by matrix_library (" + reasons + ")";
    return nullptr;
  }
  return known.emplace(wanted, std::move(library)).first->second.get();
}

}  // namespace xhal::sim
