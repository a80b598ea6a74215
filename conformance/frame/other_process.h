// SPDX-License-Identifier: Apache-2.0
// The other process of a test, for what the contract says about two of them.
//
//   void exporter(Context& t, Peer& peer) { ... peer.send(bytes); peer.expect("done"); ... }
//   XHAL_TEST(ipc, ..., .isolated = true) {
//     OtherProcess other(t, exporter);
//     const Message bytes = other.receive();
//
// It is forked where it is made, which a test does before it asks for anything of the driver: a child that is forked later may not be
// able to use the vendor's runtime. Each side has an instance of its own, the same case, seed and patience, and asserts as ever: what
// fails over there is a failure of the test, with its clause. Whatever happens, it is gone when the test ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "frame/context.h"

namespace xhal::conformance {

using Message = std::vector<uint8_t>;

// One end of the line between the two. A message arrives whole; nothing above kLongest is sent.
class Line {
 public:
  static constexpr size_t kLongest = 32'768;

  virtual ~Line() = default;

  // Neither waits for an answer nor for ever: the other side may be gone, which receive() tells.
  virtual void send(std::span<const uint8_t> bytes) = 0;
  // Waits for three times `patience` at most, then the test ends as failed, in the other process silently.
  virtual Message receive() = 0;

  void send(std::string_view word) {
    send(std::span(reinterpret_cast<const uint8_t*>(word.data()), word.size()));
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void send_value(const T& value) {
    send(std::span(reinterpret_cast<const uint8_t*>(&value), sizeof(value)));
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  T receive_value() {
    const Message bytes = receive();
    T value{};
    need(bytes.size() == sizeof(value), "a value of another size");
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  // The next message is this word; where it is not, the two sides of the test do not fit each other.
  void expect(std::string_view word);

 protected:
  static void need(bool holds, std::string_view why);
};

// The other process's end.
class Peer : public Line {
 public:
  Peer(int descriptor, uint64_t patience_ns) : descriptor_(descriptor), patience_ns_(patience_ns) {}

  using Line::send;
  void send(std::span<const uint8_t> bytes) override;
  Message receive() override;

 private:
  int descriptor_;
  uint64_t patience_ns_;
};

class OtherProcess : public Line {
 public:
  OtherProcess(Context& t, void (*work)(Context& t, Peer& peer));
  ~OtherProcess() override;
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  using Line::send;
  void send(std::span<const uint8_t> bytes) override;
  Message receive() override;
  // The same for what may come or not: nothing when the other process has ended or says nothing any more.
  std::optional<Message> next();

  // SIGKILL. Has ended when this returns: what it held is gone or with the kernel.
  void kill();
  // Waits until it has come to its end, which it must without trouble.
  void finish();
  // The same for one that may be ended by what it does: nothing where it came to its end, else how it was ended, as in "ended by SIGSEGV".
  // It must not hang.
  std::optional<std::string> ended_early();

 private:
  void judge(const Message& packet);
  void reap(bool killed);
  void await_end();

  Context& t_;
  pid_t child_ = -1;
  int descriptor_ = -1;
  bool came_to_its_end_ = false;
  bool late_ = false;
  bool hung_ = false;
  std::string trouble_;
};

}  // namespace xhal::conformance
