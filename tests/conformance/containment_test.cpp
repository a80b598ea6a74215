// SPDX-License-Identifier: Apache-2.0
// What a driver does to its process is the outcome of one test, and nobody else's.
#include <gtest/gtest.h>

#include "conform.hpp"

namespace xhal::test {
namespace {

const std::vector<std::string> kDeviceTests = {"--level", "core", "--filter", "device.*"};

struct Fault {
  std::string name;
  std::string outcome;
  std::string says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

const Fault kFaults[] = {{"crash", "crashed", "SIGSEGV"},
                         {"smash", "crashed", "SIG"},
                         {"abort", "crashed", "SIGABRT"},
                         {"exit", "crashed", "left without being told"},
                         {"hang", "timed_out", "no end within"}};

class Contained : public testing::TestWithParam<Fault> {};

std::string name_of(const testing::TestParamInfo<Fault>& one) { return one.param.name; }

// A hang is waited out, so its limit is short, and longer where the machine is too slow for it: what is not meant to hang has answered
// then. Other faults have the limits of every run.
template <class TooShort>
Ending judge_fault(const Fault& fault, const std::vector<std::string>& arguments, const char* where,
                   TooShort too_short) {
  const Environment environment = mutant("minimal", fault.name + where);
  if (fault.name != "hang") return judge(arguments, environment);
  Ending ending;
  for (const char* limit : {"2", "8", "30"}) {
    ending = judge(arguments + std::vector<std::string>{"--timeout", limit, "--entry-timeout", limit},
                   environment);
    if (!too_short(ending)) break;
  }
  return ending;
}

// Patience follows the device, not one slow start: a thousand times a typical round trip, and twenty times the first.
TEST(Deadlines, FollowTheDevice) {
  const auto patience_s = [](const std::string& fault) {
    const Ending ending = judge(driver("minimal") + kDeviceTests, mutant("minimal", fault));
    EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
    const auto& options = ending.report.at("options");
    EXPECT_GE(options.at("test_deadline_s").get<double>(), options.at("patience_ns").get<double>() * 1e-9);
    return options.at("patience_ns").get<double>() * 1e-9;
  };
  EXPECT_GE(patience_s("slow:stream_synchronize"), 20);
  const double after_a_slow_start = patience_s("tarry:stream_synchronize");
  EXPECT_GE(after_a_slow_start, 20);
  EXPECT_LT(after_a_slow_start, 1000);
}

TEST_P(Contained, FaultOfOneEntryIsTheOutcomeOfItsTest) {
  const Fault& fault = GetParam();
  const Ending ending =
      judge_fault(fault, driver("minimal") + kDeviceTests, ":device_get_link", [](const Ending& one) {
        return one.report_text.empty() || tests_with(one.report, "timed_out").size() != 1 ||
               !tests_with(one.report, "unstable").empty();
      });
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  ASSERT_EQ(outcome_of(ending.report, "device.links"), fault.outcome) << ending.out << ending.err;
  const auto& test = *find_test(ending.report, "device.links");
  EXPECT_NE(test.at("message").get<std::string>().find(fault.says), std::string::npos) << test.at("message");
  ASSERT_FALSE(test.at("last_calls").empty());
  EXPECT_NE(test.at("last_calls").back().get<std::string>().find("xhal_device_get_link"), std::string::npos)
      << test.at("last_calls");
  for (const std::string& id : tests_with(ending.report, "")) {
    if (id == "device.links") continue;
    const std::string outcome = outcome_of(ending.report, id);
    EXPECT_TRUE(outcome == "passed" || outcome == "skipped") << id << " " << outcome;
  }
  EXPECT_GT(tests_with(ending.report, "passed").size(), 8U);
  expect_consistent(ending.report);
  expect_valid(ending.report_text);
}

TEST_P(Contained, FaultAtCloseIsCarriedByTheLastTest) {
  const Fault& fault = GetParam();
  const Ending ending =
      judge_fault(fault, driver("minimal") + std::vector<std::string>{"--filter", "device.uuid"}, ":close",
                  [](const Ending& one) { return one.report_text.empty(); });
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  // The test itself closes an instance of its own.
  EXPECT_EQ(outcome_of(ending.report, "device.uuid"), fault.outcome) << ending.out;
}

INSTANTIATE_TEST_SUITE_P(Every, Contained, testing::ValuesIn(kFaults), name_of);

// A test that closes no instance passes, and its worker's end is looked at all the same.
TEST(Containment, TroubleBehindTheLastTestIsToldAsSuch) {
  const Ending ending = judge(driver("minimal") + std::vector<std::string>{"--filter", "device.links"},
                              mutant("minimal", "crash:close"));
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  ASSERT_EQ(outcome_of(ending.report, "device.links"), "crashed");
  const std::string message = find_test(ending.report, "device.links")->at("message");
  EXPECT_NE(message.find("behind the test"), std::string::npos) << message;
  EXPECT_NE(message.find("SIGSEGV"), std::string::npos) << message;
  expect_consistent(ending.report);
}

// Program::wait looks for it: the child has outlived nothing when the program has ended.
TEST(Containment, AChildOfTheDriverIsNotLeftRunning) {
  for (const char* where : {"fork:device_get_link", "fork:load", "fork:close"}) {
    const Ending ending = judge(driver("minimal") + std::vector<std::string>{"--filter", "device.links"},
                                mutant("minimal", where));
    EXPECT_EQ(ending.exit_code, 0) << where << ending.out << ending.err;
    EXPECT_EQ(outcome_of(ending.report, "device.links"), "passed") << where;
  }
}

struct EntryFault {
  std::string what;
  std::string says;
};

void PrintTo(const EntryFault& fault, std::ostream* out) { *out << fault.what; }

class AtEntry : public testing::TestWithParam<EntryFault> {};

TEST_P(AtEntry, EndsTheRunInOneLine) {
  std::vector<std::string> arguments = driver("minimal");
  if (GetParam().what.starts_with("hang")) arguments.insert(arguments.end(), {"--entry-timeout", "1"});
  const Ending ending = judge(arguments, mutant("minimal", GetParam().what));
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
  EXPECT_NE(ending.err.find(GetParam().says), std::string::npos) << ending.err;
  EXPECT_EQ(ending.out, "");
  EXPECT_EQ(ending.report_text, "") << "a report of a run that did not take place";
}

INSTANTIATE_TEST_SUITE_P(EveryStep, AtEntry,
                         testing::Values(EntryFault{"crash:load", "SIGSEGV"},
                                         EntryFault{"crash:negotiate", "SIGSEGV"},
                                         EntryFault{"crash:open", "SIGSEGV"},
                                         EntryFault{"crash:driver_get_devices", "SIGSEGV"},
                                         EntryFault{"abort:device_get_properties", "SIGABRT"},
                                         EntryFault{"exit:load", "left without being told"},
                                         EntryFault{"exit:negotiate", "left without being told"},
                                         EntryFault{"exit:open", "left without being told"},
                                         EntryFault{"exit:driver_get_devices", "left without being told"},
                                         EntryFault{"hang:load", "no answer within 1 s"},
                                         EntryFault{"hang:negotiate", "no answer within 1 s"},
                                         EntryFault{"hang:open", "no answer within 1 s"},
                                         EntryFault{"hang:driver_get_devices", "no answer within 1 s"},
                                         EntryFault{"refuse:driver_get_devices", "XHAL_ERROR_UNSUPPORTED"}),
                         [](const auto& one) {
                           std::string name = one.param.what;
                           name[name.find(':')] = '_';
                           return name;
                         });

// The round trip that is measured behind the enumeration is no judgement: the tests will meet the same.
TEST(Containment, FaultBehindTheEnumerationIsLeftToTheTests) {
  const Ending ending =
      judge(driver("minimal") +
                std::vector<std::string>{"--filter", "device.uuid", "--filter", "memory.refused_fills"},
            mutant("minimal", "crash:memory_fill"));
  EXPECT_EQ(ending.exit_code, 1) << ending.err;
  EXPECT_EQ(outcome_of(ending.report, "device.uuid"), "passed");
  EXPECT_EQ(outcome_of(ending.report, "memory.refused_fills"), "crashed");
}

// Sorted, the first test calls device_get_link: from then on the process is spoiled for the second, which passes in one of its own.
class Unstable : public testing::TestWithParam<std::string> {};

TEST_P(Unstable, FailingBehindOthersOnlyIsNotConformant) {
  const std::vector<std::string> second = {"--no-shuffle", "--filter", "device.memory_info_moves"};
  const Environment spoiled = mutant("minimal", GetParam() + ":device_get_memory_info:device_get_link");
  EXPECT_EQ(judge(driver("minimal") + second, spoiled).exit_code, 0);

  const Ending ending =
      judge(driver("minimal") + second + std::vector<std::string>{"--filter", "device.links"}, spoiled);
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  EXPECT_EQ(outcome_of(ending.report, "device.links"), "passed");
  ASSERT_EQ(outcome_of(ending.report, "device.memory_info_moves"), "unstable") << ending.out;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  const std::string message = find_test(ending.report, "device.memory_info_moves")->at("message");
  EXPECT_NE(message.find("passed alone"), std::string::npos) << message;
  expect_consistent(ending.report);
  expect_valid(ending.report_text);
}

INSTANTIATE_TEST_SUITE_P(Every, Unstable, testing::Values("refuse", "crash"),
                         [](const auto& one) { return one.param; });

// The wrapper itself changes nothing that the suite can see.
TEST(MutantDriver, IsConformantAsLongAsItIsTheOtherDriver) {
  const Ending ending =
      judge(driver("minimal") + std::vector<std::string>{"--level", "core"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "conformant");
  expect_consistent(ending.report);
}

TEST(MutantDriver, RefusesAnUnknownDefect) {
  for (const char* what : {"no_such_fault", "crash:no_such_entry", "no_such_fault:device_get_link",
                           "crash:", "hang:device_get_link:no_such_entry"}) {
    Environment environment = mutant("minimal");
    environment["MUTANT"] = what;
    const Ending ending =
        judge(driver("minimal") + std::vector<std::string>{"--filter", "device.links"}, environment);
    EXPECT_EQ(ending.exit_code, 1) << what << ending.out << ending.err;
    EXPECT_NE((ending.out + ending.err).find("mutant driver: "), std::string::npos)
        << ending.out << ending.err;
  }
}

}  // namespace
}  // namespace xhal::test
