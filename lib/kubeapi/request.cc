#include "lib/kubeapi/request.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/conversion.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/protobuf.h"

namespace sealane::kubeapi {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> SplitTrimmed(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(Trim(text.substr(0, at)));
    if (at == std::string_view::npos) return out;
    text = text.substr(at + 1);
  }
}

std::string_view Parameter(const std::vector<std::string_view>& parts, std::string_view name) {
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].substr(0, name.size()) == name && parts[i].substr(name.size(), 1) == "=") {
      return parts[i].substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<Output> ParseAccept(std::string_view accept) {
  if (Trim(accept).empty()) return Output::kObject;
  for (const std::string_view item : SplitTrimmed(accept, ',')) {
    const auto parts = SplitTrimmed(item, ';');
    const std::string_view type = parts.front();
    if (type != "application/json" && type != "*/*" && type != "application/*") continue;
    const std::string_view as = Parameter(parts, "as");
    const std::string_view version = Parameter(parts, "v");
    if (as.empty()) return Output::kObject;
    if (version != "v1") continue;
    if (as == "Table") return Output::kTable;
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
      return Output::kMetadata;
    }
  }
  return ApiError(406, "NotAcceptable",
                  "406: Not Acceptable\n\nAvailable representations: application/json",
                  Json::object());
}

bool WantsAggregatedDiscovery(std::string_view accept) {
  for (const std::string_view item : SplitTrimmed(accept, ',')) {
    const auto parts = SplitTrimmed(item, ';');
    if (parts.front() != "application/json") continue;
    if (Parameter(parts, "as").empty()) return false;
    if (Parameter(parts, "as") == "APIGroupDiscoveryList" && Parameter(parts, "v") == "v2") {
      return true;
    }
  }
  return false;
}

std::optional<ResourcePath> ParseResourcePath(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : SplitTrimmed(path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  ResourcePath out;
  size_t at = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    out.version = parts[1];
    at = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    out.group = parts[1];
    out.version = parts[2];
    at = 3;
  } else {
    return std::nullopt;
  }
  if (parts[at] == "namespaces" && parts.size() > at + 2 &&
      !(parts.size() == at + 3 && (parts[at + 2] == "status" || parts[at + 2] == "finalize"))) {
    out.namespaced = true;
    out.ns = parts[at + 1];
    at += 2;
  }
  out.plural = parts[at++];
  if (at < parts.size()) out.name = parts[at++];
  for (; at < parts.size(); ++at) {
    out.subresource += StrCat(out.subresource.empty() ? "" : "/", parts[at]);
  }
  return out;
}

const Json& LabelsOf(const Json& object) {
  static const Json* const null = new Json();
  const auto metadata = object.find("metadata");
  if (metadata == object.end()) return *null;
  const auto labels = metadata->find("labels");
  return labels == metadata->end() ? *null : *labels;
}

std::string ObjectText(const Resource& resource, const StoredObject& object) {
  const std::string front =
      StrCat("{\"kind\":\"", resource.kind, "\",\"apiVersion\":\"", resource.ApiVersion(), "\",");
  if (resource.stored == nullptr) return front + object.Body().substr(1);
  const StoredObject shown(object.key(), FromStorageForm(resource.ApiVersion(), object.value()),
                           object.revision());
  return front + shown.Body().substr(1);
}

absl::StatusOr<Json> ParseRequestBody(const http::HttpRequest& request,
                                      std::vector<std::string>* doubled) {
  if (IsProtobuf(request.body)) return DecodeProtobuf(request.body);
  const bool yaml = request.headers.Get("Content-Type").find("yaml") != std::string_view::npos;
  return ParseText(request.body, yaml, doubled);
}

absl::StatusOr<Selection> ParseSelection(const Resource& resource, const std::string& labels,
                                         const std::string& fields) {
  Selection out;
  SEALANE_ASSIGN_OR_RETURN(out.labels, LabelQuery::Parse(labels));
  SEALANE_ASSIGN_OR_RETURN(out.fields, FieldQuery::Parse(fields, resource.field_selectors));
  return out;
}

std::string ListedText(const Resource& resource, const StoredObject& object) {
  return resource.builtin && resource.stored == nullptr ? object.Body()
                                                        : ObjectText(resource, object);
}

bool IsLostRace(const absl::Status& status) {
  return (absl::IsAborted(status) || absl::IsAlreadyExists(status)) && !IsApiError(status);
}

absl::Status Translate(const absl::Status& status, const Resource& resource,
                       std::string_view name) {
  if (IsApiError(status)) return status;
  if (status.code() == absl::StatusCode::kAlreadyExists) {
    return AlreadyExists(resource.Target(name));
  }
  if (status.code() == absl::StatusCode::kAborted) {
    return ConflictError(resource.Target(name),
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
  }
  return status;
}

}  // namespace sealane::kubeapi
