#include "lib/kube/json_path.h"

#include <charconv>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kube {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

absl::Status Wrong(std::string_view text, std::string_view why) {
  return InvalidArgument(StrCat("\"", text, "\": ", why));
}

}  // namespace

absl::StatusOr<JsonPath> JsonPath::Parse(std::string_view text) {
  std::string_view rest = Trim(text);
  if (rest.starts_with('{') != rest.ends_with('}')) return Wrong(text, "{ and } go together");
  if (rest.starts_with('{')) rest = Trim(rest.substr(1, rest.size() - 2));
  if (rest.starts_with('$')) rest.remove_prefix(1);
  JsonPath path;
  bool first = true;
  while (!rest.empty()) {
    if (rest.front() == '[') {
      const size_t end = rest.find(']');
      if (end == std::string_view::npos) return Wrong(text, "[ without ]");
      const std::string_view inner = Trim(rest.substr(1, end - 1));
      rest.remove_prefix(end + 1);
      const bool quoted = inner.size() >= 2 && (inner.front() == '\'' || inner.front() == '"') &&
                          inner.back() == inner.front();
      int64_t place = 0;
      const auto read = std::from_chars(inner.data(), inner.data() + inner.size(), place);
      if (quoted) {
        path.steps_.emplace_back(std::string(inner.substr(1, inner.size() - 2)));
      } else if (read.ec == std::errc() && read.ptr == inner.data() + inner.size()) {
        path.steps_.emplace_back(place);
      } else {
        return Wrong(text, StrCat("[", inner, "] is neither a number nor a quoted field"));
      }
    } else {
      // The first field needs no dot.
      if (rest.front() == '.') {
        rest.remove_prefix(1);
      } else if (!first) {
        return Wrong(text, "a dot is missing");
      }
      const std::string_view name = rest.substr(0, rest.find_first_of(".["));
      if (name.empty()) return Wrong(text, "a field without a name");
      if (name.find_first_of("*?@(){} ") != std::string_view::npos) {
        return Wrong(text, StrCat("\"", name, "\" does not name one field"));
      }
      path.steps_.emplace_back(std::string(name));
      rest.remove_prefix(name.size());
    }
    first = false;
  }
  if (path.steps_.empty()) return Wrong(text, "names no field");
  return path;
}

const Json* JsonPath::Find(const Json& root) const {
  const Json* at = &root;
  for (const auto& step : steps_) {
    if (const auto* name = std::get_if<std::string>(&step); name != nullptr) {
      if (!at->is_object()) return nullptr;
      const auto it = at->find(*name);
      if (it == at->end()) return nullptr;
      at = &*it;
    } else {
      if (!at->is_array()) return nullptr;
      int64_t place = std::get<int64_t>(step);
      const auto size = static_cast<int64_t>(at->size());
      if (place < 0) place += size;
      if (place < 0 || place >= size) return nullptr;
      at = &(*at)[static_cast<size_t>(place)];
    }
  }
  return at;
}

}  // namespace sealane::kube
