// SPDX-License-Identifier: Apache-2.0
// One function for each entry of the contract's list, made by the preprocessor and the types of its parameters. What does not exist - a
// stream, a size, an output - is left out by generated_list.hpp.
//
// A lie leaves alone what a driver refuses before it looks at anything else: null pointers and structs of another version. So it is what
// calls do that tells, and not that their arguments are no longer checked.
#include "generated.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// A wrong order shows when what came too early is done before somebody looks. Nobody waits long for what cannot be done yet.
constexpr uint64_t kBrieflyNs = 20'000'000;

bool is_live(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle)->table->state == XHAL_TABLE_LIVE;
}

template <class Handle>
GeneratedState& state(Handle handle) {
  return *here(handle).generated;
}

// ---- Which calls a lie leaves alone ------------------------------------------------------------------------------------------------------

template <class T>
bool is_known(Kind kind, std::string_view name, T value) {
  if constexpr (std::is_pointer_v<T>) {
    using Pointee = std::remove_cv_t<std::remove_pointer_t<T>>;
    if (value == nullptr)
      return kind == Kind::kINO || kind == Kind::kOUTO || kind == Kind::kOUTHA || name == "user" ||
             name == "hint";
    if constexpr (WithStructSize<Pointee>) return value->struct_size >= sizeof(Pointee);
  }
  return true;
}

template <size_t Index, class... Arguments>
bool leaves_alone(Arguments... arguments) {
  size_t i = 0;
  bool all = true;
  ((all = all && is_known(kCalls[Index].parameters[i].kind, kCalls[Index].parameters[i].name, arguments),
    ++i),
   ...);
  return !all;
}

// ---- Other sizes -----------------------------------------------------------------------------------------------------------------------

template <class T>
bool take_one(T& size) {
  if (size == 0) return false;
  --size;
  return true;
}
template <class T>
bool shorten(T& in) {
  if constexpr (WithSize<T>) {
    return take_one(in.size);
  } else if constexpr (WithImageSize<T>) {
    return take_one(in.image_size);
  } else if constexpr (WithGroups<T>) {
    return take_one(in.group_count[0]);
  } else {
    return take_one(in.extent[0]);
  }
}

// Where a call with another struct has it; nothing for other parameters.
template <class T>
using Copy = std::conditional_t<
    kIsSizedStruct<T>,
    std::optional<std::remove_cv_t<std::remove_pointer_t<std::conditional_t<kIsSizedStruct<T>, T, int*>>>>,
    std::monostate>;

// ---- Calls that come late ----------------------------------------------------------------------------------------------------------------

// What a call that is put off keeps of an argument.
template <class T>
struct Kept {
  explicit Kept(T given) : value(given) {}
  [[nodiscard]] T get() { return value; }
  T value;
};
template <class T>
  requires WithStructSize<const T>
struct Kept<const T*> {
  explicit Kept(const T* in) {
    if (in != nullptr) value = *in;
  }
  [[nodiscard]] const T* get() { return value ? &*value : nullptr; }
  std::optional<T> value;
};
template <>
struct Kept<const xhal_launch_t*> {
  explicit Kept(const xhal_launch_t* in) : launch(*in) {
    arguments.assign(in->arguments, in->arguments + in->argument_count);
    for (const xhal_argument_t& argument : arguments) {
      if (argument.kind != XHAL_ARGUMENT_VALUE || argument.data == nullptr) continue;
      const auto* bytes = static_cast<const std::byte*>(argument.data);
      values.emplace_back(bytes, bytes + argument.size);
    }
    // With another stride they are of another version.
    if (in->range_stride == 0) ranges.assign(in->ranges, in->ranges + in->range_count);
  }
  [[nodiscard]] const xhal_launch_t* get() {
    size_t value = 0;
    for (xhal_argument_t& argument : arguments) {
      if (argument.kind == XHAL_ARGUMENT_VALUE && argument.data != nullptr)
        argument.data = values[value++].data();
    }
    launch.arguments = arguments.data();
    launch.ranges = ranges.data();
    launch.range_count = static_cast<uint32_t>(ranges.size());
    return &launch;
  }
  xhal_launch_t launch;
  std::vector<xhal_argument_t> arguments;
  std::vector<std::vector<std::byte>> values;
  std::vector<xhal_memory_range_t> ranges;
};

template <class T>
bool can_still_be_used(Kind kind, const T& value) {
  if constexpr (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) {
    return kind != Kind::kH || is_live(value);
  } else {
    return true;
  }
}

void make_what_was_put_off(GeneratedState& of) {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard guard(of.lock);
    calls.swap(of.put_off);
  }
  for (const auto& call : calls) call();
}

// ---- Outputs ------------------------------------------------------------------------------------------------------------------------------

