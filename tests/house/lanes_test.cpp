// SPDX-License-Identifier: Apache-2.0
// What the lane files promise: their sums, and that what stands in them is what runs.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <toml++/toml.h>

namespace {

const std::filesystem::path kSource = XHAL_SOURCE_DIR;

struct Lane {
  std::string name, needs, command;
  double minutes = 0;
  int64_t shards = 1;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Lane> parse(const toml::table& file) {
  std::vector<Lane> lanes;
  for (const toml::node& node : *file["lane"].as_array()) {
    const toml::table& lane = *node.as_table();
    lanes.push_back({.name = lane["name"].value_or(std::string()),
                     .needs = lane["needs"].value_or(std::string("-")),
                     .command = lane["command"].value_or(std::string()),
                     .minutes = lane["minutes"].value_or(0.0),
                     .shards = lane["shards"].value_or(int64_t{1})});
  }
  return lanes;
}

// What the runner itself reads from the file, one line a lane.
std::string list_of_runner(const std::string& file) {
  const std::string command = (kSource / "scripts/run-lanes.sh").string() + " --list --file " + file;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return "popen failed";
  }
  std::string text;
  std::array<char, 4096> buffer{};
  while (size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), got);
  }
  return pclose(pipe) == 0 ? text : "the runner refused the file";
}

class LaneFile : public testing::TestWithParam<const char*> {
 protected:
  toml::table file_ = toml::parse_file((kSource / GetParam()).string());
};

TEST_P(LaneFile, RunnerSeesWhatTomlSays) {
  std::ostringstream expected;
  for (const Lane& lane : parse(file_)) {
    expected << lane.name << '\t' << lane.minutes << '\t' << lane.shards << '\t' << lane.needs << '\t'
             << lane.command << '\n';
  }
  EXPECT_EQ(list_of_runner(GetParam()), expected.str());
}

TEST_P(LaneFile, EveryLaneSaysWhyItIsThere) {
  for (const toml::node& node : *file_["lane"].as_array()) {
    EXPECT_FALSE((*node.as_table())["why"].value_or(std::string()).empty())
        << "line " << node.source().begin.line;
  }
}

TEST_P(LaneFile, ScriptsOfLanesExist) {
  for (const Lane& lane : parse(file_)) {
    const size_t start = lane.command.find("scripts/");
    ASSERT_NE(start, std::string::npos) << lane.command;
    const std::string script = lane.command.substr(start, lane.command.find(' ', start) - start);
    EXPECT_TRUE(std::filesystem::is_regular_file(kSource / script)) << lane.command;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, LaneFile, testing::Values("ci/budget.toml", "ci/nightly.toml"),
                         [](const auto& file) {
                           return std::string(file.index == 0 ? "budget" : "nightly");
                         });

TEST(Budget, SumIsWithinThirtyMinutes) {
  const toml::table file = toml::parse_file((kSource / "ci/budget.toml").string());
  double sum = 0;
  for (const Lane& lane : parse(file)) {
    EXPECT_GT(lane.minutes, 0) << lane.name;
    sum += lane.minutes * static_cast<double>(lane.shards);
  }
  EXPECT_LE(sum, 30);
  EXPECT_EQ(file["total_minutes"].value_or(0), 30);
}

TEST(Budget, HasTheLanesThatAreAskedForAndTestsAreLast) {
  const std::vector<Lane> lanes = parse(toml::parse_file((kSource / "ci/budget.toml").string()));
  std::set<std::string> names;
  for (const Lane& lane : lanes) {
    names.insert(lane.name);
  }
  for (const char* name : {"setup", "lint", "build", "asan", "tsan", "tests"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  // ctest's summary is read by programs that look at the last lines.
  EXPECT_EQ(lanes.back().name, "tests");
}

TEST(Nightly, ShardsTakeNinetyMinutesAtMostAndLeaveEvidence) {
  const toml::table file = toml::parse_file((kSource / "ci/nightly.toml").string());
  for (const Lane& lane : parse(file)) {
    EXPECT_LE(lane.minutes, 90) << lane.name;
  }
  EXPECT_EQ(file["evidence"].value_or(std::string()), "build/nightly");
}

TEST(FrontDoor, CiRunsReadmesTestCommandAndNothingElse) {
  std::istringstream script(read_file(kSource / ".ci/run"));
  std::vector<std::string> commands;
  for (std::string line; std::getline(script, line);) {
    if (!line.empty() && line[0] != '#' && !line.starts_with("set ") && !line.starts_with("cd ")) {
      commands.push_back(line);
    }
  }
  EXPECT_EQ(commands, std::vector<std::string>{"exec make test"});
  const std::string readme = read_file(kSource / "README.md");
  EXPECT_NE(readme.find("\nmake test\n"), std::string::npos);
  EXPECT_NE(readme.find("\nmake conform\n"), std::string::npos);
  EXPECT_NE(read_file(kSource / "Makefile").find("--file ci/budget.toml"), std::string::npos);
  EXPECT_NE(read_file(kSource / "scripts/empty-root.sh").find("(\"make conform\" \"make test\")"),
            std::string::npos);
}

}  // namespace
