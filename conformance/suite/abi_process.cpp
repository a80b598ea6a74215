// SPDX-License-Identifier: Apache-2.0
// Fork, exit, and handles that outlive their instance. Every test is alone in its process: a fork copies what was active before.
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "frame/child.h"
#include "suite/entries.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

// The child's lines "name code", each of which must name this code.
void expect_all(Context& t, Clause clause, const ChildResult& child, xhal_result_t code, size_t at_least) {
  expect_clause(t, clause, child.trouble().empty(), "the child came to its end", XHAL_HERE, child.trouble());
  std::istringstream lines(child.output);
  std::string name;
  xhal_result_t got = 0;
  size_t seen = 0;
  while (lines >> name >> got) {
    ++seen;
    expect_result(t, clause, got, code, name.c_str(), XHAL_HERE, "in the child");
  }
  expect_clause(t, clause, seen >= at_least, "every call in the child was made", XHAL_HERE,
                fmt::format("{} of {}", seen, at_least));
}

XHAL_TEST(abi, active_instance_in_a_forked_child, .clauses = {"XHAL-ABI-23"},
          .observes =
              "after work in the parent, every call of the list whose handles are live, made in a forked "
              "child; the parent afterwards",
          .isolated = true) {
  Palette palette(t);
  std::vector<const EntryInfo*> calls;
  for (const EntryInfo& one : entries()) {
    // Destroys come last: were they to succeed in the child, what follows would be judged wrongly.
    if (palette.has_all(one) && !one.destroys()) calls.push_back(&one);
  }
  for (const EntryInfo& one : entries()) {
    if (palette.has_all(one) && one.destroys()) calls.push_back(&one);
  }
  const ChildResult child = run_in_child(t, [&](const Say& say) {
    for (const EntryInfo* one : calls) {
      const Words words = palette.arguments(*one);
      say(fmt::format("xhal_{} {}", one->name, one->call(words.data())));
    }
  });
  expect_all(t, "XHAL-ABI-23", child, XHAL_ERROR_FORKED, calls.size());
  Stream stream(t);
  Marker marker(t);
  marker.fill_on(t, stream);
  EXPECT_RESULT("XHAL-ABI-23", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "the parent");
  EXPECT_CLAUSE("XHAL-ABI-23", marker.filled(), "the parent: {}", marker.shown());
}

XHAL_TEST(
    abi, fork_with_work_in_flight, .clauses = {"XHAL-ABI-23"},
    .observes =
        "a fork while a stream is held: the child's waits return at once, the parent's work ends as ever",
    .isolated = true) {
  Stream stream(t);
  Event event(t);
  Marker behind(t);
  Gate gate(t, stream);
  behind.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  const ChildResult child = run_in_child(t, [&](const Say& say) {
    say(fmt::format("xhal_stream_synchronize {}", xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER)));
    say(fmt::format("xhal_event_synchronize {}", xhal_event_synchronize(event, XHAL_WAIT_FOREVER)));
    say(fmt::format("xhal_device_synchronize {}", xhal_device_synchronize(t.device(), XHAL_WAIT_FOREVER)));
    say(fmt::format("xhal_stream_destroy {}", xhal_stream_destroy(stream)));
  });
  expect_all(t, "XHAL-ABI-23", child, XHAL_ERROR_FORKED, 4);
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-ABI-23", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "the parent");
  EXPECT_CLAUSE("XHAL-ABI-23", behind.filled(), "the parent: {}", behind.shown());
}

