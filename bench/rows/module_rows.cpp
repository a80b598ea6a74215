// SPDX-License-Identifier: Apache-2.0
// module.load, kernel.lookup and init.*: until a kernel can run.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/rows/row_parts.hpp"
#include "bench/runner/second_process.hpp"

namespace xhal::bench {
namespace {

constexpr const char* kKernel = "bench_empty_1";

// Throws NotHere where this folder's kernels cannot be had.
void need_kernels(Bench& bench) { static_cast<void>(bench.bench_kernel(kKernel)); }

// An image that the device can load, as the call wants it.
class Image {
 public:
  explicit Image(Bench& bench) : image_(bench.bench_image()) {
    need_kernels(bench);
    desc_.struct_size = sizeof(desc_);
    desc_.format = image_.format.c_str();
    desc_.target = image_.target.empty() ? nullptr : image_.target.c_str();
    desc_.image = image_.bytes.data();
    desc_.image_size = image_.bytes.size();
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  [[nodiscard]] const xhal_module_desc_t* desc() const { return &desc_; }
  [[nodiscard]] const std::vector<unsigned char>& bytes() const { return image_.bytes; }

 private:
  conformance::KernelImage image_;
  xhal_module_desc_t desc_{};
};

void load_and_destroy(const auto& calls, xhal_device_t device, const xhal_module_desc_t* desc) {
  xhal_module_t module = nullptr;
  check("xhal_module_load", calls.module_load(device, desc, &module));
  check("xhal_module_destroy", calls.module_destroy(module));
}

// While the image is loaded already.
Row warm_load(Bench& bench) {
  const auto image = std::make_shared<Image>(bench);
  Row row =
      call_row(bench, [image](auto& lane) { load_and_destroy(lane.calls(), lane.device(), image->desc()); });
  each_raw_lane(bench, no_launches(1000), [&](const std::shared_ptr<OpenClLane>& lane) {
    add_raw_side(row, bench,
                 {OpenClLane::kName,
                  [lane, image](uint64_t units) {
                    return nanoseconds_each(units, [&] { lane->load_and_destroy(*image->desc()); });
                  },
                  1, 100'000});
  });
  if (bench.is_cpu()) {
    const auto copy = std::make_shared<std::vector<unsigned char>>(image->bytes().size());
    row.keeps = {image, copy};
    row.beside(memcpy_limit(copy->data(), image->bytes().data(), copy->size()));
  }
  return row;
}

// The first one of an instance, whose device is at work already, out of bytes that nobody has read.
Row cold_load(Bench& bench) {
  const auto image = std::make_shared<Image>(bench);
  Row row;
  row.sides.push_back({"xhal",
                       [&bench, image](uint64_t units) {
                         double sum = 0;
                         for (uint64_t i = 0; i < units; ++i) {
                           OwnInstance own(bench);
                           HalLane lane(own.bench());
                           const std::vector<unsigned char> bytes = image->bytes();
                           xhal_module_desc_t desc = *image->desc();
                           desc.image = bytes.data();
                           sum +=
                               nanoseconds_of([&] { load_and_destroy(lane.calls(), lane.device(), &desc); });
                         }
                         return sum / static_cast<double>(units);
                       },
                       1, 1});
  row.beside({"warm",
              [image, lane = make_lane<HalLane>(bench, {0, 1})](uint64_t units) {
                return nanoseconds_each(
                    units, [&] { load_and_destroy(lane->calls(), lane->device(), image->desc()); });
              },
              1, 1});
  return row;
}

Row lookup(Bench& bench) {
  const Image image(bench);
  xhal_module_t loaded = nullptr;
  check("xhal_module_load", xhal_module_load(bench.device(), image.desc(), &loaded));
  const auto module = std::make_shared<Module>(loaded);
  xhal_kernel_t expected = nullptr;
  check("xhal_module_get_kernel", xhal_module_get_kernel(*module, kKernel, &expected));
  const auto found = std::make_shared<xhal_kernel_t>(nullptr);
  Row row = call_row(bench, [module, found](auto& lane) {
    check("xhal_module_get_kernel",
          lane.calls().module_get_kernel(xhal_module_t(*module), kKernel, found.get()));
  });
  each_raw_lane(bench, no_launches(1000), [&](const std::shared_ptr<OpenClLane>& lane) {
    lane->prepare_lookup(*image.desc());
    add_raw_side(row, bench,
                 {OpenClLane::kName,
                  [lane](uint64_t units) { return nanoseconds_each(units, [&] { lane->look_up(kKernel); }); },
                  1, 100'000});
  });
  row.verify = [found, expected] {
    if (*found != expected) throw RowFailed("the same name gives another kernel");
  };
  return row;
}

// ---- Programs

// From the start of a program to its end, each of which tells by its exit code that all went well.
Side program_side(const char* name, SecondProcess program) {
  const auto kept = std::make_shared<SecondProcess>(std::move(program));
  return {name,
          [kept](uint64_t units) {
            return nanoseconds_each(units, [&] {
              kept->start();
              kept->finish();
            });
          },
          1, 1};
}

// Beside a program that does nothing.
Row program_row(Bench& bench, SecondProcess program) {
  Row row;
  row.sides.push_back(program_side("xhal", std::move(program)));
  row.beside(program_side("nothing", SecondProcess::first_launch(bench, true)));
  return row;
}

Side allowed(double ns) {
  return {"allowed", [ns](uint64_t) { return ns; }, 1, 1};
}

Row first_launch(Bench& bench) {
  need_kernels(bench);
  return program_row(bench, SecondProcess::first_launch(bench, false));
}

// Search, load, negotiate, open, ask, close; the driver's library stays loaded meanwhile.
Row enumerate(Bench& bench) {
  constexpr double kAllowedNs = 5e6;
  Row row;
  row.sides.push_back({"xhal",
                       [target = bench.session().target()](uint64_t units) {
                         return nanoseconds_each(units, [&] { const conformance::Session session(target); });
                       },
                       1, 10});
  row.beside(allowed(kAllowedNs));
  return row;
}

Row enumerate_in_own_process(Bench& bench) { return program_row(bench, SecondProcess::enumeration(bench)); }

// Once a round: it takes so long that two turns a round would make the row slow.
Row info(Bench& bench) {
  constexpr double kAllowedNs = 100e6;
  const auto program = std::make_shared<Side>(program_side("xhal-info", SecondProcess::info(bench)));
  const auto ns = std::make_shared<double>(kUncounted);
  Row row;
  row.before_round = [program, ns] { *ns = program->block(1); };
  row.sides.push_back({"xhal-info", [ns](uint64_t) { return *ns; }, 1, 1});
  row.beside(allowed(kAllowedNs));
  row.beside(program_side("nothing", SecondProcess::first_launch(bench, true)));
  return row;
}

}  // namespace

void add_module_rows(Rows& rows) {
  rows.push_back({"module.load", "cold", "ns", "the first load of an image in an instance, and its end",
                  "t(cold) / t(warm)", cold_load});
  rows.push_back({"module.load", "warm", "ns", "an image loaded that is loaded already, and its end",
                  "xhal / driver_table", warm_load});
  rows.push_back(
      {"kernel.lookup", "", "ns", "a kernel of a module by its name, again", "xhal / driver_table", lookup});
  rows.push_back({"init.enumerate", "process=same", "ns",
                  "a second instance opened, its devices asked what they are, and all given back",
                  "xhal / 5 ms", enumerate});
  rows.push_back({"init.enumerate", "process=own", "ns", "a program that does so, from its start to its end",
                  "xhal / empty program", enumerate_in_own_process});
  rows.push_back({"init.info", "", "ns", "xhal-info for this driver, from its start to its end",
                  "xhal-info / 100 ms; xhal-info / empty program", info});
  rows.push_back({"init.first_launch", "", "ns",
                  "a program that runs one empty kernel, from its start to its end", "xhal / empty program",
                  first_launch});
}

}  // namespace xhal::bench