// How many bytes a call with this output writes.
template <size_t Index, class T, class Values>
size_t bytes_of(T* out, const Values& values) {
  constexpr size_t kCapacity = place_of_value(kCalls[Index], "capacity");
  if constexpr (std::is_void_v<T>) {
    static_assert(kCapacity != kNoPlace, "how much does it write?");
    return std::get<kCapacity>(values);
  } else if constexpr (WithStructSize<T>) {
    return std::min<size_t>(out->struct_size, sizeof(T));
  } else {
    return sizeof(T);  // NOLINT(bugprone-sizeof-expression)
  }
}

// An address that nobody else has, of memory that can be touched and is the host's.
void* made_up_address() {
  constexpr size_t kStep = size_t{1} << 24;
  static auto* const block = new std::vector<std::byte>(64 * kStep);
  static std::atomic<size_t> next{0};
  return block->data() + next++ % 64 * kStep;
}

template <size_t Index, class T, class Values>
void make_up(T* out, const Values& values) {
  constexpr size_t kCount = place_of_value(kCalls[Index], "count");
  constexpr size_t kStride = place_of_value(kCalls[Index], "stride");
  if constexpr (std::is_same_v<T, void*>) {
    *out = made_up_address();
  } else if constexpr (std::is_same_v<T, int32_t>) {
    *out = -1;  // no file descriptor
  } else if constexpr (WithStructSize<T>) {
    size_t count = 1;
    size_t stride = sizeof(T);
    if constexpr (kStride != kNoPlace && kCount != kNoPlace) {
      count = std::get<kCount>(values);
      stride = std::get<kStride>(values);
    } else if constexpr (kStride != kNoPlace) {
      count = 0;  // the number that is told is none
    }
    for (size_t i = 0; i < count; ++i) {
      auto* one = reinterpret_cast<std::byte*>(out) + i * stride;
      T empty{};
      std::memcpy(&empty.struct_size, one, sizeof(empty.struct_size));
      std::memcpy(one, &empty, std::min<size_t>(empty.struct_size, sizeof(T)));
    }
  } else {
    std::memset(out, 0, bytes_of<Index>(out, values));
  }
}

template <size_t Index, class Values, size_t... Places>
void make_up_outputs(const Values& values, std::index_sequence<Places...> /*places*/) {
  const auto one = [&]<size_t Place>() {
    constexpr Kind kKind = kCalls[Index].parameters[Place].kind;
    if constexpr (kKind == Kind::kOUT || kKind == Kind::kOUTO) {
      if (std::get<Place>(values) != nullptr) make_up<Index>(std::get<Place>(values), values);
    }
  };
  (one.template operator()<Places>(), ...);
}

// Whether what the call before gave can still be given: nobody may crash by an address or an object that is gone.
template <class T, class Handle>
bool can_be_given_again(Kind kind, Handle first, const T& before, const T& now) {
  if constexpr (std::is_pointer_v<T>) {
    if (before == nullptr) return false;
    if (kind == Kind::kOUTH) return is_live(before);
    return kind_of(first, before) == kind_of(first, now);
  } else {
    return true;
  }
}

// Gives what was given before, and remembers what would have been right. True when that is something else.
template <size_t Index, size_t Place, class Values>
bool give_again(GeneratedState& of, const Values& values) {
  constexpr Kind kKind = kCalls[Index].parameters[Place].kind;
  if constexpr (kKind == Kind::kOUT || kKind == Kind::kOUTO || kKind == Kind::kOUTH) {
    auto* const out = std::get<Place>(values);
    if (out == nullptr) return false;
    auto* const bytes = reinterpret_cast<std::byte*>(out);
    const size_t size = bytes_of<Index>(out, values);
    const std::lock_guard guard(of.lock);
    std::vector<std::byte>& before = of.given_before[Place];
    std::vector<std::byte> now(bytes, bytes + size);
    bool again = before.size() == size && before != now;
    if constexpr (!std::is_void_v<std::remove_pointer_t<decltype(out)>>) {
      using T = std::remove_pointer_t<decltype(out)>;
      if constexpr (std::is_pointer_v<T>) {
        T old = nullptr;
        if (before.size() == size) std::memcpy(&old, before.data(), size);
        again = again && can_be_given_again(kKind, std::get<0>(values), old, *out);
        // It stays the one that is given as long as it can be.
        if (again) now = before;
      }
    }
    if (again) std::memcpy(bytes, before.data(), size);
    before = std::move(now);
    return again;
  } else {
    return false;
  }
}

// ---- The lies -----------------------------------------------------------------------------------------------------------------------------

template <size_t Index, class Slot>
struct Made;

template <size_t Index, class... Arguments>
struct Made<Index, xhal_result_t (*)(Arguments...)> {
  using Values = std::tuple<Arguments...>;
  using Function = xhal_result_t (*)(Arguments...);
  static constexpr const Call& kCall = kCalls[Index];

