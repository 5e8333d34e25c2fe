#include "lib/http/certificate.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/http/test_certificate.h"

namespace sealane::http {
namespace {

// Whether that is so many seconds from now, as far as a test can tell.
void ExpectIn(const absl::StatusOr<absl::Time>& expiry, int64_t seconds) {
  ASSERT_TRUE(expiry.ok()) << expiry.status();
  EXPECT_LE(absl::AbsDuration(*expiry - absl::Now() - absl::Seconds(seconds)), absl::Seconds(60));
}

TEST(CertificateExpiryTest, IsThatOfTheFirstCertificate) {
  const TestCertificate soon = MakeCertificate(86400);
  const TestCertificate late = MakeCertificate(INT64_C(10'000'000'000));  // after 2049, and 2038
  ExpectIn(CertificateExpiry(soon.certificate), 86400);
  ExpectIn(CertificateExpiry(late.certificate), INT64_C(10'000'000'000));
  ExpectIn(CertificateExpiry(StrCat(soon.certificate, late.certificate)), 86400);
  ExpectIn(CertificateExpiry(StrCat("subject: x\n", late.key, late.certificate, soon.certificate)),
           INT64_C(10'000'000'000));
  ExpectIn(CertificateExpiry(MakeCertificate(-600).certificate), -600);
}

TEST(CertificateExpiryTest, TextWithoutACertificateHasNone) {
  const TestCertificate mine = MakeCertificate();
  for (const std::string& text : {std::string(), std::string("hello"), mine.key,
                                  mine.certificate.substr(0, mine.certificate.size() / 2)}) {
    EXPECT_EQ(CertificateExpiry(text).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sealane::http
