// SPDX-License-Identifier: Apache-2.0
// Kernels that are made while the program runs, for torch_xhal.compile.
#include "python/kernels.hpp"

#include <pybind11/stl.h>
#include <torch/csrc/autograd/python_variable.h>

#include "compile/kernel.hpp"

namespace py = pybind11;

namespace torch_xhal {
namespace {

Kernel::Argument argument_of(py::handle given) {
  if (THPVariable_Check(given.ptr())) return THPVariable_Unpack(given.ptr());
  if (py::isinstance<py::float_>(given)) return given.cast<double>();
  return given.cast<int64_t>();
}

}  // namespace

void bind_kernels(py::module& m) {
  m.def("targets_of", [](int device, const std::string& format) {
    return targets_of(static_cast<c10::DeviceIndex>(device), format);
  });
  py::class_<Kernel>(m, "Kernel")
      .def(py::init([](int device, const std::string& format, const std::string& target,
                       const py::bytes& image, const std::string& name, const std::string& parameters) {
        return std::make_unique<Kernel>(static_cast<c10::DeviceIndex>(device), format, target,
                                        static_cast<std::string_view>(image), name, parameters);
      }))
      .def("launch", [](const Kernel& kernel, const std::array<uint32_t, 3>& groups,
                        const std::array<uint32_t, 3>& items, const py::sequence& given) {
        std::vector<Kernel::Argument> arguments;
        arguments.reserve(given.size());
        for (const py::handle one : given) arguments.push_back(argument_of(one));
        const py::gil_scoped_release released;
        kernel.launch(groups, items, arguments);
      });
}

}  // namespace torch_xhal
