#include "tools/sealane/render_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cctype>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kJsonSuffix = "_json";
constexpr std::string_view kMicrosSuffix = "_micros";

std::string Camel(std::string_view snake) {
  std::string out;
  bool upper = false;
  for (const char c : snake) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
    upper = false;
  }
  return out;
}

Json BytesToJson(const std::string& bytes) {
  Json parsed = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_discarded()) return parsed;
  return bytes;
}

// The value of a singular field, or of element `index` of a repeated one (-1: singular).
Json FieldValue(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& get = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return many ? get.GetRepeatedInt32(message, &field, index) : get.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return many ? get.GetRepeatedInt64(message, &field, index) : get.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return many ? get.GetRepeatedUInt32(message, &field, index) : get.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return many ? get.GetRepeatedUInt64(message, &field, index) : get.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return many ? get.GetRepeatedDouble(message, &field, index) : get.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return many ? get.GetRepeatedFloat(message, &field, index) : get.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return many ? get.GetRepeatedBool(message, &field, index) : get.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return (many ? get.GetRepeatedEnum(message, &field, index) : get.GetEnum(message, &field))
          ->name();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageToJson(many ? get.GetRepeatedMessage(message, &field, index)
                                : get.GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text =
          many ? get.GetRepeatedString(message, &field, index) : get.GetString(message, &field);
      const bool holds_json = field.type() == FieldDescriptor::TYPE_BYTES ||
                              std::string_view(field.name()).ends_with(kJsonSuffix);
      return holds_json ? BytesToJson(text) : Json(text);
    }
  }
  return nullptr;
}

Json MapToJson(const Message& message, const FieldDescriptor& field) {
  Json out = Json::object();
  const Reflection& get = *message.GetReflection();
  for (int i = 0; i < get.FieldSize(message, &field); ++i) {
    const Message& entry = get.GetRepeatedMessage(message, &field, i);
    const auto* descriptor = entry.GetDescriptor();
    const Json key = FieldValue(entry, *descriptor->map_key(), -1);
    out[key.is_string() ? key.get<std::string>() : key.dump()] =
        FieldValue(entry, *descriptor->map_value(), -1);
  }
  return out;
}

}  // namespace

Json MessageToJson(const Message& message) {
  Json out = Json::object();
  const Reflection& get = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  get.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    std::string_view name = field->name();
    if (field->is_map()) {
      out[Camel(name)] = MapToJson(message, *field);
      continue;
    }
    if (field->is_repeated()) {
      Json list = Json::array();
      for (int i = 0; i < get.FieldSize(message, field); ++i) {
        list.push_back(FieldValue(message, *field, i));
      }
      out[Camel(name)] = std::move(list);
      continue;
    }
    Json value = FieldValue(message, *field, -1);
    if (name.ends_with(kMicrosSuffix) && value.is_number()) {
      name.remove_suffix(kMicrosSuffix.size());
      value = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(value.get<int64_t>()),
                               absl::UTCTimeZone());
    } else if (name.ends_with(kJsonSuffix)) {
      name.remove_suffix(kJsonSuffix.size());
    }
    out[Camel(name)] = std::move(value);
  }
  return out;
}

}  // namespace sealane::cli
