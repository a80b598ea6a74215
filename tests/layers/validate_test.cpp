// SPDX-License-Identifier: Apache-2.0
// What a finding says, what becomes of the call and the run, options, threads and processes.
#include <algorithm>
#include <set>
#include <thread>

#include "../../hal/layers/validate/finding.hpp"
#include "validated.hpp"

namespace xhal::layers_test {
namespace {

// ---- What a finding says -------------------------------------------------------------------------------------------------------------------

TEST(Validate, BothPlacesAreTold) {
  Validated t;
  Cleanup keep(*t);
  char* memory = t->memory(64);
  std::thread([&] { EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_SUCCESS); }).join();
  EXPECT_EQ(xhal_memory_fill(keep.stream(), memory, 0, 1, 8), XHAL_SUCCESS) << "findings are told, no more";
  const auto findings = t.findings();
  ASSERT_EQ(findings.size(), 1U);
  const auto& finding = findings[0];
  EXPECT_EQ(finding.at("severity"), "error");
  EXPECT_EQ(finding.at("driver"), "clay");
  EXPECT_EQ(finding.at("process"), getpid());
  EXPECT_EQ(finding.at("at").at("entry"), "xhal_memory_fill");
  EXPECT_EQ(finding.at("at").at("thread"), gettid());
  EXPECT_EQ(finding.at("began").at("entry"), "xhal_memory_allocate");
  EXPECT_EQ(finding.at("ended").at("entry"), "xhal_memory_free");
  EXPECT_NE(finding.at("ended").at("thread"), gettid());
  EXPECT_LT(finding.at("began").at("call"), finding.at("ended").at("call"));
  EXPECT_LE(finding.at("ended").at("time_ns"), finding.at("at").at("time_ns"));
  // The callers are the program's: neither libxhal nor a layer.
  for (const char* place : {"at", "began", "ended"}) {
    const auto frames = finding.at(place).at("frames").get<std::vector<std::string>>();
    ASSERT_FALSE(frames.empty()) << place;
    EXPECT_NE(frames[0].find("validate_layer_test"), std::string::npos) << frames[0];
  }
  const auto logged = t->logged("0 validate: use-after-free:");
  ASSERT_EQ(logged.size(), 1U);
  EXPECT_NE(logged[0].find(finding.at("line").get<std::string>()), std::string::npos);
}

TEST(Validate, LeaksAreToldInTheOrderInWhichTheyBegan) {
  Validated t({{"validate", "backtrace", "0"}});
  t->memory(100);
  t->event();
  t->memory(200);
  t->destroy();
  std::string entries;
  for (const auto& finding : t.findings()) {
    entries += finding.at("at").at("entry").get<std::string>() + " ";
    EXPECT_TRUE(finding.at("at").at("frames").empty());
  }
  EXPECT_EQ(entries, "xhal_event_create xhal_memory_allocate xhal_memory_allocate ")
      << "objects, then memory";
  EXPECT_EQ(t->logged("0 validate: found in driver 'clay': 3 errors, 0 warnings: 3 leak").size(), 1U);
}

// ---- What becomes of the call ----------------------------------------------------------------------------------------------------------------

TEST(Validate, ErrorsRefuseTheCallWhereAskedFor) {
  Validated t({{"validate", "findings", "error"}});
  Cleanup keep(*t);
  xhal_stream_t stream = keep.stream();
  char* memory = keep.memory(64);
  const uint64_t before = t->control->calls();
  EXPECT_EQ(xhal_memory_fill(stream, memory, 0, 1, 65), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_STREQ(last_error().driver, "validate");
  EXPECT_STREQ(last_error().entry, "xhal_memory_fill");
  EXPECT_NE(std::string(last_error().text).find("out-of-bounds"), std::string::npos);
  EXPECT_EQ(xhal_memory_copy(stream, memory, memory + 1, 8), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory + 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_memory_free(t->devices[1], memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_event_create(t->devices[0], nullptr, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(t->control->calls(), before) << "the driver saw none of them";
  EXPECT_EQ(xhal_memory_fill(stream, memory, 0, 1, 64), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_wait_event(stream, keep.event(), 0), XHAL_SUCCESS) << "a warning refuses nothing";
}

TEST(Validate, ErrorsAbortWhereAskedFor) {
  const int status = in_child([] {
    Instance t("validate", {{"validate", "findings", "abort"}});
    xhal_memory_free(t.devices[0], t.memory(64) + 1);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

TEST(Validate, AFindingCanFailTheRun) {
  const auto run = [](bool leak, const char* option) {
    const int status = in_child([&] {
      Instance t("validate", {{"validate", option, "86"}});
      xhal_stream_t stream = t.stream();
      if (!leak) xhal_stream_destroy(stream);
      t.destroy();
      std::exit(0);
    });
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(run(true, "exit_code"), 86);
  EXPECT_EQ(run(false, "exit_code"), 0);
  EXPECT_EQ(run(true, "limit"), 0);
}

// An address that is given out over and over takes the whole memory of releases for itself, and its latest one is remembered all the same.
TEST(Validate, TheLatestReleaseIsRememberedHoweverManyThereWere) {
  Validated t({{"validate", "backtrace", "0"}});
  xhal_stream_t stream = t->stream();
  xhal_device_t device = t->devices[0];
  char* early = t->memory(64);
  char* late = t->memory(64);
  char* const reused = t->memory(64);
  EXPECT_EQ(xhal_memory_free(device, reused), XHAL_SUCCESS);
  t->control->misbehave(clay::Defect::kSameAddress);
  EXPECT_EQ(xhal_memory_free(device, early), XHAL_SUCCESS);
  constexpr int kMoreThanRemembered = 16384 + 100;
  for (int i = 0; i < kMoreThanRemembered; ++i) {
    if (i == kMoreThanRemembered / 2) {
      EXPECT_EQ(xhal_memory_free(device, late), XHAL_SUCCESS);
    }
    ASSERT_EQ(t->memory(64), reused);
    ASSERT_EQ(xhal_memory_free(device, reused), XHAL_SUCCESS);
  }
  EXPECT_EQ(t.kinds(), "");
  for (char* memory : {reused, late, early}) {
    xhal_memory_free(device, memory);
    xhal_memory_fill(stream, memory, 0, 1, 8);
  }
  EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "double-free use-after-free double-free use-after-free unknown-free unknown-memory")
      << "the first release is the oldest one, and too long ago";
}

// ---- Handles that are gone ---------------------------------------------------------------------------------------------------------------------

// Also when the driver has given the slot out again, and when the instance is gone.
TEST(Validate, StaleHandlesAreRefusedForEver) {
  xhal_stream_t old = nullptr;
  xhal_kernel_t old_kernel = nullptr;
  {
    Validated t({{"validate", "limit", "1"}});
    old = t->stream();
    xhal_module_t module = t->module();
    old_kernel = Instance::kernel(module);
    EXPECT_EQ(xhal_module_destroy(module), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_destroy(old), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_query(old), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_STREQ(last_error().driver, "validate");
    t->destroy();
  }
  xhal_kernel_info_t info = {};
  info.struct_size = sizeof(info);
  EXPECT_EQ(xhal_stream_query(old), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_kernel_get_info(old_kernel, &info), XHAL_ERROR_INVALID_HANDLE);
  for (const void* handle : {static_cast<const void*>(old), static_cast<const void*>(old_kernel)}) {
    EXPECT_EQ(static_cast<const xhal_handle_header_t*>(handle)->table->state, XHAL_TABLE_DEAD)
        << "the layer has given the handle back to libxhal";
  }
}

TEST(Validate, SlotsThatAreUsedAgainAreNew) {
  Validated t;
  std::set<xhal_event_t> seen;
  bool again = false;
  for (int i = 0; i < 3000; ++i) {
    xhal_event_t event = t->event();
    again = again || !seen.insert(event).second;
    EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
  }
  EXPECT_TRUE(again) << "no slot was used again: the test shows nothing";
  EXPECT_EQ(t.kinds(), "");
}

// ---- Options ---------------------------------------------------------------------------------------------------------------------------------

TEST(Validate, GroupsAndKindsAreChosen) {
  const auto kinds_with = [](const char* option, const char* value) {
    Validated t({{"validate", option, value}});
    Cleanup keep(*t);
    xhal_stream_t stream = keep.stream();
    xhal_memory_fill(stream, nullptr, 0, 1, 8);
    xhal_stream_wait_event(stream, keep.event(), 0);
    xhal_device_get_memory_info(t->devices[0], nullptr);
    return t.kinds();
  };
  EXPECT_EQ(kinds_with("check", "memory+event-never-recorded"), "null-address event-never-recorded");
  EXPECT_EQ(kinds_with("ignore", "arguments"), "null-address event-never-recorded");
  EXPECT_EQ(kinds_with("ignore", "memory+order+arguments"), "");
}

TEST(Validate, TheLimitIsOfEachKind) {
  Validated t({{"validate", "limit", "2"}});
  Cleanup keep(*t);
  xhal_stream_t stream = keep.stream();
  for (int i = 0; i < 5; ++i) {
    xhal_memory_fill(stream, nullptr, 0, 1, 8);
    xhal_device_get_memory_info(t->devices[0], nullptr);
  }
  EXPECT_EQ(t.kinds(), "null-address null-pointer null-address null-pointer");
  EXPECT_EQ(t->logged("1 validate: more than 2 findings").size(), 2U);
}

TEST(Validate, WrongOptionsAreRefused) {
  const std::pair<const char*, const char*> wrong[] = {
      {"no_such_option", "1"}, {"findings", "shout"}, {"check", "memroy"}, {"ignore", ""},       {"file", ""},
      {"backtrace", "25"},     {"backtrace", "many"}, {"limit", "-1"},     {"exit_code", "256"},
  };
  for (const auto& [key, value] : wrong) {
    const Instance t("validate", {{"validate", key, value}});
    EXPECT_EQ(t.result, XHAL_ERROR_INVALID_ARGUMENT) << key << "=" << value;
    EXPECT_NE(std::string(last_error().text).find(key), std::string::npos) << last_error().text;
  }
}

TEST(Validate, AFileThatCannotBeWrittenIsOneLine) {
  Instance t("validate", {{"validate", "file", "/no/such/folder/findings"}});
  ASSERT_EQ(t.result, XHAL_SUCCESS);
  for (int i = 0; i < 3; ++i) xhal_device_get_memory_info(t.devices[0], nullptr);
  EXPECT_EQ(t.logged("1 validate: findings are not in").size(), 1U);
  EXPECT_EQ(t.logged("0 validate: null-pointer").size(), 3U);
}

TEST(Validate, TheManualListsEveryKind) {
  std::set<std::string> listed;
  std::istringstream manual(read_text(XHAL_TEST_MANUAL));
  for (std::string line; std::getline(manual, line);) {
    if (line.find(" | error | ") != std::string::npos || line.find(" | warning | ") != std::string::npos)
      listed.insert(line.substr(0, line.find(" | ", line.find(" | ", line.find(" | ") + 1) + 1)));
  }
  std::set<std::string> kinds;
  for (const validate::KindInfo& kind : validate::kKinds) {
    kinds.insert("| `" + std::string(kind.code) + "` | " +
                 (kind.severity == validate::Severity::kError ? "error" : "warning") + " | " +
                 std::string(kind.group));
  }
  EXPECT_EQ(listed, kinds);
}

// ---- Threads and processes -----------------------------------------------------------------------------------------------------------------------

TEST(Validate, ThreadsThatKeepTheRulesAreLeftAlone) {
  Validated t;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&t, i] {
      for (int round = 0; round < 200; ++round) {
        Cleanup keep(*t);
        xhal_stream_t stream = keep.stream(i % 2);
        xhal_event_t event = keep.event(i % 2);
        char* memory = keep.memory(64, i % 2);
        const Launch launch(memory);
        EXPECT_EQ(xhal_memory_fill(stream, memory, 0, 1, 64), XHAL_SUCCESS);
        EXPECT_EQ(xhal_kernel_launch(stream, keep.kernel(i % 2), &launch.launch), XHAL_SUCCESS);
        EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
        EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  t->destroy();
  EXPECT_EQ(t.kinds(), "");
}

TEST(Validate, AForkedChildHasALayerOfItsOwn) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator, unlike libc's, may be locked for ever in the child";
#endif
  Validated t;
  std::atomic<bool> over{false};
  std::thread busy([&] {
    while (!over) xhal_memory_free(t->devices[0], t->memory(64));
  });
  for (int i = 0; i < 20; ++i) {
    const int status = in_child([] {
      Instance own("validate", {{"validate", "exit_code", "3"}});
      own.stream();
      own.destroy();
      std::exit(0);
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
  }
  over = true;
  busy.join();
}

}  // namespace
}  // namespace xhal::layers_test
