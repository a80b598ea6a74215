// SPDX-License-Identifier: Apache-2.0
// Native handles of objects, and streams wrapped around native ones.
#include <algorithm>

#include "suite/interop_support.h"

namespace xhal::conformance {
namespace {

// ---- Handles out ----------------------------------------------------------------------------------------

struct Given {
  uint32_t object;
  const char* name;
  xhal_native_t native;
};

// The native handle of everything that has one; alive for as long as the arguments.
std::vector<Given> handles(Context& t, xhal_stream_t stream, xhal_event_t event) {
  std::vector<Given> out;
  const auto ask = [&](uint32_t object, const char* name, auto call) {
    Given given{object, name, empty_native()};
    const xhal_result_t result = call(&given.native);
    ASSERT_VALUE("XHAL-INTEROP-1", result_name(result), result_name(XHAL_SUCCESS), "{}", name);
    out.push_back(given);
  };
  ask(XHAL_NATIVE_PROBE_DEVICE, "device",
      [&](xhal_native_t* native) { return TRACED(xhal_device_get_native(t.device(), native)); });
  ask(XHAL_NATIVE_PROBE_CONTEXT, "context",
      [&](xhal_native_t* native) { return TRACED(xhal_device_get_native_context(t.device(), native)); });
  ask(XHAL_NATIVE_PROBE_STREAM, "stream",
      [&](xhal_native_t* native) { return TRACED(xhal_stream_get_native(stream, native)); });
  ask(XHAL_NATIVE_PROBE_EVENT, "event",
      [&](xhal_native_t* native) { return TRACED(xhal_event_get_native(event, native)); });
  if (t.has_kernels()) {
    ask(XHAL_NATIVE_PROBE_MODULE, "module",
        [&](xhal_native_t* native) { return TRACED(xhal_module_get_native(t.pack().module(), native)); });
  }
  return out;
}

XHAL_TEST(native, handles_name_themselves, .clauses = {"XHAL-INTEROP-1"},
          .observes =
              "api, kind and value of the device, its context, a stream, an event and a module, asked twice "
              "with work in "
              "between; those of two streams and of the default stream",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  Stream stream(t);
  Stream other(t);
  Event event(t);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  const auto first = handles(t, stream, event);
  Marker marker(t);
  marker.fill_on(t, stream);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto second = handles(t, stream, event);
  const std::string api = bounded_text(first.front().native.api);
  EXPECT_CLAUSE("XHAL-INTEROP-1", !api.empty() && api.size() < sizeof(xhal_native_t::api),
                "the name of the api is '{}'", api);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_VALUE("XHAL-INTEROP-1", bounded_text(first[i].native.api), api, "{}", first[i].name);
    EXPECT_VALUE("XHAL-INTEROP-1", first[i].native.kind, uint32_t{XHAL_NATIVE_HANDLE}, "{}", first[i].name);
    EXPECT_VALUE("XHAL-INTEROP-1", second[i].native.value, first[i].native.value, "{} asked again",
                 first[i].name);
  }
  EXPECT_CLAUSE("XHAL-INTEROP-1", native_of(t, other).value != native_of(t, stream).value,
                "two streams have one native handle");
  xhal_stream_t default_stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &default_stream));
  const xhal_native_t of_default = native_of(t, default_stream);
  EXPECT_VALUE("XHAL-INTEROP-1", bounded_text(of_default.api), api);
  EXPECT_CLAUSE("XHAL-INTEROP-1", of_default.kind <= XHAL_NATIVE_PER_THREAD_DEFAULT, "kind {}",
                of_default.kind);
}

XHAL_TEST(native, vendor_knows_the_handles, .clauses = {"XHAL-INTEROP-1"},
          .observes =
              "a call of the vendor's own on the native handle of the device, its context, a stream, an "
              "event and a module, "
              "before and after work",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  const xhal_native_probe_t& probe = need_probe(t);
  const auto ask = need_call(probe.ask, "questions");
  Stream stream(t);
  Event event(t);
  for (int round = 0; round < 2; ++round) {
    REQUIRE_OK(xhal_event_record(event, stream, 0));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    for (const Given& given : handles(t, stream, event)) {
      EXPECT_RESULT("XHAL-INTEROP-1", ask(t.device(), given.object, &given.native), XHAL_SUCCESS, "{}",
                    given.name);
    }
  }
}

