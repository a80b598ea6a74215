// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "contract.hpp"
#include "coverage.hpp"
#include "emit.hpp"
#include "evidence.hpp"
#include "pages.hpp"

namespace {

constexpr const char* kUsage = R"(usage: spec-check [OPTION]...
Compares docs/spec with the headers, the list of calls, the sketches and the tests. One finding a line: file:line: what.

  --root DIR          the repository; default: the current folder
  --tests FILE        a list of tests as 'xhal-conform --list --format json' prints it, repeatable; without one, nothing is
                      said about clauses without a test nor about pending.txt
  --write-pending     write docs/spec/pending.txt anew (needs --tests); refused when it would grow
  --emit-clauses FILE write the clauses as C++ initialisers {id, feature, text}, and check no more than their form
  --emit-ids FILE     write the ids alone, in the same order
  -h, --help

exit codes: 0 nothing found; 1 findings; 2 wrong usage, or a file cannot be written
)";

struct Options {
  std::string root = ".";
  std::vector<std::string> tests;
  std::string emit_clauses;
  std::string emit_ids;
  bool write_pending = false;
};

// Nothing when the arguments are wrong, after saying so.
std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&](std::string& out) {
      if (i + 1 == argc) {
        std::cerr << "spec-check: " << argument << " needs a value; see --help\n";
        return false;
      }
      out = argv[++i];
      return true;
    };
    std::string test_list;
    if (argument == "--write-pending") {
      options.write_pending = true;
    } else if (argument == "--root") {
      if (!value(options.root)) return std::nullopt;
    } else if (argument == "--tests") {
      if (!value(test_list)) return std::nullopt;
      options.tests.push_back(test_list);
    } else if (argument == "--emit-clauses") {
      if (!value(options.emit_clauses)) return std::nullopt;
    } else if (argument == "--emit-ids") {
      if (!value(options.emit_ids)) return std::nullopt;
    } else {
      std::cerr << "spec-check: unknown argument '" << argument << "'; see --help\n";
      return std::nullopt;
    }
  }
  if (options.write_pending && options.tests.empty()) {
    std::cerr << "spec-check: --write-pending needs --tests, else every clause would count as untested\n";
    return std::nullopt;
  }
  return options;
}

int report(xhal::spec::Findings findings) {
  std::sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
    return std::tie(a.file, a.line, a.text) < std::tie(b.file, b.line, b.text);
  });
  std::string last;
  size_t count = 0;
  for (const xhal::spec::Finding& finding : findings) {
    const std::string message = finding.message();
    if (message == last) continue;
    last = message;
    ++count;
    std::cout << message << "\n";
  }
  if (count > 0) std::cout << "spec-check: " << count << (count == 1 ? " finding\n" : " findings\n");
  return count == 0 ? 0 : 1;
}

bool emit(const std::string& path, const std::string& text) {
  if (path.empty() || xhal::spec::write_if_changed(path, text)) return true;
  std::cerr << "spec-check: cannot write " << path << "\n";
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (std::any_of(argv + 1, argv + argc,
                  [](const char* a) { return std::strcmp(a, "--help") == 0 || std::strcmp(a, "-h") == 0; })) {
    std::cout << kUsage;
    return 0;
  }
  const auto options = parse(argc, argv);
  if (!options) return 2;
  const std::filesystem::path root = options->root;

  xhal::spec::Findings findings;
  const auto contract = xhal::spec::read_contract(root, findings);
  const auto clauses = xhal::spec::read_pages(root, contract, findings);
  if (!options->emit_clauses.empty() || !options->emit_ids.empty()) {
    if (const int code = report(findings); code != 0) return code;
    const bool written = emit(options->emit_clauses, xhal::spec::clause_table(clauses)) &&
                         emit(options->emit_ids, xhal::spec::clause_ids(clauses));
    return written ? 0 : 2;
  }

  xhal::spec::check_mentions(root, clauses, findings);
  xhal::spec::check_coverage(root, contract, clauses, findings);
  xhal::spec::Tested tested;
  xhal::spec::read_markers(root, clauses, tested, findings);
  for (const std::string& list : options->tests) xhal::spec::read_test_list(list, clauses, tested, findings);
  if (!options->tests.empty()) {
    const auto former = xhal::spec::committed_pending_count(root);
    if (options->write_pending) {
      const std::string text = xhal::spec::pending_text(contract, clauses, tested);
      const size_t count = xhal::spec::pending_count(text).value_or(0);
      if (former && count > *former) {
        std::cerr << "spec-check: pending.txt would grow from " << *former << " to " << count
                  << "; new clauses come with their test\n";
        return 1;
      }
      if (!emit((root / xhal::spec::kPending).string(), text)) return 2;
    }
    xhal::spec::check_tested(contract, clauses, tested, findings);
    xhal::spec::check_pending(root, contract, clauses, tested, former, findings);
  } else {
    std::cout << "spec-check: no --tests: clauses without a test were not looked for\n";
  }
  if (const int code = report(findings); code != 0) return code;
  std::cout << "spec-check: " << clauses.all().size() << " clauses, " << contract.entries.size() << " calls, "
            << tested.size() << " clauses with a test: clean\n";
  return 0;
}
