// SPDX-License-Identifier: Apache-2.0
// Rules that hold for every call, tested on every call of the list.
#include <algorithm>

#include "suite/entries.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

bool any_entry(const EntryInfo&) { return true; }
bool with_two_handles(const EntryInfo& entry) { return entry.handle_positions().size() > 1; }
bool with_required_pointers(const EntryInfo& entry) {
  return std::any_of(entry.parameters.begin(), entry.parameters.end(), [](const EntryParameter& p) {
    return p.kind == ParameterKind::kIn || p.kind == ParameterKind::kOut ||
           p.kind == ParameterKind::kOutHandle;
  });
}

Cases all_entries() { return entry_cases(any_entry); }
Cases two_handle_entries() { return entry_cases(with_two_handles); }
Cases pointer_entries() { return entry_cases(with_required_pointers); }

// Entries of optional features, each case for devices that do not claim its feature.
Cases optional_entries() {
  Cases cases = entry_cases([](const EntryInfo& one) { return one.feature != XHAL_FEATURE_CORE; });
  for (Case& one : cases) one.unless.push_back(entry(one.parameters.front().value).feature);
  return cases;
}

xhal_result_t call(const EntryInfo& entry, const Words& words, std::string_view how) {
  note_call(fmt::format("xhal_{}  // {}", entry.name, how));
  return entry.call(words.data());
}

void expect_code(Context& t, Clause clause, const EntryInfo& entry, xhal_result_t got, xhal_result_t expected,
                 const std::string& how) {
  expect_result(t, clause, got, expected, entry.name, XHAL_HERE, how);
}

// The device is as good as before.
void expect_well(Context& t, Clause clause) {
  Stream stream(t);
  Marker marker(t);
  marker.fill_on(t, stream);
  // Looked at behind the synchronise, which an argument beside it need not be.
  const bool works = xhal_stream_synchronize(stream, t.patience()) == XHAL_SUCCESS && marker.filled();
  expect_clause(t, clause, works, "the device works", XHAL_HERE, marker.shown());
}

XHAL_TEST_P(
    abi, null_handle, all_entries, .clauses = {"XHAL-ABI-1", "XHAL-ABI-14"},
    .observes =
        "each handle null in turn, the others live: the code, the out-parameters, the device afterwards") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  Palette palette(t);
  for (const size_t position : entry.handle_positions()) {
    Words words = palette.arguments(entry);
    words[position] = 0;
    const std::string how = fmt::format("{} null", entry.parameters[position].name);
    expect_code(t, "XHAL-ABI-1", entry, call(entry, words, how), XHAL_ERROR_INVALID_HANDLE, how);
    EXPECT_VALUE("XHAL-ABI-14", palette.written(), "", "{}: an out-parameter was written", how);
  }
  expect_well(t, "XHAL-ABI-1");
}

XHAL_TEST_P(
    abi, handle_of_another_type, all_entries, .clauses = {"XHAL-ABI-2"},
    .observes = "a live handle of another type in each place in turn: the code; the handle still works") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  Palette palette(t);
  for (const size_t position : entry.handle_positions()) {
    Words words = palette.arguments(entry);
    words[position] = palette.handle_of_another_type(entry.parameters[position].handle_type);
    const std::string how = fmt::format("{} of another type", entry.parameters[position].name);
    expect_code(t, "XHAL-ABI-2", entry, call(entry, words, how), XHAL_ERROR_INVALID_HANDLE, how);
    EXPECT_VALUE("XHAL-ABI-2", palette.written(), "", "{}: an out-parameter was written", how);
  }
  EXPECT_RESULT("XHAL-ABI-2",
                xhal_event_query(reinterpret_cast<xhal_event_t>(palette.handle(XHAL_TYPE_event))),
                XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ABI-2",
                xhal_stream_query(reinterpret_cast<xhal_stream_t>(palette.handle(XHAL_TYPE_stream))),
                XHAL_SUCCESS);
}

