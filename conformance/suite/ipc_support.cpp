// SPDX-License-Identifier: Apache-2.0
#include "suite/ipc_support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace xhal::conformance {

namespace {

size_t handle_bytes(Context& t) {
  const uint32_t bytes = t.properties().ipc_handle_bytes;
  if (bytes == 0 || bytes > Line::kLongest) {
    t.recorder().failed("XHAL-IPC-2", XHAL_HERE, "properties.ipc_handle_bytes",
                        fmt::format("{} bytes, although handles are claimed", bytes));
    throw StopTest();
  }
  return bytes;
}

// Told a word and a place: "shut" holds the place's stream and records the event behind the gate, "held" answers whether it still is, "open"
// opens it and waits for the end, "record" records on a free stream and waits. Ends with "done".
void serve_records(Context& t, Peer& peer) {
  Event event(t, XHAL_EVENT_IPC);
  Stream streams[2] = {Stream(t), Stream(t)};
  Stream free_stream(t);
  peer.send(exported_event(t, event));
  std::unique_ptr<Gate> gates[2];
  for (;;) {
    const Message message = peer.receive();
    const std::string word(message.begin(), message.end() - 1);
    const size_t place = message.back() == '1' ? 1 : 0;
    if (word == "done") return;
    if (word == "shut") {
      gates[place] = std::make_unique<Gate>(t, streams[place], gate_kind(t.text("hold")));
      REQUIRE_OK(xhal_event_record(event, streams[place], 0));
      peer.send_value(gates[place]->shut());
    } else if (word == "held") {
      peer.send_value(gates[place]->held());
    } else if (word == "open") {
      gates[place]->open();
      peer.send_value(xhal_stream_synchronize(streams[place], t.patience()) == XHAL_SUCCESS);
    } else if (word == "record") {
      REQUIRE_OK(xhal_event_record(event, free_stream, 0));
      peer.send_value(xhal_stream_synchronize(free_stream, t.patience()) == XHAL_SUCCESS);
    }
  }
}

}  // namespace

Message exported_memory(Context& t, const void* pointer) {
  Message bytes(handle_bytes(t), 0);
  REQUIRE_OK(xhal_ipc_export_memory(t.device(), pointer, bytes.size(), bytes.data()));
  return bytes;
}

Message exported_event(Context& t, xhal_event_t event) {
  Message bytes(handle_bytes(t), 0);
  REQUIRE_OK(xhal_ipc_export_event(event, bytes.size(), bytes.data()));
  return bytes;
}

Imported::Imported(Context& t, const Message& bytes) : device_(t.device()) {
  REQUIRE_MEMORY(xhal_ipc_import_memory(device_, bytes.data(), bytes.size(), &pointer_), pointer_);
}

void Imported::reset() {
  if (pointer_ != nullptr) TRACED(xhal_ipc_close_memory(device_, std::exchange(pointer_, nullptr)));
}

ImportedEvent::ImportedEvent(Context& t, const Message& bytes) {
  REQUIRE_MEMORY(xhal_ipc_import_event(t.device(), bytes.data(), bytes.size(), &handle_), handle_);
}

ImportedEvent::~ImportedEvent() {
  if (handle_ != nullptr) TRACED(xhal_event_destroy(handle_));
}

RemoteRecorder::RemoteRecorder(Context& t) : t_(t), process_(t, serve_records), bytes_(process_.receive()) {
  t.prepare(0);  // for witness()
}

bool RemoteRecorder::ask(const std::string& word, int place) {
  process_.send(word + (place == 0 ? '0' : '1'));
  return process_.receive_value<bool>();
}

void RemoteRecorder::open(int place) {
  if (!ask("open", place)) Context::inconclusive("the recorder's held work did not end");
}

void RemoteRecorder::record() {
  if (!ask("record")) Context::inconclusive("the recorder's work did not end");
}

void RemoteRecorder::finish() {
  process_.send("done0");
  process_.finish();
}

bool RemoteRecorder::witness(int place) {
  if (!free_work_passes(t_)) return false;
  if (!held(place))
    Context::inconclusive("the other process's gate had opened before anything was looked at");
  return true;
}

AtTheEdge::AtTheEdge(Context& t, std::span<const uint8_t> bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t room = (bytes.size() / page + 1) * page;
  void* block = mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  t.at_end([block, room, page] { munmap(block, room + page); });
  auto* begin = static_cast<uint8_t*>(block);
  uint8_t* first = begin + room - bytes.size();
  if (!bytes.empty()) std::memcpy(first, bytes.data(), bytes.size());
  // Read only as well: an import has no business to write there.
  mprotect(begin, room, PROT_READ);
  mprotect(begin + room, page, PROT_NONE);
  bytes_ = first;
}

void fold_cells(Context& t, xhal_stream_t stream, void* cells, uint64_t op, size_t count) {
  if (t.has_kernels()) {
    REQUIRE_OK(fold(t, stream, cells, op, count));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  } else {
    t.write(cells, oracle::fold_u64(t.read<uint64_t>(cells, count), op, count));
  }
}

}  // namespace xhal::conformance
