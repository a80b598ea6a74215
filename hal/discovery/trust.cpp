// SPDX-License-Identifier: Apache-2.0
#include "trust.hpp"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "path.hpp"
#include "text.hpp"

namespace xhal::discovery {

namespace {

bool is_shared_folder(const struct stat& status) {
  return S_ISDIR(status.st_mode) && (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) != 0;
}

const char* kind_of(const struct stat& status) { return S_ISDIR(status.st_mode) ? "folder" : "file"; }

std::string path_from_maps(const void* address) {
  const std::unique_ptr<FILE, int (*)(FILE*)> maps(std::fopen("/proc/self/maps", "re"), std::fclose);
  if (!maps) return "";
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  char* line = nullptr;
  std::size_t capacity = 0;
  std::string path;
  while (::getline(&line, &capacity, maps.get()) > 0) {
    uintptr_t first = 0;
    uintptr_t last = 0;
    int path_at = 0;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &first, &last, &path_at) < 2)
      continue;
    if (wanted < first || wanted >= last) continue;
    path = line + path_at;
    if (!path.empty() && path.back() == '\n') path.pop_back();
    break;
  }
  std::free(line);
  return path;
}

HostFile own_host_file() { return host_file_at(own_library_path()); }

}  // namespace

std::string own_library_path() {
  // Any object of this library will do.
  static const char here = 0;
  Dl_info info = {};
  std::string path;
  if (::dladdr(&here, &info) != 0 && info.dli_fname != nullptr) path = info.dli_fname;
  // The dynamic linker knows the path as it was given; the kernel knows it whole, whatever the working directory is by now.
  if (!is_absolute(path)) path = path_from_maps(&here);
  if (!is_absolute(path)) return "";
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : "";
}

HostFile host_file_at(const std::string& path) {
  HostFile host;
  if (path.empty()) return host;
  std::string step;
  struct stat status = {};
  const auto look = [&](const std::string& where) {
    if (::stat(where.c_str(), &status) != 0) return false;
    if ((status.st_mode & S_IWOTH) != 0 && !is_shared_folder(status)) host.open_to_everyone = true;
    return true;
  };
  if (!look("/")) return host;
  for (const std::string& name : split_path(path)) {
    step += "/" + name;
    if (!look(step)) return {};
  }
  host.owner = status.st_uid;
  return host;
}

Trust Trust::of_process(bool elevated, bool named) {
  Trust trust;
  trust.elevated = elevated;
  trust.named = named;
  trust.host = &own_host_file;
  if (!elevated) {
    trust.user = ::geteuid();
    return trust;
  }
  // Of an elevated process, the effective user counts if the program belongs to it: set-uid, and not changed since. Otherwise it is the
  // caller, or someone whose part a daemon plays for a while, and their files are what an elevated process must not load. [XHAL-LOADER-34]
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  const bool known = ::getresuid(&real, &effective, &saved) == 0;
  if (known && ::getauxval(AT_SECURE) != 0 && effective != real && effective == saved) trust.user = effective;
  return trust;
}

bool TrustWalk::is_trusted_owner(uid_t owner) const {
  if (owner == 0 || owner == trust_.user) return true;
  if (trust_.elevated) return false;
  return trust_.host != nullptr && trust_.host().owner == owner;
}

bool TrustWalk::host_is_open_to_everyone() const {
  return !trust_.elevated && trust_.host != nullptr && trust_.host().open_to_everyone;
}

std::optional<std::string> TrustWalk::elevated_problem(const struct stat& status,
                                                       const std::string& path) const {
  const std::string subject = std::string(kind_of(status)) + " " + quoted(path);
  if (!is_trusted_owner(status.st_uid)) {
    return subject + " belongs to user " + std::to_string(status.st_uid) +
           ", whom an elevated process does not trust; make root its owner";
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return "others than the owner may write to " + subject +
           ", so an elevated process does not trust it; run chmod go-w on it";
  }
  return std::nullopt;
}

std::optional<std::string> TrustWalk::problem(const struct stat& status, const std::string& path) {
  if (trust_.elevated) return elevated_problem(status, path);
  const std::string subject = std::string(kind_of(status)) + " " + quoted(path);
  const bool may_be_planted = in_shared_folder_;
  in_shared_folder_ = is_shared_folder(status);

  if (!is_trusted_owner(status.st_uid) && (!trust_.named || may_be_planted)) {
    const std::string owner =
        subject + " belongs to user " + std::to_string(status.st_uid) + ", neither root nor this user";
    if (may_be_planted)
      return owner + ", inside a folder that everyone may write to; move it or make it yours";
    return owner + "; change its owner, or name its path explicitly to trust them";
  }
  if ((status.st_mode & S_IWOTH) != 0 && !in_shared_folder_ && !host_is_open_to_everyone()) {
    return "everyone may write to " + subject + "; run chmod o-w on it";
  }
  return std::nullopt;
}

}  // namespace xhal::discovery
