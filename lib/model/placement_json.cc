#include "lib/model/placement_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Protobuf's JSON writes 64-bit integers as text; Kubernetes' JSON has numbers.
void NumbersForText(Json& json, const Descriptor* type) {
  if (!json.is_object()) return;
  for (auto& [name, value] : json.items()) {
    const FieldDescriptor* field = type->FindFieldByCamelcaseName(name);
    if (field == nullptr || field->is_map()) continue;
    const auto convert = [field](Json& item) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 && item.is_string()) {
        item = std::stoll(item.get<std::string>());
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        NumbersForText(item, field->message_type());
      }
    };
    if (field->is_repeated() && value.is_array()) {
      for (Json& item : value) convert(item);
    } else {
      convert(value);
    }
  }
}

// Quantities may be written as numbers; the message has text.
void TextForQuantities(Json& requirements) {
  if (!requirements.is_object()) return;
  auto requests = requirements.find("resourceRequest");
  if (requests == requirements.end() || !requests->is_object()) return;
  for (auto& item : requests->items()) {
    if (item.value().is_number()) item.value() = item.value().dump();
  }
}

}  // namespace

absl::Status MessageFromJson(const Json& json, google::protobuf::Message* message) {
  message->Clear();
  if (json.is_null()) return absl::OkStatus();
  if (!json.is_object()) return InvalidArgument("must be an object");
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const std::string text = WriteJson(json);
  const auto status = google::protobuf::util::JsonStringToMessage(text, message, options);
  if (status.ok()) return absl::OkStatus();
  return InvalidArgument(std::string_view(status.message().data(), status.message().size()));
}

Json MessageToJson(const google::protobuf::Message& message) {
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text);
  if (!status.ok()) return Json::object();
  Json json = Json::parse(text, nullptr, false);
  NumbersForText(json, message.GetDescriptor());
  return json;
}

absl::StatusOr<v1::Placement> PlacementFromJson(const Json& json) {
  v1::Placement placement;
  SEALANE_RETURN_IF_ERROR(MessageFromJson(json, &placement));
  return placement;
}

Json PlacementToJson(const v1::Placement& placement) { return MessageToJson(placement); }

absl::StatusOr<v1::ReplicaRequirements> RequirementsFromJson(const Json& json) {
  v1::ReplicaRequirements requirements;
  Json copy = json;
  TextForQuantities(copy);
  SEALANE_RETURN_IF_ERROR(MessageFromJson(copy, &requirements));
  if (json.is_object() && json.contains("nodeClaim") && json["nodeClaim"].is_object()) {
    const Json& claim = json["nodeClaim"];
    if (claim.contains("hardNodeAffinity") && !claim["hardNodeAffinity"].is_null()) {
      requirements.mutable_node_claim()->set_hard_node_affinity_json(
          claim["hardNodeAffinity"].dump());
    }
  }
  return requirements;
}

Json RequirementsToJson(const v1::ReplicaRequirements& requirements) {
  Json json = MessageToJson(requirements);
  if (json.contains("nodeClaim") && json["nodeClaim"].contains("hardNodeAffinityJson")) {
    Json& claim = json["nodeClaim"];
    const std::string text = claim["hardNodeAffinityJson"].get<std::string>();
    claim.erase("hardNodeAffinityJson");
    if (Json affinity = Json::parse(text, nullptr, false); !affinity.is_discarded()) {
      claim["hardNodeAffinity"] = std::move(affinity);
    }
  }
  return json;
}

}  // namespace sealane
