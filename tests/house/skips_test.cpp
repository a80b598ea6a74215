// SPDX-License-Identifier: Apache-2.0
// No test is left out without an entry in tests/skips.toml that has a reason, a link and a day on which it is looked at again.
#include <gtest/gtest.h>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <toml++/toml.h>

namespace {

namespace fs = std::filesystem;
const fs::path kSource = XHAL_SOURCE_DIR;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// What stands behind each GTEST_SKIP of a file, up to its semicolon, with adjacent literals joined.
std::vector<std::string> skips_in(const std::string& text) {
  static const std::regex kJoint("\"\\s*\"");
  std::vector<std::string> found;
  const std::string word = std::string("GTEST_") + "SKIP()";
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t begin = at + word.size();
    found.push_back(std::regex_replace(text.substr(begin, text.find(";\n", begin) - begin), kJoint, ""));
  }
  return found;
}

TEST(Skips, EachHasAnEntryAndEachEntryItsPlace) {
  const toml::table file = toml::parse_file((kSource / "tests/skips.toml").string());
  const toml::array* entries = file["skip"].as_array();
  ASSERT_NE(entries, nullptr);
  std::multimap<std::string, std::string> listed;
  std::set<std::string> unused;
  for (const toml::node& node : *entries) {
    const toml::table& entry = *node.as_table();
    const auto file_name = entry["file"].value_or(std::string());
    const auto text = entry["text"].value_or(std::string());
    ASSERT_FALSE(text.empty()) << file_name;
    listed.emplace(file_name, text);
    unused.insert(file_name + ": " + text);
  }
  for (const auto& item : fs::recursive_directory_iterator(kSource / "tests")) {
    const std::string extension = item.path().extension();
    if (extension != ".cpp" && extension != ".hpp") continue;
    const std::string name = item.path().lexically_relative(kSource);
    const std::string text = read_file(item.path());
    EXPECT_EQ(text.find(std::string("DISABLED") + "_"), std::string::npos) << name;
    for (const std::string& skip : skips_in(text)) {
      bool known = false;
      const auto [first, last] = listed.equal_range(name);
      for (auto entry = first; entry != last; ++entry) {
        if (skip.find(entry->second) == std::string::npos) continue;
        known = true;
        unused.erase(name + ": " + entry->second);
      }
      EXPECT_TRUE(known) << name << " leaves a test out with" << skip
                         << ", and tests/skips.toml has no entry for it";
    }
  }
  for (const std::string& entry : unused)
    ADD_FAILURE() << "tests/skips.toml: nothing is left out like this: " << entry;
}

// The last commit's day, so that a commit that was green stays so.
std::chrono::sys_days day_of_commit() {
  const std::string command = "git -C '" + kSource.string() + "' log -1 --format=%ct 2>/dev/null";
  int64_t seconds = 0;
  if (FILE* pipe = popen(command.c_str(), "r"); pipe != nullptr) {
    if (std::fscanf(pipe, "%" SCNd64, &seconds) != 1) seconds = 0;
    pclose(pipe);
  }
  const auto now = std::chrono::system_clock::now();
  const auto then = seconds == 0 ? now : std::chrono::system_clock::from_time_t(seconds);
  return std::chrono::floor<std::chrono::days>(then);
}

TEST(Skips, EachHasAReasonALinkAndADayThatHasNotCome) {
  const toml::table file = toml::parse_file((kSource / "tests/skips.toml").string());
  const std::chrono::sys_days today = day_of_commit();
  for (const toml::node& node : *file["skip"].as_array()) {
    const toml::table& entry = *node.as_table();
    const std::string name =
        entry["file"].value_or(std::string()) + ": " + entry["text"].value_or(std::string());
    EXPECT_GE(entry["reason"].value_or(std::string()).size(), 20U) << name;
    EXPECT_GE(entry["when"].value_or(std::string()).size(), 5U) << name;
    const auto link = entry["link"].value_or(std::string());
    EXPECT_TRUE(link.starts_with("https://") || fs::is_regular_file(kSource / link)) << name << ": " << link;
    const auto day = entry["expires"].value<toml::date>();
    ASSERT_TRUE(day.has_value()) << name;
    const std::chrono::sys_days expires = std::chrono::year(day->year) / day->month / day->day;
    EXPECT_LT(today, expires) << name << ": look at the reason again";
    EXPECT_LT(expires, today + std::chrono::days(400)) << name << ": a day that nobody will see";
  }
}

}  // namespace
