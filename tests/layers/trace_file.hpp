// SPDX-License-Identifier: Apache-2.0
// Reads a trace as a viewer would, and checks what viewers ask for.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "instance.hpp"

namespace xhal::trace_test {

using Json = nlohmann::json;

using layers_test::read_text;

struct Slice {
  std::string name;
  std::string category;
  int64_t process, thread;
  int64_t begin_ns, end_ns;
  bool open;  // has no end in the file
  Json arguments;
};

inline int64_t nanoseconds(const Json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000.0);
}

class Trace {
 public:
  explicit Trace(const std::string& path) : Trace(Json::parse(read_text(path))) {}
  explicit Trace(Json parsed) : events_(std::move(parsed)) {
    EXPECT_TRUE(events_.is_array());
    std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> open;
    for (const Json& event : events_) {
      const std::string phase = event.at("ph");
      const int64_t process = event.at("pid");
      const int64_t thread = event.at("tid");
      const int64_t time = nanoseconds(event.at("ts"));
      const std::string name = event.at("name");
      const Json arguments = event.value("args", Json::object());
      if (phase == "M" && arguments.contains("name")) {
        names_[{name, process, name == "process_name" ? -1 : thread}] = arguments.at("name");
      } else if (phase == "X") {
        slices_.push_back({name, event.at("cat"), process, thread, time, time + nanoseconds(event.at("dur")),
                           false, arguments});
      } else if (phase == "B") {
        open[{process, thread}].push_back(slices_.size());
        slices_.push_back({name, event.at("cat"), process, thread, time, INT64_MAX, true, arguments});
      } else if (phase == "E") {
        auto& stack = open[{process, thread}];
        if (stack.empty()) {
          ADD_FAILURE() << "an end without a begin: " << event.dump();
          continue;
        }
        Slice& slice = slices_[stack.back()];
        stack.pop_back();
        EXPECT_EQ(slice.name, name);
        slice.end_ns = time;
        slice.open = false;
        slice.arguments.update(arguments);
      }
    }
  }

  const Json& events() const { return events_; }
  std::vector<Slice> slices(const std::string& category) const {
    std::vector<Slice> found;
    for (const Slice& slice : slices_) {
      if (slice.category == category) found.push_back(slice);
    }
    return found;
  }
  std::vector<Slice> calls(const std::string& name) const {
    std::vector<Slice> found;
    for (const Slice& slice : slices("call")) {
      if (slice.name == name) found.push_back(slice);
    }
    return found;
  }
  std::vector<Json> phase(const std::string& phase, const std::string& name) const {
    std::vector<Json> found;
    for (const Json& event : events_) {
      if (event.at("ph") == phase && event.at("name") == name) found.push_back(event);
    }
    return found;
  }
  // Names that metadata gives to (process, thread).
  std::string thread_name(int64_t process, int64_t thread) const {
    return metadata("thread_name", process, thread);
  }
  std::string process_name(int64_t process) const { return metadata("process_name", process, -1); }

  // What Perfetto and chrome://tracing need to show all of it: slices of a track nest, flows start and end inside slices, in time.
  void expect_showable() const {
    std::map<std::pair<int64_t, int64_t>, std::vector<Slice>> tracks;
    for (const Slice& slice : slices_) tracks[{slice.process, slice.thread}].push_back(slice);
    for (auto& [track, slices] : tracks) {
      std::ranges::stable_sort(slices, [](const Slice& a, const Slice& b) {
        return a.begin_ns != b.begin_ns ? a.begin_ns < b.begin_ns : a.end_ns > b.end_ns;
      });
      std::vector<int64_t> ends;
      for (const Slice& slice : slices) {
        ASSERT_LE(slice.begin_ns, slice.end_ns);
        while (!ends.empty() && ends.back() <= slice.begin_ns) ends.pop_back();
        if (!ends.empty()) {
          ASSERT_LE(slice.end_ns, ends.back()) << slice.name << " crosses another slice of its track";
        }
        ends.push_back(slice.end_ns);
      }
      EXPECT_NE(metadata("thread_name", track.first, track.second), "(none)");
      EXPECT_NE(metadata("process_name", track.first, -1), "(none)");
    }
    std::map<std::string, const Json*> starts;
    std::set<std::string> ended;
    for (const Json& event : events_) {
      if (event.at("ph") == "s") {
        const std::string id = event.at("cat").get<std::string>() + event.at("id").dump();
        EXPECT_TRUE(starts.emplace(id, &event).second) << "one flow starts twice";
        expect_inside_slice(event, tracks);
      }
    }
    for (const Json& event : events_) {
      if (event.at("ph") != "f") continue;
      const std::string id = event.at("cat").get<std::string>() + event.at("id").dump();
      EXPECT_TRUE(ended.insert(id).second) << "one flow ends twice";
      ASSERT_TRUE(starts.count(id)) << "a flow that never starts";
      EXPECT_LE(starts[id]->at("ts").get<double>(), event.at("ts").get<double>()) << "an arrow back in time";
      EXPECT_EQ(event.at("bp"), "e");
      expect_inside_slice(event, tracks);
    }
    EXPECT_EQ(starts.size(), ended.size());
  }

 private:
  std::string metadata(const std::string& what, int64_t process, int64_t thread) const {
    const auto found = names_.find({what, process, thread});
    return found != names_.end() ? found->second : "(none)";
  }
  static void expect_inside_slice(const Json& event,
                                  const std::map<std::pair<int64_t, int64_t>, std::vector<Slice>>& tracks) {
    const int64_t time = nanoseconds(event.at("ts"));
    const auto track = tracks.find({event.at("pid"), event.at("tid")});
    ASSERT_NE(track, tracks.end()) << event.dump();
    // Slices are sorted by their begin and do not nest in these tests, so the last that began before is the one.
    auto after = std::ranges::upper_bound(track->second, time, {}, &Slice::begin_ns);
    bool inside = false;
    while (after != track->second.begin() && !inside) {
      --after;
      inside = time <= after->end_ns;
      if (after->begin_ns < time) break;
    }
    EXPECT_TRUE(inside) << "a flow that hangs on no slice: " << event.dump();
  }

  Json events_;
  std::map<std::tuple<std::string, int64_t, int64_t>, std::string> names_;  // process names have thread -1
  std::vector<Slice> slices_;
};

}  // namespace xhal::trace_test
