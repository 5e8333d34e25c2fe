#include "lib/bus/bus.h"

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

}  // namespace sealane
