#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"

namespace sealane::kubeapi {

// What the rules of all kinds share. Internal to lib/kubeapi. Every function takes JSON of any
// shape: what is of another type counts as absent.

using FieldErrors = std::vector<FieldError>;

// The place of a value. Its text is made only when there is a fault to tell, so that good objects
// cost nothing. A path refers to the one it was made from and to the names; both must outlive it,
// therefore no path is made from a temporary one.
class FieldPath {
 public:
  constexpr explicit FieldPath(std::string_view name) : name_(name) {}
  constexpr FieldPath(std::string_view name, size_t index)
      : name_(name), index_(static_cast<int64_t>(index)) {}
  // ".name", where `name` may have dots of its own.
  [[nodiscard]] FieldPath Child(std::string_view name) const& { return {this, name, kNone}; }
  // ".name[3]"
  [[nodiscard]] FieldPath Child(std::string_view name, size_t index) const& {
    return {this, name, static_cast<int64_t>(index)};
  }
  // "[name]", as for keys of maps.
  [[nodiscard]] FieldPath Key(std::string_view key) const& { return {this, key, kKey}; }
  void Child(std::string_view name) && = delete;
  void Child(std::string_view name, size_t index) && = delete;
  void Key(std::string_view key) && = delete;

  [[nodiscard]] std::string Text() const;
  // The text of a child.
  [[nodiscard]] std::string Text(std::string_view child) const { return Child(child).Text(); }

 private:
  static constexpr int64_t kNone = -1;
  static constexpr int64_t kKey = -2;
  constexpr FieldPath(const FieldPath* parent, std::string_view name, int64_t index)
      : parent_(parent), name_(name), index_(index) {}

  const FieldPath* parent_ = nullptr;
  std::string_view name_;
  int64_t index_ = kNone;
};

// Where nearly every object says what is wanted.
inline constexpr FieldPath kSpec("spec");

// A member; null when absent or when `object` is none.
[[nodiscard]] const Json& At(const Json& object, const char* field);
// The same; nullptr instead of null.
[[nodiscard]] const Json* Member(const Json& object, const char* field);
// A member that is a list (an object); an empty one otherwise.
[[nodiscard]] const Json& ListAt(const Json& object, const char* field);
[[nodiscard]] const Json& MapAt(const Json& object, const char* field);
[[nodiscard]] bool Has(const Json& object, const char* field);
[[nodiscard]] std::optional<int64_t> IntAt(const Json& object, const char* field);
[[nodiscard]] bool BoolAt(const Json& object, const char* field);

[[nodiscard]] FieldError NotFoundField(std::string_view field, const Json& value);
[[nodiscard]] FieldError TooLongField(std::string_view field, size_t limit);

// Each of these looks at a member of `object`, whose path is `path`, and adds what is wrong with
// it.

void CheckNonNegative(const Json& object, const char* field, const FieldPath& path,
                      FieldErrors& errors);
// A string that must be there.
void CheckRequired(const Json& object, const char* field, const FieldPath& path,
                   FieldErrors& errors);
// A string that, when it is there, is one of `allowed`, which are in the order that is told.
void CheckOneOf(const Json& object, const char* field, std::initializer_list<const char*> allowed,
                const FieldPath& path, FieldErrors& errors);
// An integer port; absent ones are 0.
void CheckPortNumber(const Json& object, const char* field, const FieldPath& path,
                     FieldErrors& errors);
// A port by number or name, when it is there.
void CheckPortOrName(const Json& object, const char* field, const FieldPath& path,
                     FieldErrors& errors);
// An integer from 0 on, or "30%"; `at_most_100` bounds percentages.
void CheckIntOrPercent(const Json& object, const char* field, bool at_most_100,
                       const FieldPath& path, FieldErrors& errors);
// Differs from what it was.
void CheckImmutable(const Json& object, const Json& before, const char* field,
                    const FieldPath& path, FieldErrors& errors);

// Whether two objects agree in all fields but those.
[[nodiscard]] bool SameExcept(const Json& a, const Json& b,
                              const std::set<std::string_view>& fields);

// The amount of a percentage or integer ("30%" is 30); 0 for anything else.
[[nodiscard]] int64_t IntOrPercent(const Json& value);

// Reasons in the real server's words; empty when the text is fine.
[[nodiscard]] std::string WhyNotPortName(std::string_view name);
[[nodiscard]] std::string WhyNotConfigKey(std::string_view key);
// Addresses are looked at for their characters only: the real server takes odd ones, too.
[[nodiscard]] std::string WhyNotIp(std::string_view text);
[[nodiscard]] std::string WhyNotCidr(std::string_view text);
// A path that stays below where it begins: relative, without "..".
[[nodiscard]] std::string WhyNotDescending(std::string_view path);

}  // namespace sealane::kubeapi
