// SPDX-License-Identifier: Apache-2.0
// The thread's last error.
#include <cstring>
#include <thread>

#include "fixture.hpp"

namespace xhal::test {
namespace {

class ErrorTest : public HalTest {
 protected:
  void SetUp() override {
    HalTest::SetUp();
    instance_ = create();
    stream_ = stream(device(instance_));
    told_ = state(instance_);
    xhal_error_clear();
  }
  // What the driver's next stream_synchronize does.
  xhal_result_t answer(xhal_result_t result, const char* text = nullptr, xhal_result_t report_code = 0,
                       int64_t native_code = 0) {
    told_->result = result;
    told_->report_text = text;
    told_->report_code = report_code != 0 ? report_code : result;
    told_->report_native_code = native_code;
    return xhal_stream_synchronize(stream_, 0);
  }

  xhal_instance_t instance_ = nullptr;
  xhal_stream_t stream_ = nullptr;
  fake_state_t* told_ = nullptr;
};

TEST_F(ErrorTest, HoldsCodeNativeCodeEntryAndTextOfAReportedError) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  EXPECT_EQ(answer(XHAL_ERROR_IO, "tried A, got B, do C", 0, -77), XHAL_ERROR_IO);
  const xhal_error_t error = last_error();
  EXPECT_EQ(error.code, XHAL_ERROR_IO);
  EXPECT_EQ(error.native_code, -77);
  EXPECT_STREQ(error.entry, "xhal_stream_synchronize");
  EXPECT_STREQ(error.text, "tried A, got B, do C");
  EXPECT_STREQ(error.driver, "fake");
}

TEST_F(ErrorTest, AnErrorThatTheDriverDoesNotReportHasCodeEntryAndAText) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  ASSERT_EQ(answer(XHAL_ERROR_IO, "an earlier one", 0, 5), XHAL_ERROR_IO);
  EXPECT_EQ(answer(XHAL_ERROR_PERMISSION), XHAL_ERROR_PERMISSION);
  const xhal_error_t error = last_error();
  EXPECT_EQ(error.code, XHAL_ERROR_PERMISSION);
  EXPECT_EQ(error.native_code, 0);
  EXPECT_STREQ(error.entry, "xhal_stream_synchronize");
  EXPECT_EQ(std::string(error.text),
            std::string("xhal_stream_synchronize: ") + xhal_result_text(XHAL_ERROR_PERMISSION));
  EXPECT_STREQ(error.driver, "");
}

TEST_F(ErrorTest, SuccessAndPositiveStatesLeaveItAlone) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  ASSERT_EQ(answer(XHAL_ERROR_IO, "kept"), XHAL_ERROR_IO);
  EXPECT_EQ(answer(XHAL_SUCCESS), XHAL_SUCCESS);
  EXPECT_EQ(answer(XHAL_NOT_READY), XHAL_NOT_READY);
  EXPECT_EQ(answer(XHAL_TIMEOUT), XHAL_TIMEOUT);
  EXPECT_EQ(xhal_stream_query(stream_), XHAL_SUCCESS);
  uint32_t count = 0;
  EXPECT_EQ(xhal_instance_get_devices(instance_, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(last_error().code, XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), "kept");
}

TEST_F(ErrorTest, AReportOfACallThatThenSucceedsIsNoError) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  ASSERT_EQ(answer(XHAL_ERROR_IO, "kept"), XHAL_ERROR_IO);
  EXPECT_EQ(answer(XHAL_SUCCESS, "tried one way, then found another", XHAL_ERROR_UNKNOWN), XHAL_SUCCESS);
  EXPECT_EQ(last_error().code, XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), "kept");
}

// Also not later: the next error of the same code, which brings no text, does not get the text of an attempt that did no harm.
TEST_F(ErrorTest, AReportOfACallThatGaveAHandleIsForgotten) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  const xhal_device_t device = this->device(instance_);
  told_->report_text = "the first attempt failed";
  told_->report_code = XHAL_ERROR_IO;
  xhal_stream_t made = nullptr;
  ASSERT_EQ(xhal_stream_create(device, nullptr, &made), XHAL_SUCCESS);
  EXPECT_EQ(answer(XHAL_ERROR_IO), XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), std::string("xhal_stream_synchronize: ") + xhal_result_text(XHAL_ERROR_IO));
  EXPECT_EQ(last_error().native_code, 0);
}

// The same of libxhal's own calls.
TEST_F(ErrorTest, AReportWithinACallOfLibxhalThatSucceededIsForgotten) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  const xhal_error_report_t report = {sizeof(report), XHAL_ERROR_IO, 7, "fake", "a driver that was left out"};
  told_->services->report_error(&report);
  uint32_t count = 0;
  ASSERT_EQ(xhal_instance_get_devices(instance_, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(answer(XHAL_ERROR_IO), XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), std::string("xhal_stream_synchronize: ") + xhal_result_text(XHAL_ERROR_IO));
}

