// SPDX-License-Identifier: Apache-2.0
#include "coverage.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace xhal::spec {

std::vector<std::string> table_cells(const std::string& line) {
  std::string_view text = trimmed(line);
  if (!text.starts_with("|")) return {};
  text.remove_prefix(1);
  if (text.ends_with("|")) text.remove_suffix(1);
  std::vector<std::string> cells;
  for (const std::string& cell : split(text, '|')) cells.emplace_back(trimmed(cell));
  return cells;
}

bool is_rule(const std::vector<std::string>& cells) {
  return std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return cell.find_first_not_of(":-") == std::string::npos && cell.size() >= 3;
  });
}

namespace {

constexpr std::string_view kSketchPrefix = "sketch_";

// Vendor folder and entry -> the identifiers of its sketch's body.
using Sketches = std::map<std::pair<std::string, std::string>, std::set<std::string>>;

// "-", "?", "n/a", "..." fill a cell and say nothing.
bool says_nothing(const std::string& cell) {
  const auto words = identifiers(cell);
  const size_t letters = static_cast<size_t>(std::count_if(cell.begin(), cell.end(), is_word));
  return words.empty() || letters < 2 || cell == "n/a" || cell == "none";
}

// A cell that starts with a marker must have a reason of some length behind it.
bool marked(const std::string& cell, std::string_view marker) { return cell.starts_with(marker); }
bool has_reason(const std::string& cell, std::string_view marker) { return cell.size() >= marker.size() + 8; }

std::vector<std::string> code_words(const std::string& cell) {
  std::vector<std::string> words;
  const auto parts = split(cell, '`');
  for (size_t i = 1; i < parts.size(); i += 2) {
    for (std::string& word : identifiers(parts[i])) words.push_back(std::move(word));
  }
  return words;
}

// cuStreamCreate, hipMalloc, zeMemFree, clFinish; also zesDeviceGetProperties, cuptiActivityEnable, nvmlDeviceGetUUID.
bool is_vendor_call(const std::string& word, const Vendor& vendor) {
  if (word.starts_with("CUPTI") || word.starts_with("CU_") || word.starts_with("CL_") ||
      word.starts_with("ZE_"))
    return false;
  const auto begins = [&word](std::string_view prefix) {
    const bool snake = prefix.ends_with('_');
    return word.starts_with(prefix) && word.size() > prefix.size() &&
           (snake || (word[prefix.size()] >= 'A' && word[prefix.size()] <= 'Z'));
  };
  // What belongs to a vendor's interface under another prefix than its own.
  constexpr std::pair<std::string_view, std::string_view> kSiblings[] = {
      {"cuda", "cupti"}, {"cuda", "nvml"},      {"hip", "rsmi_"},     {"hip", "roctracer_"},
      {"hip", "hsa_"},   {"level_zero", "zes"}, {"level_zero", "zet"}};
  return begins(vendor.prefix) ||
         std::any_of(std::begin(kSiblings), std::end(kSiblings), [&](const auto& sibling) {
           return sibling.first == vendor.folder && begins(sibling.second);
         });
}

std::string no_such_call(const std::string& entry) {
  return "sketch_" + entry + ": " + kEntryList + " has no call xhal_" + entry;
}
std::string sketched_twice(const std::string& entry, const std::string& folder) {
  return "sketch_" + entry + " stands twice in " + folder;
}

void read_sketch(const TextFile& file, const std::string& folder, const Contract& contract,
                 Sketches& sketches, Findings& findings) {
  std::set<std::string>* body = nullptr;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    const size_t at = line.find(kSketchPrefix);
    const bool at_margin =
        at != std::string::npos && at > 0 && !line.starts_with(" ") && !line.starts_with("/");
    const bool starts_function =
        at_margin && line.find('(', at) != std::string::npos && !trimmed(line).ends_with(';');
    if (starts_function) {
      const std::string entry =
          line.substr(at + kSketchPrefix.size(), line.find('(', at) - at - kSketchPrefix.size());
      if (contract.find_entry(entry) == nullptr) {
        findings.push_back({file.name, i + 1, no_such_call(entry)});
      }
      const auto [place, is_new] = sketches.emplace(std::make_pair(folder, entry), std::set<std::string>{});
      if (!is_new) findings.push_back({file.name, i + 1, sketched_twice(entry, folder)});
      body = &place->second;
    }
    if (body != nullptr) {
      for (std::string& word : identifiers(line)) body->insert(std::move(word));
    }
    if (line.starts_with("}") || (starts_function && trimmed(line).ends_with('}'))) body = nullptr;
  }
}