XHAL_TEST_P(abi, foreign_handle, two_handle_entries, .clauses = {"XHAL-ABI-3"},
            .observes =
                "each handle but the first from a second instance, then the first: the code; both instances' "
                "objects afterwards") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  PrivateSession other(t);
  Palette ours(t);
  Palette theirs(t, *other, true);
  if (!ours.has_all(entry) || !theirs.has_all(entry)) {
    // No live handle of such a type can be had without its feature: then a foreign one cannot either.
    t.substitute(
        "the device gives out no handles of a type that the call takes: xhal_event_record was asked");
    expect_code(t, "XHAL-ABI-3", conformance::entry("event_record"),
                xhal_event_record(reinterpret_cast<xhal_event_t>(ours.handle(XHAL_TYPE_event)),
                                  reinterpret_cast<xhal_stream_t>(theirs.handle(XHAL_TYPE_stream)), 0),
                XHAL_ERROR_FOREIGN_HANDLE, "in its place");
    return;
  }
  for (const size_t position : entry.handle_positions()) {
    Words words = ours.arguments(entry);
    words[position] = theirs.handle(entry.parameters[position].handle_type);
    const std::string how = fmt::format("{} of another instance", entry.parameters[position].name);
    expect_code(t, "XHAL-ABI-3", entry, call(entry, words, how), XHAL_ERROR_FOREIGN_HANDLE, how);
  }
  for (const Palette* palette : {&ours, &theirs}) {
    EXPECT_RESULT("XHAL-ABI-3",
                  xhal_event_query(reinterpret_cast<xhal_event_t>(palette->handle(XHAL_TYPE_event))),
                  XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-3",
                  xhal_stream_synchronize(reinterpret_cast<xhal_stream_t>(palette->handle(XHAL_TYPE_stream)),
                                          t.patience()),
                  XHAL_SUCCESS);
  }
}

// Handles that were live once: destroyed one by one, or with their instance.
XHAL_TEST_P(
    abi, stale_handle, all_entries, .clauses = {"XHAL-ABI-4", "XHAL-ABI-22"},
    .observes =
        "a destroyed handle, or one of a destroyed instance, in each place in turn: the code, and no crash") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  std::map<uint32_t, uint64_t> of_dead_instance;
  {
    PrivateSession session(t);
    for (const uint32_t type : {XHAL_TYPE_instance, XHAL_TYPE_driver, XHAL_TYPE_device}) {
      of_dead_instance[type] =
          reinterpret_cast<uintptr_t>(type == XHAL_TYPE_instance ? static_cast<void*>(session->instance())
                                      : type == XHAL_TYPE_driver ? static_cast<void*>(session->driver())
                                                                 : static_cast<void*>(session->device()));
    }
    of_dead_instance[XHAL_TYPE_stream] = reinterpret_cast<uintptr_t>(Stream(t, *session).release());
    of_dead_instance[XHAL_TYPE_event] = reinterpret_cast<uintptr_t>(Event(t, *session).release());
    REQUIRE_OK(session.close());
  }
  std::map<uint32_t, uint64_t> destroyed;
  {
    Stream stream(t);
    Event event(t);
    const FeatureHandles of_features(t, t.session(), stream, destroyed);
    destroyed[XHAL_TYPE_stream] = reinterpret_cast<uintptr_t>(static_cast<xhal_stream_t>(stream));
    destroyed[XHAL_TYPE_event] = reinterpret_cast<uintptr_t>(static_cast<xhal_event_t>(event));
  }
  if (t.has_kernels()) {
    xhal_module_t module = nullptr;
    xhal_kernel_t kernel = nullptr;
    REQUIRE_OK(KernelPack::load(t.device(), t.pack().image(), &module));
    REQUIRE_OK(xhal_module_get_kernel(module, t.kernel_name("xhal_trap_u32").c_str(), &kernel));
    destroyed[XHAL_TYPE_module] = reinterpret_cast<uintptr_t>(module);
    destroyed[XHAL_TYPE_kernel] = reinterpret_cast<uintptr_t>(kernel);
    REQUIRE_OK(xhal_module_destroy(module));
  }
  Palette palette(t);
  bool judged = false;
  for (const size_t position : entry.handle_positions()) {
    const EntryParameter& parameter = entry.parameters[position];
    if (const auto stale = of_dead_instance.find(parameter.handle_type); stale != of_dead_instance.end()) {
      Words words = palette.arguments(entry);
      words[position] = stale->second;
      const std::string how = fmt::format("{} of a destroyed instance", parameter.name);
      expect_code(t, "XHAL-ABI-22", entry, call(entry, words, how), XHAL_ERROR_INVALID_HANDLE, how);
      judged = true;
    }
    if (const auto stale = destroyed.find(parameter.handle_type); stale != destroyed.end()) {
      Words words = palette.arguments(entry);
      words[position] = stale->second;
      const std::string how = fmt::format("a destroyed {}", parameter.name);
      expect_code(t, "XHAL-ABI-4", entry, call(entry, words, how), XHAL_ERROR_INVALID_HANDLE, how);
      judged = true;
    }
  }
  if (!judged) {
    t.substitute("the device gives out no handles of the types that the call takes: null was passed");
    expect_code(t, "XHAL-ABI-4", entry, call(entry, palette.arguments(entry), "null"),
                XHAL_ERROR_INVALID_HANDLE, "nothing live can be passed");
  }
}

