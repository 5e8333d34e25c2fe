#include "lib/kubeapi/protobuf.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/json_depth.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/embedded.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kMaxMessageDepth = 100;

absl::Status Malformed() { return InvalidArgument("malformed protobuf"); }

// One field of a message on the wire.
struct WireField {
  uint32_t number = 0;
  uint32_t type = 0;  // 0 varint, 1 fixed 64, 2 bytes, 5 fixed 32
  uint64_t value = 0;
  std::string_view bytes;
};

// Walks the fields of a message.
class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  [[nodiscard]] bool AtEnd() const { return at_ >= data_.size(); }

  absl::StatusOr<WireField> Next() {
    WireField field;
    SEALANE_ASSIGN_OR_RETURN(const uint64_t tag, Varint());
    field.number = static_cast<uint32_t>(tag >> 3);
    field.type = static_cast<uint32_t>(tag & 7);
    switch (field.type) {
      case 0: {
        SEALANE_ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case 1:
      case 5: {
        const size_t size = field.type == 1 ? 8 : 4;
        if (data_.size() - at_ < size) return Malformed();
        std::memcpy(&field.value, data_.data() + at_, size);  // little-endian, as on the wire
        at_ += size;
        return field;
      }
      case 2: {
        SEALANE_ASSIGN_OR_RETURN(const uint64_t size, Varint());
        if (size > data_.size() - at_) return Malformed();
        field.bytes = data_.substr(at_, size);
        at_ += size;
        return field;
      }
      default:
        return Malformed();
    }
  }

 private:
  absl::StatusOr<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= data_.size()) return Malformed();
      const auto byte = static_cast<unsigned char>(data_[at_++]);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if ((byte & 128) == 0) return value;
    }
    return Malformed();
  }

  std::string_view data_;
  size_t at_ = 0;
};

// Zero numbers and false that mean something, because Go holds them as pointers. Of all other
// fields the zero value is what an unset field looks like on the wire.
bool ZeroCounts(const std::string& field) {
  static const std::set<std::string> names = {"replicas",
                                              "partition",
                                              "terminationGracePeriodSeconds",
                                              "backoffLimit",
                                              "parallelism",
                                              "completions",
                                              "revisionHistoryLimit",
                                              "ttlSecondsAfterFinished",
                                              "gracePeriodSeconds",
                                              "automountServiceAccountToken",
                                              "enableServiceLinks",
                                              "suspend",
                                              "optional",
                                              "immutable",
                                              "runAsNonRoot",
                                              "privileged",
                                              "allowPrivilegeEscalation",
                                              "readOnlyRootFilesystem",
                                              "shareProcessNamespace",
                                              "blockOwnerDeletion",
                                              "controller",
                                              "runAsUser",
                                              "runAsGroup",
                                              "fsGroup",
                                              "allocateLoadBalancerNodePorts",
                                              "orphanDependents",
                                              "minReplicas",
                                              "port",
                                              "tolerationSeconds",
                                              "defaultMode",
                                              "mode"};
  return names.count(field) != 0;
}

class Decoder {
 public:
  explicit Decoder(const Json& messages) : messages_(messages) {}

  absl::StatusOr<Json> Message(const std::string& name, const Type& type, std::string_view data,
                               int depth) {
    if (depth > kMaxMessageDepth) return Malformed();
    const std::string_view short_name = std::string_view(name).substr(name.rfind('.') + 1);
    if (auto special = Special(short_name, data)) return *std::move(special);
    const auto table = messages_.find(name);
    if (table == messages_.end()) return InvalidArgument(StrCat("no protobuf table for ", name));
    Json out = Json::object();
    Reader reader(data);
    while (!reader.AtEnd()) {
      SEALANE_ASSIGN_OR_RETURN(const WireField wire, reader.Next());
      const auto facts = table->find(std::to_string(wire.number));
      if (facts == table->end()) continue;
      const std::string field = facts->at(0);
      const std::string kind = facts->at(1);
      const bool repeated = facts->size() > 2;
      if (kind.substr(0, 4) == "map:") {
        SEALANE_RETURN_IF_ERROR(
            MapEntry(kind.substr(4), ChildTypeOf(type, field), wire.bytes, depth, out[field]));
        continue;
      }
      const Type& child = ChildTypeOf(type, field);
      // Structs that Go embeds are fields of their own on the wire, but not in JSON.
      const bool inlined = type.kind == Type::Kind::kStruct && type.Find(field) == nullptr;
      SEALANE_ASSIGN_OR_RETURN(
          Json value,
          Value(kind, inlined ? type : (repeated ? ElementOf(child) : child), wire, depth));
      if (repeated) {
        out[field].push_back(std::move(value));
      } else if (inlined) {
        if (value.is_object()) out.update(value);
      } else if (!IsUnset(field, value)) {
        out[field] = std::move(value);
      }
    }
    return out;
  }

 private:
  static const Type& ChildTypeOf(const Type& type, const std::string& field) {
    const Field* found = type.kind == Type::Kind::kStruct ? type.Find(field) : nullptr;
    return found == nullptr ? *Schema::Any() : *found->type;
  }
  static const Type& ElementOf(const Type& type) {
    return type.element == nullptr ? *Schema::Any() : *type.element;
  }

  static bool IsUnset(const std::string& field, const Json& value) {
    if (value.is_null() || value == "") return true;
    return (value == 0 || value == false) && !ZeroCounts(field);
  }

