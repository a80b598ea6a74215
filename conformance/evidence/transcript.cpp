// SPDX-License-Identifier: Apache-2.0
#include "evidence/transcript.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "report/report_files.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

TranscriptWriter::TranscriptWriter(std::string path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0)
    stop(kExitUsage, fmt::format("transcript {}: cannot make it: {}; name another --bundle", path_,
                                 std::strerror(errno)));
}

TranscriptWriter::~TranscriptWriter() {
  if (fd_ >= 0) close(fd_);
}

void TranscriptWriter::open(const Report& report) {
  report_ = &report;
  start_ = std::chrono::steady_clock::now();
  // As it will be read back: texts of a driver may be broken UTF-8.
  write({{"schema", kTranscriptSchema},
         {"challenge", report.evidence->challenge},
         {"report", json::parse(json_text(json_report(report)))}});
}

void TranscriptWriter::begun(const TestCase& test) {
  // The same one again, alone, has no place of its own.
  if (running_ != &test) ++begun_count_;
  running_ = &test;
  write({{"begin", test.id}, {"index", index()}});
  // It is on the disk before the driver hears of the test.
  fdatasync(fd_);
}

void TranscriptWriter::ended(const TestRecord& record, size_t /*done*/, size_t /*total*/) {
  running_ = nullptr;
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  write({{"end", record_json(*report_, record)}, {"index", index()}, {"seconds", seconds_}});
}

void TranscriptWriter::seal(const std::string& report_text) { write({{"report", sha256(report_text)}}); }

void TranscriptWriter::write(json line) {
  if (lines_ > 0) line["previous"] = head_;
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace);
  head_ = sha256(text);
  ++lines_;
  const std::string whole = text + "\n";
  for (size_t done = 0; done < whole.size();) {
    const ssize_t written = ::write(fd_, whole.data() + done, whole.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      stop(kExitInternal,
           fmt::format("transcript {}: cannot write it: {}; make room", path_, std::strerror(errno)));
    done += static_cast<size_t>(written);
  }
}

namespace {

// One line after another; throws json::exception or std::invalid_argument for one that is none.
class Reader {
 public:
  explicit Reader(Transcript& out) : out_(out) {}

  void add(const json& line, const std::string& hash, size_t number) {
    if (number == 1) {
      if (line.at("schema") != kTranscriptSchema || !line.at("report").is_object() ||
          !line.at("challenge").is_string())
        throw std::invalid_argument("no header");
      out_.header = line;
    } else if (out_.seal) {
      throw std::invalid_argument("behind the seal");
    } else {
      if (line.at("previous") != previous_) {
        out_.findings.push_back(fmt::format(
            "transcript line {}: the chain is broken here: it does not hold the hash of the line before",
            number));
      }
      if (line.contains("begin")) {
        begin(line);
      } else if (line.contains("end")) {
        end(line);
      } else {
        out_.seal = line.at("report").get<std::string>();
      }
    }
    previous_ = hash;
    if (out_.seal) return;
    ++out_.lines;
    out_.head = hash;
  }

 private:
  void begin(const json& line) {
    const std::string test = line.at("begin");
    const size_t index = line.at("index");
    const bool again = !out_.entries.empty() && index + 1 == out_.entries.size() &&
                       out_.entries.back().ends.empty() && out_.entries.back().test == test;
    if (!again) {
      if (index != out_.entries.size())
        out_.findings.push_back(fmt::format("transcript: {} begins with index {}, it is number {}", test,
                                            index, out_.entries.size()));
      out_.entries.push_back({test, 0, {}});
    }
    ++out_.entries.back().begins;
  }

  void end(const json& line) {
    const json& record = line.at("end");
    const std::string test = record.at("id");
    if (out_.entries.empty() || out_.entries.back().test != test) {
      out_.findings.push_back(fmt::format("transcript: {} ends, and it had not begun", test));
      return;
    }
    const double seconds = line.at("seconds");
    if (seconds < out_.seconds)
      out_.findings.push_back(fmt::format("transcript: {} ends before what was run before it", test));
    out_.seconds = seconds;
    out_.entries.back().ends.push_back(record);
  }

  Transcript& out_;
  std::string previous_;
};

}  // namespace

Transcript read_transcript(const std::string& text) {
  Transcript out;
  Reader reader(out);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    ++number;
    if (end == std::string::npos) {
      out.findings.push_back(fmt::format("transcript line {}: it is cut off in the middle", number));
      break;
    }
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    try {
      reader.add(json::parse(line), sha256(line), number);
    } catch (const std::exception&) {
      out.findings.push_back(fmt::format("transcript line {}: this is no line of a transcript", number));
      if (number == 1) break;
    }
  }
  return out;
}

}  // namespace xhal::conformance
