// Quantities: what parses is written as text with the same value.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/model/quantity.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto quantity = sealane::Quantity::Parse({reinterpret_cast<const char*>(data), size});
  if (!quantity.ok()) return 0;
  const auto again = sealane::Quantity::Parse(quantity->ToString());
  if (!again.ok() || *again != *quantity) std::abort();
  return 0;
}