  static xhal_result_t on(Function function, const Values& values) { return std::apply(function, values); }

  static xhal_result_t repeated(Function next, const Values& values) {
    const xhal_result_t result = on(next, values);
    if (result == XHAL_SUCCESS && is_live(std::get<0>(values))) {
      count_lie();
      on(next, values);
    }
    return result;
  }

  static xhal_result_t idle(const Values& values) {
    count_lie();
    make_up_outputs<Index>(values, std::index_sequence_for<Arguments...>());
    return XHAL_SUCCESS;
  }

  static xhal_result_t late(Function next, const Values& values) {
    GeneratedState& of = state(std::get<0>(values));
    auto kept = std::apply(
        [](const auto&... all) { return std::make_tuple(Kept<std::decay_t<decltype(all)>>(all)...); },
        values);
    const std::lock_guard guard(of.lock);
    count_lie();
    of.put_off.emplace_back([next, kept]() mutable {
      std::apply(
          [next](auto&... one) {
            size_t i = 0;
            bool usable = true;
            ((usable = usable && can_still_be_used(kCall.parameters[i].kind, one.get()), ++i), ...);
            if (usable) next(one.get()...);
          },
          kept);
    });
    return XHAL_SUCCESS;
  }

  // On a stream of `device`, made for this call.
  static xhal_result_t on_stream_of(xhal_device_t device, Function driver, Values values) {
    constexpr size_t kStream = place_of_stream(kCall);
    const xhal_functions_t& under = below(std::get<0>(values));
    xhal_stream_t other = nullptr;
    if (device == nullptr || under.stream_create(device, nullptr, &other) != XHAL_SUCCESS)
      return on(driver, values);
    std::get<kStream>(values) = other;
    count_lie();
    const xhal_result_t result = on(driver, values);
    if (destroys(kCall) && result == XHAL_SUCCESS) return result;
    auto info = sized<xhal_capture_info_t>();
    const bool captures =
        under.stream_get_capture_info(other, &info) == XHAL_SUCCESS && info.state != XHAL_CAPTURE_STATE_NONE;
    if (result >= 0 && !captures) under.stream_synchronize(other, kBrieflyNs);
    under.stream_destroy(other);
    return result;
  }

  static xhal_result_t other_device(Function next, Function driver, Values values) {
    constexpr size_t kDevice = place_of_device(kCall);
    constexpr size_t kStream = place_of_stream(kCall);
    xhal_device_t device = nullptr;
    if constexpr (kDevice != kNoPlace) {
      device = std::get<kDevice>(values);
    } else {
      device = device_of(std::get<kStream>(values));
    }
    xhal_device_t other = neighbour(std::get<0>(values), device);
    if (other == nullptr) return on(next, values);
    if constexpr (kDevice != kNoPlace) {
      std::get<kDevice>(values) = other;
      count_lie();
      return on(driver, values);
    } else {
      return on_stream_of(other, driver, values);
    }
  }

  // The driver's device behind this one, null when it has no other.
  template <class Handle>
  static xhal_device_t neighbour(Handle handle, xhal_device_t device) {
    std::array<xhal_device_t, 64> all{};
    uint32_t count = 0;
    xhal_driver_t driver = here(handle).driver.load();
    if (driver == nullptr || below(handle).driver_get_devices(driver, all.size(), all.data(), &count) < 0 ||
        count < 2)
      return nullptr;
    count = std::min<uint32_t>(count, all.size());
    const auto* const end = all.data() + count;
    const auto* const found = std::find(static_cast<const xhal_device_t*>(all.data()), end, device);
    if (found == end) return nullptr;
    return found + 1 == end ? all.front() : found[1];
  }

  template <size_t... Places>
  static xhal_result_t shorter(Function next, Values values, std::index_sequence<Places...> /*places*/) {
    constexpr size_t kSize = place_of_size(kCall);
    if constexpr (kSize != kNoPlace) {
      if (take_one(std::get<kSize>(values))) count_lie();
      return on(next, values);
    } else {
      // The structs are the caller's: what is changed is a copy.
      std::tuple<Copy<Arguments>...> copies;
      const auto one = [&]<size_t Place>() {
        if constexpr (kIsSizedStruct<std::tuple_element_t<Place, Values>>) {
          if (std::get<Place>(values) == nullptr) return;
          auto& copy = std::get<Place>(copies).emplace(*std::get<Place>(values));
          copy.struct_size = sizeof(copy);
          if (shorten(copy)) count_lie();
          std::get<Place>(values) = &copy;
        }
      };
      (one.template operator()<Places>(), ...);
      return on(next, values);
    }
  }