// ---- Which handles are taken ----------------------------------------------------------------------------

XHAL_TEST(native, kinds_of_streams, .clauses = {"XHAL-INTEROP-2", "XHAL-ABI-14"},
          .observes =
              "value 0 with each kind: refused, or a stream that works, is told as foreign and gives the "
              "kind back, as the "
              "vendor's API has it; unknown kinds",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  const std::string api = native_api(t);
  const xhal_native_probe_t* probe = probe_of(t);
  t.touch(t.session(), 0);
  for (const uint32_t kind : {uint32_t{XHAL_NATIVE_HANDLE}, uint32_t{XHAL_NATIVE_LEGACY_DEFAULT},
                              uint32_t{XHAL_NATIVE_PER_THREAD_DEFAULT}}) {
    const xhal_native_t native = native_handle(api, kind, 0);
    xhal_stream_t stream = sentinel<xhal_stream_s>();
    const xhal_result_t result = TRACED(xhal_stream_import_native(t.device(), &native, &stream));
    if (probe != nullptr) {
      const bool there = ((probe->zero_streams >> kind) & 1u) != 0;
      EXPECT_VALUE("XHAL-INTEROP-2", result_name(result),
                   result_name(there ? XHAL_SUCCESS : XHAL_ERROR_INVALID_ARGUMENT), "kind {}", kind);
    } else {
      EXPECT_CLAUSE("XHAL-INTEROP-2", result == XHAL_SUCCESS || result == XHAL_ERROR_INVALID_ARGUMENT,
                    "kind {}: {}", kind, result_name(result));
    }
    if (result != XHAL_SUCCESS) {
      EXPECT_VALUE("XHAL-ABI-14", stream, sentinel<xhal_stream_s>(), "kind {}", kind);
      continue;
    }
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    REQUIRE_OK(xhal_stream_get_info(stream, &info));
    EXPECT_VALUE("XHAL-INTEROP-2", info.is_foreign, 1u, "kind {}", kind);
    EXPECT_VALUE("XHAL-INTEROP-2", native_of(t, stream).kind, kind);
    Marker marker(t);
    marker.fill_on(t, stream);
    EXPECT_RESULT("XHAL-INTEROP-2", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "kind {}",
                  kind);
    EXPECT_CLAUSE("XHAL-INTEROP-2", marker.filled(), "kind {}: {}", kind, marker.shown());
    REQUIRE_OK(xhal_stream_destroy(stream));
  }
  Stream own(t);
  for (const uint32_t kind : {3u, 99u, 1u << 31, ~0u}) {
    xhal_native_t native = native_of(t, own);
    native.kind = kind;
    xhal_stream_t stream = sentinel<xhal_stream_s>();
    EXPECT_RESULT("XHAL-INTEROP-2", xhal_stream_import_native(t.device(), &native, &stream),
                  XHAL_ERROR_INVALID_ARGUMENT, "kind {}", kind);
    EXPECT_VALUE("XHAL-ABI-14", stream, sentinel<xhal_stream_s>(), "kind {}", kind);
  }
}

