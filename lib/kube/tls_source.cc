#include "lib/kube/tls_source.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "lib/kube/kubeconfig.h"

namespace sealane::kube {
namespace {

constexpr absl::Duration kLook = absl::Seconds(10);

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

}  // namespace

TlsSource::TlsSource(Env env, const ClusterAccess& access)
    : env_(env),
      ca_{access.ca_file, MarkOf(access.ca_file)},
      certificate_{access.client_cert_file, MarkOf(access.client_cert_file)},
      key_{access.client_key_file, MarkOf(access.client_key_file)},
      looked_(env.clock.Monotonic()),
      files_(std::make_shared<const http::TlsMaterial>(
          http::TlsMaterial{access.ca_pem, access.client_cert_pem, access.client_key_pem})),
      current_(files_) {}

std::shared_ptr<const http::TlsMaterial> TlsSource::Current() {
  const absl::Duration now = env_.clock.Monotonic();
  if (now - looked_ >= kLook) {
    looked_ = now;
    ReadAgain();
  }
  return current_;
}

void TlsSource::SetPluginCertificate(std::string certificate, std::string key) {
  plugin_ = {std::move(certificate), std::move(key)};
  auto next = std::make_shared<http::TlsMaterial>(*files_);
  if (!plugin_.first.empty()) {
    next->client_certificate_pem = plugin_.first;
    next->client_key_pem = plugin_.second;
  }
  current_ = std::move(next);
}

TlsSource::Mark TlsSource::MarkOf(const std::string& path) {
  struct stat info = {};
  if (path.empty() || stat(path.c_str(), &info) != 0) return {};
  return {static_cast<int64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec,
          info.st_mtim.tv_nsec};
}

void TlsSource::ReadAgain() {
  const Mark ca = MarkOf(ca_.path);
  const Mark certificate = MarkOf(certificate_.path);
  const Mark key = MarkOf(key_.path);
  if (ca == ca_.mark && certificate == certificate_.mark && key == key_.mark) return;
  auto next = std::make_shared<http::TlsMaterial>(*files_);
  if (!ca_.path.empty()) next->ca_pem = ReadWhole(ca_.path);
  if (!certificate_.path.empty()) next->client_certificate_pem = ReadWhole(certificate_.path);
  if (!key_.path.empty()) next->client_key_pem = ReadWhole(key_.path);
  const bool lost =
      next->ca_pem.empty() != files_->ca_pem.empty() ||
      next->client_certificate_pem.empty() != files_->client_certificate_pem.empty() ||
      next->client_key_pem.empty() != files_->client_key_pem.empty();
  if (lost) return;  // looked at again the next time
  ca_.mark = ca;
  certificate_.mark = certificate;
  key_.mark = key;
  files_ = std::move(next);
  SetPluginCertificate(std::move(plugin_.first), std::move(plugin_.second));
}

}  // namespace sealane::kube
