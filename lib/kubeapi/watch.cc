#include "lib/kubeapi/watch.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/table.h"

namespace sealane::kubeapi {
namespace {

// A client that leaves this much unread is disconnected; it resumes from its last event.
constexpr size_t kMaxPending = 32 << 20;

}  // namespace

Watch::Watch(const Env& env, Options options, std::shared_ptr<http::ResponseWriter> writer)
    : env_(env), options_(std::move(options)), writer_(std::move(writer)) {}

bool Watch::Selects(const StoredObject& object) const {
  const Json& value = object.value();
  if (!options_.fields.empty() && !options_.fields.Matches(value)) return false;
  if (options_.labels.empty()) return true;
  const auto metadata = value.find("metadata");
  return options_.labels.Matches(metadata == value.end() ? Json()
                                                         : metadata->value("labels", Json()));
}

bool Watch::Deliver(const Change& change) {
  if (change.object->revision() <= options_.after) return true;
  const ObjectKey& key = change.object->key();
  if (!options_.ns.empty() && key.ns != options_.ns) return true;
  const bool was = change.previous != nullptr && Selects(*change.previous);
  const bool is = change.type != ChangeType::kDeleted && Selects(*change.object);
  if (change.type == ChangeType::kDeleted) {
    if (was || Selects(*change.object)) Send("DELETED", *change.object);
  } else if (was && is) {
    Send("MODIFIED", *change.object);
  } else if (is) {
    Send("ADDED", *change.object);
  } else if (was) {
    Send("DELETED", *change.object);
  }
  return writer_->pending_bytes() < kMaxPending;
}

void Watch::SendInitial(const StoredObject& object) {
  if (Selects(object)) Send("ADDED", object);
}

void Watch::Send(const char* type, const StoredObject& object) {
  std::string text;
  switch (options_.output) {
    case Output::kObject:
      text = ObjectText(*options_.resource, object);
      break;
    case Output::kMetadata:
      text = WriteJson(PartialMetadata(object.value()));
      break;
    case Output::kTable: {
      Json table = {{"kind", "Table"},
                    {"apiVersion", "meta.k8s.io/v1"},
                    {"metadata", {{"resourceVersion", std::to_string(object.revision())}}},
                    {"columnDefinitions", nullptr},
                    {"rows", Json::array({TableRow(*options_.resource, object.value(),
                                                   env_.clock.Now(), options_.include_object)})}};
      if (!std::exchange(columns_sent_, true)) {
        table["columnDefinitions"] = TableColumns(*options_.resource);
      }
      text = WriteJson(table);
      break;
    }
  }
  writer_->Write(StrCat("{\"type\":\"", type, "\",\"object\":", text, "}\n"));
}

void Watch::SendBookmark(uint64_t revision, bool initial_end) {
  if (revision < options_.after) return;
  Json metadata = {{"resourceVersion", std::to_string(revision)}};
  if (initial_end) metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  Json object = {{"kind", options_.resource->kind},
                 {"apiVersion", options_.resource->ApiVersion()},
                 {"metadata", metadata}};
  if (options_.output != Output::kObject) {
    object["kind"] = options_.output == Output::kTable ? "Table" : "PartialObjectMetadata";
    object["apiVersion"] = "meta.k8s.io/v1";
    if (options_.output == Output::kTable) object["rows"] = Json::array();
  }
  writer_->Write(StrCat("{\"type\":\"BOOKMARK\",\"object\":", WriteJson(object), "}\n"));
}

void Watch::SendError(const Json& status) {
  writer_->Write(StrCat("{\"type\":\"ERROR\",\"object\":", WriteJson(status), "}\n"));
}

void Watch::End() { writer_->End(); }

}  // namespace sealane::kubeapi
