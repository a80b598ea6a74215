// SPDX-License-Identifier: Apache-2.0
#include "run/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "frame/execute.h"
#include "frame/kernel_names.h"
#include "frame/kernel_pack.h"
#include "frame/trail.h"
#include "report/print.h"
#include "run/exit_codes.h"
#include "run/mapped_libraries.h"
#include "run/oddness.h"
#include "run/protocol.h"
#include "run/worker_process.h"

namespace xhal::conformance {

namespace {

std::map<std::string, WorkerTask>& tasks() {
  static std::map<std::string, WorkerTask> all;
  return all;
}

// Moves a descriptor away from where a driver's careless close(3) would hit it.
int out_of_reach(int fd) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 200);
  if (moved < 0) return fd;
  close(fd);
  return moved;
}

struct RoundTrips {
  uint64_t first_ns = 0;  // which pays for opening the device
  uint64_t typical_ns =
      0;  // the median of those behind it: one that met a busy machine is not the device's speed
};

// The times of small round trips on the device; zeros when they cannot be had.
RoundTrips measure_round_trips(Session& session) {
  std::vector<uint64_t> trips;
  xhal_device_t device = session.device();
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = 4096;
  void* memory = nullptr;
  xhal_stream_t stream = nullptr;
  auto begin = std::chrono::steady_clock::now();
  note_call("xhal_memory_allocate(device, &desc, &memory)");
  if (xhal_memory_allocate(device, &desc, &memory) != XHAL_SUCCESS) return {};
  note_call("xhal_stream_create(device, nullptr, &stream)");
  if (xhal_stream_create(device, nullptr, &stream) == XHAL_SUCCESS) {
    for (int i = 0; i < 6; ++i) {
      note_call("xhal_memory_fill(stream, memory, 0, 4, 4096)");
      if (xhal_memory_fill(stream, memory, 0, 4, 4096) != XHAL_SUCCESS) break;
      note_call("xhal_stream_synchronize(stream, 60 s)");
      if (xhal_stream_synchronize(stream, 60'000'000'000) != XHAL_SUCCESS) break;
      const auto end = std::chrono::steady_clock::now();
      trips.push_back(static_cast<uint64_t>((end - begin).count()));
      begin = end;
    }
    note_call("xhal_stream_destroy(stream)");
    xhal_stream_destroy(stream);
  }
  note_call("xhal_memory_free(device, memory)");
  xhal_memory_free(device, memory);
  if (trips.empty()) return {};
  RoundTrips out{trips.front(), trips.front()};
  if (trips.size() > 1) {
    const auto middle = trips.begin() + 1 + static_cast<ptrdiff_t>(trips.size() - 1) / 2;
    std::nth_element(trips.begin() + 1, middle, trips.end());
    out.typical_ns = *middle;
  }
  return out;
}

std::string kernel_names(Session& session) {
  if (!session.claims(XHAL_FEATURE_KERNEL)) return "the device claims no kernels";
  std::string why;
  const KernelPack* pack = session.kernels(0, &why);
  if (pack == nullptr) return why;
  return pack->image().key.empty() ? why_names_are_kept(pack->image().format) : "derived";
}

class Worker {
 public:
  explicit Worker(int channel) : channel_(channel), tests_(all_cases()) {}

  int serve() {
    while (auto message = receive_message(channel_, reader_)) {
      const std::string what = message->value("do", "");
      if (what == "setup") {
        target_ = target_from_json(message->at("target"));
        for (const auto& [name, value] : target_.environment) setenv(name.c_str(), value.c_str(), 1);
        settings_ = settings_from_json(message->at("settings"));
        counts_oddness_ = message->value("count_oddness", false);
      } else if (what == "probe") {
        probe();
      } else if (what == "image_formats") {
        tell_image_formats();
      } else if (what == "run") {
        run(message->value("test", ""));
      } else if (what == "close") {
        begin_stage("destroying the instance");
        if (session_ != nullptr) session_->close();
        tell_oddness(nullptr);
        begin_stage("leaving the process");
        send_message(channel_, {{"what", "closed"}});
        return 0;
      } else if (const auto task = tasks().find(what); task != tasks().end()) {
        task->second(*message, session(), settings_,
                     [this](const nlohmann::json& out) { send_message(channel_, out); });
      }
    }
    // The parent is gone.
    return 0;
  }

 private:
  Session& session() {
    if (session_ == nullptr) session_ = std::make_unique<Session>(target_);
    return *session_;
  }

  void probe() {
    begin_stage("loading and opening the driver, enumerating");
    try {
      session();
    } catch (const SessionError& error) {
      send_message(channel_, {{"what", "entry_error"},
                              {"code", error.code()},
                              {"text", error.what()},
                              {"created", error.created()}});
      return;
    }
    nlohmann::json devices = nlohmann::json::array();
    for (size_t i = 0; i < session_->device_count(); ++i) {
      nlohmann::json device = to_json(session_->properties(i));
      device["feature_words"] = session_->properties(i).features;
      devices.push_back(std::move(device));
    }
    send_message(
        channel_,
        {{"what", "opened"}, {"driver", to_json(session_->driver_properties())}, {"devices", devices}});
    begin_stage("measuring a round trip");
    const RoundTrips trips =
        target_.device_index < session_->device_count() ? measure_round_trips(*session_) : RoundTrips();
    send_message(channel_, {{"what", "measured"},
                            {"first_trip_ns", trips.first_ns},
                            {"round_trip_ns", trips.typical_ns},
                            {"libraries", mapped_libraries()}});
    if (target_.kernel_key.empty() || target_.device_index >= session_->device_count()) return;
    begin_stage("loading the kernel pack");
    send_message(channel_, {{"what", "kernel_names"}, {"text", kernel_names(*session_)}});
  }

  void tell_image_formats() {
    begin_stage("asking for image formats");
    nlohmann::json devices = nlohmann::json::array();
    try {
      for (size_t i = 0; i < session().device_count(); ++i) {
        nlohmann::json& kinds = devices.emplace_back(nlohmann::json::array());
        for (const xhal_image_format_t& kind : session().image_formats(i))
          kinds.push_back({{"format", bounded_text(kind.format)}, {"target", bounded_text(kind.target)}});
      }
    } catch (const SessionError& error) {
      send_message(channel_, {{"what", "image_formats"}, {"error", error.what()}});
      return;
    }
    send_message(channel_, {{"what", "image_formats"}, {"devices", devices}});
  }

  void run(const std::string& id) {
    const auto found =
        std::lower_bound(tests_.begin(), tests_.end(), id,
                         [](const TestCase& test, const std::string& wanted) { return test.id < wanted; });
    if (found == tests_.end() || found->id != id) {
      TestResult unknown;
      unknown.outcome = Outcome::kFailed;
      unknown.message = "unknown test " + id;
      send_message(channel_, {{"what", "result"}, {"result", to_json(unknown)}});
      return;
    }
    const auto shared = [this]() -> Session& { return session(); };
    const auto tell = [this](const Failure& failure) {
      send_message(channel_, {{"what", "failure"}, {"failure", to_json(failure)}});
    };
    const TestResult result = execute(*found, settings_, target_, shared, tell);
    begin_stage("after test " + id);
    tell_oddness(session_ != nullptr ? session_->driver() : nullptr);
    send_message(channel_, {{"what", "result"}, {"result", to_json(result)}});
  }

  void tell_oddness(xhal_driver_t driver) {
    if (!counts_oddness_) return;
    if (const OddnessCounts news = oddness_.news(driver); !news.empty())
      send_message(channel_, {{"what", "oddness"}, {"counts", news}});
  }

  const int channel_;
  FrameReader reader_;
  std::vector<TestCase> tests_;
  Target target_;
  RunSettings settings_;
  std::unique_ptr<Session> session_;
  bool counts_oddness_ = false;
  OddnessReader oddness_;
};

}  // namespace

void add_worker_task(const std::string& name, WorkerTask task) { tasks()[name] = std::move(task); }

bool run_as_worker(int argc, char** argv, int* exit_code) {
  if (argc != 2 || std::strcmp(argv[1], kWorkerOption) != 0) return false;
  int kind = 0;
  socklen_t size = sizeof(kind);
  if (getsockopt(kWorkerChannel, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 ||
      fcntl(kWorkerTrail, F_GETFD) < 0) {
    print(stderr, "xhal-conform: {} is how this program starts itself; see xhal-conform --help\n",
          kWorkerOption);
    *exit_code = ending::kExitUsage;
    return true;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A driver finds its signals as in any program.
  std::signal(SIGPIPE, SIG_DFL);
  // Crashes are expected and reported; files of their memory are not wanted.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const int channel = out_of_reach(kWorkerChannel);
  const int trail = out_of_reach(kWorkerTrail);
  attach_trail(trail);
  close(trail);
  *exit_code = Worker(channel).serve();
  return true;
}

}  // namespace xhal::conformance
