// Bytes of a stranger at the API server: a request line, header lines, an empty line, a body.
// Whatever they are there is one answer, JSON where it says so, never a fault of the server's, and
// a user of one namespace gets nothing of another.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/core/json.h"
#include "tests/fuzz/api_world.h"

namespace {

using namespace sealane;           // NOLINT: a program of one function
using namespace sealane::kubeapi;  // NOLINT
using fuzz::kSecret;

void Check(bool holds) {
  if (!holds) std::abort();
}

// Takes a line off the front of the text, without its end.
std::string_view Line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

http::HttpRequest Parse(std::string_view text) {
  http::HttpRequest request;
  const std::string_view first = Line(text);
  const size_t space = first.find(' ');
  request.method = first.substr(0, space);
  if (space != std::string_view::npos) request.path = first.substr(space + 1);
  for (std::string_view line = Line(text); !line.empty(); line = Line(text)) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    request.headers.Add(line.substr(0, colon), value);
  }
  request.body = text;
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::ApiWorld world;
  int status = 0;
  bool ended = false;
  std::string type;
  std::string text;
  const auto call = world.transport.Stream(
      Parse({reinterpret_cast<const char*>(data), size}),
      {[&](int code, const http::Headers& headers) {
         Check(status == 0);
         status = code;
         type = headers.Get("Content-Type");
       },
       [&](std::string_view chunk) { text += chunk; }, [&](const absl::Status&) { ended = true; }});
  world.sim.RunFor(absl::Seconds(2));
  Check(fuzz::Answered(status, text));
  // What the request says itself may be told back.
  const std::string asked = http::PercentDecode({reinterpret_cast<const char*>(data), size}, true);
  Check(text.find(kSecret) == std::string::npos || asked.find(kSecret) != std::string::npos);
  if (ended && world.server.watches() == 0 && type == "application/json" && status >= 400) {
    Check(Json::parse(text, nullptr, false).is_object());
  }
  return 0;
}
