#include "lib/model/same_message.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "sealane/v1/tables.pb.h"

namespace sealane {
namespace {

using google::protobuf::util::MessageDifferencer;

TEST(SameMessageTest, MapsHaveNoOrder) {
  v1::Binding a;
  v1::Binding b;
  for (int i = 0; i < 50; ++i) {
    (*a.mutable_options())[std::to_string(i)] = "x";
    (*b.mutable_options())[std::to_string(49 - i)] = "x";
  }
  EXPECT_TRUE(SameMessage(a, b));
  (*b.mutable_options())["7"] = "y";
  EXPECT_FALSE(SameMessage(a, b));
}

TEST(SameMessageTest, FindsWhatReflectionFinds) {
  v1::Binding a;
  a.mutable_ref()->set_name("room");
  v1::Binding b = a;
  EXPECT_TRUE(SameMessage(a, b));
  b.mutable_placement();  // present, but empty
  EXPECT_FALSE(SameMessage(a, b));
  EXPECT_FALSE(MessageDifferencer::Equals(a, b));
  b = a;
  b.set_replicas(0);  // the default
  EXPECT_TRUE(SameMessage(a, b));
  b.mutable_ref()->set_name("moor");
  EXPECT_FALSE(SameMessage(a, b));
}

}  // namespace
}  // namespace sealane
