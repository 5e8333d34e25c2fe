#include "lib/bus/nats_login.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

// A rotated secret reaches a pod within about a minute; this adds little.
constexpr absl::Duration kLookEvery = absl::Seconds(5);

std::optional<std::string> Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// The first line of a file, when it can be read and has one.
void ReadLine(const std::string& path, std::string& value) {
  if (path.empty()) return;
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) return;
  value = std::string(absl::StripTrailingAsciiWhitespace(line));
}

absl::Status CheckFile(std::string_view option, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return absl::OkStatus();
  return InvalidArgument(StrCat(option, ": cannot read ", path));
}

std::vector<std::string> FilesOf(const NatsOptions& options) {
  std::vector<std::string> files;
  for (const std::string* path :
       {&options.user_file, &options.password_file, &options.creds_file, &options.nkey_seed_file,
        &options.tls_ca_file, &options.tls_cert_file, &options.tls_key_file}) {
    if (!path->empty()) files.push_back(*path);
  }
  return files;
}

}  // namespace

absl::Status CheckNatsOptions(const NatsOptions& options) {
  if (options.urls.empty()) return InvalidArgument("urls: at least one is required");
  SEALANE_RETURN_IF_ERROR(CheckFile("user_file", options.user_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("password_file", options.password_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("creds_file", options.creds_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("nkey_seed_file", options.nkey_seed_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("tls_ca_file", options.tls_ca_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("tls_cert_file", options.tls_cert_file));
  SEALANE_RETURN_IF_ERROR(CheckFile("tls_key_file", options.tls_key_file));
  if (options.nkey_public.empty() != options.nkey_seed_file.empty()) {
    return InvalidArgument("nkey_public and nkey_seed_file go together");
  }
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return InvalidArgument("tls_cert_file and tls_key_file go together");
  }
  return absl::OkStatus();
}

NatsOptions WithLoginOfFiles(NatsOptions options) {
  ReadLine(options.user_file, options.user);
  ReadLine(options.password_file, options.password);
  return options;
}

std::string LoginName(const NatsOptions& options) {
  if (options.creds_file.empty()) return WithLoginOfFiles(options).user;
  const std::string text = Contents(options.creds_file).value_or("");
  const size_t head = text.find('.');
  const size_t end = head == std::string::npos ? head : text.find('.', head + 1);
  std::string claims;
  if (end == std::string::npos ||
      !absl::WebSafeBase64Unescape(text.substr(head + 1, end - head - 1), &claims)) {
    return "";
  }
  const Json json = Json::parse(claims, nullptr, /*allow_exceptions=*/false);
  const auto name = json.is_object() ? json.find("name") : json.end();
  return name != json.end() && name->is_string() ? name->get<std::string>() : "";
}

LoginWatch::LoginWatch(Env env, const NatsOptions& options, std::function<void()> changed)
    : options_(options), changed_(std::move(changed)), executor_(env.executor) {
  if (FilesOf(options_).empty()) return;
  contents_ = Contents();
  executor_.After(kLookEvery, [this] { Look(); });
}

std::string LoginWatch::Contents() const {
  std::string all;
  for (const std::string& path : FilesOf(options_)) {
    const std::optional<std::string> text = sealane::Contents(path);
    if (!text.has_value()) return "";
    all += StrCat(text->size(), ":", *text);
  }
  return all;
}

void LoginWatch::Look() {
  executor_.After(kLookEvery, [this] { Look(); });
  std::string now = Contents();
  if (now.empty() || now == contents_) return;
  contents_ = std::move(now);
  changed_();
}

}  // namespace sealane