TEST_F(ErrorTest, AReportOfAnotherCodeIsNotTakenForTheReturnedOne) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  EXPECT_EQ(answer(XHAL_ERROR_BUSY, "text of something else", XHAL_ERROR_IO), XHAL_ERROR_BUSY);
  EXPECT_EQ(last_error().code, XHAL_ERROR_BUSY);
  EXPECT_EQ(last_text().find("something else"), std::string::npos);
}

TEST_F(ErrorTest, EachThreadHasItsOwn) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  ASSERT_EQ(answer(XHAL_ERROR_IO, "of the first thread"), XHAL_ERROR_IO);
  std::thread([&] {
    EXPECT_EQ(last_error().code, XHAL_SUCCESS);
    EXPECT_STREQ(last_error().entry, "");
    EXPECT_EQ(xhal_stream_query(nullptr), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(last_error().code, XHAL_ERROR_INVALID_HANDLE);
    EXPECT_STREQ(last_error().entry, "xhal_stream_query");
    EXPECT_STREQ(last_error().driver, "xhal");
    EXPECT_EQ(xhal_error_clear(), XHAL_SUCCESS);
  }).join();
  EXPECT_EQ(last_error().code, XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), "of the first thread");
}

TEST_F(ErrorTest, ReadingKeepsItAndClearingClearsIt) {
  XHAL_CLAUSE("XHAL-ERROR-3");
  ASSERT_EQ(answer(XHAL_ERROR_IO, "read twice"), XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), "read twice");
  EXPECT_EQ(last_text(), "read twice");
  EXPECT_EQ(xhal_error_clear(), XHAL_SUCCESS);
  const xhal_error_t error = last_error();
  EXPECT_EQ(error.code, XHAL_SUCCESS);
  EXPECT_EQ(error.native_code, 0);
  EXPECT_STREQ(error.entry, "");
  EXPECT_STREQ(error.text, "");
  EXPECT_STREQ(error.driver, "");
}

TEST_F(ErrorTest, TextIsOneLineAndCutBetweenCharacters) {
  std::string text(XHAL_ERROR_TEXT_CAPACITY - 2, 'x');
  text += "\xc3\xa9 end";
  ASSERT_EQ(answer(XHAL_ERROR_IO, text.c_str()), XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), std::string(XHAL_ERROR_TEXT_CAPACITY - 2, 'x'));
  ASSERT_EQ(answer(XHAL_ERROR_IO, "two\nlines\tand\x1b[31m colour"), XHAL_ERROR_IO);
  EXPECT_EQ(last_text(), "two lines and [31m colour");
}

TEST_F(ErrorTest, TheOutStructKeepsTheStructRules) {
  ASSERT_EQ(answer(XHAL_ERROR_IO, "still there"), XHAL_ERROR_IO);
  EXPECT_EQ(xhal_error_get_last(nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  xhal_error_t error{};
  error.struct_size = 4;
  EXPECT_EQ(xhal_error_get_last(&error), XHAL_ERROR_INVALID_ARGUMENT);
  // Asking wrongly does not cost the answer.
  EXPECT_EQ(last_text(), "still there");
  struct {
    xhal_error_t error;
    unsigned char unknown[8];
    unsigned char guard[8];
  } larger{};
  std::memset(&larger, 0xaa, sizeof(larger));
  larger.error.struct_size = sizeof(larger.error) + sizeof(larger.unknown);
  EXPECT_EQ(xhal_error_get_last(&larger.error), XHAL_SUCCESS);
  EXPECT_EQ(larger.error.struct_size, sizeof(larger.error) + sizeof(larger.unknown));
  for (const unsigned char byte : larger.unknown) EXPECT_EQ(byte, 0);
  for (const unsigned char byte : larger.guard) EXPECT_EQ(byte, 0xaa);
}

TEST_F(ErrorTest, UnsupportedNamesTheFeature) {
  xhal_capture_info_t info{};
  info.struct_size = sizeof(info);
  EXPECT_EQ(xhal_stream_get_capture_info(stream_, &info), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(last_text(), "xhal_stream_get_capture_info: the device does not claim the feature 'graph'");
  EXPECT_STREQ(last_error().driver, "xhal") << "no driver was asked";
}

TEST_F(ErrorTest, AReportOfAnOlderOrDamagedKindIsIgnored) {
  XHAL_CLAUSE("XHAL-ERROR-2");
  told_->services->report_error(nullptr);
  xhal_error_report_t report{};
  report.struct_size = 8;
  report.code = XHAL_ERROR_IO;
  report.text = "must not be read";
  told_->services->report_error(&report);
  EXPECT_EQ(answer(XHAL_ERROR_IO), XHAL_ERROR_IO);
  EXPECT_EQ(last_text().find("must not be read"), std::string::npos);
  report.struct_size = sizeof(report);
  report.text = nullptr;
  told_->services->report_error(&report);
  EXPECT_EQ(answer(XHAL_ERROR_IO), XHAL_ERROR_IO);
  EXPECT_FALSE(last_text().empty());
}

}  // namespace
}  // namespace xhal::test
