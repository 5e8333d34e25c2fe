#include "services/policy/label_index.h"

#include <algorithm>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::policy {
namespace {

uint64_t HashOf(std::string_view key, std::string_view value) {
  return Fnv1a64(StrCat(key, "=", value));
}

// Reads metadata.labels and stops there.
class LabelReader final : public nlohmann::json_sax<Json> {
 public:
  std::vector<std::pair<std::string, std::string>> labels;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool string(string_t& value) override {
    if (in_labels_ && depth_ == 3) labels.emplace_back(key_, std::move(value));
    return true;
  }
  bool start_object(std::size_t) override {
    ++depth_;
    in_metadata_ |= depth_ == 2 && key_ == "metadata";
    in_labels_ |= in_metadata_ && depth_ == 3 && key_ == "labels";
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ <= 3) key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    --depth_;
    return !in_labels_ && !(in_metadata_ && depth_ == 1);
  }
  bool start_array(std::size_t) override {
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_labels_ = false;
  std::string key_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> LabelsOf(std::string_view manifest) {
  if (manifest.find("\"labels\"") == std::string_view::npos) return {};
  LabelReader reader;
  Json::sax_parse(manifest, &reader);  // false when it stopped early
  return std::move(reader.labels);
}

void LabelIndex::Forget(std::string_view row_key) {
  const auto it = objects_.find(row_key);
  if (it == objects_.end()) return;
  for (const uint64_t label : (*it)->labels) postings_.erase(Posting(label, it->get()));
  objects_.erase(it);
}

void LabelIndex::Set(std::string_view row_key, std::string_view manifest) {
  Labels labels;
  for (const auto& [key, value] : LabelsOf(manifest)) labels.push_back(HashOf(key, value));
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  if (const auto known = objects_.find(row_key); known != objects_.end()) {
    if ((*known)->labels == labels) return;
    Forget(row_key);
  }
  if (labels.empty()) return;
  labels.shrink_to_fit();
  auto object = std::make_unique<Object>(Object{std::string(row_key), std::move(labels)});
  for (const uint64_t label : object->labels) postings_.emplace(label, object.get());
  objects_.insert(std::move(object));
}

std::optional<std::vector<std::string>> LabelIndex::Find(std::string_view prefix,
                                                         const Selector& selector) const {
  // Per required key the hashes of the values it may have; the key with the fewest objects leads.
  std::vector<std::vector<uint64_t>> required;
  for (const SelectorRequirement& requirement : selector.requirements()) {
    if (requirement.op != SelectorRequirement::Op::kIn) continue;
    std::vector<uint64_t>& hashes = required.emplace_back();
    for (const std::string& value : requirement.values) {
      hashes.push_back(HashOf(requirement.key, value));
    }
  }
  if (required.empty()) return std::nullopt;
  std::vector<const Object*> candidates;
  for (size_t i = 0; i < required.size(); ++i) {
    std::vector<const Object*> with;
    bool fewest = true;
    for (const uint64_t label : required[i]) {
      for (auto it = postings_.lower_bound(Posting(label, nullptr));
           fewest && it != postings_.end() && it->first == label; ++it) {
        with.push_back(it->second);
        fewest = i == 0 || with.size() < candidates.size();
      }
    }
    if (fewest) candidates = std::move(with);
  }
  std::vector<std::string> found;
  for (const Object* object : candidates) {
    if (!object->row_key.starts_with(prefix)) continue;
    const Labels& has = object->labels;
    const bool all = std::all_of(required.begin(), required.end(), [&](const auto& any_of) {
      return std::any_of(any_of.begin(), any_of.end(), [&](uint64_t hash) {
        return std::binary_search(has.begin(), has.end(), hash);
      });
    });
    if (all) found.push_back(object->row_key);
  }
  return found;
}

}  // namespace sealane::policy
