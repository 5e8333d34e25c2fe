#include "lib/model/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace sealane {
namespace {

Quantity Parsed(std::string_view text) {
  auto quantity = Quantity::Parse(text);
  EXPECT_TRUE(quantity.ok()) << text;
  return quantity.ok() ? *quantity : Quantity();
}

TEST(QuantityTest, ReadsEverySuffix) {
  EXPECT_EQ(Parsed("100m").MilliValue(), 100);
  EXPECT_EQ(Parsed("1").MilliValue(), 1000);
  EXPECT_EQ(Parsed("1.5").MilliValue(), 1500);
  EXPECT_EQ(Parsed(".5").MilliValue(), 500);
  EXPECT_EQ(Parsed("5.").Value(), 5);
  EXPECT_EQ(Parsed("+2k").Value(), 2000);
  EXPECT_EQ(Parsed("2M").Value(), 2'000'000);
  EXPECT_EQ(Parsed("3G").Value(), 3'000'000'000);
  EXPECT_EQ(Parsed("1Ki").Value(), 1024);
  EXPECT_EQ(Parsed("1.5Gi").Value(), 1'610'612'736);
  EXPECT_EQ(Parsed("2e3").Value(), 2000);
  EXPECT_EQ(Parsed("2E-3").MilliValue(), 2);
  EXPECT_EQ(Parsed("1E").Value(), 1'000'000'000'000'000'000);
  EXPECT_EQ(Parsed("-3").Value(), -3);
}

TEST(QuantityTest, RoundsAwayFromZero) {
  EXPECT_EQ(Parsed("100m").Value(), 1);
  EXPECT_EQ(Parsed("-100m").Value(), -1);
  EXPECT_EQ(Parsed("1u").MilliValue(), 1);
  EXPECT_EQ(Parsed("0.1n"), Parsed("1n"));
  EXPECT_EQ(Parsed("0.00000000049Ki"), Parsed("502n"));
}

TEST(QuantityTest, CapsAtTheLargestNumber) {
  EXPECT_EQ(Parsed("9223372036854775808").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parsed("100Ei").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parsed("1e400").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parsed("1e-400"), Parsed("1n"));
  EXPECT_EQ(Parsed("9223372036854775807").MilliValue(), std::numeric_limits<int64_t>::max());
}

TEST(QuantityTest, RefusesWhatIsNoQuantity) {
  for (const char* text : {"", "-", ".", "m", "1x", "1 Gi", "1.2.3", "1gi", "1e", "1e1.5", "0x10",
                           "1mm", "++1", "1e+", "1e-+5", "1KiB"}) {
    EXPECT_FALSE(Quantity::Parse(text).ok()) << text;
  }
}

TEST(QuantityTest, WritesTheCanonicalForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"1000m", "1"},    {"1500m", "1500m"},       {"0.5", "500m"},
      {"1024Mi", "1Gi"}, {"1.5Gi", "1536Mi"},      {"0", "0"},
      {"0Gi", "0"},      {"100Mi", "100Mi"},       {"512Ki", "512Ki"},
      {"1023", "1023"},  {"0.5Ki", "512"},         {"1000", "1k"},
      {"1e3", "1e3"},    {"12345678", "12345678"}, {"-1500m", "-1500m"},
      {"1000n", "1u"},   {"0.3Ki", "307200m"}};
  for (const auto& entry : cases) EXPECT_EQ(Parsed(entry.first).ToString(), entry.second);
}

TEST(QuantityTest, AddsAndComparesExactly) {
  EXPECT_EQ((Parsed("100m") + Parsed("200m")).ToString(), "300m");
  EXPECT_EQ((Parsed("1Gi") - Parsed("512Mi")).ToString(), "512Mi");
  EXPECT_EQ((Quantity() + Parsed("1Gi")).ToString(), "1Gi");
  EXPECT_EQ(Parsed("250m").Times(8).ToString(), "2");
  EXPECT_LT(Parsed("999m"), Parsed("1"));
  EXPECT_TRUE(SameQuantity("1000m", "1"));
  EXPECT_TRUE(SameQuantity("1Ki", "1024"));
  EXPECT_FALSE(SameQuantity("1", "x"));
}

}  // namespace
}  // namespace sealane