  // Messages whose JSON form is not an object of their fields.
  std::optional<absl::StatusOr<Json>> Special(std::string_view name, std::string_view data) {
    if (name == "Quantity" || name == "RawExtension" || name == "FieldsV1" || name == "JSON") {
      std::string_view text;
      Reader reader(data);
      while (!reader.AtEnd()) {
        const auto field = reader.Next();
        if (!field.ok()) return field.status();
        if (field->number == 1) text = field->bytes;
      }
      if (name == "Quantity") return Json(std::string(text));
      if (NestedDeeperThan(text, kMaxMessageDepth))
        return InvalidArgument("json: nested too deeply");
      return Json::parse(text, nullptr, /*allow_exceptions=*/false);
    }
    if (name == "Time" || name == "MicroTime" || name == "Timestamp") {
      int64_t seconds = 0;
      int64_t nanos = 0;
      Reader reader(data);
      while (!reader.AtEnd()) {
        const auto field = reader.Next();
        if (!field.ok()) return field.status();
        if (field->number == 1) seconds = static_cast<int64_t>(field->value);
        if (field->number == 2) nanos = static_cast<int64_t>(field->value);
      }
      if (data.empty()) return Json();
      const absl::Time time = absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos);
      if (name != "MicroTime") return Json(FormatKubeTime(time));
      return Json(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()));
    }
    if (name == "IntOrString") {
      int64_t type = 0;
      int64_t number = 0;
      std::string text;
      Reader reader(data);
      while (!reader.AtEnd()) {
        const auto field = reader.Next();
        if (!field.ok()) return field.status();
        if (field->number == 1) type = static_cast<int64_t>(field->value);
        if (field->number == 2) number = static_cast<int32_t>(field->value);
        if (field->number == 3) text = std::string(field->bytes);
      }
      return type == 1 ? Json(text) : Json(number);
    }
    if (name == "ExtraValue" || name == "Verbs") {
      Json out = Json::array();
      Reader reader(data);
      while (!reader.AtEnd()) {
        const auto field = reader.Next();
        if (!field.ok()) return field.status();
        if (field->number == 1) out.push_back(std::string(field->bytes));
      }
      return out;
    }
    return std::nullopt;
  }

  absl::StatusOr<Json> Value(const std::string& kind, const Type& type, const WireField& wire,
                             int depth) {
    if (kind == "string") return Json(std::string(wire.bytes));
    if (kind == "bytes") return Json(std::string(absl::Base64Escape(ToAbsl(wire.bytes))));
    if (kind == "bool") return Json(wire.value != 0);
    if (kind == "int32") return Json(static_cast<int32_t>(wire.value));
    if (kind == "int64") return Json(static_cast<int64_t>(wire.value));
    if (kind == "uint32" || kind == "uint64") return Json(wire.value);
    if (kind == "double") {
      double number = 0;
      std::memcpy(&number, &wire.value, sizeof(number));
      return Json(number);
    }
    return Message(kind, type, wire.bytes, depth + 1);
  }

  absl::Status MapEntry(const std::string& kind, const Type& map, std::string_view data, int depth,
                        Json& out) {
    std::string key;
    Json value = kind == "string" || kind == "bytes" ? Json("") : Json::object();
    Reader reader(data);
    while (!reader.AtEnd()) {
      SEALANE_ASSIGN_OR_RETURN(const WireField wire, reader.Next());
      if (wire.number == 1) key = std::string(wire.bytes);
      if (wire.number == 2) {
        SEALANE_ASSIGN_OR_RETURN(value, Value(kind, ElementOf(map), wire, depth));
      }
    }
    out[key] = std::move(value);
    return absl::OkStatus();
  }

  const Json& messages_;
};

}  // namespace

bool IsProtobuf(std::string_view body) { return body.substr(0, kMagic.size()) == kMagic; }

absl::StatusOr<Json> DecodeProtobuf(std::string_view body) {
  if (!IsProtobuf(body)) return Malformed();
  static const Json* const tables = new Json(EmbeddedProtobuf());
  std::string api_version;
  std::string kind;
  std::string_view raw;
  Reader envelope(body.substr(kMagic.size()));
  while (!envelope.AtEnd()) {
    SEALANE_ASSIGN_OR_RETURN(const WireField field, envelope.Next());
    if (field.number == 2) raw = field.bytes;
    if (field.number != 1) continue;
    Reader type_meta(field.bytes);
    while (!type_meta.AtEnd()) {
      SEALANE_ASSIGN_OR_RETURN(const WireField part, type_meta.Next());
      if (part.number == 1) api_version = std::string(part.bytes);
      if (part.number == 2) kind = std::string(part.bytes);
    }
  }
  const size_t slash = api_version.find('/');
  const std::string group = slash == std::string::npos ? "" : api_version.substr(0, slash);
  const std::string version =
      slash == std::string::npos ? api_version : api_version.substr(slash + 1);
  const auto name = tables->at("kinds").find(StrCat(group, "/", version, "/", kind));
  const Type* type = Schema::Builtin()->FindKind(group, version, kind);
  if (name == tables->at("kinds").end() || type == nullptr) {
    return InvalidArgument(StrCat("no kind \"", kind, "\" is registered for version \"",
                                  api_version, "\" in protobuf"));
  }
  SEALANE_ASSIGN_OR_RETURN(Json object,
                           Decoder(tables->at("messages")).Message(*name, *type, raw, 0));
  object["apiVersion"] = api_version;
  object["kind"] = kind;
  return object;
}

}  // namespace sealane::kubeapi