XHAL_TEST_P(abi, null_pointer, pointer_entries,
            .clauses = {"XHAL-ABI-13", "XHAL-ABI-14", "XHAL-ABI-12", "XHAL-ABI-1"},
            .observes =
                "each required pointer null in turn: the code, the other out-parameters; the call's refusal "
                "where its feature is not claimed") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  Palette palette(t);
  const bool reachable = palette.has_all(entry);
  const bool claimed = t.claims(entry.feature);
  for (size_t position = 0; position < entry.parameters.size(); ++position) {
    const EntryParameter& parameter = entry.parameters[position];
    if (parameter.kind != ParameterKind::kIn && parameter.kind != ParameterKind::kOut &&
        parameter.kind != ParameterKind::kOutHandle)
      continue;
    Words words = palette.arguments(entry);
    words[position] = 0;
    const std::string how = fmt::format("{} null", parameter.name);
    const xhal_result_t got = call(entry, words, how);
    if (!reachable) {
      t.substitute(
          "no live handle of a type that the call takes can be had: its null handle is refused first");
      expect_code(t, "XHAL-ABI-1", entry, got, XHAL_ERROR_INVALID_HANDLE,
                  how + ", and no live handle of its type");
    } else if (!claimed) {
      expect_code(t, "XHAL-ABI-12", entry, got, XHAL_ERROR_UNSUPPORTED, how);
    } else {
      expect_code(t, "XHAL-ABI-13", entry, got, XHAL_ERROR_INVALID_ARGUMENT, how);
    }
    EXPECT_VALUE("XHAL-ABI-14", palette.written(), "", "{}: another out-parameter was written", how);
  }
}

XHAL_TEST_P(abi, unclaimed_call, optional_entries, .clauses = {"XHAL-ABI-12", "XHAL-ABI-14", "XHAL-ABI-1"},
            .observes =
                "the call with plausible, with null and with wild arguments beside its live handles: the "
                "code, the out-parameters") {
  const EntryInfo& entry = conformance::entry(t.text("entry"));
  Palette palette(t);
  const auto expect = [&](const Words& words, const std::string& how) {
    const xhal_result_t got = call(entry, words, how);
    if (palette.has_all(entry)) {
      expect_code(t, "XHAL-ABI-12", entry, got, XHAL_ERROR_UNSUPPORTED, how);
    } else {
      t.substitute(
          "no live handle of a type that the call takes can be had without the feature: null was passed");
      expect_code(t, "XHAL-ABI-1", entry, got, XHAL_ERROR_INVALID_HANDLE, how);
    }
    EXPECT_VALUE("XHAL-ABI-14", palette.written(), "", "{}: an out-parameter was written", how);
  };
  expect(palette.arguments(entry), "plausible arguments");
  Words nulls = palette.arguments(entry);
  Words wild = nulls;
  for (size_t i = 0; i < entry.parameters.size(); ++i) {
    if (entry.parameters[i].kind == ParameterKind::kHandle) continue;
    nulls[i] = 0;
    // Wild values only where no pointer is meant: the call must not look at pointers either, but a test must survive one that does.
    if (entry.parameters[i].kind == ParameterKind::kValue) wild[i] = ~uint64_t{0};
    if (entry.parameters[i].kind == ParameterKind::kAddress) wild[i] = 0xDEAD0000;
  }
  expect(nulls, "everything else null");
  expect(wild, "wild values");
  expect_well(t, palette.has_all(entry) ? Clause("XHAL-ABI-12") : Clause("XHAL-ABI-1"));
}

}  // namespace
}  // namespace xhal::conformance
