#include "lib/kube/watch_stream.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/api_error.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {

bool LineBuffer::Append(std::string_view chunk,
                        const std::function<bool(std::string_view line)>& on_line) {
  while (!chunk.empty()) {
    const size_t end = chunk.find('\n');
    if (end == std::string_view::npos) {
      if (partial_.size() + chunk.size() > max_line_) return false;
      partial_.append(chunk);
      return true;
    }
    std::string joined;
    std::string_view line = chunk.substr(0, end);
    if (!partial_.empty()) {
      joined = std::move(partial_);
      partial_.clear();
      joined.append(line);
      line = joined;
    }
    chunk = chunk.substr(end + 1);
    if (!line.empty() && !on_line(line)) return true;
  }
  return true;
}

WatchLine InterpretWatchEvent(const Json& event) {
  WatchLine line;
  const std::string_view type = GetString(event, {"type"});
  const Json* object = Find(event, {"object"});
  if (object == nullptr || !object->is_object()) {
    line.status = Internal("malformed watch event");
    return line;
  }
  if (type == "ERROR") {
    const int code = static_cast<int>(GetInt(*object, {"code"}, 500));
    line.verdict = code == 410 ? WatchVerdict::kExpired : WatchVerdict::kError;
    line.status = StatusOfResponse(code, object->dump(), "");
    return line;
  }
  line.object = object;
  line.resource_version = GetString(*object, {"metadata", "resourceVersion"});
  if (type == "ADDED" || type == "MODIFIED") {
    line.verdict = WatchVerdict::kPut;
  } else if (type == "DELETED") {
    line.verdict = WatchVerdict::kDelete;
  } else if (type == "BOOKMARK") {
    line.verdict = WatchVerdict::kBookmark;
  } else {
    line.status = Internal(StrCat("watch event of unknown type \"", type, "\""));
  }
  return line;
}

}  // namespace sealane::kube
