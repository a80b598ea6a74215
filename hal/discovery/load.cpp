// SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstring>

#include "elf_check.hpp"
#include "manifest.hpp"
#include "text.hpp"
#include "xhal/driver.h"

namespace xhal::discovery {

namespace {

Opened failure(std::string text) { return {XHAL_ERROR_DRIVER_FAILED, std::move(text), nullptr}; }

// A path that leads to the descriptor. Each has a spelling of its own, because the dynamic linker takes an equal name for an equal
// library, and the number may come again if the process closes descriptors that are not its own.
std::string descriptor_path(int number) {
  static std::atomic<unsigned> loads{0};
  const unsigned slashes = loads.fetch_add(1, std::memory_order_relaxed) % 1024;
  return "/proc/self/fd/" + std::string(slashes, '/') + std::to_string(number);
}

std::string advice(const std::string& text) {
  const auto has = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (has("undefined symbol") || has("version `") || has("symbol lookup")) {
    return "; build it against the libraries of this machine, and link all that it needs";
  }
  if (has("cannot open shared object file"))
    return "; install the missing library, or put it beside the driver with rpath $ORIGIN";
  if (has("static TLS")) return "; build it without -ftls-model=initial-exec";
  return "";
}

// dlerror() speaks of the path it was given; with the name of the file before it, that is noise.
std::string linker_error(const std::string& path) {
  const char* error = ::dlerror();  // NOLINT(concurrency-mt-unsafe): per thread in every libc we know
  std::string text = error != nullptr ? error : "unknown error of the dynamic linker";
  const std::string prefix = path + ": ";
  if (text.starts_with(prefix)) text.erase(0, prefix.size());
  return printable(text, 1024) + advice(text);
}

// dlsym also looks into the libraries that this one needs; an entry found there is another's. [XHAL-LOADER-42]
bool is_own_symbol(void* handle, void* symbol) {
  link_map* own = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &own) != 0) return false;
  Dl_info info = {};
  link_map* holder = nullptr;
  if (::dladdr1(symbol, &info, reinterpret_cast<void**>(&holder), RTLD_DL_LINKMAP) == 0) return false;
  return own == holder;
}

std::string missing_symbol(void* handle, const std::string& subject, Kind kind, const char* symbol) {
  const Kind other = kind == Kind::kDriver ? Kind::kLayer : Kind::kDriver;
  const char* other_symbol =
      other == Kind::kLayer ? XHAL_LAYER_NEGOTIATE_SYMBOL : XHAL_DRIVER_NEGOTIATE_SYMBOL;
  void* found = ::dlsym(handle, other_symbol);
  if (found != nullptr && is_own_symbol(handle, found)) {
    return subject + " is a " + name_of(other) + ", not a " + name_of(kind);
  }
  return subject + " is no xhal " + name_of(kind) + ": it does not export " + symbol +
         "; name another library, or export it";
}

}  // namespace

OpenedFile examine_library(const std::string& path, const Trust& trust) {
  OpenedFile file = open_file(path, kLargestLibrary, trust);
  if (file.outcome != Outcome::kOpened) return file;
  if (auto problem = elf_problem(file)) {
    file.outcome = Outcome::kRefused;
    const bool says_what_to_do = problem->find("; ") != std::string::npos;
    file.problem =
        "library " + quoted(path) + " " + *problem +
        (says_what_to_do ? "" : "; check that it is the right file, and build or install it again");
  }
  return file;
}

Opened load_library(OpenedFile file, Kind kind, const char* symbol, bool elevated) {
  const std::string subject = "library " + quoted(file.path);
  std::string path = file.path;
  if (elevated) {
    path = descriptor_path(file.descriptor.get());
    if (!is_still_at(file, path)) {
      return failure(subject +
                     " cannot be loaded by its descriptor, as an elevated process must; mount /proc");
    }
  } else if (!is_still_at(file, path)) {
    return failure(subject + " was replaced while it was opened; try again");
  }
  ::dlerror();  // NOLINT(concurrency-mt-unsafe): as above
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return failure(subject + " cannot be loaded: " + linker_error(path));
  // The linker goes on calling it by this path, which must not come to mean another file. A library that was loaded before keeps the
  // path of its first load.
  link_map* map = nullptr;
  if (elevated && ::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && path == map->l_name)
    file.descriptor.release();

  void* entry = ::dlsym(handle, symbol);
  if (entry == nullptr || !is_own_symbol(handle, entry))
    return failure(missing_symbol(handle, subject, kind, symbol));
  return {XHAL_SUCCESS, "", entry};
}

Opened open_library(const Manifest& manifest, const char* symbol, bool elevated) {
  OpenedFile file = examine_library(manifest.library, Trust::of_process(elevated, manifest.named));
  if (file.outcome != Outcome::kOpened) {
    return failure(std::string(name_of(manifest.kind)) +
                   (manifest.name.empty() ? "" : " " + quoted(manifest.name)) + ": " + file.problem);
  }
  return load_library(std::move(file), manifest.kind, symbol, elevated);
}

}  // namespace xhal::discovery
