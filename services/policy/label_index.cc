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

void LabelIndex::Forget(const std::string& row_key) {
  const auto it = labels_.find(row_key);
  if (it == labels_.end()) return;
  for (const uint64_t label : it->second) {
    const auto posting = postings_.find(label);
    posting->second.erase(&it->first);
    if (posting->second.empty()) postings_.erase(posting);
  }
  labels_.erase(it);
}

void LabelIndex::Set(const std::string& row_key, std::string_view manifest) {
  std::vector<uint64_t> hashes;
  for (const auto& [key, value] : LabelsOf(manifest)) hashes.push_back(HashOf(key, value));
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  if (const auto known = labels_.find(row_key); known != labels_.end()) {
    if (known->second == hashes) return;
    Forget(row_key);
  }
  if (hashes.empty()) return;
  hashes.shrink_to_fit();
  const auto it = labels_.emplace(row_key, std::move(hashes)).first;
  for (const uint64_t label : it->second) postings_[label].insert(&it->first);
}

std::optional<std::vector<std::string>> LabelIndex::Find(std::string_view prefix,
                                                         const Selector& selector) const {
  // Per required key the hashes of the values it may have; the rarest key leads.
  std::vector<std::vector<uint64_t>> required;
  size_t fewest = 0;
  size_t leader = 0;
  for (const SelectorRequirement& requirement : selector.requirements()) {
    if (requirement.op != SelectorRequirement::Op::kIn) continue;
    std::vector<uint64_t> hashes;
    size_t objects = 0;
    for (const std::string& value : requirement.values) {
      hashes.push_back(HashOf(requirement.key, value));
      const auto posting = postings_.find(hashes.back());
      if (posting != postings_.end()) objects += posting->second.size();
    }
    if (required.empty() || objects < fewest) {
      fewest = objects;
      leader = required.size();
    }
    required.push_back(std::move(hashes));
  }
  if (required.empty()) return std::nullopt;
  std::vector<std::string> found;
  for (const uint64_t label : required[leader]) {
    const auto posting = postings_.find(label);
    if (posting == postings_.end()) continue;
    for (const std::string* row_key : posting->second) {
      if (!row_key->starts_with(prefix)) continue;
      const std::vector<uint64_t>& has = labels_.find(*row_key)->second;
      const bool all = std::all_of(required.begin(), required.end(), [&](const auto& any_of) {
        return std::any_of(any_of.begin(), any_of.end(), [&](uint64_t hash) {
          return std::binary_search(has.begin(), has.end(), hash);
        });
      });
      if (all) found.push_back(*row_key);
    }
  }
  return found;
}

}  // namespace sealane::policy