// A small program over everything: copies both ways and, where there are kernels, a fold. "" or what went wrong.
std::string small_program(Session& session, uint64_t patience) {
  const auto failed = [](const char* what, xhal_result_t result) {
    return fmt::format("{}:{}", what, result);
  };
  xhal_device_t device = session.device();
  xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 8 * 100);
  void* memory = nullptr;
  xhal_stream_t stream = nullptr;
  std::vector<uint64_t> cells(100, 5);
  std::vector<uint64_t> out(100, 0);
  if (const auto r = xhal_memory_allocate(device, &desc, &memory); r != XHAL_SUCCESS)
    return failed("allocate", r);
  if (const auto r = xhal_stream_create(device, nullptr, &stream); r != XHAL_SUCCESS)
    return failed("stream_create", r);
  if (const auto r = xhal_memory_copy(stream, memory, cells.data(), 800); r != XHAL_SUCCESS)
    return failed("copy_in", r);
  if (session.claims(XHAL_FEATURE_KERNEL)) {
    KernelPack* pack = session.kernels(0);
    if (pack != nullptr) {
      Launch launch(pack->kernel("xhal_fold_u64"));
      launch.groups(100).updates(memory).value(uint64_t{6}).value(uint64_t{100});
      if (const auto r = launch.on(stream); r != XHAL_SUCCESS) return failed("launch", r);
      cells = oracle::fold_u64(cells, 6, 100);
    }
  }
  if (const auto r = xhal_memory_copy(stream, out.data(), memory, 800); r != XHAL_SUCCESS)
    return failed("copy_out", r);
  if (const auto r = xhal_stream_synchronize(stream, patience); r != XHAL_SUCCESS)
    return failed("synchronize", r);
  if (out != cells) return "data";
  if (const auto r = xhal_stream_destroy(stream); r != XHAL_SUCCESS) return failed("stream_destroy", r);
  if (const auto r = xhal_memory_free(device, memory); r != XHAL_SUCCESS) return failed("free", r);
  return "";
}

XHAL_TEST(
    abi, passive_instance_in_a_forked_child, .clauses = {"XHAL-ABI-24"},
    .observes =
        "count and properties, fork, then a program with copies and a kernel in the child and in the parent",
    .isolated = true) {
  Session& session = t.session();
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  for (size_t i = 0; i < session.device_count(); ++i)
    REQUIRE_OK(xhal_device_get_properties(session.device(i), &properties));
  const uint64_t patience = t.patience() / 2;
  for (int round = 0; round < 2; ++round) {
    const ChildResult child =
        run_in_child(t, [&](const Say& say) { say("program=" + small_program(session, patience)); });
    EXPECT_CLAUSE("XHAL-ABI-24", child.trouble().empty(), "child {}: {}", round, child.trouble());
    EXPECT_VALUE("XHAL-ABI-24", child.output, "program=\n", "child {}", round);
  }
  EXPECT_VALUE("XHAL-ABI-24", small_program(session, patience), "", "the parent after two children");
}

XHAL_TEST(abi, new_instance_in_a_forked_child, .clauses = {"XHAL-ABI-24", "XHAL-ABI-23"},
          .observes =
              "an enumerated instance beside a destroyed one: in the child it works, and the handles of the "
              "destroyed one are refused",
          .isolated = true) {
  xhal_stream_t stale = nullptr;
  {
    PrivateSession gone(t);
    stale = Stream(t, *gone).release();
    REQUIRE_OK(gone.close());
  }
  PrivateSession passive(t);
  const ChildResult child = run_in_child(t, [&](const Say& say) {
    say(fmt::format("stale={}", xhal_stream_query(stale) < 0 ? "refused" : "accepted"));
    uint32_t count = 0;
    say(fmt::format("count={}", xhal_instance_get_devices(passive->instance(), 0, nullptr, &count)));
    say(fmt::format("devices={}", count));
  });
  EXPECT_CLAUSE("XHAL-ABI-24", child.trouble().empty(), "{}", child.trouble());
  EXPECT_CLAUSE("XHAL-ABI-23", child.output.starts_with("stale=refused\n"), "{}", child.output);
  EXPECT_CLAUSE("XHAL-ABI-24", child.output.ends_with(fmt::format("count=0\ndevices={}\n", t.device_count())),
                "{}", child.output);
}

XHAL_TEST(abi, handles_after_their_instance, .clauses = {"XHAL-ABI-22"},
          .observes =
              "every call of the list with handles of a destroyed instance, destroys included; a second "
              "destroy of the instance") {
  PrivateSession session(t);
  // Leaked on purpose: the objects behind its handles go with the instance, not one by one.
  auto* palette = new Palette(t, *session, true);
  struct Late {
    const EntryInfo* entry;
    Words words;
  };
  std::vector<Late> calls;
  for (const EntryInfo& one : entries()) {
    if (palette->has_all(one)) calls.push_back({&one, palette->arguments(one)});
  }
  xhal_instance_t instance = session->instance();
  REQUIRE_OK(session.close());
  for (const Late& late : calls) {
    // Scratch memory of earlier arguments() is gone; addresses of handles are what counts here.
    const Words words = [&] {
      Words fresh = palette->arguments(*late.entry);
      for (const size_t position : late.entry->handle_positions()) fresh[position] = late.words[position];
      return fresh;
    }();
    note_call(fmt::format("xhal_{}", late.entry->name));
    expect_result(t, "XHAL-ABI-22", late.entry->call(words.data()), XHAL_ERROR_INVALID_HANDLE,
                  late.entry->name, XHAL_HERE, "");
  }
  EXPECT_RESULT("XHAL-ABI-22", xhal_instance_destroy(instance), XHAL_ERROR_INVALID_HANDLE, "destroyed twice");
  // Its members destroy dead handles, which is legal and refused.
  delete palette;
}

