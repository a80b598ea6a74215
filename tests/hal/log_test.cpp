// SPDX-License-Identifier: Apache-2.0
// Where lines go.
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "fixture.hpp"

namespace xhal::test {
namespace {

class LogTest : public HalTest {
 protected:
  static void say(xhal_instance_t instance, uint32_t level, const char* text) {
    fake_state_t* told = state(instance);
    told->services->log(told->host_context, level, "fake", text);
  }
  static Description& without_callback(Description& description) {
    description.desc.log = nullptr;
    return description;
  }
  static std::string temporary(const std::string& name) {
    return ::testing::TempDir() + "xhal_log_" + std::to_string(getpid()) + "_" + name;
  }
  static std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

TEST_F(LogTest, ACallbackGetsEveryLevelOfItsInstanceAlone) {
  XHAL_CLAUSE("XHAL-LOADER-52");
  setenv("XHAL_LOG", "error", 1);
  Description first;
  Description second;
  const xhal_instance_t a = create(first);
  const xhal_instance_t b = create(second);
  first.lines.clear();
  second.lines.clear();
  say(a, XHAL_LOG_DEBUG, "detail");
  say(b, XHAL_LOG_ERROR, "trouble");
  ASSERT_EQ(first.lines.size(), 1u);
  EXPECT_EQ(first.lines[0].level, static_cast<uint32_t>(XHAL_LOG_DEBUG));
  EXPECT_EQ(first.lines[0].source, "fake");
  EXPECT_EQ(first.lines[0].text, "detail");
  ASSERT_EQ(second.lines.size(), 1u);
  EXPECT_EQ(second.lines[0].text, "trouble");
}

TEST_F(LogTest, NoLineReachesACallbackAfterItsInstanceIsGone) {
  Description description;
  const xhal_instance_t instance = create(description);
  const fake_state_t told = *state(instance);
  ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  description.lines.clear();
  told.services->log(told.host_context, XHAL_LOG_DEBUG, "fake", "too late");
  told.services->activated(told.host_context);
  EXPECT_TRUE(description.lines.empty());
}

TEST_F(LogTest, TheVariableChoosesLevelAndFile) {
  XHAL_CLAUSE("XHAL-LOADER-52");
  const std::string path = temporary("chosen");
  setenv("XHAL_LOG", ("info:" + path).c_str(), 1);
  Description description;
  const xhal_instance_t instance = create(without_callback(description));
  say(instance, XHAL_LOG_INFO, "two\nlines");
  say(instance, XHAL_LOG_DEBUG, "not wanted");
  // A second instance appends to the same file.
  Description again;
  say(create(without_callback(again)), XHAL_LOG_ERROR, "trouble");
  EXPECT_EQ(contents(path), "xhal: info: fake: two lines\nxhal: error: fake: trouble\n");
  unlink(path.c_str());
}

TEST_F(LogTest, WithoutAVariableWarningsGoToStderr) {
  Description description;
  const xhal_instance_t instance = create(without_callback(description));
  testing::internal::CaptureStderr();
  say(instance, XHAL_LOG_WARNING, "careful");
  say(instance, XHAL_LOG_INFO, "not wanted");
  state(instance)->services->log(nullptr, XHAL_LOG_ERROR, nullptr, nullptr);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "xhal: warning: fake: careful\nxhal: error: : \n");
}

TEST_F(LogTest, WhatTheSearchRefusesIsAWarningALine) {
  XHAL_CLAUSE("XHAL-LOADER-53");
  const std::string folder = temporary("drivers");
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  const auto manifest = [&](const char* name, const char* abi) {
    std::ofstream(folder + "/" + name + ".json")
        << R"({"xhal_manifest": 1, "kind": "driver", "name": ")" << name
        << R"(", "library": "no_such_library.so", "abi": ")" << abi << "\"}";
  };
  std::ofstream(folder + "/malformed.json") << "{ \"xhal_manifest\": ";
  manifest("version", "0.9");
  manifest("lost", "0.1");
  ASSERT_EQ(mkfifo((folder + "/pipe.json").c_str(), 0600), 0);
  setenv("XHAL_DRIVER_PATH", (folder + ":" + drivers_of("good")).c_str(), 1);
  const auto warnings = [&](const char* drivers) {
    Description description(drivers);
    const xhal_instance_t instance = create(description);
    EXPECT_FALSE(devices(instance).empty()) << "other drivers are unaffected";
    std::string all;
    for (const LogLine& line : description.lines) {
      if (line.level != XHAL_LOG_WARNING || line.text.find(" was left out: ") == std::string::npos) continue;
      EXPECT_NE(line.text.find("; "), std::string::npos) << "what to do? " << line.text;
      EXPECT_EQ(line.text.find('\n'), std::string::npos) << line.text;
      all += line.text.substr(0, line.text.find(" was")) + " ";
    }
    return all;
  };
  const auto place = [&](const char* name) { return "'" + folder + "/" + name + ".json' "; };
  EXPECT_EQ(warnings(nullptr), place("lost") + place("malformed") + place("pipe") + place("version"));
  EXPECT_EQ(warnings("-sim,-lost"), place("malformed") + place("pipe") + place("version"));
  EXPECT_EQ(warnings("fake"), "") << "none of them was asked for";
  for (const char* name : {"malformed", "version", "lost", "pipe"})
    unlink((folder + "/" + name + ".json").c_str());
  rmdir(folder.c_str());
}

TEST_F(LogTest, AFileThatCannotBeOpenedCostsAWarningAndNoMore) {
  const std::string fifo = temporary("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  // A FIFO without a reader must not hang; a folder is no file; a level needs a name.
  for (const std::string& setting :
       {"debug:" + fifo, std::string("debug:/"), std::string("loud"), std::string("info:")}) {
    setenv("XHAL_LOG", setting.c_str(), 1);
    Description description;
    testing::internal::CaptureStderr();
    create(without_callback(description));
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_NE(told.find("xhal: warning: xhal: XHAL_LOG: "), std::string::npos) << setting << ": " << told;
    EXPECT_NE(told.find("lines go to stderr"), std::string::npos) << setting << ": " << told;
  }
  unlink(fifo.c_str());
}

}  // namespace
}  // namespace xhal::test
