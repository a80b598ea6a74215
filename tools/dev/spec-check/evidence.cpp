// SPDX-License-Identifier: Apache-2.0
#include "evidence.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

namespace xhal::spec {

namespace {

constexpr std::string_view kCountStart = "count ";

bool must_be_tested(const Clause& clause, const Contract& contract) {
  if (clause.feature == "core" || clause.feature == "kernel" || clause.feature == "host") return true;
  return std::any_of(contract.features.begin(), contract.features.end(), [&](const Feature& feature) {
    return feature.lower == clause.feature && feature.settled;
  });
}

// In the order of docs/spec.
std::vector<const Clause*> untested(const Contract& contract, const Clauses& clauses, const Tested& tested,
                                    bool required) {
  std::vector<const Clause*> found;
  for (const Clause& clause : clauses.all()) {
    if (!clause.withdrawn && !tested.contains(clause.id()) && must_be_tested(clause, contract) == required)
      found.push_back(&clause);
  }
  return found;
}

std::string names_no_clause(const std::string& who, const std::string& id) {
  return who + " names '" + id + "', which is no clause of docs/spec (any more)";
}

void add_tests(const nlohmann::json& tests, const std::string& file, const Clauses& clauses, Tested& tested,
               Findings& findings) {
  if (tests.empty()) findings.push_back({file, 1, "lists no test"});
  for (const auto& test : tests) {
    if (!test.is_object() || !test.contains("id") || !test["id"].is_string() || !test.contains("clauses") ||
        !test["clauses"].is_array()) {
      findings.push_back(
          {file, 1,
           "a test is no object with a text id and an array clauses: " + test.dump().substr(0, 100)});
      continue;
    }
    const std::string id = test["id"].get<std::string>();
    if (test["clauses"].empty()) findings.push_back({file, 1, "test " + id + " names no clause"});
    for (const auto& clause : test["clauses"]) {
      const std::string name = clause.is_string() ? clause.get<std::string>() : clause.dump();
      if (clauses.find(name) == nullptr) {
        findings.push_back({file, 1, names_no_clause("test " + id, name)});
      } else {
        tested.insert(name);
      }
    }
  }
}

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Standard output of a command, or nothing when it fails.
std::optional<std::string> output_of(const std::string& command) {
  struct Close {
    int* status;
    void operator()(std::FILE* file) const { *status = pclose(file); }
  };
  int status = -1;
  std::string text;
  {
    const std::unique_ptr<std::FILE, Close> pipe(popen((command + " 2>/dev/null").c_str(), "r"),
                                                 Close{&status});
    if (!pipe) return std::nullopt;
    std::array<char, 4096> buffer{};
    for (size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
      text.append(buffer.data(), got);
  }
  if (status != 0) return std::nullopt;
  return text;
}

}  // namespace

void read_test_list(const std::filesystem::path& list, const Clauses& clauses, Tested& tested,
                    Findings& findings) {
  std::ifstream in(list, std::ios::binary);
  if (!in) {
    findings.push_back({list.string(), 1, "cannot be read"});
    return;
  }
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (json.is_array()) {
    add_tests(json, list.string(), clauses, tested, findings);
    return;
  }
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (key != "tests") continue;
      if (value.is_array()) {
        add_tests(value, list.string(), clauses, tested, findings);
        return;
      }
    }
  }
  findings.push_back({list.string(), 1, "is no JSON array of tests and no object with an array 'tests'"});
}

void read_markers(const std::filesystem::path& root, const Clauses& clauses, Tested& tested,
                  Findings& findings) {
  constexpr std::string_view kMarker = "XHAL_CLAUSE(\"";
  for (const std::string& name :
       list_files(root, "tests", {".c", ".cpp", ".h", ".hpp", ".sh", ".cmake", "CMakeLists.txt"})) {
    if (name.starts_with("tests/spec_check/")) continue;
    const auto file = read_text(root, name);
    if (!file) continue;
    for (size_t i = 0; i < file->lines.size(); ++i) {
      const std::string& line = file->lines[i];
      for (size_t at = line.find(kMarker); at != std::string::npos; at = line.find(kMarker, at + 1)) {
        const size_t begin = at + kMarker.size();
        const std::string id = line.substr(begin, line.find('"', begin) - begin);
        if (clauses.find(id) == nullptr) {
          findings.push_back({name, i + 1, names_no_clause("XHAL_CLAUSE", id)});
        } else {
          tested.insert(id);
        }
      }
    }
  }
}