  template <size_t... Places>
  static xhal_result_t stale(Function next, const Values& values, std::index_sequence<Places...> /*places*/) {
    const xhal_result_t result = on(next, values);
    GeneratedState& of = state(std::get<0>(values));
    if constexpr (is_query(kCall)) {
      const std::lock_guard guard(of.lock);
      const xhal_result_t before = of.answered_before.value_or(result);
      of.answered_before = result;
      if (before != result) count_lie();
      return before;
    } else {
      if (result != XHAL_SUCCESS) return result;
      bool any = false;
      ((any = give_again<Index, Places>(of, values) || any), ...);
      if (any) count_lie();
      return result;
    }
  }

  static xhal_result_t wrong_error(xhal_result_t result) {
    if (result >= 0) return result;
    count_lie();
    return result == XHAL_ERROR_UNKNOWN ? XHAL_ERROR_INTERNAL : XHAL_ERROR_UNKNOWN;
  }

  static xhal_result_t wrong_success(xhal_result_t result) {
    if (result < 0) return result;
    count_lie();
    return result == XHAL_SUCCESS ? XHAL_INCOMPLETE : XHAL_SUCCESS;
  }

  template <How Wrong>
  static xhal_result_t lie(Function next, Function driver, Values values) {
    constexpr auto kPlaces = std::index_sequence_for<Arguments...>();
    if constexpr (Wrong == How::kDropped) {
      count_lie();
      return XHAL_SUCCESS;
    } else if constexpr (Wrong == How::kRepeated) {
      return repeated(next, values);
    } else if constexpr (Wrong == How::kIdle) {
      return idle(values);
    } else if constexpr (Wrong == How::kLate) {
      return late(next, values);
    } else if constexpr (Wrong == How::kOtherStream) {
      return on_stream_of(device_of(std::get<place_of_stream(kCall)>(values)), driver, values);
    } else if constexpr (Wrong == How::kOtherDevice) {
      return other_device(next, driver, values);
    } else if constexpr (Wrong == How::kShorter) {
      return shorter(next, values, kPlaces);
    } else if constexpr (Wrong == How::kStale) {
      return stale(next, values, kPlaces);
    } else if constexpr (Wrong == How::kWrongError) {
      return wrong_error(on(next, values));
    } else {
      return wrong_success(on(next, values));
    }
  }

  template <Function xhal_functions_t::*Slot, How Wrong>
  static xhal_result_t lying(Arguments... arguments) {
    const auto first = std::get<0>(Values(arguments...));
    const Function next = here(first).next->*Slot;
    constexpr bool kIsOfResults = Wrong == How::kWrongError || Wrong == How::kWrongSuccess;
    if (!kIsOfResults && leaves_alone<Index>(arguments...)) return next(arguments...);
    return lie<Wrong>(next, below(first).*Slot, Values(arguments...));
  }

  // Waits and ends: what was put off is made before them.
  template <Function xhal_functions_t::*Slot>
  static xhal_result_t on_time(Arguments... arguments) {
    const auto first = std::get<0>(Values(arguments...));
    make_what_was_put_off(state(first));
    return (here(first).next->*Slot)(arguments...);
  }

  template <Function xhal_functions_t::*Slot, size_t... Hows>
  static void install(xhal_functions_t& to, How how, std::index_sequence<Hows...> /*hows*/) {
    const auto one = [&]<size_t Number>() {
      if constexpr (applies(kCall, static_cast<How>(Number))) {
        if (how == static_cast<How>(Number)) to.*Slot = lying<Slot, static_cast<How>(Number)>;
      }
    };
    (one.template operator()<Hows>(), ...);
  }
};

}  // namespace

std::optional<GeneratedFault> find_generated(std::string_view name) {
  for (const GeneratedFault& fault : generated_faults()) {
    if (fault.name() == name) return fault;
  }
  return std::nullopt;
}

void install_generated(xhal_functions_t& to, const GeneratedFault& fault) {
  size_t index = 0;
  // Each entry's number is a constant where its functions are made.
  enum Number : size_t {
#define XHAL_ENTRY(feature, since, name, ...) kNumber_##name,
#include "xhal/entry_points.def"
  };
#define XHAL_ENTRY(feature, since, name, ...)                                                        \
  {                                                                                                  \
    using Of = Made<kNumber_##name, decltype(xhal_functions_t::name)>;                               \
    constexpr const Call& kCall = kCalls[kNumber_##name];                                            \
    if (index++ == fault.call) {                                                                     \
      Of::install<&xhal_functions_t::name>(to, fault.how, std::make_index_sequence<kHows.size()>()); \
    } else if constexpr (waits(kCall) || ends_something(kCall)) {                                    \
      if (fault.how == How::kLate) to.name = Of::on_time<&xhal_functions_t::name>;                   \
    }                                                                                                \
  }
#include "xhal/entry_points.def"
}

}  // namespace xhal::faults
