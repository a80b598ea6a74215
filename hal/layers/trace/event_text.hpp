// SPDX-License-Identifier: Apache-2.0
// Builds the text of a few trace events on the stack: no allocation while a call is timed.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

namespace xhal::trace {

// Where an event is shown. Perfetto groups tracks by process, so each device is a process of its own.
struct Track {
  uint32_t process;
  uint32_t thread;
};

class EventText {
 public:
  // phase: 'X' slice, 'B' and 'E' its ends, 'i' instant, 'C' counter, 'M' metadata, 's' 't' 'f' flow.
  void begin(char phase, std::string_view name, Track track, uint64_t time_ns);
  void duration(uint64_t nanoseconds) { piece(",\"dur\":"), microseconds(nanoseconds); }
  void category(std::string_view category) { piece(",\"cat\":\""), piece(category), piece("\""); }
  void flow_id(uint64_t id) { piece(",\"id\":"), number(id); }
  void piece(std::string_view text);
  void end();

  // Arguments of the event, between begin and end.
  void argument(std::string_view key, std::string_view text);
  template <std::integral T>
  void argument(std::string_view key, T value) {
    this->key(key);
    if constexpr (std::signed_integral<T>) {
      signed_number(value);
    } else {
      number(value);
    }
  }
  void argument(std::string_view key, const void* pointer);
  // Arguments that another text already holds.
  void arguments_of(const EventText& other);

  [[nodiscard]] std::string_view text() const { return {text_, size_}; }
  // Something did not fit; the text is not whole.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  // Strings are cut at 128 bytes and there are at most eight parameters, so a whole call fits.
  static constexpr size_t kCapacity = 8192;

  void key(std::string_view key);
  void quoted(std::string_view text);
  void number(uint64_t value);
  void signed_number(int64_t value);
  void microseconds(uint64_t nanoseconds);

  size_t size_ = 0;
  bool overflowed_ = false;
  bool in_arguments_ = false;
  char text_[kCapacity];
};

}  // namespace xhal::trace
