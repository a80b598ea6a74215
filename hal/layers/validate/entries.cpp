// SPDX-License-Identifier: Apache-2.0
#include "entries.hpp"

#include <atomic>
#include <cstddef>
#include <new>

#include "arguments.hpp"
#include "checks.hpp"

namespace xhal::validate {
namespace {

// ---- What is made of each parameter ------------------------------------------------------------------------------------------------------

#define XHAL_VALIDATE_BEFORE_H(type, name) check_handle(call, name, XHAL_TYPE_##type, #name);
#define XHAL_VALIDATE_BEFORE_V(ctype, name) \
  if (decides) check_value(call, #name, name);
#define XHAL_VALIDATE_BEFORE_A(ctype, name)
#define XHAL_VALIDATE_BEFORE_IN(ctype, name) \
  if (decides) check_in(call, #name, name, true);
#define XHAL_VALIDATE_BEFORE_INO(ctype, name) \
  if (decides) check_in(call, #name, name, false);
#define XHAL_VALIDATE_BEFORE_OUT(ctype, name) \
  if (decides) check_out(call, #name, name, true);
#define XHAL_VALIDATE_BEFORE_OUTO(ctype, name) \
  if (decides) check_out(call, #name, name, false);
#define XHAL_VALIDATE_BEFORE_OUTH(type, name) \
  if (decides) check_present(call, #name, (name) == nullptr);
#define XHAL_VALIDATE_BEFORE_OUTHA(type, name, capacity, count) \
  if (decides) check_present(call, #name, (name) == nullptr && (capacity) > 0);
#define XHAL_VALIDATE_BEFORE_(kind, ...) XHAL_VALIDATE_BEFORE_##kind(__VA_ARGS__)
#define XHAL_VALIDATE_BEFORE(tuple) XHAL_VALIDATE_BEFORE_ tuple

#define XHAL_VALIDATE_AFTER_H(type, name)
#define XHAL_VALIDATE_AFTER_V(ctype, name)
#define XHAL_VALIDATE_AFTER_A(ctype, name)
#define XHAL_VALIDATE_AFTER_IN(ctype, name)
#define XHAL_VALIDATE_AFTER_INO(ctype, name)
#define XHAL_VALIDATE_AFTER_OUT(ctype, name)
#define XHAL_VALIDATE_AFTER_OUTO(ctype, name)
#define XHAL_VALIDATE_AFTER_OUTH(type, name) \
  if ((name) != nullptr) note_given(call, *(name), XHAL_TYPE_##type, first);
#define XHAL_VALIDATE_AFTER_OUTHA(type, name, capacity, count)
#define XHAL_VALIDATE_AFTER_(kind, ...) XHAL_VALIDATE_AFTER_##kind(__VA_ARGS__)
#define XHAL_VALIDATE_AFTER(tuple) XHAL_VALIDATE_AFTER_ tuple

// ---- Releases ------------------------------------------------------------------------------------------------------------------------

Release release_of(Call& call, xhal_device_t device, void* pointer, uint64_t size = 0) {
  // What is unmapped is no memory of its own: checks_vmm.cpp looks at it.
  return call.entry() != Entry::vmm_unmap ? begin_release(call, {device, nullptr, nullptr, pointer, size})
                                          : Release{};
}
Release release_of(Call& call, xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  return begin_release(call, {nullptr, pool, stream, pointer, 0});
}

// ---- One call ------------------------------------------------------------------------------------------------------------------------

// Answers that say that the program did something wrong, as far as a driver can tell.
bool blames_the_caller(xhal_result_t result) {
  switch (result) {
    case XHAL_ERROR_INVALID_ARGUMENT:
    case XHAL_ERROR_INVALID_HANDLE:
    case XHAL_ERROR_FOREIGN_HANDLE:
    case XHAL_ERROR_UNKNOWN_FIELD:
    case XHAL_ERROR_LIMIT_EXCEEDED:
    case XHAL_ERROR_INVALID_POINTER:
    case XHAL_ERROR_OUT_OF_RANGE:
    case XHAL_ERROR_NOT_RECORDED:
    case XHAL_ERROR_INVALID_IMAGE:
    case XHAL_ERROR_CALL_FORBIDDEN:
    case XHAL_ERROR_CAPTURE_UNSUPPORTED:
    case XHAL_ERROR_CAPTURE_INVALIDATED:
    case XHAL_ERROR_CAPTURE_UNJOINED:
    case XHAL_ERROR_CAPTURE_MISMATCH:
      return true;
    default:
      return false;
  }
}

// Without memory for its notes the layer lets the call pass: a program under it must not fail where it would not without it.
template <class Work>
void if_memory_lasts(const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    return;
  }
}

// `check` looks at the parameters, `go_on` is the next layer's or the driver's function, `note` looks at what came back.
template <Entry kEntry, class First, class Check, class GoOn, class Note, class... Arguments>
xhal_result_t validated(Call& call, First first, const Check& check, const GoOn& go_on, const Note& note,
                        Arguments... arguments) {
  constexpr bool kDestroys = layers::destroys(kEntry);
  constexpr bool kReleases = layers::releases_memory(kEntry);
  xhal_result_t answer = XHAL_SUCCESS;
  Ending ending;
  Release release;
  // Handles are looked at always, the rest only where it decides about the call.
  bool decides = true;
  if_memory_lasts([&] {
    decides = is_claimed(call, first) && !check_host_function(call);
    check(decides);
    if (decides && !call.is_refused()) before(call, Is<kEntry>{}, arguments...);
    answer = call.settle();
    if (answer != XHAL_SUCCESS) return;
    if constexpr (kDestroys) ending = begin_destroy(call, first);
    if constexpr (kReleases) {
      if (decides) release = release_of(call, arguments...);
    }
    answer = call.settle();
  });
  const xhal_result_t result = answer != XHAL_SUCCESS ? answer : go_on();
  if_memory_lasts([&] {
    if constexpr (kDestroys) end_destroy(call, ending, result >= 0);
    if constexpr (kReleases) end_release(release, result >= 0);
    if (answer != XHAL_SUCCESS) return;
    if (result >= 0) note();
    after(call, Is<kEntry>{}, result, arguments...);
    const bool is_of_capture = note_refusal(call, result);
    if (blames_the_caller(result) && !call.found_any()) {
      call.found(is_of_capture ? Kind::kCaptureMisuse : Kind::kRefusedCall, XHAL_SUCCESS,
                 "the driver refuses the call with " + std::string(layers::result_name(result)));
    }
    // The call has been made: what is found now cannot refuse it.
    static_cast<void>(call.settle());
  });
  return result;
}

// Written at every attach, always with the same value.
std::atomic<uint32_t> layer_slot{0};

template <class Handle>
Attachment& attachment_of(Handle handle) {
  return *static_cast<Attachment*>(XHAL_LAYER_STATE(handle, layer_slot.load(std::memory_order_relaxed)));
}

#define XHAL_ENTRY(feature, since, name, ...)                                                    \
  xhal_result_t validate_##name(XHAL_PARAMS(__VA_ARGS__)) {                                      \
    auto* const first = XHAL_FIRST_NAME(__VA_ARGS__);                                            \
    Call call(attachment_of(first), Entry::name);                                                \
    const auto check = [&]([[maybe_unused]] bool decides) {                                      \
      XHAL_PP_EACH(XHAL_VALIDATE_BEFORE, __VA_ARGS__)                                            \
    };                                                                                           \
    const auto go_on = [&] { return call.next().name(XHAL_ARGUMENTS(__VA_ARGS__)); };            \
    const auto note = [&] { XHAL_PP_EACH(XHAL_VALIDATE_AFTER, __VA_ARGS__) };                    \
    return validated<Entry::name>(call, first, check, go_on, note, XHAL_ARGUMENTS(__VA_ARGS__)); \
  }
#include "xhal/entry_points.def"

}  // namespace

void intercept_all(xhal_functions_t& functions, uint32_t capacity, uint32_t slot) {
  layer_slot.store(slot, std::memory_order_relaxed);
  // An older host's table is shorter than the list of this build.
#define XHAL_ENTRY(feature, since, name, ...) \
  if (offsetof(xhal_functions_t, name) + sizeof(functions.name) <= capacity) functions.name = validate_##name;
#include "xhal/entry_points.def"
}

}  // namespace xhal::validate
