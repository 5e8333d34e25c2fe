#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sealane {

// FNV-1a, 32 and 64 bits: stable over processes and versions, so results may be stored and sent.
// (The 32-bit one decides ties of Karmada's Webster division: pkg/util/helper/webstermethod.go.)
[[nodiscard]] uint32_t Fnv1a32(std::string_view data);
[[nodiscard]] uint64_t Fnv1a64(std::string_view data);

// 16 lower-case hex digits of a 64-bit value.
[[nodiscard]] std::string Hex64(uint64_t value);

}  // namespace sealane