// What an exit handler finds; at namespace scope, so that it lives until the very end.
xhal_stream_t exit_stream;
xhal_event_t exit_event;
Session* exit_session;
xhal_device_t exit_device;
void* exit_memory;
int exit_descriptor;

void say_at_exit(const char* name, xhal_result_t result) {
  char line[96];
  const int length = std::snprintf(line, sizeof(line), "%s %d\n", name, result);
  if (write(exit_descriptor, line, static_cast<size_t>(length)) != length) _exit(9);
}

// Runs after static destructors of what was made later than its registration: as late as a program's own code can.
struct LateDestroyer {
  bool armed = false;
  ~LateDestroyer() {
    if (!armed) return;
    say_at_exit("xhal_event_destroy", xhal_event_destroy(exit_event));
    say_at_exit("xhal_memory_free", xhal_memory_free(exit_device, exit_memory));
    say_at_exit("xhal_stream_destroy", xhal_stream_destroy(exit_stream));
    say_at_exit("xhal_instance_destroy", xhal_instance_destroy(exit_session->instance()));
  }
};
LateDestroyer late_destroyer;

Cases exits() { return grid({{"instance", {"alive", "destroyed"}}}); }

XHAL_TEST_P(abi, destroys_at_exit, exits, .clauses = {"XHAL-ABI-22"},
            .observes =
                "a child process that works and then exits: a static destructor destroys an event, memory, a "
                "stream and the instance, which "
                "are alive or were destroyed before",
            .isolated = true) {
  const bool destroyed = t.text("instance") == "destroyed";
  const uint64_t patience = t.patience() / 2;
  const Target& target = t.target();
  const ChildResult child = run_in_child(
      t,
      [&](const Say& say) {
        // Never deleted: nothing but the static destructor ends its instance.
        exit_session = new Session(target);
        say("program=" + small_program(*exit_session, patience));
        exit_device = exit_session->device();
        const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 4096);
        say(fmt::format("ready={}",
                        xhal_stream_create(exit_device, nullptr, &exit_stream) == XHAL_SUCCESS &&
                            xhal_event_create(exit_device, nullptr, &exit_event) == XHAL_SUCCESS &&
                            xhal_memory_allocate(exit_device, &desc, &exit_memory) == XHAL_SUCCESS &&
                            xhal_memory_fill(exit_stream, exit_memory, 0, 1, 4096) == XHAL_SUCCESS));
        exit_descriptor = say.descriptor;
        late_destroyer.armed = true;
        if (destroyed) say(fmt::format("close={}", xhal_instance_destroy(exit_session->instance())));
      },
      true);
  EXPECT_CLAUSE("XHAL-ABI-22", child.trouble().empty(), "{}", child.trouble());
  std::istringstream lines(child.output);
  std::string line;
  std::vector<std::string> told;
  while (std::getline(lines, line)) told.push_back(line);
  ASSERT_CLAUSE("XHAL-ABI-22", told.size() == (destroyed ? 7u : 6u), "the child told: {}", child.output);
  EXPECT_VALUE("XHAL-ABI-22", told[0] + " " + told[1], "program= ready=true");
  // Of a live instance only that nothing crashes is promised so late; of a destroyed one the code.
  for (size_t i = 3; destroyed && i < told.size(); ++i) {
    EXPECT_CLAUSE("XHAL-ABI-22", told[i].ends_with(fmt::format(" {}", XHAL_ERROR_INVALID_HANDLE)), "{}",
                  told[i]);
  }
}

}  // namespace
}  // namespace xhal::conformance
