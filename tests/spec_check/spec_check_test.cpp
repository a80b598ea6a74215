// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "emit.hpp"
#include "tree.hpp"

namespace xhal::spec {
namespace {

testing::AssertionResult holds(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << part << "' is not in:\n" << text;
}

constexpr const char* kEvents = "docs/spec/event.md";

TEST(Spec, clean_tree_has_no_finding) {
  const Tree tree;
  EXPECT_EQ(tree.check(), "");
  EXPECT_EQ(tree.check(1), "");
  EXPECT_EQ(tree.check(7), "");
}

// Each spoils one line of the clean tree and expects one message that names the place.
struct Spoilt {
  const char* name;
  const char* file;
  const char* from;
  const char* to;
  const char* message;
};
void PrintTo(const Spoilt& spoilt, std::ostream* out) { *out << spoilt.name; }

class OneSpoiltLine : public testing::TestWithParam<Spoilt> {};

TEST_P(OneSpoiltLine, is_found) {
  const Tree tree;
  ASSERT_NO_FATAL_FAILURE(tree.replace(GetParam().file, GetParam().from, GetParam().to));
  EXPECT_TRUE(holds(tree.check(), GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Pages, OneSpoiltLine,
    testing::Values(Spoilt{"id_not_closed", kEvents, "EVENT-1**", "EVENT-1",
                           "event.md:3: the id is not closed"},
                    Spoilt{"number_is_no_number", kEvents, "EVENT-1**", "EVENT-1a**",
                           "event.md:3: 'XHAL-EVENT-1a' is not of the form"},
                    Spoilt{"number_with_zero", kEvents, "EVENT-1**", "EVENT-01**",
                           "event.md:3: 'XHAL-EVENT-01' is not of the form"},
                    Spoilt{"feature_missing", kEvents, " (core) A rule,", " A rule,",
                           "event.md:3: XHAL-EVENT-1: behind the id"},
                    Spoilt{"feature_unknown", kEvents, "(peer)", "(pear)",
                           "event.md:7: XHAL-EVENT-3: unknown feature 'pear'"},
                    Spoilt{"seen_by_missing", kEvents, " — *Seen by:* another.", "",
                           "event.md:5: XHAL-EVENT-2: ' — *Seen by:* '"},
                    Spoilt{"seen_by_without_colon", kEvents, "*Seen by:* another", "*Seen by* another",
                           "event.md:5: XHAL-EVENT-2: ' — *Seen by:* '"},
                    Spoilt{"seen_by_empty", kEvents, "*Seen by:* another.", "*Seen by:* ",
                           "event.md:5: XHAL-EVENT-2: what a test observes"},
                    Spoilt{"rule_without_full_stop", kEvents, "of the host.", "of the host",
                           "event.md:5: XHAL-EVENT-2: the rule is no sentence"},
                    Spoilt{"number_twice", kEvents, "EVENT-2** (host)", "EVENT-1** (host)",
                           "event.md:5: XHAL-EVENT-1 stands already at docs/spec/event.md:3"},
                    Spoilt{"gap", kEvents, "EVENT-5**", "EVENT-6**",
                           "event.md:11: XHAL-EVENT-6: the next number of EVENT is 5"},
                    Spoilt{"not_alone_on_its_line", kEvents, "# Events\n\n", "# Events\n",
                           "event.md:2: XHAL-EVENT-1: a clause is one line"},
                    Spoilt{"indented", kEvents, "**XHAL-EVENT-2", " **XHAL-EVENT-2",
                           "event.md:5: a clause starts at the first column"},
                    Spoilt{"unknown_result", kEvents, "XHAL_ERROR_BUSY", "XHAL_ERROR_BUZY",
                           "event.md:3: XHAL_ERROR_BUZY is not in include/xhal"},
                    Spoilt{"unknown_call", kEvents, "xhal_stream_query", "xhal_stream_quary",
                           "event.md:3: xhal_stream_quary is not in include/xhal"},
                    Spoilt{"page_not_linked", "docs/spec/README.md", "(event.md)", "(evt.md)",
                           "README.md:1: does not link the page event.md"},
                    Spoilt{"header_names_unknown_clause", "include/xhal/base.h", "EVENT-1..2", "EVENT-9",
                           "base.h:1: XHAL-EVENT-9 is no clause"},
                    Spoilt{"header_range_too_long", "include/xhal/base.h", "EVENT-1..2", "EVENT-5..6",
                           "base.h:1: XHAL-EVENT-6 is no clause"},
                    Spoilt{"header_range_backwards", "include/xhal/base.h", "EVENT-1..2", "EVENT-2..1",
                           "base.h:1: XHAL-EVENT-2..: the range is empty"},
                    Spoilt{"header_names_withdrawn_clause", "include/xhal/base.h", "EVENT-1..2", "EVENT-4",
                           "base.h:1: XHAL-EVENT-4 is no clause"},
                    Spoilt{"feature_list_without_maturity", "include/xhal/features.def", "CORE, EXPERIMENTAL",
                           "CORE, MATURE", "features.def:2: a feature needs"},
                    Spoilt{"feature_twice", "include/xhal/features.def", "TIMING, timing", "CORE, core",
                           "features.def:3: feature core stands twice"},
                    Spoilt{"entry_of_unknown_feature", "include/xhal/entry_points.def", "ENTRY(PEER",
                           "ENTRY(PEAR", "entry_points.def:4: feature PEAR is not in"},
                    Spoilt{"entry_twice", "include/xhal/entry_points.def", "device_enable_peer",
                           "stream_query", "entry_points.def:4: xhal_stream_query stands twice"}),
    [](const auto& spoilt) { return std::string(spoilt.param.name); });

constexpr const char* kTable = "docs/spec/coverage.md";

INSTANTIATE_TEST_SUITE_P(
    Coverage, OneSpoiltLine,
    testing::Values(
        Spoilt{"empty_cell", kTable, "XHAL-EVENT-1 | cheap |", "XHAL-EVENT-1 | |",
               "coverage.md:5: cell 3 says nothing: ''"},
        Spoilt{"dash_cell", kTable, "XHAL-EVENT-1 | cheap |", "XHAL-EVENT-1 | – |",
               "coverage.md:5: cell 3 says nothing: '–'"},
        Spoilt{"empty_vendor_cell", kTable, "`hipStreamQuery`", " ", "coverage.md:11: cell 3 says nothing"},
        Spoilt{"need_without_answer", kTable, "`xhal_stream_query` XHAL-EVENT-1", "by the stream",
               "coverage.md:5: 'is it done' names neither"},
        Spoilt{"above_the_hal_without_reason", kTable, "above the HAL: a policy of the framework",
               "above the HAL: yes", "coverage.md:6: 'above the HAL:' needs a reason"},
        Spoilt{"unknown_call_in_need", kTable, "`xhal_stream_query` XHAL", "`xhal_stream_qery` XHAL",
               "coverage.md:5: xhal_stream_qery is not in"},
        Spoilt{"unknown_clause_in_need", kTable, "XHAL-EVENT-1 | cheap", "XHAL-EVENT-8 | cheap",
               "coverage.md:5: XHAL-EVENT-8 is no clause"},
        Spoilt{"row_missing", kTable, "| `xhal_stream_query` | `cu", "| `xhal_get_version` | `cu",
               "coverage.md:13: no row for xhal_stream_query"},
        Spoilt{"row_of_an_unlisted_export_missing", kTable, "| `xhal_result_name` |",
               "| `xhal_get_version` |", "coverage.md:13: no row for xhal_result_name"},
        Spoilt{"new_unlisted_export", "include/xhal/base.h", "xhal_result_name", "xhal_result_title",
               "coverage.md:13: no row for xhal_result_title"},
        Spoilt{"row_twice", kTable, "| `xhal_stream_query` | `cu", "| `xhal_get_version` | `cu",
               "coverage.md:11: xhal_get_version has a row already, line 10"},
        Spoilt{"row_of_no_call", kTable, "| `xhal_stream_query` | `cu", "| `xhal_base` | `cu",
               "coverage.md:11: '`xhal_base`' is no call"},
        Spoilt{"too_few_cells", kTable, "| libxhal: its own number |\n", "|\n",
               "coverage.md:10: 4 cells in a table of 5"},
        Spoilt{"columns_in_another_order", kTable, "| CUDA | HIP |", "| HIP | CUDA |",
               "coverage.md:8: column 2 must be CUDA"},
        Spoilt{"core_call_not_claimed", kTable, "own state: counts by", "not claimed: counts by",
               "coverage.md:11: xhal_stream_query, OpenCL: no driver may leave out"},
        Spoilt{"not_claimed_without_reason", kTable, "not claimed: no such call", "not claimed: no",
               "xhal_device_enable_peer, OpenCL: 'not claimed:' needs a reason"},
        Spoilt{"vendor_call_for_host_entry", kTable, "| libxhal: its own number |\n",
               "| own state: its own number |\n",
               "coverage.md:10: xhal_get_version, OpenCL: 'libxhal:' is for host"},
        Spoilt{"sketch_missing", kTable, "not claimed: no such call", "`clEnablePeer`",
               "xhal_device_enable_peer, OpenCL: no sketch_device_enable_peer"},
        Spoilt{"cell_without_vendor_call", kTable, "`cuStreamQuery`", "asks the stream",
               "xhal_stream_query, CUDA: names no call of the vendor"},
        Spoilt{"sketch_without_the_named_call", kTable, "`cuStreamQuery`", "`cuStreamSynchronize`",
               "xhal_stream_query, CUDA: cuStreamSynchronize does not occur in sketch_stream_query"},
        Spoilt{"call_of_another_sketch", kTable, "`cuStreamQuery`", "`cuCtxEnablePeerAccess`",
               "cuCtxEnablePeerAccess does not occur in sketch_stream_query"},
        Spoilt{"sketch_of_no_call", "docs/spec/sketches/hip/all.c", "sketch_stream_query",
               "sketch_stream_poll",
               "all.c:1: sketch_stream_poll: include/xhal/entry_points.def has no call"},
        Spoilt{"sketch_twice", "docs/spec/sketches/hip/all.c", "sketch_device_enable_peer",
               "sketch_stream_query", "all.c:2: sketch_stream_query stands twice"},
        Spoilt{"sketch_that_no_cell_uses", kTable, "`zeFenceQueryStatus`", "own state: counts",
               "coverage.md:11: xhal_stream_query: the cell says that no sketch is needed"},
        Spoilt{"interface_without_level", "docs/torch.md", "`query`, done", "`query`, over",
               "torch.md:3: conformance/levels/torch.toml has no interface 'query, over'"},
        Spoilt{"interface_without_row", "conformance/levels/torch.toml", "query, done", "query, gone",
               "torch.toml:5: docs/torch.md has no row 'query, gone'"},
        Spoilt{"interface_on_fewer_clauses", "conformance/levels/torch.toml", ", \"XHAL-EVENT-2\"", "",
               "torch.md:3: 'query, done' stands on other clauses"},
        Spoilt{"framework_names_no_clause", "docs/torch.md", "EVENT-1..2", "EVENT-1..8",
               "torch.md:3: XHAL-EVENT-8 is no clause"},
        Spoilt{"framework_cell_says_nothing", "docs/torch.md", "| cheap |", "| |",
               "torch.md:3: cell 4 says nothing"},
        Spoilt{"no_table_of_needs", kTable, "| need |", "| wish |", "has no table of needs"}),
    [](const auto& spoilt) { return std::string(spoilt.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Evidence, OneSpoiltLine,
    testing::Values(Spoilt{"core_clause_without_test", "tests.json", "\"XHAL-EVENT-1\", ", "",
                           "event.md:3: XHAL-EVENT-1 (core) has no test"},
                    Spoilt{"settled_clause_without_test", "tests.json", ", \"XHAL-EVENT-5\"", "",
                           "event.md:11: XHAL-EVENT-5 (timing) has no test"},
                    Spoilt{"host_clause_without_test", "tests/event_test.cpp", "XHAL_CLAUSE", "XHAL_CLAUZE",
                           "event.md:5: XHAL-EVENT-2 (host) has no test"},
                    Spoilt{"test_names_unknown_clause", "tests.json", "EVENT-5", "EVENT-6",
                           "test event.a names 'XHAL-EVENT-6'"},
                    Spoilt{"test_names_withdrawn_clause", "tests.json", "EVENT-5", "EVENT-4",
                           "test event.a names 'XHAL-EVENT-4'"},
                    Spoilt{"test_without_clause", "tests.json", "[\"XHAL-EVENT-1\", \"XHAL-EVENT-5\"]", "[]",
                           "test event.a names no clause"},
                    Spoilt{"test_of_another_shape", "tests.json", "\"clauses\"", "\"clause\"",
                           "a test is no object with a text id"},
                    Spoilt{"list_is_no_json", "tests.json", "{\"tests\"", "\"tests\"", "is no JSON array"},
                    Spoilt{"list_is_empty", "tests.json",
                           "{\"id\": \"event.a\", \"clauses\": [\"XHAL-EVENT-1\", \"XHAL-EVENT-5\"]}", "",
                           "lists no test"},
                    Spoilt{"marker_names_unknown_clause", "tests/event_test.cpp", "EVENT-2", "EVENT-7",
                           "event_test.cpp:1: XHAL_CLAUSE names 'XHAL-EVENT-7'"},
                    Spoilt{"pending_clause_got_a_test", "tests.json", "EVENT-5\"",
                           "EVENT-5\", \"XHAL-EVENT-3\"", "pending.txt:3: XHAL-EVENT-3 has a test now"},
                    Spoilt{"pending_clause_not_listed", "docs/spec/pending.txt", "XHAL-EVENT-3", "#",
                           "event.md:7: XHAL-EVENT-3 has no test and is not in"},
                    Spoilt{"pending_lists_core", "docs/spec/pending.txt", "XHAL-EVENT-3",
                           "XHAL-EVENT-3\nXHAL-EVENT-1",
                           "pending.txt:4: XHAL-EVENT-1 may not be pending: core"},
                    Spoilt{"pending_lists_settled", "docs/spec/pending.txt", "XHAL-EVENT-3",
                           "XHAL-EVENT-3\nXHAL-EVENT-5", "pending.txt:4: XHAL-EVENT-5 may not be pending"},
                    Spoilt{"pending_lists_unknown", "docs/spec/pending.txt", "XHAL-EVENT-3", "XHAL-EVENT-33",
                           "pending.txt:3: XHAL-EVENT-33 is no clause"},
                    Spoilt{"pending_lists_twice", "docs/spec/pending.txt", "XHAL-EVENT-3",
                           "XHAL-EVENT-3\nXHAL-EVENT-3", "pending.txt:4: XHAL-EVENT-3 is listed twice"},
                    Spoilt{"pending_counts_wrong", "docs/spec/pending.txt", "count 1", "count 2",
                           "pending.txt:1: says 2 and lists 1"},
                    Spoilt{"pending_without_count", "docs/spec/pending.txt", "count 1", "1",
                           "pending.txt:1: the first line must be 'count <number>'"}),
    [](const auto& spoilt) { return std::string(spoilt.param.name); });

TEST(Spec, a_page_is_one_files) {
  const Tree tree;
  tree.write("docs/spec/more.md", "**XHAL-EVENT-6** (core) A rule. — *Seen by:* a test.\n");
  EXPECT_TRUE(holds(tree.check(), "more.md:1: XHAL-EVENT-6: clauses of EVENT live in docs/spec/event.md"));
}

TEST(Spec, code_blocks_hold_no_clauses) {
  const Tree tree;
  tree.write(kEvents, tree.read(kEvents) + "\n```text\n**XHAL-EVENT-9** (x)\n```\n");
  EXPECT_FALSE(holds(tree.check(), "not closed"));
  EXPECT_FALSE(holds(tree.check(), "the next number"));
}

TEST(Spec, missing_files_are_findings_and_no_crash) {
  for (const char* name :
       {"include/xhal/features.def", "include/xhal/entry_points.def", "docs/spec/README.md",
        "docs/spec/coverage.md", "docs/spec/pending.txt", "tests.json"}) {
    const Tree tree;
    std::filesystem::remove(tree.root() / name);
    EXPECT_TRUE(holds(tree.check(), std::string(name) + ":1: cannot be read"));
  }
  const Tree tree;
  std::filesystem::remove_all(tree.root() / "docs");
  EXPECT_TRUE(holds(tree.check(), "docs/spec:1: holds no clause"));
}

TEST(Spec, pending_may_not_grow) {
  const Tree tree;
  EXPECT_TRUE(holds(tree.check(0), "pending.txt:1: grew from 0 to 1"));
}

TEST(Spec, written_pending_is_clean) {
  const Tree tree;
  tree.write(kPending, "count 9\n");
  Findings findings;
  const Contract contract = read_contract(tree.root(), findings);
  const Clauses clauses = read_pages(tree.root(), contract, findings);
  tree.write(kPending, pending_text(contract, clauses, {"XHAL-EVENT-1"}));
  EXPECT_EQ(tree.check(), "");
}

TEST(Spec, commits_are_asked_for_the_former_count) {
  const Tree tree;
  EXPECT_EQ(committed_pending_count(tree.root()), std::nullopt) << "the temporary folder is no checkout";
  const auto git = [&](const std::string& arguments) {
    const std::string command = "env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE git -C '" +
                                tree.root().string() +
                                "' -c user.name=t -c user.email=t@example.invalid -c commit.gpgsign=false " +
                                arguments + " >/dev/null 2>&1";
    return std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
  };
  ASSERT_EQ(git("init"), 0);
  EXPECT_EQ(committed_pending_count(tree.root()), std::nullopt) << "no commit yet";
  ASSERT_EQ(git("add -A"), 0);
  ASSERT_EQ(git("commit -m one"), 0);
  EXPECT_EQ(committed_pending_count(tree.root()), 1U);
  tree.write(kPending, "count 5\n");
  EXPECT_EQ(committed_pending_count(tree.root()), 1U) << "the working tree's count is not a commit's";
  ASSERT_EQ(git("commit -a -m two"), 0);
  EXPECT_EQ(committed_pending_count(tree.root()), 1U) << "growth that was committed is still seen";
  // Also when other commits came behind it, and when the file was gone meanwhile.
  for (const char* name : {"a", "b", "c"}) {
    tree.write(name, name);
    ASSERT_EQ(git("add -A"), 0);
    ASSERT_EQ(git(std::string("commit -m ") + name), 0);
  }
  ASSERT_EQ(git(std::string("rm ") + kPending), 0);
  ASSERT_EQ(git("commit -m gone"), 0);
  EXPECT_EQ(committed_pending_count(tree.root()), 1U);
  tree.write(kPending, "count 4\n");
  ASSERT_EQ(git("add -A"), 0);
  ASSERT_EQ(git("commit -m back"), 0);
  EXPECT_EQ(committed_pending_count(tree.root()), 1U);

  // A clone of the last commit alone knows its count, and nothing else.
  const Tree clone;
  std::filesystem::remove_all(clone.root());
  ASSERT_EQ(git("clone --depth 1 'file://" + tree.root().string() + "' '" + clone.root().string() + "'"), 0);
  EXPECT_EQ(committed_pending_count(clone.root()), 4U);
}

TEST(Spec, count_is_a_number) {
  EXPECT_EQ(pending_count("count 12\nXHAL-A-1\n"), 12U);
  EXPECT_EQ(pending_count("count 0"), 0U);
  EXPECT_EQ(pending_count("count -1\n"), std::nullopt);
  EXPECT_EQ(pending_count("count 1x\n"), std::nullopt);
  EXPECT_EQ(pending_count(""), std::nullopt);
}

TEST(Spec, emits_sorted_and_escaped_without_withdrawn) {
  const Tree tree;
  tree.write(kEvents, tree.read(kEvents) + "\n**XHAL-EVENT-6** (core) A \\ rule. — *Seen by:* a test.\n");
  Findings findings;
  const Contract contract = read_contract(tree.root(), findings);
  const Clauses clauses = read_pages(tree.root(), contract, findings);
  EXPECT_EQ(
      clause_ids(clauses),
      "\"XHAL-EVENT-1\",\n\"XHAL-EVENT-2\",\n\"XHAL-EVENT-3\",\n\"XHAL-EVENT-5\",\n\"XHAL-EVENT-6\",\n");
  EXPECT_TRUE(holds(clause_table(clauses), "{\"XHAL-EVENT-5\", \"timing\", \"A \\\"timed\\\" rule.\"},\n"));
  EXPECT_TRUE(holds(clause_table(clauses), "{\"XHAL-EVENT-6\", \"core\", \"A \\\\ rule.\"},\n"));
}

TEST(Spec, unchanged_output_is_left_alone) {
  const Tree tree;
  const auto file = tree.root() / "out.inc";
  ASSERT_TRUE(write_if_changed(file, "a\n"));
  const auto old = std::filesystem::last_write_time(file) - std::chrono::hours(1);
  std::filesystem::last_write_time(file, old);
  ASSERT_TRUE(write_if_changed(file, "a\n"));
  EXPECT_EQ(std::filesystem::last_write_time(file), old);
  ASSERT_TRUE(write_if_changed(file, "b\n"));
  EXPECT_NE(std::filesystem::last_write_time(file), old);
  EXPECT_FALSE(write_if_changed(tree.root() / "no" / "such" / "folder", "a"));
}

TEST(Spec, mentions_of_clauses) {
  const auto one = clause_mentions(
      "see [XHAL-EVENT-3], XHAL-ABI-1..4 and not xXHAL-EVENT-1 nor XHAL-EVENT nor XHAL-EVENT-007");
  ASSERT_EQ(one.size(), 2U);
  EXPECT_EQ(one[0].page, "EVENT");
  EXPECT_EQ(one[0].last, 3U);
  EXPECT_EQ(one[1].first, 1U);
  EXPECT_EQ(one[1].last, 4U);
}

// The checker reads the lists as text; the preprocessor is the judge of what they hold.
struct Listed {
  std::string name;
  std::string feature;
};

TEST(Spec, text_and_preprocessor_agree_on_the_real_lists) {
  std::vector<Listed> entries;
  std::vector<Listed> features;
#define XHAL_HOST_ENTRY(name, ...) entries.push_back({#name, "HOST"});
#define XHAL_ENTRY(feature, since, name, ...) entries.push_back({#name, #feature});
#include "xhal/entry_points.def"
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) features.push_back({#lower, #maturity});
#include "xhal/features.def"
#undef XHAL_FEATURE
  Findings findings;
  const Contract contract = read_contract(XHAL_SOURCE_DIR, findings);
  for (const Finding& finding : findings) ADD_FAILURE() << finding.message();
  ASSERT_EQ(contract.features.size(), features.size());
  for (size_t i = 0; i < features.size(); ++i) {
    EXPECT_EQ(contract.features[i].lower, features[i].name);
    EXPECT_EQ(contract.features[i].settled ? "SETTLED" : "EXPERIMENTAL", features[i].feature);
  }
  ASSERT_EQ(contract.entries.size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(contract.entries[i].name, entries[i].name);
    std::string upper = contract.entries[i].feature;
    for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    EXPECT_EQ(upper, entries[i].feature);
  }
  std::set<std::string> unlisted;
  for (const Entry& entry : contract.unlisted) unlisted.insert(entry.name);
  EXPECT_EQ(unlisted, (std::set<std::string>{"error_clear", "feature_from_name", "feature_name",
                                             "result_name", "result_text"}))
      << "what entry_points.def says about exports outside of it";
}

}  // namespace
}  // namespace xhal::spec