void check_tested(const Contract& contract, const Clauses& clauses, const Tested& tested,
                  Findings& findings) {
  for (const Clause* clause : untested(contract, clauses, tested, true)) {
    findings.push_back(
        {clause->file, clause->line,
         clause->id() + " (" + clause->feature +
             ") has no test: neither xhal-conform lists one nor does tests/ hold XHAL_CLAUSE(\"" +
             clause->id() + "\")"});
  }
}

std::optional<size_t> pending_count(const std::string& text) {
  if (!text.starts_with(kCountStart)) return std::nullopt;
  const std::string number(trimmed(text.substr(kCountStart.size(), text.find('\n') - kCountStart.size())));
  if (number == "0") return 0;
  return small_number(number);
}

std::string pending_text(const Contract& contract, const Clauses& clauses, const Tested& tested) {
  const auto pending = untested(contract, clauses, tested, false);
  std::string text = std::string(kCountStart) + std::to_string(pending.size()) + "\n";
  text += "# Clauses of experimental features that no test observes yet. The count may only fall.\n";
  text += "# spec-check --write-pending writes this file anew.\n";
  for (const Clause* clause : pending) text += clause->id() + "\n";
  return text;
}

void check_pending(const std::filesystem::path& root, const Contract& contract, const Clauses& clauses,
                   const Tested& tested, std::optional<size_t> former, Findings& findings) {
  const auto file = read_text(root, kPending);
  if (!file) {
    findings.push_back({kPending, 1, "cannot be read; spec-check --write-pending makes it"});
    return;
  }
  std::set<std::string> listed;
  for (size_t i = 1; i < file->lines.size(); ++i) {
    const std::string id(trimmed(file->lines[i]));
    if (id.empty() || id.front() == '#') continue;
    const Clause* clause = clauses.find(id);
    if (!listed.insert(id).second) findings.push_back({kPending, i + 1, id + " is listed twice"});
    if (clause == nullptr) {
      findings.push_back({kPending, i + 1, id + " is no clause of docs/spec (any more)"});
    } else if (must_be_tested(*clause, contract)) {
      findings.push_back(
          {kPending, i + 1,
           id + " may not be pending: " + clause->feature + " is core, kernel, host or settled"});
    } else if (tested.contains(id)) {
      findings.push_back({kPending, i + 1, id + " has a test now; take it from the list"});
    }
  }
  for (const Clause* clause : untested(contract, clauses, tested, false)) {
    if (!listed.contains(clause->id())) {
      findings.push_back(
          {clause->file, clause->line, clause->id() + " has no test and is not in " + kPending});
    }
  }
  const auto count = pending_count(file->joined());
  if (!count) {
    findings.push_back({kPending, 1, "the first line must be 'count <number>'"});
  } else if (*count != listed.size()) {
    findings.push_back(
        {kPending, 1, "says " + std::to_string(*count) + " and lists " + std::to_string(listed.size())});
  }
  if (former && listed.size() > *former) {
    findings.push_back({kPending, 1,
                        "grew from " + std::to_string(*former) + " to " + std::to_string(listed.size()) +
                            "; new clauses come with their test"});
  }
}

std::optional<size_t> committed_pending_count(const std::filesystem::path& root) {
  const std::string git = "git -C " + shell_quoted(root.string()) + " ";
  // Inside another repository's checkout (an unpacked archive) HEAD would be that one's.
  const auto top = output_of(git + "rev-parse --show-toplevel");
  std::error_code error;
  if (!top || !std::filesystem::equivalent(std::string(trimmed(*top)), root, error)) return std::nullopt;
  // In a shallow clone the oldest commit counts as the one that added the file. The full history, so that what a branch did counts, too.
  const auto commits = output_of(git + "log --full-history -n 200 --format=%H -- " + kPending);
  if (!commits) return std::nullopt;
  std::optional<size_t> smallest;
  for (const std::string& commit : split(*commits, '\n')) {
    if (commit.empty()) continue;
    // A commit that removed the file has no count.
    const auto text = output_of(git + "show " + commit + ":" + kPending);
    const auto count = text ? pending_count(*text) : std::nullopt;
    if (count) smallest = std::min(smallest.value_or(*count), *count);
  }
  return smallest;
}

}  // namespace xhal::spec
