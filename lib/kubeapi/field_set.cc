#include "lib/kubeapi/field_set.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

void AddIfNotEmpty(FieldSet& out, const std::string& element, FieldSet child) {
  if (!child.Empty()) out.children.emplace(element, std::move(child));
}

std::string ElementText(std::string_view element) {
  const std::string_view body = element.substr(std::min<size_t>(2, element.size()));
  switch (element.empty() ? '?' : element[0]) {
    case 'f':
      return StrCat(".", body);
    case 'v':
      return StrCat("[=", body, "]");
    case 'i':
      return StrCat("[", body, "]");
    case 'k': {
      const Json keys = Json::parse(body, nullptr, false);
      std::vector<std::string> parts;
      if (keys.is_object()) {
        for (const auto& [key, value] : keys.items()) {
          parts.push_back(StrCat(key, "=", value.dump()));
        }
      }
      return StrCat("[", StrJoin(parts, ","), "]");
    }
    default:
      return std::string(element);
  }
}

// Clients may space the JSON inside an element in their own way.
std::string CanonicalElement(const std::string& element) {
  if (element[0] != 'k' && element[0] != 'v') return element;
  const Json value = Json::parse(element.begin() + 2, element.end(), nullptr, false);
  return value.is_discarded() ? element : StrCat(element.substr(0, 2), value.dump());
}

void Collect(const FieldSet& set, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [element, child] : set.children) {
    const std::string path = prefix + ElementText(element);
    if (child.member) out.push_back(path);
    Collect(child, path, out);
  }
}

}  // namespace

bool FieldSet::Empty() const {
  return !member && std::all_of(children.begin(), children.end(),
                                [](const auto& child) { return child.second.Empty(); });
}

bool FieldSet::operator==(const FieldSet& other) const {
  return member == other.member && children == other.children;
}

const FieldSet* FieldSet::Child(std::string_view element) const {
  const auto it = children.find(element);
  return it == children.end() ? nullptr : &it->second;
}

void FieldSet::Insert(const std::vector<std::string>& path) {
  FieldSet* node = this;
  for (const std::string& element : path) node = &node->children[element];
  node->member = true;
}

bool FieldSet::Has(const std::vector<std::string>& path) const {
  const FieldSet* node = this;
  for (const std::string& element : path) {
    node = node->Child(element);
    if (node == nullptr) return false;
  }
  return node->member;
}

FieldSet Union(const FieldSet& a, const FieldSet& b) {
  FieldSet out = a;
  out.member = a.member || b.member;
  for (const auto& [element, child] : b.children) {
    auto it = out.children.find(element);
    if (it == out.children.end()) {
      out.children.emplace(element, child);
    } else {
      it->second = Union(it->second, child);
    }
  }
  return out;
}

FieldSet Intersection(const FieldSet& a, const FieldSet& b) {
  FieldSet out;
  out.member = a.member && b.member;
  for (const auto& [element, child] : a.children) {
    if (const FieldSet* other = b.Child(element)) {
      AddIfNotEmpty(out, element, Intersection(child, *other));
    }
  }
  return out;
}

FieldSet Difference(const FieldSet& a, const FieldSet& b) {
  FieldSet out;
  out.member = a.member && !b.member;
  for (const auto& [element, child] : a.children) {
    const FieldSet* other = b.Child(element);
    AddIfNotEmpty(out, element, other == nullptr ? child : Difference(child, *other));
  }
  return out;
}

FieldSet RecursiveDifference(const FieldSet& a, const FieldSet& b) {
  FieldSet out;
  out.member = a.member && !b.member;
  for (const auto& [element, child] : a.children) {
    const FieldSet* other = b.Child(element);
    if (other == nullptr) {
      AddIfNotEmpty(out, element, child);
    } else if (!other->member) {
      AddIfNotEmpty(out, element, RecursiveDifference(child, *other));
    }
  }
  return out;
}

Json ToFieldsV1(const FieldSet& set) {
  Json out = Json::object();
  for (const auto& [element, child] : set.children) {
    if (child.Empty()) continue;
    Json value = ToFieldsV1(child);
    if (child.member && !value.empty()) value["."] = Json::object();
    out[element] = std::move(value);
  }
  return out;
}

FieldSet FromFieldsV1(const Json& fields) {
  FieldSet out;
  if (!fields.is_object()) return out;
  for (const auto& [element, value] : fields.items()) {
    if (element == ".") continue;
    if (element.size() < 2 || element[1] != ':') continue;
    FieldSet child = FromFieldsV1(value);
    child.member = !value.is_object() || value.empty() || value.contains(".");
    out.children.emplace(CanonicalElement(element), std::move(child));
  }
  return out;
}

std::vector<std::string> PathTexts(const FieldSet& set) {
  std::vector<std::string> out;
  Collect(set, "", out);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace sealane::kubeapi
