// SPDX-License-Identifier: Apache-2.0
// Whose files this process loads. [XHAL-LOADER-32] to [XHAL-LOADER-37]
//
// The measure for a process that is not elevated: a driver need not be better protected than libxhal itself, because who owns libxhal,
// or can write to it, runs code in this process anyway. An elevated process trusts root alone, and the user it was made set-uid for.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

namespace xhal::discovery {

// How well libxhal's own file is protected.
struct HostFile {
  std::optional<uid_t> owner;
  bool open_to_everyone = false;  // the file or a folder above it, shared ones not counted
};

HostFile host_file_at(const std::string& path);

struct Trust {
  bool elevated = false;
  std::optional<uid_t> user;     // whose files count as our own, besides root's
  HostFile (*host)() = nullptr;  // asked only when a file would be refused otherwise; null: unknown
  bool named = false;            // the path was named, so its owner is trusted

  static Trust of_process(bool elevated, bool named);
};

// Judges the steps of one path, from "/" to the file.
class TrustWalk {
 public:
  explicit TrustWalk(const Trust& trust) : trust_(trust) {}

  // What is wrong with this step and what to do, or nothing. `path` is for the message.
  std::optional<std::string> problem(const struct stat& status, const std::string& path);

 private:
  std::optional<std::string> elevated_problem(const struct stat& status, const std::string& path) const;
  bool is_trusted_owner(uid_t owner) const;
  bool host_is_open_to_everyone() const;

  Trust trust_;
  bool in_shared_folder_ = false;
};

// The path of the file that holds this code: libxhal.so, with links followed; "" when it cannot be told.
std::string own_library_path();

}  // namespace xhal::discovery
