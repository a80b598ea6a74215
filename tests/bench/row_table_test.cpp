// SPDX-License-Identifier: Apache-2.0
#include "bench/command/row_table.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace xhal::bench {
namespace {

class GoalsFile : public testing::Test {
 protected:
  ~GoalsFile() override { std::remove(path_.c_str()); }
  RowTable goals(const std::string& text) {
    std::ofstream(path_) << text;
    return {path_, kGoals};
  }
  std::string refusal(const std::string& text) {
    try {
      goals(text);
    } catch (const RowTableError& error) {
      return error.what();
    }
    return "";
  }

 private:
  std::string path_ = testing::TempDir() + "goals_" + std::to_string(getpid()) + ".toml";
};

TEST_F(GoalsFile, NamesTheLastEntryThatMatchesAndOneOfTheDriverBeforeAll) {
  const RowTable all = goals(R"(
    [[goal]]
    driver = "sim"
    row = "launch.*"
    reference = "ring"
    limit = 2.0
    miss = "two cache lines"
    [[goal]]
    row = "launch.submit"
    reference = "ring"
    limit = 3.0
    [[goal]]
    row = "launch.submit"
    reference = "ring"
    limit = 4.0
  )");
  ASSERT_NE(all.find("launch.submit", "ring", "sim"), nullptr);
  EXPECT_EQ(all.find("launch.submit", "ring", "sim")->number, 2.0);
  EXPECT_EQ(all.find("launch.submit", "ring", "sim")->reason, "two cache lines");
  EXPECT_EQ(all.find("launch.submit", "ring", "other")->number, 4.0);
  EXPECT_EQ(all.find("launch.submit", "spin", "sim"), nullptr);
  EXPECT_EQ(all.find("call.noop", "ring", "sim"), nullptr);
}

TEST_F(GoalsFile, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal("[[goal]]\nrow = \"a\"\nreference = \"b\"\nlimt = 1.0\n").find("'limt'"),
            std::string::npos);
  EXPECT_NE(refusal("[[goal]]\nrow = \"a\"\nreference = \"b\"\n").find("limit"), std::string::npos);
  EXPECT_NE(refusal("[[goal]]\nrow = \"a\"\nreference = \"b\"\nlimit = -1.0\n").find("goal 1"),
            std::string::npos);
  EXPECT_NE(refusal("[goal]\n").find("[[goal]]"), std::string::npos);
  EXPECT_NE(refusal("[[goal]\n").find("line 1"), std::string::npos);
}

TEST(RowTableFile, OfAFileThatIsNotThereAreAnError) {
  EXPECT_THROW(RowTable("/nowhere/goals.toml", kGoals), RowTableError);
}

}  // namespace
}  // namespace xhal::bench