XHAL_TEST(native, another_api, .clauses = {"XHAL-INTEROP-5", "XHAL-ABI-14"},
          .observes =
              "live native handles told under other names, none, one that is too long and one that does not "
              "end: the code for "
              "a stream and for a context; the stream afterwards",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .isolated = true) {
  // A device that is not active, so that the name alone is wrong with the context.
  PrivateSession passive(t);
  Stream own(t);
  xhal_native_t context = empty_native();
  REQUIRE_OK(xhal_device_get_native_context(t.device(), &context));
  const std::string api = native_api(t);
  for (const std::string& name :
       {std::string(), std::string("another"), std::string("cuda2"), api + "x", api.substr(0, api.size() - 1),
        std::string(sizeof(xhal_native_t::api), 'x')}) {
    const auto renamed = [&](xhal_native_t native) {
      std::fill(std::begin(native.api), std::end(native.api), char{0});
      name.copy(native.api, sizeof(native.api));
      return native;
    };
    const xhal_native_t of_stream = renamed(native_of(t, own));
    const xhal_native_t of_context = renamed(context);
    xhal_stream_t stream = sentinel<xhal_stream_s>();
    EXPECT_RESULT("XHAL-INTEROP-5", xhal_stream_import_native(t.device(), &of_stream, &stream),
                  XHAL_ERROR_INVALID_ARGUMENT, "a stream of '{}'", name);
    EXPECT_VALUE("XHAL-ABI-14", stream, sentinel<xhal_stream_s>(), "a stream of '{}'", name);
    EXPECT_RESULT("XHAL-INTEROP-5", xhal_device_set_native_context(passive->device(), &of_context),
                  XHAL_ERROR_INVALID_ARGUMENT, "a context of '{}'", name);
  }
  Marker marker(t);
  marker.fill_on(t, own);
  EXPECT_RESULT("XHAL-INTEROP-5", xhal_stream_synchronize(own, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-INTEROP-5", marker.filled(), "{}", marker.shown());
}

// ---- Order ----------------------------------------------------------------------------------------------

Cases owners() { return grid({owner_axis()}); }

XHAL_TEST_P(native, owners_work_comes_first, owners, .clauses = {"XHAL-INTEROP-3"},
            .observes =
                "the owner holds its native stream and submits: the wrapper's fill and a stream that waits "
                "for the wrapper's "
                "record have not happened, its query and waits say so; released: both have",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  ForeignStream foreign(t);
  Wrapped wrapper(t, foreign.native());
  Stream other(t);
  Event event(t);
  Marker behind(t);
  Marker farther(t);
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  store(word.as<uint32_t>(), 1);
  foreign.hold();
  foreign.fill(word, 2, 1);
  EXPECT_RESULT("XHAL-INTEROP-3", xhal_event_record(event, wrapper, 0), XHAL_SUCCESS);
  behind.fill_on(t, wrapper);
  REQUIRE_OK(xhal_stream_wait_event(other, event, 0));
  farther.fill_on(t, other);
  if (foreign.was_held()) {
    EXPECT_CLAUSE("XHAL-INTEROP-3", foreign.held(), "a call waited for the owner's work");
    if (foreign.witness()) {
      EXPECT_VALUE("XHAL-INTEROP-3", load(word.as<uint32_t>()), 1u, "the owner's own work");
      EXPECT_CLAUSE("XHAL-INTEROP-3", behind.untouched(), "behind the owner's work: {}", behind.shown());
      EXPECT_CLAUSE("XHAL-INTEROP-3", farther.untouched(), "behind a wait for the wrapper: {}",
                    farther.shown());
    }
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_query(wrapper), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_event_query(event), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(wrapper, 1'000'000), XHAL_TIMEOUT);
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_event_synchronize(event, 0), XHAL_TIMEOUT);
  }
  foreign.release();
  EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(wrapper, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-INTEROP-3", load(word.as<uint32_t>()), 2u,
               "the owner's work after the wrapper's synchronise");
  EXPECT_CLAUSE("XHAL-INTEROP-3", behind.filled() && farther.filled(), "{}; {}", behind.shown(),
                farther.shown());
}

XHAL_TEST_P(native, synchronise_sees_the_owners_work, owners, .clauses = {"XHAL-INTEROP-3"},
            .observes =
                "nothing but the owner submits, the wrapper is only asked: its query and its synchronise "
                "tell of the owner's work",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  ForeignStream foreign(t);
  Wrapped wrapper(t, foreign.native());
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  store(word.as<uint32_t>(), 1);
  foreign.hold();
  foreign.fill(word, 2, 1);
  if (foreign.was_held()) {
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_query(wrapper), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(wrapper, 1'000'000), XHAL_TIMEOUT);
    EXPECT_CLAUSE("XHAL-INTEROP-3", foreign.held(), "a wait outlasted its time");
  }
  foreign.release();
  EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(wrapper, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-INTEROP-3", load(word.as<uint32_t>()), 2u,
               "the owner's work after the wrapper's synchronise");
}

