// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace xhal::abi {

namespace {

struct Record {
  std::string size;  // "sizeof 568 align 8"
  std::vector<std::string> fields;
};

struct Dump {
  std::string abi;  // "0.1"
  long revision = -1;
  std::vector<std::string> entries;
  std::map<std::string, Record> records;
  std::map<std::string, std::string> facts;  // "constant XHAL_LOG_ERROR" -> "0"
  std::vector<std::string> odd;              // lines of no known shape
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  return lines;
}

bool is_fact(const std::string& kind) {
  for (const char* known : {"host-entry", "handle", "feature", "result", "constant", "typedef", "function",
                            "macro", "pointer-bytes"}) {
    if (kind == known) return true;
  }
  return false;
}

std::string key_of(const std::string& kind, const std::string& name) { return kind + " " + name; }

Dump parse(const std::string& text) {
  Dump dump;
  Record* record = nullptr;
  for (const std::string& line : lines_of(text)) {
    std::istringstream in(line);
    std::string kind;
    std::string name;
    in >> kind >> name;
    if (kind == "abi") {
      std::string word;
      dump.abi = name;
      in >> word >> dump.revision;
    } else if (kind == "entry") {
      dump.entries.push_back(line);
    } else if (kind == "struct" || kind == "union") {
      const std::string key = key_of(kind, name);
      record = &dump.records[key];
      record->size = line.substr(key.size() + 1);
    } else if (kind == "field" && record != nullptr) {
      record->fields.push_back(line.substr(line.find("field")));
    } else if (is_fact(kind)) {
      const std::string key = key_of(kind, name);
      dump.facts[key] = line.size() > key.size() ? line.substr(key.size() + 1) : "";
    } else {
      dump.odd.push_back(line);
    }
  }
  return dump;
}

// The words behind "since" of an entry line; -1 when it has none.
long since_of(const std::string& entry) {
  std::istringstream in(entry.substr(std::min(entry.size(), entry.find(" since ") + 7)));
  long since = -1;
  in >> since;
  return in ? since : -1;
}

// "field 6 offset 152 struct xhal_functions functions" names the record of its type.
std::string record_of(const std::string& field) {
  for (const char* kind : {" struct ", " union "}) {
    const size_t at = field.find(kind);
    if (at == std::string::npos || field.find('*') != std::string::npos) continue;
    return field.substr(at + 1, field.rfind(' ') - at - 1);
  }
  return "";
}

class Comparer {
 public:
  Comparer(Dump former, Dump current) : former_(std::move(former)), current_(std::move(current)) {}

  Comparison run(std::vector<std::string> diff) {
    result_.diff = std::move(diff);
    for (const Dump* dump : {&former_, &current_}) {
      for (const std::string& line : dump->odd) breaks("a line of no known kind: " + line);
    }
    if (former_.abi != current_.abi)
      breaks("contract " + former_.abi + " became " + current_.abi + "; that is another golden file");
    compare_entries();
    for (const auto& [name, record] : former_.records) compare_record(name, record);
    for (const auto& [name, record] : current_.records) grew(!former_.records.contains(name));
    for (const auto& [name, value] : former_.facts) {
      const auto now = current_.facts.find(name);
      if (now == current_.facts.end()) {
        breaks(name + " is gone");
      } else if (now->second != value) {
        changed(name, value, now->second);
      }
    }
    for (const auto& [name, value] : current_.facts) grew(!former_.facts.contains(name));
    result_.revision_stayed = result_.grew && current_.revision <= former_.revision;
    if (current_.revision < former_.revision)
      breaks("XHAL_ABI_REVISION fell from " + std::to_string(former_.revision));
    return std::move(result_);
  }

 private:
  void breaks(const std::string& reason) { result_.breaks.push_back(reason); }
  void changed(const std::string& name, const std::string& then, const std::string& now) {
    breaks(name + " was '" + then + "' and is '" + now + "'");
  }
  void wrong_since(const std::string& entry) {
    breaks("a new call's since must be " + std::to_string(current_.revision) + ": " + entry);
  }
  void grew(bool added) { result_.grew = result_.grew || added; }

  void compare_entries() {
    for (size_t i = 0; i < former_.entries.size(); ++i) {
      if (i >= current_.entries.size()) {
        breaks("gone: " + former_.entries[i]);
      } else if (former_.entries[i] != current_.entries[i]) {
        breaks("slot " + std::to_string(i) +
               " changed; new calls are added at the end of the list, nowhere else");
        return;
      }
    }
    for (size_t i = former_.entries.size(); i < current_.entries.size(); ++i) {
      grew(true);
      if (since_of(current_.entries[i]) != current_.revision) {
        breaks("a new call's since must be " + std::to_string(current_.revision) + ": " +
               current_.entries[i]);
      }
    }
  }

  // Programs of the old contract pass structs of the old size: only those that tell it, by struct_size, may grow.
  void compare_record(const std::string& name, const Record& former) {
    const auto found = current_.records.find(name);
    if (found == current_.records.end()) {
      breaks(name + " is gone");
      return;
    }
    const Record& now = found->second;
    const size_t kept = std::min(former.fields.size(), now.fields.size());
    for (size_t i = 0; i < kept; ++i) {
      if (former.fields[i] != now.fields[i]) {
        changed(name, former.fields[i], now.fields[i]);
        return;
      }
    }
    if (now.fields.size() < former.fields.size())
      breaks(name + ": gone: '" + former.fields[now.fields.size()] + "'");
    const bool has_size =
        !former.fields.empty() && former.fields[0] == "field 0 offset 0 uint32_t struct_size";
    if (now.fields.size() > former.fields.size()) {
      grew(true);
      if (!has_size) breaks(name + " grew and has no struct_size by which a callee could tell");
    } else if (now.size != former.size && !ends_in_grown_record(now)) {
      breaks(name + " was " + former.size + " and is " + now.size);
    }
  }

  [[nodiscard]] bool ends_in_grown_record(const Record& record) const {
    if (record.fields.empty()) return false;
    const std::string inner = record_of(record.fields.back());
    const auto then = former_.records.find(inner);
    const auto now = current_.records.find(inner);
    return then != former_.records.end() && now != current_.records.end() &&
           now->second.fields.size() > then->second.fields.size();
  }

  Dump former_;
  Dump current_;
  Comparison result_;
};

// Longest common subsequence would be nicer for large changes; dumps are sorted and differ little.
std::vector<std::string> difference(const std::vector<std::string>& former,
                                    const std::vector<std::string>& current) {
  std::multiset<std::string> old_lines(former.begin(), former.end());
  std::multiset<std::string> new_lines(current.begin(), current.end());
  std::vector<std::string> diff;
  std::string record;
  const auto walk = [&](const std::vector<std::string>& lines, std::multiset<std::string> others, char sign) {
    for (const std::string& line : lines) {
      if (line.front() != ' ') record = line.substr(0, line.find(" sizeof"));
      const auto twin = others.find(line);
      if (twin != others.end()) {
        others.erase(twin);
        continue;
      }
      std::string row(1, sign);
      row += " ";
      row += line;
      if (line.front() == ' ') row += "   (" + record + ")";
      diff.push_back(row);
    }
  };
  walk(former, new_lines, '-');
  walk(current, old_lines, '+');
  return diff;
}

}  // namespace

Comparison compare(const std::string& former, const std::string& current) {
  return Comparer(parse(former), parse(current)).run(difference(lines_of(former), lines_of(current)));
}

}  // namespace xhal::abi
