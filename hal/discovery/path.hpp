// SPDX-License-Identifier: Apache-2.0
// Paths as lists of names. No function here touches a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xhal::discovery {

// The names of a path; empty ones and "." are dropped, ".." is kept.
std::vector<std::string> split_path(std::string_view path);

// "/" and the names between slashes.
std::string join_path(const std::vector<std::string>& names);

// `name` below `folder`.
std::string below(const std::string& folder, std::string_view name);

// The folder part of an absolute path: "/" for "/x".
std::string parent_of(const std::string& path);

bool is_absolute(std::string_view path);

// A relative path becomes one below the working directory; "" when there is none. Nothing is resolved.
std::string absolute(const std::string& path);

// The prefix of the installation that holds a library at this (canonical) path, or "". [XHAL-LOADER-23]
std::string installation_of(const std::string& library);

}  // namespace xhal::discovery