XHAL_TEST_P(
    native, wrappers_work_comes_first, owners, .clauses = {"XHAL-INTEROP-3"},
    .observes =
        "the wrapper is held, the owner submits behind it: its fill has not happened; released: it has",
    .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  ForeignStream foreign(t);
  Wrapped wrapper(t, foreign.native());
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  store(word.as<uint32_t>(), 1);
  Gate gate(t, wrapper);
  foreign.fill(word, 2, 1);
  if (t.witness(gate))
    EXPECT_VALUE("XHAL-INTEROP-3", load(word.as<uint32_t>()), 1u, "the owner's work overtook the wrapper's");
  if (gate.held()) store(word.as<uint32_t>(), 3);
  gate.open();
  foreign.finish();
  EXPECT_VALUE("XHAL-INTEROP-3", load(word.as<uint32_t>()), 2u, "the owner's work");
}

XHAL_TEST_P(native, interleaved_history, owners, .clauses = {"XHAL-INTEROP-3"},
            .observes =
                "forty rounds: the owner fills, the wrapper folds and copies out, and none waits for the "
                "other: each round's "
                "result",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  constexpr uint64_t kCells = 512;
  constexpr uint64_t kRounds = 40;
  ForeignStream foreign(t);
  Wrapped wrapper(t, foreign.native());
  const Buffer cells = device_memory(t, kCells * 8);
  const Buffer results = device_memory(t, kRounds * kCells * 8);
  std::vector<uint64_t> expected;
  const bool kernels = t.has_kernels();
  for (uint64_t round = 0; round < kRounds; ++round) {
    const auto value = static_cast<uint32_t>(0x01010101 * (round + 1));
    foreign.fill(cells, value, kCells * 2);
    std::vector<uint64_t> now(kCells, uint64_t{value} << 32 | value);
    if (kernels) {
      REQUIRE_OK(fold(t, wrapper, cells, round, kCells));
      now = oracle::fold_u64(now, round, kCells);
    }
    REQUIRE_OK(xhal_memory_copy(wrapper, results.at(round * kCells * 8), cells, kCells * 8));
    expected.insert(expected.end(), now.begin(), now.end());
  }
  EXPECT_RESULT("XHAL-INTEROP-3", xhal_stream_synchronize(wrapper, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-INTEROP-3", expected, t.read<uint64_t>(results, expected.size()));
}

// ---- Ownership ------------------------------------------------------------------------------------------

XHAL_TEST_P(native, wrapper_destroyed, owners, .clauses = {"XHAL-INTEROP-4", "XHAL-INTEROP-3"},
            .observes =
                "the wrapper is destroyed with its work held: the destroy returns, its work is done after "
                "the release, the "
                "owner's stream fills on and is wrapped again, five times",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  ForeignStream foreign(t);
  Marker behind(t);
  {
    Wrapped wrapper(t, foreign.native());
    foreign.hold();
    behind.fill_on(t, wrapper);
    EXPECT_RESULT("XHAL-INTEROP-4", xhal_stream_destroy(wrapper.release()), XHAL_SUCCESS);
    if (foreign.was_held()) {
      EXPECT_CLAUSE("XHAL-INTEROP-4", foreign.held(), "the destroy waited for the stream");
      if (foreign.witness()) EXPECT_CLAUSE("XHAL-INTEROP-3", behind.untouched(), "{}", behind.shown());
    }
    foreign.release();
  }
  foreign.finish();
  EXPECT_CLAUSE("XHAL-INTEROP-4", behind.filled(), "work of the destroyed wrapper: {}", behind.shown());
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  for (uint32_t round = 1; round <= 5; ++round) {
    foreign.fill(word, round, 1);
    const Wrapped again(t, foreign.native());
    Marker marker(t);
    marker.fill_on(t, again);
    EXPECT_RESULT("XHAL-INTEROP-4", xhal_stream_synchronize(again, t.patience()), XHAL_SUCCESS, "round {}",
                  round);
    EXPECT_CLAUSE("XHAL-INTEROP-4", marker.filled(), "round {}: {}", round, marker.shown());
    EXPECT_VALUE("XHAL-INTEROP-4", load(word.as<uint32_t>()), round, "the owner's own work");
  }
  const xhal_native_probe_t* probe = probe_of(t);
  if (probe != nullptr && probe->ask != nullptr) {
    EXPECT_RESULT("XHAL-INTEROP-4", probe->ask(t.device(), XHAL_NATIVE_PROBE_STREAM, &foreign.native()),
                  XHAL_SUCCESS, "the vendor's own question about the stream");
  }
}

// ---- Default streams ------------------------------------------------------------------------------------

// The wrapper of the legacy default stream; not observable where the API has none.
xhal_stream_t legacy_default_stream(Context& t) {
  const xhal_native_t native = native_handle(native_api(t), XHAL_NATIVE_LEGACY_DEFAULT, 0);
  xhal_stream_t stream = nullptr;
  t.touch(t.session(), 0);
  const xhal_result_t result = TRACED(xhal_stream_import_native(t.device(), &native, &stream));
  if (result == XHAL_ERROR_INVALID_ARGUMENT)
    Context::not_observable("the vendor's API has no legacy default stream");
  REQUIRE_OK(result);
  return stream;
}

XHAL_TEST(native, legacy_default_beside_a_held_stream, .clauses = {"XHAL-INTEROP-8"},
          .observes =
              "a wrapped legacy default stream beside a held stream, and a stream beside the held default "
              "stream: work waits "
              "where the device declares legacy synchronisation, and passes where it does not",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES, XHAL_FEATURE_CROSS_STREAM_PROGRESS},
          .may_be_unobservable = true) {
  xhal_stream_t legacy = legacy_default_stream(t);
  Stream stream(t);
  const bool synchronises = t.properties().default_stream_kind == XHAL_DEFAULT_STREAM_LEGACY;
  struct Way {
    xhal_stream_t held;
    xhal_stream_t free;
    const char* name;
  };
  for (const Way& way :
       {Way{stream, legacy, "a stream is held"}, Way{legacy, stream, "the default stream is held"}}) {
    Marker marker(t);
    Gate gate(t, way.held);
    marker.fill_on(t, way.free);
    if (gate.shut() && synchronises) {
      // No stream is a witness here, all of them wait; a wait that ends too early does so well within this time.
      EXPECT_RESULT("XHAL-INTEROP-8", xhal_stream_synchronize(way.free, 50'000'000), XHAL_TIMEOUT, "{}",
                    way.name);
      EXPECT_CLAUSE("XHAL-INTEROP-8", marker.untouched(), "{}: {}", way.name, marker.shown());
      marker.stamp(gate);
    } else if (gate.shut()) {
      EXPECT_RESULT("XHAL-INTEROP-8", xhal_stream_synchronize(way.free, t.patience()), XHAL_SUCCESS, "{}",
                    way.name);
      EXPECT_CLAUSE("XHAL-INTEROP-8", gate.held() && marker.filled(), "{}, and the other waited for it: {}",
                    way.name, marker.shown());
    }
    gate.open();
    EXPECT_RESULT("XHAL-INTEROP-8", xhal_stream_synchronize(way.free, t.patience()), XHAL_SUCCESS, "{}",
                  way.name);
    EXPECT_CLAUSE("XHAL-INTEROP-8", marker.filled(), "{}: {}", way.name, marker.shown());
    REQUIRE_OK(xhal_stream_synchronize(way.held, t.patience()));
  }
  REQUIRE_OK(xhal_stream_destroy(legacy));
}

}  // namespace
}  // namespace xhal::conformance