Sketches read_sketches(const std::filesystem::path& root, const Contract& contract, Findings& findings) {
  Sketches sketches;
  for (const Vendor& vendor : kVendors) {
    const std::string folder(vendor.folder);
    for (const std::string& name : list_files(root, std::string(kSketches) + "/" + folder, {".c"})) {
      if (const auto file = read_text(root, name)) read_sketch(*file, folder, contract, sketches, findings);
    }
  }
  return sketches;
}

class CoverageCheck {
 public:
  CoverageCheck(const Contract& contract, const Clauses& clauses, const Sketches& sketches,
                Findings& findings)
      : contract_(contract), clauses_(clauses), sketches_(sketches), findings_(findings) {}

  void read(const TextFile& file) {
    name_ = file.name;
    shape_ = Shape::kNone;
    for (line_ = 1; line_ <= file.lines.size(); ++line_) {
      const std::string& line = file.lines[line_ - 1];
      check_names(line);
      const auto cells = table_cells(line);
      if (cells.empty()) {
        shape_ = Shape::kNone;
        continue;
      }
      if (shape_ == Shape::kNone) {
        start_table(cells);
      } else if (!is_rule(cells)) {
        check_row(cells);
      }
    }
  }

  void finish(const TextFile& file) {
    name_ = file.name;
    line_ = std::max<size_t>(1, file.lines.size());
    if (need_rows_ == 0) find("has no table of needs: | need | calls and clauses | remark |");
    for (const std::vector<Entry>* list : {&contract_.entries, &contract_.unlisted}) {
      for (const Entry& entry : *list) {
        if (!rows_.contains(entry.name)) find("no row for xhal_" + entry.name);
      }
    }
    for (const auto& [key, words] : sketches_) {
      if (!used_sketches_.contains(key) && contract_.find_entry(key.second) != nullptr &&
          rows_.contains(key.second)) {
        findings_.push_back({kCoverage, rows_.at(key.second),
                             "xhal_" + key.second + ": the cell says that no sketch is needed, and " +
                                 kSketches + "/" + key.first + " has sketch_" + key.second});
      }
    }
  }

 private:
  enum class Shape : uint8_t { kNone, kNeeds, kVendors, kOther };

  void find(const std::string& text) { findings_.push_back({name_, line_, text}); }

  void start_table(const std::vector<std::string>& header) {
    columns_ = header.size();
    if (header[0] == "need" && header.size() >= 3) {
      shape_ = Shape::kNeeds;
    } else if (header[0] == "call" && header.size() == 1 + kVendors.size()) {
      shape_ = Shape::kVendors;
      for (size_t i = 0; i < kVendors.size(); ++i) {
        if (header[i + 1] != kVendors[i].column)
          find("column " + std::to_string(i + 2) + " must be " + std::string(kVendors[i].column));
      }
    } else {
      shape_ = Shape::kOther;
    }
  }

  void check_row(const std::vector<std::string>& cells) {
    if (cells.size() != columns_) {
      find(std::to_string(cells.size()) + " cells in a table of " + std::to_string(columns_) + " columns");
      return;
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      if (says_nothing(cells[i])) find("cell " + std::to_string(i + 1) + " says nothing: '" + cells[i] + "'");
    }
    if (shape_ == Shape::kNeeds) check_need(cells);
    if (shape_ == Shape::kVendors) check_call(cells);
  }

  void check_need(const std::vector<std::string>& cells) {
    ++need_rows_;
    const std::string& answer = cells[1];
    for (const std::string_view marker : {kAboveTheHal, kLater}) {
      if (!marked(answer, marker)) continue;
      if (!has_reason(answer, marker)) find("'" + std::string(trimmed(marker)) + "' needs a reason");
      return;
    }
    const auto words = identifiers(answer);
    const bool names_call = std::any_of(words.begin(), words.end(),
                                        [](const std::string& word) { return word.starts_with("xhal_"); });
    if (!names_call && clause_mentions(answer).empty()) {
      find("'" + cells[0] + "' names neither a call nor a clause, nor '" +
           std::string(trimmed(kAboveTheHal)) + "' or '" + std::string(trimmed(kLater)) + "' with a reason");
    }
  }

