// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace xhal::sim {

inline constexpr char kDriverName[] = "sim";
inline constexpr char kDriverVersion[] = XHAL_SIM_VERSION;

}  // namespace xhal::sim
