#include "lib/kubeapi/json_reader.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

// Builds the value while the parser goes through the text, as the library's own builder does, and
// sees on the way which keys were there before.
class Builder {
 public:
  Builder(Json& root, std::vector<std::string>* duplicates)
      : root_(root), duplicates_(duplicates) {}

  // The parser's events; these names are its own.
  // NOLINTBEGIN(readability-identifier-naming)
  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(Json::number_integer_t value) { return Add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return Add(value); }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) { return Add(value); }
  bool string(std::string& value) { return Add(std::move(value)); }
  bool binary(Json::binary_t& /*value*/) { return false; }
  bool start_object(size_t /*size*/) { return Open(Json::object()); }
  bool start_array(size_t /*size*/) { return Open(Json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(std::string& name) {
    auto& members = open_.back().value->get_ref<Json::object_t&>();
    const auto [it, added] = members.try_emplace(std::move(name));
    open_.back().member = &*it;
    if (!added && duplicates_ != nullptr) Tell();
    return true;
  }
  bool parse_error(size_t /*at*/, const std::string& /*token*/, const Json::exception& /*why*/) {
    return false;
  }
  // NOLINTEND(readability-identifier-naming)

 private:
  struct Level {
    Json* value;
    std::pair<const std::string, Json>* member = nullptr;  // of an object: the one that is read
  };

  // Where the next value goes.
  Json& Slot() {
    if (open_.empty()) return root_;
    Level& level = open_.back();
    if (level.member != nullptr) return level.member->second;
    auto& items = level.value->get_ref<Json::array_t&>();
    items.emplace_back();
    return items.back();
  }
  template <typename Value>
  bool Add(Value&& value) {
    Slot() = std::forward<Value>(value);
    return true;
  }
  bool Open(Json&& empty) {
    Json& slot = Slot();
    slot = std::move(empty);
    open_.push_back({&slot});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  // Bounded, as bodies of strangers are: so many, of paths that somebody could read.
  void Tell() {
    constexpr size_t kMostTold = 100;
    constexpr size_t kLongestPath = 1000;
    if (duplicates_->size() >= kMostTold) return;
    std::string path;
    for (const Level& level : open_) {
      if (level.member == nullptr) {
        path.append(StrCat("[", level.value->size() - 1, "]"));
      } else {
        if (!path.empty()) path.push_back('.');
        path.append(level.member->first);
      }
      if (path.size() > kLongestPath) return;
    }
    // A key that is there three times is told once.
    if (std::find(duplicates_->begin(), duplicates_->end(), path) == duplicates_->end()) {
      duplicates_->push_back(std::move(path));
    }
  }

  Json& root_;
  std::vector<std::string>* duplicates_;
  std::vector<Level> open_;  // lists and objects around the place, the outermost first
};

}  // namespace

bool ReadJson(std::string_view text, Json& out, std::vector<std::string>* duplicates) {
  Builder builder(out, duplicates);
  return Json::sax_parse(text, &builder);
}

}  // namespace sealane::kubeapi
