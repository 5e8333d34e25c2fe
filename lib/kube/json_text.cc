#include "lib/kube/json_text.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kube {
namespace {

// Builds the value from the parser's events, so that bounds and double keys are seen on the way.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(Json* root) : root_(root) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }
  // Bytes read when the parser itself refused the text.
  [[nodiscard]] size_t position() const { return position_; }
  // The innermost key, for problems that the parser did not see itself.
  [[nodiscard]] const std::string& last_key() const { return key_; }

  bool null() override { return Scalar(nullptr); }
  bool boolean(bool value) override { return Scalar(value); }
  bool number_integer(number_integer_t value) override { return Scalar(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<uint64_t>(INT64_MAX)) return Scalar(static_cast<int64_t>(value));
    return Scalar(value);
  }
  bool number_float(number_float_t value, const string_t&) override {
    // Kubernetes stores 1.0 as 1.
    if (std::abs(value) < 1e15 && value == std::trunc(value)) {
      return Scalar(static_cast<int64_t>(value));
    }
    return Scalar(value);
  }
  bool string(string_t& value) override { return Scalar(std::move(value)); }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_array() override { return Close(); }
  bool key(string_t& key) override {
    key_ = std::move(key);
    if (stack_.back()->contains(key_)) return Fail(StrCat("key \"", key_, "\" appears twice"));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    position_ = position;
    std::string_view message = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": keep
    // the reason.
    if (const size_t at = message.find("parse error"); at != std::string_view::npos) {
      message = message.substr(at);
      if (const size_t colon = message.find(": "); colon != std::string_view::npos) {
        message = message.substr(colon + 2);
      }
    }
    problem_ = message;
    return false;
  }

 private:
  bool Fail(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  // Pointers on the stack stay valid: a container grows only while it is the innermost one.
  Json* Place(Json value) {
    if (stack_.empty()) return &(*root_ = std::move(value));
    Json& parent = *stack_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[key_] = std::move(value));
  }

  bool Scalar(Json value) {
    if (++nodes_ > kMaxNodes) return Fail(StrCat("more than ", kMaxNodes, " values"));
    Place(std::move(value));
    return true;
  }

  bool Open(Json container) {
    if (stack_.size() >= kMaxDepth)
      return Fail(StrCat("nested deeper than ", kMaxDepth, " levels"));
    if (++nodes_ > kMaxNodes) return Fail(StrCat("more than ", kMaxNodes, " values"));
    stack_.push_back(Place(std::move(container)));
    return true;
  }

  bool Close() {
    stack_.pop_back();
    return true;
  }

  Json* root_;
  std::vector<Json*> stack_;
  std::string key_;
  size_t nodes_ = 0;
  size_t position_ = 0;
  std::string problem_;
};

}  // namespace

absl::Status ReadJson(std::string_view text, Json* value) {
  *value = nullptr;
  Builder builder(value);
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return absl::OkStatus();
  *value = nullptr;
  if (builder.position() == 0) return InvalidArgument(builder.problem());
  const std::string_view before = text.substr(0, std::min(builder.position(), text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t newline = before.rfind('\n');
  const size_t column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1);
  return InvalidArgument(StrCat("line ", line, ", column ", column, ": ", builder.problem()));
}

bool IsUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    size_t extra = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (byte < 0x80) {
      ++i;
      continue;
    } else if (byte >= 0xC2 && byte <= 0xDF) {
      extra = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
      extra = 2;
      if (byte == 0xE0) low = 0xA0;
      if (byte == 0xED) high = 0x9F;
    } else if (byte >= 0xF0 && byte <= 0xF4) {
      extra = 3;
      if (byte == 0xF0) low = 0x90;
      if (byte == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (text.size() - i <= extra) return false;
    for (size_t k = 1; k <= extra; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next < (k == 1 ? low : 0x80) || next > (k == 1 ? high : 0xBF)) return false;
    }
    i += extra + 1;
  }
  return true;
}

}  // namespace sealane::kube
