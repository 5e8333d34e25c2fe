#include "lib/http/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "lib/core/status.h"

namespace sealane::http {
namespace {

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* value) const {
    Function(value);
  }
};

}  // namespace

absl::StatusOr<absl::Time> CertificateExpiry(const std::string& pem) {
  const std::unique_ptr<BIO, Free<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509, Free<X509_free>> certificate(
      bio == nullptr ? nullptr : PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  std::tm end = {};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) {
    ERR_clear_error();  // others look at the thread's errors
    return InvalidArgument("there is no certificate");
  }
  return absl::FromTM(end, absl::UTCTimeZone());
}

}  // namespace sealane::http
