#include "lib/bus/bus.h"

#include <charconv>
#include <system_error>

namespace sealane {

std::string_view BusMessage::Header(std::string_view name) const {
  for (const auto& header : headers) {
    if (header.first == name) return header.second;
  }
  return {};
}

bool BusMessage::IsDeleteMarker() const {
  const std::string_view operation = Header("KV-Operation");
  return operation == "DEL" || operation == "PURGE" || !Header("Nats-Marker-Reason").empty();
}

uint64_t OriginSequence(const BusMessage& message) {
  // "<stream> <sequence>"; newer servers add more words.
  std::string_view text = message.Header(kOriginHeader);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return 0;
  text.remove_prefix(space + 1);
  uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  return error == std::errc() && end != text.data() ? sequence : 0;
}

}  // namespace sealane
