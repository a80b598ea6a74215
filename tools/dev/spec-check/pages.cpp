// SPDX-License-Identifier: Apache-2.0
#include "pages.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace xhal::spec {

namespace {

constexpr std::string_view kStart = "**XHAL-";
constexpr std::string_view kSeenBy = " — *Seen by:* ";
constexpr std::string_view kWithdrawn = "*withdrawn*";

// Reads "**XHAL-EVENT-3** (core) One rule. — *Seen by:* a test." Says what is wrong in `problem`.
std::optional<Clause> parse_clause(const std::string& line, std::string& problem) {
  Clause clause;
  const std::string_view text(line);
  const size_t id_end = text.find("**", kStart.size());
  if (id_end == std::string_view::npos) {
    problem = "the id is not closed by **";
    return std::nullopt;
  }
  const std::string_view id = text.substr(kStart.size(), id_end - kStart.size());
  const size_t dash = id.rfind('-');
  const auto number = dash == std::string_view::npos ? std::nullopt : small_number(id.substr(dash + 1));
  const bool page_is_upper = dash != std::string_view::npos && dash > 0 &&
                             std::all_of(id.begin(), id.begin() + static_cast<std::ptrdiff_t>(dash),
                                         [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
  if (!number || !page_is_upper) {
    problem = "'XHAL-" + std::string(id) + "' is not of the form XHAL-<PAGE>-<number>";
    return std::nullopt;
  }
  clause.page = id.substr(0, dash);
  clause.number = *number;
  const std::string_view after = text.substr(id_end + 2);
  const size_t close = after.find(") ");
  if (!after.starts_with(" (") || close == std::string_view::npos) {
    problem = clause.id() + ": behind the id comes the feature in parentheses and one blank";
    return std::nullopt;
  }
  clause.feature = after.substr(2, close - 2);
  const std::string_view body = after.substr(close + 2);
  if (trimmed(body).starts_with(kWithdrawn)) {
    clause.withdrawn = true;
    return clause;
  }
  const size_t seen = body.find(kSeenBy);
  if (seen == std::string_view::npos) {
    problem = clause.id() + ": ' — *Seen by:* ' and what a test observes are missing";
    return std::nullopt;
  }
  clause.rule = trimmed(body.substr(0, seen));
  clause.seen_by = trimmed(body.substr(seen + kSeenBy.size()));
  if (clause.rule.empty() || clause.rule.back() != '.')
    problem = clause.id() + ": the rule is no sentence with a full stop";
  if (clause.seen_by.empty() || clause.seen_by.back() != '.') {
    problem = clause.id() + ": what a test observes is empty or has no full stop";
  }
  if (clause.rule.find("*Seen by") != std::string::npos ||
      clause.seen_by.find("*Seen by") != std::string::npos) {
    problem = clause.id() + ": *Seen by:* stands twice";
  }
  return clause;
}

// Names of calls and result values in a page must exist: a misspelt one would never be noticed by a reader's eye.
void check_names(const TextFile& file, size_t line, const Contract& contract, Findings& findings) {
  for (const std::string& word : identifiers(file.lines[line])) {
    const bool is_result = word.starts_with("XHAL_ERROR_") || word.starts_with("XHAL_CAPTURE_") ||
                           word.starts_with("XHAL_EVENT_");
    // A key of manifest files, not a call.
    const bool is_call = word.starts_with("xhal_") && word != "xhal_" && word != "xhal_manifest";
    if ((is_result || is_call) && !contract.names.contains(word)) {
      // A family of calls, written xhal_error_*.
      const bool is_family = word.back() == '_' && file.lines[line].find(word + "*") != std::string::npos;
      if (!is_family) findings.push_back({file.name, line + 1, word + " is not in " + kHeaders});
    }
  }
}

struct PageState {
  std::map<std::string, std::string> file_of_page;
  std::map<std::string, unsigned> last_number;
};

void check_order(const Clause& clause, PageState& state, Findings& findings) {
  const auto [home, is_new] = state.file_of_page.emplace(clause.page, clause.file);
  if (!is_new && home->second != clause.file) {
    findings.push_back(
        {clause.file, clause.line, clause.id() + ": clauses of " + clause.page + " live in " + home->second});
    return;
  }
  unsigned& last = state.last_number[clause.page];
  if (clause.number != last + 1) {
    findings.push_back({clause.file, clause.line,
                        clause.id() + ": the next number of " + clause.page + " is " +
                            std::to_string(last + 1) +
                            "; numbers have no gap and no second use (one that goes stays as *withdrawn*)"});
  }
  last = std::max(last, clause.number);
}

void read_page(const TextFile& file, const Contract& contract, PageState& state, Clauses& clauses,
               Findings& findings) {
  bool in_code = false;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (line.starts_with("```")) in_code = !in_code;
    if (in_code || line.starts_with("    ")) continue;
    check_names(file, i, contract, findings);
    if (!line.starts_with(kStart)) {
      if (line.find(kStart) != std::string::npos) {
        findings.push_back({file.name, i + 1, "a clause starts at the first column of its line"});
      }
      continue;
    }
    std::string problem;
    auto clause = parse_clause(line, problem);
    if (!problem.empty()) findings.push_back({file.name, i + 1, problem});
    if (!clause) continue;
    clause->file = file.name;
    clause->line = i + 1;
    if (clause->feature != "host" && !contract.has_feature(clause->feature)) {
      findings.push_back({file.name, i + 1,
                          clause->id() + ": unknown feature '" + clause->feature + "'; see " + kFeatureList});
    }
    const bool alone_above = i == 0 || trimmed(file.lines[i - 1]).empty();
    const bool alone_below = i + 1 == file.lines.size() || trimmed(file.lines[i + 1]).empty();
    if (!alone_above || !alone_below) {
      findings.push_back(
          {file.name, i + 1, clause->id() + ": a clause is one line with an empty line above and below"});
    }
    if (const Clause* former = clauses.add(*clause)) {
      findings.push_back(
          {file.name, i + 1,
           clause->id() + " stands already at " + former->file + ":" + std::to_string(former->line)});
    } else {
      check_order(*clause, state, findings);
    }
  }
}

void check_index(const std::filesystem::path& root, const std::set<std::string>& pages, Findings& findings) {
  const std::string name = std::string(kSpec) + "/README.md";
  const auto index = read_text(root, name);
  if (!index) {
    findings.push_back({name, 1, "cannot be read"});
    return;
  }
  const std::string text = index->joined();
  for (const std::string& page : pages) {
    const std::string file = page.substr(page.rfind('/') + 1);
    if (text.find("(" + file + ")") == std::string::npos)
      findings.push_back({name, 1, "does not link the page " + file});
  }
}

}  // namespace

const Clause* Clauses::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || all_[found->second].withdrawn) return nullptr;
  return &all_[found->second];
}

