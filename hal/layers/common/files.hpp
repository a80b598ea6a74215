// SPDX-License-Identifier: Apache-2.0
// Names of files that options give.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace xhal::layers {

// The process may have another folder when the file is opened.
inline std::string absolute_path(std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  const std::unique_ptr<char, decltype(&std::free)> folder(::getcwd(nullptr, 0), &std::free);
  return (folder != nullptr ? std::string(folder.get()) + "/" : std::string()) + std::string(path);
}

// "%p" stands for the process's id.
inline std::string path_of_process(std::string path) {
  const std::string id = std::to_string(::getpid());
  for (size_t at = path.find("%p"); at != std::string::npos; at = path.find("%p", at + id.size()))
    path.replace(at, 2, id);
  return path;
}

}  // namespace xhal::layers
