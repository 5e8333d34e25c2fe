// Label selectors in text form: what parses is written as text that parses to the same selector.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/model/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto selector = sealane::Selector::Parse({reinterpret_cast<const char*>(data), size});
  if (!selector.ok()) return 0;
  const sealane::LabelList labels = {{"app", "web"}, {"tier", "gold"}};
  const auto again = sealane::Selector::Parse(selector->ToString());
  if (!again.ok() || again->ToString() != selector->ToString()) std::abort();
  if (again->Matches(labels) != selector->Matches(labels)) std::abort();
  return 0;
}
