#include "lib/kubeapi/embedded.h"

#include <zlib.h>

#include <string>

#include "lib/core/json.h"

// Defined in data/embed.S.in.
extern "C" {
extern const unsigned char sealane_kubeapi_schema_begin[];
extern const unsigned char sealane_kubeapi_schema_end[];
extern const unsigned char sealane_kubeapi_protobuf_begin[];
extern const unsigned char sealane_kubeapi_protobuf_end[];
}

namespace sealane::kubeapi {
namespace {

// Damaged data cannot happen in a linked program; it would give an empty text, and then null.
std::string Inflate(const unsigned char* begin, const unsigned char* end) {
  z_stream stream = {};
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return "";
  stream.next_in = const_cast<unsigned char*>(begin);
  stream.avail_in = static_cast<uInt>(end - begin);
  std::string out;
  char buffer[1 << 16];
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<unsigned char*>(buffer);
    stream.avail_out = sizeof(buffer);
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END ? out : "";
}

}  // namespace

Json EmbeddedSchema() {
  return Json::parse(Inflate(sealane_kubeapi_schema_begin, sealane_kubeapi_schema_end), nullptr,
                     /*allow_exceptions=*/false);
}

Json EmbeddedProtobuf() {
  return Json::parse(Inflate(sealane_kubeapi_protobuf_begin, sealane_kubeapi_protobuf_end), nullptr,
                     /*allow_exceptions=*/false);
}

}  // namespace sealane::kubeapi
