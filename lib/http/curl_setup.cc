#include "lib/http/curl_setup.h"

#include <curl/curl.h>

#include <algorithm>
#include <string_view>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::http {
namespace {

curl_blob Blob(const std::string& text) {
  return curl_blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
}

// The host of "scheme://host:port/...", without brackets.
std::string HostOf(std::string_view url) {
  const size_t start = url.find("://");
  if (start != std::string_view::npos) url.remove_prefix(start + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void SetProxy(CURL* easy, const CurlTransportOptions& options) {
  if (!options.proxy.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  } else if (IsLoopback(HostOf(options.base_url))) {
    curl_easy_setopt(easy, CURLOPT_NOPROXY,
                     "*");  // as Go's clients: whatever the environment says
  }
}

void SetTls(CURL* easy, const CurlTransportOptions& options, const TlsMaterial& tls) {
  if (!tls.ca_pem.empty() || !options.ca_file.empty()) {
    // The given authority alone, not those of the system beside it.
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (!tls.ca_pem.empty()) {
    curl_blob blob = Blob(tls.ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  } else if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  }
  if (!tls.client_certificate_pem.empty()) {
    curl_blob certificate = Blob(tls.client_certificate_pem);
    curl_blob key = Blob(tls.client_key_pem);
    curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
    curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
  }
  if (options.insecure_skip_verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

}  // namespace

CurlTransportOptions UseServerName(CurlTransportOptions options, curl_slist** connect_to) {
  *connect_to = nullptr;
  const size_t start = options.base_url.find("://");
  if (options.tls_server_name.empty() || start == std::string::npos) return options;
  const size_t host = start + 3;
  const size_t end = std::min(options.base_url.find('/', host), options.base_url.size());
  const std::string authority = options.base_url.substr(host, end - host);
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  const std::string port = has_port ? authority.substr(colon + 1) : "443";
  const std::string name = authority.substr(0, has_port ? colon : std::string::npos);
  *connect_to = curl_slist_append(
      nullptr, StrCat(options.tls_server_name, ":", port, ":", name, ":", port).c_str());
  options.base_url.replace(host, end - host, StrCat(options.tls_server_name, ":", port));
  return options;
}

void SetUpConnection(CURL* easy, const CurlTransportOptions& options, const TlsMaterial& tls,
                     curl_slist* connect_to) {
  if (connect_to != nullptr) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  SetProxy(easy, options);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  SetTls(easy, options, tls);
}

curl_slist* SetUpRequest(CURL* easy, const CurlTransportOptions& options,
                         const HttpRequest& request, const std::string& authorization) {
  const std::string url = options.base_url + request.path;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_slist* headers = nullptr;
  for (const auto& field : request.headers.fields()) {
    headers = curl_slist_append(headers, StrCat(field.first, ": ", field.second).c_str());
  }
  if (!authorization.empty()) {
    headers = curl_slist_append(headers, authorization.c_str());
  }
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  return headers;
}

absl::Status CurlError(int code, const char* detail) {
  const std::string text =
      detail[0] != '\0' ? detail : curl_easy_strerror(static_cast<CURLcode>(code));
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return InvalidArgument(text);
    default:
      return Unavailable(text);
  }
}

}  // namespace sealane::http
