#include "lib/core/json_write.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "lib/core/json.h"

namespace sealane {
namespace {

// What needs no look at its neighbours and no escape.
bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

// Whatever is not plain is left to the library.
std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Append(const std::string& text, std::string& out) {
  if (!std::all_of(text.begin(), text.end(), IsPlain)) {
    out += Dump(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

template <typename Integer>
void AppendInteger(Integer value, std::string& out) {
  char buffer[24];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

void Append(const Json& value, std::string& out) {
  char separator = 0;
  const auto separate = [&](char open) {
    out += separator == 0 ? open : separator;
    separator = ',';
  };
  switch (value.type()) {
    case Json::value_t::object:
      if (value.empty()) out += '{';
      for (const auto& [key, item] : value.get_ref<const Json::object_t&>()) {
        separate('{');
        Append(key, out);
        out += ':';
        Append(item, out);
      }
      out += '}';
      break;
    case Json::value_t::array:
      if (value.empty()) out += '[';
      for (const Json& item : value) {
        separate('[');
        Append(item, out);
      }
      out += ']';
      break;
    case Json::value_t::string:
      Append(value.get_ref<const std::string&>(), out);
      break;
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      break;
    case Json::value_t::number_integer:
      AppendInteger(value.get<int64_t>(), out);
      break;
    case Json::value_t::number_unsigned:
      AppendInteger(value.get<uint64_t>(), out);
      break;
    case Json::value_t::null:
      out += "null";
      break;
    default:
      out += Dump(value);
  }
}

}  // namespace

std::string WriteJson(const Json& value) {
  std::string out;
  Append(value, out);
  return out;
}

}  // namespace sealane