  void check_call(const std::vector<std::string>& cells) {
    const auto words = identifiers(cells[0]);
    const std::string name = words.size() == 1 && words[0].starts_with("xhal_") ? words[0].substr(5) : "";
    const Entry* entry = contract_.find_entry(name);
    if (entry == nullptr) {
      find("'" + cells[0] + "' is no call of " + kEntryList + ", nor exported by libxhal beside it");
      return;
    }
    if (const auto [place, is_new] = rows_.emplace(name, line_); !is_new) {
      find("xhal_" + name + " has a row already, line " + std::to_string(place->second));
      return;
    }
    for (size_t i = 0; i < kVendors.size(); ++i) check_vendor_cell(*entry, kVendors[i], cells[i + 1]);
  }

  void check_vendor_cell(const Entry& entry, const Vendor& vendor, const std::string& cell) {
    const std::string where = "xhal_" + entry.name + ", " + std::string(vendor.column) + ": ";
    for (const std::string_view marker : {kNotClaimed, kOwnState, kByLibxhal}) {
      if (!marked(cell, marker)) continue;
      if (!has_reason(cell, marker)) find(where + "'" + std::string(trimmed(marker)) + "' needs a reason");
      if (marker == kNotClaimed && (entry.feature == "core" || entry.feature == "host")) {
        find(where + "no driver may leave out a call of " + entry.feature);
      }
      if ((marker == kByLibxhal) != (entry.feature == "host"))
        find(where + "'libxhal:' is for host entries, and for all of them");
      return;
    }
    const auto key = std::make_pair(std::string(vendor.folder), entry.name);
    const auto sketch = sketches_.find(key);
    if (sketch == sketches_.end()) {
      find(where + "no sketch_" + entry.name + " in " + kSketches + "/" + key.first +
           " and no reason for that");
      return;
    }
    used_sketches_.insert(key);
    size_t calls = 0;
    for (const std::string& word : code_words(cell)) {
      if (!is_vendor_call(word, vendor)) continue;
      ++calls;
      if (!sketch->second.contains(word)) find(where + word + " does not occur in sketch_" + entry.name);
    }
    if (calls == 0) find(where + "names no call of the vendor in backticks");
  }

  void check_names(const std::string& line) {
    for (const std::string& word : identifiers(line)) {
      const bool ours = (word.starts_with("xhal_") && word.size() > 5) || word.starts_with("XHAL_");
      if (ours && !contract_.names.contains(word)) find(word + " is not in " + kHeaders);
    }
    for (const ClauseMention& mention : clause_mentions(line)) {
      for (unsigned number = mention.first; number <= mention.last; ++number) {
        const std::string id = "XHAL-" + mention.page + "-" + std::to_string(number);
        if (clauses_.find(id) == nullptr) find(id + " is no clause of docs/spec (any more)");
      }
    }
  }

  const Contract& contract_;
  const Clauses& clauses_;
  const Sketches& sketches_;
  Findings& findings_;
  std::string name_;
  size_t line_ = 0;
  size_t columns_ = 0;
  size_t need_rows_ = 0;
  Shape shape_ = Shape::kNone;
  std::map<std::string, size_t> rows_;
  std::set<std::pair<std::string, std::string>> used_sketches_;
};

}  // namespace

void check_coverage(const std::filesystem::path& root, const Contract& contract, const Clauses& clauses,
                    Findings& findings) {
  const auto file = read_text(root, kCoverage);
  if (!file) {
    findings.push_back({kCoverage, 1, "cannot be read"});
    return;
  }
  const Sketches sketches = read_sketches(root, contract, findings);
  CoverageCheck check(contract, clauses, sketches, findings);
  check.read(*file);
  check.finish(*file);
  if (const auto framework = read_text(root, kFramework)) {
    check.read(*framework);
    check_interfaces(root, *framework, findings);
  }
}

}  // namespace xhal::spec
