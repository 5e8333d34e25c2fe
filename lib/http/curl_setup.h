#pragma once

#include <string>

#include "absl/status/status.h"
#include "lib/http/curl_transport.h"
#include "lib/http/message.h"

// libcurl's, whose headers are heavy.
struct curl_slist;

// What a transport's options and a request mean for libcurl. Private to CurlTransport. Pointers of
// type CURL* are void*, as libcurl has them.
namespace sealane::http {

// A server name other than the URL's host: the name goes into the URL, where TLS takes it from, and
// connections to it are made to the host that was there: `*connect_to`, which the caller frees.
[[nodiscard]] CurlTransportOptions UseServerName(CurlTransportOptions options,
                                                 curl_slist** connect_to);

// How the server is reached: proxy, time limits, TLS. All of it outlives the handle's use.
void SetUpConnection(void* easy, const CurlTransportOptions& options, const TlsMaterial& tls,
                     curl_slist* connect_to);
// What is asked. `request` must outlive the handle's use; the caller frees the list of headers that
// is returned afterwards.
[[nodiscard]] curl_slist* SetUpRequest(void* easy, const CurlTransportOptions& options,
                                       const HttpRequest& request,
                                       const std::string& authorization);

// The error of a finished request, by its CURLcode.
[[nodiscard]] absl::Status CurlError(int code, const char* detail);

}  // namespace sealane::http
