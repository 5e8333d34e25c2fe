#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "absl/hash/hash.h"
#include "absl/status/statusor.h"

namespace sealane {

namespace v1 {
class ObjectRef;
}  // namespace v1

// The identity of an object: what makes two manifests the same object. The version part of
// apiVersion does not belong to it.
struct ObjectKey {
  std::string group;  // "apps"; empty for the core group
  std::string kind;
  std::string ns;  // empty for cluster-scoped objects
  std::string name;

  friend bool operator==(const ObjectKey&, const ObjectKey&) = default;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ObjectKey& k) {
    return H::combine(std::move(h), k.group, k.kind, k.ns, k.name);
  }
};

// "apps/v1" -> "apps"; "v1" -> "".
[[nodiscard]] std::string_view GroupOf(std::string_view api_version);
[[nodiscard]] ObjectKey KeyOf(const v1::ObjectRef& ref);
// For people: "Deployment classroom/web", "ClusterRole view".
[[nodiscard]] std::string Describe(const ObjectKey& key);

// --- Keys of rows ------------------------------------------------------------------------------
//
// A row's key is part of a NATS subject: tokens of [A-Za-z0-9_=-] separated by dots. Every other
// byte is written =HH (upper-case hex), an empty token is "=", and "=" itself is "=3D". A token
// whose encoded form exceeds 120 bytes is cut and ends in "==" and the FNV-1a hash of the whole, so
// that a subject stays below NATS' limits; it can then not be decoded, which nobody needs: the
// identity is in the row.

[[nodiscard]] std::string EncodeToken(std::string_view text);
// Fails for a malformed or shortened token.
[[nodiscard]] absl::StatusOr<std::string> DecodeToken(std::string_view token);

// "<group>.<kind>.<namespace>.<name>", each encoded.
[[nodiscard]] std::string RowKey(const ObjectKey& key);
[[nodiscard]] std::string RowKey(const v1::ObjectRef& ref);
// "<cluster>.<group>.<kind>.<namespace>.<name>" for tables that are per cluster.
[[nodiscard]] std::string ClusterRowKey(std::string_view cluster, const ObjectKey& key);
// The first token of a cluster row's key, decoded. Empty when malformed.
[[nodiscard]] std::string ClusterOfRowKey(std::string_view row_key);

}  // namespace sealane
