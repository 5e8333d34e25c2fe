#include "lib/core/json_write.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "lib/core/json.h"

namespace sealane {
namespace {

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TEST(JsonWriteTest, WritesWhatTheLibraryWrites) {
  const Json values[] = {
      nullptr,
      true,
      false,
      0,
      -1,
      std::numeric_limits<int64_t>::min(),
      std::numeric_limits<int64_t>::max(),
      std::numeric_limits<uint64_t>::max(),
      0.1,
      -2.5e300,
      std::numeric_limits<double>::infinity(),
      "",
      "plain text, with punctuation: /.~!",
      "\"quotes\" and \\ and \n\t\b\f\r",
      std::string("\x00\x1f\x7f", 3),
      "köln 北京 🚢",
      Json::object(),
      Json::array(),
      {{"b", {1, "two", nullptr, {{"c", Json::array()}, {"d", Json::object()}}}}, {"a\"\n", 1.5}},
  };
  for (const Json& value : values) {
    EXPECT_EQ(WriteJson(value), Dump(value));
    EXPECT_EQ(WriteJson(Json::array({value, value})), Dump(Json::array({value, value})));
  }
}

TEST(JsonWriteTest, WritesEveryByteAsTheLibraryDoes) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'a', static_cast<char>(byte), 'z'};
    EXPECT_EQ(WriteJson({{text, text}}), Dump({{text, text}})) << byte;
  }
}

}  // namespace
}  // namespace sealane
