#include "lib/core/ids.h"

#include "lib/core/hash.h"

namespace sealane {

std::string NewUuid(Random& random) {
  const uint64_t high = random.Next();
  return UuidFrom(high, random.Next());
}

std::string UuidFrom(uint64_t high, uint64_t low) {
  high = (high & 0xffffffffffff0fffull) | 0x4000ull;
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  const std::string digits = Hex64(high) + Hex64(low);
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" +
         digits.substr(16, 4) + "-" + digits.substr(20);
}

}  // namespace sealane