const Clause* Clauses::add(Clause clause) {
  const auto [place, is_new] = by_id_.emplace(clause.id(), all_.size());
  if (!is_new) return &all_[place->second];
  all_.push_back(std::move(clause));
  return nullptr;
}

Clauses read_pages(const std::filesystem::path& root, const Contract& contract, Findings& findings) {
  Clauses clauses;
  PageState state;
  std::set<std::string> pages_with_clauses;
  for (const std::string& name : list_files(root, kSpec, {".md"})) {
    const auto file = read_text(root, name);
    if (!file) continue;
    const size_t before = clauses.all().size();
    read_page(*file, contract, state, clauses, findings);
    if (clauses.all().size() > before) pages_with_clauses.insert(name);
  }
  if (clauses.all().empty()) findings.push_back({kSpec, 1, "holds no clause"});
  check_index(root, pages_with_clauses, findings);
  return clauses;
}

void check_mentions(const std::filesystem::path& root, const Clauses& clauses, Findings& findings) {
  const std::vector<std::string_view> suffixes = {".h",     ".hpp",  ".def",  ".c",  ".cpp", ".cl",
                                                  ".md",    ".toml", ".json", ".in", ".sh",  "CMakeLists.txt",
                                                  ".cmake", ".txt",  ".py"};
  for (const char* folder :
       {"include", "hal", "sim", "kernels", "conformance", "bench", "tools", "tests", "examples", "docs"}) {
    for (const std::string& name : list_files(root, folder, suffixes)) {
      // Holds bad clauses on purpose.
      if (name.starts_with("tests/spec_check/")) continue;
      const auto file = read_text(root, name);
      if (!file) continue;
      for (size_t i = 0; i < file->lines.size(); ++i) {
        for (const ClauseMention& mention : clause_mentions(file->lines[i])) {
          if (mention.last < mention.first) {
            findings.push_back(
                {name, i + 1,
                 "XHAL-" + mention.page + "-" + std::to_string(mention.first) + "..: the range is empty"});
          }
          for (unsigned number = mention.first; number <= mention.last; ++number) {
            const std::string id = "XHAL-" + mention.page + "-" + std::to_string(number);
            // Its own line may say of a clause that it is withdrawn.
            const bool own_line = file->lines[i].starts_with("**" + id + "**");
            if (clauses.find(id) == nullptr && !own_line) {
              findings.push_back({name, i + 1, id + " is no clause of docs/spec (any more)"});
            }
          }
        }
      }
    }
  }
}

}  // namespace xhal::spec
