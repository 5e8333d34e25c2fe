// Two lines, a labelSelector and a fieldSelector of a query: what parses decides the same for every
// object when it is written as text and read again, and a refusal is the API's own.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/selector.h"

namespace {

using namespace sealane;           // NOLINT: a program of one function
using namespace sealane::kubeapi;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

void Labels(std::string_view text) {
  const auto query = LabelQuery::Parse(text);
  if (!query.ok()) return Check(StatusCodeOf(query.status()) == 400);
  const auto again = LabelQuery::Parse(query->ToString());
  Check(again.ok() && again->ToString() == query->ToString());
  for (const Json& labels :
       {Json(), Json::object(), Json({{"a", "b"}}), Json({{"a", "5"}, {"b", ""}}),
        Json({{"example.com/tier", "gold"}, {"app", "web"}}), Json({{"a", 5}}), Json("a")}) {
    Check(query->Matches(labels) == again->Matches(labels));
  }
}

void Fields(std::string_view text) {
  const auto query = FieldQuery::Parse(text, {"status.phase", "spec.nodeName"});
  if (!query.ok()) return Check(StatusCodeOf(query.status()) == 400);
  const Json object = {{"metadata", {{"name", "a"}, {"namespace", "ns"}}},
                       {"status", {{"phase", "Running"}}},
                       {"spec", "none"}};
  (void)query->Matches(object);
  (void)query->Matches(Json());
  (void)query->Matches({{"metadata", 1}});
  (void)query->Name();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  Labels(text.substr(0, line));
  if (line != std::string_view::npos) Fields(text.substr(line + 1));
  return 0;
}
