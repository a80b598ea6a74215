// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <gtest/gtest.h>

#include "discovery/text.hpp"

namespace xhal::discovery::test {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string path = (fs::temp_directory_path() / "xhal-loader-XXXXXX").native();
  if (::mkdtemp(path.data()) == nullptr) throw std::system_error(errno, std::generic_category(), path);
  path_ = fs::canonical(path).native();
  ::chmod(path_.c_str(), 0755);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  // Tests take permissions away, which only root may ignore.
  for (fs::recursive_directory_iterator i(path_, fs::directory_options::skip_permission_denied, ignored), end;
       i != end; i.increment(ignored)) {
    if (i->is_directory(ignored) && !i->is_symlink(ignored)) ::chmod(i->path().c_str(), 0755);
  }
  fs::remove_all(path_, ignored);
}

void make_folders(const std::string& path) { fs::create_directories(path); }

void write_file(const std::string& path, const std::string& bytes) {
  make_folders(fs::path(path).parent_path().native());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string fixture(const std::string& name) {
  return std::string(XHAL_TEST_FIXTURES) + "/lib" + name + ".so";
}

std::string manifest_text(const std::string& name, const Fields& changes, Kind kind) {
  const bool is_driver = kind == Kind::kDriver;
  Fields fields = {{"xhal_manifest", "1"},
                   {"kind", is_driver ? "\"driver\"" : "\"layer\""},
                   {"name", "\"" + name + "\""},
                   {"library", "\"" + fixture(is_driver ? "driver" : "layer") + "\""},
                   {"abi", "\"0.1\""}};
  for (const auto& [key, value] : changes) fields[key] = value;
  std::string text;
  for (const auto& [key, value] : fields) {
    if (!value.empty()) text += (text.empty() ? "{\n" : ",\n") + ("\"" + key + "\": " + value);
  }
  return text + "\n}\n";
}

void write_manifest(const std::string& path, const std::string& name, const Fields& changes, Kind kind) {
  write_file(path, manifest_text(name, changes, kind));
}

Environment bare_environment(const std::map<std::string, std::string>& variables) {
  Environment environment;
  environment.system_roots.clear();
  environment.get = [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  return environment;
}

std::string line_problem(const std::string& text) {
  return printable(text, 65536) == text ? "" : "not one printable line: " + printable(text, 65536);
}

Found find_checked(const Request& request, const Environment& environment) {
  Found found = find(request, environment);
  EXPECT_EQ(line_problem(found.text), "");
  EXPECT_EQ(found.result == XHAL_SUCCESS, found.text.empty()) << found.text;
  for (const Candidate& candidate : found.candidates) {
    EXPECT_EQ(line_problem(candidate.reason), "");
    EXPECT_FALSE(candidate.origin.empty());
    if (candidate.decision == XHAL_CANDIDATE_REFUSED) {
      EXPECT_LT(candidate.result, 0) << candidate.place;
      EXPECT_NE(candidate.reason.find("; "), std::string::npos) << "what to do? " << candidate.reason;
    }
    if (candidate.decision != XHAL_CANDIDATE_SELECTED) {
      EXPECT_NE(candidate.reason, "") << candidate.place;
    }
    if (candidate.decision == XHAL_CANDIDATE_SELECTED) {
      EXPECT_TRUE(candidate.manifest.has_value()) << candidate.place;
    }
  }
  return found;
}

Request explicit_request(std::vector<std::string> paths) {
  Request request;
  request.explicit_paths = std::move(paths);
  return request;
}

std::vector<std::string> selected_names(const Found& found) {
  std::vector<std::string> names;
  for (const Manifest& manifest : found.selected) names.push_back(manifest.name);
  return names;
}

std::vector<std::string> decisions(const Found& found) {
  static const char* const kNames[] = {"selected", "not-asked", "shadowed", "refused", "absent"};
  std::vector<std::string> lines;
  for (const Candidate& candidate : found.candidates) {
    lines.push_back(std::string(kNames[candidate.decision]) + " " + candidate.origin + " " +
                    fs::path(candidate.place).filename().native());
  }
  return lines;
}

const Candidate& candidate_at(const Found& found, const std::string& place_end) {
  static const Candidate kNone;
  for (const Candidate& candidate : found.candidates) {
    if (candidate.place.ends_with(place_end)) return candidate;
  }
  ADD_FAILURE() << "no candidate at " << place_end;
  return kNone;
}

bool is_root() { return ::geteuid() == 0; }

std::string in_child(uid_t user, const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::close(ends[0]);
    std::string answer;
    if (user != ::geteuid() && (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
                                ::setresuid(user, user, user) != 0)) {
      answer = "cannot become user " + std::to_string(user);
    } else {
      answer = work();
    }
    const char* bytes = answer.data();
    for (std::size_t left = answer.size(); left > 0;) {
      const ssize_t count = ::write(ends[1], bytes, left);
      if (count <= 0) ::_exit(1);
      bytes += count;
      left -= static_cast<std::size_t>(count);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(ends[0], buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return "the child died: status " + std::to_string(status) + ", said: " + answer;
  return answer;
}

}  // namespace xhal::discovery::test
