#pragma once

#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/http/message.h"

namespace sealane::status {

// The headers of every answer: nothing from elsewhere is loaded, framed or guessed at.
void AddSafetyHeaders(http::Headers& headers);

// An answer of the API. It is about now, so nobody keeps it.
[[nodiscard]] http::HttpResponse JsonAnswer(int status, const Json& body);

// {"error": reason, "message": message}: `reason` one word for programs, `message` for people.
[[nodiscard]] http::HttpResponse ErrorAnswer(int status, std::string_view reason,
                                             std::string_view message);

}  // namespace sealane::status
