#include "services/status/page/answers.h"

#include <string>

#include "lib/core/json.h"
#include "lib/core/json_write.h"

namespace sealane::status {

void AddSafetyHeaders(http::Headers& headers) {
  headers.Set("Content-Security-Policy",
              "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
              "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
  headers.Set("X-Content-Type-Options", "nosniff");
  headers.Set("X-Frame-Options", "DENY");
  headers.Set("Referrer-Policy", "no-referrer");
  headers.Set("Cross-Origin-Resource-Policy", "same-origin");
  headers.Set("Cross-Origin-Opener-Policy", "same-origin");
}

http::HttpResponse JsonAnswer(int status, const Json& body) {
  http::HttpResponse response;
  response.status = status;
  response.headers.Set("Content-Type", "application/json");
  response.headers.Set("Cache-Control", "no-store");
  AddSafetyHeaders(response.headers);
  response.body = WriteJson(body);
  response.body += '\n';
  return response;
}

http::HttpResponse ErrorAnswer(int status, std::string_view reason, std::string_view message) {
  return JsonAnswer(status, {{"error", std::string(reason)}, {"message", std::string(message)}});
}

}  // namespace sealane::status
