// SPDX-License-Identifier: Apache-2.0
// What stands between an exported call and the function in the table. docs/decisions/0002-call-path.md has the counts and the reasons.
//
// A call of one handle costs a null check, the load of its table, the jump and the look at the result. The table's slots are live for
// handles of its own type alone, so the jump itself refuses handles of another type, destroyed ones and those of a forked process.
// A second handle is right when its table is the sibling of the first one's for its type: one compare checks type, instance and life.
#pragma once

#include <cstdint>

#include "tables.hpp"
#include "thread_error.hpp"

namespace xhal::host {

// Parameters by what the path does with them; XHAL_PATH_ARGUMENT makes them from a tuple of the list. What a call needs a variable for is
// not theirs but a `Given` of its own: an object whose address goes to the driver is kept in memory as a whole.
struct NothingGiven {};

template <class T>
struct Plain {
  T value;
  static constexpr bool kIsHandle = false;
  static constexpr bool kGivesHandles = false;
  [[gnu::always_inline]] uintptr_t required_bits() const { return ~uintptr_t{0}; }
  [[gnu::always_inline]] void assume_required() const {}
  using Given = NothingGiven;
  [[gnu::always_inline]] T pass(Given&) const { return value; }
  [[gnu::always_inline]] void deliver(const HostTable*, Given) const {}
};

template <uint32_t Type, class T>
struct Handle {
  T value;
  static constexpr bool kIsHandle = true;
  static constexpr bool kGivesHandles = false;
  static constexpr uint32_t kType = Type;
  [[gnu::always_inline]] uintptr_t required_bits() const { return reinterpret_cast<uintptr_t>(value); }
  [[gnu::always_inline]] void assume_required() const {
    if (value == nullptr) __builtin_unreachable();
  }
  [[gnu::always_inline]] const xhal_handle_header_t* header() const {
    return reinterpret_cast<const xhal_handle_header_t*>(value);
  }
  using Given = NothingGiven;
  [[gnu::always_inline]] T pass(Given&) const { return value; }
  [[gnu::always_inline]] void deliver(const HostTable*, Given) const {}
};

template <uint32_t Type, class T>
[[gnu::always_inline]] inline void stamp_as(T handle, const HostTable* table) {
  if (__builtin_expect(handle != nullptr, 1))
    stamp(reinterpret_cast<xhal_handle_header_t*>(handle), table->siblings[Type]);
}

// The driver writes to a variable of ours: a call that fails, or a driver that says success and writes nothing, cannot leave an
// unstamped handle with the application. A null place for it is rare and wrong: the quick check sends it the exact way, where the driver
// is given null and refuses it.
template <uint32_t Type, class T>
struct OutHandle {
  T* value;
  static constexpr bool kIsHandle = false;
  static constexpr bool kGivesHandles = true;
  [[gnu::always_inline]] uintptr_t required_bits() const { return reinterpret_cast<uintptr_t>(value); }
  [[gnu::always_inline]] void assume_required() const {
    if (value == nullptr) __builtin_unreachable();
  }
  struct Given {
    T handle = nullptr;
  };
  [[gnu::always_inline]] T* pass(Given& given) const { return value != nullptr ? &given.handle : nullptr; }
  [[gnu::always_inline]] void deliver(const HostTable* table, Given given) const {
    if (value == nullptr) return;
    stamp_as<Type>(given.handle, table);
    *value = given.handle;
  }
};

template <uint32_t Type, class T>
struct OutHandles {
  T* value;
  uint32_t capacity;
  const uint32_t* count;
  static constexpr bool kIsHandle = false;
  static constexpr bool kGivesHandles = true;
  [[gnu::always_inline]] uintptr_t required_bits() const { return ~uintptr_t{0}; }
  [[gnu::always_inline]] void assume_required() const {}
  using Given = NothingGiven;
  [[gnu::always_inline]] T* pass(Given&) const { return value; }
  [[gnu::always_inline]] void deliver(const HostTable* table, Given) const {
    if (value == nullptr || count == nullptr) return;
    const uint32_t filled = *count < capacity ? *count : capacity;
    for (uint32_t i = 0; i < filled; ++i) stamp_as<Type>(value[i], table);
  }
};

#define XHAL_PATH_ARGUMENT_H(type, name) \
  ::xhal::host::Handle<XHAL_TYPE_##type, xhal_##type##_t> { name }
#define XHAL_PATH_ARGUMENT_V(ctype, name) \
  ::xhal::host::Plain<ctype> { name }
#define XHAL_PATH_ARGUMENT_A XHAL_PATH_ARGUMENT_V
#define XHAL_PATH_ARGUMENT_IN XHAL_PATH_ARGUMENT_V
#define XHAL_PATH_ARGUMENT_INO XHAL_PATH_ARGUMENT_V
#define XHAL_PATH_ARGUMENT_OUT XHAL_PATH_ARGUMENT_V
#define XHAL_PATH_ARGUMENT_OUTO XHAL_PATH_ARGUMENT_V
#define XHAL_PATH_ARGUMENT_OUTH(type, name) \
  ::xhal::host::OutHandle<XHAL_TYPE_##type, xhal_##type##_t> { name }
#define XHAL_PATH_ARGUMENT_OUTHA(type, name, capacity, count) \
  ::xhal::host::OutHandles<XHAL_TYPE_##type, xhal_##type##_t> { name, capacity, count }
#define XHAL_PATH_ARGUMENT_(kind, ...) XHAL_PATH_ARGUMENT_##kind(__VA_ARGS__)
#define XHAL_PATH_ARGUMENT(tuple) XHAL_PATH_ARGUMENT_ tuple
#define XHAL_PATH_ARGUMENTS(...) XHAL_PP_LIST(XHAL_PATH_ARGUMENT, __VA_ARGS__)

// A quick check gives the first handle's table, or null. Null does not mean refused: the exact check decides then.

// How many of the arguments are handles.
template <class... Arguments>
inline constexpr uint32_t kHandles = (0 + ... + (Arguments::kIsHandle ? 1 : 0));

// Tells the compiler that a header's table is never null, so that the quick check's null costs no second test.
[[gnu::always_inline]] inline const HostTable* known_table(const xhal_table_t* table) {
  if (table == nullptr) __builtin_unreachable();
  return host_table(table);
}

// Several null checks in one: the AND of addresses is zero when one of them is null, and practically never else (addresses of one
// heap, and of heap and stack, share high bits). When it is by chance, the exact check lets the call pass.
template <class... Arguments>
[[gnu::always_inline]] inline bool all_there(Arguments... arguments) {
  if (__builtin_expect((arguments.required_bits() & ...) == 0, 0)) return false;
  (arguments.assume_required(), ...);
  return true;
}

template <class First, class Second>
[[gnu::always_inline]] inline const HostTable* table_of_two(First first, Second second) {
  const xhal_table_t* table = table_of(first.header());
  const xhal_table_t* other = table_of(second.header());
  const xhal_table_t* expected =
      First::kType == Second::kType ? table : host_table(table)->siblings[Second::kType];
  if (__builtin_expect(other != expected, 0)) return nullptr;
  return known_table(table);
}

// The one handle among the arguments behind the first.
template <class First, class... Rest>
[[gnu::always_inline]] inline auto second_handle(First first, Rest... rest) {
  if constexpr (First::kIsHandle) {
    return first;
  } else {
    return second_handle(rest...);
  }
}

template <class First, class... Rest>
[[gnu::always_inline]] inline const HostTable* quick_check(First first, Rest... rest) {
  static_assert(First::kIsHandle, "the first parameter of every entry is a handle");
  static_assert(kHandles<Rest...> <= 1, "an entry takes one or two handles");
  if (!all_there(first, rest...)) return nullptr;
  if constexpr (kHandles<Rest...> == 0) {
    return known_table(table_of(first.header()));
  } else {
    return table_of_two(first, second_handle(rest...));
  }
}

// The exact check, out of line: which refusal, in which order. FORKED wins over INVALID_HANDLE wins over FOREIGN_HANDLE.
struct NamedHandle {
  const xhal_handle_header_t* header;
  uint32_t type;
};
[[gnu::cold, gnu::noinline]] xhal_result_t exact_check(NamedHandle first, NamedHandle second);

template <class First, class... Rest>
xhal_result_t exact_check_of(First first, Rest... rest) {
  const NamedHandle named{first.header(), First::kType};
  if constexpr (kHandles<Rest...> == 0) {
    return exact_check(named, named);
  } else {
    const auto second = second_handle(rest...);
    return exact_check(named, {second.header(), decltype(second)::kType});
  }
}

// The call itself. The slot is read without an atomic: it changes only when the instance is destroyed, which the caller orders against
// other calls (XHAL-ABI-22), and in a fork's child, which has one thread.
template <auto Slot, Entry Number, class... Arguments>
[[gnu::always_inline]] inline xhal_result_t call_giving(const HostTable* table, Arguments... arguments,
                                                        typename Arguments::Given... given) {
  const xhal_result_t result = (table->table.functions.*Slot)(arguments.pass(given)...);
  if (__builtin_expect(result < 0, 0)) return record_failure(Number, result);
  (arguments.deliver(table, given), ...);
  if constexpr ((Arguments::kGivesHandles || ...)) return forget_report(result);
  return result;
}

template <auto Slot, Entry Number, class... Arguments>
[[gnu::always_inline]] inline xhal_result_t call(const HostTable* table, Arguments... arguments) {
  return call_giving<Slot, Number, Arguments...>(table, arguments..., typename Arguments::Given{}...);
}

template <auto Slot, Entry Number, class First, class... Rest>
xhal_result_t exactly_checked_call(First first, Rest... rest) {
  const xhal_result_t checked = exact_check_of(first, rest...);
  if (checked != XHAL_SUCCESS) return record_failure(Number, checked);
  return call<Slot, Number>(host_table(table_of(first.header())), first, rest...);
}

}  // namespace xhal::host
