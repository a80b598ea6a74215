// SPDX-License-Identifier: Apache-2.0
#include "run/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "report/report_files.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/identity.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  stop(kExitUsage, fmt::format("journal {}: {}", path, why));
}

std::string contents(int fd, const std::string& path) {
  std::string out;
  char block[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, fmt::format("cannot read it: {}", std::strerror(errno)));
    if (got == 0) return out;
    out.append(block, static_cast<size_t>(got));
  }
}

}  // namespace

Journal::Journal(const std::string& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) refuse(path, fmt::format("cannot open it: {}; name another place", std::strerror(errno)));
  struct stat status {};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) refuse(path, "this is no file; name one");
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) refuse(path, "another run is writing it; give this one its own");
  const std::string text = contents(fd_, path);
  // The last line of a run that was killed may be half a line.
  const size_t whole = text.rfind('\n') + 1;
  if (whole == 0 && !text.empty()) refuse(path, "this is no journal; name another place");
  read(text.substr(0, whole));
  if (whole < text.size() && ftruncate(fd_, static_cast<off_t>(whole)) != 0)
    refuse(path, fmt::format("cannot shorten it: {}", std::strerror(errno)));
}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

void Journal::read(const std::string& text) {
  double seconds = 0;
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const json line = json::parse(text.substr(begin, end - begin), nullptr, false);
    begin = end + 1;
    ++number;
    try {
      if (number == 1) {
        if (line.at("schema") != kJournalSchema) throw std::invalid_argument("another schema");
        report_from_json(line.at("report"));
        header_ = line.at("report");
      } else if (line.contains("end")) {
        record_from_json(line.at("end"));
        finished_[line.at("end").at("id")] = line.at("end");
        seconds = line.at("seconds");
      } else if (line.contains("resume")) {
        resumed_ = line.at("resume");
        seconds_ += std::exchange(seconds, 0);
      } else {
        line.at("begin").get<std::string>();
      }
    } catch (const std::exception&) {
      refuse(path_,
             fmt::format("line {} is no line of a journal of this suite; take the file away to begin anew",
                         number));
    }
  }
  seconds_ += seconds;
}

std::optional<uint64_t> Journal::seed() const {
  if (header_.is_null()) return std::nullopt;
  return header_.at("seed").get<uint64_t>();
}

void Journal::open(Report& report) {
  report_ = &report;
  start_ = std::chrono::steady_clock::now();
  // As it will be read back: texts of a driver may be broken UTF-8.
  const json now = json::parse(json_text(json_report(report)));
  if (header_.is_null()) {
    write({{"schema", kJournalSchema}, {"report", now}});
    return;
  }
  std::string differs = difference(header_, now);
  if (differs.empty() && header_.at("shard") != now.at("shard"))
    differs = fmt::format("shard {} and {}", header_.at("shard").dump(), now.at("shard").dump());
  if (differs.empty() && header_.at("device").at("uuid") != now.at("device").at("uuid"))
    differs = "uuid of the device";
  if (!differs.empty()) {
    refuse(path_,
           fmt::format("it is of another run: {}; say the same again, or take the file away to begin anew",
                       differs));
  }
  report.started = header_.at("started");
  report.resumed = resumed_ + 1;
  report.seconds = seconds_;
  for (const auto& [id, test] : finished_) report.tests.push_back(record_from_json(test));
  write({{"resume", report.resumed}});
}

void Journal::begun(const TestCase& test) {
  write({{"begin", test.id}});
  // A driver can take the machine down with it: what ended before and which test did it have to be known then.
  fdatasync(fd_);
  next_->begun(test);
}

void Journal::ended(const TestRecord& record, size_t done, size_t total) {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  write({{"end", record_json(*report_, record)}, {"seconds", elapsed.count()}});
  next_->ended(record, done, total);
}

void Journal::write(const json& line) const {
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      stop(kExitInternal, fmt::format("journal {}: cannot write it: {}; make room or name another place",
                                      path_, std::strerror(errno)));
    }
    done += static_cast<size_t>(written);
  }
}

}  // namespace xhal::conformance
