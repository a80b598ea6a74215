// SPDX-License-Identifier: Apache-2.0
// Folders, manifests and other users for the loader's tests.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "discovery/discovery.hpp"

namespace xhal::discovery::test {

// A folder of its own, removed with all that is in it. Mode 0755, so that other users reach what is inside.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void make_folders(const std::string& path);
// Makes the folders above it, too.
void write_file(const std::string& path, const std::string& bytes);
std::string read_file(const std::string& path);

// The file of a library from fixtures/.
std::string fixture(const std::string& name);

// Fields of a manifest as JSON text; what is not set is left out.
using Fields = std::map<std::string, std::string>;
// A good manifest of this name, whose library is the fixture `driver` (`layer`), with some fields replaced or, when empty, left out.
std::string manifest_text(const std::string& name, const Fields& changes = {}, Kind kind = Kind::kDriver);
void write_manifest(const std::string& path, const std::string& name, const Fields& changes = {},
                    Kind kind = Kind::kDriver);

// Nothing of the machine is in it: no system folder, no installation, no variable but those given.
Environment bare_environment(const std::map<std::string, std::string>& variables = {});

// find(), with every message checked for being one clean line.
Found find_checked(const Request& request, const Environment& environment);
Request explicit_request(std::vector<std::string> paths);

std::vector<std::string> selected_names(const Found& found);
// "decision origin file-name", for a whole search in one comparison.
std::vector<std::string> decisions(const Found& found);
// The first candidate whose place ends so; fails the test and gives an empty one when there is none.
const Candidate& candidate_at(const Found& found, const std::string& place_end);

bool is_root();
constexpr uid_t kNobody = 65534;
constexpr uid_t kSomebody = 54321;
// Runs `work` in a child process, as this user and group without others, and gives what it returned. Needs root for another user.
std::string in_child(uid_t user, const std::function<std::string()>& work);

// "" when it is one printable line.
std::string line_problem(const std::string& text);

}  // namespace xhal::discovery::test
