#include "lib/core/places.h"

#include <gtest/gtest.h>

namespace sealane {
namespace {

TEST(PlacesTest, EachHasItsPartAndAllHaveTheirs) {
  Places places(/*most_of_one=*/2, /*most=*/3);
  EXPECT_TRUE(places.Take("eve"));
  EXPECT_TRUE(places.Take("eve"));
  EXPECT_TRUE(places.Full("eve"));
  EXPECT_FALSE(places.Take("eve"));
  EXPECT_FALSE(places.Full("bob"));
  EXPECT_TRUE(places.Take("bob"));
  // None is left, not even for who has none yet.
  EXPECT_TRUE(places.Full("ann"));
  EXPECT_FALSE(places.Take("ann"));
  EXPECT_EQ(places.taken(), 3);
  EXPECT_EQ(places.TakenBy("eve"), 2);
  EXPECT_EQ(places.TakenBy("ann"), 0);
  places.GiveBack("eve");
  EXPECT_FALSE(places.Full("eve"));
  EXPECT_TRUE(places.Take("ann"));
  EXPECT_TRUE(places.Full("eve"));
}

TEST(PlacesTest, WhatWasNotTakenIsNotGivenBack) {
  Places places(1);
  places.GiveBack("eve");
  EXPECT_EQ(places.taken(), 0);
  EXPECT_TRUE(places.Take("eve"));
  places.GiveBack("bob");
  places.GiveBack("eve");
  places.GiveBack("eve");
  EXPECT_EQ(places.taken(), 0);
  EXPECT_TRUE(places.Take("eve"));
  EXPECT_FALSE(places.Take("eve"));
}

TEST(PlacesTest, WithoutLimitsItOnlyCounts) {
  Places places;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(places.Take("eve"));
  EXPECT_EQ(places.TakenBy("eve"), 1000);
  EXPECT_FALSE(places.Full("eve"));
}

}  // namespace
}  // namespace sealane
