#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sealane::http {

// Header fields of a message in their order. Names compare without case. A plain value type.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  // Appends a field, keeping earlier ones of the same name.
  void Add(std::string_view name, std::string_view value);
  // Replaces every field of that name.
  void Set(std::string_view name, std::string_view value);
  // The first field of that name; empty when there is none.
  [[nodiscard]] std::string_view Get(std::string_view name) const;
  [[nodiscard]] bool Has(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const {
    return fields_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// The certificate of a client that a server verified. A plain value type.
struct PeerCertificate {
  std::string common_name;
  std::vector<std::string> organizations;
};

// A request as the application sees it. `path` is the request target: an absolute path with its
// query ("/api/v1/pods?watch=1"), still percent-encoded.
struct HttpRequest {
  std::string method = "GET";
  std::string path = "/";
  Headers headers;
  std::string body;
  // Requests that a server took over TLS from a client with a verified certificate; else nullptr.
  std::shared_ptr<const PeerCertificate> peer = nullptr;
};

// A complete response. Every HTTP status is a response, also 4xx and 5xx.
struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// The parts of a request target: the decoded path, and the query's decoded (name, value) pairs in
// their order. Malformed percent escapes are kept as they are.
struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;

  // The first value of a query parameter; empty when absent.
  [[nodiscard]] std::string_view Query(std::string_view name) const;
  [[nodiscard]] bool HasQuery(std::string_view name) const;
};
[[nodiscard]] Target ParseTarget(std::string_view target);

// Whether a decoded segment of a path could mean two things to two readers: "." or "..", or one
// that holds a slash, a backslash or a NUL.
[[nodiscard]] bool IsAmbiguousSegment(std::string_view segment);

// The decoded segments of a request target's path, which must begin with '/'; the query is not
// looked at. nullopt when one of them is empty or ambiguous.
[[nodiscard]] std::optional<std::vector<std::string>> PathSegments(std::string_view target);

// Decodes %XX escapes, and '+' as a space when `plus_is_space`.
[[nodiscard]] std::string PercentDecode(std::string_view text, bool plus_is_space);
// Escapes everything except unreserved characters (RFC 3986), for path segments and query values.
[[nodiscard]] std::string PercentEncode(std::string_view text);

// The standard phrase of a status ("Not Found"); "Unknown" for others.
[[nodiscard]] std::string_view StatusPhrase(int status);

}  // namespace sealane::http
