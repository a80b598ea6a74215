// SPDX-License-Identifier: Apache-2.0
#include "path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace xhal::discovery {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.emplace_back(name);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return names;
}

std::string join_path(const std::vector<std::string>& names) {
  if (names.empty()) return "/";
  std::string path;
  for (const std::string& name : names) path += "/" + name;
  return path;
}

std::string below(const std::string& folder, std::string_view name) {
  std::string path = folder;
  if (path.empty() || path.back() != '/') path += '/';
  return path.append(name);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) return "/";
  return path.substr(0, slash);
}

bool is_absolute(std::string_view path) { return !path.empty() && path.front() == '/'; }

std::string absolute(const std::string& path) {
  if (is_absolute(path)) return path;
  const std::unique_ptr<char, void (*)(void*)> folder(::getcwd(nullptr, 0), std::free);
  return folder && is_absolute(folder.get()) ? below(folder.get(), path) : "";
}

std::string installation_of(const std::string& library) {
  std::vector<std::string> names = split_path(library);
  const auto is_library_folder = [](const std::string& name) {
    return name == "lib" || name == "lib64" || name == "lib32";
  };
  if (names.size() < 2) return "";
  names.pop_back();
  if (!is_library_folder(names.back())) {
    names.pop_back();
    if (names.empty() || !is_library_folder(names.back())) return "";
  }
  names.pop_back();
  return join_path(names);
}

}  // namespace xhal::discovery
