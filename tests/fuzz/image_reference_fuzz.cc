// Image references: what parses is written as text that parses to the same parts.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/kube/image_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto image = sealane::kube::ParseImage({reinterpret_cast<const char*>(data), size});
  if (!image.ok()) return 0;
  const auto again = sealane::kube::ParseImage(image->ToString());
  if (!again.ok() || again->ToString() != image->ToString()) std::abort();
  return 0;
}
