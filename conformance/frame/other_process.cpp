// SPDX-License-Identifier: Apache-2.0
#include "frame/other_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "frame/check.h"
#include "frame/child.h"
#include "frame/clause.h"
#include "frame/kernel_pack.h"
#include "frame/trail.h"

namespace xhal::conformance {

namespace {

using Clock = std::chrono::steady_clock;

// The first byte of a packet says what follows.
enum class Kind : uint8_t {
  kMessage = 'm',       // the test's own bytes
  kFailure = 'f',       // clause, place, expression, message; each ends in a zero byte
  kAsserted = 'a',      // indices of clauses about which an assertion was evaluated
  kNote = 'n',          // text
  kSeen = 's',          // hash and size of an array that was read back, in one text
  kInconclusive = 'i',  // text
  kUnobservable = 'u',  // text
  kEnd = 'e'
};

// The longest text that is sent: four of them and a message stay below what a socket takes at once.
constexpr size_t kLongestText = 4096;

void put(int descriptor, Kind kind, std::span<const uint8_t> bytes) {
  Message packet(bytes.size() + 1);
  packet.front() = static_cast<uint8_t>(kind);
  std::copy(bytes.begin(), bytes.end(), packet.begin() + 1);
  while (::send(descriptor, packet.data(), packet.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void put(int descriptor, Kind kind, std::string_view text) {
  text = text.substr(0, kLongestText);
  put(descriptor, kind, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

void put(int descriptor, const Failure& failure) {
  Message bytes;
  for (const std::string& part : {failure.clause, failure.where, failure.expression, failure.message}) {
    const auto text = std::string_view(part).substr(0, kLongestText);
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
  }
  put(descriptor, Kind::kFailure, bytes);
}

// A packet; nothing at the deadline and when the other end is closed.
std::optional<Message> get(int descriptor, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd poller{descriptor, POLLIN, 0};
    const int ready = poll(&poller, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    Message packet(Line::kLongest + 1 + 4 * (kLongestText + 1));
    const ssize_t got = recv(descriptor, packet.data(), packet.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    packet.resize(static_cast<size_t>(got));
    return packet;
  }
}

// Behind one answer the other process may have started, loaded the driver and opened its device, on a machine that has other things to do.
Clock::time_point end_of_patience(uint64_t patience_ns) {
  return Clock::now() + std::chrono::nanoseconds(3 * patience_ns);
}

std::string text_of(const Message& packet) { return {packet.begin() + 1, packet.end()}; }

// In the forked child, which never leaves this function.
[[noreturn]] void run_other_process(const Context& parent, int descriptor, void (*work)(Context&, Peer&)) {
  // It ends with its parent also where nobody is left to end it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  detach_trail();
  const std::vector<Clause> none;
  Recorder recorder(none, [descriptor](const Failure& failure) { put(descriptor, failure); });
  if (parent.settings().challenged) recorder.take_digest();
  std::unique_ptr<Session> session;
  const auto own_session = [&]() -> Session& {
    if (session == nullptr) session = std::make_unique<Session>(parent.target());
    return *session;
  };
  try {
    Context t(parent, own_session, recorder);
    Peer peer(descriptor, t.patience());
    try {
      work(t, peer);
    } catch (const StopTest&) {
    } catch (const Inconclusive& reason) {
      put(descriptor, Kind::kInconclusive, reason.why);
    } catch (const NotObservable& reason) {
      put(descriptor, Kind::kUnobservable, reason.why);
    } catch (const NotInImage& lack) {
      put(descriptor, Kind::kInconclusive, lack.what());
    }
  } catch (const std::exception& error) {
    recorder.failed("", XHAL_HERE, "the other process of the test", error.what());
  }
  const TestResult result = recorder.result();
  for (const std::string& note : result.notes) put(descriptor, Kind::kNote, note);
  for (const auto& [hash, size] : recorder.seen_arrays())
    put(descriptor, Kind::kSeen, fmt::format("{} {}", hash, size));
  Message asserted;
  for (const std::string& id : result.asserted) {
    const auto* found = std::lower_bound(std::begin(kClauseIds), std::end(kClauseIds), id);
    const auto index = static_cast<uint16_t>(found - std::begin(kClauseIds));
    asserted.push_back(static_cast<uint8_t>(index & 0xff));
    asserted.push_back(static_cast<uint8_t>(index >> 8));
  }
  put(descriptor, Kind::kAsserted, asserted);
  if (session != nullptr) session->close();
  put(descriptor, Kind::kEnd, std::string_view());
  _exit(0);
}

}  // namespace

void Line::need(bool holds, std::string_view why) {
  if (!holds) throw std::logic_error(fmt::format("the two processes of the test do not fit: {}", why));
}

void Line::expect(std::string_view word) {
  const Message got = receive();
  need(std::equal(word.begin(), word.end(), got.begin(), got.end()),
       fmt::format("'{}' was expected, '{}' came", word, std::string(got.begin(), got.end())));
}

void Peer::send(std::span<const uint8_t> bytes) { put(descriptor_, Kind::kMessage, bytes); }

Message Peer::receive() {
  auto packet = get(descriptor_, end_of_patience(patience_ns_));
  // The test has ended without a word, which it may; here is nobody to tell.
  if (!packet) throw StopTest();
  packet->erase(packet->begin());
  return std::move(*packet);
}

OtherProcess::OtherProcess(Context& t, void (*work)(Context&, Peer&)) : t_(t) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  child_ = fork();
  if (child_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child_ == 0) {
    close(ends[0]);
    run_other_process(t, ends[1], work);
  }
  close(ends[1]);
  descriptor_ = ends[0];
}

OtherProcess::~OtherProcess() {
  kill();
  close(descriptor_);
}

void OtherProcess::send(std::span<const uint8_t> bytes) { put(descriptor_, Kind::kMessage, bytes); }

void OtherProcess::judge(const Message& packet) {
  switch (static_cast<Kind>(packet.front())) {
    case Kind::kFailure: {
      std::vector<std::string> parts(1);
      for (const char c : text_of(packet)) {
        if (c == 0) {
          parts.emplace_back();
        } else {
          parts.back() += c;
        }
      }
      parts.resize(4);
      t_.recorder().failed(parts[0], XHAL_HERE, parts[2],
                           fmt::format("in the other process, {}: {}", parts[1], parts[3]));
      break;
    }
    case Kind::kAsserted:
      for (size_t i = 1; i + 1 < packet.size(); i += 2)
        t_.recorder().asserted_elsewhere(static_cast<uint16_t>(packet[i] | packet[i + 1] << 8));
      break;
    case Kind::kNote:
      t_.note(text_of(packet));
      break;
    case Kind::kSeen: {
      const std::string text = text_of(packet);
      const size_t space = text.find(' ');
      if (space != std::string::npos)
        t_.recorder().saw_elsewhere(text.substr(0, space), std::stoull(text.substr(space)));
      break;
    }
    case Kind::kInconclusive:
      Context::inconclusive(text_of(packet));
    case Kind::kUnobservable:
      Context::not_observable(text_of(packet));
    case Kind::kEnd:
      came_to_its_end_ = true;
      break;
    case Kind::kMessage:
      break;
  }
}

std::optional<Message> OtherProcess::next() {
  const auto deadline = end_of_patience(t_.patience());
  while (auto packet = get(descriptor_, deadline)) {
    if (static_cast<Kind>(packet->front()) == Kind::kMessage) {
      packet->erase(packet->begin());
      return packet;
    }
    judge(*packet);
  }
  late_ = Clock::now() >= deadline;
  return std::nullopt;
}

Message OtherProcess::receive() {
  if (auto message = next()) return std::move(*message);
  if (came_to_its_end_) throw StopTest();  // it had told why
  if (late_) {
    kill();
    trouble_ = "nothing came in time";
  } else {
    reap(false);
  }
  t_.recorder().failed("", XHAL_HERE, "a message of the other process", trouble_);
  throw StopTest();
}

// Its end, awaited; `killed`: it was told to.
void OtherProcess::reap(bool killed) {
  if (child_ < 0) return;
  const auto deadline = end_of_patience(t_.patience());
  int status = 0;
  bool timed_out = false;
  pid_t ended = 0;
  while ((ended = waitpid(child_, &status, killed || timed_out ? 0 : WNOHANG)) == 0 ||
         (ended < 0 && errno == EINTR)) {
    if (!timed_out && Clock::now() >= deadline) {
      timed_out = true;
      ::kill(child_, SIGKILL);
    }
    sched_yield();
  }
  child_ = -1;
  if (killed) return;
  hung_ = timed_out;
  if (timed_out) {
    trouble_ = "killed at its deadline: it hung";
  } else if (WIFSIGNALED(status)) {
    trouble_ = "ended by " + signal_name(WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {
    trouble_ = fmt::format("exit code {}", WEXITSTATUS(status));
  } else if (!came_to_its_end_) {
    trouble_ = "ended without a word";
  }
}

void OtherProcess::kill() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  reap(true);
}

void OtherProcess::await_end() {
  // Messages that nobody asked for are no trouble.
  while (!came_to_its_end_ && next()) {
  }
  reap(false);
}

void OtherProcess::finish() {
  await_end();
  if (!trouble_.empty()) t_.recorder().failed("", XHAL_HERE, "the other process came to its end", trouble_);
}

std::optional<std::string> OtherProcess::ended_early() {
  await_end();
  if (hung_) {
    t_.recorder().failed("", XHAL_HERE, "the other process came to an end", trouble_);
    throw StopTest();
  }
  return trouble_.empty() ? std::nullopt : std::optional(trouble_);
}

}  // namespace xhal::conformance
